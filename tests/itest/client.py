"""A stock slixmpp client with queues instead of callbacks: a test awaits the stanza it wants."""

import asyncio
import pathlib
import ssl
import uuid

from slixmpp import ClientXMPP
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

LIMIT = 15.0
PLUGINS = ("xep_0030", "xep_0049", "xep_0054", "xep_0092", "xep_0199", "xep_0202", "xep_0203")


class LoginFailed(Exception):
    """The server refused the credentials; the SASL condition is the argument."""


class Client(ClientXMPP):
    """Verifies the certificate against the given authority and the JID's domain, as any client does."""

    def __init__(self, jid: str, password: str, ca: pathlib.Path, mechanism: str | None = None):
        super().__init__(jid, password, sasl_mech=mechanism)
        self.ca_certs = ca
        self.whitespace_keepalive = False
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        self.messages: asyncio.Queue = asyncio.Queue()
        self.presences: asyncio.Queue = asyncio.Queue()
        self.pushes: asyncio.Queue = asyncio.Queue()
        for plugin in PLUGINS:
            self.register_plugin(plugin)
        for kind, queue in (("message", self.messages), ("presence", self.presences)):
            self.register_handler(Callback(f"all {kind}", MatchXPath(f"{{jabber:client}}{kind}"), queue.put_nowait))
        self.add_event_handler("roster_update", self._roster)

    def _roster(self, iq) -> None:
        if iq["type"] == "set":
            self.pushes.put_nowait(iq)

    async def login(self, port: int, direct_tls: bool = False) -> "Client":
        """Connects, authenticates and binds; raises `LoginFailed` when refused."""
        self.enable_direct_tls, self.enable_starttls = direct_tls, not direct_tls
        outcome: asyncio.Future = asyncio.get_running_loop().create_future()

        def settle(value) -> None:
            if not outcome.done():
                outcome.set_result(value)

        self.add_event_handler("session_start", lambda _: settle(None))
        self.add_event_handler("failed_auth", lambda failure: settle(LoginFailed(failure["condition"])))
        self.add_event_handler("connection_failed", lambda why: settle(ConnectionError(str(why))))
        self.add_event_handler("disconnected", lambda why: settle(ConnectionError(f"disconnected: {why}")))
        self.connect("127.0.0.1", port)
        failure = await asyncio.wait_for(outcome, LIMIT)
        if failure is not None:
            self.abort()
            raise failure
        return self

    async def online(self, priority: int = 0) -> None:
        """Asks for the roster and sends initial presence; returns when the server has echoed it."""
        await self.roster_get()
        self.send_presence(ppriority=priority)
        await self.presence(lambda p: p["from"] == self.boundjid and p["type"] == "available")

    async def message(self, fits=lambda m: True):
        """The next message that fits; others before it are dropped."""
        return await self._next(self.messages, fits)

    async def presence(self, fits=lambda p: True):
        """The next presence that fits; others before it are dropped."""
        return await self._next(self.presences, fits)

    def seen(self) -> list:
        """The presences that have arrived and were not asked for; after a `barrier` nothing is on its way."""
        return [self.presences.get_nowait() for _ in range(self.presences.qsize())]

    async def push(self, jid: str, **expected):
        """The item of the next roster push for `jid` with the expected attributes; pushes before it are dropped."""

        def item(iq):
            return next((item for j, item in iq["roster"]["items"].items() if str(j) == jid), None)

        def fits(iq) -> bool:
            found = item(iq)
            return found is not None and all(found[key] == value for key, value in expected.items())

        return item(await self._next(self.pushes, fits))

    @staticmethod
    async def _next(queue: asyncio.Queue, fits):
        async with asyncio.timeout(LIMIT):
            while True:
                stanza = await queue.get()
                if fits(stanza):
                    return stanza

    def say(self, to, body: str, mtype: str = "chat") -> None:
        self.send_message(mto=to, mbody=body, mtype=mtype)

    async def barrier(self, other: "Client") -> list:
        """What `other` has received from this client so far: a marker, sent last, ends the list (RFC 6120 10.1)."""
        marker = uuid.uuid4().hex
        self.say(other.boundjid.full, marker)
        seen = []
        while (message := await other.message())["body"] != marker:
            seen.append(message)
        return seen

    async def roster_get(self, version: str | None = None):
        """The answer to a roster request, with `ver` when a version is given (RFC 6121 2.6)."""
        iq = self.make_iq_get()
        iq.enable("roster")
        if version is not None:
            iq["roster"]["ver"] = version
        return await iq.send(timeout=LIMIT)

    async def leave(self) -> None:
        """Closes the stream and waits until the server has closed it too."""
        gone = asyncio.ensure_future(self.wait_until("disconnected", LIMIT))
        await self.disconnect()
        await gone


def tls_version(client: Client) -> str:
    """What the handshake agreed on, such as `TLSv1.3`."""
    assert isinstance(client.socket, (ssl.SSLSocket, ssl.SSLObject)), "not encrypted"
    return client.socket.version()


async def befriend(a: Client, b: Client) -> None:
    """Mutual subscription between two available clients, complete on both sides when this returns."""
    for asker, asked in ((a, b), (b, a)):
        asker.send_presence(pto=asked.boundjid.bare, ptype="subscribe")
        await asked.presence(lambda p: p["type"] == "subscribe")
        asked.send_presence(pto=asker.boundjid.bare, ptype="subscribed")
        await asker.presence(lambda p: p["from"] == asked.boundjid and p["type"] == "available")
