"""`make chaos`: what the system survives, at full size.

usage: python -m tests.chaos [--lifecycles 200] [--short] [--keep] [--seed N]; `--keep` writes
docs/results/chaos.md
"""

import argparse
import asyncio
import logging
import random
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.faults import SERVICES
from tests.chaos.storm import Plan, Report, storm
from tests.end_to_end.running import ROOT, running

RESULTS = ROOT / "docs" / "results"
LIFECYCLE = "purchase → 2 instances → combine → apply → DNS → officer → issued"


def main() -> int:
    """Run the storm on a system of its own; exit 0 if every promise was kept."""
    arguments = read_arguments()
    plan = plan_of(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tells of each lost connection
    began = time.monotonic()

    def tell(said: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {said}", flush=True)  # noqa: T201

    folder = Path(tempfile.mkdtemp(prefix="certfold-chaos-"))
    tell(f"coming up in {folder}")
    with running(folder) as system:
        report = asyncio.run(storm(system, plan, tell))
    options = "--short " * arguments.short + f"--lifecycles {plan.lifecycles} --seed {plan.seed}"
    told = table(report, f"python -m tests.chaos {options} --keep")
    print(told)  # noqa: T201
    if arguments.keep:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / "chaos.md").write_text(told)
    if report.broken:
        tell(f"what was left is in {folder}")
    else:
        shutil.rmtree(folder)
    return bool(report.broken)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--lifecycles", type=int, default=0, help="200, or 20 with --short")
    parser.add_argument("--short", action="store_true", help="each program is killed once")
    parser.add_argument("--keep", action="store_true", help="the table, in docs/results/")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    return parser.parse_args()


def plan_of(arguments: argparse.Namespace) -> Plan:
    if arguments.short:
        return Plan(arguments.lifecycles or 20, 1, 1, ("inventory",), 2.5, arguments.seed)
    return Plan(arguments.lifecycles or 200, 4, 2, SERVICES, 3.0, arguments.seed)


def table(report: Report, command: str) -> str:
    """Write down what has happened, and by which command, in Markdown."""
    plan = report.plan
    killed, stopped = (
        ", ".join(f"{name} {times} times" for name, times in sorted(counted.items()))
        for counted in (report.killed, report.stopped)
    )
    lines = [
        f"# Chaos, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"{plan.lifecycles} lifecycles: {LIFECYCLE}. Seed {plan.seed}.",
        f"Killed with -9: {killed}.",
        f"Stopped until others own all that was theirs, then continued: {stopped}.",
        "",
        f"Made by `{command}`.",
        "",
        "| promise | wanted | found | |",
        "|---|---|---|---|",
        *(
            f"| {one.promise} | {_cell(one.wanted)} | {_cell(one.found)} | "
            f"{'kept' if one.holds else '**BROKEN**'} |"
            for one in report.checks
        ),
        "",
        "| | |",
        "|---|---|",
        *(f"| {what} | {_cell(number)} |" for what, number in report.numbers.items()),
        "",
    ]
    if report.trouble:
        lines += ["Errors in the logs:", ""]
        lines += [f"- {times} times {what}" for what, times in report.trouble.most_common(12)]
        lines.append("")
    return "\n".join(lines)


def _cell(content: object) -> str:
    if isinstance(content, list | dict | set) and not content:
        return "none"
    if isinstance(content, set):
        return f"{len(content)}"
    if isinstance(content, dict):
        return ", ".join(f"{name} {number}" for name, number in content.items())
    return str(content).replace("|", "\\|").replace("\n", " ")[:700]


if __name__ == "__main__":
    sys.exit(main())
