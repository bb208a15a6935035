"""PostgreSQL or Kafka away: a service says so, waits, and goes on by itself; nothing is skipped."""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.end_to_end.outside import INVENTORY, binary
from tests.end_to_end.running import ROOT, SERVICES, System
from tests.end_to_end.steps import World, looks

PATIENCE_SECONDS = 40.0
SETTINGS = {
    "inventory": ("POSTGRES_DSN", "KAFKA_SERVERS", "API_PORT", "HEALTH_PORT", "CONSOLE_SECRET"),
    "application": ("POSTGRES_DSN", "KEY_ENCRYPTION_KEY"),
    "ca_verification": ("POSTGRES_DSN", "CA_FOLDER", "CA_PASSPHRASE"),
    "combination": ("POSTGRES_DSN", "KAFKA_SERVERS"),
    "console": ("POSTGRES_DSN", "INVENTORY_URL"),
}


async def readyz(world: World, service: str, is_enough: Callable[[Any], bool]) -> Any:
    """Ask a service how it is until the answer is enough."""
    url = f"{world.endpoints['health'][service]}/readyz"
    async with asyncio.timeout(PATIENCE_SECONDS), httpx.AsyncClient(trust_env=False) as client:
        while True:
            answer = await client.get(url)
            told = answer.json()
            assert (answer.status_code == 200) == told["ready"]
            if is_enough(told):
                return told
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("server", ["postgres", "kafka"])
async def test_service_says_what_is_away_and_goes_on_where_it_was(
    world: World, system: System, server: str
) -> None:
    sales = [world.sale(auto_create=True) for _ in range(3)]
    await world.publishes(binary(sales[0]))

    assert system.kill(server)
    told = await readyz(world, "inventory", lambda told: server in told["waits_for"])
    for sale in sales[1:]:
        await world.publishes(binary(sale))
    await readyz(world, "inventory", lambda told: told["ready"])

    assert told["waits_for"][server], "the reason"
    for sale in sales:
        path = f"/instances?purchase_id={sale['purchase_id']}"
        await readyz(world, "console", lambda told: told["ready"])
        await looks(world.applicant, path, lambda page: len(page["items"]) == 1)
        await world.topics.hears("InstanceCreated", INVENTORY, purchase_id=sale["purchase_id"])


async def start(service: str, **environment: str) -> tuple[int | None, str]:
    """Start a service that is told so little; return how it ends, and what it says."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CERTFOLD_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"services.{service}"),
        cwd=ROOT,
        env=kept | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


@pytest.mark.parametrize("service", SERVICES)
async def test_service_that_lacks_settings_does_not_start_and_names_each(service: str) -> None:
    code, said = await start(service)

    assert code not in {0, None}
    assert [name for name in SETTINGS[service] if name not in said] == []
    assert "Traceback" not in said


async def test_service_with_wrong_settings_does_not_start_and_names_each() -> None:
    code, said = await start(
        "inventory",
        CERTFOLD_INVENTORY_POSTGRES_DSN="mysql://inventory:s3cret-pass@host/db",
        CERTFOLD_KAFKA_SERVERS="nowhere",
        CERTFOLD_INVENTORY_API_PORT="http",
        CERTFOLD_INVENTORY_HEALTH_PORT="1",
        CERTFOLD_CONSOLE_SECRET="short",  # noqa: S106 - it is too short to be one
    )

    assert code not in {0, None}
    wrong = ("POSTGRES_DSN", "KAFKA_SERVERS", "API_PORT", "CONSOLE_SECRET")
    assert [name for name in wrong if name not in said] == []
    assert "s3cret-pass" not in said
