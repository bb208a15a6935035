"""The inventory alone, on a real PostgreSQL."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from services.inventory.api import api
from services.inventory.domain.policy import BUILT_IN
from services.inventory.handlers import road
from shared.api import PREFIX
from shared.clock import MovableClock
from shared.cloudevents import understand
from shared.contracts.base import Event
from shared.traffic import Traffic
from tests.ca_verification.alone import Alone, migrated, running
from tests.conftest import fresh_role
from tests.inventory import make
from tests.inventory.make import ACCOUNT
from tests.servers import Servers
from tests.shared.make import record

WAIT = {"prefer": "wait=5"}


@pytest.fixture
async def inventory_dsn(stack: Servers) -> str:
    return await migrated(await fresh_role(stack.postgres_dsn, "inventory"), "inventory")


@pytest.fixture
async def inventory(inventory_dsn: str) -> AsyncIterator[Alone]:
    chosen = {"sandbox": True, "rulebook": BUILT_IN}
    async with running(inventory_dsn, road, None, api, MovableClock(), **chosen) as alone:
        yield alone


async def hear(
    traffic: Traffic, event: Event, actor: str = "ann", ce_id: str = "", source: str = "/test"
) -> None:
    """Bring an event as Kafka would, set off by that person."""
    came = record(event, ce_id or None, ce_actor=actor.encode(), ce_source=source.encode())
    came.topic = event.topic
    read = understand(came, event.family, frozenset({type(event)}))
    assert read is not None
    await traffic.take([read])


async def ask(alone: Alone, method: str, path: str, name: str = "ann", **how: Any) -> Any:
    answer = await alone.ask(method, path, "applicant", name, ACCOUNT, headers=WAIT, **how)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def bought(alone: Alone, **changes: object) -> list[UUID]:
    """Buy, and make instances of all of it; return their ids."""
    purchase = make.purchase(paid_at=alone.clock(), **changes)
    await hear(alone.traffic, purchase)
    made = {"purchase_id": purchase.purchase_id, "count": purchase.quantity}
    items = (await ask(alone, "POST", f"{PREFIX}/instances", json=made))["items"]
    return [UUID(one["instance_id"]) for one in items]
