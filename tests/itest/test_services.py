"""What the server answers about itself and keeps for its people."""

import re

import pytest
from slixmpp import ET
from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0048.stanza import Bookmarks

DISCO = "http://jabber.org/protocol/disco"


async def test_the_server_says_what_it_is(server, clients):
    alice = await clients.online(server)
    info = (await alice.plugin["xep_0030"].get_info(server.domain))["disco_info"]
    assert ("server", "im") in {identity[:2] for identity in info["identities"]}
    expected = {f"{DISCO}#info", f"{DISCO}#items", "urn:xmpp:ping", "jabber:iq:private", "vcard-temp", "msgoffline"}
    assert expected <= set(info["features"])


async def test_the_account_says_what_it_is(server, clients):
    alice = await clients.online(server)
    info = (await alice.plugin["xep_0030"].get_info(alice.boundjid.bare))["disco_info"]
    assert ("account", "registered") in {identity[:2] for identity in info["identities"]}


async def test_the_room_service_is_listed(server, clients):
    alice = await clients.online(server)
    items = (await alice.plugin["xep_0030"].get_items(server.domain))["disco_items"]["items"]
    assert server.rooms in {str(jid) for jid, _, _ in items}


async def test_another_client_is_asked_itself(server, clients):
    alice, bob = await clients.friends(server)
    await bob.plugin["xep_0030"].add_feature("urn:example:itest")
    info = (await alice.plugin["xep_0030"].get_info(bob.boundjid.full))["disco_info"]
    assert "urn:example:itest" in info["features"]


@pytest.mark.parametrize("account", [False, True])
async def test_ping(server, clients, account):
    alice = await clients.online(server)
    to = alice.boundjid.bare if account else server.domain
    assert await alice.plugin["xep_0199"].ping(to) < 10


async def test_time_and_version(server, clients):
    alice = await clients.online(server)
    time = await alice.plugin["xep_0202"].get_entity_time(server.domain)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", time.xml.findtext("{urn:xmpp:time}time/{urn:xmpp:time}utc"))
    version = (await alice.plugin["xep_0092"].get_version(server.domain))["software_version"]
    assert version["name"] and not version["os"]


async def test_an_unknown_request_is_refused(server, clients):
    alice = await clients.online(server)
    iq = alice.make_iq_get(queryxmlns="urn:example:unknown", ito=server.domain)
    with pytest.raises(IqError) as error:
        await iq.send(timeout=10)
    assert error.value.condition == "service-unavailable"


async def test_private_storage(server, clients):
    account = server.account()
    alice = await clients.login(server, account)
    alice.register_plugin("xep_0048")
    marks = Bookmarks()
    marks.add_conference(f"garden@{server.rooms}", "nick")
    await alice.plugin["xep_0049"].store(marks)
    await alice.leave()
    again = await clients.login(server, account)
    again.register_plugin("xep_0048")
    stored = await again.plugin["xep_0049"].retrieve("bookmarks")
    assert stored["private"]["bookmarks"] == marks


async def test_private_storage_is_private(server, clients):
    alice, bob = await clients.friends(server)
    iq = bob.make_iq_get(ito=alice.boundjid.bare)
    query = ET.SubElement(iq.xml, "{jabber:iq:private}query")
    ET.SubElement(query, "{storage:bookmarks}storage")
    with pytest.raises(IqError):
        await iq.send(timeout=10)


async def test_a_contact_reads_the_card(server, clients):
    alice, bob = await clients.friends(server)
    card = alice.plugin["xep_0054"].make_vcard()
    card["FN"] = "Alice Bocage"
    card["TITLE"] = "Jardinière"
    await alice.plugin["xep_0054"].publish_vcard(card)
    for reader in (alice, bob):
        read = await reader.plugin["xep_0054"].get_vcard(alice.boundjid.bare, cached=False)
        assert (read["vcard_temp"]["FN"], read["vcard_temp"]["TITLE"]) == ("Alice Bocage", "Jardinière")


async def test_nobody_writes_the_card_of_another(server, clients):
    alice, bob = await clients.friends(server)
    iq = bob.make_iq_set(ito=alice.boundjid.bare)
    ET.SubElement(ET.SubElement(iq.xml, "{vcard-temp}vCard"), "{vcard-temp}FN").text = "Not Alice"
    with pytest.raises(IqError):
        await iq.send(timeout=10)
