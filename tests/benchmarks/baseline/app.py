"""The baseline's services and relay, running in this process."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from asyncpg import Pool
from faststream.kafka import KafkaBroker

from certfold.provision.topics import FAMILIES, PARTITIONS
from shared.contracts.purchases import PurchaseEvent
from tests.benchmarks.baseline import application, ca_verification, combination, inventory
from tests.benchmarks.baseline.messaging import topic
from tests.benchmarks.ground import Ground
from tests.benchmarks.people import MEMBERS, OFFICER, Order

T = TypeVar("T")

SCHEMA = Path(__file__).with_name("schema.sql")
POOL_SIZE = 16
AT_ONCE = 8  # people whose commands come at the same time
RELAY_SECONDS = 0.02
LOOK_SECONDS = 0.1
RELAY_ROWS = 100
PATIENCE_SECONDS = 240.0


class App:
    """The application as `faststream run` would have it, but that it can be started again."""

    def __init__(self, kafka: str) -> None:
        self.broker = KafkaBroker(kafka, logger=None)
        for one in (inventory, combination, application, ca_verification):
            self.broker.include_router(one.router)

    @asynccontextmanager
    async def running(self, pool: Pool) -> AsyncIterator[None]:
        """Run until every subscriber has its partitions, then until the end."""
        self.broker.context.set_global("pool", pool)
        await self.broker.start()
        relaying = asyncio.create_task(relay(pool, self.broker))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not all(_is_assigned(one) for one in self.broker.subscribers):
                    await asyncio.sleep(0.05)
            yield
        finally:
            relaying.cancel()
            with suppress(asyncio.CancelledError):
                await relaying
            await self.broker.stop()


def _is_assigned(subscriber: Any) -> bool:
    return bool(subscriber.consumer and subscriber.consumer.assignment())


async def relay(pool: Pool, broker: KafkaBroker) -> None:
    """Publish what is in the outbox, oldest first, for ever."""
    while True:
        rows = await pool.fetch("SELECT * FROM outbox ORDER BY id LIMIT $1", RELAY_ROWS)
        if not rows:
            await asyncio.sleep(RELAY_SECONDS)
            continue
        sent = [
            await broker.publish(
                row["value"].encode(),
                topic=row["topic"],
                key=row["key"].encode(),
                headers=json.loads(row["headers"]),
                no_confirm=True,
            )
            for row in rows
        ]
        await asyncio.gather(*sent)
        await pool.execute("DELETE FROM outbox WHERE id = ANY($1)", [row["id"] for row in rows])


@dataclass(frozen=True, slots=True)
class Baseline:
    """The running services, and a shop's producer."""

    ground: Ground
    pool: Pool
    producer: AIOKafkaProducer

    async def live(self, orders: Sequence[Order]) -> None:
        """Lead every order to its certificate, all of them abreast."""
        sent = [
            await self.producer.send(
                topic(PurchaseEvent),
                one.value,
                key=one.purchase_id.encode(),
                headers=one.headers,
            )
            for one in orders
        ]
        await asyncio.gather(*sent)
        account_id = orders[0].account_id
        await self._until(
            "SELECT count(*) FROM purchases WHERE account_id = $1", len(orders), account_id
        )
        members = await _abreast(
            inventory.create_instances(self.pool, one.key, MEMBERS) for one in orders
        )
        asked = await _abreast(combination.combine(self.pool, account_id, ids) for ids in members)
        await self._until(
            "SELECT count(*) FROM combinations WHERE account_id = $1 AND status = 'combined'",
            len(orders),
            account_id,
        )
        rows = await self.pool.fetch(
            "SELECT id, instance_id FROM combinations WHERE account_id = $1", account_id
        )
        became = {row["id"]: row["instance_id"] for row in rows}
        await _abreast(
            application.apply(self.pool, account_id, one.form(became[combination_id]))
            for one, combination_id in zip(orders, asked, strict=True)
        )
        await self._until(_SHOWN, len(orders), account_id, "under_review")
        tasks = await self.pool.fetch(
            """
            SELECT t.id FROM verification_tasks AS t
              JOIN verifications AS v ON v.id = t.application_id WHERE v.account_id = $1
             ORDER BY t.item DESC, t.id
            """,
            account_id,
        )
        await _abreast(
            ca_verification.decide(self.pool, self.ground.authority, row["id"], OFFICER)
            for row in tasks
        )
        await self._until(_SHOWN, len(orders), account_id, "issued")
        await self._until("SELECT count(*) FROM outbox", 0)

    async def _until(self, sql: str, wanted: int, *arguments: object) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.pool.fetchval(sql, *arguments) != wanted:
                await asyncio.sleep(LOOK_SECONDS)


_SHOWN = "SELECT count(*) FROM applications WHERE account_id = $1 AND instance_status = $2"


async def _abreast(work: Iterable[Awaitable[T]]) -> list[T]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(it: Awaitable[T]) -> T:
        async with gate:
            return await it

    return await asyncio.gather(*map(one, work))


async def prepare(ground: Ground) -> Pool:
    """Make the schema and the topics, once; return a pool of connections."""
    await ground.admin.execute(SCHEMA.read_text())
    admin = AIOKafkaAdminClient(bootstrap_servers=ground.kafka)
    await admin.start()
    try:
        known = set(await admin.list_topics())
        wanted = {topic(family) for family in FAMILIES}
        new = [NewTopic(name, PARTITIONS, 1) for name in sorted(wanted - known)]
        if new:
            await admin.create_topics(new)
    finally:
        await admin.close()
    return await asyncpg.create_pool(
        ground.admin_dsn,
        min_size=1,
        max_size=POOL_SIZE,
        server_settings={"search_path": "baseline"},
    )


@asynccontextmanager
async def running(ground: Ground, app: App, pool: Pool) -> AsyncIterator[Baseline]:
    """Run the baseline; stop it at the end."""
    async with (
        app.running(pool),
        AIOKafkaProducer(bootstrap_servers=ground.kafka, acks="all") as producer,
    ):
        yield Baseline(ground, pool, producer)
