"""Foreign programs and people: they know what is published, and nothing of our code."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import dns.asyncquery
import dns.name
import dns.rcode
import dns.update
import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

PURCHASES = "certificates.purchases.v1"
INVENTORY = "certificates.inventory.v1"
COMBINATION = "certificates.combination.v1"
APPLICATION = "certificates.application.v1"
VERIFICATION = "certificates.ca-verification.v1"
OURS = (INVENTORY, COMBINATION, APPLICATION, VERIFICATION)
PATIENCE_SECONDS = 30.0

ORGANISATION = {
    "legal_name": "Acme Trading Co., Ltd.",
    "type": "private",
    "registration_number": "91310000MA1FL0000X",
    "country": "CN",
    "province": "Shanghai",
    "city": "Shanghai",
    "address": "1 Century Avenue, Pudong",
    "postcode": "200120",
    "phone": "+862150000000",
    "email": "legal@acme.example",
    "department": None,
}
CONTACT = {
    "name": "Li Wei",
    "email": "li.wei@acme.example",
    "phone": "+8613800138000",
    "role": "administrator",
}


class Person:
    """Somebody with a token, who calls the API."""

    def __init__(self, api: str, token: str, account_id: str | None = None) -> None:
        self.token, self.account_id = token, account_id
        self.http = httpx.AsyncClient(
            base_url=api,
            headers={"authorization": f"Bearer {token}"},
            timeout=45,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> httpx.Response:
        """Send one request, and return whatever is answered."""
        content = None if body is None else json.dumps(body)
        typed = {} if body is None else {"content-type": "application/json"}
        return await self.http.request(
            method,
            path,
            content=content,
            params=query or None,
            headers={**typed, **(headers or {})},
        )

    async def get(self, path: str, **query: str) -> Any:
        return read(await self.send("GET", path, None, headers=None, **query))

    async def post(self, path: str, body: object = None, *, wait: int = 20, key: str = "") -> Any:
        """Send a command, wait for what comes of it, and return it."""
        headers = {"prefer": f"wait={wait}", "idempotency-key": key or uuid4().hex}
        return read(await self.send("POST", path, body, headers=headers))

    async def all(self, path: str, **query: str) -> list[Any]:
        """Read a list to its end, page by page."""
        found, cursor = [], ""
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = await self.get(path, **({"limit": "200"} | query | more))
            found += page["items"]
            if not (cursor := page["next_cursor"] or ""):
                return found

    async def until(self, path: str, *statuses: str, seconds: float = PATIENCE_SECONDS) -> Any:
        """Look at a thing until it has one of `statuses`."""
        shown: Any = None
        try:
            async with asyncio.timeout(seconds):
                while (shown := await self.get(path))["status"] not in statuses:
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{path} never came to {statuses}: {shown}") from None
        return shown


def read(answer: httpx.Response) -> Any:
    """Return what an answer holds, unless it says no."""
    assert answer.is_success, (
        f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}"
    )
    return answer.json()


def codes(problem: Any) -> set[str]:
    """Return the codes of all objections."""
    return {one["code"] for one in problem["objections"]}


def form(instance_id: str, names: Sequence[str], **changes: object) -> dict[str, Any]:
    """Fill in the application form."""
    return {
        "instance_id": instance_id,
        "names": list(names),
        "organisation": ORGANISATION,
        "contact": CONTACT,
        "key_algorithm": "P-256",
        "csr": {"method": "automatic"},
        "validation_method": "dns",
        **changes,
    }


def bought(purchase_id: str, account_id: str, **changes: object) -> dict[str, Any]:
    """Return what a shop says about a purchase: by default one OV instance for a single name."""
    return {
        "purchase_id": purchase_id,
        "account_id": account_id,
        "brand": "digicert",
        "certificate_type": "OV",
        "names": {"single": 1, "wildcard": 0, "ip": 0},
        "quantity": 1,
        "term_years": 1,
        "price": {"amount": "298.00", "currency": "CNY"},
        "paid_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "auto_create": False,
        **changes,
    }


def binary(data: object, ce_id: str = "", **changes: str) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Dress an event for Kafka in CloudEvents' binary mode."""
    attributes = {
        "specversion": "1.0",
        "id": ce_id or uuid4().hex,
        "source": "/tests/shop",
        "type": "certfold.PurchaseCompleted.v1",
        **changes,
    }
    headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
    return json.dumps(data).encode(), [*headers, ("content-type", b"application/json")]


def structured(data: object, **changes: str) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Dress an event for Kafka in CloudEvents' structured mode."""
    event = {
        "specversion": "1.0",
        "id": uuid4().hex,
        "source": "/tests/shop",
        "type": "certfold.PurchaseCompleted.v1",
        "datacontenttype": "application/json",
        **changes,
        "data": data,
    }
    return json.dumps(event).encode(), [("content-type", b"application/cloudevents+json")]


@asynccontextmanager
async def shop(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    """Open a shop: a producer as anybody has it, whose messages may be large."""
    async with AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", max_request_size=9 << 20
    ) as producer:
        yield producer


@dataclass(frozen=True, slots=True)
class Heard:
    """One record, as a consumer sees it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Sequence[tuple[str, bytes]]
    value: bytes | None

    @property
    def attributes(self) -> dict[str, str]:
        return {name: value.decode() for name, value in self.headers}

    @property
    def name(self) -> str:
        """Return what happened: `CertificateIssued`."""
        return self.attributes["ce_type"].split(".")[1]

    @property
    def said(self) -> Any:
        return json.loads(self.value or b"null")


class Topics:
    """Reads whole topics from their beginning, as a newcomer does, each record once."""

    def __init__(self, kafka: str) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka, auto_offset_reset="earliest", fetch_max_bytes=64 << 20
        )
        self._stack = AsyncExitStack()
        self._heard: dict[TopicPartition, list[Heard]] = {}

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._consumer)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def names(self) -> set[str]:
        """Return the names of all topics."""
        cluster = await self._consumer._client.fetch_all_metadata()
        return set(cluster.topics())

    async def read(self, *topics: str) -> list[Heard]:
        """Return all that `topics` hold by now, in order within each partition."""
        # Its own list of partitions is of the topics it has been assigned so far.
        cluster = await self._consumer._client.fetch_all_metadata()
        parts = [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(cluster.partitions_for_topic(topic))
        ]
        new = [one for one in parts if one not in self._heard]
        self._heard |= {one: [] for one in new}
        self._consumer.assign(list(self._heard))
        for one, heard in self._heard.items():
            self._consumer.seek(one, heard[-1].offset + 1 if heard else 0)
        ends = await self._consumer.end_offsets(parts)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any([await self._consumer.position(one) < ends[one] for one in parts]):
                for one, records in (await self._consumer.getmany(timeout_ms=200)).items():
                    self._heard[one] += [
                        Heard(it.topic, it.partition, it.offset, it.key, it.headers, it.value)
                        for it in records
                    ]
        return [heard for one in parts for heard in self._heard[one]]

    async def hears(self, name: str, topic: str, /, **content: object) -> Heard:
        """Wait for an event of that name that says that."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for one in await self.read(topic):
                    if one.name == name and content.items() <= one.said.items():
                        return one
                await asyncio.sleep(0.1)


async def publish_record(name_server: str, challenge: Mapping[str, str]) -> None:
    """Put a record into the DNS, as the owner of a domain does (RFC 2136)."""
    await update(
        name_server,
        challenge["record_name"],
        challenge["record_type"],
        f'"{challenge["record_value"]}"',
    )


async def update(name_server: str, name: str, kind: str, content: str) -> None:
    """Replace what `name` holds; its zone is taken to be its last two labels."""
    host, _, port = name_server.partition(":")
    change = dns.update.UpdateMessage(".".join(name.rstrip(".").split(".")[-2:]))
    change.replace(dns.name.from_text(name), 60, kind, content)
    reply = await dns.asyncquery.tcp(change, host, port=int(port), timeout=5)
    assert reply.rcode() == dns.rcode.NOERROR, dns.rcode.to_text(reply.rcode())


def install(files: Path, host: str, fullchain: bytes, key: bytes) -> None:
    """Put the files where a server looks for them, as its administrator does."""
    folder = files / "tls" / host
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("privkey.pem", key), ("fullchain.pem", fullchain)):
        aside = folder / f".{name}"
        aside.write_bytes(content)
        aside.rename(folder / name)


async def handshake(address: str, host: str, root: Path) -> str:
    """Connect as a browser does that trusts `root`; return the SHA-256 of what is served."""
    context = ssl.create_default_context(cafile=str(root))
    ip, _, port = address.partition(":")
    _, writer = await asyncio.open_connection(ip, int(port), ssl=context, server_hostname=host)
    try:
        served = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
    return sha256(served).hexdigest()
