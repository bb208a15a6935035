"""How what waits in the outbox gets to Kafka: in order, at least once."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeAlias

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from msgspec import msgpack

from shared import metrics
from shared.cloudevents import Headers, sequence_header
from shared.outbox import LARGEST_BYTES, Waiting
from shared.postgres import Connection

AT_ONCE = 1000
MOST_BYTES = 16 << 20  # at once; a single record may be larger
MOST_HANDED = 10_000  # records, and MOST_BYTES, that are remembered besides the table
MOST_TOLD = 20_000  # subjects of which is known, without asking, what was told of them last
POLL_SECONDS = 1.0  # who commits wakes us; this is for what a replica committed before it died
CHANNEL = "outbox"
# Advisory locks are shared by a whole database; the table's own number is not.
OWN = "SELECT pg_try_advisory_lock('outbox'::regclass::bigint)"
OLDEST = "SELECT min(id) FROM outbox"
# A record whose deletion was lost with the server is told again.
SOON = "SET synchronous_commit = off"

Place: TypeAlias = tuple[str, int]  # a topic and its partition

log = logging.getLogger(__name__)


class Told:
    """What was told last of each subject, for so many of them as were heard of lately."""

    def __init__(self) -> None:
        self._lately: dict[tuple[str, bytes | None], int] = {}
        self._before = self._lately

    def note(self, one: Waiting) -> None:
        """Note that it is told."""
        if one.sequence is not None:
            self._lately[one.topic, one.key] = one.sequence
            if len(self._lately) >= MOST_TOLD:
                self._before, self._lately = self._lately, {}

    def last(self, one: Waiting) -> int | None:
        """Return the place of the last fact about the same subject, if that is known."""
        subject = one.topic, one.key
        return self._lately.get(subject) or self._before.get(subject)


class InHand:
    """What this replica has committed: the outbox, as far as nobody need look into the table.

    Of each subject the facts come in order. So what is handed over is told if nothing can be
    missing before it; and where something is, by another replica or from another time, all is
    read from the table again.
    """

    def __init__(self) -> None:
        self._handed: deque[Waiting] = deque()
        self._bytes = 0
        self._told = Told()
        self.must_look = True

    @property
    def is_empty(self) -> bool:
        """Say whether nothing waits, as far as is known."""
        return not (self._handed or self.must_look)

    def take_over(self, committed: Sequence[Waiting]) -> None:
        """Remember what was just committed; what is too much stays where it is, in the table."""
        if not self.must_look:
            self._handed.extend(committed)
            self._bytes += sum(one.weight for one in committed)
        if len(self._handed) > MOST_HANDED or self._bytes > MOST_BYTES:
            self.look()

    def look(self) -> None:
        """Forget what was handed over: it is in the table, behind what is told before it."""
        self.must_look = True
        self._handed.clear()
        self._bytes = 0

    def misses(self, oldest: int | None) -> bool:
        """Say whether the oldest record of the table is older than all that is in hand."""
        return oldest is not None and oldest < min(
            (one.id for one in self._handed), default=oldest + 1
        )

    def next(self) -> list[Waiting]:
        """Return what follows upon what was told; if that is not certain, somebody must look."""
        found: list[Waiting] = []
        while self._handed and len(found) < AT_ONCE:
            one = self._handed[0]
            last = self._told.last(one) or 0
            if one.sequence is None or one.sequence > last + 1:
                self.look()
                break
            self._handed.popleft()
            self._bytes -= one.weight
            if one.sequence == last + 1:  # else it was read from the table meanwhile, and told
                found.append(one)
                self._told.note(one)
        return found

    def note(self, read: Sequence[Waiting]) -> None:
        """Note what is told of what was read from the table."""
        for one in read:
            self._told.note(one)


class Relay:
    """Publishes one service's outbox: in order, at least once, from one replica at a time."""

    def __init__(
        self, dsn: str, kafka_servers: str, *, beat: Callable[[], None] = lambda: None
    ) -> None:
        self._dsn = dsn
        self._kafka_servers = kafka_servers
        self._beat = beat
        self._woken = asyncio.Event()
        self._in_hand = InHand()
        self._task: asyncio.Task[None] | None = None
        self.owns = False
        self.is_idle = False  # nothing is waiting, as far as this replica knows

    def wake(self, committed: Sequence[Waiting] = ()) -> None:
        """Say that something was committed, or may have been; and what, if it is known."""
        self.is_idle = False
        if committed:
            self._in_hand.take_over(committed)
        else:
            self._in_hand.look()
        self._woken.set()

    async def start(self) -> None:
        """Relay until stopped, whatever breaks meanwhile."""
        self._task = asyncio.create_task(self._forever(), name="relay")

    async def stop(self) -> None:
        """Stop; what is not yet deleted will be published again."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _forever(self) -> None:
        while True:
            try:
                await self._work()
            except Exception as error:
                self._lose()
                log.warning("the relay lost its way and starts again: %r", error)
                self._beat()
                await asyncio.sleep(1)
            finally:
                self._lose()

    def _lose(self) -> None:
        self.owns, self.is_idle, self._in_hand = False, False, InHand()

    async def _work(self) -> None:
        # The lock lives on the connection that reads and deletes: who loses one loses both.
        connection = await asyncpg.connect(self._dsn)
        try:
            await self._become_owner(connection)
            await connection.add_listener(CHANNEL, lambda *_: self.wake())
            await connection.execute(SOON)
            await self._publish(connection)
        finally:
            connection.terminate()

    async def _become_owner(self, connection: Connection) -> None:
        """Wait for the lock; meanwhile, tell who has it what this replica commits."""
        while not await connection.fetchval(OWN):
            self._beat()
            if await self._is_woken(POLL_SECONDS):
                self._woken.clear()
                await connection.execute(f"NOTIFY {CHANNEL}")

    async def _publish(self, connection: Connection) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka_servers,
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            max_batch_size=1 << 18,
            max_request_size=LARGEST_BYTES + (1 << 20),
        )
        try:
            await producer.start()
            self.owns, now = True, asyncio.get_running_loop().time
            look_at = now() + POLL_SECONDS
            while True:
                self._beat()
                self._woken.clear()
                await relay(connection, producer, self._in_hand, self._beat)
                if self._in_hand.is_empty:
                    self.is_idle = True
                    await self._is_woken(look_at - now())
                if now() >= look_at:  # however much is handed over meanwhile
                    if self._in_hand.misses(await connection.fetchval(OLDEST)):
                        self._in_hand.look()
                    look_at = now() + POLL_SECONDS
        finally:
            await producer.stop()

    async def _is_woken(self, seconds: float) -> bool:
        """Sleep until something is committed, for so long at most; say whether it was."""
        with suppress(TimeoutError):  # `wait_for` may miss that it is cancelled
            async with asyncio.timeout(max(seconds, 0)):
                await self._woken.wait()
        return self._woken.is_set()


async def relay(
    connection: Connection,
    producer: AIOKafkaProducer,
    in_hand: InHand,
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Publish what is in hand, or else the oldest records; delete them once the broker has them.

    Who says something while this goes on has it in hand afterwards.
    """
    records = await _read(connection, in_hand) if in_hand.must_look else in_hand.next()
    if not records:
        return
    waiting = sent = set(await _send(producer, records))
    while waiting:
        _, waiting = await asyncio.wait(waiting, timeout=POLL_SECONDS)
        beat()
    await asyncio.gather(*sent)
    # By id, not up to an id: a smaller one may be about to commit.
    ids = [one.id for one in records]
    await connection.execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", ids)
    metrics.PUBLISHED.inc(len(records))


async def _read(connection: Connection, in_hand: InHand) -> list[Waiting]:
    """Read the oldest records; what is handed over meanwhile may be among them."""
    in_hand.must_look = False
    rows = await connection.fetch(
        """
        SELECT id, topic, key, sequence, headers, value
          FROM (SELECT *, sum(size) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) - size AS before
                  FROM (SELECT *, octet_length(headers) + coalesce(octet_length(value), 0) AS size
                          FROM outbox ORDER BY id LIMIT $1) AS oldest) AS weighed
         WHERE before < $2 ORDER BY id
        """,
        AT_ONCE,
        MOST_BYTES,
    )
    records = [
        Waiting(
            id=row["id"],
            topic=row["topic"],
            key=row["key"],
            sequence=row["sequence"],
            headers=msgpack.decode(row["headers"], type=Headers),
            value=row["value"],
            weight=len(row["headers"]) + len(row["value"] or b""),
        )
        for row in rows
    ]
    in_hand.note(records)
    if len(records) == AT_ONCE or sum(one.weight for one in records) >= MOST_BYTES:
        in_hand.look()
    return records


async def _send(
    producer: AIOKafkaProducer, records: Sequence[Waiting]
) -> list[asyncio.Future[object]]:
    """Give the producer all records, by the batch; those of one partition in order."""
    sent: list[asyncio.Future[object]] = []
    batches: dict[Place, Any] = {}
    topics = {topic: await producer.partitions_for(topic) for topic in {r.topic for r in records}}
    for one in records:
        place = topic, partition = one.topic, _partition(one.key, topics[one.topic])
        if place in batches and _add(batches[place], one):
            continue
        if place in batches:  # it is full
            sent.append(await producer.send_batch(batches[place], topic, partition=partition))
        batches[place] = producer.create_batch()
        _add(batches[place], one)
    for (topic, partition), batch in batches.items():
        sent.append(await producer.send_batch(batch, topic, partition=partition))
    return sent


def _add(batch: Any, one: Waiting) -> bool:
    """Add a record, if there is room; the first one always has it."""
    headers = wire_headers(one.headers, one.sequence)
    return bool(batch.append(timestamp=None, key=one.key, value=one.value, headers=headers))


def _partition(key: bytes | None, partitions: AbstractSet[int]) -> int:
    """Choose a record's partition as every Kafka client does."""
    if key is None:
        return random.choice(list(partitions))
    return _hash(key) % len(partitions)


@lru_cache(1 << 14)
def _hash(key: bytes) -> int:
    # aiokafka's murmur2 is pure Python, and one subject has much to say.
    return int(murmur2(key)) & 0x7FFFFFFF


def wire_headers(headers: Headers, sequence: int | None) -> Headers:
    """Return a record's headers, with its place in its subject's history."""
    return headers if sequence is None else [*headers, sequence_header(sequence)]
