"""Connections that break: a stock client picks its session up where it was, and nothing is lost or comes twice."""

import asyncio
import itertools
import signal

import pytest
from client import LIMIT
from test_federation import rows


async def resumable(clients, server, account=None):
    """An available client with stream management (XEP-0198) whose session can be resumed."""
    jid, password = account or server.account()
    client = clients.new(jid, password, server.ca)
    client.register_plugin("xep_0198")
    enabled = asyncio.ensure_future(client.wait_until("sm_enabled", LIMIT))
    await client.login(server.port)
    await enabled
    await client.online()
    return client


async def cut(client) -> None:
    """The network is gone: no end of the stream, no word."""
    gone = asyncio.ensure_future(client.wait_until("disconnected", LIMIT))
    await asyncio.sleep(0)
    client.abort()
    await gone


async def resume(client, server) -> None:
    resumed = asyncio.ensure_future(client.wait_until("session_resumed", LIMIT))
    await asyncio.sleep(0)
    client.connect("127.0.0.1", server.port)
    await resumed


async def acknowledged(client) -> None:
    """Returns when the server has acknowledged everything that this client has sent."""
    plugin, told = client.plugin["xep_0198"], asyncio.Event()

    def tell(_) -> None:
        told.set()

    client.add_event_handler("stanza_acked", tell)
    async with asyncio.timeout(LIMIT):
        # What slixmpp was told to send counts as sent a little later; behind an answer it does.
        await client.plugin["xep_0199"].ping(client.boundjid.host)
        while plugin.unacked_queue:
            told.clear()
            plugin.request_ack()
            await told.wait()
    client.del_event_handler("stanza_acked", tell)


async def bodies(client, end: str) -> list[str]:
    """The bodies of the messages up to the one that says `end`."""
    seen = []
    while (body := (await client.message())["body"]) != end:
        seen.append(body)
    return seen


async def test_a_receiver_that_is_cut_again_and_again_gets_everything_once(server, clients):
    alice, bob = await clients.online(server), await resumable(clients, server)
    numbers = itertools.count()
    for _ in range(5):
        for _ in range(20):
            alice.say(bob.boundjid.bare, str(next(numbers)))
        await bob.message(lambda m: True)
        await cut(bob)
        for _ in range(20):
            alice.say(bob.boundjid.bare, str(next(numbers)))
        await alice.plugin["xep_0199"].ping(server.domain)
        await resume(bob, server)
    alice.say(bob.boundjid.bare, "end")
    rest = await bodies(bob, "end")
    assert len(rest) == len(set(rest)), "nothing comes twice"
    assert len(rest) == next(numbers) - 5, "nothing is lost"


async def test_a_sender_that_is_cut_sends_again_and_nothing_comes_twice(server, clients):
    alice, bob = await resumable(clients, server), await clients.online(server)
    for round in range(5):
        for number in range(20):
            alice.say(bob.boundjid.bare, f"{round}.{number}")
        await asyncio.sleep(0)
        await cut(alice)
        await resume(alice, server)
    await acknowledged(alice)
    alice.say(bob.boundjid.bare, "end")
    assert await bodies(bob, "end") == [f"{round}.{number}" for round in range(5) for number in range(20)]


async def test_a_session_that_ends_in_order_is_over(server, clients):
    account = server.account()
    bob = await resumable(clients, server, account)
    watcher = await clients.online(server, account)
    resource = bob.boundjid
    await bob.leave()
    await watcher.presence(lambda p: p["from"] == resource and p["type"] == "unavailable")


async def test_contacts_do_not_see_a_short_loss(server, clients):
    """H27: what sleeps is still shown; only its end is told."""
    account = server.account()
    bob = await resumable(clients, server, account)
    watcher = await clients.online(server, account)
    watcher.seen()
    await cut(bob)
    await resume(bob, server)
    bob.say(watcher.boundjid.full, "back")
    await watcher.message(lambda m: m["body"] == "back")
    assert [p for p in watcher.seen() if p["from"] == bob.boundjid] == []


@pytest.mark.parametrize("resumed_before", [False, True])
@pytest.mark.parametrize("policy", ["always", "never"])
async def test_what_was_acknowledged_outlives_a_sigkill_beside_a_session_that_sleeps(
    own_server, clients, policy, resumed_before
):
    """The sender has the acknowledgement; the receiver's connection is gone, and then the server is."""
    server = own_server
    with server.config.open("a") as config:
        config.write(f'[modules.mam]\ndefault_policy = "{policy}"\n')
    server.add_accounts(2)
    first, second = server.account(), server.account()
    server.start()
    alice, bob = await resumable(clients, server, first), await resumable(clients, server, second)
    await cut(bob)
    if resumed_before:
        await resume(bob, server)
        await cut(bob)
    said = []

    def say() -> None:
        said.append(str(len(said)))
        alice.say(second[0], said[-1])

    # Where no archive keeps them, the first that is stored says that the server has noticed: before, a mailbox was enough.
    while not rows(server, "archive WHERE held"):
        say()
        await acknowledged(alice)
    for _ in range(30):
        say()
    await acknowledged(alice)
    server.stop(signal.SIGKILL)
    server.start()
    again = await clients.online(server, second)
    assert [(await again.message())["body"] for _ in said] == said
    again.say(second[0], "end")
    assert (await again.message())["body"] == "end", "nothing comes twice"


async def test_a_session_that_sleeps_is_ended_by_the_operator(server, clients):
    account = server.account()
    bob = await resumable(clients, server, account)
    await cut(bob)
    server.command("user", "revoke", account[0])
    failed = asyncio.ensure_future(bob.wait_until("sm_failed", LIMIT))
    await asyncio.sleep(0)
    bob.connect("127.0.0.1", server.port)
    await failed
