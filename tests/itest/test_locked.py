"""A database that somebody else has locked: who has stream management (XEP-0198) is promised nothing meanwhile.

The lock is held by another process, as a backup or an operator's own query does.
"""

import re
import select
import sqlite3

import pytest
from raw import Raw

SM = "urn:xmpp:sm:3"
MAM = "urn:xmpp:mam:2"
COUNT = 40
ACK = rf"<a xmlns='{SM}' h='(\d+)'/>"


class Stream(Raw):
    """A session with stream management."""

    def __init__(self, server, account: tuple[str, str], name: str):
        super().__init__(server, direct_tls=True)
        self.account, self.name, self.sent, self.resumption = account, name, 0, ""

    @classmethod
    def come(cls, server, account, name: str) -> "Stream":
        stream = cls(server, account, name)
        stream.log_in()
        bind = f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{name}</resource></bind>"
        stream.send(f"<iq type='set' id='bind'>{bind}</iq><enable xmlns='{SM}' resume='true'/>")
        stream.resumption = stream.until(f"<enabled xmlns='{SM}'[^>]* id='([^']+)'").group(1)
        stream.stanza("<presence/>")
        stream.until(f"<presence [^>]*{name}")
        return stream

    def log_in(self) -> None:
        self.open()
        assert self.scram("SCRAM-SHA-256", self.account[0].partition("@")[0], self.account[1]) == "success"
        self.open()

    def ask_to_resume(self) -> "Stream":
        """On a new connection."""
        new = Stream(self.server, self.account, self.name)
        new.log_in()
        new.send(f"<resume xmlns='{SM}' previd='{self.resumption}' h='1'/>")
        return new

    def resumed(self) -> int:
        """How many stanzas the server has handled."""
        self.sent = int(self.until(rf"<resumed xmlns='{SM}'[^>]* h='(\d+)'").group(1))
        return self.sent

    def stanza(self, text: str) -> None:
        self.sent += 1
        self.send(text)

    def say(self, to: str, ids) -> None:
        for id in ids:
            self.stanza(f"<message to='{to}' type='chat' id='{id}'><body>{id}</body></message>")

    def handled(self) -> tuple[int, str]:
        """How far the server says that it is, once it has read all that was sent; and what it said before."""
        self.send(f"<r xmlns='{SM}'/>")
        self.stanza(f"<iq type='get' id='ping{self.sent}'><ping xmlns='urn:xmpp:ping'/></iq>")
        said = before(self.until(rf"<iq [^>]*id='ping{self.sent - 1}'[^>]*>"))
        return [int(h) for h in re.findall(ACK, said)][-1], said

    def until_handled(self) -> str:
        """Waits until all that was sent is acknowledged; what came up to then."""
        self.send(f"<r xmlns='{SM}'/>")
        return before(self.until(rf"<a xmlns='{SM}' h='{self.sent}'/>"))

    def is_told_nothing(self, seconds: float) -> bool:
        self._flush()
        return not select.select([self.socket], [], [], seconds)[0]

    def archive(self) -> list[str]:
        """Ids of the messages in the own archive."""
        self.stanza(f"<iq type='set' id='all'><query xmlns='{MAM}'><set xmlns='http://jabber.org/protocol/rsm'><max>250</max></set></query></iq>")
        return bodies(before(self.until(rf"<fin xmlns='{MAM}' complete='true'")))


def before(found: re.Match) -> str:
    """The text up to the end of what was found."""
    return found.string[: found.end()]


def bodies(text: str) -> list[str]:
    return re.findall("<body>([^<]+)</body>", text)


def refused(text: str) -> list[str]:
    """Ids of messages that came back."""
    heads = re.findall("<message ([^>]*type='error'[^>]*)>", text)
    return [re.search("id='([^']+)'", head).group(1) for head in heads]


class Lock:
    """SQLite's write lock, taken from outside."""

    def __init__(self, server, kind: str):
        self.other = sqlite3.connect(server.home / "data" / "bocage.db", timeout=15, isolation_level=None)
        self.kind = kind

    def __enter__(self) -> "Lock":
        self.other.execute(f"BEGIN {self.kind}")
        return self

    def release(self) -> None:
        if self.other.in_transaction:
            self.other.execute("ROLLBACK")

    def __exit__(self, *_) -> None:
        self.release()
        self.other.close()


@pytest.fixture
def two(server):
    """Alice and Bob, who are there."""
    first, second = server.account(), server.account()
    alice, bob = Stream.come(server, first, "alice"), Stream.come(server, second, "bob")
    with alice, bob:
        yield alice, bob


def ids(mark: str) -> list[str]:
    return [f"{mark}{number}" for number in range(COUNT)]


def test_nothing_is_acknowledged_while_the_database_is_locked_and_everything_after(server, two):
    alice, bob = two
    to = bob.account[0]
    with Lock(server, "EXCLUSIVE") as lock:
        alice.say(to, ids("a"))
        base, said = alice.handled()
        assert base == 1 and bodies(said) == [], "the presence alone"
        assert bob.is_told_nothing(0.5)
        alice.say(to, ids("b"))
        assert alice.handled()[0] == base, "still"
        assert alice.is_told_nothing(0.5) and bob.is_told_nothing(0)
        lock.release()
        rest = alice.until_handled()
    assert refused(rest) == []
    alice.say(to, ["end"])
    assert bodies(before(bob.until("<body>end</body>"))) == [*ids("a"), *ids("b"), "end"], "delivered once, in order"
    assert alice.archive() == bob.archive() == [*ids("a"), *ids("b"), "end"], "archived once, in order"


def test_who_lost_the_connection_meanwhile_sends_again_and_nothing_comes_twice(server, two):
    alice, bob = two
    to = bob.account[0]
    with Lock(server, "IMMEDIATE") as lock:
        alice.say(to, ids("a"))
        assert alice.handled()[0] == 1
        alice.socket.close()
        again = alice.ask_to_resume()
        assert again.is_told_nothing(0.5), "not even who comes back"
        lock.release()
    with again:
        assert again.resumed() == alice.sent
        again.say(to, ["end"])
        assert bodies(before(bob.until("<body>end</body>"))) == [*ids("a"), "end"]
        assert again.archive() == bob.archive() == [*ids("a"), "end"]


def test_a_lock_that_outlasts_the_server_refuses_what_it_does_not_store(server, two):
    alice, bob = two
    to = bob.account[0]
    all_ids = [*ids("a"), *ids("b"), *ids("c")]
    with Lock(server, "IMMEDIATE") as lock:
        alice.say(to, ids("a"))
        assert alice.handled()[0] == 1
        said = before(alice.until("<message [^>]*type='error'[^>]*>"))
        # A second attempt begins, and may or may not be in time.
        alice.say(to, ids("b"))
        said += before(alice.until(ACK))
        assert bob.is_told_nothing(0)
        lock.release()
        alice.say(to, ids("c"))
        said += alice.until_handled()
    lost = refused(said)
    assert lost[:COUNT] == ids("a"), "the server was not that patient"
    assert all(id not in lost for id in ids("c")), "service is back"
    # Stanzas before: the presence; behind the first messages: the ping.
    place = {id: 2 + number + (number >= COUNT) for number, id in enumerate(all_ids)}
    for ack in re.finditer(ACK, said):
        told = refused(said[: ack.start()])
        assert all(id in told for id in lost if place[id] <= int(ack.group(1))), "a refusal comes before its acknowledgement"
    alice.say(to, ["end"])
    kept = [id for id in [*all_ids, "end"] if id not in lost]
    assert bodies(before(bob.until("<body>end</body>"))) == kept, "what was not refused is delivered once"
    assert alice.archive() == bob.archive() == kept, "and archived once"
    assert len(lost) == len(set(lost))
