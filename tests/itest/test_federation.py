"""Two servers that are killed while messages are on their way between them: each arrives or comes back."""

import asyncio
import base64
import hashlib
import signal
import sqlite3

import pytest
from server import Server, free_ports, openssl

COUNT = 40
"""Messages under way; as many as one session may have under commit and more than one batch."""


class Peer(Server):
    """A server that knows one other by address and pin: neither DNS nor an authority is needed."""

    def __init__(self, home, domain: str):
        home.mkdir()
        self.domain, self.rooms = domain, f"salons.{domain}"
        (self.s2s_port,) = free_ports(1)
        super().__init__(home)

    def pin(self) -> str:
        pem = (self.home / "tls" / f"{self.domain}.crt").read_text()
        der = base64.b64decode("".join(pem.split("-----")[2].split()))
        return f"sha256:{hashlib.sha256(der).hexdigest()}"

    def meet(self, other: "Peer") -> None:
        text = self.config.read_text().replace("s2s = []", f's2s = ["127.0.0.1:{self.s2s_port}"]')
        known = f'[s2s.peers."{other.domain}"]\naddress = "127.0.0.1:{other.s2s_port}"\npin = "{other.pin()}"\n'
        self.config.write_text(text + known)


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


def say_all(client, to: str) -> list[str]:
    """Messages whose ids are their bodies: an error has the id alone."""
    sent = [f"m{number}" for number in range(COUNT)]
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
