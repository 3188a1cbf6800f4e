"""Messages between people: online, several devices, offline, and what must arrive unchanged."""

import pytest


async def test_two_people_chat(server, clients):
    alice, bob = await clients.online(server), await clients.online(server)
    alice.say(bob.boundjid.full, "Bonjour")
    hello = await bob.message()
    assert (hello["body"], hello["type"]) == ("Bonjour", "chat")
    assert hello["from"] == alice.boundjid and hello["to"] == bob.boundjid
    bob.say(hello["from"], "Salut")
    assert (await alice.message())["body"] == "Salut"


async def test_the_sender_cannot_write_another_name(server, clients):
    alice, bob = await clients.online(server), await clients.online(server)
    message = alice.make_message(mto=bob.boundjid, mbody="it was me", mtype="chat")
    message["from"] = alice.boundjid.bare
    message.send()
    assert (await bob.message())["from"] == alice.boundjid


@pytest.mark.parametrize(
    "body", ["<&>\"']]>", "été 🌳 \u202eabc", "two\nlines\tand a tab", "  spaces kept  ", "x" * 100_000]
)
async def test_a_body_arrives_unchanged(server, clients, body):
    alice, bob = await clients.online(server), await clients.online(server)
    alice.say(bob.boundjid.full, body)
    assert (await bob.message())["body"] == body


async def test_messages_keep_their_order(server, clients):
    alice, bob = await clients.online(server), await clients.online(server)
    for i in range(200):
        alice.say(bob.boundjid.full, str(i))
    assert [(await bob.message())["body"] for _ in range(200)] == [str(i) for i in range(200)]


async def test_a_message_to_the_account_reaches_an_available_device(server, clients):
    """RFC 6121 8.5.2.1.1: to the bare JID, the most available devices or all that are not negative."""
    account = server.account()
    phone = await clients.online(server, account, "phone", priority=5)
    tablet = await clients.online(server, account, "tablet", priority=-1)
    alice = await clients.online(server)
    alice.say(account[0], "to whoever is there")
    assert (await phone.message())["body"] == "to whoever is there"
    assert await alice.barrier(tablet) == [], "a negative priority asks not to be sent such messages"


async def test_a_message_to_one_device_reaches_it_alone(server, clients):
    account = server.account()
    phone, tablet = [await clients.online(server, account, name) for name in ("phone", "tablet")]
    alice = await clients.online(server)
    alice.say(tablet.boundjid.full, "only you")
    assert (await tablet.message())["body"] == "only you"
    assert await alice.barrier(phone) == []


async def test_a_headline_reaches_every_device(server, clients):
    """RFC 6121 8.5.2.1.1: headline to all that are not negative."""
    account = server.account()
    devices = [await clients.online(server, account, name) for name in ("phone", "tablet")]
    alice = await clients.online(server)
    alice.say(account[0], "news", mtype="headline")
    assert [(await device.message())["body"] for device in devices] == ["news", "news"]


async def test_offline_messages_come_at_the_next_login_with_their_time(server, clients):
    account = server.account()
    alice = await clients.online(server)
    for body in ("first", "second"):
        alice.say(account[0], body)
    await alice.plugin["xep_0199"].ping(server.domain)
    bob = await clients.online(server, account)
    messages = [await bob.message(), await bob.message()]
    assert [m["body"] for m in messages] == ["first", "second"]
    assert all(m["delay"]["stamp"] for m in messages)
    assert {str(m["from"]) for m in messages} == {alice.boundjid.full}
    await bob.leave()
    again = await clients.online(server, account)
    assert await alice.barrier(again) == [], "delivered once, not twice"


async def test_a_message_to_nobody_comes_back(server, clients):
    alice = await clients.online(server)
    alice.say(f"nobody@{server.domain}", "hello?")
    error = await alice.message(lambda m: m["type"] == "error")
    assert error["error"]["condition"] == "service-unavailable"
    assert error["from"] == f"nobody@{server.domain}"
