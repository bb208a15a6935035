"""The combination service, one message at a time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from asyncpg import Pool
from faststream.kafka import KafkaMessage, KafkaRouter

from shared.contracts import waiver
from shared.contracts.combination import CombinationRequested, InstancesCombined, RefundWaiver
from shared.contracts.inventory import InstanceCreated, InstancesReserved, InventoryEvent
from tests.benchmarks.baseline.messaging import Database, is_a, is_new, listen, pass_by, publish

ME = "combination"

router = KafkaRouter()
inventory = listen(router, InventoryEvent, ME)


async def combine(pool: Pool, account_id: str, members: Sequence[UUID]) -> UUID:
    """Ask for instances to be combined: a command of a person."""
    combination_id = uuid4()
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            """
            INSERT INTO combinations (id, account_id, member_instance_ids, asked_by, asked_at)
            VALUES ($1, $2, $3, $4, $5)
            """,
            combination_id,
            account_id,
            members,
            account_id,
            datetime.now(UTC),
        )
        requested = CombinationRequested(
            combination_id=combination_id,
            account_id=account_id,
            member_instance_ids=tuple(members),
        )
        await publish(connection, ME, requested)
    return combination_id


@inventory(filter=is_a(InstancesReserved))
async def on_instances_reserved(
    reserved: InstancesReserved, message: KafkaMessage, pool: Database
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        row = await connection.fetchrow(
            "SELECT * FROM combinations WHERE id = $1 FOR UPDATE", reserved.combination_id
        )
        if row["status"] != "requested":
            return
        instance_id = uuid4()
        await connection.execute(
            "UPDATE combinations SET status = 'concluded', instance_id = $2 WHERE id = $1",
            reserved.combination_id,
            instance_id,
        )
        combined = InstancesCombined(
            combination_id=reserved.combination_id,
            account_id=reserved.account_id,
            instance_id=instance_id,
            instance_name=f"cas-merge-{instance_id.hex[-12:]}",
            member_instance_ids=row["member_instance_ids"],
            brand=reserved.brand,
            certificate_type=reserved.certificate_type,
            names=reserved.names,
            names_total=reserved.names.total,
            refund_waiver=RefundWaiver(
                acknowledged_by=row["asked_by"],
                acknowledged_at=row["asked_at"],
                text_sha256=waiver.TEXT_SHA256,
            ),
            combined_at=datetime.now(UTC),
        )
        await publish(connection, ME, combined)


@inventory(filter=is_a(InstanceCreated))
async def on_instance_created(
    created: InstanceCreated, message: KafkaMessage, pool: Database
) -> None:
    if created.combination_id is None:
        return
    async with pool.acquire() as connection, connection.transaction():
        if not await is_new(connection, ME, message):
            return
        await connection.execute(
            "UPDATE combinations SET status = 'combined' WHERE id = $1", created.combination_id
        )


inventory(pass_by)
