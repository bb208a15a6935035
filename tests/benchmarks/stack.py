"""The whole system as `certfold up` runs it: how soon it is ready, and what it takes when idle."""

import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from certfold.provision import SERVICES
from tests.benchmarks.ground import Tell
from tests.benchmarks.table import Finding, Section, at_most
from tests.certfold.system import CERTFOLD, ROOT, Up, running

SETTLE_SECONDS = 10.0
IDLE_NOTES = """\
The system of `certfold up`, to which nothing happens, {seconds:.0f} s a round: CPU, user and
system, of the five services' processes and all below them. Then it has played the demo once, from
a purchase to an installed certificate, and memory is the resident set of each service's own
process; the linter's workers, which end after five idle minutes, are told apart.
"""
START_NOTES = """\
From the command until it says that all is ready, and until it has ended. Warm: the environment is
installed and Kafka's archives are fetched; the data of `certfold up` are there, the demo always
makes its own anew.
"""


def idle(seconds: float, rounds: int, tell: Tell) -> Section:
    """Watch the services do nothing; look at their memory when they have done something."""
    with _folder() as folder, running(Up(Path(folder, "data"))) as up:
        services = {name: psutil.Process(up.pid(name)) for name in SERVICES}
        time.sleep(SETTLE_SECONDS)
        shares = []
        for _ in range(rounds):
            before, began = _cpu(services.values()), time.monotonic()
            time.sleep(seconds)
            used = _cpu(services.values()) - before
            shares.append(100 * used / (time.monotonic() - began))
            tell(f"idle: {shares[-1]:.1f} % of a core")
        _run("demo", "--attach", "--data", str(up.folder))
        own = {name: _megabytes(one) for name, one in services.items()}
        workers = services["ca_verification"].children(recursive=True)
        tell(", ".join(f"{name} {found:.0f} MB" for name, found in own.items()))
        linting = [_megabytes(one) for one in workers]
    findings = [
        Finding("CPU of five idle services", shares, "% of one core", at_most(8)),
        *(Finding(f"memory of {n}", [found], "MB", at_most(120)) for n, found in own.items()),
        Finding("memory of each process below, for linting", linting, "MB"),
    ]
    return Section("Idle", findings, IDLE_NOTES.format(seconds=seconds))


def start(rounds: int, tell: Tell) -> Section:
    """Start what was stopped, and play the demo, as often as is said."""
    ready, played = [], []
    with _folder() as folder:
        for number in range(rounds + 1):
            began = time.monotonic()
            with running(Up(Path(folder, "data"))):
                if number:  # the first one makes the data
                    ready.append(time.monotonic() - began)
                    tell(f"ready after {ready[-1]:.1f} s")
        for _ in range(rounds):
            began = time.monotonic()
            _run("demo", "--data", str(Path(folder, "demo")))
            played.append(time.monotonic() - began)
            tell(f"demo played after {played[-1]:.1f} s")
    findings = (
        Finding("all is ready, warm", ready, "s", at_most(15)),
        Finding("the demo is played, warm", played, "s", at_most(45)),
    )
    return Section("Start", findings, START_NOTES)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="certfold-bench-")


def _run(*arguments: str) -> None:
    subprocess.run([CERTFOLD, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _cpu(services: Iterable[psutil.Process]) -> float:
    """Add up the seconds of CPU of processes and what is below them."""
    whole = (one for it in services for one in (it, *it.children(recursive=True)))
    return sum(sum(one.cpu_times()[:2]) for one in whole)


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / (1 << 20)
