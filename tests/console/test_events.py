"""What the console tells by server-sent events, read as a browser's EventSource reads them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from fastapi import FastAPI, Request

from certfold import provision
from services.console import events
from services.console.events import TOPICS, cursor, read_cursor
from services.console.proxy import vouch
from shared.api import Person
from shared.clock import utc_now
from shared.cloudevents import Heard, because_of, headers, standing
from shared.contracts.base import Event
from shared.contracts.combination import CombinationRefused
from shared.contracts.inventory import InstanceHostingChanged
from shared.ids import new_id
from tests.console.console import SECRET, Console, free_port, serving
from tests.servers import Servers

ACME, RIVAL = "acme", "rival"  # of ann and bob


@dataclass(frozen=True)
class Told:
    id: str
    event: str
    data: Any


class Listener:
    """Reads blocks of `field: value` lines; one without data only says where it stands."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()
        self.last_id = ""

    async def __anext__(self) -> Told:
        fields: dict[str, str] = {}
        async for line in self._lines:
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
                self.last_id = fields.get("id", self.last_id)
            elif "data" in fields:
                return Told(fields["id"], fields["event"], json.loads(fields["data"]))
        raise StopAsyncIteration

    def __aiter__(self) -> "Listener":
        return self

    async def until_begun(self) -> "Listener":
        await self.block()
        return self

    async def block(self) -> None:
        """Read to the next empty line, whatever it is."""
        async for line in self._lines:
            if line.startswith("id: "):
                self.last_id = line.removeprefix("id: ")
            if not line:
                return
        raise AssertionError("it has ended")

    async def hear(self, count: int) -> list[Told]:
        async with asyncio.timeout(20):
            return [await anext(self) for _ in range(count)]


@pytest.fixture(scope="module")
async def topics(stack: Servers) -> None:
    await provision.apply_topics(stack.kafka)


@asynccontextmanager
async def listening(
    console: Console, name: str, after: str | None = None, **query: Any
) -> AsyncIterator[Listener]:
    wanted = {} if after is None else {"last-event-id": after}
    async with (
        console.client(name) as client,
        client.stream("GET", "/api/v1/events", headers=wanted, params=query) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield await Listener(answer).until_begun()


def changed(account_id: str) -> InstanceHostingChanged:
    return InstanceHostingChanged(instance_id=uuid4(), account_id=account_id, hosted=True)


def of(told: Told) -> str:
    return str(told.data["subject"])


async def say(stack: Servers, *facts: Event) -> None:
    cause = Heard(new_id(utc_now()), facts[0], "story")
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka, acks="all") as producer:
        for fact in facts:
            time, fact_id = utc_now().isoformat().encode(), new_id(utc_now())
            await producer.send_and_wait(
                fact.topic,
                fact.model_dump_json().encode(),
                key=(key := fact.subject.encode()),
                headers=headers(
                    standing(type(fact), "inventory"), fact_id, time, key, because_of(cause)
                ),
            )


@pytest.mark.usefixtures("topics")
async def test_each_hears_of_the_own_account_and_the_ca_of_all(
    console: Console, stack: Servers
) -> None:
    ours, theirs = changed(ACME), changed(RIVAL)
    async with (
        listening(console, "ann") as ann,
        listening(console, "bob") as bob,
        listening(console, "oli") as officer,
    ):
        await say(stack, theirs, ours)

        assert [of(one) for one in await ann.hear(1)] == [ours.subject]
        assert [of(one) for one in await bob.hear(1)] == [theirs.subject]
        both = await officer.hear(2)

    assert {one.data["data"]["account_id"] for one in both} == {ACME, RIVAL}
    assert {one.event for one in both} == {"InstanceHostingChanged"}
    assert both[0].data["type"] == "certfold.InstanceHostingChanged.v1"
    assert both[0].data["specversion"] == "1.0"


@pytest.mark.usefixtures("topics")
async def test_who_comes_again_goes_on_where_it_was(console: Console, stack: Servers) -> None:
    first, second, third = (changed(ACME) for _ in range(3))
    async with listening(console, "ann") as ann:
        await say(stack, first)
        [heard] = await ann.hear(1)
    await say(stack, second)
    async with listening(console, "ann", after=heard.id) as ann:
        await say(stack, third)
        rest = await ann.hear(2)

    assert [of(one) for one in rest] == [second.subject, third.subject]


@asynccontextmanager
async def impatient(console: Console, person: Person) -> AsyncIterator[Listener]:
    """Listen to a stream that is silent for a tenth of a second at most."""
    app = FastAPI()
    app.state.console_secret = SECRET

    async def who(_: Request) -> Person:
        return person

    app.include_router(events.router(console.service.parts, who, quiet_seconds=0.1))
    async with (
        serving(app, free_port()) as url,
        httpx.AsyncClient(headers=vouch(person, SECRET), timeout=10) as client,
        client.stream("GET", f"{url}/api/v1/events") as answer,
    ):
        yield await Listener(answer).until_begun()


async def chatter(stack: Servers, enough: asyncio.Event) -> None:
    """Go on until it is enough: whoever is interrupted may leave a producer behind."""
    while not enough.is_set():
        await say(stack, *(changed(RIVAL) for _ in range(20)))


@pytest.mark.usefixtures("topics")
async def test_who_hears_nothing_is_told_where_it_stands_however_busy_others_are(
    console: Console, stack: Servers
) -> None:
    async with impatient(console, Person("ann", "applicant", ACME)) as ann:
        begun, enough = ann.last_id, asyncio.Event()
        busy = asyncio.create_task(chatter(stack, enough))
        try:
            async with asyncio.timeout(20):
                while ann.last_id == begun:
                    await ann.block()
        finally:
            enough.set()
            await busy

    assert sum(read_cursor(ann.last_id).values()) > sum(read_cursor(begun).values())


@pytest.mark.usefixtures("topics")
async def test_who_is_let_in_no_more_hears_no_more(console: Console, stack: Servers) -> None:
    body = {"name": "gil", "role": "applicant", "account_id": ACME}
    made = (await console.ask("POST", "/api/v1/tokens", "ops", json=body)).json()
    heard, secret = changed(ACME), changed(ACME)
    mine = {"authorization": f"Bearer {made['token']}"}
    async with (
        console.client() as client,
        client.stream("GET", "/api/v1/events", headers=mine) as answer,
    ):
        gil = await Listener(answer).until_begun()
        await say(stack, heard)
        assert [of(one) for one in await gil.hear(1)] == [heard.subject]

        await console.ask("DELETE", f"/api/v1/tokens/{made['token_id']}", "ops")
        await say(stack, secret)

        async with asyncio.timeout(20):
            assert [of(one) async for one in gil] == []


@pytest.mark.usefixtures("topics")
async def test_nobody_takes_every_place(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_OF_ONE", 1)
    async with listening(console, "ann"):
        again = await console.get("/api/v1/events", "ann")
        async with listening(console, "bob"):
            pass

    assert again.status_code == 503
    assert "ann is listening 1 times already" in again.json()["detail"]


@pytest.mark.usefixtures("topics")
async def test_newcomer_may_hear_all_that_ever_happened(console: Console, stack: Servers) -> None:
    early = changed(ACME)
    await say(stack, early)
    async with listening(console, "ann", after="0") as ann, asyncio.timeout(20):
        async for one in ann:
            if of(one) == early.subject:
                return


@pytest.mark.usefixtures("topics")
async def test_only_the_types_that_were_asked_for_are_told(
    console: Console, stack: Servers
) -> None:
    refused = CombinationRefused(
        combination_id=uuid4(), account_id=ACME, member_instance_ids=(), objections=()
    )
    async with listening(console, "ann", type=["CombinationRefused"]) as ann:
        await say(stack, changed(ACME), refused, changed(ACME))
        [heard] = await ann.hear(1)

    assert heard.event == "CombinationRefused"


@pytest.mark.parametrize("wrong", ["x", "1.2.-", "1-2-3-4-5", "9" * 19, "1.٣"])
async def test_place_that_is_none_of_ours_is_refused(console: Console, wrong: str) -> None:
    answer = await console.get("/api/v1/events", "ann", headers={"last-event-id": wrong.encode()})

    assert answer.status_code == 422
    assert [one["code"] for one in answer.json()["objections"]] == ["cursor_invalid"]


async def test_nobody_listens_without_a_token(console: Console) -> None:
    assert (await console.get("/api/v1/events")).status_code == 401


def test_place_is_read_as_it_was_written() -> None:
    offsets = {
        TopicPartition(topic, number): 7 * n + number
        for n, topic in enumerate(TOPICS)
        for number in range(3)
    }

    assert read_cursor(cursor(offsets)) == offsets
