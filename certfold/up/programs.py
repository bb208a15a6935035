"""The programs of ours that are run, and how each is asked whether it is ready."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from certfold.embedded.ports import HOST
from certfold.embedded.supervise import Program

Ready = Callable[[], Awaitable[bool]]


def service(name: str, health_port: int, environment: Mapping[str, str]) -> Program:
    """Run one of the services, by the conventions that all of them keep."""
    return Program(
        name=name,
        command=(sys.executable, "-m", f"services.{name}"),
        environment=environment,
        ready=answers(health_port, "/readyz"),
    )


def name_server(sandbox: Path, port: int) -> Program:
    """Run the sandbox's DNS."""
    return Program(
        name="dns",
        command=(
            *(sys.executable, "-m", "certfold.sandbox.dns", "--port", str(port)),
            *("--file", str(sandbox / "dns.zone"), "--hosts", str(sandbox)),
        ),
        ready=listens(port),
    )


def web_hosts(sandbox: Path, http_port: int, tls_port: int) -> Program:
    """Run the sandbox's web servers."""
    return Program(
        name="web",
        command=(
            *(sys.executable, "-m", "certfold.sandbox.web", "--files", str(sandbox)),
            *("--http-port", str(http_port), "--tls-port", str(tls_port)),
        ),
        ready=listens(tls_port),
    )


def listens(port: int) -> Ready:
    """Ask whether somebody accepts connections."""

    async def ask() -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            return False
        writer.close()
        return True

    return ask


def answers(port: int, path: str) -> Ready:
    """Ask whether HTTP is answered with a 2xx within two seconds."""

    async def ask() -> bool:
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(HOST, port)
                writer.write(f"GET {path} HTTP/1.0\r\nHost: {HOST}:{port}\r\n\r\n".encode())
                status = await reader.readline()
                writer.close()
        except (OSError, TimeoutError):
            return False
        return status[8:10] == b" 2"

    return ask
