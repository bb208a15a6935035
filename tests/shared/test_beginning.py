"""A message with which a story begins: nobody looks for what there is not yet, as a rule."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from shared.postgres import Postgres
from shared.reactions import Shelf
from shared.road import Road
from shared.traffic import Traffic
from tests.shared import tally
from tests.shared.looking import Weigh
from tests.shared.make import A, B, counted, read
from tests.shared.opening import Open, beginnings
from tests.shared.overhearing import first_words
from tests.shared.replicas import ask, column, told, totals, waiting
from tests.shared.tally import Count, Tally


def replica(postgres: Postgres, shelf: Shelf[Tally] = tally.tallies) -> Traffic:
    road = Road(*beginnings(shelf), shelves=(shelf,))
    return Traffic("tally", road, postgres, wake=lambda _: None)


@pytest.fixture
async def statements(postgres) -> AsyncIterator[list[str]]:
    """Overhear the first word of each statement, once asyncpg knows the types of all values."""
    await ask(replica(postgres), Open(tally_id=UUID(int=99), amount=0))
    with first_words() as seen:
        yield seen


@pytest.mark.parametrize(("message", "total"), [(Open, 1), (Weigh, 0)])
async def test_beginning_takes_one_statement(postgres, statements, message, total) -> None:
    assert await ask(replica(postgres), message(tally_id=A)) == [total]

    assert statements == ["WITH"]


async def test_what_follows_at_once_goes_along(postgres, statements) -> None:
    traffic = replica(postgres)

    answers = await asyncio.gather(
        ask(traffic, Open(tally_id=A)),
        ask(traffic, Open(tally_id=B, amount=4)),
        ask(traffic, Count(tally_id=A, amount=2)),
    )

    assert answers == [[1], [4], [3]]
    assert statements == ["WITH"]
    assert await totals(postgres) == [3, 4, 0]


async def test_what_does_not_begin_a_story_is_looked_for(postgres, statements) -> None:
    await replica(postgres).take(read(counted(1)))

    assert statements[:2] == ["BEGIN", "SELECT"]


@pytest.mark.parametrize("message", [Open, Weigh])
@pytest.mark.parametrize(
    "shelf",
    [tally.tallies, Shelf(Tally, tally.load, tally.save)],
    ids=["remembered", "not remembered"],
)
async def test_what_is_there_after_all_is_decided_by(postgres, message, shelf) -> None:
    await replica(postgres).take(read(counted(5)))
    late = replica(postgres, shelf)

    for _ in range(2):
        assert await ask(late, message(tally_id=A)) == [5]

    assert await totals(postgres) == [5]
    assert await told(postgres) == {A: [(1, 5), (2, 5), (3, 5)]}


async def test_of_two_who_begin_at_once_one_does(postgres) -> None:
    async with postgres.transaction() as tx:
        await tx.execute("INSERT INTO tallies (id, total, version) VALUES ($1, 9, 1)", A)
        asking = [
            asyncio.create_task(ask(replica(postgres), Open(tally_id=A, amount=amount)))
            for amount in (1, 2)
        ]
        await waiting(postgres, 2)
        await tx.execute("DELETE FROM tallies")
    one, other = await asyncio.gather(*asking)

    assert one == other
    assert one in ([1], [2])
    assert await totals(postgres) == one
    assert await column(postgres, "SELECT count(*) FROM inbox") == [2]
