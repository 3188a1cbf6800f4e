"""SIGKILL while messages flow: what was not acknowledged is sent again under the same id, is archived once, received once."""

import asyncio
import signal

import pytest
from asking import archive, body, stanza_id
from client import LIMIT, Client
from slixmpp import ET
from test_resume import acknowledged, resumable

COUNT = 300
# The kill follows so many acknowledgements: soon, in the midst, and when most is done.
KILLED_AFTER = (1, 20, 60, 120, 200)


class Sender:
    """Numbered messages, and which of them the server has taken responsibility for (XEP-0198)."""

    def __init__(self, mark: str, to: str):
        self.to = to
        self.open = {f"{mark}-{number}": f"{mark} {number}" for number in range(COUNT)}
        self.said = list(self.open.values())

    def send(self, client: Client) -> None:
        for id, words in self.open.items():
            message = client.make_message(mto=self.to, mbody=words, mtype="chat")
            message["id"] = id
            message.xml.append(ET.fromstring(f"<origin-id xmlns='urn:xmpp:sid:0' id='{id}'/>"))
            message.send()

    async def count(self, client: Client, enough: int) -> None:
        """Returns when `enough` were acknowledged."""
        done = asyncio.get_running_loop().create_future()

        def acked(stanza) -> None:
            self.open.pop(stanza["id"], None)
            if COUNT - len(self.open) >= enough and not done.done():
                done.set_result(None)

        client.add_event_handler("stanza_acked", acked)
        await asyncio.wait_for(done, LIMIT)


async def arrived(client: Client, mark: str, end: Client) -> list[str]:
    """Names, in the archive of `client`, of what came for it, up to a last word of `end`."""
    end.say(client.boundjid.bare, f"end of {mark}")
    names = []
    while (message := await client.message())["body"] != f"end of {mark}":
        if message["body"].startswith(f"{mark} "):
            names.append(stanza_id(message, client.boundjid.bare))
    return names


@pytest.mark.parametrize("present", [False, True])
async def test_what_is_sent_again_after_a_sigkill_is_archived_once_and_received_once(own_server, clients, present):
    server = own_server
    server.add_accounts(2)
    first, second = server.account(), server.account()
    server.start()
    for enough in KILLED_AFTER:
        sender = Sender(f"killed after {enough}", second[0])
        mark = f"killed after {enough}"
        alice = await resumable(clients, server, first)
        bob = await clients.online(server, second) if present else None
        counted = asyncio.ensure_future(sender.count(alice, enough))
        sender.send(alice)
        await counted
        server.stop(signal.SIGKILL)
        early = []
        while bob and not bob.messages.empty():
            message = bob.messages.get_nowait()
            if message["body"].startswith(f"{mark} "):
                early.append(stanza_id(message, second[0]))
        for client in (alice, bob) if bob else (alice,):
            client.abort()
        server.start()
        alice = await resumable(clients, server, first)
        if present:
            bob = await clients.online(server, second)
        sender.send(alice)
        await acknowledged(alice)
        if not present:
            bob = await clients.online(server, second)
        late = await arrived(bob, mark, alice)
        kept = [(id, body(message)) for id, message in await archive(bob) if (body(message) or "").startswith(f"{mark} ")]
        assert [words for _, words in kept] == sender.said, "archived once, in the order in which it was sent"
        sent = [body(message) for _, message in await archive(alice) if (body(message) or "").startswith(f"{mark} ")]
        assert sent == sender.said, "and so it is for who sent it"
        names = [id for id, _ in kept]
        assert len(late) == len(set(late)), "nothing comes twice"
        if present:
            # What was stored when the server died comes once more: nobody knows whether it had been written.
            assert sorted(set(early + late)) == sorted(names), "who was there gets it all"
        else:
            assert late == names, "who was away gets it all"
        await bob.leave()
        alice.abort()
