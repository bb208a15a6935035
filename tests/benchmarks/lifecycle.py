"""Whole lifecycles, from a purchase to an issued certificate: ours, the baseline's, the floor's."""

import gc
from collections.abc import Sequence

from tests.benchmarks import floor, ours, people
from tests.benchmarks.baseline import app as baseline_app
from tests.benchmarks.ground import Ground, Tell, ground
from tests.benchmarks.measure import Round, Watch, middle, ratios, spread
from tests.benchmarks.table import Table
from tests.servers import Servers

AGAINST_BASELINE, AGAINST_FLOOR = 10.0, 3.0
NOTES = (
    "one lifecycle: purchase, 2 instances made, combined, applied for with a pasted request",
    "(P-256), 2 names validated, 2 items vetted, issued, shown as issued: {facts} events in Kafka",
    "every commit durable (fsync, synchronous_commit, full_page_writes on); acks=all, one broker",
    "no DNS (every proof is found at once, in this process) and no lint on either side",
    "people's commands skip HTTP on both sides; all services of a side share one process",
    "CPU: this process, PostgreSQL and Kafka, user and system, by /proc",
    "floor: the SQL of one round of ours again, in its {transactions} transactions, each request",
    "verified by form and CA, one signature; no broker and no code of ours",
    "rounds are interleaved; ratios are medians of the rounds' own ratios",
)


async def measure(servers: Servers, lifecycles: int, few: int, rounds: int, tell: Tell) -> Table:
    """Let the three take turns; `few` lifecycles are enough for the baseline, which is steady."""
    tape = floor.Tape()
    async with ground(servers) as one, ground(servers) as other:
        app, pool = baseline_app.App(one.kafka), await baseline_app.prepare(one)
        async with pool:
            facts = await _rehearse(one, other, tape, lifecycles)
            async with baseline_app.running(one, app, pool) as side:
                await side.live(people.orders(max(few // 4, 1)))
            gc.collect()
            gc.freeze()
            found: dict[str, list[Round]] = {"ours": [], "baseline": [], "floor": []}
            for number in range(1, rounds + 1):
                async with ours.running(one) as side:
                    found["ours"].append(await _round(one, side, lifecycles))
                async with baseline_app.running(one, app, pool) as side:
                    found["baseline"].append(await _round(one, side, few))
                async with floor.running(other, tape) as side:
                    found["floor"].append(await _round(other, side, lifecycles))
                for name in found:
                    tell(f"round {number}, {name}: {_told(found[name][-1])}")
            gc.unfreeze()
    return _table(found, facts, tape.transactions)


async def _rehearse(one: Ground, other: Ground, tape: floor.Tape, lifecycles: int) -> int:
    """Warm up, make the second database's tables, and record; return the events of a lifecycle."""
    async with ours.running(other) as side:
        await side.live(people.orders(max(lifecycles // 10, 1)))
    with tape.recording():
        async with ours.running(one) as side:
            before = await _facts(one)
            tape.on = True
            await side.live(people.orders(lifecycles))
            tape.on = False
            return round((await _facts(one) - before) / lifecycles) + 1  # the purchase itself


async def _facts(ground: Ground) -> int:
    counted = " + ".join(f"(SELECT sum(sequence) FROM {name}.subjects)" for name in ours.NAMES)
    return int(await ground.admin.fetchval(f"SELECT {counted}") or 0)


async def _round(
    ground: Ground, side: "ours.Ours | baseline_app.Baseline | floor.Floor", count: int
) -> Round:
    orders = people.orders(count)
    with Watch(ground.meter) as watch:
        await side.live(orders)
    return Round.of(count, watch)


def _told(one: Round) -> str:
    return f"{one.per_second:.1f} lifecycles/s, {1000 * one.cpu_each:.2f} ms CPU each"


def _table(found: dict[str, list[Round]], facts: int, transactions: int) -> Table:
    names = {"ours": "Certfold", "baseline": "one message at a time", "floor": "floor"}
    faster = ratios(_speeds(found["ours"]), _speeds(found["baseline"]))
    leaner = ratios(_costs(found["baseline"]), _costs(found["ours"]))
    above = ratios(_costs(found["ours"]), _costs(found["floor"]))
    rows = [(names[name], *_row(rounds)) for name, rounds in found.items()]
    verdicts = (
        f"throughput ÷ baseline: {middle(faster):.1f} ({spread(faster)})",
        f"CPU ÷ floor: {middle(above):.2f} ({spread(above)})",
        f"baseline's CPU ÷ ours: {middle(leaner):.1f} ({spread(leaner)})",
    )
    notes = [note.format(facts=facts, transactions=transactions) for note in NOTES]
    columns = ("", "lifecycles/s", "ms CPU each", "Python", "PostgreSQL", "Kafka", "rounds of")
    return Table("Lifecycle", columns, rows, [*verdicts, *notes])


def _row(rounds: Sequence[Round]) -> tuple[str, ...]:
    parts = (
        [1000 * getattr(one.cpu, part) / one.count for one in rounds]
        for part in ("python", "postgres", "kafka")
    )
    return (
        f"{middle(_speeds(rounds)):.1f}",
        f"{1000 * middle(_costs(rounds)):.2f}",
        *(f"{middle(values):.2f}" for values in parts),
        f"{len(rounds)} of {rounds[0].count}",
    )


def _speeds(rounds: Sequence[Round]) -> list[float]:
    return [one.per_second for one in rounds]


def _costs(rounds: Sequence[Round]) -> list[float]:
    return [one.cpu_each for one in rounds]
