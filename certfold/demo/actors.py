"""Who takes part in the story: a shop, people, a domain owner, a notifier, and servers."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import dns.asyncquery
import dns.rcode
import dns.update
import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from publicsuffixlist import PublicSuffixList

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


async def publish(kafka: str, purchases: Path, account_id: str, suffix: str = "") -> list[Any]:
    """Publish what the shop has sold, in both modes of CloudEvents; return the purchases.

    A shop that has sold the same before gives its orders another `suffix`.
    """
    lines = [json.loads(line) for line in purchases.read_text().splitlines()]
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as shop:
        for line in lines:
            line["id"] += suffix
            line["data"]["purchase_id"] += suffix
            line["data"]["account_id"] = account_id
            value, headers = _cloudevent(line)
            key = line["data"]["purchase_id"].encode()
            await shop.send_and_wait("certificates.purchases.v1", value, key=key, headers=headers)
    return [line["data"] for line in lines]


def _cloudevent(line: Mapping[str, Any]) -> tuple[bytes, list[tuple[str, bytes]]]:
    attributes = {
        "specversion": "1.0",
        "id": line["id"],
        "source": "/demo/shop",
        "type": "certfold.PurchaseCompleted.v1",
    }
    if line["mode"] == "structured":
        event = {**attributes, "datacontenttype": "application/json", "data": line["data"]}
        return json.dumps(event).encode(), [("content-type", b"application/cloudevents+json")]
    headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
    return json.dumps(line["data"]).encode(), [*headers, ("content-type", b"application/json")]


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


async def publish_record(name_server: str, challenge: Mapping[str, str]) -> None:
    """Do what a domain owner does: put the record into the DNS (RFC 2136)."""
    host, _, port = name_server.partition(":")
    name = challenge["record_name"]
    zone = PublicSuffixList().privatesuffix(name)
    update = dns.update.UpdateMessage(zone)
    update.replace(
        dns.name.from_text(name), 60, challenge["record_type"], f'"{challenge["record_value"]}"'
    )
    reply = await dns.asyncquery.tcp(update, host, port=int(port), timeout=5)
    if reply.rcode() != dns.rcode.NOERROR:
        raise DemoFailedError(f"the name server refused {name}: {dns.rcode.to_text(reply.rcode())}")


def install(files: Path, host: str, fullchain: bytes, key: bytes) -> None:
    """Do what a server's administrator does: put the files where the server looks for them."""
    folder = files / "tls" / host
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("privkey.pem", key), ("fullchain.pem", fullchain)):
        aside = folder / f".{name}"
        aside.write_bytes(content)
        aside.chmod(0o600)
        aside.rename(folder / name)
