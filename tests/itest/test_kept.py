"""SIGKILL right behind the answer: what the server said it did is done, whatever it stores.

All of a table happens at once, and the kill follows the last answer; so no answer may come before its commit.
"""

import asyncio
import dataclasses
import signal
from collections.abc import Awaitable, Callable

import pytest
from asking import archive, ask, body, command, form, stanza_id, text_of
from client import LIMIT, Client
from slixmpp import ET

CONFIG = "http://jabber.org/protocol/muc#roomconfig"
ADMIN = "http://jabber.org/protocol/muc#admin"
OWNER = "http://jabber.org/protocol/muc#owner"
MUC = "http://jabber.org/protocol/muc"
HATS = "urn:xmpp:hats:commands"
PREFS = "<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>friend@x.example</jid></always><never/></prefs>"
PIXEL = "iVBORw0KGgo="


@dataclasses.dataclass
class Thing:
    """Something that is stored: made by one function, and found again by the other."""

    name: str
    made: Callable[["People"], Awaitable]
    found: Callable[["People"], Awaitable[bool]]


class People:
    """Who does it: a client each, anew after the kill."""

    def __init__(self, server, clients, accounts):
        self.server, self.clients, self.accounts = server, clients, accounts
        self.online: dict[str, Client] = {}
        self.rude: str | None = None

    async def come(self) -> None:
        names = list(self.accounts)
        made = await asyncio.gather(*(self.clients.online(self.server, self.accounts[name]) for name in names))
        self.online = dict(zip(names, made, strict=True))

    def __getattr__(self, name: str) -> Client:
        return self.online[name]

    def bare(self, name: str) -> str:
        return self.accounts[name][0]


async def has(client: Client, to: str | None, query: str, *words: str) -> bool:
    answer = await text_of(client, to, query)
    return all(word in answer for word in words)


async def approve(people: People) -> None:
    people.bob.send_presence(pto=people.bare("alice"), ptype="subscribe")
    await people.alice.presence(lambda p: p["type"] == "subscribe")
    people.alice.send_presence(pto=people.bare("bob"), ptype="subscribed")
    await people.alice.push(people.bare("bob"), subscription="from")
    await people.bob.push(people.bare("alice"), subscription="to")


async def request(people: People) -> None:
    people.alice.send_presence(pto=people.bare("absent"), ptype="subscribe")
    await people.alice.push(people.bare("absent"), ask="subscribe")


async def finds_request(people: People) -> bool:
    late = await people.clients.login(people.server, people.accounts["absent"])
    late.send_presence()
    return (await late.presence(lambda p: p["type"] == "subscribe"))["from"] == people.bare("alice")


async def block(people: People) -> None:
    report = "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'/>"
    await ask(people.alice, "set", None, f"<block xmlns='urn:xmpp:blocking'><item jid='spam@x.example'>{report}</item></block>")


async def reported(people: People) -> bool:
    done = await ask(
        people.admin, "set", people.server.domain, "<command xmlns='http://jabber.org/protocol/commands' node='reports'/>"
    )
    return "spam@x.example" in ET.tostring(done, encoding="unicode")


async def new_password(people: People) -> None:
    jid, _ = people.accounts["carol"]
    name = jid.partition("@")[0]
    change = f"<query xmlns='jabber:iq:register'><username>{name}</username><password>another one</password></query>"
    await ask(people.carol, "set", people.server.domain, change)


async def password_counts(people: People) -> bool:
    return bool(await people.clients.login(people.server, (people.bare("carol"), "another one")))


def say(client: Client, to: str, id: str, payload: str, kind: str = "chat") -> None:
    message = client.make_message(mto=to, mtype=kind)
    message["id"] = id
    for child in ET.fromstring(f"<all xmlns='jabber:client'>{payload}</all>"):
        message.xml.append(child)
    message.send()


async def retract(people: People) -> None:
    retraction = "<retract xmlns='urn:xmpp:message-retract:1' id='m1'/><body>This person retracted a message</body>"
    say(people.alice, people.bare("bob"), "m2", retraction)
    await people.bob.message(lambda m: m["id"] == "m2")


async def is_retracted(people: People) -> bool:
    for client in (people.alice, people.bob):
        said = {message.get("id"): message for _, message in await archive(client)}
        if body(said["m1"]) is not None or said["m1"].find("{urn:xmpp:message-retract:1}retracted") is None:
            return False
    return True


def privacy(action: str, fields: dict[str, str]):
    return ("privacy", ("", {"action": action}), ("", fields))


async def shorten(people: People) -> None:
    node, *forms = privacy("period", {"period": "1"})
    await command(people.bob, None, node, *forms)


async def erase(people: People) -> None:
    node, *forms = privacy("delete-one", {"jid": people.bare("bob"), "confirm": "1"})
    await command(people.dave, None, node, *forms)


async def holds_nothing(people: People) -> bool:
    return await archive(people.dave) == []


async def is_registered(people: People) -> bool:
    lines = [line for line in people.server.command("audit", "data").stdout.splitlines() if "registrations" in line]
    return len(lines) == 1 and " 1" in lines[0]


ROSTER = "<query xmlns='jabber:iq:roster'/>"
NOTE = "<query xmlns='jabber:iq:private'><note xmlns='itest'>{}</note></query>"
ITEM = "<query xmlns='jabber:iq:roster'><item jid='friend@x.example' name='Friend'><group>G</group></item></query>"
DEVICE = "<enable xmlns='urn:xmpp:push:0' jid='push.x.example' node='device'/>"

ACCOUNTS = [
    Thing(
        "a contact",
        lambda p: ask(p.alice, "set", None, ITEM),
        lambda p: has(p.alice, None, ROSTER, "friend@x.example", "Friend", ">G<"),
    ),
    Thing("an approval", approve, lambda p: has(p.alice, None, ROSTER, p.bare("bob"), 'subscription="from"')),
    Thing("what was approved", approve, lambda p: has(p.bob, None, ROSTER, p.bare("alice"), 'subscription="to"')),
    Thing("a request that waits", request, finds_request),
    Thing("a block", block, lambda p: has(p.alice, None, "<blocklist xmlns='urn:xmpp:blocking'/>", "spam@x.example")),
    Thing("a report", block, reported),
    Thing(
        "preferences of an archive",
        lambda p: ask(p.dave, "set", None, PREFS),
        lambda p: has(p.dave, None, "<prefs xmlns='urn:xmpp:mam:2'/>", 'default="roster"', "friend@x.example"),
    ),
    Thing(
        "a vCard",
        lambda p: ask(p.alice, "set", None, "<vCard xmlns='vcard-temp'><FN>Alice</FN></vCard>"),
        lambda p: has(p.alice, None, "<vCard xmlns='vcard-temp'/>", ">Alice<"),
    ),
    Thing(
        "private XML",
        lambda p: ask(p.bob, "set", None, NOTE.format("mine")),
        lambda p: has(p.bob, None, NOTE.format(""), ">mine<"),
    ),
    Thing("a device to be notified", lambda p: ask(p.bob, "set", None, DEVICE), is_registered),
    Thing("a password", new_password, password_counts),
    Thing("a retraction", retract, is_retracted),
    Thing("how long messages are kept", shorten, lambda p: says_period(p)),
    Thing("a deletion", erase, holds_nothing),
]


async def says_period(people: People) -> bool:
    return "1 day" in await command(people.bob, None, "privacy")


# Rooms: `garden` is there before, and so is what said in it; the rest is made at once.


def admin(item: str) -> str:
    return f"<query xmlns='{ADMIN}'><item {item}/></query>"


def room(people: People, name: str) -> str:
    return f"{name}@{people.server.rooms}"


async def enter(people: People, who: str, name: str, nick: str) -> None:
    client = people.online[who]
    join = client.make_presence(pto=f"{room(people, name)}/{nick}")
    join.xml.append(ET.fromstring(f"<x xmlns='{MUC}'/>"))
    join.send()
    await client.presence(lambda p: p["from"] == f"{room(people, name)}/{nick}")
    # The subject ends what a newcomer hears (XEP-0045 section 7.2.15).
    await client.message(lambda m: m["type"] == "groupchat" and m.xml.find("{jabber:client}subject") is not None)


async def found(people: People, name: str, **fields: str) -> None:
    await enter(people, "alice", name, "a")
    await configure(people, name, **fields)


async def configure(people: People, name: str, **fields: str) -> None:
    filled = form(CONFIG, {f"muc#roomconfig_{var}": value for var, value in fields.items()})
    await ask(people.alice, "set", room(people, name), f"<query xmlns='{OWNER}'>{filled}</query>")


async def subject(people: People) -> None:
    say(people.alice, room(people, "garden"), "s", "<subject>Roses</subject>", "groupchat")
    await people.alice.message(lambda m: m["subject"] == "Roses")


async def hears_subject(people: People) -> bool:
    client = people.bob
    join = client.make_presence(pto=f"{room(people, 'garden')}/b")
    join.xml.append(ET.fromstring(f"<x xmlns='{MUC}'/>"))
    join.send()
    heard = await client.message(lambda m: m.xml.find("{jabber:client}subject") is not None)
    return heard["subject"] == "Roses"


async def moderate(people: People) -> None:
    moderation = f"<moderate xmlns='urn:xmpp:message-moderate:1' id='{people.rude}'><retract xmlns='urn:xmpp:message-retract:1'/></moderate>"
    await ask(people.alice, "set", room(people, "garden"), moderation)


async def is_moderated(people: People) -> bool:
    said = await archive(people.alice, room(people, "garden"))
    return bool(said) and all(body(message) != "rude" for _, message in said)


async def hat(people: People) -> None:
    uri = {"hats#uri": "urn:itest:hat"}
    await command(people.alice, room(people, "garden"), f"{HATS}:create", (HATS, uri | {"hats#title": "Gardener"}))
    await command(people.alice, room(people, "garden"), f"{HATS}:assign", (HATS, uri | {"hats#jid": people.bare("bob")}))


async def wears_hat(people: People) -> bool:
    return "urn:itest:hat" in await command(people.alice, room(people, "garden"), f"{HATS}:list-assigned")


async def is_gone(people: People) -> bool:
    return not await has(people.alice, people.server.rooms, "<query xmlns='http://jabber.org/protocol/disco#items'/>", "shed@")


WISH = "urn:bocage:room-privacy:0"
NICK = "http://jabber.org/protocol/muc#register"

ROOMS = [
    Thing(
        "a room",
        lambda p: found(p, "hall", roomname="Hall"),
        lambda p: has(p.alice, room(p, "hall"), "<query xmlns='http://jabber.org/protocol/disco#info'/>", "Hall"),
    ),
    Thing(
        "how it is set up",
        lambda p: configure(p, "garden", roomdesc="Flowers"),
        lambda p: has(p.alice, room(p, "garden"), f"<query xmlns='{OWNER}'/>", ">Flowers<"),
    ),
    Thing(
        "an affiliation",
        lambda p: ask(p.alice, "set", room(p, "garden"), admin("affiliation='outcast' jid='weed@x.example'")),
        lambda p: has(p.alice, room(p, "garden"), admin("affiliation='outcast'"), "weed@x.example"),
    ),
    Thing("a subject", subject, hears_subject),
    Thing(
        "a nick",
        lambda p: ask(p.alice, "set", room(p, "garden"), f"<query xmlns='jabber:iq:register'>{form(NICK, {'muc#register_roomnick': 'Rose'})}</query>"),
        lambda p: has(p.alice, room(p, "garden"), "<query xmlns='jabber:iq:register'/>", ">Rose<"),
    ),
    Thing("a hat", hat, lambda p: wears_hat(p)),
    Thing(
        "an avatar",
        lambda p: ask(p.alice, "set", room(p, "garden"), f"<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>{PIXEL}</BINVAL></PHOTO></vCard>"),
        lambda p: has(p.alice, room(p, "garden"), "<vCard xmlns='vcard-temp'/>", PIXEL),
    ),
    Thing(
        "a wish for another id",
        lambda p: command(p.bob, p.server.rooms, WISH, (WISH, {"room": "", "another_under_another_nick": "1"})),
        lambda p: wish_stands(p),
    ),
    Thing("a moderation", moderate, is_moderated),
    Thing(
        "the end of a room",
        lambda p: ask(p.alice, "set", room(p, "shed"), f"<query xmlns='{OWNER}'><destroy/></query>"),
        is_gone,
    ),
]


async def wish_stands(people: People) -> bool:
    return "Now:" in await command(people.bob, people.server.rooms, WISH)


async def before_accounts(people: People) -> None:
    people.dave.say(people.bare("bob"), "to be deleted")
    await people.bob.message(lambda m: m["body"] == "to be deleted")
    say(people.alice, people.bare("bob"), "m1", "<body>regretted</body>")
    await people.bob.message(lambda m: m["id"] == "m1")


async def before_rooms(people: People) -> None:
    for name in ("garden", "shed"):
        await found(people, name)
    say(people.alice, room(people, "garden"), "r", "<body>rude</body>", "groupchat")
    rude = await people.alice.message(lambda m: m["body"] == "rude")
    people.rude = stanza_id(rude, room(people, "garden"))


@pytest.mark.parametrize("things, before", [(ACCOUNTS, before_accounts), (ROOMS, before_rooms)], ids=["accounts", "rooms"])
async def test_what_was_answered_is_there_after_a_sigkill(own_server, clients, things, before):
    server = own_server
    server.add_accounts(5)
    names = ["alice", "bob", "carol", "dave", "absent"]
    accounts = {name: server.account() for name in names}
    admin_account = (f"admin@{server.domain}", "the password of admin")
    server.command("user", "add", "--from-file", "-", stdin=" ".join(admin_account) + "\n")
    server.start()
    away = accounts.pop("absent")
    people = People(server, clients, accounts | {"admin": admin_account})
    await people.come()
    people.accounts["absent"] = away
    await before(people)
    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*{thing.made: thing.made(people) for thing in things}.values())
    server.stop(signal.SIGKILL)
    server.start()
    if things is ACCOUNTS:
        people.accounts["carol"] = (people.bare("carol"), "another one")
    away = people.accounts.pop("absent")
    await people.come()
    people.accounts["absent"] = away
    lost = [thing.name for thing in things if not await thing.found(people)]
    assert lost == []
