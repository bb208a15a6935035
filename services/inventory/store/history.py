"""What happened to instances: the journal of all that is said about them."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg

from services.inventory.domain.things import Instance
from shared.contracts.base import Event
from shared.contracts.combination import CombinationRequested
from shared.contracts.inventory import (
    InstancesReleased,
    InstancesReserved,
    InstanceStatusChanged,
    ReservationRefused,
)
from shared.decision import Thing
from shared.postgres import Transaction
from shared.reactions import World
from shared.road import Entry
from shared.writing import Writes, columns


def add_history(writes: Writes, entries: Sequence[Entry], world: World) -> None:
    """Note what is said about instances: when, and who set it off.

    What is said to an account about an instance that it does not own is none of its owner's.
    """
    rows = [
        (instance_id, entry.id, entry.at, entry.cause.actor or "certfold", _what(entry.fact))
        for entry in entries
        for instance_id in _instances_of(entry)
        if _is_of_its_owner(entry.fact, world.get((Instance, instance_id)))
    ]
    if rows:
        writes.add(
            """
            INSERT INTO history (instance_id, event_id, at, who, what)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[])
            """,
            *columns(rows, width=5),
        )


def _is_of_its_owner(fact: Event, instance: Thing | None) -> bool:
    owner = getattr(fact, "account_id", None)
    return owner is not None and isinstance(instance, Instance) and instance.account_id == owner


def _instances_of(entry: Entry) -> Iterable[UUID]:
    """Name the instances that a fact is about, each once; of a combination, all its members."""
    match entry.fact, entry.cause.message:
        case ((InstancesReserved() | ReservationRefused()), CombinationRequested() as asked):
            return dict.fromkeys(asked.member_instance_ids)
        case InstancesReleased() as released, _:
            return released.member_instance_ids
        case fact, _:
            instance_id: UUID | None = getattr(fact, "instance_id", None)
            return () if instance_id is None else (instance_id,)


def _what(fact: Event) -> str:
    name = type(fact).__name__
    match fact:
        case InstanceStatusChanged(status=status):
            return f"{name}: {status}"
        case InstancesReserved() | ReservationRefused() | InstancesReleased():
            return f"{name}: {fact.combination_id}"
        case _:
            return name


async def list_history(
    tx: Transaction, instance_id: UUID, after: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Read what happened to an instance, in order."""
    return await tx.fetch(
        """
        SELECT at, who, what, event_id FROM history
         WHERE instance_id = $1 AND ($2::uuid IS NULL OR event_id > $2)
         ORDER BY event_id LIMIT $3
        """,
        instance_id,
        after,
        limit,
    )
