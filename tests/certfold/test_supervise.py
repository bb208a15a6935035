"""How the supervisor treats programs that behave badly: small ones, in place of our own."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from certfold.embedded import guardian
from certfold.embedded.supervise import CannotStartError, Program, Supervisor

LINES: list[str] = []
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(99)
"""


def tell(name: str, said: str) -> None:
    LINES.append(f"{name}: {said}")


def python(name: str, code: str, *, ready: bool = True, **more: Any) -> Program:
    async def ask() -> bool:
        return ready

    return Program(name, (sys.executable, "-c", code), ask, **more)


async def test_program_that_ends_at_once_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(CannotStartError, match=r"(?s)bad does not start.*no such luck"):
        async with Supervisor(tmp_path, tell) as supervisor:
            await supervisor.start(python("bad", "exit('no such luck')", ready=False))


async def test_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    async def ask() -> bool:
        return True

    with pytest.raises(FileNotFoundError, match="no-such-program"):
        async with Supervisor(tmp_path, tell) as supervisor:
            await supervisor.start(Program("missing", ("no-such-program",), ask))


async def test_program_that_never_is_ready_is_killed_and_told(tmp_path: Path) -> None:
    slow = python("slow", "import time; time.sleep(99)", ready=False, patience=0.5)
    with pytest.raises(CannotStartError, match="slow does not start"):
        async with Supervisor(tmp_path, tell) as supervisor:
            await supervisor.start(slow)


async def test_stages_are_stopped_in_reverse_and_the_stubborn_by_force(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, tell) as supervisor:
        await supervisor.start(python("first", "import time; time.sleep(99)"))
        await supervisor.start(python("second", STUBBORN))
        while "up" not in (tmp_path / "logs" / "second.log").read_text():
            await asyncio.sleep(0.05)
        children = [one for stage in guardian.read(tmp_path / "children.json") for one in stage]
        began = time.monotonic()

    assert time.monotonic() - began < 10
    assert LINES[-1] == "all: stopped second (by force), first"
    assert not any(child.lives() for child in children)
