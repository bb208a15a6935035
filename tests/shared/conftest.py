"""A service with errands, a tiny HTTP API, replicas that count, for each test that wants one."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from types import SimpleNamespace
from uuid import UUID

import httpx
import pytest
from asyncpg.connection import LoggedQuery

from shared.clock import utc_now
from shared.postgres import Postgres
from shared.service import Parts
from shared.traffic import Traffic
from tests.servers import Servers
from tests.shared.errands import Service
from tests.shared.overhearing import overheard
from tests.shared.replicas import replica
from tests.shared.tiny_api import SECRET, person, road, tiny_api
from tests.shared.topics import new_topic


@pytest.fixture
async def service(dsn: str, postgres: Postgres) -> AsyncIterator[Service]:
    async with AsyncExitStack() as stack:
        yield Service(dsn, postgres, stack)


@pytest.fixture
def traffic(postgres: Postgres) -> Traffic:
    return Traffic("tally", road, postgres, wake=lambda _: None)


@pytest.fixture
async def api(postgres: Postgres, traffic: Traffic) -> AsyncIterator[httpx.AsyncClient]:
    settings = SimpleNamespace(console_secret=SECRET)
    parts = Parts(traffic, postgres, settings, utc_now, health=None)
    transport = httpx.ASGITransport(tiny_api(parts))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://tally", headers=person("applicant")
    ) as client:
        yield client


@pytest.fixture
async def topic(stack: Servers) -> str:
    """Make a topic of one partition."""
    return await new_topic(stack, partitions=1)


@pytest.fixture
def one(postgres: Postgres) -> Traffic:
    """Return a replica of the service that counts."""
    return replica(postgres)


@pytest.fixture
def other(postgres: Postgres) -> Traffic:
    """Return another one."""
    return replica(postgres)


@pytest.fixture
def looks() -> Iterator[list[tuple[str, tuple[UUID, ...]]]]:
    """Overhear of which tallies, before anything is decided, "all" or the "version" is read."""
    seen: list[tuple[str, tuple[UUID, ...]]] = []

    def hear(_: Postgres, query: LoggedQuery) -> None:
        for what, columns in (("all", "*"), ("version", "id, version")):
            if query.query.startswith(f"SELECT {columns} FROM tallies"):
                assert "FOR UPDATE" in query.query
                seen.append((what, tuple(query.args[0])))

    with overheard(hear):
        yield seen
