"""The application service, one message at a time."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from asyncpg import Pool
from faststream.kafka import KafkaMessage, KafkaRouter
from pydantic import TypeAdapter

from services.application import form
from services.application.domain.things import Form
from shared.contracts.application import ApplicationRequested, ApplicationSubmitted
from shared.contracts.ca_verification import (
    CertificateIssued,
    DomainChecked,
    NameProgress,
    VerificationEvent,
    VerificationPending,
    Waiting,
)
from shared.contracts.inventory import InstanceClaimed, InstanceStatusChanged, InventoryEvent
from shared.dnsnames import SANDBOX
from tests.benchmarks.baseline.messaging import Database, is_a, is_new, listen, pass_by, publish

ME = "application"
FORM = TypeAdapter(Form)
WAITING = TypeAdapter(tuple[Waiting, ...])
NAMES = TypeAdapter(tuple[NameProgress, ...])

router = KafkaRouter()
inventory = listen(router, InventoryEvent, ME)
verifications = listen(router, VerificationEvent, ME)


async def apply(pool: Pool, account_id: str, body: form.ApplicationBody) -> UUID:
    """Apply for a certificate: a command of a person; the request is verified here."""
    judged = form.judge(body, most_names=250, reserved_ok=SANDBOX)
    application_id = uuid4()
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO applications (id, account_id, instance_id, form) VALUES ($1, $2, $3, $4)",
            application_id,
            account_id,
            body.instance_id,
            FORM.dump_json(judged.form).decode(),
        )
        requested = ApplicationRequested(
            application_id=application_id,
            account_id=account_id,
            instance_id=body.instance_id,
            names=judged.counts,
            objections=judged.objections,
        )
        await publish(connection, ME, requested)
    return application_id


@inventory(filter=is_a(InstanceClaimed))
async def on_instance_claimed(
    claimed: InstanceClaimed, message: KafkaMessage, pool: Database
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        row = await connection.fetchrow(
            "SELECT * FROM applications WHERE id = $1 FOR UPDATE", claimed.application_id
        )
        if row["stage"] != "requested":
            return
        await connection.execute(
            "UPDATE applications SET stage = 'submitted' WHERE id = $1", claimed.application_id
        )
        filled = FORM.validate_json(row["form"])
        submitted = ApplicationSubmitted(
            application_id=claimed.application_id,
            account_id=claimed.account_id,
            instance_id=claimed.instance_id,
            brand=claimed.brand,
            certificate_type=claimed.certificate_type,
            certificate_kind=filled.kind,
            names=filled.names,
            organisation=filled.organisation,
            contact=filled.contact,
            csr_pem=filled.csr_pem or "",
            key_algorithm=filled.key_algorithm,
            validation_method=filled.validation_method,
            submitted_at=datetime.now(UTC),
        )
        await publish(connection, ME, submitted)


@inventory(filter=is_a(InstanceStatusChanged))
async def on_status_changed(
    changed: InstanceStatusChanged, message: KafkaMessage, pool: Database
) -> None:
    if changed.application_id is None:
        return
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        await connection.execute(
            "UPDATE applications SET instance_status = $2 WHERE id = $1",
            changed.application_id,
            changed.status,
        )


@verifications(filter=is_a(VerificationPending))
async def on_verification_pending(
    pending: VerificationPending, message: KafkaMessage, pool: Database
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        await connection.execute(
            "UPDATE applications SET waiting_on = $2, names = $3 WHERE id = $1",
            pending.application_id,
            WAITING.dump_json(pending.waiting_on).decode(),
            NAMES.dump_json(pending.names).decode(),
        )


@verifications(filter=is_a(DomainChecked))
async def on_domain_checked(checked: DomainChecked, message: KafkaMessage, pool: Database) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        text = await connection.fetchval(
            "SELECT names FROM applications WHERE id = $1 FOR UPDATE", checked.application_id
        )
        names = tuple(
            one.model_copy(update={"state": checked.state, "checked_at": checked.checked_at})
            if one.name == checked.name
            else one
            for one in NAMES.validate_json(text)
        )
        await connection.execute(
            "UPDATE applications SET names = $2 WHERE id = $1",
            checked.application_id,
            NAMES.dump_json(names).decode(),
        )


@verifications(filter=is_a(CertificateIssued))
async def on_certificate_issued(
    issued: CertificateIssued, message: KafkaMessage, pool: Database
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        await connection.execute(
            "UPDATE applications SET stage = 'issued' WHERE id = $1", issued.application_id
        )
        await connection.execute(
            """
            INSERT INTO certificates (id, application_id, account_id, content)
            VALUES ($1, $2, $3, $4)
            """,
            issued.certificate_id,
            issued.application_id,
            issued.account_id,
            issued.model_dump_json(),
        )


for topic in (inventory, verifications):
    topic(pass_by)
