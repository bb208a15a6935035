"""The relay, from a real PostgreSQL to a real Kafka."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared import outbox
from shared.outbox import Outgoing, append, relay
from tests.servers import Servers


@pytest.fixture
async def producer(stack: Servers) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka, acks="all") as producer:
        yield producer


async def say(postgres, topic: str, *sizes: int) -> None:
    async with postgres.transaction() as tx:
        await append(tx, [Outgoing(topic, "it", b"it", [], bytes(size)) for size in sizes])


async def heard(stack: Servers, topic: str, count: int) -> list[int]:
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=stack.kafka, auto_offset_reset="earliest"
    ) as consumer:
        return [len((await anext(consumer)).value) for _ in range(count)]


async def left(connection: asyncpg.Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM outbox"))


async def test_heavy_records_go_a_few_at_a_time_and_in_order(
    stack, postgres, topic, producer, monkeypatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_BYTES", 1000)
    await say(postgres, topic, 600, 500, 5000, 100, 200)
    connection = await asyncpg.connect(postgres.dsn)
    beats, rounds = [], []

    more = True
    while more:
        more = await relay(connection, producer, lambda: beats.append(1))
        rounds.append(await left(connection))
    await connection.close()

    assert rounds == [3, 2, 0]  # the one that is too heavy went alone
    assert await heard(stack, topic, 5) == [600, 500, 5000, 100, 200]
    assert len(beats) >= len(rounds)


async def test_full_round_says_that_more_may_wait(postgres, topic, producer, monkeypatch) -> None:
    monkeypatch.setattr(outbox, "AT_ONCE", 2)
    await say(postgres, topic, 1, 1, 1)
    connection = await asyncpg.connect(postgres.dsn)

    assert [await relay(connection, producer) for _ in range(2)] == [True, False]
    assert await left(connection) == 0
    await connection.close()
