"""The relay as a service runs it, while more and more is said."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from itertools import count
from uuid import UUID

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from shared.postgres import Postgres
from shared.relay import Relay
from shared.traffic import Traffic
from tests.servers import Servers
from tests.shared import tally
from tests.shared.make import A, counted, read
from tests.shared.tally import TallyEvent
from tests.shared.wire import wire_to

PATIENCE_SECONDS = 30
others = count(1000)


@pytest.fixture
async def relay(stack: Servers, dsn: str) -> AsyncIterator[Relay]:
    """Relay what a schema says, from when nothing is left to look for."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    with suppress(TopicAlreadyExistsError):
        await admin.create_topics([NewTopic(TallyEvent.topic, 1, 1)])
    await admin.close()
    relay = Relay(dsn, stack.kafka)
    await relay.start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (relay.owns and relay.is_idle):
            await asyncio.sleep(0.01)
    yield relay
    await relay.stop()


def traffic_of(postgres: Postgres, wake: Callable[..., None]) -> Traffic:
    return Traffic("tally", tally.road, postgres, wake=wake)


async def told_under_load(busy: Traffic, subject: UUID) -> None:
    """Say more and more about others, until nothing about `subject` is left to be told."""
    sql = "SELECT count(*) FROM outbox WHERE key = $1"
    left = 1
    async with asyncio.timeout(PATIENCE_SECONDS):
        while left:
            await busy.take(read(counted(1, UUID(int=next(others)))))
            async with busy.postgres.transaction() as tx:
                left = await tx.fetchval(sql, str(subject).encode())


async def test_what_a_replica_committed_before_it_died_is_told_however_much_else_is_said(
    relay, postgres
) -> None:
    dead = traffic_of(postgres, wake=lambda _: None)
    await dead.take(read(counted(1)))

    await told_under_load(traffic_of(postgres, relay.wake), A)


async def test_what_was_committed_without_an_answer_is_told_however_much_else_is_said(
    relay, postgres, dsn, caplog
) -> None:
    caplog.set_level("CRITICAL", "shared.traffic")
    woken: list[object] = []
    async with wire_to(dsn) as (wire, there), Postgres(there, pool_size=1) as remote:
        wire.fail("COMMIT", "unanswered")
        await traffic_of(remote, wake=woken.append).take(read(counted(1)))

    assert (wire.failures, woken) == (1, [()])  # something, nobody knows what
    await told_under_load(traffic_of(postgres, relay.wake), A)


async def test_relay_stops_though_it_is_woken_at_that_moment(relay, stack, dsn) -> None:
    waits = Relay(dsn, stack.kafka)
    await waits.start()
    await asyncio.sleep(0.2)  # for the lock, by now

    for one in (waits, relay):
        async with asyncio.timeout(PATIENCE_SECONDS):
            one.wake()
            await one.stop()
