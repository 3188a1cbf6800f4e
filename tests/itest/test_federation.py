"""Servers that die while messages are on their way between them: each arrives or comes back."""

import asyncio
import base64
import hashlib
import itertools
import signal
import sqlite3

import pytest
import pytest_asyncio
from scripted import Scripted
from server import Server, free_ports, openssl

COUNT = 40
"""Messages under way; as many as one session may have under commit and more than one batch."""


NUMBERS = itertools.count()


class Peer(Server):
    """A server that knows one other by address and pin: neither DNS nor an authority is needed."""

    def __init__(self, home, domain: str):
        home.mkdir()
        self.domain, self.rooms = domain, f"salons.{domain}"
        self.s2s_port, self.s2s_tls_port = free_ports(2)
        super().__init__(home)

    def pin(self) -> str:
        pem = (self.home / "tls" / f"{self.domain}.crt").read_text()
        der = base64.b64decode("".join(pem.split("-----")[2].split()))
        return f"sha256:{hashlib.sha256(der).hexdigest()}"

    def meet(self, other: "Peer") -> None:
        text = self.config.read_text().replace("s2s = []", f's2s = ["127.0.0.1:{self.s2s_port}"]')
        known = f'[s2s.peers."{other.domain}"]\naddress = "127.0.0.1:{other.s2s_port}"\npin = "{other.pin()}"\n'
        self.config.write_text(text + known)

    def meet_scripted(self, *others: Scripted) -> None:
        text = self.config.read_text().replace("s2s_direct_tls = []", f's2s_direct_tls = ["127.0.0.1:{self.s2s_tls_port}"]')
        for other in others:
            pin = f"sha256:{hashlib.sha256(other.der()).hexdigest()}"
            text += f'[s2s.peers."{other.domain}"]\naddress = "127.0.0.1:{other.port}"\ndirect_tls = true\npin = "{pin}"\n'
        self.config.write_text(text)


@pytest.fixture
def peers(tmp_path):
    near, far = Peer(tmp_path / "near", "near.example"), Peer(tmp_path / "far", "far.example")
    near.meet(far)
    far.meet(near)
    for peer in (near, far):
        peer.add_accounts(1)
    yield near, far
    for peer in (near, far):
        peer.stop()


def rows(peer: Server, table: str) -> int:
    """How much is committed; nothing tells a client of it."""
    with sqlite3.connect(f"file:{peer.home / 'data' / 'bocage.db'}?mode=ro", uri=True) as database:
        return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


async def until(condition, limit: float) -> None:
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)


def say_all(client, to: str, count: int = COUNT) -> list[str]:
    """Messages whose ids are their bodies: an error has the id alone."""
    sent = [f"m{next(NUMBERS)}" for _ in range(count)]
    for name in sent:
        message = client.make_message(mto=to, mbody=name, mtype="chat")
        message["id"] = name
        message.send()
    return sent


async def pump(client, fates: asyncio.Queue) -> None:
    while True:
        fates.put_nowait((await client.messages.get())["id"])


async def test_what_waits_for_a_peer_outlives_a_kill(peers, clients):
    near, far = peers
    bob = far.account()
    near.start()
    alice = await clients.online(near)
    sent = say_all(alice, bob[0])
    await until(lambda: rows(near, "outbound") == COUNT, 7)
    near.stop(signal.SIGKILL)
    far.start()
    near.start()
    client = await clients.online(far, bob)
    assert [(await client.message())["id"] for _ in sent] == sent
    await until(lambda: rows(near, "outbound") == 0, 10)


async def test_a_killed_peer_costs_no_message(peers, clients):
    """Bob is away: what his server acknowledges is stored there. What it does not goes again, or comes back."""
    near, far = peers
    bob = far.account()
    far.start()
    near.start()
    alice = await clients.online(near)
    missing = set(say_all(alice, bob[0]))
    await until(lambda: rows(far, "archive") > 0, 10)
    far.stop(signal.SIGKILL)
    far.start()
    fates: asyncio.Queue = asyncio.Queue()
    pumps = [asyncio.ensure_future(pump(client, fates)) for client in (alice, await clients.online(far, bob))]
    async with asyncio.timeout(40):
        while missing:
            missing.discard(await fates.get())
    for task in pumps:
        task.cancel()


async def test_calling_each_other_at_once_costs_no_message(peers, clients):
    """Each server opens a stream and offers it for both ways; one of the two is given up."""
    for peer in peers:
        peer.start()
    people = [await clients.online(peer) for peer in peers]
    sent = [say_all(one, other.boundjid.full) for one, other in zip(people, reversed(people))]
    for person, messages in zip(people, reversed(sent)):
        assert [(await person.message())["id"] for _ in messages] == messages


@pytest_asyncio.fixture
async def simple(tmp_path):
    """A server, one that it speaks with and that has no stream management, and a stranger that it would speak with."""
    near = Peer(tmp_path / "near", "near.example")
    far, eve = (Scripted(tmp_path / name, f"{name}.example", near.domain) for name in ("far", "eve"))
    near.meet_scripted(far, eve)
    near.add_accounts(1)
    await far.listen()
    near.start()
    yield near, far, eve
    near.stop()
    far.close()


async def test_what_a_peer_was_sent_goes_again_until_it_has_answered_a_ping(simple, clients):
    near, far, _ = simple
    sent = say_all(await clients.online(near), "bob@far.example")
    stream = await far.take()
    assert await stream.messages(COUNT) == sent
    await stream.ping()
    await until(lambda: rows(near, "outbound") == COUNT, 7)
    stream.cut()
    stream = await far.take()
    assert await stream.messages(COUNT) == sent, "once more, in order"
    # The answer comes on a stream of the peer's own: this one does not go both ways.
    back = await far.call(near.s2s_tls_port)
    back.send(far.answer(await stream.ping()))
    await until(lambda: rows(near, "outbound") == 0, 7)
    stream.cut()
    (later,) = say_all(clients.made[0], "bob@far.example", 1)
    stream = await far.take()
    assert await stream.messages(1) == [later], "what was confirmed does not go again"


async def test_only_the_peer_itself_answers_and_only_what_it_was_asked(simple, clients):
    near, far, eve = simple
    sent = say_all(await clients.online(near), "bob@far.example")
    stream = await far.take()
    await stream.messages(COUNT)
    ping = await stream.ping()
    back, stranger = await far.call(near.s2s_tls_port), await eve.call(near.s2s_tls_port)
    stranger.send(eve.answer(ping))
    back.send(far.answer(ping, f"eve@{far.domain}") + far.answer(ping[:-1]) + far.answer("bocage-ack-0") * 1000)
    # Once these are answered, all before was read.
    back.send(f"<iq type='get' id='x' from='{far.domain}' to='{near.domain}'><ping xmlns='urn:xmpp:ping'/></iq>")
    await stream.until(" id='x'")
    stranger.send(eve.answer(ping, far.domain))
    await stranger.until("invalid-from")
    await until(lambda: rows(near, "outbound") == COUNT, 7)
    stream.cut()
    stream = await far.take()
    assert await stream.messages(COUNT) == sent, "nobody has confirmed them"


async def test_idle_links_ask_nothing_and_what_was_not_confirmed_outlives_a_stop(simple, clients):
    near, far, _ = simple
    (one,) = say_all(await clients.online(near), "bob@far.example", 1)
    stream = await far.take()
    assert await stream.messages(1) == [one]
    back = await far.call(near.s2s_tls_port)
    back.send(far.answer(await stream.ping()))
    await until(lambda: rows(near, "outbound") == 0, 7)
    (two,) = say_all(clients.made[0], "bob@far.example", 1)
    found = await stream.until(f"<message [^>]*id='{two}'.*</message>")
    assert "<iq" not in found.string[: found.start()], "an idle link asks nothing"
    await stream.ping()
    await until(lambda: rows(near, "outbound") == 1, 7)
    assert await asyncio.to_thread(near.stop) == 0
    near.start()
    stream = await far.take()
    assert await stream.messages(1) == [two]
