"""Accounts, and what they have bought."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import asyncpg

from services.inventory.domain.things import Account, Purchase
from shared.contracts.purchases import PurchaseCompleted
from shared.memory import Written
from shared.postgres import Transaction, lock
from shared.writing import Writes


async def load_accounts(tx: Transaction, ids: Sequence[UUID]) -> Iterator[Account]:
    """Read and lock accounts."""
    return (Account(**row) for row in await lock(tx, "accounts", ids))


async def find_account(tx: Transaction, key: UUID) -> Account | None:
    """Read what an account has chosen, if it ever chose."""
    row = await tx.fetchrow("SELECT * FROM accounts WHERE id = $1", key)
    return None if row is None else Account(**row)


def save_accounts(writes: Writes, accounts: Sequence[Account]) -> None:
    """Write accounts."""
    writes.upsert(
        "accounts",
        {
            "id uuid": [a.id for a in accounts],
            "account_id text": [a.account_id for a in accounts],
            "auto_create boolean": [a.auto_create for a in accounts],
            "version integer": [a.version for a in accounts],
        },
    )


async def load_purchases(tx: Transaction, ids: Sequence[UUID]) -> Iterator[Purchase]:
    """Read and lock purchases."""
    return map(_purchase, await lock(tx, "purchases", ids))


def save_purchases(writes: Writes, purchases: Sequence[Purchase]) -> None:
    """Write purchases."""
    writes.upsert(
        "purchases",
        {
            "id uuid": [p.id for p in purchases],
            "source text": [p.content.source for p in purchases],
            "purchase_id text": [p.content.purchase_id for p in purchases],
            "account_id text": [p.content.account_id for p in purchases],
            "content jsonb": [_content_json(p.id, p.content) for p in purchases],
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


_content_json = Written(PurchaseCompleted.model_dump_json)


def _purchase(row: asyncpg.Record) -> Purchase:
    content = PurchaseCompleted.model_validate_json(row["content"]).heard_from(row["source"])
    heard = tuple(map(UUID, row["heard"].split()))
    return Purchase(row["id"], content, row["created"], row["refunded"], heard, row["version"])
