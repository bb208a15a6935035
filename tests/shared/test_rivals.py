"""Replicas that begin, change, plan for and close the same things at the same time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from random import Random
from uuid import UUID

import pytest

from shared.contracts.base import Command
from shared.postgres import Postgres
from shared.reactions import when
from shared.road import Road
from shared.traffic import Traffic
from tests.shared import looking, tally
from tests.shared.looking import Clear, Ring, Weigh, Wind
from tests.shared.opening import Open, beginnings
from tests.shared.replicas import ask, rows
from tests.shared.tally import Count
from tests.shared.truth import false_memories

REPLICAS, ROUNDS, PAUSE_SECONDS = 3, 12, 0.01
ROAD = Road(
    *beginnings(tally.tallies),
    when(Wind, tally.tallies, about=lambda it: it.tally_id, then=looking.wind),
    when(Clear, tally.tallies, about=lambda it: it.tally_id, then=looking.clear),
    when(Ring, tally.tallies, about=lambda it: it.tally_id, then=looking.ring),
    shelves=(tally.tallies,),
)


@pytest.fixture
async def rivals(dsn: str, postgres: Postgres) -> AsyncIterator[list[Traffic]]:
    del postgres  # has laid the tables
    async with AsyncExitStack() as stack:
        pools = [
            await stack.enter_async_context(Postgres(dsn, pool_size=3)) for _ in range(REPLICAS)
        ]
        yield [Traffic("tally", ROAD, one, wake=lambda _: None) for one in pools]


def starts(ids: list[UUID]) -> list[Command]:
    return [
        *(Open(tally_id=one) for one in 3 * ids),
        *(Wind(tally_id=one) for one in 8 * ids),
        *(Clear(tally_id=one) for one in 3 * ids),
        *(Weigh(tally_id=one) for one in 2 * ids),
        *(Count(tally_id=one, amount=2) for one in ids),
    ]


def ends(ids: list[UUID]) -> list[Command]:
    return [*(Clear(tally_id=one) for one in ids), *(Wind(tally_id=one) for one in 4 * ids)]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_outlives_what_closed_it_and_nobody_remembers_what_is_not_so(
    rivals, postgres, seed
) -> None:
    random = Random(seed)

    async def do(command: Command) -> None:
        rival = random.choice(rivals)
        await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))
        await ask(rival, command)

    for number in range(ROUNDS):
        ids = [UUID(int=100 * number + n) for n in (1, 2, 3)]
        for commands in (starts(ids), ends(ids)):
            random.shuffle(commands)
            await asyncio.gather(*map(do, commands))

    empty = "SELECT kind FROM errands JOIN tallies t ON about = t.id WHERE total = 0"
    assert await rows(postgres, empty) == []
    assert [await false_memories(rival) for rival in rivals] == [[]] * REPLICAS
    twice = "SELECT key FROM outbox GROUP BY key HAVING count(DISTINCT sequence) < count(*)"
    assert await rows(postgres, twice) == []
