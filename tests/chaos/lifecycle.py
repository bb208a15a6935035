"""One lifecycle after the other, driven by clients who retry politely whatever breaks."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.end_to_end.outside import (
    PURCHASES,
    Person,
    binary,
    bought,
    form,
    publish_record,
    read,
    structured,
)

LOOK_SECONDS = 0.4
LONGEST_PAUSE_SECONDS = 2.0
NO_WORD = "without Retry-After"
DECISION = {"decision": "confirm", "note": "register and call", "evidence": "file 7"}


class Patient(Person):
    """Somebody who tries again, under the same Idempotency-Key, until there is an answer."""

    tried_again: ClassVar[Counter[str]] = Counter()

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> httpx.Response:
        pause = 0.1
        while True:
            try:
                answer = await super().send(method, path, body, headers=headers, **query)
            except httpx.TransportError as error:
                self.tried_again[type(error).__name__] += 1
            else:
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return answer
                self.tried_again[f"HTTP {answer.status_code}"] += 1
                if "retry-after" not in answer.headers:
                    self.tried_again[NO_WORD] += 1
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


class Shop:
    """An upstream shop: publishes each sale until Kafka has taken it, now and then twice."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()
        self.tried_again = 0

    async def publish(self, value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        async with self._lock:
            while True:
                try:
                    if self._producer is None:
                        producer = AIOKafkaProducer(bootstrap_servers=self._kafka, acks="all")
                        await producer.start()
                        self._producer = producer
                    await self._producer.send_and_wait(
                        PURCHASES, value, key=uuid4().bytes, headers=headers
                    )
                except (KafkaError, OSError):
                    self.tried_again += 1
                    await self.close()
                    await asyncio.sleep(0.5)
                else:
                    return

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()


@dataclass
class Lifecycle:
    """purchase → two instances → combined → applied for → proven → confirmed → issued."""

    number: int
    run: str
    applicant: Person
    step: str = "not begun"
    combinations: int = 0
    certificate: Any = field(default_factory=dict)

    @property
    def purchase_id(self) -> str:
        return f"{self.run}-{self.number}"

    @property
    def names(self) -> tuple[str, str]:
        return f"www.{self.purchase_id}.example", f"api.{self.purchase_id}.example"

    async def live(self, shop: Shop, name_server: str) -> None:
        self.step = "publish"
        await self._purchase(shop)
        self.step = "create instances"
        members = await self._instances()
        self.step = "combine"
        combined = await self._combine(members)
        self.step = "apply"
        application = await self._apply(combined)
        self.step = "prove"
        await self._prove(application, name_server)
        self.step = "wait for the certificate"
        path = f"/applications/{application['application_id']}"
        issued = await self._look(path, lambda shown: shown["status"] == "issued")
        self.step = "compare"
        await self._compare(issued, combined)
        self.step = "done"

    @property
    def _is_automatic(self) -> bool:
        return self.number % 2 == 0

    async def _purchase(self, shop: Shop) -> None:
        account_id = self.applicant.account_id
        assert account_id
        sale = bought(self.purchase_id, account_id, quantity=2, auto_create=self._is_automatic)
        record = structured(sale) if self.number % 3 == 0 else binary(sale)
        for _ in range(2 if self.number % 10 == 0 else 1):
            await shop.publish(*record)

    async def _instances(self) -> list[str]:
        if not self._is_automatic:
            await self._look(
                "/quota?limit=200",
                lambda page: any(one["purchase_id"] == self.purchase_id for one in page["items"]),
            )
            wish = {"purchase_id": self.purchase_id, "count": 2}
            made = (await self.applicant.post("/instances", wish))["items"]
            assert len(made) == 2, f"two instances are asked for, and made are {made}"
        page = await self._look(
            f"/instances?purchase_id={self.purchase_id}", lambda page: len(page["items"]) >= 2
        )
        return [one["instance_id"] for one in page["items"]]

    async def _combine(self, members: Sequence[str]) -> str:
        """Combine; every fifth time in a race of two wishes for the same members."""
        rivals = 2 if self.number % 5 == 0 else 1
        ended = await asyncio.gather(*(self._combination(members) for _ in range(rivals)))
        won = [one for one in ended if one["status"] == "combined"]
        assert len(won) == 1, f"one of {rivals} wishes is to win: {ended}"
        self.combinations = rivals
        instance_id: str = won[0]["instance_id"]
        shown = await self.applicant.get(f"/instances/{instance_id}")
        assert shown["status"] == "pending_application", shown
        return instance_id

    async def _combination(self, members: Sequence[str]) -> Any:
        wish = {"instance_ids": list(members), "refund_waiver_acknowledged": True}
        asked = await self.applicant.post("/combinations", wish, wait=5)
        return await self._look(
            f"/combinations/{asked['combination_id']}", lambda shown: shown["status"] != "requested"
        )

    async def _apply(self, instance_id: str) -> Any:
        """Apply; every seventh time a double click sends the same wish twice."""
        clicks, key = 2 if self.number % 7 == 0 else 1, uuid4().hex
        wish = form(instance_id, self.names)
        asked = await asyncio.gather(
            *(self.applicant.post("/applications", wish, wait=5, key=key) for _ in range(clicks))
        )
        [application_id] = {one["application_id"] for one in asked}
        return await self._look(
            f"/applications/{application_id}",
            lambda shown: shown["status"] in {"refused", "pending_validation"},
        )

    async def _prove(self, application: Any, name_server: str) -> None:
        assert application["status"] == "pending_validation", application
        for one in application["names"]:
            await publish_record(name_server, one["challenge"])
        if self.number % 2:  # the others wait until they are looked at by schedule
            path = f"/applications/{application['application_id']}/names"
            for name in self.names:
                await self.applicant.post(f"{path}/{name}/check", wait=5)

    async def _compare(self, issued: Any, instance_id: str) -> None:
        """Whatever is asked now: all know of the certificate."""
        certificate_id = issued["certificate_id"]
        self.certificate = await self.applicant.get(f"/certificates/{certificate_id}")
        instance = await self.applicant.get(f"/instances/{instance_id}")
        assert (instance["status"], self.certificate["instance_id"]) == ("issued", instance_id)
        assert sorted(self.certificate["names"]) == sorted(self.names)

    async def _look(self, path: str, is_enough: Any) -> Any:
        while True:
            shown = await self.applicant.get(path)
            if is_enough(shown):
                return shown
            await asyncio.sleep(LOOK_SECONDS * random.uniform(0.5, 1.5))


@dataclass
class Officer:
    """Confirms whatever is open, for as long as there is something to come."""

    person: Person
    refusals: list[str] = field(default_factory=list)

    async def work(self) -> None:
        while True:
            tasks = await self.person.all("/verification/tasks", status="open")
            await asyncio.gather(*(self._confirm(one["task_id"]) for one in tasks))
            await asyncio.sleep(LOOK_SECONDS)

    async def _confirm(self, task_id: str) -> None:
        answer = await self.person.send(
            "POST",
            f"/verification/tasks/{task_id}/decision",
            DECISION,
            headers={"idempotency-key": task_id, "prefer": "wait=5"},
        )
        if answer.status_code == httpx.codes.CONFLICT:
            self.refusals.append(answer.text)
        else:
            read(answer)
