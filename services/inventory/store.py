"""What the inventory remembers: all of its SQL, each statement for a whole batch."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

import asyncpg

from services.inventory.domain.policy import EXPIRY_FRACTION
from services.inventory.domain.things import (
    Account,
    Claimed,
    Combined,
    Instance,
    Issued,
    PendingApplication,
    Purchase,
    Refunded,
    Reserved,
    Revoked,
    Stage,
    ValidationFailed,
)
from shared.contracts.base import Event, Names
from shared.contracts.inventory import InstanceStatusChanged
from shared.contracts.purchases import Price, PurchaseCompleted
from shared.outbox import columns
from shared.postgres import Transaction, lock, upsert
from shared.road import Entry

# What is shown: stages, and what time makes of them. $1 is always the present moment.
STATUS = f"""
    CASE WHEN stage = 'reserved' AND result IS NULL THEN 'pending_application'
         WHEN stage = 'reserved' THEN 'validation_failed'
         WHEN stage = 'issued' AND not_after < $1 THEN 'expired'
         WHEN stage = 'issued' AND not_after - (not_after - not_before) / {EXPIRY_FRACTION} < $1
         THEN 'about_to_expire'
         ELSE stage END
"""


async def load_accounts(tx: Transaction, ids: Sequence[UUID]) -> Iterator[Account]:
    """Read and lock accounts."""
    return (Account(**row) for row in await lock(tx, "accounts", ids))


async def find_account(tx: Transaction, key: UUID) -> Account | None:
    """Read what an account has chosen, if it ever chose."""
    row = await tx.fetchrow("SELECT * FROM accounts WHERE id = $1", key)
    return None if row is None else Account(**row)


async def save_accounts(tx: Transaction, accounts: Sequence[Account]) -> None:
    """Write accounts."""
    await upsert(
        tx,
        "accounts",
        {
            "id uuid": [a.id for a in accounts],
            "account_id text": [a.account_id for a in accounts],
            "auto_create boolean": [a.auto_create for a in accounts],
            "version integer": [a.version for a in accounts],
        },
    )


async def add_history(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Note what is said about instances: when, and who set it off.

    What is said to an account about an instance that it does not own is none of its owner's.
    """
    rows = [
        (instance_id, entry.id, entry.at, entry.cause.actor or "certfold", _what(fact), owner)
        for entry in entries
        if (instance_id := getattr(fact := entry.fact, "instance_id", None))
        and (owner := getattr(fact, "account_id", None))
    ]
    if rows:
        await tx.execute(
            """
            INSERT INTO history (instance_id, event_id, at, who, what)
            SELECT instance_id, event_id, at, who, what
              FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[],
                          $6::text[]) AS one (instance_id, event_id, at, who, what, owner)
              JOIN instances ON id = instance_id AND account_id = owner
            """,
            *columns(rows, width=6),
        )


def _what(fact: Event) -> str:
    name = type(fact).__name__
    return f"{name}: {fact.status}" if isinstance(fact, InstanceStatusChanged) else name


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
            "refunded integer": [p.refunded for p in purchases],
            "heard text": [" ".join(map(str, p.heard)) for p in purchases],
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
           AND created + refunded < quantity
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
            "purchase uuid": [i.purchase for i in instances],
            "paid_at timestamptz": [i.paid_at for i in instances],
            "member_ids text": [" ".join(map(str, i.member_ids)) for i in instances],
            "price_amount numeric": [i.price.amount if i.price else None for i in instances],
            "price_currency text": [i.price.currency if i.price else None for i in instances],
            "lot_id uuid": [i.lot_id for i in instances],
            "hosted boolean": [i.hosted for i in instances],
            "remark text": [i.remark for i in instances],
            "tags jsonb": [json.dumps(i.tags) for i in instances],
            "stage text": [one.stage for one in stages],
            "holder uuid": [one.holder for one in stages],
            "result uuid": [one.result for one in stages],
            "not_before timestamptz": [one.not_before for one in stages],
            "not_after timestamptz": [one.not_after for one in stages],
            "refunded_at timestamptz": [one.refunded_at for one in stages],
            "former uuid": [one.former for one in stages],
            "version integer": [i.version for i in instances],
        },
    )


def _purchase(row: asyncpg.Record) -> Purchase:
    content = PurchaseCompleted.model_validate_json(row["content"]).heard_from(row["source"])
    heard = tuple(map(UUID, row["heard"].split()))
    return Purchase(row["id"], content, row["created"], row["refunded"], heard, row["version"])


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
        stage=STAGES[row["stage"]](row),
        version=row["version"],
    )


@dataclass(frozen=True, slots=True)
class _Columns:
    """A stage, as it is written."""

    stage: str
    holder: UUID | None = None
    result: UUID | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    refunded_at: datetime | None = None
    former: UUID | None = None


# How to read what `_stage_columns` has written.
STAGES: dict[str, Callable[[asyncpg.Record], Stage]] = {
    "pending_application": lambda row: PendingApplication(row["former"]),
    "reserved": lambda row: Reserved(row["holder"], row["result"], row["former"]),
    "combined": lambda row: Combined(row["holder"], row["result"]),
    "pending_validation": lambda row: Claimed(row["holder"]),
    "under_review": lambda row: Claimed(row["holder"], under_review=True),
    "validation_failed": lambda row: ValidationFailed(row["holder"]),
    "issued": lambda row: Issued(row["holder"], row["result"], row["not_before"], row["not_after"]),
    "revoked": lambda row: Revoked(row["holder"], row["result"]),
    "refunded": lambda row: Refunded(row["refunded_at"]),
}


def _stage_columns(stage: Stage) -> _Columns:
    match stage:
        case PendingApplication(withdrawn):
            return _Columns("pending_application", former=withdrawn)
        case Refunded(at):
            return _Columns("refunded", refunded_at=at)
        case Claimed(holder, under_review):
            return _Columns("under_review" if under_review else "pending_validation", holder)
        case Issued(holder, certificate_id, not_before, not_after):
            return _Columns("issued", holder, certificate_id, not_before, not_after)
        case Reserved() | Combined() | ValidationFailed() | Revoked():
            return _held_columns(stage)
        case _:
            assert_never(stage)


def _held_columns(stage: Reserved | Combined | ValidationFailed | Revoked) -> _Columns:
    match stage:
        case Reserved(holder, failed, withdrawn):
            return _Columns("reserved", holder, failed, former=withdrawn)
        case Combined(holder, into):
            return _Columns("combined", holder, into)
        case ValidationFailed(holder):
            return _Columns("validation_failed", holder)
        case Revoked(holder, certificate_id):
            return _Columns("revoked", holder, certificate_id)
        case _:
            assert_never(stage)
