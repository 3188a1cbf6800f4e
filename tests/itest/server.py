"""The built server as a private child process: own folder, own certificate authority, free loopback ports."""

import os
import pathlib
import secrets
import signal
import socket
import subprocess
import time

DOMAIN = "village.example"
ROOMS = f"conference.{DOMAIN}"
TOP = pathlib.Path(__file__).resolve().parents[2]
START_LIMIT = 30.0
STOP_LIMIT = 20.0


def program(name: str) -> str:
    """The release build of one of this repository's programs."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target"))
    return str((TOP / target / "release" / name).resolve())


def binary() -> str:
    """The program under test: $ITEST_BINARY, else the one of this repository."""
    return os.environ.get("ITEST_BINARY") or program("bocage")


def environment() -> dict[str, str]:
    """Ours without BOCAGE_*: the server takes those as configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BOCAGE_")}


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on; all held open together, so that no two are the same."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def openssl(*args: str, cwd: pathlib.Path) -> None:
    subprocess.run(["openssl", *args], cwd=cwd, check=True, capture_output=True, stdin=subprocess.DEVNULL)


class Process:
    """A running `bocage`, its output in a file, ended by signal."""

    def __init__(self, args: list[str], cwd: pathlib.Path, env: dict[str, str] | None = None):
        self.log = cwd / "output"
        with self.log.open("ab") as out:
            self.child = subprocess.Popen(
                args, cwd=cwd, env=environment() | (env or {}), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    def wait_listening(self, ports: list[int]) -> None:
        """Returns once every port accepts; fails at once when the process ends before."""
        end = time.monotonic() + START_LIMIT
        for port in ports:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                except OSError:
                    self._still_starting(end)

    def _still_starting(self, end: float) -> None:
        try:
            code = self.child.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            if time.monotonic() < end:
                return
            code = "none: it does not listen"
        raise AssertionError(f"the server did not start (exit {code}):\n{self.output()[-3000:]}")

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self, sig: int = signal.SIGTERM) -> int:
        """Ends the process and returns its exit status; a server that does not end is killed and fails the test."""
        self.child.send_signal(sig)
        try:
            return self.child.wait(timeout=STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"the server ignores signal {sig}:\n{self.output()[-3000:]}") from None


class Server:
    """A configured server: start and stop it as often as needed, its data stay."""

    domain = DOMAIN
    rooms = ROOMS

    def __init__(self, home: pathlib.Path):
        self.home = home
        self.ca = home / "ca.pem"
        self.config = home / "bocage.toml"
        self.process: Process | None = None
        self.port, self.tls_port = free_ports(2)
        self._accounts = 0
        self._spare: list[tuple[str, str]] = []
        (home / "data").mkdir(mode=0o700)
        self._certificates()
        self._configure()

    def _certificates(self) -> None:
        tls = self.home / "tls"
        tls.mkdir()
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        ca_use = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=itest CA", *ca_use, cwd=self.home)
        for name in (self.domain, self.rooms):
            leaf = ["-keyout", f"tls/{name}.key", "-out", f"tls/{name}.crt", "-CA", "ca.pem", "-CAkey", "ca.key"]
            use = ["-addext", f"subjectAltName=DNS:{name}", "-addext", "basicConstraints=critical,CA:FALSE"]
            openssl("req", "-x509", *ec, *leaf, "-subj", f"/CN={name}", "-days", "7", *use, cwd=self.home)
            (tls / f"{name}.key").chmod(0o600)

    def _configure(self) -> None:
        self.config.write_text(
            f'''domain = "{self.domain}"
admins = ["admin@{self.domain}"]
data_dir = "{self.home / "data"}"
[listen]
c2s = ["127.0.0.1:{self.port}"]
c2s_direct_tls = ["127.0.0.1:{self.tls_port}"]
s2s = []
s2s_direct_tls = []
https = []
[tls]
certificates = "{self.home / "tls"}"
[modules.muc]
host = "{self.rooms}"
'''
        )
        self.config.chmod(0o600)

    def start(self) -> None:
        self.process = Process([binary(), "--config", str(self.config), "run"], self.home)
        self.process.wait_listening([self.port, self.tls_port])

    def stop(self, sig: int = signal.SIGTERM) -> int:
        process, self.process = self.process, None
        return process.stop(sig) if process else 0

    def command(self, *args: str, stdin: str = "") -> subprocess.CompletedProcess:
        """Runs a command of the command line and returns what it said; a failure fails the test."""
        done = subprocess.run(
            [binary(), "--config", str(self.config), *args],
            env=environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{args} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def add_accounts(self, count: int) -> None:
        """Makes spare accounts, whether the server runs or not."""
        new = []
        for _ in range(count):
            self._accounts += 1
            new.append((f"user{self._accounts}@{self.domain}", secrets.token_urlsafe(18)))
        self.command("user", "add", "--from-file", "-", stdin="".join(f"{jid} {pw}\n" for jid, pw in new))
        self._spare += new

    def account(self) -> tuple[str, str]:
        """An account that no other test has used."""
        if not self._spare:
            self.add_accounts(10)
        return self._spare.pop(0)
