"""`docker compose` in a checkout of its own, with a name, ports and an image that nobody else has.

It can run beside an `up` of the same checkout, and leaves nothing but the builder's cache.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from certfold.embedded import ports
from certfold.provision import SERVICES

ROOT = Path(__file__).parents[2]
CERTFOLD = Path(sys.executable).with_name("certfold")
PLACES = (
    *("console", "kafka", "postgres", "dns", "http", "tls"),
    *(f"health_{name}" for name in SERVICES),
)
UP_SECONDS, DEMO_SECONDS = 300, 180


def compose_is_there() -> bool:
    """Say whether there is a `docker compose` command; it needs no engine to read a file."""
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0


def context() -> tuple[str, ...]:
    """Return what .dockerignore lets through to the builder, as it names it."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return tuple(line.removeprefix("!") for line in lines if line.startswith("!"))


def checkout(folder: Path) -> Path:
    """Copy what an `up` needs of the checkout."""
    folder.mkdir(parents=True)
    for name in ("docker-compose.yml", "Dockerfile", ".dockerignore", *context()):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return folder


class Stack:
    """One project of compose, with the sandbox's profile."""

    def __init__(self, folder: Path, port: Mapping[str, int]) -> None:
        self.folder, self.port = folder, port
        self.name = f"certfold-test-{uuid4().hex[:8]}"
        self.environment = os.environ | {
            "CERTFOLD_IMAGE": self.name,
            **{f"CERTFOLD_PORT_{name.upper()}": str(number) for name, number in port.items()},
        }

    def compose(self, *arguments: str) -> str:
        """Run one command; raise with all that it and the containers said if it fails."""
        command = ("docker", "compose", "-p", self.name, "--profile", "sandbox")
        done = self._run(*command, *arguments, seconds=UP_SECONDS)
        if done.returncode:
            logs = self._run(*command, "logs", "--tail", "20", seconds=UP_SECONDS)
            raise AssertionError(f"{arguments}\n{done.stdout}\n{logs.stdout}")
        return done.stdout

    def up(self) -> None:
        """Bring everything up; return when all of it is healthy, and says where it is."""
        self.compose("up", "--detach")
        end = time.monotonic() + UP_SECONDS
        while not (self.endpoints_file.exists() and not self._unwell()):
            assert time.monotonic() < end, self.compose("logs", "--tail", "20")
            time.sleep(0.5)

    def _unwell(self) -> list[str]:
        states = {name: one["State"] for name, one in self.containers().items()}
        asked = {name: one["Health"]["Status"] for name, one in states.items() if "Health" in one}
        return [name for name, status in asked.items() if status != "healthy"]

    def down(self) -> None:
        """Take the containers away; their data stays."""
        self.compose("down")

    def demo(self) -> str:
        """Play the story on it, from the host; return what was told."""
        done = self._run(str(CERTFOLD), "demo", "--attach", seconds=DEMO_SECONDS)
        assert done.returncode == 0, f"{done.stdout}\n{self.compose('logs', '--tail', '20')}"
        return done.stdout

    def containers(self) -> dict[str, Mapping[str, Any]]:
        """Return what the engine knows of each container, by the name of its service."""
        ids = self.compose("ps", "--all", "--quiet").split()
        found = json.loads(self._run("docker", "inspect", *ids).stdout)
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def processes(self, service: str) -> Iterator[Mapping[str, str]]:
        """Yield /proc/<pid>/status of each process in a container, as the host's kernel has it."""
        container = self.containers()[service]["Id"]
        shown = self._run("docker", "top", container, "-o", "pid").stdout.split()[1:]
        for pid in shown:
            lines = Path("/proc", pid, "status").read_text().splitlines()
            yield {name: value.strip() for name, _, value in (one.partition(":") for one in lines)}

    def left(self) -> str:
        """Return what the engine still has of this project."""
        label = f"label=com.docker.compose.project={self.name}"
        kinds = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        return "".join(
            self._run("docker", *kind, "--quiet", "--filter", label).stdout for kind in kinds
        )

    def remove(self) -> None:
        """Take away all of it, with its data and its image."""
        self.compose("down", "--volumes", "--timeout", "5")
        self._run("docker", "image", "rm", "--force", self.name)

    @property
    def endpoints_file(self) -> Path:
        return self.folder / ".data" / "endpoints.json"

    def _run(self, *command: str, seconds: float = 60) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """Reserve ports for one, which is not up yet; remove it at the end."""
    wished = dict.fromkeys(PLACES, ports.ANY)
    with ports.reserved(folder / "ports.json", wished) as port:
        made = Stack(checkout(folder / "checkout"), port)
        try:
            yield made
        finally:
            made.remove()
