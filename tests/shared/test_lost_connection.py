"""PostgreSQL gone in mid-sentence: whatever was said last, each fact is recorded once."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest

from shared.postgres import Postgres, may_pass
from shared.traffic import Traffic
from tests.shared import tally
from tests.shared.make import A, counted, read
from tests.shared.tally import Count
from tests.shared.wire import Fault, Wire, wire_to

STATEMENTS = ("BEGIN", "INSERT INTO inbox", "FOR UPDATE", "INSERT INTO outbox", "COMMIT")
FAULTS: tuple[Fault, ...] = ("unheard", "unanswered", "half answered", "given up")
everywhere = pytest.mark.parametrize("word", STATEMENTS)
however = pytest.mark.parametrize("fault", FAULTS)


@pytest.fixture
async def wire(postgres: Postgres, dsn: str) -> AsyncIterator[tuple[Wire, Traffic]]:
    """Yield a wire that works so far, and the traffic that goes over it."""
    async with wire_to(dsn) as (wire, there), Postgres(there, pool_size=2) as remote:
        yield wire, Traffic("tally", tally.road, remote, wake=lambda _: None)


async def column(postgres: Postgres, sql: str) -> list[object]:
    connection = await asyncpg.connect(postgres.dsn)  # those of the pool may be dead
    found = [row[0] for row in await connection.fetch(sql)]
    await connection.close()
    return found


async def recorded(postgres: Postgres) -> tuple[list[object], list[object]]:
    """Return all totals, and the numbers of all facts."""
    return (
        await column(postgres, "SELECT total FROM tallies ORDER BY id"),
        await column(postgres, "SELECT sequence FROM outbox ORDER BY id"),
    )


@however
@everywhere
async def test_batch_is_tried_again_in_place_and_each_fact_recorded_once(
    postgres, wire, word, fault, caplog
) -> None:
    caplog.set_level("CRITICAL", "shared.traffic")
    line, traffic = wire
    line.fail(word, fault)

    await traffic.take(read(counted(1), counted(2), counted(4)))

    assert line.failures == 1
    assert await recorded(postgres) == ([7], [1, 2, 3])
    assert await column(postgres, "SELECT id FROM parked") == []
    assert traffic.waits_for is None


@however
@everywhere
async def test_command_tells_its_caller_that_it_may_pass_and_is_effective_once(
    postgres, wire, word, fault
) -> None:
    line, traffic = wire
    line.fail(word, fault)
    command, command_id = Count(tally_id=A, amount=5), UUID(int=9)

    lost = await asked(traffic, command, command_id)
    again = await asked(traffic, command, command_id)

    assert all(map(may_pass, (*lost, *again)))
    assert len(lost) == (0 if (word, fault) == ("COMMIT", "given up") else 1)
    assert await recorded(postgres) == ([5], [1])


async def asked(traffic: Traffic, command: Count, command_id: UUID) -> list[Exception]:
    """Ask until there is an answer, as a client does who is told 503; return what went wrong."""
    lost: list[Exception] = []
    while len(lost) < 5:
        try:
            await traffic.ask(command, command_id)
        except Exception as error:  # asyncpg has many words for it
            lost.append(error)
        else:
            return lost
    raise AssertionError(lost)


async def terminate(admin: str, role: str) -> None:
    """End every connection of `role`, as an operator does."""
    connection = await asyncpg.connect(admin)
    sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1"
    await connection.execute(sql, role)
    await connection.close()


async def test_connection_that_is_terminated_between_batches_is_replaced(
    postgres, dsn, stack
) -> None:
    traffic = Traffic("tally", tally.road, postgres, wake=lambda _: None)
    await traffic.take(read(counted(1)))

    await terminate(stack.postgres_dsn, str(urlsplit(dsn).username))
    await traffic.take(read(counted(2)))

    assert await recorded(postgres) == ([3], [1, 2])


async def test_batches_that_race_with_the_end_of_their_connection_lose_and_double_nothing(
    postgres, dsn, stack, caplog
) -> None:
    caplog.set_level("CRITICAL", "shared.traffic")
    traffic = Traffic("tally", tally.road, postgres, wake=lambda _: None)
    role = str(urlsplit(dsn).username)

    for _ in range(40):
        batch = read(*(counted(1) for _ in range(5)))
        await asyncio.gather(traffic.take(batch), terminate(stack.postgres_dsn, role))

    assert await recorded(postgres) == ([200], [*range(1, 201)])
    assert await column(postgres, "SELECT id FROM parked") == []
