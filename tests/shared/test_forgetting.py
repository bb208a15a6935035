"""What breaks on the way to PostgreSQL leaves nothing in mind that is not so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import accumulate
from urllib.parse import urlsplit

import asyncpg
import pytest

from shared.ids import new_id
from shared.postgres import Postgres
from shared.traffic import Traffic
from tests.shared.make import NOON, A, B, counted, read
from tests.shared.replicas import (
    ask,
    kept,
    parked,
    remembered,
    replica,
    told,
    totals,
)
from tests.shared.tally import Count
from tests.shared.wire import Fault, Wire, wire_to

FAULTS: tuple[Fault, ...] = ("unheard", "unanswered", "half answered", "given up")


async def test_replica_whose_connections_ended_between_batches_forgets(
    one, postgres, dsn, stack
) -> None:
    await one.take(read(counted(10)))
    ended = asyncio.Event()
    async with postgres.connection() as connection:
        connection.add_termination_listener(lambda _: ended.set())

    await fail_over(stack.postgres_dsn, str(urlsplit(dsn).username))
    await ended.wait()
    await one.take(read(counted(1)))

    assert await totals(postgres) == [101]


async def fail_over(admin: str, role: str) -> None:
    """End all connections; go on without the last commit, and with another one in its place."""
    connection = await asyncpg.connect(admin)
    await connection.execute(
        f"""
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}';
        UPDATE {role}.tallies SET total = 100
        """
    )
    await connection.close()


@pytest.fixture
def quiet(caplog) -> None:
    """Have no warning of what fails on purpose."""
    caplog.set_level("CRITICAL", "shared.traffic")


@pytest.fixture
async def wire(postgres: Postgres, dsn: str) -> AsyncIterator[tuple[Wire, Traffic]]:
    """Yield a wire that works so far, and the replica at its other end."""
    async with wire_to(dsn) as (wire, there), Postgres(there, pool_size=2) as remote:
        yield wire, replica(remote)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("before", [[], [1, 2]], ids=["in a transaction", "at once"])
async def test_what_fails_on_its_way_leaves_nothing_false_in_mind(
    postgres, wire, other, before, fault
) -> None:
    line, one = wire
    last = '"total":103' if before else "COMMIT"
    for amount in before:
        await one.take(read(counted(amount)))
    command, command_id = Count(tally_id=A, amount=100), new_id(NOON)

    line.fail(last, fault)
    for _ in range(3):
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await one.ask(command, command_id)
        assert remembered(one) in ({}, await kept(postgres))
    for traffic in (one, other, one):
        await traffic.take(read(counted(1)))

    amounts = [*before, 100, 1, 1, 1]
    assert line.failures == 1
    assert await told(postgres) == {A: [*enumerate(accumulate(amounts), start=1)]}
    assert remembered(one) == await kept(postgres)


@pytest.mark.usefixtures("quiet")
async def test_connection_that_fails_makes_a_replica_forget(wire, looks) -> None:
    line, one = wire
    await one.take(read(counted(1), counted(1, B)))
    looks.clear()

    line.fail('"total":2', "unheard")
    await one.take(read(counted(1)))

    assert line.failures == 1
    assert looks == [("all", (A,))]
    assert remembered(one).keys() == {A}


REFUSE_AT_COMMIT = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE 'too much, at the end of the day'; END $$;
    CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE ON tallies DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (new.total > 100) EXECUTE FUNCTION refuse()
    """


async def test_commit_that_postgresql_refuses_leaves_nothing_false_in_mind(
    one, other, postgres
) -> None:
    async with postgres.transaction() as tx:
        await tx.execute(REFUSE_AT_COMMIT)
    await one.take(read(counted(1)))

    await one.take(read(counted(200), counted(2), counted(200, B)))
    assert remembered(one) == await kept(postgres)
    with pytest.raises(asyncpg.RaiseError):
        await ask(one, Count(tally_id=A, amount=200))
    assert A not in remembered(one)  # what a refused attempt was about is read again
    for traffic in (one, other, one):
        await traffic.take(read(counted(4), counted(1, B)))

    assert await told(postgres) == {
        A: [(1, 1), (2, 3), (3, 7), (4, 11), (5, 15)],
        B: [(1, 1), (2, 2), (3, 3)],
    }
    assert await parked(postgres) == ["RaiseError", "RaiseError"]
