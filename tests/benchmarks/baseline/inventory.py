"""The inventory, one message at a time."""

from uuid import UUID, uuid4

from asyncpg import Pool
from faststream.kafka import KafkaMessage, KafkaRouter

from shared.contracts.application import ApplicationEvent, ApplicationRequested
from shared.contracts.base import Names
from shared.contracts.ca_verification import (
    CertificateIssued,
    VerificationEvent,
    VerificationPending,
)
from shared.contracts.combination import (
    CombinationEvent,
    CombinationRequested,
    InstancesCombined,
)
from shared.contracts.inventory import (
    InstanceClaimed,
    InstanceCreated,
    InstancesPurchased,
    InstancesReserved,
    InstanceStatusChanged,
)
from shared.contracts.purchases import PurchaseCompleted, PurchaseEvent
from tests.benchmarks.baseline.messaging import Database, is_a, is_new, listen, pass_by, publish

ME = "inventory"

router = KafkaRouter()
purchases = listen(router, PurchaseEvent, ME)
combinations = listen(router, CombinationEvent, ME)
applications = listen(router, ApplicationEvent, ME)
verifications = listen(router, VerificationEvent, ME)


@purchases(filter=is_a(PurchaseCompleted))
async def on_purchase(bought: PurchaseCompleted, message: KafkaMessage, pool: Database) -> None:
    bought = bought.heard_from(message.headers["ce_source"])
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        await connection.execute(
            """
            INSERT INTO purchases (id, purchase_id, account_id, brand, certificate_type, names,
                                   quantity, term_years)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            bought.key,
            bought.purchase_id,
            bought.account_id,
            bought.brand,
            bought.certificate_type,
            bought.names.model_dump_json(),
            bought.quantity,
            bought.term_years,
        )
        purchased = InstancesPurchased(**bought.model_dump())
        await publish(connection, ME, purchased)


async def create_instances(pool: Pool, purchase: UUID, count: int) -> list[UUID]:
    """Make instances of what was bought: a command of a person."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            "SELECT * FROM purchases WHERE id = $1 FOR UPDATE", purchase
        )
        if row["created"] + count > row["quantity"]:
            raise ValueError("quota exceeded")
        made = [uuid4() for _ in range(count)]
        await connection.executemany(
            """
            INSERT INTO instances (id, account_id, name, brand, certificate_type, names,
                                   term_years, purchase_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            [
                (
                    one,
                    row["account_id"],
                    f"cas-{one.hex[-12:]}",
                    row["brand"],
                    row["certificate_type"],
                    row["names"],
                    row["term_years"],
                    row["purchase_id"],
                )
                for one in made
            ],
        )
        await connection.execute(
            "UPDATE purchases SET created = created + $2 WHERE id = $1", purchase, count
        )
        names = Names.model_validate_json(row["names"])
        events = [
            InstanceCreated(
                account_id=row["account_id"],
                instance_id=one,
                instance_name=f"cas-{one.hex[-12:]}",
                purchase_id=row["purchase_id"],
                brand=row["brand"],
                certificate_type=row["certificate_type"],
                names=names,
                names_total=names.total,
                term_years=row["term_years"],
            )
            for one in made
        ]
        await publish(connection, ME, *events)
    return made


@combinations(filter=is_a(CombinationRequested))
async def on_combination_requested(
    asked: CombinationRequested, message: KafkaMessage, pool: Database
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        rows = await connection.fetch(
            "SELECT * FROM instances WHERE id = ANY($1) ORDER BY id FOR UPDATE",
            asked.member_instance_ids,
        )
        if any(row["stage"] != "pending_application" for row in rows):
            raise ValueError("not pending")
        await connection.execute(
            "UPDATE instances SET stage = 'reserved', holder = $2 WHERE id = ANY($1)",
            asked.member_instance_ids,
            asked.combination_id,
        )
        held = (Names.model_validate_json(row["names"]) for row in rows)
        reserved = InstancesReserved(
            combination_id=asked.combination_id,
            account_id=asked.account_id,
            brand=rows[0]["brand"],
            certificate_type=rows[0]["certificate_type"],
            names=sum(held, Names()),
        )
        await publish(connection, ME, reserved)


@combinations(filter=is_a(InstancesCombined))
async def on_instances_combined(
    combined: InstancesCombined, message: KafkaMessage, pool: Database
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        await connection.execute(
            """
            UPDATE instances SET stage = 'combined', result = $3
             WHERE id = ANY($1) AND stage = 'reserved' AND holder = $2
            """,
            combined.member_instance_ids,
            combined.combination_id,
            combined.instance_id,
        )
        await connection.execute(
            """
            INSERT INTO instances (id, account_id, name, brand, certificate_type, names, term_years)
            VALUES ($1, $2, $3, $4, $5, $6, 1)
            """,
            combined.instance_id,
            combined.account_id,
            combined.instance_name,
            combined.brand,
            combined.certificate_type,
            combined.names.model_dump_json(),
        )
        gone = [
            InstanceStatusChanged(
                instance_id=one,
                account_id=combined.account_id,
                application_id=None,
                status="combined",
            )
            for one in combined.member_instance_ids
        ]
        created = InstanceCreated(
            account_id=combined.account_id,
            instance_id=combined.instance_id,
            instance_name=combined.instance_name,
            purchase_id=None,
            combination_id=combined.combination_id,
            brand=combined.brand,
            certificate_type=combined.certificate_type,
            names=combined.names,
            names_total=combined.names_total,
            term_years=1,
        )
        await publish(connection, ME, *gone, created)


@applications(filter=is_a(ApplicationRequested))
async def on_application_requested(
    asked: ApplicationRequested, message: KafkaMessage, pool: Database
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        row = await connection.fetchrow(
            "SELECT * FROM instances WHERE id = $1 FOR UPDATE", asked.instance_id
        )
        names = Names.model_validate_json(row["names"])
        if row["stage"] != "pending_application" or asked.names.single > names.single:
            raise ValueError("may not be used")
        await connection.execute(
            "UPDATE instances SET stage = 'pending_validation', holder = $2 WHERE id = $1",
            asked.instance_id,
            asked.application_id,
        )
        claimed = InstanceClaimed(
            instance_id=asked.instance_id,
            account_id=asked.account_id,
            application_id=asked.application_id,
            brand=row["brand"],
            certificate_type=row["certificate_type"],
            names=names,
        )
        changed = InstanceStatusChanged(
            instance_id=asked.instance_id,
            account_id=asked.account_id,
            application_id=asked.application_id,
            status="pending_validation",
        )
        await publish(connection, ME, claimed, changed)


@verifications(filter=is_a(VerificationPending))
async def on_verification_pending(
    pending: VerificationPending, message: KafkaMessage, pool: Database
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        if any(one.party != "ca" for one in pending.waiting_on):
            return
        status = await connection.execute(
            """
            UPDATE instances SET stage = 'under_review'
             WHERE id = $1 AND holder = $2 AND stage = 'pending_validation'
            """,
            pending.instance_id,
            pending.application_id,
        )
        if status == "UPDATE 1":
            changed = InstanceStatusChanged(
                instance_id=pending.instance_id,
                account_id=pending.account_id,
                application_id=pending.application_id,
                status="under_review",
            )
            await publish(connection, ME, changed)


@verifications(filter=is_a(CertificateIssued))
async def on_certificate_issued(
    issued: CertificateIssued, message: KafkaMessage, pool: Database
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        await connection.execute(
            "UPDATE instances SET stage = 'issued', result = $3 WHERE id = $1 AND holder = $2",
            issued.instance_id,
            issued.application_id,
            issued.certificate_id,
        )
        changed = InstanceStatusChanged(
            instance_id=issued.instance_id,
            account_id=issued.account_id,
            application_id=issued.application_id,
            status="issued",
        )
        await publish(connection, ME, changed)


for topic in (purchases, combinations, applications, verifications):
    topic(pass_by)
