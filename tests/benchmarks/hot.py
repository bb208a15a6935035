"""One customer who owns and combines far more than others, against many who do so together."""

import time
from uuid import uuid4

from shared.service import search_cycles_rarely
from tests.benchmarks import ours
from tests.benchmarks.estate import combine, endow, pairs
from tests.benchmarks.ground import Tell, ground
from tests.benchmarks.measure import ratios
from tests.benchmarks.table import Finding, Section, at_least
from tests.servers import Servers

CUSTOMERS = 200
OWNED = 100_000
NOTES = """\
{combinations:,} combinations of two instances a round, asked for at once, until all are combined
and all events published: once by one customer who owns {owned:,} instances, once by {customers}
customers who own as many together. Rounds are interleaved.
"""


async def measure(servers: Servers, combinations: int, rounds: int, tell: Tell) -> Section:
    """Let one customer and many take turns."""
    search_cycles_rarely()
    tag = uuid4().hex[:8]
    customers = {"one": [f"hot-{tag}"], "many": [f"cool-{n}-{tag}" for n in range(CUSTOMERS)]}
    speeds: dict[str, list[float]] = {"one": [], "many": []}
    async with ground(servers) as place, ours.running(place) as side:
        chosen = {}
        for name, accounts in customers.items():
            await endow(place, accounts, OWNED)
            chosen[name] = await pairs(place, accounts, combinations * (rounds + 1))
        for number in range(rounds + 1):
            for name, found in speeds.items():
                began = time.perf_counter()
                await combine(side, chosen[name], combinations)
                if number:  # the first one warms up
                    found.append(combinations / (time.perf_counter() - began))
            if number:
                tell(f"one: {speeds['one'][-1]:.0f}/s, many: {speeds['many'][-1]:.0f}/s")
    findings = (
        Finding(
            "combinations/s of one customer, of many",
            ratios(speeds["one"], speeds["many"]),
            "times",
            at_least(0.5),
        ),
        Finding("one customer", speeds["one"], "combinations/s"),
        Finding("many customers", speeds["many"], "combinations/s"),
    )
    notes = NOTES.format(combinations=combinations, owned=OWNED, customers=CUSTOMERS)
    return Section("Hot customer", findings, notes)
