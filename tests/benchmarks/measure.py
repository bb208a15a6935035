"""What a round took: wall-clock time, and the CPU time of every process that took part."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self
from urllib.parse import urlsplit

import psutil

from tests.servers import Servers


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of CPU, user and system: this process, PostgreSQL and Kafka."""

    python: float
    postgres: float
    kafka: float

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(
            self.python - other.python, self.postgres - other.postgres, self.kafka - other.kafka
        )

    @property
    def total(self) -> float:
        return self.python + self.postgres + self.kafka


class Meter:
    """Reads the CPU time of this process and of the servers, wherever they run on this machine."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    @cached_property
    def _postgres(self) -> psutil.Process:
        return _listener(urlsplit(self._servers.postgres_dsn).port or 5432)

    @cached_property
    def _kafka(self) -> psutil.Process:
        return _listener(int(self._servers.kafka.rpartition(":")[2]))

    def cpu(self) -> Cpu:
        return Cpu(time.process_time(), _used(self._postgres), _used(self._kafka))


@dataclass(slots=True)
class Watch:
    """Measures what happens between its two ends."""

    meter: Meter
    seconds: float = 0.0
    cpu: Cpu = field(default_factory=lambda: Cpu(0, 0, 0))

    def __enter__(self) -> Self:
        self.cpu, self.seconds = self.meter.cpu(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.seconds
        self.cpu = self.meter.cpu() - self.cpu


@dataclass(frozen=True, slots=True)
class Round:
    """So many lifecycles (or whatever is counted) took so long."""

    count: int
    seconds: float
    cpu: Cpu

    @classmethod
    def of(cls, count: int, watch: Watch) -> "Round":
        return cls(count, watch.seconds, watch.cpu)

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    @property
    def cpu_each(self) -> float:
        return self.cpu.total / self.count


def ratios(one: Iterable[float], other: Iterable[float]) -> list[float]:
    """Divide what stood side by side: noise that hits a whole round cancels out."""
    return [a / b for a, b in zip(one, other, strict=True)]


def _listener(port: int) -> psutil.Process:
    """Find who listens on a port of this machine."""
    for one in psutil.net_connections("tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr.port == port and one.pid:
            return psutil.Process(one.pid)
    raise ProcessLookupError(f"no process on this machine listens on {port}")


def _used(process: psutil.Process) -> float:
    """Count a process, what it has reaped, and what lives below it."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if one == process:
            total += times.children_user + times.children_system
    return total
