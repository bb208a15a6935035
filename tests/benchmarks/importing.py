"""The import of a large estate by replaying a topic, and what a combination costs in it."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import psutil
from aiokafka import AIOKafkaProducer

from shared.contracts.purchases import PurchaseEvent
from shared.service import search_cycles_rarely
from tests.benchmarks import ours
from tests.benchmarks.estate import combine, endow, pairs
from tests.benchmarks.ground import Ground, Tell, ground
from tests.benchmarks.measure import Round, Watch, ratios
from tests.benchmarks.people import order
from tests.benchmarks.table import Finding, Section, at_most
from tests.servers import Servers

CUSTOMERS = 100
A_PURCHASE = 500
SMALL = 1000
WARM = 50
LOOK_SECONDS = 0.5
NOTES = """\
{instances:,} instances, in purchases of {a_purchase} that are in the topic when the services start:
until all are made, and all events about them published. Five services share one process; memory is
that of all five. Then {combinations} combinations of two instances a round, in turns with that
estate and with one of {small:,}: CPU, user and system, of the process, PostgreSQL and Kafka.
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """Instances a second, and the megabytes of the process: before, half way, at the end."""

    rate: float
    before: float
    half_way: float
    after: float


async def measure(
    servers: Servers, instances: int, combinations: int, rounds: int, tell: Tell
) -> Section:
    """Import an estate, then combine in it and in a small one, in turns."""
    search_cycles_rarely()
    tag = uuid4().hex[:8]
    customers = min(CUSTOMERS, instances // A_PURCHASE)
    accounts = [f"estate-{n}-{tag}" for n in range(customers)]
    async with ground(servers) as large, ground(servers) as small:
        async with ours.running(small):  # makes the tables
            pass
        found = await _replay(large, accounts, instances)
        tell(f"import: {found.rate:,.0f}/s, {found.before:.0f} to {found.after:.0f} MB")
        await large.admin.execute("VACUUM ANALYZE")  # PostgreSQL would do so within minutes
        costs: dict[str, list[float]] = {"small": [], "large": []}
        for number in range(rounds + 1):
            await small.admin.execute("TRUNCATE inventory.instances")
            await endow(small, accounts, SMALL)
            turns = (("small", small), ("large", large))
            for name, place in turns[:: 1 if number % 2 else -1]:
                cost = await _cost(place, accounts, combinations)
                if number:  # the first one warms up
                    costs[name].append(1000 * cost)
            if number:
                tell(f"a combination: {costs['large'][-1]:.2f} ms, {costs['small'][-1]:.2f} ms")
    return _section(found, costs, instances, combinations)


async def _replay(place: Ground, accounts: Sequence[str], instances: int) -> Imported:
    """Sell while nobody listens; then let the services catch up."""
    async with AIOKafkaProducer(bootstrap_servers=place.kafka, acks="all") as shop:
        for n in range(instances // A_PURCHASE):
            one = order(accounts[n % len(accounts)])
            content = json.loads(one.value) | {"quantity": A_PURCHASE, "auto_create": True}
            value, key = json.dumps(content).encode(), one.purchase_id.encode()
            await shop.send(PurchaseEvent.topic, value, key=key, headers=one.headers)
        await shop.flush()
    began, before = time.perf_counter(), _megabytes()
    half_way, made = 0.0, 0
    async with ours.running(place) as side:
        while made < instances:
            await asyncio.sleep(LOOK_SECONDS)
            made = await place.admin.fetchval("SELECT sum(created) FROM inventory.purchases") or 0
            if made >= instances // 2 and not half_way:
                half_way = _megabytes()
        await side.settled()
        return Imported(instances / (time.perf_counter() - began), before, half_way, _megabytes())


async def _cost(place: Ground, accounts: Sequence[str], combinations: int) -> float:
    """Return the seconds of CPU that one combination takes."""
    async with ours.running(place) as side:
        chosen = await pairs(place, accounts, WARM + combinations)
        await combine(side, chosen, WARM)
        with Watch(place.meter) as watch:
            await combine(side, chosen, combinations)
    return Round.of(combinations, watch).cpu_each


def _section(
    found: Imported, costs: dict[str, list[float]], instances: int, combinations: int
) -> Section:
    findings = (
        Finding(f"import of {instances:,} instances", [found.rate], "instances/s"),
        Finding("memory before it", [found.before], "MB"),
        Finding("memory at half of it", [found.half_way], "MB"),
        Finding("memory at its end", [found.after], "MB"),
        Finding(
            f"CPU of a combination with {instances:,}, with {SMALL:,}",
            ratios(costs["large"], costs["small"]),
            "times",
            at_most(1.15),
        ),
        Finding(f"CPU of a combination with {SMALL:,}", costs["small"], "ms"),
    )
    notes = NOTES.format(
        instances=instances, a_purchase=A_PURCHASE, combinations=combinations, small=SMALL
    )
    return Section("Import", findings, notes)


def _megabytes() -> float:
    return float(psutil.Process().memory_info().rss) / (1 << 20)
