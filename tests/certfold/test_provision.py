"""What exists before a service starts: on a real PostgreSQL and a real Kafka."""

import asyncio
import base64
import stat
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError

from certfold import provision
from certfold.embedded import keep
from certfold.provision.roles import scram
from shared.contracts.purchases import PurchaseEvent
from shared.postgres import Connection
from tests import servers
from tests.servers import Servers

PASSWORDS = {
    "inventory": "plain-1",
    "combination": "it's; DROP TABLE x --",
    "console": 'back\\slash " and %s {} $1',
}


@pytest.fixture(scope="module")
def real() -> Iterator[Servers]:
    """Servers of our own: roles and topics belong to a whole server, and others use them."""
    with servers.embedded() as found:
        yield found


class Database:
    def __init__(self, admin: str) -> None:
        self.admin, self.name = admin, f"provision_{uuid4().hex[:8]}"

    async def provide(self, passwords: dict[str, str] | None = None) -> None:
        await provision.roles(self.admin, passwords or PASSWORDS, database=self.name)

    @asynccontextmanager
    async def role(self, name: str, password: str | None = None) -> AsyncIterator[Connection]:
        connection = await asyncpg.connect(
            self.admin, user=name, password=password or PASSWORDS[name], database=self.name
        )
        yield connection
        await connection.close()


@pytest.fixture
async def database(real: Servers) -> AsyncIterator[Database]:
    """Give a database of its own, with roles that are there from other tests or not."""
    found = Database(real.postgres_dsn)
    yield found
    connection = await asyncpg.connect(real.postgres_dsn)
    await connection.execute(f"DROP DATABASE IF EXISTS {found.name} WITH (FORCE)")
    await connection.close()


async def test_role_owns_its_schema_and_reads_no_other(database: Database) -> None:
    await database.provide()
    async with database.role("inventory") as inventory, database.role("combination") as other:
        await inventory.execute("CREATE TABLE secrets AS SELECT 42 AS answer")
        assert await inventory.fetchval("SELECT answer FROM inventory.secrets") == 42
        for sql in (
            "SELECT answer FROM inventory.secrets",
            "CREATE TABLE inventory.theirs ()",
            "CREATE TABLE public.anybodys ()",
            "CREATE SCHEMA another",
            "SET ROLE inventory",
            "ALTER ROLE inventory PASSWORD 'mine'",
            "CREATE ROLE friend",
            "SELECT pg_read_file('PG_VERSION')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await other.execute(sql)


async def test_second_time_changes_nothing_but_passwords(database: Database) -> None:
    await database.provide()
    async with database.role("inventory") as inventory:
        await inventory.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        await database.provide({**PASSWORDS, "inventory": "another"})
        assert await inventory.fetchval("SELECT answer FROM kept") == 42
    async with database.role("inventory", "another") as inventory:
        assert await inventory.fetchval("SELECT answer FROM kept") == 42
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(database.admin, user="inventory", password=PASSWORDS["inventory"])


async def test_right_that_was_lost_or_gained_is_mended(database: Database) -> None:
    await database.provide()
    admin = await asyncpg.connect(database.admin, database=database.name)
    await admin.execute("ALTER ROLE inventory CREATEROLE; ALTER SCHEMA inventory OWNER TO postgres")
    await admin.execute("GRANT USAGE ON SCHEMA inventory TO PUBLIC")
    await database.provide()
    usage = "SELECT has_schema_privilege('combination', 'inventory', 'USAGE')"
    assert await admin.fetchval(usage) is False
    assert await admin.fetchval("SELECT rolcreaterole FROM pg_roles WHERE rolname='inventory'") is (
        False
    )
    await admin.close()
    async with database.role("inventory") as inventory:
        await inventory.execute("CREATE TABLE mine ()")


async def test_password_is_kept_as_scram_and_refusals_are_told(database: Database) -> None:
    await database.provide()
    admin = await asyncpg.connect(database.admin)
    kept = await admin.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = 'inventory'")
    await admin.close()
    assert kept.startswith("SCRAM-SHA-256$4096:")
    as_other = urlsplit(database.admin)
    dsn = as_other._replace(netloc=f"inventory:plain-1@{as_other.hostname}:{as_other.port}")
    with pytest.raises(provision.RolesRefusedError, match="permission denied"):
        await provision.roles(dsn.geturl(), {"another": "x"}, database=f"{database.name}_2")


def test_scram_verifier_is_that_of_the_standard() -> None:
    # The example of RFC 7677 §3.
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    assert scram("pencil", salt) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_passwords_are_taken_from_the_services_settings() -> None:
    dsn = "postgresql://{0}:a%2Fb@db:5432/certfold"
    names = provision.SERVICES
    given = {f"CERTFOLD_{name.upper()}_POSTGRES_DSN": dsn.format(name) for name in names}
    assert provision.passwords(given) == dict.fromkeys(names, "a/b")

    given["CERTFOLD_CONSOLE_POSTGRES_DSN"] = dsn.format("postgres")
    del given["CERTFOLD_INVENTORY_POSTGRES_DSN"]
    with pytest.raises(ValueError, match=r"(?s)INVENTORY_POSTGRES.*CONSOLE_POSTGRES"):
        provision.passwords(given)


async def test_topics_are_planned_made_and_then_as_they_are_to_be(real: Servers) -> None:
    async with clean(real.kafka) as admin:
        planned = await provision.plan_topics(real.kafka)
        assert {one.what for one in planned} == {"create"}
        assert not ours(await admin.list_topics())

        assert await provision.apply_topics(real.kafka) == planned
        assert await provision.plan_topics(real.kafka) == []
        assert await provision.apply_topics(real.kafka) == []

        names = ours(await admin.list_topics())
        assert len(names) == 14
        assert "certificates.purchases.v1.inventory.dlt" in names
        assert "certificates.ca-verification.v1.application.dlt" in names
        [topic] = await admin.describe_topics([PurchaseEvent.topic])
        assert len(topic["partitions"]) == 3


async def test_what_differs_is_told_and_mended_except_partitions(real: Servers) -> None:
    mine = {"retention.ms": "1000", "cleanup.policy": "delete", "segment.ms": "60000"}
    async with clean(real.kafka) as admin:
        await admin.create_topics([NewTopic(PurchaseEvent.topic, 1, 1, topic_configs=mine)])
        await provision.apply_topics(real.kafka)

        [left] = await provision.plan_topics(real.kafka)
        assert str(left) == (
            f"keep {PurchaseEvent.topic}: it has 1 partitions, not 3; keys would move"
        )
        asked = ConfigResource(ConfigResourceType.TOPIC, PurchaseEvent.topic)
        [answer] = await admin.describe_configs([asked])
        set_now = {it[0]: it[1] for it in answer.resources[0][4] if it[3] == 1}
        assert set_now == {
            "retention.ms": "-1",
            "max.message.bytes": str(8 << 20),
            "cleanup.policy": "delete",
            "segment.ms": "60000",
        }


async def test_purchase_of_nearly_8_mib_is_taken_and_a_larger_one_is_not(real: Servers) -> None:
    async with clean(real.kafka):
        await provision.apply_topics(real.kafka)
        producer = AIOKafkaProducer(bootstrap_servers=real.kafka, max_request_size=20 << 20)
        await producer.start()
        await producer.send_and_wait(PurchaseEvent.topic, bytes((8 << 20) - 1000))
        await producer.send_and_wait(
            f"{PurchaseEvent.topic}.inventory.dlt", bytes((9 << 20) - 1000)
        )
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait(PurchaseEvent.topic, bytes((8 << 20) + 1))
        await producer.stop()


async def test_too_many_replicas_and_a_missing_kafka_are_told(real: Servers) -> None:
    async with clean(real.kafka):
        with pytest.raises(provision.TopicsRefusedError, match="InvalidReplicationFactor"):
            await provision.apply_topics(real.kafka, replicas=3)
    with pytest.raises(provision.TopicsRefusedError, match=r"127\.0\.0\.1:9"):
        await provision.plan_topics("127.0.0.1:9")


def test_clusters_keep_two_replicas_in_sync() -> None:
    assert all(it.settings["min.insync.replicas"] == "2" for it in provision.topics(replicas=3))


@asynccontextmanager
async def clean(servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Take our topics away, before and after."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await remove(admin)
        yield admin
        await remove(admin)
    finally:
        await admin.close()


def test_people_keep_their_tokens_and_accounts(tmp_path: Path) -> None:
    file, kept = tmp_path / "people.json", tmp_path / "secrets.json"

    first = provision.people(file, kept)

    assert provision.people(file, kept) == first
    assert [it["role"] for it in keep.read(file)] == [
        *("applicant", "applicant", "officer", "reviewer", "auditor", "operator")
    ]
    accounts = {one.account_id for one in first}
    assert len(accounts) == 3
    assert None in accounts
    assert len({one.token for one in first}) == 6
    assert not any(one.token in repr(first) for one in first)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def remove(admin: AIOKafkaAdminClient) -> None:
    if names := ours(await admin.list_topics()):
        await admin.delete_topics(list(names))
    while ours(await admin.list_topics()):
        await asyncio.sleep(0.05)


def ours(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.startswith("certificates.")}
