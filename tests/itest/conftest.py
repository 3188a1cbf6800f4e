"""Fixtures: one server for most tests, fresh accounts for each of them, every client ended at the test's end."""

import pathlib

import pytest
import pytest_asyncio

from client import Client, befriend
from server import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The shared server. Its first accounts are made before it runs, later ones while it runs."""
    shared = Server(tmp_path_factory.mktemp("server"))
    shared.add_accounts(10)
    shared.start()
    yield shared
    shared.stop()


@pytest.fixture
def own_server(tmp_path):
    """A server of this test alone, not started: for tests that stop it."""
    own = Server(tmp_path)
    yield own
    own.stop()


class Clients:
    """Makes clients and ends them."""

    def __init__(self) -> None:
        self.made: list[Client] = []

    def new(self, jid: str, password: str, ca: pathlib.Path, mechanism: str | None = None) -> Client:
        self.made.append(Client(jid, password, ca, mechanism))
        return self.made[-1]

    async def login(self, server: Server, account: tuple[str, str] | None = None, resource: str | None = None) -> Client:
        """A client that is logged in over STARTTLS but not yet available."""
        jid, password = account or server.account()
        return await self.new(f"{jid}/{resource}" if resource else jid, password, server.ca).login(server.port)

    async def online(self, server: Server, account=None, resource: str | None = None, priority: int = 0) -> Client:
        """A client that is logged in and has sent presence."""
        client = await self.login(server, account, resource)
        await client.online(priority)
        return client

    async def friends(self, server: Server) -> tuple[Client, Client]:
        """Two available clients whose subscription is mutual."""
        a, b = await self.online(server), await self.online(server)
        await befriend(a, b)
        return a, b


@pytest_asyncio.fixture
async def clients():
    made = Clients()
    yield made
    for client in made.made:
        client.abort()
