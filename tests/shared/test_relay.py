"""The relay, from a real PostgreSQL to a real Kafka; and what it need not look up."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared import relay as relaying
from shared.outbox import Outgoing, Waiting
from shared.outbox import say as say_at_last
from shared.relay import InHand, relay
from shared.writing import Writes
from tests.servers import Servers


@pytest.fixture
async def producer(stack: Servers) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(
        bootstrap_servers=stack.kafka, acks="all", max_request_size=4 << 20
    ) as producer:
        yield producer


@pytest.fixture
async def connection(postgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres.dsn)
    yield connection
    await connection.close()


@pytest.fixture
def ends(connection, producer) -> tuple[asyncpg.Connection, AIOKafkaProducer]:
    """Return the two ends of a relay."""
    return connection, producer


async def say(postgres, topic: str, *sizes: int, subject: str | None = "it") -> list[Waiting]:
    """Commit records of such sizes about one subject; return what would be handed over."""
    async with postgres.transaction() as tx:
        sent = [Outgoing(topic, subject, b"it", [], bytes(size)) for size in sizes]
        return await say_at_last(Writes(), tx, sent)


async def heard(stack: Servers, topic: str) -> list[int]:
    """Return the sizes of all that the topic holds."""
    found = []
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=stack.kafka, auto_offset_reset="earliest"
    ) as consumer:
        [end] = (await consumer.end_offsets(consumer.assignment())).values()
        while len(found) < end:
            found.append(len((await anext(consumer)).value))
    return found


async def left(connection: asyncpg.Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM outbox"))


async def drained(ends: tuple[asyncpg.Connection, AIOKafkaProducer], in_hand: InHand) -> list[int]:
    """Relay until nothing is known to wait; return how many were left after each round."""
    rounds = []
    while not in_hand.is_empty:
        await relay(*ends, in_hand)
        rounds.append(await left(ends[0]))
    return rounds


async def test_heavy_records_go_a_few_at_a_time_and_in_order(
    stack, postgres, topic, ends, monkeypatch
) -> None:
    monkeypatch.setattr(relaying, "MOST_BYTES", 1000)
    await say(postgres, topic, 600, 500, 5000, 100, 200)

    rounds = await drained(ends, InHand())

    assert rounds == [3, 2, 0]  # the one that is too heavy went alone
    assert await heard(stack, topic) == [600, 500, 5000, 100, 200]


async def test_full_round_is_followed_by_another(stack, postgres, topic, ends, monkeypatch) -> None:
    monkeypatch.setattr(relaying, "AT_ONCE", 2)
    await say(postgres, topic, 1, 2, 3)

    assert await drained(ends, InHand()) == [1, 0]
    assert await heard(stack, topic) == [1, 2, 3]


async def test_many_batches_of_one_partition_keep_their_order(stack, postgres, topic, ends) -> None:
    sizes = [40_000 + n for n in range(40)] + [800_000, 1]  # batches of 16 KiB, and some more
    await say(postgres, topic, *sizes)

    await drained(ends, InHand())

    assert await heard(stack, topic) == sizes


async def test_relay_beats_while_the_broker_does_not_answer(
    postgres, topic, ends, monkeypatch
) -> None:
    monkeypatch.setattr(relaying, "POLL_SECONDS", 0)
    await say(postgres, topic, 1)
    beats: list[int] = []

    await relay(*ends, InHand(), lambda: beats.append(1))

    assert beats


async def test_what_is_handed_over_is_told_without_a_look_into_the_table(
    stack, postgres, topic, ends
) -> None:
    in_hand = InHand()
    await say(postgres, topic, 0)
    await drained(ends, in_hand)
    asked = []
    ends[0].add_query_logger(lambda query: asked.append(query.query))

    for sizes in (1, 2), (3,):
        in_hand.take_over(await say(postgres, topic, *sizes))
        await relay(*ends, in_hand)

    assert await heard(stack, topic) == [0, 1, 2, 3]
    assert [sql.split()[0] for sql in asked] == ["DELETE", "DELETE"]
    assert in_hand.is_empty
    assert await left(ends[0]) == 0


async def test_what_another_replica_said_before_goes_first(stack, postgres, topic, ends) -> None:
    in_hand = InHand()
    await drained(ends, in_hand)
    in_hand.take_over(await say(postgres, topic, 1))
    await say(postgres, topic, 2)  # by another
    in_hand.take_over(await say(postgres, topic, 3))

    await drained(ends, in_hand)

    assert await left(ends[0]) == 0
    assert await heard(stack, topic) == [1, 2, 3]


async def test_what_is_handed_over_while_it_is_read_is_told_once(
    stack, postgres, topic, ends
) -> None:
    in_hand = InHand()
    waiting = await say(postgres, topic, 1, 2)
    in_hand.must_look = False
    read = await relaying._read(ends[0], in_hand)
    in_hand.take_over(waiting)
    in_hand.take_over(more := await say(postgres, topic, 3))

    assert [one.id for one in read] == [one.id for one in waiting]
    assert in_hand.next() == more


async def test_dead_letters_are_looked_up(stack, postgres, topic, ends) -> None:
    in_hand = InHand()
    await drained(ends, in_hand)
    in_hand.take_over(await say(postgres, topic, 1))
    in_hand.take_over(await say(postgres, topic, 2, subject=None))
    in_hand.take_over(await say(postgres, topic, 3))

    await drained(ends, in_hand)

    assert await left(ends[0]) == 0
    assert await heard(stack, topic) == [1, 2, 3]


def fact(n: int, subject: bytes = b"it", size: int = 1) -> Waiting:
    return Waiting(n, "topic", subject, n, [], bytes(size), weight=size)


def quiet() -> InHand:
    """Return what is in hand after a look that found nothing."""
    in_hand = InHand()
    in_hand.must_look = False
    return in_hand


@pytest.mark.parametrize(("most_records", "most_bytes"), [(2, 100), (100, 2)])
def test_too_much_to_remember_is_left_in_the_table(monkeypatch, most_records, most_bytes) -> None:
    monkeypatch.setattr(relaying, "MOST_HANDED", most_records)
    monkeypatch.setattr(relaying, "MOST_BYTES", most_bytes)
    in_hand = quiet()

    in_hand.take_over([fact(1), fact(2), fact(3)])

    assert in_hand.must_look
    assert in_hand.next() == []


@pytest.mark.parametrize(("oldest", "is_missed"), [(None, False), (2, True), (3, False)])
def test_what_is_older_than_all_in_hand_is_missed(oldest, is_missed) -> None:
    in_hand = quiet()
    in_hand.take_over([fact(4), fact(3)])

    assert in_hand.misses(oldest) == is_missed
    assert quiet().misses(oldest) == (oldest is not None)


def test_what_was_handed_on_makes_room(monkeypatch) -> None:
    monkeypatch.setattr(relaying, "MOST_BYTES", 10)
    in_hand = quiet()

    for n in range(1, 50):
        in_hand.take_over([fact(n)])
        assert in_hand.next() == [fact(n)]

    assert in_hand.is_empty


def test_subject_that_was_forgotten_is_looked_up(monkeypatch) -> None:
    monkeypatch.setattr(relaying, "MOST_TOLD", 2)
    in_hand = quiet()
    in_hand.take_over([fact(1, b"a"), fact(1, b"b"), fact(2, b"a"), fact(1, b"c")])
    assert len(in_hand.next()) == 4

    in_hand.take_over([fact(3, b"a")])
    assert in_hand.next() == [fact(3, b"a")]
    in_hand.take_over([fact(1, b"d"), fact(1, b"e"), fact(2, b"d"), fact(2, b"e"), fact(1, b"f")])
    assert len(in_hand.next()) == 5

    in_hand.take_over([fact(4, b"a")])
    assert in_hand.next() == []
    assert in_hand.must_look
