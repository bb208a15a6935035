"""The inventory alone, on a real PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from services.inventory.api import api
from services.inventory.domain.policy import BUILT_IN
from services.inventory.handlers import road
from shared.clock import MovableClock
from shared.cloudevents import understand
from shared.contracts.base import Event
from shared.traffic import Traffic
from tests.ca_verification.alone import Alone, migrated, running
from tests.conftest import fresh_role
from tests.servers import Servers
from tests.shared.make import record


@pytest.fixture
async def inventory_dsn(stack: Servers) -> str:
    return await migrated(await fresh_role(stack.postgres_dsn, "inventory"), "inventory")


@pytest.fixture
async def inventory(inventory_dsn: str) -> AsyncIterator[Alone]:
    chosen = {"sandbox": True, "rulebook": BUILT_IN}
    async with running(inventory_dsn, road, None, api, MovableClock(), **chosen) as alone:
        yield alone


async def hear(traffic: Traffic, event: Event, actor: str = "ann", ce_id: str = "") -> None:
    """Bring an event as Kafka would, set off by that person."""
    came = record(event, ce_id or None, ce_actor=actor.encode())
    read = understand(came, event.family, frozenset({type(event)}))
    assert read is not None
    await traffic.take([read])
