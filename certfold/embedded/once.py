"""Runs a program that ends by itself, and never leaves it behind."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping
from contextlib import suppress

from certfold.embedded.supervise import ROOT, CannotStartError


async def finish(*command: str, fault: str, environment: Mapping[str, str] | None = None) -> None:
    """Run `command` to its end; raise `CannotStartError` with `fault` and what it said if it fails.

    When we are cancelled it is killed, with what it has started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        cwd=ROOT,
        env=os.environ | (environment or {}),
        start_new_session=True,
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    if process.returncode != 0:
        raise CannotStartError(f"{fault} ({process.returncode}):\n{said.decode(errors='replace')}")
