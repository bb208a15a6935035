"""What a batch costs: as many statements, commits and round trips as a single message.

From a purchase to an issued certificate, in all services, through every reaction on the way.
"""

from dataclasses import replace

import pytest

from tests.benchmarks import people
from tests.benchmarks.ground import ground
from tests.benchmarks.ours import NAMES
from tests.services.counting import Said
from tests.services.lockstep import Lockstep, lockstep

SERVICES = (*NAMES, "console")


@pytest.fixture(scope="module")
async def counted(stack) -> dict[int, Said]:
    """Count for 1, 10 and 500 lives abreast."""
    found, said = {}, Said()
    async with ground(stack) as place, lockstep(place, said) as side:
        await _live(side, 1)  # prepares every statement, once for each connection
        for lives in (1, 10, 500):
            said.clear()
            await _live(side, lives)
            found[lives] = Said(dict(said.statements), said.trips.copy())
    return found


async def _live(side: Lockstep, lives: int) -> None:
    abreast = replace(side, lives=lives)
    await abreast.live(people.orders(lives))
    await abreast.come_and_go()


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("lives", [10, 500])
def test_batch_costs_the_statements_and_commits_of_one_message(counted, service, lives) -> None:
    assert counted[lives].statements[service] == counted[1].statements[service]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("lives", [10, 500])
def test_batch_costs_the_round_trips_of_one_message(counted, service, lives) -> None:
    assert counted[lives].trips[service] == counted[1].trips[service]


@pytest.mark.parametrize("service", SERVICES)
def test_no_statement_waits_twice(counted, service) -> None:
    assert counted[500].trips[service] == len(counted[500].statements[service]) > 0
