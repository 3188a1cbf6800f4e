"""Stopping and starting: what was accepted is there again."""

import asyncio
import signal

import pytest


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
async def test_what_was_acknowledged_outlives_the_process(own_server, clients, sig):
    """An iq's result is the acknowledgement of a change: from then on not even a SIGKILL may undo it."""
    server = own_server
    server.add_accounts(1)
    account, friend = server.account(), f"bob@{server.domain}"
    server.start()
    alice = await clients.login(server, account)
    card = alice.plugin["xep_0054"].make_vcard()
    card["FN"] = "Alice Bocage"
    await alice.plugin["xep_0054"].publish_vcard(card)
    await alice.update_roster(friend, name="Bob", subscription="none")
    server.stop(sig)
    server.start()
    alice = await clients.login(server, account)
    items = (await alice.roster_get())["roster"]["items"]
    assert {str(j): i["name"] for j, i in items.items()} == {friend: "Bob"}
    read = await alice.plugin["xep_0054"].get_vcard(account[0], cached=False)
    assert read["vcard_temp"]["FN"] == "Alice Bocage"


async def test_what_was_accepted_is_kept_when_the_server_drains(own_server, clients):
    """The ping's answer shows that the message before it was taken; nothing but the drain promises to store it."""
    server = own_server
    server.add_accounts(2)
    first, second = server.account(), server.account()
    server.start()
    alice = await clients.login(server, first)
    for number in range(50):
        alice.say(second[0], str(number))
    await alice.plugin["xep_0199"].ping(server.domain)
    assert server.stop() == 0
    server.start()
    bob = await clients.online(server, second)
    assert [(await bob.message())["body"] for _ in range(50)] == [str(number) for number in range(50)]


async def test_clients_are_told_of_the_shutdown(own_server, clients):
    own_server.start()
    alice = await clients.online(own_server)
    error = asyncio.ensure_future(alice.wait_until("stream_error"))
    gone = asyncio.ensure_future(alice.wait_until("disconnected"))
    await asyncio.sleep(0)
    status = await asyncio.to_thread(own_server.stop)
    assert (await error)["condition"] == "system-shutdown"
    await gone
    assert status == 0


async def test_an_account_added_while_running_logs_in_at_once(server, clients):
    jid = f"newcomer@{server.domain}"
    server.command("user", "add", jid, "--password-stdin", stdin="a long enough passphrase\n")
    client = await clients.new(jid, "a long enough passphrase", server.ca).login(server.port)
    assert client.boundjid.bare == jid


async def test_the_log_knows_nobody(server, clients):
    """At the default level: no address of a person, no word of theirs."""
    alice, bob = await clients.friends(server)
    alice.say(bob.boundjid.full, "a word nobody else may read")
    await bob.message()
    log = server.process.output()
    people = [name for c in (alice, bob) for name in (c.boundjid.bare, c.boundjid.resource, c.password)]
    for secret in (*people, "a word nobody"):
        assert secret not in log
