"""What replicas remember, on a real PostgreSQL: whatever it is, they decide by what there is."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.cloudevents import Envelope
from shared.postgres import Postgres
from tests.shared import looking, tally
from tests.shared.looking import MANY, Check, Clear, Fill, Follow, Weigh, Wind
from tests.shared.make import A, B, counted, fold, heard, read
from tests.shared.replicas import (
    C,
    D,
    ask,
    column,
    in_order,
    kept,
    parked,
    remembered,
    replica,
    rows,
    told,
    totals,
    waiting,
)
from tests.shared.stored import stored
from tests.shared.tally import DISPUTED, Count, Counted, Moved, Tally
from tests.shared.truth import false_memories

PLACES = A, B, C


async def test_thing_that_was_made_or_changed_before_is_not_read_again(
    one, looks, postgres
) -> None:
    await one.take(read(counted(1)))
    assert looks.pop() == ("all", (A,))

    await one.take(read(counted(2), counted(4)))
    assert await ask(one, Count(tally_id=A, amount=8)) == [15]

    assert looks == []
    assert await totals(postgres) == [15]


async def test_thing_that_was_only_looked_at_is_not_read_again(one, other, looks) -> None:
    await other.take(read(counted(5)))
    await ask(one, Weigh(tally_id=A))
    looks.clear()

    assert await ask(one, Weigh(tally_id=A)) == [5]

    assert looks == []


async def test_things_of_which_some_are_remembered_are_all_locked_and_only_the_others_read(
    one, other, looks, postgres
) -> None:
    await one.take(read(counted(1), counted(1, C)))
    await other.take(read(counted(1, B)))
    looks.clear()

    for _ in range(2):
        await one.take(read(*(counted(10, its_id) for its_id in (D, C, B, A))))

    assert looks == [("version", (A, B, C, D)), ("all", (B,))]
    assert await totals(postgres) == [21, 21, 21, 20]
    assert remembered(one) == await kept(postgres)


async def test_thing_that_changed_is_read_with_those_that_are_not_remembered(
    one, other, looks, postgres
) -> None:
    await one.take(read(counted(1)))
    await other.take(read(counted(2), counted(2, B)))
    looks.clear()

    await one.take(read(counted(4), counted(4, B)))

    assert looks == [("version", (A, B)), ("all", (A, B))]
    assert await totals(postgres) == [7, 6]


async def test_replicas_that_take_turns_lose_nothing(one, other, looks, postgres) -> None:
    for traffic, amount in ((one, 1), (other, 2), (one, 4), (other, 8), (one, 16)):
        await traffic.take(read(counted(amount)))

    assert await told(postgres) == {A: [(1, 1), (2, 3), (3, 7), (4, 15), (5, 31)]}
    assert await totals(postgres) == [31]
    assert await parked(postgres) == []
    assert looks == [("all", (A,))] * 5  # overtaken, each time after the second, and no more


async def count_ninety(postgres: Postgres) -> None:
    await replica(postgres).take(read(counted(90)))


def by_hand(sql: str) -> Callable[[Postgres], Awaitable[object]]:
    return lambda postgres: rows(postgres, sql)


meanwhile = pytest.mark.parametrize(
    ("meanwhile", "total"),
    [
        pytest.param(count_ninety, 100, id="another replica"),
        pytest.param(
            by_hand(f"UPDATE tallies SET total = 100, version = version + 1 WHERE id = '{A}'"),
            100,
            id="changed by hand",
        ),
        pytest.param(by_hand(f"DELETE FROM tallies WHERE id = '{A}'"), 0, id="deleted by hand"),
    ],
)


@meanwhile
async def test_what_was_changed_meanwhile_is_changed_as_it_is_now(
    one, postgres, meanwhile, total
) -> None:
    await one.take(read(counted(10)))
    await meanwhile(postgres)

    await one.take(read(counted(1)))
    assert await ask(one, Count(tally_id=A, amount=2)) == [total + 3]

    assert await totals(postgres) == [total + 3]
    assert remembered(one) == await kept(postgres)


@meanwhile
async def test_what_was_changed_meanwhile_is_changed_as_it_is_now_beside_what_is_unknown(
    one, other, postgres, meanwhile, total
) -> None:
    await one.take(read(counted(10)))
    await other.take(read(counted(5, B)))
    await meanwhile(postgres)

    await one.take(read(counted(1), counted(1, B)))

    assert await totals(postgres) == [total + 1, 6]
    assert remembered(one) == await kept(postgres)


@meanwhile
async def test_what_is_only_looked_at_is_seen_as_it_is_now(one, postgres, meanwhile, total) -> None:
    await one.take(read(counted(10)))
    await meanwhile(postgres)

    assert await ask(one, Weigh(tally_id=A)) == [total]
    assert await ask(one, Weigh(tally_id=A)) == [total]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(Follow(tally_id=B, to=A), id="of the same kind"),
        pytest.param(Fill(tally_id=B, limit_id=A), id="of another kind"),
    ],
)
@meanwhile
async def test_what_is_looked_at_beside_what_is_changed_is_seen_as_it_is_now(
    one, postgres, command, meanwhile, total
) -> None:
    await one.take(read(counted(10), counted(20, B)))
    await ask(one, command)
    await meanwhile(postgres)

    assert await ask(one, command) == [total]

    assert (await kept(postgres))[B].total == total


async def test_what_is_no_longer_so_parks_nothing_and_tells_nobody_of_an_error(
    one, other, postgres
) -> None:
    await one.take(read(counted(MANY + 1)))
    await other.take(read(counted(-MANY)))

    await one.take([heard(Check(tally_id=A), 1)])
    await other.take(read(counted(MANY)))
    await one.take([heard(Check(tally_id=A), 2)])
    await other.take(read(counted(-MANY)))
    assert await ask(one, Check(tally_id=A)) == []

    assert await column(postgres, "SELECT record_offset FROM parked") == [2]


async def test_message_that_another_replica_has_handled_leaves_nothing_in_mind(
    one, other, postgres
) -> None:
    batch = read(counted(1), counted(1, B))
    await other.take(read(counted(1)))
    await one.take(batch)

    await other.take(batch)
    await other.take(read(counted(1), counted(1, B)))

    assert await told(postgres) == {A: [(1, 1), (2, 2), (3, 3)], B: [(1, 1), (2, 2)]}
    assert remembered(other) == await kept(postgres)


async def test_what_a_parked_message_does_after_all_is_remembered(one, looks, postgres) -> None:
    for amount in (500, 600, -400):
        await one.take(read(counted(amount)))
    [parked_id] = await column(postgres, "SELECT id FROM parked")

    await one.replay(parked_id)
    looks.clear()
    await one.take(read(counted(1)))

    assert await totals(postgres) == [701]
    assert looks == []


async def test_replicas_that_look_at_what_the_other_one_changes_come_one_after_the_other(
    one, other, postgres
) -> None:
    await one.take(read(counted(1), counted(2, B)))
    for tally_id in A, B:
        await ask(other, Weigh(tally_id=tally_id))

    async with postgres.transaction() as tx:
        await tx.execute("SELECT FROM tallies FOR UPDATE")
        followings = [
            asyncio.create_task(ask(one, Follow(tally_id=A, to=B))),
            asyncio.create_task(ask(other, Follow(tally_id=B, to=A))),
        ]
        await waiting(postgres, 2)
    await asyncio.gather(*followings)

    assert await totals(postgres) in ([1, 1], [2, 2])


async def test_what_is_planned_without_a_change_is_dropped_by_who_closes_meanwhile(
    one, other, postgres
) -> None:
    await one.take(read(counted(1)))
    await ask(other, Weigh(tally_id=A))
    async with postgres.transaction() as tx:
        await tx.execute("SELECT FROM tallies FOR UPDATE")
        winding = asyncio.create_task(ask(one, Wind(tally_id=A)))
        await waiting(postgres, 1)
        clearing = asyncio.create_task(ask(other, Clear(tally_id=A)))
        await waiting(postgres, 2)
    await asyncio.gather(winding, clearing)

    assert await totals(postgres) == [0]
    assert await column(postgres, "SELECT kind FROM errands") == []


async def test_many_replicas_at_once_lose_nothing_and_number_without_a_gap(dsn, postgres) -> None:
    def batch(n: int) -> list[Envelope]:
        return read(*(counted(1, PLACES[(n * m) % 3]) for m in range(5)))

    async with AsyncExitStack() as stack:
        pools = [await stack.enter_async_context(Postgres(dsn, pool_size=4)) for _ in range(4)]
        replicas = [replica(one) for one in pools]
        deeds = [one.take(batch(n)) for n in range(8) for one in replicas]
        deeds += [ask(one, Count(tally_id=A, amount=1)) for one in replicas for _ in range(10)]
        await asyncio.gather(*deeds)
        assert all(map(remembered, replicas))
        assert [await false_memories(one) for one in replicas] == [[]] * 4

    there = await kept(postgres)
    assert sum(one.total for one in there.values()) == 4 * 50
    assert await told(postgres) == {
        its_id: [(n, n) for n in range(1, one.total + 1)] for its_id, one in there.items()
    }
    assert await parked(postgres) == []


IDS = st.sampled_from(PLACES)
MESSAGES = st.one_of(
    st.builds(Counted, tally_id=IDS, amount=st.integers(-5, 12) | st.just(DISPUTED)),
    st.builds(Moved, tally_id=IDS, to=IDS, amount=st.integers(1, 3)),
    st.builds(Follow, tally_id=IDS, to=IDS),
    st.builds(Weigh, tally_id=IDS),
    st.builds(Check, tally_id=IDS),
)
TURNS = st.lists(st.tuples(st.integers(0, 1), st.lists(MESSAGES, min_size=1, max_size=4)))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TURNS)
async def test_replicas_that_take_turns_leave_what_one_fold_leaves(postgres, turns) -> None:
    await begin_anew(postgres)
    replicas = replica(postgres), replica(postgres)
    number = count()
    batches = [[heard(one, next(number)) for one in messages] for _, messages in turns]

    for (whose, _), batch in zip(turns, batches, strict=True):
        await replicas[whose].take(batch)

    folded = fold(looking.road, *batches, world={(Tally, i): Tally(i, 0, 1) for i in PLACES})
    assert await totals(postgres) == [folded.world[Tally, i].total for i in PLACES]
    assert await told(postgres) == in_order([fact for _, fact in folded.said])
    assert await column(postgres, "SELECT record_offset FROM parked ORDER BY record_offset") == [
        offset for offset, _ in folded.parked
    ]


async def begin_anew(postgres: Postgres) -> None:
    """Leave nothing but a tally of nothing at each place."""
    async with postgres.transaction() as tx:
        await tx.execute("TRUNCATE tallies, inbox, subjects, outbox, parked")
        await stored(tx, tally.save, [Tally(one) for one in PLACES])
