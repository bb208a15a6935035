"""Each program dies once, in the middle of twenty lifecycles: nothing lost, nothing twice."""

import random
from pathlib import Path

from tests.chaos.storm import Plan, storm
from tests.end_to_end.running import running


async def test_nothing_is_lost_doubled_or_out_of_order_when_each_program_is_killed_once(
    tmp_path: Path,
) -> None:
    seed = random.randrange(10_000)
    told: list[str] = []

    with running(tmp_path / "data") as system:
        report = await storm(system, Plan(20, 1, 1, 2.0, seed), told.append)

    assert not report.broken, (seed, report.broken, report.trouble)
    assert dict(report.killed) == dict.fromkeys(report.victims, 1)
