"""Devices of one account, each a different stock client, and what each of them knows of its conversations."""

import asyncio
import contextlib
import dataclasses
import json
import uuid

from client import LIMIT
from server import program

PAGE = 2


@dataclasses.dataclass
class Said:
    """A message, and the name that the archive of the account has for it (XEP-0359)."""

    name: str | None
    id: str
    sender: str
    body: str


class Device:
    """Keeps what it knows over its connections: what it says and is told, copies, and what the archive has."""

    def __init__(self, server, account: tuple[str, str]):
        self.server, self.account, self.jid = server, account, account[0]
        self.said: list[Said] = []
        self.told: list[str] = []

    async def come(self) -> None:
        """Logs in, asks for copies, reads what it has missed, and says that it is here."""
        self.told = []
        await self.connect()
        await self.copies()
        missed = [said async for said in self.missed(self.seen())]
        names = [said.name for said in missed]
        assert len(names) == len(set(names)), "the archive has each message once"
        for said in missed:
            self.note(said)
        await self.present()

    def seen(self) -> str | None:
        """The last of the archive's rows up to which it knows all: its own words have no name until they were read there."""
        known = None
        for said in self.said:
            if said.name is None:
                break
            known = said.name
        return known

    def note(self, new: Said) -> None:
        """Merges: by the archive's name, or, of its own words, by the id under which it said them."""
        for old in self.said:
            if new.name == old.name or (old.name is None and (new.sender, new.id) == (self.jid, old.id)):
                old.name = new.name
                assert old == new, "one name, one message"
                return
        self.said.append(new)

    async def hears(self, body: str) -> None:
        """Waits until it is told so: by the message, or by a copy of one that another device said or got."""
        async with asyncio.timeout(LIMIT):
            while True:
                said = await self.next()
                assert said.name, "each message says how the archive knows it"
                assert said.name not in self.told, "nothing is told twice"
                self.told.append(said.name)
                self.note(said)
                if said.body == body:
                    return

    async def says(self, to: str, body: str) -> None:
        said = Said(None, uuid.uuid4().hex, self.jid, body)
        self.said.append(said)
        await self.say(to, said.id, body)


class Slixmpp(Device):
    """By slixmpp and its plugins."""

    def __init__(self, clients, server, account):
        super().__init__(server, account)
        self.clients = clients

    async def connect(self) -> None:
        self.client = self.clients.new(*self.account, self.server.ca)
        for plugin in ("xep_0280", "xep_0313", "xep_0359"):
            self.client.register_plugin(plugin)
        await self.client.login(self.server.port)

    async def copies(self) -> None:
        await self.client["xep_0280"].enable(timeout=LIMIT)

    async def present(self) -> None:
        await self.client.online()

    async def missed(self, after: str | None):
        rsm = {"max": PAGE} | ({"after": after} if after else {})
        async for found in self.client["xep_0313"].iterate(self.jid, rsm=rsm):
            result = found["mam_result"]
            yield self.read(result["forwarded"]["stanza"], result["id"])

    async def next(self) -> Said:
        while True:
            message = await self.client.message()
            for copy in ("carbon_received", "carbon_sent"):
                if message.get_plugin(copy, check=True):
                    message = message[copy]
            if message["body"] and not message.get_plugin("mam_result", check=True):
                name = message["stanza_id"]
                return self.read(message, name["id"] if name["by"] == self.jid else None)

    @staticmethod
    def read(message, name: str | None) -> Said:
        assert message["type"] == "chat"
        return Said(name, message["id"], message["from"].bare, message["body"])

    async def say(self, to: str, id: str, body: str) -> None:
        message = self.client.make_message(mto=to, mbody=body, mtype="chat")
        message["id"] = id
        message.send()

    @property
    def full(self) -> str:
        return self.client.boundjid.full

    async def go(self) -> None:
        self.client.abort()


class TokioXmpp(Device):
    """By tokio-xmpp, in a program of its own (tests/device).

    A connection that breaks it makes anew by itself, for ever when the server was killed: xmpp-parsers 0.23 cannot read
    the `<failed/>` without `h` by which a server says that it does not know a session (XEP-0198 section 5). So it is
    started anew whenever it comes.
    """

    child: asyncio.subprocess.Process | None = None

    async def connect(self) -> None:
        self.events: asyncio.Queue = asyncio.Queue()
        self.messages: asyncio.Queue = asyncio.Queue()
        pipe = asyncio.subprocess.PIPE
        self.child = await asyncio.create_subprocess_exec(program("tokio-xmpp-device"), stdin=pipe, stdout=pipe)
        self.reader = asyncio.ensure_future(self._read(self.child.stdout))
        jid, password = self.account
        where = {"address": f"127.0.0.1:{self.server.tls_port}", "authority": str(self.server.ca)}
        self._write({"jid": jid, "password": password} | where)
        self.full = (await self._event("online"))["jid"]

    async def _read(self, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            event = json.loads(line)
            queue = self.messages if event["event"] == "message" and event["how"] != "archive" else self.events
            queue.put_nowait(event)

    def _write(self, order: dict) -> None:
        self.child.stdin.write(json.dumps(order).encode() + b"\n")

    async def _event(self, kind: str, **fields) -> dict:
        async with asyncio.timeout(LIMIT):
            while True:
                event = await self.events.get()
                assert event["event"] != "refusal", event
                if event["event"] == kind and all(event[key] == value for key, value in fields.items()):
                    return event

    async def copies(self) -> None:
        self._write({"do": "copies"})
        await self._event("answer", to="copies")

    async def present(self) -> None:
        self._write({"do": "present"})
        await self._event("presence")

    async def missed(self, after: str | None):
        complete = False
        while not complete:
            self._write({"do": "archive", "after": after, "max": PAGE})
            async with asyncio.timeout(LIMIT):
                while (event := await self.events.get())["event"] == "message":
                    yield self.read(event)
            complete, after = event["page"]["complete"], event["page"]["last"]

    async def next(self) -> Said:
        while True:
            message = await self.messages.get()
            if message["body"]:
                return self.read(message)

    @staticmethod
    def read(message: dict) -> Said:
        assert not message["failed"], message
        return Said(message["name"], message["id"], message["from"].partition("/")[0], message["body"])

    async def say(self, to: str, id: str, body: str) -> None:
        self._write({"do": "say", "to": to, "id": id, "body": body})

    async def go(self) -> None:
        """The program is killed: it says no farewell."""
        child, self.child = self.child, None
        if child:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
            await self.reader
