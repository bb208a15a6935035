"""Stops child processes by a record of them: in order, by a guardian, or at the next start.

The supervisor writes down whom it started. When it ends well it has them stopped itself. When it
is killed, a guardian, who waits for the end of a pipe that only the supervisor holds open, stops
them in its place; this needs nothing of the operating system but pipes. Should both be killed,
the next start does it.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from certfold.embedded import keep

PATIENCE = 4.5
BUDGET = 9.0
TICK = 0.02


@dataclass(frozen=True, slots=True)
class Child:
    """A process that leads a group of its own; `began` tells it from a later one of that pid."""

    name: str
    pid: int
    began: float
    stop_with: int = signal.SIGTERM

    @classmethod
    def of(cls, name: str, pid: int, stop_with: int) -> "Child":
        return cls(name, pid, psutil.Process(pid).create_time(), stop_with)

    def lives(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.began) < 1.0
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def ask_to_stop(self) -> None:
        self._try(os.kill, self.stop_with)

    def kill(self) -> None:
        """End the process and whatever it has started in its group."""
        self._try(os.killpg, signal.SIGKILL)

    def _try(self, send: Callable[[int, int], None], number: int) -> None:
        # macOS says "not permitted" of a group whose last member has just ended.
        with suppress(ProcessLookupError, PermissionError):
            send(self.pid, number)


Stage = list[Child]


def read(record: Path) -> list[Stage]:
    """Return whom `record` names, in stages, in the order in which they were started."""
    return [[Child(**child) for child in stage] for stage in keep.read(record, [])]


def write(record: Path, stages: Iterable[Iterable[Child]]) -> None:
    """Write down who is to be stopped, should it come to that."""
    keep.write(record, [[asdict(child) for child in stage] for stage in stages])


def stop(record: Path) -> list[str]:
    """Stop all that `record` names, the last stage first; return the names of those who lived.

    Each stage may take `PATIENCE` seconds, all together `BUDGET`; then they are killed, which is
    said in the answer.
    """
    end = time.monotonic() + BUDGET
    found = []
    for stage in reversed(read(record)):
        living = [child for child in stage if child.lives()]
        for child in living:
            child.ask_to_stop()
        _wait(living, min(end, time.monotonic() + PATIENCE))
        found += [f"{one.name} (by force)" if one.lives() else one.name for one in living]
        for child in living:
            child.kill()
        _wait(living, time.monotonic() + 1.0)
    record.unlink(missing_ok=True)
    return found


def _wait(children: Iterable[Child], until: float) -> None:
    while time.monotonic() < until and any(child.lives() for child in children):
        time.sleep(TICK)


def main() -> None:
    """Wait for the supervisor to go away, for whatever reason, and leave nothing behind it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    if left := stop(Path(sys.argv[1])):
        print(time.strftime("%F %T"), "the supervisor was gone; stopped", *left)  # noqa: T201


if __name__ == "__main__":
    main()
