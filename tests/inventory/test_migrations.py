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


async def add(
    connection: "asyncpg.Connection[asyncpg.Record]", instance_id: UUID, **changes: object
) -> None:
    values = {
        "id": instance_id,
        "account_id": make.ACCOUNT,
        "name": "cas",
        "brand": "digicert",
        "certificate_type": "OV",
        "single_names": 1,
        "wildcard_names": 0,
        "ip_names": 0,
        "term_years": 1,
        "created_at": make.NOON,
        "paid_at": make.NOON,
        "member_ids": "",
        "hosted": False,
        "remark": "",
        "tags": "[]",
        "stage": "pending_application",
        "version": 1,
    } | changes
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    sql = f"INSERT INTO instances ({', '.join(values)}) VALUES ({places})"
    await connection.execute(sql, *values.values())


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
        await add(connection, instance_id, purchase_id=purchase_id)

    await lay(connection, "0003_purchase_of_instance.sql")

    rows = await connection.fetch("SELECT id, purchase FROM instances ORDER BY id")
    await connection.close()
    known: dict[UUID, UUID | None] = {row["id"]: row["purchase"] for row in rows}
    assert known == {A: make.purchase().key, B: None, C: None}


STAGES = [
    ({}, ""),
    ({"former": make.APPLICATION}, str(make.APPLICATION)),
    ({"stage": "reserved", "holder": make.COMBINATION}, ""),
    (
        {"stage": "reserved", "holder": make.COMBINATION, "former": make.APPLICATION},
        str(make.APPLICATION),
    ),
    (
        {"stage": "reserved", "holder": make.COMBINATION, "result": make.APPLICATION},
        str(make.APPLICATION),
    ),
    ({"stage": "combined", "holder": make.COMBINATION, "result": make.MERGED}, ""),
    ({"stage": "under_review", "holder": make.APPLICATION}, str(make.APPLICATION)),
    (
        {"stage": "issued", "holder": make.APPLICATION, "result": make.CERTIFICATE},
        str(make.APPLICATION),
    ),
    ({"stage": "refunded"}, ""),
]


async def test_last_application_for_an_instance_is_among_those_that_were_decided(
    stack: Servers,
) -> None:
    connection = await asyncpg.connect(await fresh_role(stack.postgres_dsn, "inventory"))
    await lay(connection, "0001_purchases_and_instances.sql")
    for n, (columns, _) in enumerate(STAGES, start=1):
        await add(connection, UUID(int=n), **columns)

    await lay(connection, "0004_decided_applications.sql")

    rows = await connection.fetch("SELECT decided FROM instances ORDER BY id")
    await connection.close()
    assert [row["decided"] for row in rows] == [decided for _, decided in STAGES]
