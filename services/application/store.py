"""What the application service remembers: all of its SQL, each statement for a whole batch."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from services.application.domain.things import (
    Application,
    Certificate,
    Claimed,
    Failed,
    Form,
    Issued,
    Key,
    Refused,
    Requested,
    Stage,
    Submitted,
    UsedKey,
    Withdrawn,
)
from shared.contracts.base import OURS, Objection
from shared.memory import Written
from shared.postgres import Transaction, lock
from shared.writing import Writes

STAGES: dict[str, TypeAdapter[Stage]] = {
    "requested": TypeAdapter(Requested),
    "refused": TypeAdapter(Refused),
    "claimed": TypeAdapter(Claimed),
    "submitted": TypeAdapter(Submitted),
    "failed": TypeAdapter(Failed),
    "withdrawn": TypeAdapter(Withdrawn),
    "issued": TypeAdapter(Issued),
}
FORM = TypeAdapter(Form)
OBJECTIONS = TypeAdapter(tuple[Objection, ...])
CERTIFICATE = TypeAdapter(Certificate)


async def load_applications(tx: Transaction, ids: Sequence[UUID]) -> Iterator[Application]:
    """Read and lock applications."""
    return map(_application, await lock(tx, "applications", ids))


async def find_application(tx: Transaction, application_id: UUID) -> Application | None:
    """Read one application without locking it."""
    row = await tx.fetchrow("SELECT * FROM applications WHERE id = $1", application_id)
    return None if row is None else _application(row)


async def list_applications(
    tx: Transaction, account_id: str | None, after: UUID | None, limit: int
) -> list[Application]:
    """Read applications, oldest first."""
    rows = await tx.fetch(
        """
        SELECT * FROM applications
         WHERE ($1::text IS NULL OR account_id = $1) AND ($2::uuid IS NULL OR id > $2)
         ORDER BY id LIMIT $3
        """,
        account_id,
        after,
        limit,
    )
    return [_application(row) for row in rows]


def save_applications(writes: Writes, applications: Sequence[Application]) -> None:
    """Write applications."""
    writes.upsert(
        "applications",
        {
            "id uuid": [a.id for a in applications],
            "account_id text": [a.account_id for a in applications],
            "instance_id uuid": [a.instance_id for a in applications],
            "form jsonb": [_form_json(a.id, a.form) for a in applications],
            "spki_sha256 text": [a.form.spki_sha256 for a in applications],
            "stage text": [_stage_name(a.stage) for a in applications],
            "details jsonb": [_stage_json(a.id, a.stage) for a in applications],
            "instance_status text": [a.instance_status for a in applications],
            "withdrawal_objections jsonb": [
                _objections(a.withdrawal_objections) for a in applications
            ],
            "drop_objections jsonb": [_objections(a.drop_objections) for a in applications],
            "version integer": [a.version for a in applications],
        },
    )


async def load_keys(tx: Transaction, ids: Sequence[UUID]) -> Iterator[Key]:
    """Read and lock keys."""
    return (Key(**row) for row in await lock(tx, "keys", ids))


async def find_key(tx: Transaction, application_id: UUID) -> Key | None:
    """Read the key that was made for an application, if we made it."""
    row = await tx.fetchrow("SELECT * FROM keys WHERE id = $1", application_id)
    return None if row is None else Key(**row)


def save_keys(writes: Writes, keys: Sequence[Key]) -> None:
    """Write keys."""
    writes.upsert(
        "keys",
        {
            "id uuid": [k.id for k in keys],
            "encrypted bytea": [k.encrypted for k in keys],
            "version integer": [k.version for k in keys],
        },
    )


async def load_used_keys(tx: Transaction, ids: Sequence[UUID]) -> Iterator[UsedKey]:
    """Read and lock keys, with the instances of the applications that were not refused."""
    versions = {row["spki_sha256"]: row["version"] for row in await lock(tx, "used_keys", ids)}
    rows = await tx.fetch(
        """
        SELECT DISTINCT spki_sha256, instance_id FROM applications
         WHERE spki_sha256 = ANY($1::text[]) AND stage <> 'refused'
        """,
        list(versions),
    )
    used: defaultdict[str, set[UUID]] = defaultdict(set)
    for row in rows:
        used[row["spki_sha256"]].add(row["instance_id"])
    return (UsedKey(key, frozenset(used[key]), version) for key, version in versions.items())


def save_used_keys(writes: Writes, used: Sequence[UsedKey]) -> None:
    """Write that keys are used; by whom is written with the applications."""
    writes.upsert(
        "used_keys",
        {
            "id uuid": [k.id for k in used],
            "spki_sha256 text": [k.spki_sha256 for k in used],
            "version integer": [k.version for k in used],
        },
    )


async def load_certificates(tx: Transaction, ids: Sequence[UUID]) -> Iterator[Certificate]:
    """Read and lock certificates."""
    return map(_certificate, await lock(tx, "certificates", ids))


async def find_certificate(tx: Transaction, certificate_id: UUID) -> Certificate | None:
    """Read one certificate without locking it; revoked, once the inventory shows it so."""
    row = await tx.fetchrow(
        """
        SELECT c.*, a.instance_status FROM certificates c JOIN applications a
            ON a.id = (c.content->>'application_id')::uuid
         WHERE c.id = $1
        """,
        certificate_id,
    )
    return None if row is None else _shown(row)


async def list_certificates(
    tx: Transaction, account_id: str | None, text: str | None, after: UUID | None, limit: int
) -> list[Certificate]:
    """Read certificates, oldest first; `text` is part of a name, or of the serial number."""
    rows = await tx.fetch(
        """
        SELECT c.*, a.instance_status FROM certificates c JOIN applications a
            ON a.id = (c.content->>'application_id')::uuid
         WHERE ($1::text IS NULL OR c.account_id = $1)
           AND ($2::text IS NULL OR strpos(c.serial_number, lower($2)) > 0
                OR strpos(c.content->>'names', lower($2)) > 0)
           AND ($3::uuid IS NULL OR c.id > $3)
         ORDER BY c.id LIMIT $4
        """,
        account_id,
        text,
        after,
        limit,
    )
    return [_shown(row) for row in rows]


def save_certificates(writes: Writes, certificates: Sequence[Certificate]) -> None:
    """Write certificates."""
    writes.upsert(
        "certificates",
        {
            "id uuid": [c.id for c in certificates],
            "account_id text": [c.account_id for c in certificates],
            "serial_number text": [c.serial_number for c in certificates],
            "content jsonb": [_json(CERTIFICATE, c) for c in certificates],
            "version integer": [c.version for c in certificates],
        },
    )


_form_json = Written[Form](lambda form: _json(FORM, form))
_stage_json = Written[Stage](lambda stage: _json(STAGES[_stage_name(stage)], stage))


def _objections(objections: tuple[Objection, ...]) -> str:
    return _json(OBJECTIONS, objections) if objections else "[]"


def _json(adapter: TypeAdapter[Any], value: object) -> str:
    return adapter.dump_json(value).decode()


def _stage_name(stage: Stage) -> str:
    return type(stage).__name__.lower()


def _application(row: asyncpg.Record) -> Application:
    return Application(
        id=row["id"],
        account_id=row["account_id"],
        instance_id=row["instance_id"],
        form=FORM.validate_json(row["form"], context=OURS),
        stage=STAGES[row["stage"]].validate_json(row["details"]),
        instance_status=row["instance_status"],
        withdrawal_objections=OBJECTIONS.validate_json(row["withdrawal_objections"]),
        drop_objections=OBJECTIONS.validate_json(row["drop_objections"]),
        version=row["version"],
    )


def _certificate(row: asyncpg.Record) -> Certificate:
    content = CERTIFICATE.validate_json(row["content"])
    return replace(content, version=row["version"])


def _shown(row: asyncpg.Record) -> Certificate:
    """Hide a revocation that the inventory does not show yet: nothing runs ahead of it."""
    certificate = _certificate(row)
    followed = row["instance_status"] == "revoked"
    return certificate if followed else replace(certificate, revocation=None)
