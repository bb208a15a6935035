"""Each program dies once, and one stands still, in the middle of twenty lifecycles."""

import random
from pathlib import Path

from tests.chaos.storm import Plan, storm
from tests.end_to_end.running import running


async def test_nothing_is_lost_doubled_or_out_of_order_whoever_is_killed_or_stands_still(
    tmp_path: Path,
) -> None:
    seed = random.randrange(10_000)
    told: list[str] = []

    with running(tmp_path / "data") as system:
        report = await storm(system, Plan(20, 1, 1, ("inventory",), 2.0, seed), told.append)

    assert not report.broken, (seed, report.broken, report.trouble)
    assert dict(report.killed) == dict.fromkeys(report.victims, 1) | {"postgres": 2}
    assert dict(report.stopped) == {"inventory": 1}
