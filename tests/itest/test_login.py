"""Connecting and proving who one is: the ways that work, and those that must not."""

import asyncio
import pathlib

import pytest
from OpenSSL import SSL

from client import LoginFailed, tls_version
from raw import Raw, mechanisms


@pytest.mark.parametrize("mechanism", [None, "SCRAM-SHA-256", "SCRAM-SHA-1"])
async def test_login_over_starttls(server, clients, mechanism):
    jid, password = server.account()
    client = await clients.new(f"{jid}/house", password, server.ca, mechanism).login(server.port)
    assert client.boundjid.full == f"{jid}/house"
    assert tls_version(client) == "TLSv1.3"
    await client.plugin["xep_0199"].ping(server.domain)


async def test_login_over_direct_tls(server, clients):
    jid, password = server.account()
    client = clients.new(jid, password, server.ca)
    client.ssl_context.set_alpn_protocols(["xmpp-client"])
    await client.login(server.tls_port, direct_tls=True)
    assert client.boundjid.bare == jid and client.boundjid.resource
    assert tls_version(client) == "TLSv1.3"
    assert client.socket.selected_alpn_protocol() == "xmpp-client"


async def test_wrong_password_is_refused_and_the_right_one_still_works(server, clients):
    jid, password = server.account()
    with pytest.raises(LoginFailed, match="not-authorized"):
        await clients.new(jid, "not the password", server.ca, "SCRAM-SHA-256").login(server.port)
    await clients.new(jid, password, server.ca).login(server.port)


async def test_an_unknown_account_is_refused_like_a_wrong_password(server, clients):
    with pytest.raises(LoginFailed, match="not-authorized"):
        await clients.new(f"nobody@{server.domain}", "whatever", server.ca, "SCRAM-SHA-256").login(server.port)


async def test_a_client_refuses_a_certificate_of_another_authority(server, clients, tmp_path):
    stranger = clients.new(*server.account(), pathlib.Path(server.home / "tls" / f"{server.rooms}.crt"))
    failed = asyncio.ensure_future(stranger.wait_until("ssl_invalid_chain"))
    with pytest.raises((ConnectionError, TimeoutError)):
        await asyncio.wait_for(stranger.login(server.port), 5)
    assert await failed


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"])
@pytest.mark.parametrize("kind", ["tls-exporter", "tls-server-end-point"])
@pytest.mark.parametrize("direct_tls", [False, True])
def test_login_bound_to_the_channel(server, mechanism, kind, direct_tls):
    jid, password = server.account()
    with Raw(server, direct_tls) as raw:
        assert mechanism in mechanisms(raw.open() if direct_tls else raw.starttls())
        assert raw.scram(mechanism, jid.split("@")[0], password, f"p={kind},,", raw.binding(kind)) == "success"
        assert "bind" in raw.open()


def test_a_proof_for_another_channel_is_refused(server):
    jid, password = server.account()
    with Raw(server, direct_tls=True) as raw:
        raw.open()
        user = jid.split("@")[0]
        assert raw.scram("SCRAM-SHA-256-PLUS", user, password, "p=tls-exporter,,", bytes(32)) == "not-authorized"


def test_a_client_that_was_shown_no_plus_is_being_downgraded(server):
    """gs2 flag `y` while -PLUS is on offer: somebody cut the list (RFC 5802 section 6)."""
    jid, password = server.account()
    with Raw(server, direct_tls=True) as raw:
        assert "SCRAM-SHA-256-PLUS" in mechanisms(raw.open())
        assert raw.scram("SCRAM-SHA-256", jid.split("@")[0], password, "y,,") != "success"


def test_nothing_but_starttls_before_tls(server):
    with Raw(server) as raw:
        features = raw.open()
        assert "starttls" in features and "required" in features
        assert not mechanisms(features) and "urn:xmpp:sasl:2" not in features


def test_plain_is_not_offered_and_not_taken(server):
    jid, password = server.account()
    with Raw(server, direct_tls=True) as raw:
        assert "PLAIN" not in mechanisms(raw.open())
        raw.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHUAcA==</auth>")
        assert raw.until(r"<failure[^>]*>\s*<([a-z-]+)").group(1) == "invalid-mechanism"


def test_tls_1_2_is_refused_by_default(server):
    with pytest.raises(SSL.Error, match="protocol version|handshake failure"):
        Raw(server, direct_tls=True, max_version=SSL.TLS1_2_VERSION)


def test_another_protocol_by_alpn_is_refused(server):
    with pytest.raises(SSL.Error, match="no application protocol"):
        Raw(server, direct_tls=True, alpn=b"h2")


def test_an_unknown_host_gets_the_stream_error(server):
    with Raw(server, direct_tls=True) as raw:
        raw.send(
            "<?xml version='1.0'?><stream:stream to='elsewhere.example' version='1.0' "
            "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        assert "<host-unknown" in raw.until_closed()
