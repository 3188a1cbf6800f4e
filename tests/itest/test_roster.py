"""Contacts and presence (RFC 6121 sections 2 to 4)."""

import pytest
from slixmpp.exceptions import IqError

from client import befriend


async def test_an_item_is_added_renamed_and_removed_on_every_device(server, clients):
    account, friend = server.account(), f"friend@{server.domain}"
    phone, tablet = [await clients.online(server, account, name) for name in ("phone", "tablet")]
    await phone.update_roster(friend, name="Ami", groups=["Village"], subscription="none")
    for device in (phone, tablet):
        await device.push(friend, name="Ami", groups=["Village"], subscription="none")
    await tablet.update_roster(friend, name="Amie", groups=[], subscription="none")
    await phone.push(friend, name="Amie")
    await phone.del_roster_item(friend)
    await tablet.push(friend, subscription="remove")
    assert not (await phone.roster_get())["roster"]["items"]


async def test_removing_an_unknown_item_is_an_error(server, clients):
    alice = await clients.online(server)
    with pytest.raises(IqError) as error:
        await alice.del_roster_item(f"never@{server.domain}")
    assert error.value.condition == "item-not-found"


async def test_subscription_presence_and_leaving(server, clients):
    alice, bob = await clients.friends(server)
    for one, other in ((alice, bob), (bob, alice)):
        items = (await one.roster_get())["roster"]["items"]
        assert {str(j): i["subscription"] for j, i in items.items()} == {other.boundjid.bare: "both"}
    bob.send_presence(pshow="away", pstatus="at the market")
    away = await alice.presence(lambda p: p["from"] == bob.boundjid and p["show"] == "away")
    assert away["status"] == "at the market"
    await bob.leave()
    await alice.presence(lambda p: p["from"] == bob.boundjid and p["type"] == "unavailable")


async def test_a_broken_connection_is_seen_as_leaving(server, clients):
    alice, bob = await clients.friends(server)
    bob.transport.abort()
    await alice.presence(lambda p: p["from"] == bob.boundjid and p["type"] == "unavailable")


async def test_a_request_waits_for_who_is_away(server, clients):
    account = server.account()
    alice = await clients.online(server)
    alice.send_presence(pto=account[0], ptype="subscribe")
    await alice.push(account[0], subscription="none", ask="subscribe")
    bob = await clients.online(server, account)
    request = await bob.presence(lambda p: p["type"] == "subscribe")
    assert request["from"] == alice.boundjid.bare
    bob.send_presence(pto=alice.boundjid.bare, ptype="subscribed")
    await alice.push(account[0], subscription="to")
    await alice.presence(lambda p: p["from"] == bob.boundjid and p["type"] == "available")


async def test_presence_is_withdrawn_from_a_former_contact(server, clients):
    alice, bob = await clients.friends(server)
    bob.send_presence(pto=alice.boundjid.bare, ptype="unsubscribed")
    await alice.presence(lambda p: p["from"] == bob.boundjid and p["type"] == "unavailable")
    bob.send_presence(pshow="dnd")
    assert await bob.barrier(alice) == []
    assert not [p for p in alice.seen() if p["show"] == "dnd"]


async def test_a_stranger_sees_nothing(server, clients):
    alice, bob = await clients.online(server), await clients.online(server)
    alice.send_presence(pto=bob.boundjid.bare, ptype="probe")
    bob.send_presence(pshow="chat")
    await bob.barrier(alice)
    assert not [p for p in alice.seen() if p["from"].bare == bob.boundjid.bare and p["type"] == "available"]


async def test_the_roster_is_sent_only_when_it_changed(server, clients):
    """RFC 6121 2.6.2: after a change the whole roster, or an empty result and then the pushes that were missed."""
    account, old, new = server.account(), f"old@{server.domain}", f"new@{server.domain}"
    alice = await clients.online(server, account)
    assert "rosterver" in alice.features
    await alice.update_roster(old, name="Old", subscription="none")
    version = (await alice.roster_get(""))["roster"]["ver"]
    assert version
    await alice.update_roster(new, name="New", subscription="none")
    await alice.leave()

    again = await clients.login(server, account)
    answer = await again.roster_get(version)
    if has_roster(answer):
        assert {str(j) for j in answer["roster"]["items"]} == {old, new}
    else:
        await again.push(new, name="New")
    current = (await again.roster_get(""))["roster"]["ver"]
    assert current != version
    assert not has_roster(await again.roster_get(current)), "an unchanged roster is an empty result"


def has_roster(iq) -> bool:
    return iq.xml.find("{jabber:iq:roster}query") is not None


async def test_contacts_stay_over_a_new_login(server, clients):
    first, second = server.account(), server.account()
    alice, bob = await clients.online(server, first), await clients.online(server, second)
    await befriend(alice, bob)
    await alice.leave()
    await bob.presence(lambda p: p["type"] == "unavailable" and p["from"].bare == first[0])
    alice = await clients.online(server, first)
    await bob.presence(lambda p: p["from"] == alice.boundjid and p["type"] == "available")
    await alice.presence(lambda p: p["from"] == bob.boundjid and p["type"] == "available")
