"""A bare stream over OpenSSL, for what stock Python clients cannot do over TLS 1.3: channel binding, and wrong moves."""

import base64
import hashlib
import hmac
import re
import secrets
import socket

from OpenSSL import SSL

LIMIT = 15.0
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
TLS_NS = "urn:ietf:params:xml:ns:xmpp-tls"


class Closed(Exception):
    """The server closed the connection."""


class Raw:
    """One connection; text is read until a pattern appears, nothing is parsed further."""

    def __init__(self, server, direct_tls: bool = False, alpn: bytes | None = None, max_version: int | None = None):
        self.server = server
        self.text = ""
        self.tls: SSL.Connection | None = None
        port = server.tls_port if direct_tls else server.port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
        if direct_tls:
            self.handshake(alpn, max_version)

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def handshake(self, alpn: bytes | None = None, max_version: int | None = None) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.load_verify_locations(str(self.server.ca))
        context.set_verify(SSL.VERIFY_PEER, lambda *a: bool(a[-1]))
        if alpn:
            context.set_alpn_protos([alpn])
        if max_version:
            context.set_max_proto_version(max_version)
        self.tls = SSL.Connection(context, None)
        self.tls.set_tlsext_host_name(self.server.domain.encode())
        self.tls.set_connect_state()
        self._retry(self.tls.do_handshake)
        self._flush()

    def _flush(self) -> None:
        while True:
            try:
                self.socket.sendall(self.tls.bio_read(65536))
            except SSL.WantReadError:
                return

    def _retry(self, step):
        while True:
            try:
                return step()
            except SSL.WantReadError:
                self._flush()
                data = self.socket.recv(65536)
                if not data:
                    raise Closed(self.text) from None
                self.tls.bio_write(data)
            except SSL.ZeroReturnError:
                raise Closed(self.text) from None
            except SSL.Error:
                self._flush()
                raise

    def send(self, text: str) -> None:
        data = text.encode()
        if self.tls is None:
            self.socket.sendall(data)
        else:
            self.tls.sendall(data)
            self._flush()

    def until(self, pattern: str) -> re.Match:
        """Reads until `pattern` matches and forgets the text up to its end."""
        while not (found := re.search(pattern, self.text, re.S)):
            data = self._retry(lambda: self.tls.recv(65536)) if self.tls else self.socket.recv(65536)
            if not data:
                raise Closed(self.text)
            self.text += data.decode()
        self.text = self.text[found.end() :]
        return found

    def until_closed(self) -> str:
        """All that comes until the server closes."""
        try:
            self.until("(?!)")
        except Closed as rest:
            return str(rest)
        raise AssertionError("unreachable")

    def open(self, to: str | None = None) -> str:
        """A stream header; returns the features."""
        self.send(
            f"<?xml version='1.0'?><stream:stream to='{to or self.server.domain}' version='1.0' "
            "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        return self.until(r"<stream:features(\s[^>]*)?/>|<stream:features.*?</stream:features>").group(0)

    def starttls(self) -> str:
        """STARTTLS and the handshake; returns the features inside TLS."""
        self.open()
        self.send(f"<starttls xmlns='{TLS_NS}'/>")
        self.until(r"<proceed[^>]*/>")
        self.handshake()
        return self.open()

    def binding(self, kind: str) -> bytes:
        """Channel binding data: RFC 9266, or RFC 5929 section 4 for a certificate signed with SHA-256."""
        if kind == "tls-exporter":
            return self.tls.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        assert kind == "tls-server-end-point"
        certificate = self.tls.get_peer_certificate(as_cryptography=True)
        return certificate.fingerprint(certificate.signature_hash_algorithm)

    def scram(self, mechanism: str, user: str, password: str, gs2: str = "n,,", binding: bytes = b"") -> str:
        """One SCRAM exchange (RFC 5802): `success` with the server's signature checked, or the failure's condition."""
        digest = "sha256" if "SHA-256" in mechanism else "sha1"
        first = f"n={user},r={secrets.token_urlsafe(18)}"
        self.send(f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{b64(gs2 + first)}</auth>")
        answer = self._sasl()
        if answer[0] == "failure":
            return answer[1]
        challenge = base64.b64decode(answer[1]).decode()
        fields = dict(f.split("=", 1) for f in challenge.split(","))
        salted = hashlib.pbkdf2_hmac(digest, password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        key = hmac.digest(salted, b"Client Key", digest)
        final = f"c={b64(gs2.encode() + binding)},r={fields['r']}"
        signed = f"{first},{challenge},{final}".encode()
        signature = hmac.digest(hashlib.new(digest, key).digest(), signed, digest)
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        self.send(f"<response xmlns='{SASL}'>{b64(final + ',p=' + b64(proof))}</response>")
        answer = self._sasl()
        if answer[0] == "failure":
            return answer[1]
        expected = hmac.digest(hmac.digest(salted, b"Server Key", digest), signed, digest)
        assert f"v={b64(expected)}" in base64.b64decode(answer[1]).decode(), "the server's signature is wrong"
        return "success"

    def _sasl(self) -> tuple[str, str]:
        found = self.until(r"<(challenge|success)[^>]*?(?:/>|>(.*?)</\1>)|<failure[^>]*>\s*<([a-z-]+)")
        return ("failure", found.group(3)) if found.group(3) else (found.group(1), found.group(2) or "")


def b64(data: str | bytes) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def mechanisms(features: str) -> set[str]:
    """The SASL1 mechanisms on offer (RFC 6120 6.3.3)."""
    block = re.search(rf"<mechanisms[^>]*{SASL}.*?</mechanisms>", features, re.S)
    return set(re.findall(r"<mechanism>([^<]+)</mechanism>", block.group(0))) if block else set()
