"""What the inventory remembers: all of its SQL, each statement for a whole batch."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import assert_never
from uuid import UUID

import asyncpg

from services.inventory.domain.policy import EXPIRY_FRACTION
from services.inventory.domain.things import (
    Claimed,
    Combined,
    Instance,
    Issued,
    PendingApplication,
    Purchase,
    Reserved,
    Stage,
    ValidationFailed,
)
from shared.contracts.base import Names
from shared.contracts.purchases import PurchaseCompleted
from shared.postgres import Transaction, lock, upsert

# What is shown: stages, and what time makes of them. $1 is always the present moment.
STATUS = f"""
    CASE WHEN stage = 'reserved' THEN 'pending_application'
         WHEN stage = 'issued' AND not_after < $1 THEN 'expired'
         WHEN stage = 'issued' AND not_after - (not_after - not_before) / {EXPIRY_FRACTION} < $1
         THEN 'about_to_expire'
         ELSE stage END
"""


async def load_purchases(tx: Transaction, ids: Sequence[UUID]) -> Iterator[Purchase]:
    """Read and lock purchases."""
    return map(_purchase, await lock(tx, "purchases", ids))


async def save_purchases(tx: Transaction, purchases: Sequence[Purchase]) -> None:
    """Write purchases."""
    await upsert(
        tx,
        "purchases",
        {
            "id uuid": [p.id for p in purchases],
            "source text": [p.content.source for p in purchases],
            "purchase_id text": [p.content.purchase_id for p in purchases],
            "account_id text": [p.content.account_id for p in purchases],
            "content jsonb": [p.content.model_dump_json() for p in purchases],
            "created integer": [p.created for p in purchases],
            "quantity integer": [p.content.quantity for p in purchases],
            "version integer": [p.version for p in purchases],
        },
    )


async def find_purchases(tx: Transaction, account_id: str, purchase_id: str) -> list[Purchase]:
    """Read what shops have called so; more than one shop may."""
    rows = await tx.fetch(
        "SELECT * FROM purchases WHERE account_id = $1 AND purchase_id = $2 ORDER BY id",
        account_id,
        purchase_id,
    )
    return [_purchase(row) for row in rows]


async def list_quota(
    tx: Transaction, account_id: str | None, after: UUID | None, limit: int
) -> list[Purchase]:
    """Read purchases that are not yet wholly instances."""
    rows = await tx.fetch(
        """
        SELECT * FROM purchases
         WHERE ($1::text IS NULL OR account_id = $1) AND ($2::uuid IS NULL OR id > $2)
           AND created < quantity
         ORDER BY id LIMIT $3
        """,
        account_id,
        after,
        limit,
    )
    return [_purchase(row) for row in rows]


async def load_instances(tx: Transaction, ids: Sequence[UUID]) -> Iterator[Instance]:
    """Read and lock instances."""
    return map(_instance, await lock(tx, "instances", ids))


async def find_instances(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Instance]:
    """Read instances without locking them."""
    rows = await tx.fetch("SELECT * FROM instances WHERE id = ANY($1::uuid[])", ids)
    return {row["id"]: _instance(row) for row in rows}


async def list_instances(
    tx: Transaction,
    now: datetime,
    account_id: str | None,
    *,
    status: str | None = None,
    part_of_name: str | None = None,
    brand: str | None = None,
    certificate_type: str | None = None,
    purchase_id: str | None = None,
    instance_id: UUID | None = None,
    after: UUID | None = None,
    limit: int = 1,
) -> list[tuple[Instance, str]]:
    """Read instances with the status that each is shown with, oldest first."""
    rows = await tx.fetch(
        f"""
        SELECT *, {STATUS} AS status FROM instances
         WHERE ($2::text IS NULL OR account_id = $2) AND ($3::text IS NULL OR {STATUS} = $3)
           AND ($4::text IS NULL OR strpos(lower(name), lower($4)) > 0)
           AND ($5::text IS NULL OR brand = lower($5))
           AND ($6::text IS NULL OR certificate_type = upper($6))
           AND ($7::text IS NULL OR purchase_id = $7)
           AND ($8::uuid IS NULL OR id = $8) AND ($9::uuid IS NULL OR id > $9)
         ORDER BY id LIMIT $10
        """,  # noqa: S608 - STATUS is ours
        now,
        account_id,
        status,
        part_of_name,
        brand,
        certificate_type,
        purchase_id,
        instance_id,
        after,
        limit,
    )
    return [(_instance(row), row["status"]) for row in rows]


async def list_lot(tx: Transaction, now: datetime, lot_id: UUID) -> list[tuple[Instance, str]]:
    """Read what one request has made."""
    rows = await tx.fetch(
        f"SELECT *, {STATUS} AS status FROM instances WHERE lot_id = $2 ORDER BY id",  # noqa: S608
        now,
        lot_id,
    )
    return [(_instance(row), row["status"]) for row in rows]


async def save_instances(tx: Transaction, instances: Sequence[Instance]) -> None:
    """Write instances."""
    stages = [_stage_columns(i.stage) for i in instances]
    await upsert(
        tx,
        "instances",
        {
            "id uuid": [i.id for i in instances],
            "account_id text": [i.account_id for i in instances],
            "name text": [i.name for i in instances],
            "brand text": [i.brand for i in instances],
            "certificate_type text": [i.certificate_type for i in instances],
            "single_names integer": [i.names.single for i in instances],
            "wildcard_names integer": [i.names.wildcard for i in instances],
            "ip_names integer": [i.names.ip for i in instances],
            "term_years integer": [i.term_years for i in instances],
            "created_at timestamptz": [i.created_at for i in instances],
            "purchase_id text": [i.purchase_id for i in instances],
            "paid_at timestamptz": [i.paid_at for i in instances],
            "member_ids text": [" ".join(map(str, i.member_ids)) for i in instances],
            "lot_id uuid": [i.lot_id for i in instances],
            "stage text": [stage[0] for stage in stages],
            "holder uuid": [stage[1] for stage in stages],
            "result uuid": [stage[2] for stage in stages],
            "not_before timestamptz": [stage[3] for stage in stages],
            "not_after timestamptz": [stage[4] for stage in stages],
            "version integer": [i.version for i in instances],
        },
    )


def _purchase(row: asyncpg.Record) -> Purchase:
    content = PurchaseCompleted.model_validate_json(row["content"]).heard_from(row["source"])
    return Purchase(row["id"], content, row["created"], row["version"])


def _instance(row: asyncpg.Record) -> Instance:
    return Instance(
        id=row["id"],
        account_id=row["account_id"],
        name=row["name"],
        brand=row["brand"],
        certificate_type=row["certificate_type"],
        names=Names.model_construct(
            single=row["single_names"], wildcard=row["wildcard_names"], ip=row["ip_names"]
        ),
        term_years=row["term_years"],
        created_at=row["created_at"],
        purchase_id=row["purchase_id"],
        paid_at=row["paid_at"],
        member_ids=tuple(map(UUID, row["member_ids"].split())),
        lot_id=row["lot_id"],
        stage=_stage(row),
        version=row["version"],
    )


def _stage(row: asyncpg.Record) -> Stage:
    match row["stage"]:
        case "pending_application":
            return PendingApplication()
        case "reserved":
            return Reserved(row["holder"])
        case "combined":
            return Combined(row["holder"], row["result"])
        case "pending_validation" | "under_review" as stage:
            return Claimed(row["holder"], under_review=stage == "under_review")
        case "validation_failed":
            return ValidationFailed(row["holder"])
        case "issued":
            return Issued(row["holder"], row["result"], row["not_before"], row["not_after"])
        case unknown:
            raise ValueError(unknown)


def _stage_columns(
    stage: Stage,
) -> tuple[str, UUID | None, UUID | None, datetime | None, datetime | None]:
    match stage:
        case PendingApplication():
            return "pending_application", None, None, None, None
        case Reserved(holder):
            return "reserved", holder, None, None, None
        case Combined(holder, into):
            return "combined", holder, into, None, None
        case Claimed(holder, under_review):
            name = "under_review" if under_review else "pending_validation"
            return name, holder, None, None, None
        case ValidationFailed(holder):
            return "validation_failed", holder, None, None, None
        case Issued(holder, certificate_id, not_before, not_after):
            return "issued", holder, certificate_id, not_before, not_after
        case _:
            assert_never(stage)
