"""Keeps programs running: stage by stage, logged, asked whether they are ready, none left over."""

import asyncio
import fcntl
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TextIO

import psutil

from certfold.embedded import guardian
from certfold.embedded.guardian import Child

Tell = Callable[[str, str], None]

PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
STEADY = 60.0  # seconds of life after which an end counts as the first one again
TRIES = 3  # before the first success
TICK = 0.05
LARGE = 10 << 20
ROOT = Path(__file__).parents[2]


class CannotStartError(Exception):
    """The system cannot be brought up; the message is for the person who tried."""


@dataclass(frozen=True, slots=True)
class Program:
    """How to run one program, how to ask whether it is ready, how to make it stop."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_with: signal.Signals = signal.SIGTERM
    patience: float = 60.0


class Supervisor:
    """Owns one data directory, and every process that works on it.

    `start` takes a stage: programs that may start at once, because they need only what earlier
    stages have brought up. Leaving the context stops the stages in reverse, within ten seconds.
    """

    def __init__(self, folder: Path, tell: Tell) -> None:
        self.folder = folder
        self._tell = tell
        self._record = folder / "children.json"
        self._stages: list[dict[str, Child]] = []
        self._watches: list[asyncio.Task[None]] = []
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotStartError(f"{self.folder} cannot hold our data: {error}") from error
        try:
            return await self._enter()
        except BaseException:
            await self._resources.aclose()
            raise

    async def _enter(self) -> Self:
        lock = await self._locked()
        if left := await asyncio.to_thread(guardian.stop, self._record):
            self._tell("left over", f"stopped {', '.join(left)} of an earlier run")
        self._watches.append(asyncio.create_task(self._keep_guardian(lock.fileno())))
        return self

    async def __aexit__(self, *_: object) -> None:
        for watch in self._watches[1:]:
            watch.cancel()
        await asyncio.gather(*self._watches[1:], return_exceptions=True)
        self._tell("all", "stopping")
        # In a thread of its own, so that a second Ctrl-C cannot cut it short.
        stopped = await asyncio.shield(asyncio.to_thread(guardian.stop, self._record))
        self._tell("all", f"stopped {', '.join(stopped) or 'nothing'}")
        self._watches[0].cancel()
        # Each has ended, the loop has yet to hear of it: closed before, it would complain.
        ends = (asyncio.ensure_future(one.wait()) for one in self._processes.values())
        await asyncio.wait([self._watches[0], *ends], timeout=1.0)
        await self._resources.aclose()

    async def start(self, *programs: Program) -> None:
        """Start `programs` together; return when all are ready, raise when one cannot be."""
        self._stages.append({})
        stage = len(self._stages) - 1
        firsts = []
        for program in programs:
            first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watches.append(asyncio.create_task(self._keep(program, stage, first)))
            firsts.append(first)
        await asyncio.gather(*firsts)

    async def _keep(self, program: Program, stage: int, first: "asyncio.Future[None]") -> None:
        try:
            await self._run(program, stage, first)
        except Exception as error:
            if first.done():
                self._tell(program.name, f"given up: {error}")
            else:
                first.set_exception(error)

    async def _run(self, program: Program, stage: int, first: "asyncio.Future[None]") -> None:
        """Run `program` for ever, with a growing pause after each early end."""
        ends = 0
        while True:
            began = time.monotonic()
            self._tell(program.name, "starting")
            process = await self._spawn(program, stage)
            ready = await self._becomes_ready(program, process)
            if ready:
                self._tell(program.name, f"ready after {time.monotonic() - began:.1f} s")
                if not first.done():
                    first.set_result(None)
            code = await process.wait()
            ends = 1 if time.monotonic() - began > STEADY else ends + 1
            if not first.done() and (ends == TRIES or code == -signal.SIGKILL):
                raise CannotStartError(self._story(program, code))
            pause = PAUSES[min(ends, len(PAUSES)) - 1]
            self._tell(program.name, f"ended ({_cause(code)}), starting again in {pause} s")
            await asyncio.sleep(pause)

    async def _spawn(self, program: Program, stage: int) -> asyncio.subprocess.Process:
        with self._log(program.name) as log:
            process = await asyncio.create_subprocess_exec(
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | program.environment,
                cwd=ROOT,
                # A terminal's Ctrl-C is for us alone: what happens next has an order.
                start_new_session=True,
            )
        self._processes[program.name] = process
        with suppress(psutil.NoSuchProcess):  # over so soon that there is nothing to write down
            child = Child.of(program.name, process.pid, program.stop_with)
            self._stages[stage][program.name] = child
            guardian.write(self._record, (stage.values() for stage in self._stages))
        return process

    async def _becomes_ready(self, program: Program, process: asyncio.subprocess.Process) -> bool:
        """Ask until the answer is yes; kill what does not answer in time."""
        end = time.monotonic() + program.patience
        while process.returncode is None:
            if await program.ready():
                return True
            if time.monotonic() > end:
                self._tell(program.name, f"not ready after {program.patience:.0f} s")
                process.kill()
                return False
            await asyncio.sleep(TICK)
        return False

    async def _keep_guardian(self, lock: int) -> None:
        while True:
            with self._log("guardian") as log:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "certfold.embedded.guardian", str(self._record)),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    cwd=ROOT,
                    start_new_session=True,
                    # Whoever holds it keeps the lock: the next start waits for the guardian too.
                    pass_fds=(lock,),
                )
            try:
                await process.wait()
            finally:
                if process.stdin:
                    process.stdin.close()
                await process.wait()

    async def _locked(self) -> TextIO:
        file = self._resources.enter_context((self.folder / "lock").open("a+"))
        for _ in range(int(guardian.BUDGET * 2 / TICK)):
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.truncate(0)
                print(os.getpid(), file=file, flush=True)
                return file
            file.seek(0)
            if (holder := file.read().strip()) and psutil.pid_exists(int(holder)):
                raise CannotStartError(
                    f"{self.folder} is in use: process {holder} is already up on it. "
                    "Stop that one, or choose another data directory."
                )
            await asyncio.sleep(TICK)
        raise CannotStartError(f"{self.folder} is still being cleared up after an earlier run")

    @contextmanager
    def _log(self, name: str) -> Iterator[TextIO]:
        path = self.folder / "logs" / f"{name}.log"
        if path.exists() and path.stat().st_size > LARGE:
            path.replace(path.with_suffix(".log.1"))
        with path.open("a") as file:
            yield file

    def _story(self, program: Program, code: int) -> str:
        path = self.folder / "logs" / f"{program.name}.log"
        last = "".join(path.read_text(errors="replace").splitlines(keepends=True)[-15:])
        return f"{program.name} does not start ({_cause(code)}); the end of {path}:\n{last}"


def _cause(code: int) -> str:
    return f"exit {code}" if code >= 0 else signal.Signals(-code).name
