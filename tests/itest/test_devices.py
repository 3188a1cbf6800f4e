"""Two stock clients in one account see the same conversation after either was away, and the server died in between."""

import asyncio
import signal

import pytest_asyncio
from devices import Slixmpp, TokioXmpp
from test_resume import acknowledged, resumable


@pytest_asyncio.fixture
async def pair(own_server, clients):
    """A device by slixmpp and one by tokio-xmpp, in one account of a server that runs."""
    own_server.add_accounts(2)
    account = own_server.account()
    own_server.start()
    phone, desk = Slixmpp(clients, own_server, account), TokioXmpp(own_server, account)
    yield phone, desk
    await desk.go()


class Talk:
    """What is said by the account and by its friend, in its order; each word arrives before the next is said."""

    def __init__(self, clients, server, account: tuple[str, str], friend: tuple[str, str]):
        self.clients, self.server, self.mine, self.account = clients, server, account[0], friend
        self.said: list[tuple[str, str]] = []

    async def friend_comes(self) -> None:
        self.friend = await resumable(self.clients, self.server, self.account)

    def _word(self, who: str, what: str) -> str:
        self.said.append((who, f"{len(self.said)}: {what}"))
        return self.said[-1][1]

    async def hear(self, what: str, *devices, to: str | None = None) -> None:
        """The friend says it, to the account or one of its devices, and these devices are there."""
        word = self._word(self.account[0], what)
        self.friend.say(to or self.mine, word)
        await asyncio.gather(*(device.hears(word) for device in devices))
        await acknowledged(self.friend)

    async def say(self, what: str, device, *others) -> None:
        """One device says it, and these others are there."""
        word = self._word(self.mine, what)
        await device.says(self.account[0], word)
        await self.friend.message(lambda m: m["body"] == word)
        await asyncio.gather(*(other.hears(word) for other in others))


async def kill(server, *devices) -> None:
    """The server dies, with these devices connected, and is started again."""
    server.stop(signal.SIGKILL)
    for device in devices:
        await device.go()
    server.start()


async def test_two_devices_see_one_conversation_through_absence_and_sigkill(own_server, clients, pair):
    server, (phone, desk) = own_server, pair
    talk = Talk(clients, server, phone.account, server.account())
    await talk.friend_comes()
    await asyncio.gather(phone.come(), desk.come())
    await talk.hear("to both", phone, desk)
    await talk.say("from the phone", phone, desk)
    await talk.say("from the desk", desk, phone)
    await talk.hear("to the phone", phone, desk, to=phone.full)
    await talk.hear("to the desk", phone, desk, to=desk.full)

    await phone.go()
    await talk.hear("the phone is away", desk)
    await talk.say("so says the desk", desk)
    await kill(server, desk)
    await talk.friend_comes()
    await desk.come()
    await talk.say("the desk is back", desk)
    await talk.hear("and alone", desk)

    await desk.go()
    await talk.hear("nobody is there")
    await phone.come()
    await talk.say("from the phone again", phone)
    await talk.hear("the desk is away", phone)
    await talk.say("so says the phone", phone)
    await kill(server, phone)
    await talk.friend_comes()
    await talk.hear("nobody is there yet")

    await asyncio.gather(phone.come(), desk.come())
    await talk.hear("to both again", phone, desk)
    await talk.say("the last word", phone, desk)
    # Once more, to read the names of its own last words; and one that knows nothing yet.
    await phone.go()
    new = Slixmpp(clients, server, phone.account)
    await asyncio.gather(phone.come(), new.come())
    assert [(said.sender, said.body) for said in phone.said] == talk.said
    assert phone.said == desk.said == new.said, "one conversation, each message once, under one name"
