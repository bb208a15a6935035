"""A real console on real servers, and a service behind it that tells what reached it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from services.console.app import BLUEPRINT
from services.console.settings import Settings
from shared.service import Service
from tests.conftest import fresh_role
from tests.servers import Servers

SECRET = "the-secret-of-the-tests"  # noqa: S105
PEOPLE = {
    "ann": ("applicant", "acme"),
    "bob": ("applicant", "rival"),
    "oli": ("officer", None),
    "rev": ("reviewer", None),
    "aud": ("auditor", None),
    "ops": ("operator", None),
}


def token(name: str) -> str:
    return f"token-of-{name}-".ljust(40, "0")


class Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def serving(app: ASGIApp, port: int, lifespan: Any = "off") -> AsyncIterator[str]:
    config = uvicorn.Config(
        app, port=port, log_config=None, lifespan=lifespan, timeout_graceful_shutdown=1
    )
    server = Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), task
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


@dataclass
class Upstream:
    """What any service would be: it tells what it was asked, as it came."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    waits_for: dict[str, str] = field(default_factory=dict)
    slow_seconds: float = 0

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/readyz", self.readyz),
                Route("/api/v1/instances/stream", self.stream),
                Route("/api/v1/instances/mistrust", self.mistrust),
                Route("/{path:path}", self.echo, methods=["GET", "POST", "DELETE", "PATCH"]),
            ]
        )

    async def echo(self, request: Request) -> Response:
        told = {
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.scope["query_string"].decode(),
            "headers": dict(request.headers),
            "body": (await request.body()).decode(),
        }
        headers = {"location": "/api/v1/somewhere", "keep-alive": "timeout=5", "x-mine": "1"}
        return JSONResponse(told, 202, headers)

    async def stream(self, _: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"first"
            await self.go_on.wait()
            yield b"second"

        return StreamingResponse(pieces(), media_type="text/event-stream")

    async def mistrust(self, _: Request) -> Response:
        return JSONResponse({"status": 401, "detail": "only the console may ask"}, 401)

    async def readyz(self, _: Request) -> Response:
        await asyncio.sleep(self.slow_seconds)
        told = {"ready": not self.waits_for, "waits_for": self.waits_for}
        return JSONResponse(told, 503 if self.waits_for else 200)


@dataclass(frozen=True)
class Console:
    """A console that runs, and how to ask it in somebody's name."""

    service: Service
    upstream: Upstream
    url: str

    def client(self, name: str | None = None) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token(name)}"} if name else {}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=10)

    async def get(self, path: str, name: str | None = None, **how: Any) -> httpx.Response:
        return await self.ask("GET", path, name, **how)

    async def ask(
        self, method: str, path: str, name: str | None = None, **how: Any
    ) -> httpx.Response:
        async with self.client(name) as client:
            return await client.request(method, path, **how)


def people_file(folder: Path) -> Path:
    file = folder / "people.json"
    listed = [
        {"name": name, "role": role, "account_id": account, "token": token(name)}
        for name, (role, account) in PEOPLE.items()
    ]
    file.write_text(json.dumps(listed))
    return file


@asynccontextmanager
async def running(servers: Servers, folder: Path, **chosen: Any) -> AsyncIterator[Console]:
    """Run a console whose services are all one upstream, but `application`, which is away."""
    upstream = Upstream()
    async with serving(upstream.app, free_port()) as behind:
        away = f"http://127.0.0.1:{free_port()}"
        health, api = free_port(), free_port()
        wanted: dict[str, Any] = {
            "postgres_dsn": await fresh_role(servers.postgres_dsn, "console"),
            "kafka_servers": servers.kafka,
            "api_port": api,
            "health_port": health,
            "console_secret": SECRET,
            "inventory_url": behind,
            "combination_url": behind,
            "ca_verification_url": behind,
            "application_url": away,
            "people_file": people_file(folder),
            "health_urls": {"inventory": behind, "application": f"{away}/readyz"},
        }
        settings = Settings(**wanted | chosen)
        service = Service(BLUEPRINT, settings)
        async with serving(service, health, "on") as url:
            async with httpx.AsyncClient() as client:
                while (await client.get(f"{url}/readyz")).status_code != 200:
                    await asyncio.sleep(0.05)
            yield Console(service, upstream, f"http://127.0.0.1:{api}")
