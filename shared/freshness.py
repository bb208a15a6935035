"""What one answer has shown, every answer after it knows, whichever service gives it.

Before a service answers, it has handled all that Kafka held when it was asked; and before the
answer leaves, what it rests on has been said to Kafka. Nobody waits long for either: an answer
that is late is worse than one that is behind. A replica knows of its own partitions only.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kafka import Listening, Witness
from shared.relay import Relay
from shared.traffic import Traffic

LONGEST_SECONDS = 1.0
PAUSE_SECONDS = 0.002
LATE_SECONDS = 2.0  # for so long nobody waits again, once that was in vain


class Freshness:
    """How far behind the others one service is, asked for each answer."""

    def __init__(
        self, listening: Listening, witness: Witness, traffic: Traffic, relay: Relay
    ) -> None:
        self._listening, self._witness = listening, witness
        self._traffic, self._relay = traffic, relay
        self._asking, self._asked_at, self._late_until = asyncio.Lock(), -1.0, -1.0
        self._ends: Mapping[TopicPartition, int] = {}

    async def catch_up(self) -> None:
        """Wait until all that Kafka holds at this moment is handled."""
        arrived = asyncio.get_running_loop().time()
        async with self._patiently():
            ends = await self._held(arrived)
            while not self._listening.has_handled(ends):
                await asyncio.sleep(PAUSE_SECONDS)

    async def said(self) -> None:
        """Wait until all that is committed by now has been said to Kafka."""
        if self._traffic.is_idle and self._relay.owns and self._relay.is_idle:
            return
        async with self._patiently():
            last = await self._one("SELECT coalesce(max(id), 0) FROM outbox")
            while await self._one("SELECT count(*) FROM outbox WHERE id <= $1", last):
                await asyncio.sleep(PAUSE_SECONDS)

    @asynccontextmanager
    async def _patiently(self) -> AsyncIterator[None]:
        """Wait, unless it was in vain a moment ago."""
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(now if now < self._late_until else now + LONGEST_SECONDS):
                yield
        except (TimeoutError, KafkaError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if now >= self._late_until:
                self._late_until = now + LONGEST_SECONDS + LATE_SECONDS

    async def _held(self, arrived: float) -> Mapping[TopicPartition, int]:
        """Return how much the partitions hold; who asks meanwhile shares the next question."""
        async with self._asking:
            if self._asked_at < arrived:
                self._asked_at = asyncio.get_running_loop().time()
                self._ends = await self._witness.ends(self._listening.partitions())
            return self._ends

    async def _one(self, sql: str, *arguments: object) -> int:
        async with self._traffic.postgres.transaction() as tx:
            return int(await tx.fetchval(sql, *arguments))


class Fresh:
    """An API whose every answer is fresh."""

    def __init__(self, app: ASGIApp, freshness: Freshness) -> None:
        self._app, self._freshness = app, freshness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_fresh(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._freshness.said()
            await send(message)

        await self._freshness.catch_up()
        await self._app(scope, receive, send_fresh)
