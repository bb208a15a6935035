"""Instances: how they are written, read, locked, listed and searched."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.inventory.domain.policy import EXPIRY_FRACTION
from services.inventory.domain.things import Instance
from services.inventory.store.stages import STAGES, to_columns
from shared.contracts.base import Names
from shared.contracts.purchases import Price
from shared.ids import text_of
from shared.postgres import Transaction, lock
from shared.writing import Writes

# What is shown: stages, and what time makes of them. $1 is always the present moment.
STATUS = f"""
    CASE WHEN stage = 'reserved' AND result IS NULL THEN 'pending_application'
         WHEN stage = 'reserved' THEN 'validation_failed'
         WHEN stage = 'issued' AND not_after < $1 THEN 'expired'
         WHEN stage = 'issued' AND not_after - (not_after - not_before) / {EXPIRY_FRACTION} < $1
         THEN 'about_to_expire'
         ELSE stage END
"""


async def load_instances(tx: Transaction, ids: Sequence[UUID]) -> Iterator[Instance]:
    """Read and lock instances."""
    return map(_instance, await lock(tx, "instances", ids))


async def find_instances(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Instance]:
    """Read instances without locking them."""
    rows = await tx.fetch("SELECT * FROM instances WHERE id = ANY($1::uuid[]) ORDER BY id", ids)
    return {row["id"]: _instance(row) for row in rows}


# What a list may be sorted by; equals follow by id, which is by age.
SORTS = {
    "created_at": "id",
    "name": "lower(name)",
    "names_total": "single_names + wildcard_names + ip_names",
    "paid_at": "coalesce(paid_at, 'infinity')",
}


def _sorted(sort: str) -> tuple[str, str]:
    """Write the condition to come after the row $9, and the order; `-` turns it round."""
    by = SORTS[sort.removeprefix("-")]
    after, way = ("<", "DESC") if sort.startswith("-") else (">", "ASC")
    if by == "id":
        return f"id {after} $9", f"id {way}"
    last = f"(SELECT {by}, id FROM instances WHERE id = $9)"  # noqa: S608 - `by` is ours
    return f"({by}, id) {after} {last}", f"{by} {way}, id {way}"


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
    tag: str | None = None,
    instance_id: UUID | None = None,
    sort: str = "created_at",
    after: UUID | None = None,
    limit: int = 1,
) -> list[tuple[Instance, str]]:
    """Read instances with the status that each is shown with; `sort` is one of SORTS, or -it."""
    follows, order = _sorted(sort)
    rows = await tx.fetch(
        f"""
        SELECT *, {STATUS} AS status FROM instances
         WHERE ($2::text IS NULL OR account_id = $2) AND ($3::text IS NULL OR {STATUS} = $3)
           AND ($4::text IS NULL OR strpos(lower(name), lower($4)) > 0)
           AND ($5::text IS NULL OR brand = lower($5))
           AND ($6::text IS NULL OR certificate_type = upper($6))
           AND ($7::text IS NULL OR purchase_id = $7)
           AND ($8::uuid IS NULL OR id = $8) AND ($9::uuid IS NULL OR {follows})
           AND ($11::text IS NULL OR tags ? $11)
         ORDER BY {order} LIMIT $10
        """,  # noqa: S608 - all of it is ours
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
        tag,
    )
    return [(_instance(row), row["status"]) for row in rows]


async def list_combinable(tx: Transaction, account_id: str, limit: int) -> list[Instance]:
    """Read what an account may apply for or combine."""
    rows = await tx.fetch(
        """
        SELECT * FROM instances
         WHERE account_id = $1 AND stage IN ('pending_application', 'validation_failed')
         ORDER BY id LIMIT $2
        """,
        account_id,
        limit,
    )
    return [_instance(row) for row in rows]


async def list_lot(tx: Transaction, now: datetime, lot_id: UUID) -> list[tuple[Instance, str]]:
    """Read what one request has made."""
    rows = await tx.fetch(
        f"SELECT *, {STATUS} AS status FROM instances WHERE lot_id = $2 ORDER BY id",  # noqa: S608
        now,
        lot_id,
    )
    return [(_instance(row), row["status"]) for row in rows]


def save_instances(writes: Writes, instances: Sequence[Instance]) -> None:
    """Write instances."""
    stages = [to_columns(i.stage) for i in instances]
    writes.upsert(
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
            "purchase uuid": [i.purchase for i in instances],
            "paid_at timestamptz": [i.paid_at for i in instances],
            "member_ids text": [" ".join(map(text_of, i.member_ids)) for i in instances],
            "price_amount numeric": [i.price.amount if i.price else None for i in instances],
            "price_currency text": [i.price.currency if i.price else None for i in instances],
            "lot_id uuid": [i.lot_id for i in instances],
            "hosted boolean": [i.hosted for i in instances],
            "remark text": [i.remark for i in instances],
            "tags jsonb": [json.dumps(i.tags) if i.tags else "[]" for i in instances],
            "stage text": [one.stage for one in stages],
            "holder uuid": [one.holder for one in stages],
            "result uuid": [one.result for one in stages],
            "not_before timestamptz": [one.not_before for one in stages],
            "not_after timestamptz": [one.not_after for one in stages],
            "refunded_at timestamptz": [one.refunded_at for one in stages],
            "decided text": [" ".join(map(text_of, i.decided)) for i in instances],
            "version integer": [i.version for i in instances],
        },
    )


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
        purchase=row["purchase"],
        paid_at=row["paid_at"],
        member_ids=tuple(map(UUID, row["member_ids"].split())),
        price=Price.model_construct(amount=row["price_amount"], currency=row["price_currency"])
        if row["price_currency"]
        else None,
        lot_id=row["lot_id"],
        hosted=row["hosted"],
        remark=row["remark"],
        tags=tuple(json.loads(row["tags"])),
        decided=tuple(map(UUID, row["decided"].split())),
        stage=STAGES[row["stage"]](row),
        version=row["version"],
    )
