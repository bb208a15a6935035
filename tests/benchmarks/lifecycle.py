"""Whole lifecycles, from a purchase to an issued certificate: ours, the baseline's, the floor's."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from statistics import median

from shared.service import search_cycles_rarely
from tests.benchmarks import floor, ours, people
from tests.benchmarks.baseline import app as baseline_app
from tests.benchmarks.ground import Ground, Tell, ground
from tests.benchmarks.measure import Round, Watch, ratios
from tests.benchmarks.people import Order
from tests.benchmarks.table import Finding, Section, Table, at_least, at_most
from tests.servers import Servers

CUSTOMERS = 4
WARM = 24  # lifecycles, before each round
NOTES = """\
One lifecycle: a purchase, two instances made, combined, applied for with a pasted P-256 request,
two names validated, two items vetted, issued, shown as issued: {facts} events in Kafka. Every
commit is durable (fsync, synchronous_commit, full_page_writes), but for the deletion of what was
told from our outbox; acks=all on one broker. {customers} customers at a time take all their orders
from step to step. Neither side asks the DNS (each proof is found at once, within the process) or
lints. People's commands skip HTTP on both sides; all services of a side share one process, and look
for garbage as seldom as `python -m services.…` does. CPU, user and system, is that of the process,
PostgreSQL and Kafka.

The floor is the SQL of one round of ours, said again in its {transactions} transactions, and each
request verified by form and CA, and one signature: no broker, no code of ours. Rounds are
interleaved; ratios are those within a round.
"""


async def measure(servers: Servers, lifecycles: int, few: int, rounds: int, tell: Tell) -> Section:
    """Let the three take turns; `few` lifecycles are enough for the baseline, which is steady."""
    tape = floor.Tape()
    async with ground(servers) as one, ground(servers) as other:
        app, pool = baseline_app.App(one.kafka), await baseline_app.prepare(one)
        async with pool:
            facts = await _rehearse(one, other, tape, lifecycles)
            gc.collect()
            search_cycles_rarely()
            found: dict[str, list[Round]] = {"ours": [], "baseline": [], "floor": []}
            for number in range(1, rounds + 1):
                async with ours.running(one) as side:
                    await abreast(side, _customers(WARM))
                    found["ours"].append(await _round(one, partial(abreast, side), lifecycles))
                async with baseline_app.running(one, app, pool) as side:
                    await abreast(side, _customers(WARM))
                    found["baseline"].append(await _round(one, partial(abreast, side), few))
                async with floor.running(other, tape) as side:
                    found["floor"].append(await _round(other, side.live, lifecycles))
                for name in found:
                    tell(f"round {number}, {name}: {_told(found[name][-1])}")
    return _section(found, facts, tape.transactions)


async def _rehearse(one: Ground, other: Ground, tape: floor.Tape, lifecycles: int) -> int:
    """Warm up, make the second database's tables, and record; return the events of a lifecycle."""
    async with ours.running(other) as side:
        await abreast(side, _customers(WARM))
    with tape.recording():
        async with ours.running(one) as side:
            await abreast(side, _customers(WARM))
            before = await _facts(one)
            tape.on = True
            await abreast(side, _customers(lifecycles))
            tape.on = False
            return round((await _facts(one) - before) / lifecycles) + 1  # the purchase itself


async def _facts(ground: Ground) -> int:
    counted = " + ".join(f"(SELECT sum(sequence) FROM {name}.subjects)" for name in ours.NAMES)
    return int(await ground.admin.fetchval(f"SELECT {counted}") or 0)


async def abreast(
    side: "ours.Ours | baseline_app.Baseline", customers: Sequence[Sequence[Order]]
) -> None:
    """Lead the orders of all customers to their certificates; nobody waits for anybody else."""
    await asyncio.gather(*map(side.live, customers))


def _customers(lifecycles: int) -> list[list[Order]]:
    return [people.orders(max(lifecycles // CUSTOMERS, 1)) for _ in range(CUSTOMERS)]


async def _round(
    ground: Ground, live: Callable[[list[list[Order]]], Awaitable[None]], lifecycles: int
) -> Round:
    customers = _customers(lifecycles)
    with Watch(ground.meter) as watch:
        await live(customers)
    return Round.of(sum(map(len, customers)), watch)


def _told(one: Round) -> str:
    return f"{one.per_second:.1f} lifecycles/s, {1000 * one.cpu_each:.2f} ms CPU each"


def _section(found: dict[str, list[Round]], facts: int, transactions: int) -> Section:
    one, other, bare = found["ours"], found["baseline"], found["floor"]
    findings = (
        Finding(
            "lifecycles/s, of one message at a time",
            ratios(_speeds(one), _speeds(other)),
            "times",
            at_least(10),
        ),
        Finding("CPU of the floor", ratios(_costs(one), _costs(bare)), "times", at_most(3)),
        Finding("CPU of one message at a time, of ours", ratios(_costs(other), _costs(one))),
    )
    names = {"ours": "Certfold", "baseline": "one message at a time", "floor": "floor"}
    columns = ("", "lifecycles/s", "ms CPU each", "Python", "PostgreSQL", "Kafka", "rounds of")
    rows = [(names[name], *_row(rounds)) for name, rounds in found.items()]
    return Section(
        "Lifecycle",
        findings,
        NOTES.format(facts=facts, transactions=transactions, customers=CUSTOMERS),
        Table(columns, rows),
    )


def _row(rounds: Sequence[Round]) -> tuple[str, ...]:
    parts = (
        [1000 * getattr(one.cpu, part) / one.count for one in rounds]
        for part in ("python", "postgres", "kafka")
    )
    return (
        f"{median(_speeds(rounds)):.1f}",
        f"{1000 * median(_costs(rounds)):.2f}",
        *(f"{median(values):.2f}" for values in parts),
        f"{len(rounds)} of {rounds[0].count}",
    )


def _speeds(rounds: Sequence[Round]) -> list[float]:
    return [one.per_second for one in rounds]


def _costs(rounds: Sequence[Round]) -> list[float]:
    return [one.cpu_each for one in rounds]
