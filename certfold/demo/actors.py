"""Who takes part in the story: people who call the API, and a notifier."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaConsumer

TOPICS = (
    "certificates.inventory.v1",
    "certificates.combination.v1",
    "certificates.application.v1",
    "certificates.ca-verification.v1",
)
PATIENCE_SECONDS = 30.0


class DemoFailedError(Exception):
    """A step of the story did not happen; the message says which, and what happened instead."""


class Person:
    """Somebody with a login, who calls the API."""

    def __init__(self, api: str, token: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=api, headers={"authorization": f"Bearer {token}"}, timeout=40
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, **query: str) -> Any:
        return self._read(await self._http.get(path, params=query))

    async def all(self, path: str, **query: str) -> list[Any]:
        """Read a list to its end."""
        page = await self.get(path, limit="200", **query)
        found = page["items"]
        while page["next_cursor"]:
            page = await self.get(path, limit="200", cursor=page["next_cursor"], **query)
            found += page["items"]
        return list(found)

    async def download(self, path: str, **query: str) -> bytes:
        answer = await self._http.get(path, params=query)
        self._check(answer)
        return answer.content

    async def post(self, path: str, body: object = None, *, wait: int = 20) -> Any:
        """Send a command, and wait for what comes of it."""
        headers = {"prefer": f"wait={wait}", "idempotency-key": uuid4().hex}
        return self._read(await self._http.post(path, json=body, headers=headers))

    def _read(self, answer: httpx.Response) -> Any:
        self._check(answer)
        return answer.json()

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_error:
            request = answer.request
            raise DemoFailedError(
                f"{request.method} {request.url.path}: {answer.status_code} {answer.text}"
            )


@dataclass
class Notifier:
    """A downstream program: it hears every event, and keeps those that it has not seen yet."""

    heard: list[tuple[str, Any]] = field(default_factory=list)
    _seen: set[tuple[bytes, bytes]] = field(default_factory=set)

    def note(self, record: Any) -> None:
        headers = dict(record.headers)
        identity = headers["ce_source"], headers["ce_id"]
        if identity not in self._seen:
            self._seen.add(identity)
            name = headers["ce_type"].decode().split(".")[1]
            self.heard.append((name, json.loads(record.value)))

    def has_heard(self, name: str, /, **content: object) -> bool:
        """Say whether an event of that name that says that has come."""
        return any(n == name and content.items() <= event.items() for n, event in self.heard)

    async def hears(self, name: str, /, **content: object) -> Any:
        """Wait for an event of that name which says that."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for its_name, event in self.heard:
                    if its_name == name and content.items() <= event.items():
                        return event
                await asyncio.sleep(0.02)


@asynccontextmanager
async def notifier(kafka: str) -> AsyncIterator[Notifier]:
    """Listen to all topics from the beginning, until the story ends."""
    found = Notifier()
    consumer = AIOKafkaConsumer(
        *TOPICS,
        bootstrap_servers=kafka,
        group_id="demo-notifier",
        auto_offset_reset="earliest",
    )

    async def listen() -> None:
        async for record in consumer:
            found.note(record)

    async with consumer:
        listening = asyncio.create_task(listen())
        try:
            yield found
        finally:
            listening.cancel()
