"""What is known already is brought forward with the tables."""

from pathlib import Path
from uuid import UUID

import asyncpg

from services import inventory
from tests.conftest import fresh_role
from tests.inventory import make
from tests.inventory.make import A, B, C
from tests.servers import Servers

MIGRATIONS = Path(*inventory.__path__) / "migrations"


async def lay(connection: "asyncpg.Connection[asyncpg.Record]", *names: str) -> None:
    for name in names:
        await connection.execute((MIGRATIONS / name).read_text())


async def test_instances_are_told_their_purchase_where_it_is_certain(stack: Servers) -> None:
    connection = await asyncpg.connect(await fresh_role(stack.postgres_dsn, "inventory"))
    await lay(connection, "0001_purchases_and_instances.sql", "0002_refunds_heard.sql")
    twice = [make.purchase(purchase_id="order-8", source=shop) for shop in ("/shop", "/other")]
    for bought in (make.purchase(), *twice):
        await connection.execute(
            "INSERT INTO purchases VALUES ($1, $2, $3, $4, $5, 1, 0, $6, 1)",
            bought.key,
            bought.source,
            bought.purchase_id,
            bought.account_id,
            bought.model_dump_json(),
            bought.quantity,
        )
    for instance_id, purchase_id in ((A, "order-7"), (B, "order-8"), (C, None)):
        await connection.execute(
            """
            INSERT INTO instances (id, account_id, name, brand, certificate_type, single_names,
                                   wildcard_names, ip_names, term_years, created_at, purchase_id,
                                   paid_at, member_ids, hosted, remark, tags, stage, version)
            VALUES ($1, 'acme', 'cas', 'digicert', 'OV', 1, 0, 0, 1, $2, $3, $2,
                    '', false, '', '[]', 'pending_application', 1)
            """,
            instance_id,
            make.NOON,
            purchase_id,
        )

    await lay(connection, "0003_purchase_of_instance.sql")

    rows = await connection.fetch("SELECT id, purchase FROM instances ORDER BY id")
    await connection.close()
    known: dict[UUID, UUID | None] = {row["id"]: row["purchase"] for row in rows}
    assert known == {A: make.purchase().key, B: None, C: None}
