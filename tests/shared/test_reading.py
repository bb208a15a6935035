"""How records are read from a real Kafka: whatever they hold, and whatever fails meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import CorruptRecordException
from aiokafka.producer import message_accumulator, producer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from shared import kafka
from shared.cloudevents import NotUnderstood, understand
from shared.kafka import AT_ONCE, Listening, Prompt
from shared.parking import Parked, list_parked
from shared.records import read_any_name
from tests.servers import Servers
from tests.shared.make import counted
from tests.shared.tally import Counted, CountEvent

CODECS = [None, "gzip", "zstd"]


class RawName(str):
    """A header's name of bytes that are no text: Python's producers would not send it."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"ten\xffant"


@asynccontextmanager
async def consumer(
    stack: Servers, topic: str, kind: type[AIOKafkaConsumer] = AIOKafkaConsumer
) -> AsyncIterator[AIOKafkaConsumer]:
    read_any_name()
    async with kind(
        topic,
        bootstrap_servers=stack.kafka,
        group_id=topic,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    ) as found:
        yield found


async def publish(
    stack: Servers, topic: str, *names: str, compression_type: str | None = None
) -> None:
    """Publish one batch: a count of each amount from 1, with one more header of that name."""
    async with AIOKafkaProducer(
        bootstrap_servers=stack.kafka, compression_type=compression_type, linger_ms=100
    ) as shop:
        for amount, name in enumerate(names, start=1):
            one = counted(amount)
            headers = [*one.headers, (name, b"acme")]
            await shop.send(topic, one.value, key=b"key", headers=headers, partition=0)
        await shop.flush()


async def take(prompt: SimpleNamespace, consumer: AIOKafkaConsumer, count: int) -> list[object]:
    """Take records as a service's subscriber does, until there are so many."""
    taken: list[object] = []
    while len(taken) < count:
        taken += await Prompt.get_msg(prompt, consumer)  # type: ignore[arg-type]  # a part of one
    return taken


def a_prompt() -> SimpleNamespace:
    return SimpleNamespace(listening=Listening(), max_records=AT_ONCE)


@pytest.fixture
def prompt() -> SimpleNamespace:
    return a_prompt()


@pytest.fixture
def raw_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a producer of this process write what others can."""
    for module in (message_accumulator, producer):
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)


@pytest.mark.usefixtures("raw_names")
@pytest.mark.parametrize("codec", CODECS)
async def test_name_of_a_header_that_is_no_text_spoils_its_own_record_only(
    stack, topic, traffic, codec
) -> None:
    await publish(stack, topic, "tenant", RawName("x"), "tenant", compression_type=codec)

    async with consumer(stack, topic) as reader:
        records = await take(a_prompt(), reader, 3)
    read = [understand(one, CountEvent.family, frozenset({Counted})) for one in records]
    await traffic.take(read)

    assert [isinstance(one, NotUnderstood) for one in read] == [False, True, False]
    assert "not UTF-8" in str(read[1].error)
    async with traffic.postgres.transaction() as tx:
        assert await tx.fetchval("SELECT total FROM tallies") == 1 + 3
        [waiting] = await list_parked(tx, None, 9)
    assert isinstance(waiting, Parked)
    assert ("ten\\xffant", b"acme") in waiting.headers


class Stumbling(AIOKafkaConsumer):
    """Fails once, with records in hand: they are gone from it then."""

    lost = 0

    async def getmany(self, **how: object) -> dict[object, list[object]]:
        found: dict[object, list[object]] = await super().getmany(**how)
        if found and not self.lost:
            self.lost = sum(map(len, found.values()))
            raise CorruptRecordException("a bit has flipped")
        return found


async def test_what_was_in_hand_when_reading_failed_is_read_again(
    stack, topic, prompt, caplog
) -> None:
    caplog.set_level("CRITICAL", "shared.kafka")
    await publish(stack, topic, "a", "b", "c")

    async with consumer(stack, topic, Stumbling) as reader:
        first = await take(prompt, reader, 3)
        await reader.commit()
        await publish(stack, topic, "d", "e")
        reader.lost = 0
        second = await take(prompt, reader, 2)

    assert [one.offset for one in (*first, *second)] == [0, 1, 2, 3, 4]
    assert not prompt.listening.is_astray


async def test_batch_that_was_not_acknowledged_is_read_again(stack, topic, prompt) -> None:
    await publish(stack, topic, "a", "b")

    async with consumer(stack, topic) as reader:
        await take(prompt, reader, 2)
        prompt.listening.is_astray = True
        again = await take(prompt, reader, 2)

    assert [one.offset for one in again] == [0, 1]


class Silent:
    """A consumer that can read nothing, for as long as anybody asks."""

    async def getmany(self, **_: object) -> None:
        raise OSError("nobody is there")

    def assignment(self) -> frozenset[object]:
        return frozenset()


async def test_reading_is_tried_again_however_long_it_fails(prompt, caplog, monkeypatch) -> None:
    caplog.set_level("CRITICAL", "shared.kafka")
    monkeypatch.setattr(kafka, "LONGEST_PAUSE_SECONDS", 0.0004)
    prompt.listening.pause = 0.0001

    for _ in range(1100):  # 2 ** 1100 is no float
        assert await Prompt.get_msg(prompt, Silent()) == ()

    assert prompt.listening.pause == 0.0004
