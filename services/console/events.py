"""`GET /events`: what happens, as server-sent events (WHATWG HTML §9.2), to whom it concerns."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic_core import from_json, to_json

from shared.api import ANYONE, PREFIX, PROBLEMS, Person
from shared.contracts.application import ApplicationEvent
from shared.contracts.base import Objection
from shared.contracts.ca_verification import VerificationEvent
from shared.contracts.combination import CombinationEvent
from shared.contracts.inventory import InventoryEvent
from shared.problems import RETRY_AFTER_SECONDS, Problem, invalid
from shared.service import Parts

# The order is part of every cursor: add at the end only.
TOPICS: Sequence[str] = (
    InventoryEvent.topic,
    CombinationEvent.topic,
    ApplicationEvent.topic,
    VerificationEvent.topic,
)
MOST_LISTENERS = 50  # each has a connection to Kafka
MOST_OF_ONE = 10  # so that nobody takes all of them
QUIET_SECONDS = 15.0  # then a comment shows that the line still stands, and where it does
MOST_AT_ONCE = 200  # records read before others get their turn
# Then the stream ends, and whoever comes again shows the token again.
LONGEST_SECONDS = 900.0
LONGEST_CURSOR = 2000

Offsets = dict[TopicPartition, int]
Who: TypeAlias = Callable[[Request], Awaitable[Person | None]]
Tell: TypeAlias = Callable[[ConsumerRecord], str | None]
Reading: TypeAlias = AbstractAsyncContextManager[tuple[AIOKafkaConsumer, Offsets]]


def router(parts: Parts, who: Who, quiet_seconds: float = QUIET_SECONDS) -> APIRouter:
    """Serve the stream, to each for as long as `who` knows them."""
    router = APIRouter(prefix=PREFIX, tags=["events"])
    listening: list[Person] = []

    @router.get(
        "/events",
        response_class=StreamingResponse,
        responses={**PROBLEMS, 200: {"content": {"text/event-stream": {}}}},
    )
    async def get_events(
        request: Request,
        person: Annotated[Person, ANYONE],
        type_: Annotated[
            list[str] | None, Query(alias="type", max_length=50, description="CertificateIssued, …")
        ] = None,
        last_event_id: Annotated[
            str | None,
            Header(max_length=LONGEST_CURSOR, description="`0` for all that ever happened"),
        ] = None,
    ) -> StreamingResponse:
        """Tell what the caller may see, from now on, or from after `Last-Event-ID`.

        `data` is a CloudEvent in JSON; at least once, in order for each `subject`.
        """
        after = None if last_event_id is None else read_cursor(last_event_id)
        if len(listening) >= MOST_LISTENERS:
            raise _away(f"{MOST_LISTENERS} are listening already")
        if listening.count(person) >= MOST_OF_ONE:
            raise _away(f"{person.name} is listening {MOST_OF_ONE} times already")
        reading = _reading(parts.settings.kafka_servers, after, person, listening)

        async def is_welcome() -> bool:
            try:
                return await who(request) == person
            except Problem:  # nobody can tell now
                return False

        tell = partial(_shown, person=person, types=frozenset(type_ or ()))
        stream = _stream(reading, tell, is_welcome, quiet_seconds)
        try:
            first = await anext(stream)
        except KafkaError as error:
            raise _away(f"Kafka cannot be reached: {error}") from error

        async def told() -> AsyncIterator[str]:
            async with aclosing(stream):
                yield first
                async for piece in stream:
                    yield piece

        return StreamingResponse(told(), media_type="text/event-stream")

    return router


async def _stream(
    reading: Reading, tell: Tell, is_welcome: Callable[[], Awaitable[bool]], quiet_seconds: float
) -> AsyncGenerator[str, None]:
    """Yield where it begins, then every event that is told; where it stands when nothing is."""
    begun = time.monotonic()
    async with reading as (consumer, offsets):
        yield f"retry: 1000\nid: {cursor(offsets)}\n\n"
        spoken = time.monotonic()
        while time.monotonic() < begun + LONGEST_SECONDS:
            left = max(spoken + quiet_seconds - time.monotonic(), 0)
            found = await consumer.getmany(
                timeout_ms=math.ceil(left * 1000), max_records=MOST_AT_ONCE
            )
            if not await is_welcome():
                return
            for partition, records in found.items():
                for record in records:
                    offsets[partition] = record.offset + 1
                    if event := tell(record):
                        yield f"id: {cursor(offsets)}\n{event}\n\n"
                        spoken = time.monotonic()
            if time.monotonic() >= spoken + quiet_seconds:
                yield f":\nid: {cursor(offsets)}\n\n"
                spoken = time.monotonic()
            await asyncio.sleep(0)  # what is read already is given without a pause


@asynccontextmanager
async def _reading(
    servers: str, after: Offsets | None, person: Person, listening: list[Person]
) -> AsyncIterator[tuple[AIOKafkaConsumer, Offsets]]:
    """Read all topics from those offsets on, or from now on; nobody else's reading is touched."""
    listening.append(person)
    try:
        async with AIOKafkaConsumer(
            *TOPICS, bootstrap_servers=servers, group_id=None, auto_offset_reset="earliest"
        ) as consumer:
            partitions = consumer.assignment()
            if after is None:
                offsets = await consumer.end_offsets(partitions)
            else:
                offsets = {one: after.get(one, 0) for one in partitions}
            for partition, offset in offsets.items():
                consumer.seek(partition, offset)
            yield consumer, dict(offsets)
    finally:
        listening.remove(person)


def _shown(record: ConsumerRecord, *, person: Person, types: frozenset[str]) -> str | None:
    """Write one event, if it is for this person; they are our own, so they are well-formed."""
    attributes = {
        name.removeprefix("ce_"): value.decode()
        for name, value in record.headers
        if name.startswith("ce_") or name == "traceparent"
    }
    name = attributes["type"].split(".")[1]
    data: Mapping[str, Any] = from_json(record.value)
    if (types and name not in types) or not person.may_see(data["account_id"]):
        return None
    event = {**attributes, "datacontenttype": "application/json", "data": data}
    return f"event: {name}\ndata: {to_json(event).decode()}"


def cursor(offsets: Mapping[TopicPartition, int]) -> str:
    """Write where to go on: the offsets of each topic, `.` between them, `-` between topics."""
    return "-".join(
        ".".join(str(offsets[one]) for one in sorted(offsets) if one.topic == topic)
        for topic in TOPICS
    )


def read_cursor(text: str) -> Offsets:
    """Read what `cursor` has written; what is not mentioned is read from its beginning."""
    numbers = [part.split(".") for part in text.split("-")]
    if len(numbers) > len(TOPICS) or not all(
        one.isascii() and one.isdecimal() and len(one) < len(str(1 << 63))
        for part in numbers
        for one in part
        if part != [""]
    ):
        wrong = Objection(code="cursor_invalid", subject="last-event-id", message="is none of ours")
        raise invalid([wrong])
    return {
        TopicPartition(topic, number): int(one)
        for topic, part in zip(TOPICS, numbers, strict=False)
        for number, one in enumerate(part)
        if one
    }


def _away(reason: str) -> Problem:
    again = {"retry-after": RETRY_AFTER_SECONDS}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{reason}; try again", (), again)
