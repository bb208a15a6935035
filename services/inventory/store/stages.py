"""How the stage of an instance is written in columns, and read from them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

import asyncpg

from services.inventory.domain.things import (
    Claimed,
    Combined,
    Issued,
    PendingApplication,
    Refunded,
    Reserved,
    Revoked,
    Stage,
    ValidationFailed,
)


@dataclass(frozen=True, slots=True)
class Columns:
    """A stage, as it is written."""

    stage: str
    holder: UUID | None = None
    result: UUID | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    refunded_at: datetime | None = None


# How to read what `to_columns` has written.
STAGES: dict[str, Callable[[asyncpg.Record], Stage]] = {
    "pending_application": lambda _: PendingApplication(),
    "reserved": lambda row: Reserved(row["holder"], row["result"]),
    "combined": lambda row: Combined(row["holder"], row["result"]),
    "pending_validation": lambda row: Claimed(row["holder"]),
    "under_review": lambda row: Claimed(row["holder"], under_review=True),
    "validation_failed": lambda row: ValidationFailed(row["holder"]),
    "issued": lambda row: Issued(row["holder"], row["result"], row["not_before"], row["not_after"]),
    "revoked": lambda row: Revoked(row["holder"], row["result"]),
    "refunded": lambda row: Refunded(row["refunded_at"]),
}


def to_columns(stage: Stage) -> Columns:
    """Write a stage; `STAGES` reads it."""
    match stage:
        case PendingApplication():
            return Columns("pending_application")
        case Refunded(at):
            return Columns("refunded", refunded_at=at)
        case Claimed(holder, under_review):
            return Columns("under_review" if under_review else "pending_validation", holder)
        case Issued(holder, certificate_id, not_before, not_after):
            return Columns("issued", holder, certificate_id, not_before, not_after)
        case Reserved() | Combined() | ValidationFailed() | Revoked():
            return _of_held(stage)
        case _:
            assert_never(stage)


def _of_held(stage: Reserved | Combined | ValidationFailed | Revoked) -> Columns:
    match stage:
        case Reserved(holder, failed):
            return Columns("reserved", holder, failed)
        case Combined(holder, into):
            return Columns("combined", holder, into)
        case ValidationFailed(holder):
            return Columns("validation_failed", holder)
        case Revoked(holder, certificate_id):
            return Columns("revoked", holder, certificate_id)
        case _:
            assert_never(stage)
