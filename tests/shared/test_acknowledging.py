"""What Kafka is told of what was handled, by a real consumer of a real topic."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    TopicPartition,
)
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker, KafkaRouter

from shared import acknowledging as acknowledging_module
from shared.acknowledging import Acknowledging
from shared.cloudevents import Envelope
from shared.kafka import Listening, listen
from tests.servers import Servers
from tests.shared.make import counted
from tests.shared.tally import Counted
from tests.shared.topics import new_topic

Offsets = dict[TopicPartition, int]
PATIENCE_SECONDS = 30


class Overheard(AIOKafkaConsumer):
    """Keeps in mind what it commits; fails, or waits to be let go, as often as it is told to."""

    def __init__(self, *topics: str, **how: object) -> None:
        super().__init__(*topics, **how)
        self.said: list[Offsets] = []
        self.failures = 0
        self.began, self.may_go_on = asyncio.Event(), asyncio.Event()
        self.may_go_on.set()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.said.append(dict(offsets))
        self.began.set()
        await self.may_go_on.wait()
        if self.failures:
            self.failures -= 1
            raise KafkaError("nobody knows where the coordinator is")
        await super().commit(offsets)


@asynccontextmanager
async def member(
    stack: Servers, topic: str, listener: ConsumerRebalanceListener | None = None
) -> AsyncIterator[Overheard]:
    """Join the group of the topic's name, until partitions are assigned."""
    consumer = Overheard(
        bootstrap_servers=stack.kafka,
        group_id=topic,
        enable_auto_commit=False,
        heartbeat_interval_ms=100,
    )
    consumer.subscribe([topic], listener=listener)
    async with consumer:
        yield consumer


@pytest.fixture
async def topic(stack: Servers) -> str:
    """Make a topic of two partitions."""
    return await new_topic(stack, partitions=2)


@pytest.fixture
async def consumer(stack: Servers, topic: str) -> AsyncIterator[Overheard]:
    async with member(stack, topic) as consumer:
        yield consumer


@pytest.fixture
def zero(topic: str) -> TopicPartition:
    return TopicPartition(topic, 0)


@pytest.fixture
def one(topic: str) -> TopicPartition:
    return TopicPartition(topic, 1)


@pytest.fixture
async def acknowledging(monkeypatch) -> AsyncIterator[Acknowledging]:
    """Acknowledge soon, or soon after it failed; leave nothing behind."""
    monkeypatch.setattr(acknowledging_module, "AGAIN_SECONDS", 0.01)
    yield Acknowledging()
    left = left_to_do()
    for task in left:
        task.cancel()
    assert left == []


@pytest.fixture
def never_soon(monkeypatch) -> None:
    monkeypatch.setattr(acknowledging_module, "SOON_SECONDS", 3600)


def left_to_do() -> list[asyncio.Task[None]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "acknowledging"]


async def done() -> None:
    """Wait until nothing is left to do; whatever that fails with fails the test."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*left_to_do())


async def known(consumer: AIOKafkaConsumer) -> Offsets:
    """Return what Kafka knows of, for each partition."""
    found = {one: await consumer.committed(one) for one in consumer.assignment()}
    return {one: offset for one, offset in found.items() if offset is not None}


async def test_what_is_owed_is_acknowledged_without_being_asked_for(
    acknowledging, consumer, zero
) -> None:
    acknowledging.owe(consumer, {zero: 7})
    assert consumer.said == []

    await done()

    assert await known(consumer) == {zero: 7}


async def test_what_is_owed_in_a_row_is_acknowledged_at_once(
    acknowledging, consumer, zero, one, monkeypatch
) -> None:
    monkeypatch.setattr(acknowledging_module, "SOON_SECONDS", 1)
    for n in range(1, 51):
        acknowledging.owe(consumer, {zero: n})
        await asyncio.sleep(0)
        acknowledging.owe(consumer, {one: 2 * n})

    await done()

    assert consumer.said == [{zero: 50, one: 100}]
    assert await known(consumer) == {zero: 50, one: 100}


async def test_what_is_owed_afterwards_is_acknowledged_by_itself(
    acknowledging, consumer, zero, one
) -> None:
    acknowledging.owe(consumer, {zero: 1, one: 1})
    await done()

    acknowledging.owe(consumer, {one: 2})
    await done()

    assert consumer.said == [{zero: 1, one: 1}, {one: 2}]
    assert await known(consumer) == {zero: 1, one: 2}


async def test_what_is_owed_while_another_is_acknowledged_is_not_lost(
    acknowledging, consumer, zero, one
) -> None:
    consumer.may_go_on.clear()
    acknowledging.owe(consumer, {zero: 1})
    await consumer.began.wait()

    acknowledging.owe(consumer, {zero: 2, one: 1})
    consumer.may_go_on.set()
    await done()

    assert consumer.said == [{zero: 1}, {zero: 2, one: 1}]
    assert await known(consumer) == {zero: 2, one: 1}


async def test_what_failed_is_acknowledged_again_with_what_is_owed_since(
    acknowledging, consumer, zero, one, caplog
) -> None:
    caplog.set_level("WARNING", "shared.acknowledging")
    consumer.failures = 2
    consumer.may_go_on.clear()
    acknowledging.owe(consumer, {zero: 1, one: 1})
    await consumer.began.wait()

    acknowledging.owe(consumer, {one: 2})
    consumer.may_go_on.set()
    await done()

    assert consumer.said == [{zero: 1, one: 1}, {zero: 1, one: 2}, {zero: 1, one: 2}]
    assert await known(consumer) == {zero: 1, one: 2}
    assert caplog.text.count("acknowledging failed") == 2


@pytest.mark.usefixtures("never_soon")
async def test_now_acknowledges_at_once_and_leaves_nothing_to_do(
    acknowledging, consumer, zero
) -> None:
    acknowledging.owe(consumer, {zero: 7})

    await acknowledging.now()

    assert await known(consumer) == {zero: 7}
    assert left_to_do() == []
    await acknowledging.now()
    assert consumer.said == [{zero: 7}]


async def test_now_does_not_wait_for_what_is_on_its_way(acknowledging, consumer, zero, one) -> None:
    consumer.may_go_on.clear()
    acknowledging.owe(consumer, {zero: 1, one: 1})
    await consumer.began.wait()
    acknowledging.owe(consumer, {one: 2})

    now = asyncio.create_task(acknowledging.now())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(consumer.said) < 2:
            await asyncio.sleep(0)
    consumer.may_go_on.set()
    await now

    assert consumer.said == [{zero: 1, one: 1}, {zero: 1, one: 2}]
    assert await known(consumer) == {zero: 1, one: 2}
    assert left_to_do() == []


@pytest.mark.usefixtures("never_soon")
async def test_what_cannot_be_said_now_is_forgotten_and_told_to_the_log(
    acknowledging, consumer, zero, one, caplog
) -> None:
    caplog.set_level("WARNING", "shared.acknowledging")
    consumer.failures = 1
    acknowledging.owe(consumer, {zero: 1})

    await acknowledging.now()
    assert "what was handled will come again" in caplog.text
    assert left_to_do() == []
    acknowledging.owe(consumer, {one: 1})
    await acknowledging.now()

    assert consumer.said == [{zero: 1}, {one: 1}]
    assert await known(consumer) == {one: 1}


class SaysNow(ConsumerRebalanceListener):
    """Acknowledges before partitions are given away, as a service does."""

    def __init__(self, acknowledging: Acknowledging) -> None:
        self.acknowledging = acknowledging

    async def on_partitions_revoked(self, _: object) -> None:
        await self.acknowledging.now()

    async def on_partitions_assigned(self, _: object) -> None: ...


@pytest.mark.usefixtures("never_soon")
async def test_partition_is_given_away_with_what_was_handled_of_it(
    acknowledging, stack, topic, zero, one
) -> None:
    async with member(stack, topic, SaysNow(acknowledging)) as giver:
        acknowledging.owe(giver, {zero: 3, one: 5})

        async with member(stack, topic) as taker:
            [taken] = taker.assignment()
            assert await known(taker) == {taken: {zero: 3, one: 5}[taken]}


@pytest.mark.usefixtures("never_soon")
async def test_what_was_owed_of_a_partition_that_is_lost_is_forgotten(
    acknowledging, consumer, zero
) -> None:
    acknowledging.owe(consumer, {zero: 1})
    consumer.unsubscribe()

    await acknowledging.now()
    await acknowledging.now()

    assert consumer.said == [{zero: 1}]
    assert left_to_do() == []


async def test_nobody_waits_for_a_broker_for_ever(
    acknowledging, consumer, one, monkeypatch, caplog
) -> None:
    caplog.set_level("CRITICAL", "shared.acknowledging")
    monkeypatch.setattr(acknowledging_module, "LONGEST_SECONDS", 0.05)
    consumer.may_go_on.clear()
    acknowledging.owe(consumer, {one: 4})

    await asyncio.wait_for(acknowledging.now(), PATIENCE_SECONDS)

    assert consumer.said == [{one: 4}]
    assert left_to_do() == []


@pytest.mark.usefixtures("never_soon")
async def test_who_stops_acknowledges_what_was_handled(stack, topic, zero) -> None:
    handled = asyncio.Event()

    async def handle(_: Sequence[Envelope]) -> None:
        handled.set()

    router, listening = KafkaRouter(), Listening(take=handle)
    listen(router, {topic: (Counted,)}, topic, "", listening)
    broker = KafkaBroker(stack.kafka, apply_types=False, logger=None)
    broker.include_router(router)
    await broker.start()
    async with (
        AIOKafkaProducer(bootstrap_servers=stack.kafka) as shop,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        one = counted(1)
        await shop.send_and_wait(topic, one.value, headers=one.headers, partition=0)
        await handled.wait()

    await broker.stop()

    async with member(stack, topic) as another:
        assert await known(another) == {zero: 1}
