"""What the combination service remembers: all of its SQL, each statement for a whole batch."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, assert_never
from uuid import UUID

import asyncpg

from services.combination.domain import Combination, Concluded, Refused, Requested, Stage
from shared.contracts.base import Objection
from shared.contracts.combination import RefundWaiver
from shared.postgres import Transaction, lock
from shared.writing import Writes


async def load_combinations(tx: Transaction, ids: Sequence[UUID]) -> Iterator[Combination]:
    """Read and lock combinations."""
    return map(_combination, await lock(tx, "combinations", ids))


async def find_combination(tx: Transaction, combination_id: UUID) -> Combination | None:
    """Read one combination without locking it."""
    row = await tx.fetchrow("SELECT * FROM combinations WHERE id = $1", combination_id)
    return None if row is None else _combination(row)


# What is shown: a concluded one is still asked for until the new instance is in the list.
STATUS = "CASE status WHEN 'concluded' THEN 'requested' ELSE status END"


async def list_combinations(
    tx: Transaction, account_id: str | None, status: str | None, after: UUID | None, limit: int
) -> list[Combination]:
    """Read combinations in the order of their ids; `status` is the one that is shown."""
    rows = await tx.fetch(
        f"""
        SELECT * FROM combinations
         WHERE ($1::text IS NULL OR account_id = $1) AND ($2::text IS NULL OR {STATUS} = $2)
           AND ($3::uuid IS NULL OR id > $3)
         ORDER BY id LIMIT $4
        """,  # noqa: S608 - all of it is ours
        account_id,
        status,
        after,
        limit,
    )
    return [_combination(row) for row in rows]


def save_combinations(writes: Writes, combinations: Sequence[Combination]) -> None:
    """Write combinations."""
    stages = [_stage_columns(c.stage) for c in combinations]
    writes.upsert(
        "combinations",
        {
            "id uuid": [c.id for c in combinations],
            "account_id text": [c.account_id for c in combinations],
            "member_instance_ids text": [
                " ".join(map(str, c.member_instance_ids)) for c in combinations
            ],
            "refund_waiver jsonb": [
                c.refund_waiver.model_dump_json() if c.refund_waiver else None for c in combinations
            ],
            "status text": [status for status, _ in stages],
            "outcome jsonb": [outcome for _, outcome in stages],
            "version integer": [c.version for c in combinations],
        },
    )


def _combination(row: asyncpg.Record) -> Combination:
    waiver = row["refund_waiver"]
    return Combination(
        id=row["id"],
        account_id=row["account_id"],
        member_instance_ids=tuple(map(UUID, row["member_instance_ids"].split())),
        refund_waiver=RefundWaiver.model_validate_json(waiver) if waiver else None,
        stage=_stage(row["status"], json.loads(row["outcome"])),
        version=row["version"],
    )


def _stage(status: str, outcome: Any) -> Stage:
    match status:
        case "requested":
            return Requested()
        case "concluded" | "combined":
            return Concluded(
                UUID(outcome["instance_id"]), outcome["instance_name"], status == "combined"
            )
        case "refused":
            return Refused(tuple(map(Objection.model_validate, outcome)))
        case _:
            raise ValueError(status)


def _stage_columns(stage: Stage) -> tuple[str, str]:
    match stage:
        case Requested():
            return "requested", "null"
        case Concluded(instance_id, instance_name, is_open):
            outcome = {"instance_id": str(instance_id), "instance_name": instance_name}
            return "combined" if is_open else "concluded", json.dumps(outcome)
        case Refused(objections):
            return "refused", json.dumps([one.model_dump() for one in objections])
        case _:
            assert_never(stage)
