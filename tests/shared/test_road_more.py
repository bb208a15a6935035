"""The road on a real PostgreSQL: weight, repeated commands, bugs of ours, and what is forgotten."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest

from shared import housekeeping
from shared import traffic as traffic_module
from shared.breaker import MOST_IN_A_ROW
from shared.clock import utc_now
from shared.decision import Decision, Moment
from shared.housekeeping import prune
from shared.postgres import Postgres, Transaction
from shared.reactions import Shelf, when
from shared.road import Road
from shared.traffic import Traffic
from tests.shared import make, tally
from tests.shared.make import A, B, counted, read
from tests.shared.tally import Count, Counted, Tallied, Tally

FIRST, SECOND = UUID(int=50), UUID(int=51)  # what commands make
COMMAND = UUID(int=9)


def on(postgres: Postgres, road: Road = tally.road, **more: object) -> Traffic:
    return Traffic("tally", road, postgres, wake=lambda _: None, **more)


async def column(postgres: Postgres, sql: str) -> list[object]:
    async with postgres.transaction() as tx:
        return [row[0] for row in await tx.fetch(sql)]


async def stopped(traffic: Traffic) -> str:
    """Wait until the traffic stands still, and return why."""
    while traffic.waits_for is None:
        await asyncio.sleep(0.01)
    return traffic.waits_for


async def stopped_by(traffic: Traffic, count: int) -> str:
    """Take so many messages until the traffic stands still; return why, and take no more."""
    batch = read(*(counted(1) for _ in range(count)))
    taking = asyncio.create_task(traffic.take(batch))
    reason = await stopped(traffic)
    taking.cancel()
    with suppress(asyncio.CancelledError):
        await taking
    return reason


HEAVY = Road(
    when(
        Counted,
        tally.tallies,
        about=lambda it: it.tally_id,
        then=tally.count,
        weighs=lambda it: it.amount,
    ),
    shelves=(tally.tallies,),
)


async def test_batch_is_cut_where_it_becomes_too_heavy_for_one_transaction(
    postgres, monkeypatch
) -> None:
    monkeypatch.setattr(traffic_module, "MOST_WEIGHT", 4)
    weights = [2, 2, 5, 1, 1, 1]  # a message that is too heavy by itself travels alone

    await on(postgres, HEAVY).take(read(*map(counted, weights)))

    said = await column(postgres, "SELECT xmin::text FROM outbox ORDER BY id")
    assert [said.count(one) for one in dict.fromkeys(said)] == [2, 1, 3]


async def test_what_is_not_understood_weighs_as_one(postgres, monkeypatch) -> None:
    monkeypatch.setattr(traffic_module, "MOST_WEIGHT", 2)

    await on(postgres).take(read(*(make.Record(b"", []) for _ in range(3))))

    parked = await column(postgres, "SELECT xmin::text FROM parked")
    assert sorted(parked.count(one) for one in set(parked)) == [1, 2]


async def test_command_that_a_person_may_repeat_keeps_what_was_asked_and_what_it_made(
    postgres,
) -> None:
    traffic, command = on(postgres), Count(tally_id=A, amount=1)
    await traffic.ask(command, COMMAND, digest=b"asked", reference=FIRST)

    await traffic.ask(command, COMMAND, digest=b"otherwise", reference=SECOND)

    async with postgres.transaction() as tx:
        [row] = await tx.fetch("SELECT message_id, digest, reference FROM inbox")
    assert tuple(row) == (COMMAND, b"asked", FIRST)


async def test_command_that_comes_twice_at_once_is_answered_once(postgres) -> None:
    traffic = on(postgres)

    answers = await asyncio.gather(
        *(traffic.ask(Count(tally_id=A, amount=4), COMMAND, reference=UUID(int=n)) for n in (1, 2))
    )

    assert answers == [(Tallied(tally_id=A, total=4),), ()]
    assert await column(postgres, "SELECT reference FROM inbox") == [UUID(int=1)]


class Homeless(Tally):
    """No shelf holds it."""


async def test_decision_that_changes_what_no_shelf_holds_is_refused(postgres) -> None:
    road = Road(
        when(
            Count,
            tally.tallies,
            about=lambda it: it.tally_id,
            then=lambda *_: Decision((Homeless(A),)),
        ),
        shelves=(tally.tallies,),
    )

    with pytest.raises(TypeError, match="no shelf holds Homeless"):
        await on(postgres, road).ask(Count(tally_id=A, amount=1), COMMAND)


class Program:
    """Counts, as soon as it is mended."""

    is_mended = False

    def count(self, it: Tally | None, counted: Counted, moment: Moment) -> Decision:
        if not self.is_mended and counted.tally_id == A:
            raise KeyError("total")
        return tally.count(it, counted, moment)

    @property
    def road(self) -> Road:
        return Road(
            when(Counted, tally.tallies, about=lambda it: it.tally_id, then=self.count),
            shelves=(tally.tallies,),
        )


async def test_bug_of_ours_in_most_of_a_batch_stops_and_the_mended_program_handles_everything(
    postgres, caplog
) -> None:
    caplog.set_level("CRITICAL", "shared.traffic")
    program = Program()
    traffic = on(postgres, program.road)
    batch = read(*(counted(1) for _ in range(MOST_IN_A_ROW + 1)), counted(1, B))

    taking = asyncio.create_task(traffic.take(batch))
    assert (await stopped(traffic)).startswith("OurBugError: KeyError on 11 of 12 messages")
    assert await column(postgres, "SELECT id FROM parked") == []
    assert await column(postgres, "SELECT message_id FROM inbox") == []

    program.is_mended = True
    await taking

    assert await column(postgres, "SELECT total FROM tallies ORDER BY id") == [11, 1]
    assert await column(postgres, "SELECT id FROM parked") == []
    assert traffic.waits_for is None


async def test_bug_of_ours_in_few_messages_parks_them_alone(postgres) -> None:
    traffic = on(postgres, Program().road)

    await traffic.take(read(*(counted(1) for _ in range(MOST_IN_A_ROW)), counted(1, B)))

    assert await column(postgres, "SELECT total FROM tallies") == [1]
    assert await column(postgres, "SELECT error_class FROM parked") == ["KeyError"] * MOST_IN_A_ROW


async def test_stopped_service_is_stopped_again_by_what_comes_alone(postgres, caplog) -> None:
    caplog.set_level("CRITICAL", "shared.traffic")
    traffic = on(postgres, Program().road)
    for _ in range(MOST_IN_A_ROW):
        await traffic.take(read(counted(1)))

    await stopped_by(traffic, 1)

    assert len(await column(postgres, "SELECT id FROM parked")) == MOST_IN_A_ROW


async def forget(_: Transaction, __: Sequence[UUID]) -> list[Tally]:
    raise KeyError("a column that a new program forgot")


UNREADABLE = Shelf(Tally, forget, tally.save)
FORGETFUL = Road(
    when(Counted, UNREADABLE, about=lambda it: it.tally_id, then=tally.count),
    shelves=(UNREADABLE,),
)


async def test_bug_of_ours_in_reading_what_there_is_stops_too(postgres, caplog) -> None:
    caplog.set_level("CRITICAL", "shared.traffic")
    traffic = on(postgres, FORGETFUL)
    beats: list[int] = []
    traffic.beat = lambda: beats.append(1)

    reason = await stopped_by(traffic, 40)

    assert reason.startswith("OurBugError: KeyError")
    assert len(await column(postgres, "SELECT id FROM parked")) == MOST_IN_A_ROW
    assert beats  # who waits is not stuck: a restart would not help


async def test_messages_that_are_old_enough_are_forgotten(postgres) -> None:
    old = on(postgres, clock=lambda: utc_now() - timedelta(days=31))
    await old.take(read(counted(1), counted(1)))
    await on(postgres).take(read(counted(1)))

    assert await prune(postgres, 30) == 2

    assert len(await column(postgres, "SELECT 1 FROM inbox")) == 1


async def test_messages_are_forgotten_a_few_at_a_time(postgres, monkeypatch) -> None:
    monkeypatch.setattr(housekeeping, "AT_ONCE", 2)
    old = on(postgres, clock=lambda: utc_now() - timedelta(days=31))
    await old.take(read(*(counted(1) for _ in range(3))))

    assert [await prune(postgres, 30) for _ in range(3)] == [2, 1, 0]


async def test_forgotten_message_that_comes_again_is_decided_again(postgres) -> None:
    once = read(counted(1))
    await on(postgres, clock=lambda: utc_now() - timedelta(days=31)).take(once)
    await prune(postgres, 30)

    await on(postgres).take(once)

    assert await column(postgres, "SELECT total FROM tallies") == [2]
