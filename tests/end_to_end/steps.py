"""What people and programs do on the way from a purchase to a certificate, each step by itself."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaProducer, TopicPartition

from tests.end_to_end.outside import (
    INVENTORY,
    PATIENCE_SECONDS,
    PURCHASES,
    Person,
    Topics,
    binary,
    bought,
    form,
    publish_record,
    shop,
)

ITEMS = ("organisation_identity", "callback")  # what an officer looks into for an OV certificate
LONGEST = 2000  # of what a failed test tells
Record = tuple[bytes | None, Sequence[tuple[str, bytes | None]]]


@dataclass(frozen=True, slots=True)
class World:
    """Everybody who has to do with one running system, as far as CONTRACT tells them."""

    folder: Path
    endpoints: Mapping[str, Any]
    applicant: Person
    other: Person
    officer: Person
    reviewer: Person
    auditor: Person
    operator: Person
    shop: AIOKafkaProducer
    topics: Topics

    @property
    def account_id(self) -> str:
        """The applicant's account."""
        found: str = self.endpoints["account_id"]
        return found

    @property
    def name_server(self) -> str:
        found: str = self.endpoints["sandbox"]["dns"]
        return found

    @property
    def people(self) -> Mapping[str, Person]:
        """Everybody, by login."""
        return {
            "applicant": self.applicant,
            "other_applicant": self.other,
            "officer": self.officer,
            "reviewer": self.reviewer,
            "auditor": self.auditor,
            "operator": self.operator,
        }

    async def now(self) -> datetime:
        """Return the time by the services' clock, which the sandbox moves."""
        async with httpx.AsyncClient(trust_env=False) as client:
            told = await client.get(f"{self.endpoints['health']['inventory']}/clock")
        return datetime.fromisoformat(told.json()["now"])

    def sale(self, **changes: object) -> dict[str, Any]:
        """Return what the shop says of a new purchase of the applicant's."""
        return bought(f"p-{uuid4().hex[:12]}", self.account_id, **changes)

    async def publishes(self, record: Record, partition: int | None = None) -> TopicPartition:
        """Have the shop publish a record; return where it went."""
        value, headers = record
        sent = await self.shop.send_and_wait(
            PURCHASES, value, key=uuid4().bytes, headers=headers, partition=partition
        )
        return TopicPartition(sent.topic, sent.partition)

    async def sells(self, **changes: object) -> dict[str, Any]:
        """Have the shop sell something; return the purchase when it has become quota."""
        sale = self.sale(**changes)
        await self.publishes(binary(sale))
        await self.topics.hears("InstancesPurchased", INVENTORY, purchase_id=sale["purchase_id"])
        return sale

    async def buys(self, quantity: int = 1, **changes: object) -> list[str]:
        """Buy instances that are made at once; return their ids."""
        sale = self.sale(quantity=quantity, auto_create=True, **changes)
        await self.publishes(binary(sale))
        path = f"/instances?purchase_id={sale['purchase_id']}"
        page = await looks(self.applicant, path, lambda page: len(page["items"]) == quantity)
        return [one["instance_id"] for one in page["items"]]

    async def applies(self, names: Sequence[str], **changes: object) -> Any:
        """Buy an instance that holds so many names, and apply for them; return the application."""
        wildcards = sum(one.startswith("*.") for one in names)
        [instance_id] = await self.buys(
            names={"single": len(names) - wildcards, "wildcard": wildcards, "ip": 0}
        )
        return await self.applicant.post("/applications", form(instance_id, names, **changes))

    async def proves(self, application: Any) -> None:
        """Put all the proofs into the DNS, and have each looked at now."""
        for one in application["names"]:
            await publish_record(self.name_server, one["challenge"])
        for one in application["names"]:
            path = f"/applications/{application['application_id']}/names/{one['name']}/check"
            seen = await self.applicant.post(path)
            assert seen["state"] == "valid", seen

    async def task(self, application_id: str, item: str) -> Any:
        """Find what an officer has to look into."""
        tasks = await self.officer.all("/verification/tasks", status="open")
        wanted = (application_id, item)
        [found] = [one for one in tasks if (one["application_id"], one["item"]) == wanted]
        return found

    async def decides(self, application_id: str, item: str, decision: str = "confirm") -> Any:
        """Have the officer decide."""
        task = await self.task(application_id, item)
        body = {"decision": decision, "note": f"{item}: {decision}", "evidence": "file 7"}
        return await self.officer.post(f"/verification/tasks/{task['task_id']}/decision", body)

    async def confirms(self, application_id: str) -> None:
        """Have the officer confirm everything."""
        for item in ITEMS:
            await self.decides(application_id, item)

    async def is_issued(self, names: Sequence[str], **changes: object) -> Any:
        """Go the whole way for an OV certificate; return it."""
        application = await self.applies(names, **changes)
        await self.proves(application)
        await self.confirms(application["application_id"])
        path = f"/applications/{application['application_id']}"
        issued = await self.applicant.until(path, "issued")
        return await self.applicant.get(f"/certificates/{issued['certificate_id']}")


@asynccontextmanager
async def world(folder: Path, endpoints: Mapping[str, Any]) -> AsyncIterator[World]:
    """Bring everybody together."""
    tokens = endpoints["tokens"]
    async with AsyncExitStack() as stack:
        person = {
            name: await stack.enter_async_context(Person(endpoints["api"], token))
            for name, token in tokens.items()
        }
        yield World(
            folder=folder,
            endpoints=endpoints,
            applicant=person["applicant"],
            other=person["other_applicant"],
            officer=person["officer"],
            reviewer=person["reviewer"],
            auditor=person["auditor"],
            operator=person["operator"],
            shop=await stack.enter_async_context(shop(endpoints["kafka"])),
            topics=await stack.enter_async_context(Topics(endpoints["kafka"])),
        )


async def looks(
    person: Person, path: str, is_enough: Callable[[Any], bool], seconds: float = PATIENCE_SECONDS
) -> Any:
    """Look until what is shown is enough."""
    shown: Any = None
    try:
        async with asyncio.timeout(seconds):
            while not is_enough(shown := await person.get(path)):
                await asyncio.sleep(0.05)
    except TimeoutError:
        said = f"{path} never showed what is waited for: {shown}"
        raise AssertionError(said[:LONGEST]) from None
    return shown


def problem(answer: httpx.Response, status: int) -> Any:
    """Return what an answer that says no says, as RFC 9457 has it."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text[:LONGEST]}"
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told.keys() >= {"type", "title", "status", "detail", "objections"}, told
    assert told["status"] == status
    assert all(one.keys() == {"code", "subject", "message"} for one in told["objections"]), told
    return told
