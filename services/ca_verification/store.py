"""What the CA's verification remembers: all of its SQL, each statement for a whole batch."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from services.ca_verification.domain.things import (
    Application,
    Issued,
    NameCheck,
    NotLinted,
    Rejected,
    Revoked,
    Signing,
    Stage,
    Task,
    Verifying,
    Withdrawn,
)
from services.ca_verification.domain.waiting import open_tasks
from shared.contracts.application import ApplicationSubmitted
from shared.contracts.base import OURS
from shared.contracts.ca_verification import Waiting
from shared.ids import text_of
from shared.memory import Written
from shared.postgres import Transaction, lock
from shared.writing import Writes

STAGES: dict[str, TypeAdapter[Stage]] = {
    "verifying": TypeAdapter(Verifying),
    "notlinted": TypeAdapter(NotLinted),
    "signing": TypeAdapter(Signing),
    "issued": TypeAdapter(Issued),
    "revoked": TypeAdapter(Revoked),
    "rejected": TypeAdapter(Rejected),
    "withdrawn": TypeAdapter(Withdrawn),
}
REVOKED = TypeAdapter(Revoked)
NAMES = TypeAdapter(tuple[NameCheck, ...])
TASKS = TypeAdapter(tuple[Task, ...])
TOLD = TypeAdapter(tuple[Waiting, ...])


async def load_applications(tx: Transaction, ids: Sequence[UUID]) -> Iterator[Application]:
    """Read and lock applications."""
    return map(_application, await lock(tx, "applications", ids))


async def find_application(tx: Transaction, application_id: UUID) -> Application | None:
    """Read one application without locking it."""
    row = await tx.fetchrow("SELECT * FROM applications WHERE id = $1", application_id)
    return None if row is None else _application(row)


async def find_application_of_task(tx: Transaction, task_id: UUID) -> Application | None:
    """Read the application that a task belongs to."""
    row = await tx.fetchrow(
        "SELECT * FROM applications WHERE task_ids @> jsonb_build_array($1::text)", str(task_id)
    )
    return None if row is None else _application(row)


async def list_applications(
    tx: Transaction,
    account_id: str | None,
    *,
    with_open_tasks: bool,
    after: UUID | None,
    limit: int,
) -> list[Application]:
    """Read applications, oldest first; only those with something to decide, if wished."""
    wanted = "has_open_tasks" if with_open_tasks else "true"
    rows = await tx.fetch(
        f"""
        SELECT * FROM applications
         WHERE {wanted} AND ($1::text IS NULL OR account_id = $1) AND ($2::uuid IS NULL OR id > $2)
         ORDER BY id LIMIT $3
        """,  # noqa: S608 - one of two words of ours
        account_id,
        after,
        limit,
    )
    return [_application(row) for row in rows]


async def count_revoked(tx: Transaction) -> int:
    """Count what was ever revoked; it only grows."""
    count: int = await tx.fetchval("SELECT count(*) FROM applications WHERE stage = 'revoked'")
    return count


async def list_revoked(tx: Transaction, since: datetime) -> list[Revoked]:
    """Read the revoked certificates that had not expired at `since` anyway."""
    rows = await tx.fetch(
        """
        SELECT details FROM applications
         WHERE stage = 'revoked' AND (details->>'not_after')::timestamptz >= $1 ORDER BY id
        """,
        since,
    )
    return [REVOKED.validate_json(row["details"]) for row in rows]


def save_applications(writes: Writes, applications: Sequence[Application]) -> None:
    """Write applications."""
    writes.upsert(
        "applications",
        {
            "id uuid": [a.id for a in applications],
            "account_id text": [a.submitted.account_id for a in applications],
            "submitted jsonb": [_submitted_json(a.id, a.submitted) for a in applications],
            "names jsonb": [_names_json(a.id, a.names) for a in applications],
            "tasks jsonb": [_tasks_json(a.id, a.tasks) for a in applications],
            "task_ids jsonb": [_task_ids_json(a.id, a.tasks) for a in applications],
            "has_open_tasks boolean": [_has_open_tasks(a) for a in applications],
            "expected_by timestamptz": [a.expected_by for a in applications],
            "told jsonb": [_told_json(a.id, a.told) for a in applications],
            "overdue boolean": [a.overdue for a in applications],
            "stage text": [_stage_name(a.stage) for a in applications],
            "details jsonb": [_stage_json(a.id, a.stage) for a in applications],
            "serial_number text": [_serial_number(a.stage) for a in applications],
            "version integer": [a.version for a in applications],
        },
        fixed=("account_id", "submitted"),
    )


_submitted_json = Written(ApplicationSubmitted.model_dump_json)
_names_json = Written[tuple[NameCheck, ...]](lambda names: _json(NAMES, names))
_tasks_json = Written[tuple[Task, ...]](lambda tasks: _json(TASKS, tasks))
_task_ids_json = Written[tuple[Task, ...]](
    lambda tasks: json.dumps([text_of(task.id) for task in tasks])
)
_told_json = Written[tuple[Waiting, ...]](lambda told: _json(TOLD, told))
_stage_json = Written[Stage](lambda stage: _json(STAGES[_stage_name(stage)], stage))


def _json(adapter: TypeAdapter[Any], value: object) -> str:
    return adapter.dump_json(value).decode()


def _has_open_tasks(application: Application) -> bool:
    return isinstance(application.stage, Verifying) and any(open_tasks(application))


def _application(row: asyncpg.Record) -> Application:
    return Application(
        id=row["id"],
        submitted=ApplicationSubmitted.model_validate_json(row["submitted"], context=OURS),
        names=NAMES.validate_json(row["names"]),
        tasks=TASKS.validate_json(row["tasks"]),
        expected_by=row["expected_by"],
        told=TOLD.validate_json(row["told"]),
        overdue=row["overdue"],
        stage=STAGES[row["stage"]].validate_json(row["details"]),
        version=row["version"],
    )


def _stage_name(stage: Stage) -> str:
    return type(stage).__name__.lower()


def _serial_number(stage: Stage) -> str | None:
    match stage:
        case Signing() | Issued() | Revoked():
            return stage.serial_number
        case Verifying() | NotLinted() | Rejected() | Withdrawn():
            return None
        case _:
            assert_never(stage)
