"""How Kafka is told what was handled: soon, and all of it at once."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

SOON_SECONDS = 0.1
AGAIN_SECONDS = 1.0
LONGEST_SECONDS = 3.0  # aiokafka asks for ever where there is no broker

log = logging.getLogger(__name__)


class Consumer(Protocol):
    """The one thing that is asked of a consumer here."""

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> object:
        """Note the offsets to go on at."""


class Acknowledging:
    """Acknowledges what was handled, off the way of what comes next.

    An acknowledgement costs a round trip and a record in Kafka. Who dies before it has the
    same messages again, and finds them in the inbox.
    """

    def __init__(self) -> None:
        self._owed: dict[TopicPartition, int] = {}
        self._consumer: Consumer | None = None
        self._task: asyncio.Task[None] | None = None

    def owe(self, consumer: Consumer, ends: Mapping[TopicPartition, int]) -> None:
        """Take note of the offsets to go on at; Kafka will know them soon."""
        self._consumer = consumer
        self._owed.update(ends)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._soon(), name="acknowledging")

    async def now(self) -> None:
        """Acknowledge all that is owed; what cannot be said any more is forgotten.

        For who is about to lose the partitions: they are another's business from then on.
        """
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await self._acknowledge()
        except (KafkaError, OSError) as error:  # a timeout is an OSError
            log.warning("what was handled will come again: %r", error)
            self._owed.clear()

    async def _soon(self) -> None:
        pause = SOON_SECONDS
        while self._owed:
            await asyncio.sleep(pause)
            try:
                await self._acknowledge()
            except (KafkaError, OSError) as error:
                log.warning("acknowledging failed, again in %.0f s: %r", AGAIN_SECONDS, error)
                pause = AGAIN_SECONDS

    async def _acknowledge(self) -> None:
        said = dict(self._owed)
        if not said or self._consumer is None:
            return
        await self._consumer.commit(said)
        self._owed = {one: end for one, end in self._owed.items() if said.get(one) != end}
