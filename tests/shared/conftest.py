"""A service with errands, and a tiny HTTP API, for each test that wants one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import SimpleNamespace

import httpx
import pytest

from shared.clock import utc_now
from shared.postgres import Postgres
from shared.service import Parts
from shared.traffic import Traffic
from tests.servers import Servers
from tests.shared.errands import Service
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
