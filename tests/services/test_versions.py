"""What a service remembers of a row is worth as much as the row's version."""

from uuid import UUID

import pytest

from services.application.handlers import road as application
from services.ca_verification.handlers import road as ca_verification
from services.combination.handlers import road as combination
from services.inventory import store
from services.inventory.handlers import road as inventory
from shared.postgres import Postgres
from shared.replacing import replace
from shared.road import Road
from shared.traffic import Traffic
from tests.ca_verification.alone import migrated
from tests.conftest import fresh_role
from tests.inventory import make
from tests.inventory.conftest import hear
from tests.shared.stored import stored

ROADS = {
    "inventory": inventory,
    "combination": combination,
    "application": application,
    "ca_verification": ca_verification,
}


@pytest.fixture
async def lay(stack):
    async def laid(service: str) -> str:
        return await migrated(await fresh_role(stack.postgres_dsn, service), service)

    return laid


@pytest.mark.parametrize(("service", "road"), ROADS.items())
async def test_whatever_may_be_remembered_gets_a_new_version_when_it_is_changed_by_hand(
    lay, service: str, road: Road
) -> None:
    async with Postgres(await lay(service)) as postgres, postgres.transaction() as tx:
        rows = await tx.fetch(
            """
            SELECT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
             WHERE tgname = 'changed_by_hand' AND relnamespace = current_schema()::regnamespace
            """
        )

    tables = {shelf.table for shelf in road.shelves.values() if shelf.table}
    assert tables
    assert {row["relname"] for row in rows} == tables


async def test_what_was_changed_by_hand_is_decided_by_and_not_written_over(lay) -> None:
    async with Postgres(await lay("inventory")) as postgres:
        traffic = Traffic("inventory", inventory, postgres, wake=lambda _: None)
        one, other = UUID(int=1), UUID(int=2)
        async with postgres.transaction() as tx:
            await stored(tx, store.save_instances, [make.instance(one), make.instance(other)])
        await hear(traffic, make.request(one, other))  # remembers both of them

        async with postgres.transaction() as tx:
            await tx.execute("UPDATE instances SET remark = 'mended by hand' WHERE id = $1", one)
            before = await store.find_instances(tx, [one, other])
        await hear(traffic, make.combined(one, other))

        async with postgres.transaction() as tx:
            after = await store.find_instances(tx, [one, other])
    assert after[one].remark == "mended by hand"
    assert after[one] == replace(
        before[one], stage=after[one].stage, version=before[one].version + 1
    )
    assert after[one].stage == after[other].stage != before[one].stage
