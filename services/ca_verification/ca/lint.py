"""Lint before signing (BR 4.3.1.2), in processes of its own; and the proof that it was done."""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NoReturn, final

from services.ca_verification.ca.finding import Finding
from services.ca_verification.ca.plan import Plan
from shared.contracts.purchases import CertificateType

_SEAL: Final = object()  # only this module has it


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Prepared:
    """A certificate to be signed: the specimen is all of it, signed by a key that is thrown away.

    Who prepared it knows it again by its identity, so a copy, changed or not, is nobody's.
    """

    plan: Plan
    specimen_der: bytes


@final
class Linted:
    """The permission to sign one certificate. Only a lint that forbids nothing makes one."""

    __slots__ = ("findings", "prepared")

    def __init__(self, prepared: Prepared, findings: tuple[Finding, ...], *, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("only a lint makes this permission")
        self.prepared: Final = prepared
        self.findings: Final = findings

    def __reduce__(self) -> NoReturn:
        raise TypeError("a permission does not leave its process: lint again")


@dataclass(frozen=True, slots=True)
class Unfit:
    """What must not be signed, and all that was found."""

    prepared: Prepared
    findings: tuple[Finding, ...]


def findings(prepared: Prepared) -> tuple[Finding, ...]:
    """Tell what is found, the worst first; what `rules` suppresses is left out."""
    return _find(*_question(prepared))


def lint(prepared: Prepared) -> Linted | Unfit:
    """Lint in this process: some 7 ms, but for the first, which takes a second and 60 MB."""
    return _conclude(prepared, findings(prepared))


class Linter:
    """Lints in worker processes, which start with the first work and end when long idle.

    The main module must be importable without effects (multiprocessing's *spawn*).
    """

    def __init__(self, max_workers: int = 2, idle_seconds: float = 300.0) -> None:
        self._max_workers = max_workers
        self._idle_seconds = idle_seconds
        self._workers: ProcessPoolExecutor | None = None
        self._at_work = 0
        self._retirement: asyncio.TimerHandle | None = None

    async def lint(self, prepared: Prepared) -> Linted | Unfit:
        """Lint beside others. Raises BrokenProcessPool if a worker was killed: ask again."""
        loop = asyncio.get_running_loop()
        with self._work() as workers:
            found = await loop.run_in_executor(workers, _find, *_question(prepared))
        return _conclude(prepared, found)

    def close(self) -> None:
        """End the workers. Later work starts others."""
        if self._retirement:
            self._retirement.cancel()
        if self._workers:
            self._workers.shutdown(wait=False, cancel_futures=True)
        self._workers = self._retirement = None

    @contextmanager
    def _work(self) -> Iterator[ProcessPoolExecutor]:
        if self._retirement:
            self._retirement.cancel()
        workers = self._workers = self._workers or ProcessPoolExecutor(
            self._max_workers, multiprocessing.get_context("spawn"), _begin
        )
        self._at_work += 1
        try:
            yield workers
        except BrokenProcessPool:
            if self._workers is workers:
                self._workers = None
            raise
        finally:
            self._at_work -= 1
            if not self._at_work:
                loop = asyncio.get_running_loop()
                self._retirement = loop.call_later(self._idle_seconds, self.close)


def _question(prepared: Prepared) -> tuple[bytes, CertificateType, frozenset[str]]:
    plan = prepared.plan
    return prepared.specimen_der, plan.certificate_type, frozenset(plan.profile.reserved_ok)


def _find(
    der: bytes, certificate_type: CertificateType, reserved_ok: frozenset[str]
) -> tuple[Finding, ...]:
    # 60 MB, which only those who lint carry.
    from services.ca_verification.ca import rules  # noqa: PLC0415

    return rules.find(der, certificate_type, reserved_ok)


def _conclude(prepared: Prepared, found: tuple[Finding, ...]) -> Linted | Unfit:
    if any(finding.forbids for finding in found):
        return Unfit(prepared, found)
    return Linted(prepared, found, seal=_SEAL)


def _begin() -> None:
    """Make a worker ready. It ends with its parent, however that ends, and by nothing else."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    from services.ca_verification.ca import rules  # noqa: PLC0415 - as above

    rules.warm_up()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(0)
