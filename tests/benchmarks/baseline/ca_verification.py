"""The CA's verification, one message at a time."""

import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from asyncpg import Connection, Pool
from faststream.kafka import KafkaMessage, KafkaRouter

from services.ca_verification import business_days, dcv, policy
from services.ca_verification.ca.authority import Authority
from services.ca_verification.ca.plan import Plan, Profile, Subject
from services.ca_verification.domain.waiting import NEXT_ACTIONS, REASONS
from shared.contracts.application import ApplicationEvent, ApplicationSubmitted
from shared.contracts.ca_verification import (
    CertificateIssued,
    Challenge,
    DomainChecked,
    DomainValidated,
    NameProgress,
    VerificationPending,
    VettingItemConfirmed,
    Waiting,
)
from shared.dnsnames import authorization_domain
from tests.benchmarks.baseline.messaging import Database, is_a, is_new, listen, pass_by, publish
from tests.benchmarks.signing import new_serial, sign

ME = "ca_verification"
ITEMS = ("organisation_identity", "callback")
PROFILE = Profile("http://pki.certfold.example")

router = KafkaRouter()
applications = listen(router, ApplicationEvent, ME)


@applications(filter=is_a(ApplicationSubmitted))
async def on_submitted(
    submitted: ApplicationSubmitted, message: KafkaMessage, pool: Database
) -> None:
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        await connection.execute(
            """
            INSERT INTO verifications (id, account_id, submitted, since, expected_by)
            VALUES ($1, $2, $3, $4, $5)
            """,
            submitted.application_id,
            submitted.account_id,
            submitted.model_dump_json(),
            now,
            business_days.expected_by(now, "CN", "Asia/Shanghai"),
        )
        await connection.executemany(
            """
            INSERT INTO verification_names (application_id, name, record_value)
            VALUES ($1, $2, $3)
            """,
            [
                (submitted.application_id, name, f"certfold-validation={secrets.token_hex(20)}")
                for name in submitted.names
            ],
        )
        await connection.executemany(
            "INSERT INTO verification_tasks (id, application_id, item) VALUES ($1, $2, $3)",
            [(uuid4(), submitted.application_id, item) for item in ITEMS],
        )
        await publish(connection, ME, await pending(connection, submitted.application_id))
    for name in submitted.names:
        await check(pool, submitted, name)


async def check(pool: Pool, submitted: ApplicationSubmitted, name: str) -> None:
    """Look for one name's proof, which is always there: nobody asks the DNS in this benchmark."""
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            """
            UPDATE verification_names SET valid = true WHERE application_id = $1 AND name = $2
            """,
            submitted.application_id,
            name,
        )
        checked = DomainChecked(
            application_id=submitted.application_id,
            account_id=submitted.account_id,
            name=name,
            state="valid",
            last_error=None,
            checked_at=now,
        )
        validated = DomainValidated(
            application_id=submitted.application_id,
            account_id=submitted.account_id,
            name=name,
            authorization_domain=authorization_domain(name),
            method="3.2.2.4.7",
            validated_at=now,
        )
        waits = await pending(connection, submitted.application_id)
        await publish(connection, ME, checked, validated, waits)


async def decide(pool: Pool, authority: Authority, task_id: UUID, officer: str) -> None:
    """Confirm one item: a command of an officer; the last one has the certificate signed."""
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        task = await connection.fetchrow("SELECT * FROM verification_tasks WHERE id = $1", task_id)
        application_id = task["application_id"]
        row = await connection.fetchrow(
            "SELECT * FROM verifications WHERE id = $1 FOR UPDATE", application_id
        )
        await connection.execute(
            "UPDATE verification_tasks SET confirmed_by = $2, confirmed_at = $3 WHERE id = $1",
            task_id,
            officer,
            now,
        )
        confirmed = VettingItemConfirmed(
            application_id=application_id,
            account_id=row["account_id"],
            task_id=task_id,
            item=task["item"],
            confirmed_by=officer,
            confirmed_at=now,
        )
        waits = await pending(connection, application_id)
        if not waits.waiting_on:
            await connection.execute(
                "UPDATE verifications SET stage = 'signing', serial_number = $2 WHERE id = $1",
                application_id,
                new_serial(),
            )
            waits = await pending(connection, application_id)
        await publish(connection, ME, confirmed, waits)
    if waits.waiting_on[0].item == "issuance":
        await issue(pool, authority, application_id)


async def issue(pool: Pool, authority: Authority, application_id: UUID) -> None:
    """Verify the request, sign, and hand out."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            "SELECT * FROM verifications WHERE id = $1 FOR UPDATE", application_id
        )
        if row["stage"] != "signing":
            return
        submitted = ApplicationSubmitted.model_validate_json(row["submitted"])
        now = datetime.now(UTC)
        not_before, not_after = policy.period(now, now)
        plan = Plan(
            names=submitted.names,
            subject=Subject.of(submitted.organisation, submitted.certificate_type),
            csr_pem=submitted.csr_pem,
            serial_number=row["serial_number"],
            not_before=not_before,
            not_after=not_after,
            certificate_type=submitted.certificate_type,
            profile=PROFILE,
        )
        signed = sign(authority, plan)
        issued = CertificateIssued(
            application_id=application_id,
            account_id=submitted.account_id,
            certificate_id=uuid4(),
            instance_id=submitted.instance_id,
            brand=submitted.brand,
            certificate_type=submitted.certificate_type,
            names=submitted.names,
            serial_number=plan.serial_number,
            not_before=not_before,
            not_after=not_after,
            sha256_fingerprint=signed.sha256_fingerprint,
            certificate_pem=signed.certificate_pem,
            chain_pem=signed.chain_pem,
            root_pem=authority.root_pem,
        )
        await connection.execute(
            "UPDATE verifications SET stage = 'issued' WHERE id = $1", application_id
        )
        await publish(connection, ME, issued)


async def pending(connection: Connection, application_id: UUID) -> VerificationPending:
    """Say what an application waits on."""
    row = await connection.fetchrow("SELECT * FROM verifications WHERE id = $1", application_id)
    names = await connection.fetch(
        "SELECT * FROM verification_names WHERE application_id = $1 ORDER BY name", application_id
    )
    tasks = await connection.fetch(
        "SELECT * FROM verification_tasks WHERE application_id = $1 ORDER BY id", application_id
    )
    submitted = ApplicationSubmitted.model_validate_json(row["submitted"])
    waits = [
        Waiting(
            item=f"domain:{one['name']}",
            party="dns",
            reason="not looked at yet",
            since=row["since"],
            next_action=f"publish TXT with the value {one['record_value']}",
        )
        for one in names
        if not one["valid"]
    ]
    waits += [
        Waiting(
            item=one["item"],
            party="ca",
            reason=REASONS[one["item"]],
            since=row["since"],
            next_action=NEXT_ACTIONS[one["item"]],
        )
        for one in tasks
        if one["confirmed_at"] is None
    ]
    if row["stage"] == "signing":
        waits = [
            Waiting(
                item="issuance",
                party="ca",
                reason="the certificate is being signed",
                since=row["since"],
                next_action="nothing to do",
            )
        ]
    return VerificationPending(
        application_id=application_id,
        account_id=row["account_id"],
        instance_id=submitted.instance_id,
        waiting_on=tuple(waits),
        expected_by=row["expected_by"],
        names=tuple(_progress(one, row["expected_by"]) for one in names),
    )


def _progress(name: Any, expires_at: datetime) -> NameProgress:
    return NameProgress(
        name=name["name"],
        state="valid" if name["valid"] else "pending",
        challenge=Challenge(
            record_name=f"{dcv.LABEL}.{authorization_domain(name['name'])}",
            record_value=name["record_value"],
            expires_at=expires_at,
        ),
    )


applications(pass_by)
