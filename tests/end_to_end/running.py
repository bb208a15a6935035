"""`certfold up` in a process of its own, on a data folder and ports of its own.

`TEST_SYSTEM` names the data folder of a system that is up already, for who writes tests.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CERTFOLD = Path(sys.executable).with_name("certfold")
SERVICES = ("inventory", "combination", "application", "ca_verification", "console")
PLACES = (
    *SERVICES,
    *(f"health_{name}" for name in SERVICES),
    *("kafka", "kafka_controller", "postgres", "dns", "http", "tls"),
)
START_SECONDS, STOP_SECONDS = 120.0, 20.0


class System:
    """A system that runs; what it says goes to `said.log` in its folder."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes] | None") -> None:
        self.folder, self._process = folder, process
        self.endpoints: Mapping[str, Any] = {}

    def wait_until_up(self) -> None:
        """Wait for its endpoints; raise with what it said if it ends instead."""
        end = time.monotonic() + START_SECONDS
        while not (self.folder / "endpoints.json").exists():
            has_ended = self._process is None or self._process.poll() is not None
            if has_ended or time.monotonic() > end:
                raise AssertionError(f"it does not come up:\n{self.said()}")
            time.sleep(0.1)
        self.endpoints = json.loads((self.folder / "endpoints.json").read_text())

    @property
    def said_log(self) -> Path:
        """What a person would see at the terminal, logins included."""
        return self.folder / "said.log"

    def said(self) -> str:
        return self.said_log.read_text(errors="replace")

    def child(self, name: str) -> Mapping[str, Any] | None:
        """Return what the supervisor has written down of the running program `name`."""
        stages = json.loads((self.folder / "children.json").read_text())
        return next((one for stage in stages for one in stage if one["name"] == name), None)

    def kill(self, name: str) -> int | None:
        """End a program without a warning, if it runs at this moment; return its pid."""
        return self.send(name, signal.SIGKILL)

    def send(self, name: str, number: signal.Signals) -> int | None:
        """Send a signal to a program, if it runs at this moment; return its pid."""
        child = self.child(name)
        if child is None or not _lives(child["pid"]):
            return None
        os.kill(child["pid"], number)
        return int(child["pid"])

    def stop(self) -> None:
        """Stop all of it, in order."""
        if self._process is None:
            return  # not ours
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(STOP_SECONDS)


def _lives(pid: int) -> bool:
    try:
        # Ended, but not yet noticed by its parent, is not alive.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[System]:
    """Bring everything up on `folder`, and stop it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "endpoints.json").unlink(missing_ok=True)  # of an earlier run
    with (folder / "said.log").open("wb") as said:
        process = subprocess.Popen(
            [CERTFOLD, "up", "--data", str(folder)],
            cwd=ROOT,
            env=os.environ | ports() | environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    system = System(folder, process)
    try:
        system.wait_until_up()
        yield system
    finally:
        system.stop()


def up_already(folder: Path) -> System:
    """Return a system that somebody else has started."""
    system = System(folder, None)
    system.wait_until_up()
    return system


def ports() -> dict[str, str]:
    """Choose a free port for each place.

    From below the range out of which the operating system serves whoever connects: a server that
    was killed would find its own port taken by a client.
    """
    candidates = iter(random.sample(range(15_000, 30_000), 400))
    return {
        f"CERTFOLD_PORT_{place.upper()}": str(next(one for one in candidates if _is_free(one)))
        for place in PLACES
    }


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
