"""The application service alone, on a real PostgreSQL; and a second replica of it."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest

from services.application.api import api
from services.application.handlers import road
from services.application.keys import load_key_encryption_key
from services.application.world import World
from shared.clock import MovableClock
from tests.ca_verification.alone import Alone, migrated, running
from tests.conftest import fresh_role
from tests.servers import Servers
from tests.shared import nameserver

KEY_ENCRYPTION_KEY = "A" * 43 + "="  # 32 octets of zero


@pytest.fixture
async def dsn(stack: Servers) -> str:
    return await migrated(await fresh_role(stack.postgres_dsn, "application"), "application")


@pytest.fixture
async def service(dsn: str) -> AsyncIterator[Alone]:
    async with replica(dsn) as alone:
        yield alone


@pytest.fixture
async def rival(dsn: str) -> AsyncIterator[Alone]:
    async with replica(dsn) as alone:
        yield alone


@asynccontextmanager
async def replica(dsn: str) -> AsyncIterator[Alone]:
    clock = MovableClock()
    async with nameserver.serving({}) as resolver:
        world = World(
            key_encryption_key=load_key_encryption_key(KEY_ENCRYPTION_KEY),
            pool=ThreadPoolExecutor(1),
            resolver=resolver,
            tls_port=443,
            tls_seconds=1.0,
            allow_private=False,
            clock=clock,
        )
        chosen = {"sandbox": False, "most_names": 3, "key_encryption_key": KEY_ENCRYPTION_KEY}
        async with running(dsn, road, world, api, clock, **chosen) as alone:
            yield alone
        world.close()
