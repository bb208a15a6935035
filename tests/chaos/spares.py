"""A second replica of services, which takes over from one that stands still."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.end_to_end.running import ROOT, System, ports

READY_SECONDS = 60.0
STOP_SECONDS = 10.0
HANDLED = re.compile(r"^certfold_messages_handled_total\{.*\} (\S+)$", re.MULTILINE)


class Spare:
    """One more replica: it is told what the first one is, but for its name and ports."""

    def __init__(self, system: System, service: str) -> None:
        child = system.child(service)
        assert child is not None
        told = Path(f"/proc/{child['pid']}/environ").read_text().rstrip("\0").split("\0")
        chosen = ports()
        self.health = f"http://127.0.0.1:{chosen['CERTFOLD_PORT_HEALTH_INVENTORY']}"
        mine = f"CERTFOLD_{service.upper()}_"
        ours = {
            f"{mine}MEMBER": "spare",
            f"{mine}API_PORT": chosen["CERTFOLD_PORT_INVENTORY"],
            f"{mine}HEALTH_PORT": chosen["CERTFOLD_PORT_HEALTH_INVENTORY"],
        }
        with (system.folder / "logs" / f"{service}-spare.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"services.{service}"],
                cwd=ROOT,
                env=dict(one.split("=", 1) for one in told) | ours,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while not self._answers("/readyz"):
            assert self._process.poll() is None, "a spare has ended"
            assert time.monotonic() < end, "a spare does not become ready"
            time.sleep(0.2)

    def handled(self) -> int:
        """Return how many messages it has handled."""
        told = httpx.get(f"{self.health}/metrics", trust_env=False).text
        return sum(int(float(number)) for number in HANDLED.findall(told))

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()

    def _answers(self, path: str) -> bool:
        try:
            return httpx.get(f"{self.health}{path}", timeout=2, trust_env=False).is_success
        except httpx.TransportError:
            return False


@contextmanager
def spares(system: System, services: Sequence[str]) -> Iterator[list[Spare]]:
    """Run one spare of each of `services`."""
    with ExitStack() as stack:
        found = [Spare(system, one) for one in services]
        for one in found:
            stack.callback(one.stop)
        for one in found:
            one.wait_until_ready()
        yield found
