"""What the console remembers: all of its SQL, each statement for a whole batch."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import asyncpg

from services.console.domain import Token
from shared.postgres import Transaction, lock
from shared.writing import Writes


async def load_tokens(tx: Transaction, ids: Sequence[UUID]) -> Iterator[Token]:
    """Read and lock tokens."""
    return map(_token, await lock(tx, "tokens", ids))


def save_tokens(writes: Writes, tokens: Sequence[Token]) -> None:
    """Write tokens."""
    writes.upsert(
        "tokens",
        {
            "id uuid": [one.id for one in tokens],
            "name text": [one.name for one in tokens],
            "role text": [one.role for one in tokens],
            "account_id text": [one.account_id for one in tokens],
            "sha256 bytea": [one.sha256 for one in tokens],
            "issued_by text": [one.issued_by for one in tokens],
            "issued_at timestamptz": [one.issued_at for one in tokens],
            "is_listed boolean": [one.is_listed for one in tokens],
            "revoked_at timestamptz": [one.revoked_at for one in tokens],
            "revoked_by text": [one.revoked_by for one in tokens],
            "version integer": [one.version for one in tokens],
        },
    )


async def find_token(tx: Transaction, token_id: UUID) -> Token | None:
    """Read one token without locking it."""
    row = await tx.fetchrow("SELECT * FROM tokens WHERE id = $1", token_id)
    return None if row is None else _token(row)


async def find_valid(tx: Transaction, sha256: bytes) -> Token | None:
    """Read the token with this SHA-256, unless it was revoked."""
    row = await tx.fetchrow("SELECT * FROM tokens WHERE sha256 = $1 AND revoked_at IS NULL", sha256)
    return None if row is None else _token(row)


async def list_tokens(tx: Transaction, after: UUID | None, limit: int) -> list[Token]:
    """Read tokens in the order of their ids, at most `limit`, revoked ones too."""
    rows = await tx.fetch(
        "SELECT * FROM tokens WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2",
        after,
        limit,
    )
    return [_token(row) for row in rows]


async def list_known_ids(tx: Transaction, sha256s: Sequence[bytes]) -> list[UUID]:
    """Read the ids of what the file of people has brought so far, and of who has these tokens."""
    rows = await tx.fetch(
        "SELECT id FROM tokens WHERE is_listed OR sha256 = ANY($1::bytea[]) ORDER BY id", sha256s
    )
    return [row["id"] for row in rows]


def _token(row: asyncpg.Record) -> Token:
    return Token(**dict(row.items()))
