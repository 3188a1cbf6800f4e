"""Another server, played by a test: TLS from the first byte, a pinned certificate, no stream management (XEP-0198)."""

import asyncio
import base64
import pathlib
import re
import ssl

from server import free_ports, openssl

LIMIT = 20.0
HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
    "xmlns:db='jabber:server:dialback' version='1.0' id='{id}' from='{here}' to='{there}'>"
)
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
EXTERNAL = f"<stream:features><mechanisms xmlns='{SASL}'><mechanism>EXTERNAL</mechanism></mechanisms></stream:features>"


class Stream:
    """One connection; text is read until a pattern appears, nothing is parsed further."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer, self.text = reader, writer, ""

    async def until(self, pattern: str) -> re.Match:
        """The first match; it and what stands before are done with."""
        async with asyncio.timeout(LIMIT):
            while not (found := re.search(pattern, self.text, re.DOTALL)):
                data = await self.reader.read(65536)
                assert data, f"the stream ended, and {pattern} never came: {self.text}"
                self.text += data.decode()
        self.text = self.text[found.end() :]
        return found

    async def messages(self, count: int) -> list[str]:
        """Ids of the next messages."""
        return [(await self.until(r"<message [^>]*?id='([^']*)'[^>]*>.*?</message>"))[1] for _ in range(count)]

    async def ping(self) -> str:
        """The id of the next ping."""
        return (await self.until(r"<iq [^>]*?id='([^']*)'[^>]*><ping xmlns='urn:xmpp:ping'/></iq>"))[1]

    def send(self, text: str) -> None:
        self.writer.write(text.encode())

    def cut(self) -> None:
        """As when the machine dies: nothing is said."""
        self.writer.transport.abort()


class Scripted:
    """Takes streams of `other`, which sends to `domain`, and opens streams of its own."""

    def __init__(self, home: pathlib.Path, domain: str, other: str):
        home.mkdir()
        self.domain, self.other = domain, other
        (self.port,) = free_ports(1)
        self.files = str(home / "crt"), str(home / "key")
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        names = ["-subj", "/CN=scripted", "-addext", f"subjectAltName=DNS:{domain}"]
        openssl("req", "-x509", *ec, "-keyout", "key", "-out", "crt", *names, cwd=home)
        self.pem = (home / "crt").read_text()
        self.incoming: asyncio.Queue = asyncio.Queue()
        self.listener: asyncio.Server | None = None

    def der(self) -> bytes:
        return base64.b64decode("".join(self.pem.split("-----")[2].split()))

    async def listen(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.files)
        context.set_alpn_protocols(["xmpp-server"])
        streams = lambda reader, writer: self.incoming.put_nowait(Stream(reader, writer))  # noqa: E731
        self.listener = await asyncio.start_server(streams, "127.0.0.1", self.port, ssl=context)

    def close(self) -> None:
        if self.listener:
            self.listener.close()

    def header(self) -> str:
        return HEADER.format(id="s1", here=self.domain, there=self.other)

    async def take(self) -> Stream:
        """The next stream of the other's, authenticated by its certificate."""
        async with asyncio.timeout(LIMIT):
            stream = await self.incoming.get()
        await stream.until("<stream:stream [^>]*>")
        stream.send(self.header() + EXTERNAL)
        await stream.until("<auth [^>]*>[^<]*</auth>")
        stream.send(f"<success xmlns='{SASL}'/>")
        await stream.until("<stream:stream [^>]*>")
        stream.send(self.header() + "<stream:features/>")
        return stream

    async def call(self, port: int) -> Stream:
        """A stream of its own, on which it may speak."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(*self.files)
        context.set_alpn_protocols(["xmpp-server"])
        there = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=self.other)
        stream = Stream(*there)
        stream.send(self.header())
        await stream.until("EXTERNAL.*</stream:features>")
        identity = base64.b64encode(self.domain.encode()).decode()
        stream.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>{identity}</auth>")
        await stream.until("<success [^>]*/>")
        stream.send(self.header())
        await stream.until("</stream:features>")
        return stream

    def answer(self, ping: str, sender: str | None = None) -> str:
        return f"<iq type='result' id='{ping}' from='{sender or self.domain}' to='{self.other}'/>"
