"""A service alone: a real PostgreSQL, its errands performed, a clock that is moved; no Kafka."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI
from msgspec import msgpack

from shared.clock import MovableClock
from shared.cloudevents import understand
from shared.contracts.base import Event
from shared.migrate import migrate
from shared.postgres import Postgres
from shared.road import Road
from shared.runner import Runner
from shared.service import Parts
from shared.traffic import Traffic
from tests.shared.make import record
from tests.shared.truth import false_memories

SECRET = "only the console knows"  # noqa: S105 - of an API that lives as long as a test
AnEvent = TypeVar("AnEvent", bound=Event)


@dataclass(frozen=True)
class Alone:
    """What a test may do with the service: tell it something, ask it, move its clock."""

    traffic: Traffic
    runner: Runner
    clock: MovableClock
    app: FastAPI

    async def hear(self, *events: Event) -> None:
        """Bring events as Kafka would, and wait until all that is due has been done."""
        read = [understand(record(one), one.family, frozenset({type(one)})) for one in events]
        await self.traffic.take([one for one in read if one is not None])
        await self.runner.settled()

    async def said(self, kind: type[AnEvent]) -> list[AnEvent]:
        """Return the facts of one kind, in order."""
        async with self.traffic.postgres.transaction() as tx:
            rows = await tx.fetch("SELECT headers, value FROM outbox ORDER BY id")
        return [
            kind.model_validate_json(row["value"])
            for row in rows
            if dict(msgpack.decode(row["headers"]))["ce_type"] == kind.type.encode()
        ]

    async def ask(
        self,
        method: str,
        path: str,
        role: str,
        name: str = "ann",
        account: str | None = None,
        **how: Any,
    ) -> httpx.Response:
        """Ask as the console would in somebody's name."""
        headers = how.pop("headers", {}) | {
            "authorization": f"Bearer {SECRET}",
            "certfold-person": name,
            "certfold-role": role,
        }
        headers |= {"certfold-account": account} if account else {}
        async with self.client() as client:
            return await client.request(method, path, headers=headers, **how)

    def client(self) -> httpx.AsyncClient:
        """Ask as nobody."""
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://service")


@asynccontextmanager
async def running(
    dsn: str,
    road: Road,
    world: Any,
    api: Callable[[Parts], FastAPI],
    clock: MovableClock,
    **chosen: Any,
) -> AsyncIterator[Alone]:
    """Run a service's road, errands and API on the schema that `dsn` owns."""
    async with Postgres(dsn) as postgres:
        traffic = Traffic("alone", road, postgres, wake=lambda _: None, clock=clock)
        settings = SimpleNamespace(console_secret=SECRET, **chosen)
        runner = Runner(traffic, world)
        await runner.start()
        try:
            parts = Parts(traffic, postgres, settings, clock, health=None, world=world)
            yield Alone(traffic, runner, clock, api(parts))
            assert await false_memories(traffic) == []
        finally:
            await runner.stop()


async def migrated(dsn: str, package: str) -> str:
    """Lay the tables of a service, and return its `dsn`."""
    await migrate(dsn, Path(__file__).parents[2] / "services" / package / "migrations")
    return dsn
