"""Work in the world and timers, on a real PostgreSQL and a clock that is moved."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise

import asyncpg
import pytest
from msgspec import structs

from shared import runner as runner_module
from shared.cloudevents import Heard
from shared.contracts.base import Event
from shared.errands import Patience
from shared.postgres import Connection, Postgres
from shared.runner import travel
from tests.shared.errands import A_WHILE, Begin, new_id
from tests.shared.make import NOON, A
from tests.shared.overhearing import overheard
from tests.shared.wire import wire_to


async def test_errand_is_done_its_outcome_has_its_effect_and_nothing_is_left(service) -> None:
    world = service.world()
    runner = await service.runner(world)

    await service.begin(A, fetch=True)
    await runner.settled()

    assert await service.said() == [(A, "fetched")]
    assert len(world.times) == 1
    assert await service.left() == {}


async def test_runner_that_dies_before_it_records_leaves_one_effect(service) -> None:
    world, traffic = service.world(), service.new_traffic(service.postgres)
    performed = asyncio.Event()

    async def never_home(_: Heard) -> tuple[Event, ...]:
        performed.set()
        await asyncio.Event().wait()
        return ()

    traffic.carry = never_home
    doomed = await service.runner(world, traffic)
    await service.begin(A, fetch=True)
    doomed.wake()
    await performed.wait()
    assert await service.left() == {"Fetch": 1}
    await doomed.stop()
    await service.runner(world)
    await service.until_said(1)

    assert len(world.times) == 2
    assert await service.said() == [(A, "fetched")]


async def test_outcome_that_comes_twice_has_one_effect(service) -> None:
    traffic = service.new_traffic(service.postgres)
    carry = traffic.carry

    async def twice(heard: Heard) -> tuple[Event, ...]:
        first, _ = await asyncio.gather(carry(heard), carry(structs.replace(heard)))
        await carry(heard)
        return first

    traffic.carry = twice
    runner = await service.runner(service.world(), traffic)
    await service.begin(A, fetch=True)
    runner.wake()
    await service.until_said(1)
    await runner.settled()

    assert await service.said() == [(A, "fetched")]


async def test_replicas_share_the_work_and_do_nothing_at_the_same_time(service) -> None:
    worlds = [service.world(), service.world()]
    runners = [await service.replica(world) for world in worlds]

    await service.begin(*(new_id() for _ in range(600)), fetch=True)
    for runner in runners:
        runner.wake()
    await service.until_said(600)

    shares = [len(world.times) for world in worlds]
    assert sum(shares) == 600
    assert min(shares) > 60


async def test_lease_outlives_any_clock_and_ends_when_its_holder_dies(service) -> None:
    first, second = service.world(hangs=True), service.world()
    holder = await service.replica(first)
    other = await service.replica(second)
    await other.settled()
    await service.begin(A, fetch=True)
    holder.wake()
    await first.hanging.wait()
    service.clock.move_to(NOON + timedelta(days=1))
    await other.settled()
    assert second.times == []

    await holder.stop()
    while not await service.said():
        other.wake()
        await asyncio.sleep(0.02)

    assert len(second.times) == 1


async def test_runner_that_loses_its_connection_drops_what_it_has_and_another_does_it(
    service, caplog
) -> None:
    caplog.set_level(logging.CRITICAL, "shared.runner")
    doomed, world = service.world(hangs=True), service.world()
    first = await service.replica(doomed)
    await service.begin(A, fetch=True)
    first.wake()
    await doomed.hanging.wait()
    second = await service.replica(world)
    await second.settled()
    assert world.times == []

    await service.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_locks "
        "WHERE classid = 'errands'::regclass AND objid = (SELECT holder FROM errands "
        "WHERE holder IS NOT NULL)"
    )
    while not await service.said():
        second.wake()
        await asyncio.sleep(0.02)
    await asyncio.wait_for(doomed.dropped.wait(), 2)

    assert len(world.times) == 1


async def test_timer_does_not_wait_for_what_is_in_hand(service) -> None:
    world = service.world(hangs=True)
    await service.runner(world)
    await service.begin(A, fetch=True, ring=NOON + A_WHILE)
    await world.hanging.wait()

    service.clock.move_to(NOON + A_WHILE - timedelta(milliseconds=200))
    service.clock.run()
    await service.until_said(1)

    assert await service.said() == [(A, "rung at 12:01:00")]


async def test_what_fails_is_tried_again_after_pauses_that_double(service, caplog) -> None:
    caplog.set_level(logging.ERROR, "shared.runner")
    world = service.world()
    runner = await service.runner(world)
    world.broken.add(A)
    await service.begin(A, fetch=True)
    await travel(service.clock, NOON + A_WHILE, runner)
    failures = len(world.times)
    world.broken.clear()
    await travel(service.clock, NOON + 3 * A_WHILE, runner)

    pauses = [(later - before).total_seconds() for before, later in pairwise(world.times)]
    assert failures >= 5
    assert all(2**n / 2 <= pause <= 2**n for n, pause in enumerate(pauses))
    assert await service.said() == [(A, "fetched")]


async def test_what_never_works_is_parked_with_the_reason_and_harms_nothing_else(
    service, caplog
) -> None:
    caplog.set_level(logging.ERROR, "shared.runner")
    world, other = service.world(), new_id()
    world.broken.add(A)
    runner = await service.runner(world)
    await service.begin(A, other, fetch=True)
    await travel(service.clock, NOON + timedelta(hours=2), runner)

    [row] = await service.rows("SELECT about, attempts, reason, holder, parked_at FROM errands")
    assert (row["about"], row["attempts"], row["holder"]) == (A, 10, None)
    assert row["reason"] == "OSError: nobody\ufffd is there"
    assert row["parked_at"] is not None
    assert await service.said() == [(other, "fetched")]


def test_patience_has_no_end_unless_one_is_given() -> None:
    pauses = [Patience(jitter=0).pause(tries) for tries in (1, 2, 3, 10_000)]

    assert [one and one.total_seconds() for one in pauses] == [1, 2, 4, 300]
    assert Patience(attempts=3).pause(3) is None


async def test_errand_that_this_program_cannot_read_waits_and_stops_no_other(
    service, postgres, caplog
) -> None:
    caplog.set_level("CRITICAL", "shared.runner")
    other = new_id()
    await service.begin(A, other, fetch=True)
    async with postgres.transaction() as tx:
        await tx.execute("UPDATE errands SET content = '{}' WHERE about = $1", A)

    await service.runner()
    await service.until_said(1)

    assert await service.said() == [(other, "fetched")]
    [row] = await service.rows("SELECT reason, holder, parked_at FROM errands")
    assert row["reason"].startswith("ValidationError")
    assert (row["holder"], row["parked_at"]) == (None, None)


async def test_what_fails_together_is_tried_one_by_one(service, caplog) -> None:
    caplog.set_level(logging.ERROR, "shared.runner")
    world, others = service.world(), [new_id() for _ in range(4)]
    world.broken.add(A)
    runner = await service.runner(world)
    await service.begin(A, *others, press=True)
    await runner.settled()

    assert world.pressed == [5, 1, 1, 1, 1, 1]
    assert {its_id for its_id, _ in await service.said()} == set(others)
    assert await service.left() == {"Press": 1}


async def test_outcome_of_what_was_closed_meanwhile_is_nothing(service) -> None:
    traffic = service.new_traffic(service.postgres)
    carry = traffic.carry

    async def too_late(heard: Heard) -> tuple[Event, ...]:
        await service.end(A)
        return await carry(heard)

    traffic.carry = too_late
    world = service.world()
    runner = await service.runner(world, traffic)
    await service.begin(A, fetch=True)
    runner.wake()
    await runner.settled()

    assert len(world.times) == 1
    assert await service.said() == []
    assert await service.left() == {}


async def test_what_was_closed_before_its_time_is_never_done(service) -> None:
    runner = await service.runner()
    await service.begin(A, ring=NOON + A_WHILE)

    await service.end(A)
    await travel(service.clock, NOON + 2 * A_WHILE, runner)

    assert await service.said() == []


async def test_timers_fire_at_their_time_and_not_before(service) -> None:
    runner = await service.runner()
    early, late = new_id(), new_id()
    await service.begin(late, ring=NOON + 3 * A_WHILE)
    await service.begin(early, ring=NOON + A_WHILE)

    await travel(service.clock, NOON + 2 * A_WHILE, runner)
    assert await service.said() == [(early, "rung at 12:01:00")]
    await travel(service.clock, NOON + 4 * A_WHILE, runner)

    assert await service.said() == [(early, "rung at 12:01:00"), (late, "rung at 12:03:00")]
    assert await service.left() == {}


async def test_clock_that_jumps_past_many_timers_fires_them_in_order(service) -> None:
    runner = await service.runner()
    its_ids = [new_id() for _ in range(20)]
    for n, one in reversed(list(enumerate(its_ids))):
        await service.begin(one, ring=NOON + (n + 1) * A_WHILE)

    service.clock.move_to(NOON + timedelta(days=1))
    await runner.settled()

    assert [its_id for its_id, _ in await service.said()] == its_ids


async def test_decision_that_plans_what_nobody_does_is_refused(service) -> None:
    with pytest.raises(TypeError, match=r"nobody does \['Unheard'\]"):
        await service.begin(A, unheard=True)

    assert await service.left() == {}


@pytest.fixture
def statements(monkeypatch) -> Iterator[list[str]]:
    """Overhear every statement of transactions and runners."""
    seen: list[str] = []
    connect = asyncpg.connect

    async def overheard_connect(dsn) -> Connection:
        connection = await connect(dsn)
        connection.add_query_logger(lambda query: seen.append(query.query))
        return connection

    monkeypatch.setattr(runner_module.asyncpg, "connect", overheard_connect)
    with overheard(lambda _, query: seen.append(query.query)):
        yield seen


async def test_what_is_due_at_once_is_begun_without_a_look_into_the_table(
    service, statements
) -> None:
    runner = await service.runner()
    await runner.settled()
    statements.clear()

    await service.begin(A, fetch=True, ring=NOON + A_WHILE)
    await service.until_said(1)
    await runner.settled()

    assert not [sql for sql in statements if "WITH dead" in sql or "min(one.due)" in sql]
    await travel(service.clock, NOON + 2 * A_WHILE, runner)
    assert await service.said() == [(A, "fetched"), (A, "rung at 12:01:00")]


@pytest.mark.parametrize("fault", ["unheard", "unanswered", "half answered", "given up"])
async def test_what_is_planned_is_done_whatever_becomes_of_the_commit(
    service, dsn, fault, caplog
) -> None:
    caplog.set_level(logging.CRITICAL, "shared")
    async with wire_to(dsn) as (wire, there), Postgres(there, pool_size=1) as remote:
        traffic, world = service.new_traffic(remote), service.world()
        runner = await service.runner(world, traffic)
        await runner.settled()
        command, command_id = Begin(tally_id=A, fetch=True), new_id()

        wire.fail("COMMIT", fault)
        for _ in range(3):
            with suppress(Exception):
                await traffic.ask(command, command_id)
        await service.until_said(1)
        await runner.settled()
        await runner.stop()

    assert wire.failures == 1
    assert await service.said() == [(A, "fetched")]
    assert await service.left() == {}


async def test_statements_do_not_grow_with_the_number_of_things(service, statements) -> None:
    runner = await service.runner()
    counts = []
    for size in (10, 400):
        await runner.settled()
        statements.clear()
        await service.begin(*(new_id() for _ in range(size)), fetch=True, ring=NOON)
        await runner.settled()
        counts.append(len(statements))

    assert len(await service.said()) == 2 * 410
    few, many = counts
    assert many <= 8 * few  # forty times as much, eight rounds of fifty
