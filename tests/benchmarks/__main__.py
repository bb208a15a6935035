"""How fast Certfold is, and what it takes: `python -m tests.benchmarks [part …] [--write]`."""

import argparse
import logging
import os
import platform
import re
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from tests.benchmarks import hot, importing, latency, lifecycle, linting, previews, stack
from tests.benchmarks.table import Section
from tests.servers import Servers, embedded

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "benchmarks.md"
HEAD = """\
# Benchmarks

Written by `python -m tests.benchmarks --write`; what a part measures is told below its table.
"""

Choice = argparse.Namespace
Measure = Callable[[Servers, Choice], Coroutine[Any, Any, Section]]


def tell(said: str) -> None:
    print(f"  {said}", file=sys.stderr, flush=True)  # noqa: T201


ALONE: dict[str, Callable[[Choice], Section]] = {
    "previews": lambda it: previews.measure(1.0, it.rounds, tell),
    "lint": lambda it: linting.measure(100, it.rounds, tell),
    "idle": lambda it: stack.idle(it.seconds, 2, tell),
    "start": lambda it: stack.start(it.rounds, tell),
}
ON_SERVERS: dict[str, Measure] = {
    "lifecycle": lambda on, it: lifecycle.measure(on, it.lifecycles, it.few, it.rounds, tell),
    "latency": lambda on, it: latency.measure(on, 20, it.rounds, tell),
    "hot": lambda on, it: hot.measure(on, 1000, it.rounds, tell),
    "import": lambda on, it: importing.measure(on, it.instances, 400, it.rounds, tell),
}


def main() -> None:
    """Measure the parts that are asked for, by default all; print what was found."""
    choice, load = _choice(), os.getloadavg()[0]
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # groups come and go
    sections = [ALONE[part](choice) for part in ALONE if part in choice.parts]
    if any(part in ON_SERVERS for part in choice.parts):
        with embedded() as found:  # whose processes can be seen
            asked = [ON_SERVERS[part] for part in ON_SERVERS if part in choice.parts]
            sections += [uvloop.run(measure(found, choice)) for measure in asked]
    for section in sections:
        print(section)  # noqa: T201
    if choice.write:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        old = RESULTS.read_text() if RESULTS.exists() else ""
        RESULTS.write_text(merged(old, sections, load))


def _choice() -> Choice:
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    parts = (*ALONE, *ON_SERVERS)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(parts))
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name} too")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--lifecycles", type=int, default=1000, help="of ours in a round")
    parser.add_argument("--few", type=int, default=100, help="of the baseline in a round")
    parser.add_argument("--instances", type=int, default=100_000, help="that are imported")
    parser.add_argument("--seconds", type=float, default=30.0, help="of a round of idleness")
    choice = parser.parse_args()
    choice.parts = choice.parts or parts
    if unknown := set(choice.parts) - set(parts):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return choice


def merged(old: str, sections: Sequence[Section], load: float) -> str:
    """Put new sections in the place of those that have their titles; keep the others.

    `load` is how many others wanted a core when it began: they make everything slower.
    """
    pieces = re.split(r"^(?=## )", old, flags=re.MULTILINE)[1:]
    kept = {one.partition("\n")[0]: one.rstrip() for one in pieces}
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    measured = f"Measured on {datetime.now(UTC):%Y-%m-%d}, {machine}, load before {load:.1f}."
    new = {f"## {one.title}": f"{one}\n{measured}" for one in sections}
    return "\n\n".join([HEAD.rstrip(), *(kept | new).values()]) + "\n"


if __name__ == "__main__":
    main()
