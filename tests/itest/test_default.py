"""The first minute: no configuration at all, and two people chat."""

import hashlib
import os
import pathlib
import re
import signal
import ssl

import pytest

from server import Process, binary, free_ports


class Embedded:
    """`bocage run` in an empty folder; only its ports are chosen, by environment, so that tests do not collide."""

    def __init__(self, home: pathlib.Path):
        self.home, self.ca = home, home.parent / "pinned.pem"
        self.port, self.tls_port = free_ports(2)
        self.process: Process | None = None

    def start(self) -> None:
        lists = {"C2S": f'["127.0.0.1:{self.port}"]', "C2S_DIRECT_TLS": f'["127.0.0.1:{self.tls_port}"]'}
        others = {name: "[]" for name in ("S2S", "S2S_DIRECT_TLS", "HTTPS")}
        env = {f"BOCAGE_LISTEN__{name}": value for name, value in (lists | others).items()}
        self.process = Process([binary(), "run"], self.home, env)
        self.process.wait_listening([self.port, self.tls_port])

    def pin(self) -> str:
        """Trusts the certificate that the server shows, after comparing it with the printed fingerprint."""
        pem = ssl.get_server_certificate(("127.0.0.1", self.tls_port))
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
        assert digest in self.process.output().replace(":", "").lower(), "the fingerprint is printed"
        self.ca.write_text(pem)
        return digest

    def accounts(self) -> list[tuple[str, str]]:
        """The accounts as printed: an address and a password on one line."""
        return re.findall(r"^\s+(\S+@localhost)\s+(\S+)$", self.process.output(), re.M)


@pytest.fixture
def embedded(tmp_path):
    home = tmp_path / "empty"
    home.mkdir()
    server = Embedded(home)
    server.start()
    yield server
    server.process.stop()


async def test_two_people_chat_within_the_first_minute(embedded, clients):
    embedded.pin()
    accounts = embedded.accounts()
    assert len(accounts) == 2 and accounts[0] != accounts[1]
    alice, bob = [await clients.new(*account, embedded.ca).login(embedded.port) for account in accounts]
    for client in (alice, bob):
        await client.online()
    alice.say(bob.boundjid.full, "Ça marche !")
    assert (await bob.message())["body"] == "Ça marche !"
    assert os.stat(embedded.home / "bocage-data").st_mode & 0o077 == 0, "the data are their owner's alone"


async def test_a_second_start_keeps_all_and_prints_no_password(embedded, clients):
    digest, accounts = embedded.pin(), embedded.accounts()
    assert embedded.process.stop(signal.SIGTERM) == 0
    embedded.process.log.unlink()
    embedded.start()
    assert all(password not in embedded.process.output() for _, password in accounts)
    pem = ssl.get_server_certificate(("127.0.0.1", embedded.tls_port))
    assert hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() == digest, "the same certificate"
    await clients.new(*accounts[0], embedded.ca).login(embedded.port)
