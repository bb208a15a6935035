"""Inbox, outbox and topics, shared by the baseline's services."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

from asyncpg import Connection, Pool
from faststream import AckPolicy, Context
from faststream.kafka import KafkaMessage, KafkaRouter
from faststream.kafka.subscriber.usecase import DefaultSubscriber

from shared.contracts.base import Event

Database = Annotated[Pool, Context("pool")]


def topic(event: type[Event]) -> str:
    """Return the baseline's own topic for that event."""
    return f"baseline.{event.topic}"


def listen(router: KafkaRouter, event: type[Event], group: str) -> DefaultSubscriber:
    """Subscribe to the topic of that event; whatever has no handler of its own is passed by."""
    return router.subscriber(
        topic(event),
        group_id=f"baseline-{group}",
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )


def is_a(event: type[Event]) -> Callable[[KafkaMessage], Awaitable[bool]]:
    """Pick messages by their type."""

    async def matches(message: KafkaMessage) -> bool:
        return message.headers.get("ce_type") == event.type

    return matches


async def pass_by(_: object) -> None:
    """Do nothing about an event that does not concern this service."""


async def is_new(connection: Connection, consumer: str, message: KafkaMessage) -> bool:
    """Remember the message; say whether it comes for the first time."""
    status = await connection.execute(
        "INSERT INTO inbox (consumer, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        consumer,
        message.headers["ce_id"],
    )
    return status == "INSERT 0 1"


async def publish(connection: Connection, source: str, *events: Event) -> None:
    """Put events in the outbox, in the transaction that they belong to."""
    now = datetime.now(UTC).isoformat()
    rows = [
        (
            topic(type(event)),
            event.subject,
            json.dumps(
                {
                    "ce_specversion": "1.0",
                    "ce_id": str(uuid4()),
                    "ce_source": f"/baseline/{source}",
                    "ce_type": event.type,
                    "ce_time": now,
                    "ce_subject": event.subject,
                    "content-type": "application/json",
                }
            ),
            event.model_dump_json(),
        )
        for event in events
    ]
    await connection.executemany(
        "INSERT INTO outbox (topic, key, headers, value) VALUES ($1, $2, $3, $4)", rows
    )
