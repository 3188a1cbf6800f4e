"""Two stock clients in one account see the same conversation after either was away, and the server died in between."""

import asyncio
import signal

from asking import archive, ask, body, stanza_id
from client import Client
from slixmpp import ET
from test_resume import acknowledged, resumable

CARBONS = "urn:xmpp:carbons:2"


class Device:
    """A client that keeps what it knows over its connections: what it is told, what it says, and what the archive has."""

    def __init__(self, clients, server, account):
        self.clients, self.server, self.account = clients, server, account
        self.known: dict[str, str] = {}
        self.client: Client | None = None

    async def come(self) -> None:
        """Logs in, asks for copies, says that it is here, and reads what it has missed."""
        self.client = await self.clients.login(self.server, self.account)
        await ask(self.client, "set", None, f"<enable xmlns='{CARBONS}'/>")
        await self.client.online()
        self.note(await archive(self.client))

    def note(self, rows) -> None:
        for id, message in rows:
            if words := body(message):
                assert self.known.setdefault(id, words) == words

    def go(self) -> None:
        self.client.abort()

    async def hears(self, words: str) -> None:
        """Waits until it is told so: by the message, or by a copy of one that its account sent or got."""
        owner = self.client.boundjid.bare
        while True:
            message = await self.client.message()
            copy = message.xml.find(f".//{{urn:xmpp:forward:0}}forwarded/{{jabber:client}}message")
            inner = message.xml if copy is None else copy
            if body(inner) is None:
                continue
            name = stanza_id(message, owner) if copy is None else name_in(copy, owner)
            assert name, "each message says how the archive knows it"
            assert name not in self.known or self.known[name] == body(inner)
            self.known[name] = body(inner)
            if body(inner) == words:
                return

    async def says(self, to: str, words: str) -> None:
        self.client.say(to, words)


def name_in(message: ET.Element, by: str) -> str | None:
    return next((sid.get("id") for sid in message.iter("{urn:xmpp:sid:0}stanza-id") if sid.get("by") == by), None)


async def test_two_devices_see_one_conversation_through_absence_and_sigkill(own_server, clients):
    server = own_server
    server.add_accounts(2)
    account, friend_account = server.account(), server.account()
    server.start()
    phone, desk = Device(clients, server, account), Device(clients, server, account)
    friend = await resumable(clients, server, friend_account)
    mine, theirs = account[0], friend_account[0]

    await asyncio.gather(phone.come(), desk.come())
    friend.say(mine, "1: to both")
    await asyncio.gather(phone.hears("1: to both"), desk.hears("1: to both"))
    await phone.says(theirs, "2: from the phone")
    await desk.hears("2: from the phone")
    await friend.message(lambda m: m["body"] == "2: from the phone")

    phone.go()
    friend.say(mine, "3: the phone is away")
    await desk.hears("3: the phone is away")
    await desk.says(theirs, "4: from the desk")
    await friend.message(lambda m: m["body"] == "4: from the desk")
    server.stop(signal.SIGKILL)
    server.start()

    friend = await resumable(clients, server, friend_account)
    friend.say(mine, "5: both are away")
    await acknowledged(friend)
    await phone.come()
    await phone.says(theirs, "6: the desk is away")
    await friend.message(lambda m: m["body"] == "6: the desk is away")
    server.stop(signal.SIGKILL)
    server.start()

    await asyncio.gather(phone.come(), desk.come())
    whole = [(id, body(message)) for id, message in await archive(phone.client) if body(message)]
    assert [words[0] for _, words in whole] == ["1", "2", "3", "4", "5", "6"]
    assert phone.known == desk.known == dict(whole), "one conversation, each message once"
