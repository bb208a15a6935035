"""`certfold up` as a person starts it, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from certfold.embedded import guardian

ROOT = Path(__file__).parents[2]
CERTFOLD = str(Path(sys.executable).with_name("certfold"))
BARE = "--bare"  # without the services: a third of the time
READY = "Ctrl-C stops everything"
AS_USER = ("--map-current-user", "--keep-caps") if os.geteuid() else ()
OFFLINE = ("unshare", "--net", *AS_USER, "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


class Up:
    def __init__(
        self, folder: Path, *options: str, before: tuple[str, ...] = (), **environment: str
    ) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [*before, CERTFOLD, "up", "--data", str(folder), *options],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            start_new_session=True,  # a group of its own, as a terminal gives it
        )

    def wait_for(self, words: str) -> "Up":
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if words in line:
                return self
        raise AssertionError(f"never said {words!r}:\n{''.join(self.said)}")

    def refusal(self) -> str:
        said, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 1, said
        return said

    @property
    def endpoints(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads((self.folder / "endpoints.json").read_text())
        return found

    def pid(self, name: str) -> int:
        children = [one for stage in guardian.read(self.folder / "children.json") for one in stage]
        return next(one.pid for one in children if one.name == name)

    def all(self) -> list[psutil.Process]:
        """Every process there is of it, the guardian and PostgreSQL's own children included."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: int = signal.SIGTERM, *, whole_group: bool = False) -> float:
        began = time.monotonic()
        (os.killpg if whole_group else os.kill)(self.process.pid, number)
        self.process.communicate(timeout=20)
        return time.monotonic() - began

    def close(self) -> None:
        if self.process.poll() is None:
            self.stop()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def running(up: Up) -> Iterator[Up]:
    try:
        yield up.wait_for(READY)
    finally:
        up.close()
