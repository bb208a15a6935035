"""All services on a real PostgreSQL, without Kafka: what one says is handed to all who hear it.

So many lives go abreast, and each batch holds one step of all of them.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from msgspec import msgpack

from services.console.domain import IssueToken, RevokeToken
from shared.cloudevents import Headers, understand
from shared.contracts.base import Command, Event
from shared.contracts.purchases import PurchaseEvent
from shared.errands import Duty, Taken
from shared.migrate import migrate
from shared.relay import wire_headers
from shared.service import Service
from tests.benchmarks import ours
from tests.benchmarks.ground import Ground
from tests.benchmarks.ours import NAMES, Ours
from tests.benchmarks.people import Order
from tests.services.counting import Said, between, counted
from tests.shared.make import Record

TIMER = Duty.__dataclass_fields__["perform"].default


@dataclass(frozen=True, slots=True)
class Lockstep(Ours):
    """The life that the benchmarks measure, one step of all lives after the other."""

    services: Sequence[Service]
    lives: int

    async def sell(self, orders: Sequence[Order]) -> None:
        """Hand the inventory what a shop has sold."""
        await self._hand_over(
            [Record(one.value, [*one.headers], topic=PurchaseEvent.topic) for one in orders]
        )

    async def look(self, sql: str, wanted: int, *arguments: object, of: str = "") -> None:
        """See that `sql` counts as many as are wanted, when nobody has anything left to say."""
        del of
        await self._deliver()
        assert await self.ground.admin.fetchval(sql, *arguments) == wanted

    async def ask(self, service: str, commands: Sequence[Command]) -> list[tuple[Event, ...]]:
        """Ask at most once for each life at a time."""
        facts: list[tuple[Event, ...]] = []
        for start in range(0, len(commands), self.lives):
            facts += await Ours.ask(self, service, commands[start : start + self.lives])
        return facts

    async def come_and_go(self) -> None:
        """Let people get tokens for the console, and lose them."""
        issue = [
            IssueToken(
                token_id=uuid4(),
                name=f"person {n}",
                role="auditor",
                account_id=None,
                token_sha256=uuid4().bytes * 2,
                issued_by="operator",
            )
            for n in range(self.lives)
        ]
        await self.ask("console", issue)
        revoke = [RevokeToken(token_id=one.token_id, revoked_by="operator") for one in issue]
        await self.ask("console", revoke)

    async def _deliver(self) -> None:
        while True:
            said = [record for name in NAMES for record in await self._said_by(name)]
            await self._hand_over(said)
            if not await self._run_errands() and not said:
                return

    async def _said_by(self, name: str) -> list[Record]:
        rows = await self.ground.admin.fetch(
            f"""
            WITH gone AS (DELETE FROM {name}.outbox RETURNING *) SELECT * FROM gone ORDER BY id
            """
        )
        return [_delivered(row) for row in rows]

    async def _hand_over(self, records: Sequence[Record]) -> None:
        for traffic in self.traffic.values():
            topics = traffic.road.topics
            read = [
                understand(one, topics[one.topic][0].family, frozenset(topics[one.topic]))
                for one in records
                if one.topic in topics
            ]
            await traffic.take([one for one in read if one is not None])

    async def _run_errands(self) -> int:
        """Perform what is due and no timer, and bring home the outcomes for one life each."""
        count = 0
        for service in self.services:
            name, duties = service.blueprint.name, service.traffic.road.duties
            kinds = {one.__name__: duty for one, duty in duties.items() if duty.perform != TIMER}
            rows = await self.ground.admin.fetch(
                f"""
                SELECT * FROM {name}.errands WHERE kind = ANY($1) AND due <= now()
                 ORDER BY kind, content->>'name', id
                """,
                list(kinds),
            )
            outcomes = [await _performed(service, kinds[row["kind"]], row) for row in rows]
            for start in range(0, len(outcomes), self.lives):
                heard = outcomes[start : start + self.lives]
                await asyncio.gather(*map(service.traffic.carry, heard))
            count += len(rows)
        return count


def _delivered(row: Any) -> Record:
    headers = msgpack.decode(row["headers"], type=Headers)
    return Record(row["value"], wire_headers(headers, row["sequence"]), topic=row["topic"])


async def _performed(service: Service, duty: Duty, row: Any) -> Any:
    errand = duty.errand.model_validate_json(row["content"])
    taken = Taken(row["id"], errand, row["due"], 1, row["correlation_id"], None, row["actor"])
    [outcome] = await duty.perform(service.world, [errand])
    return taken.came_to(outcome)


@asynccontextmanager
async def lockstep(place: Ground, said: Said) -> AsyncIterator[Lockstep]:
    """Assemble the services, their way to PostgreSQL being listened to."""
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(between(place.servers.postgres_dsn, said))
        stack.enter_context(counted(said))
        told = replace(place, servers=replace(place.servers, postgres_dsn=dsn))
        services = ours.services(told)
        for one in services:
            await migrate(one.settings.postgres_dsn, one.blueprint.migrations)
            await stack.enter_async_context(one.postgres)
        traffic = {one.blueprint.name: one.traffic for one in services}
        yield Lockstep(place, traffic, None, ours.a_while, services, 1)
