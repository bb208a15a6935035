"""The topics of the system: what there is to be, what differs, and making it so.

Nothing is ever deleted, and partitions are never added: a key would move to another one, and its
later facts could overtake its earlier ones.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.contracts.application import ApplicationEvent
from shared.contracts.base import Event
from shared.contracts.ca_verification import VerificationEvent
from shared.contracts.combination import CombinationEvent
from shared.contracts.inventory import InventoryEvent
from shared.contracts.purchases import PurchaseEvent

PARTITIONS = 3
REPLICAS = 1
PATIENCE_SECONDS = 10.0
TICK_SECONDS = 0.05
FOR_EVER = "-1"
LARGEST_PURCHASE = str(8 << 20)
LARGEST_LETTER = str(9 << 20)  # a purchase, and why it was not understood
SET_FOR_THE_TOPIC = 1  # of the sources of a setting in DescribeConfigs

Family = type[Event]
FAMILIES: tuple[Family, ...] = (
    PurchaseEvent,
    InventoryEvent,
    CombinationEvent,
    ApplicationEvent,
    VerificationEvent,
)
READS: Mapping[str, tuple[Family, ...]] = {
    "inventory": (PurchaseEvent, CombinationEvent, ApplicationEvent, VerificationEvent),
    "combination": (InventoryEvent,),
    "application": (InventoryEvent, VerificationEvent),
    "ca_verification": (ApplicationEvent, InventoryEvent),
}
"""Which families each consumer group may read; what it cannot understand goes to a `.dlt`."""


class TopicsRefusedError(Exception):
    """Kafka did not answer, or did not let us do it; the message says why."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is to be."""

    name: str
    partitions: int
    replicas: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done about one topic; `kept` is a difference that is told, not mended."""

    topic: Topic
    what: Literal["create", "alter", "kept"]
    settings: Mapping[str, str]
    reason: str = ""

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in sorted(self.settings.items()))
        match self.what:
            case "create":
                size = f"{self.topic.partitions} partitions, {self.topic.replicas} replicas"
                return f"create {self.topic.name} ({size}, {told})"
            case "alter":
                return f"alter {self.topic.name}: {told}"
            case "kept":
                return f"keep {self.topic.name}: {self.reason}"


def topics(partitions: int = PARTITIONS, replicas: int = REPLICAS) -> Iterator[Topic]:
    """Yield every topic that the system needs."""
    safe = {"min.insync.replicas": "2"} if replicas > 2 else {}  # noqa: PLR2004
    keep = {"retention.ms": FOR_EVER} | safe
    for family in FAMILIES:
        larger = {"max.message.bytes": LARGEST_PURCHASE} if family.is_foreign else {}
        yield Topic(family.topic, partitions, replicas, keep | larger)
    for group, families in READS.items():
        for family in families:
            name = f"{family.topic}.{group}.dlt"
            letters = keep | {"max.message.bytes": LARGEST_LETTER}
            yield Topic(name, partitions, replicas, letters)


async def plan_topics(
    servers: str, partitions: int = PARTITIONS, replicas: int = REPLICAS
) -> list[Change]:
    """Return what `apply_topics` would do, or leave although it differs; change nothing."""
    async with _admin(servers) as admin:
        return await _plan(admin, list(topics(partitions, replicas)))


async def apply_topics(
    servers: str, partitions: int = PARTITIONS, replicas: int = REPLICAS
) -> list[Change]:
    """Make the topics be as they are to be, and return what was done about which."""
    wanted = list(topics(partitions, replicas))
    told: dict[tuple[str, str], Change] = {}
    async with _admin(servers) as admin:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while changes := await _plan(admin, wanted):
                    made = {name for name, what in told if what == "create"}
                    news = [one for one in changes if one.topic.name not in made]
                    told |= {(one.topic.name, one.what): one for one in news}
                    if not await _do(admin, changes):
                        break
                    await asyncio.sleep(TICK_SECONDS)
        except TimeoutError:
            raise TopicsRefusedError("Kafka has agreed, but its brokers do not follow") from None
    return list(told.values())


async def _do(admin: AIOKafkaAdminClient, changes: list[Change]) -> bool:
    """Do what can be done; say whether there was anything.

    Brokers hear from the controller only after it has agreed: what was done may look undone for a
    moment, and what somebody else has made at this moment may still differ.
    """
    new = [one.topic for one in changes if one.what == "create"]
    other = [one for one in changes if one.what == "alter"]
    if new:
        await _create(admin, new)
    if other:
        await _alter(admin, other)
    return bool(new or other)


async def _plan(admin: AIOKafkaAdminClient, wanted: list[Topic]) -> list[Change]:
    there = set(await admin.list_topics())
    known = [one for one in wanted if one.name in there]
    sizes = {
        one["topic"]: len(one["partitions"])
        for one in (await admin.describe_topics([topic.name for topic in known]) if known else ())
    }
    set_now = await _settings(admin, known)
    changes = []
    for topic in wanted:
        if topic.name not in there:
            changes.append(Change(topic, "create", topic.settings))
            continue
        now = set_now[topic.name]
        if lacks := {it: to for it, to in topic.settings.items() if now.get(it) != to}:
            changes.append(Change(topic, "alter", lacks))
        if sizes[topic.name] != topic.partitions:
            reason = (
                f"it has {sizes[topic.name]} partitions, not {topic.partitions}; keys would move"
            )
            changes.append(Change(topic, "kept", {}, reason))
    return changes


async def _settings(
    admin: AIOKafkaAdminClient, known: list[Topic]
) -> Mapping[str, Mapping[str, str]]:
    """Return what is set for each topic by itself; what it inherits from the broker is left out."""
    if not known:
        return {}
    found = {}
    for answer in await admin.describe_configs([_resource(one.name) for one in known]):
        for code, message, _, name, entries in answer.resources:
            _check(code, name, message)
            found[name] = {it[0]: it[1] for it in entries if it[3] == SET_FOR_THE_TOPIC}
    return found


async def _create(admin: AIOKafkaAdminClient, new: list[Topic]) -> None:
    answer = await admin.create_topics(
        [
            NewTopic(one.name, one.partitions, one.replicas, topic_configs=dict(one.settings))
            for one in new
        ]
    )
    for name, code, *message in answer.topic_errors:
        # Somebody else may provision at this moment.
        if code != TopicAlreadyExistsError.errno:
            _check(code, name, *message)


async def _alter(admin: AIOKafkaAdminClient, changes: list[Change]) -> None:
    # The request replaces all that is set for a topic: an operator's own settings go along.
    now = await _settings(admin, [one.topic for one in changes])
    wanted = [_resource(one.topic.name, {**now[one.topic.name], **one.settings}) for one in changes]
    for answer in await admin.alter_configs(wanted):
        for code, message, _, name in answer.resources:
            _check(code, name, message)


def _check(code: int, name: str, message: str | None = None) -> None:
    if code:
        raise TopicsRefusedError(f"{name}: {for_code(code).__name__} {message or ''}".rstrip())


def _resource(name: str, settings: Mapping[str, str] | None = None) -> Any:
    return ConfigResource(ConfigResourceType.TOPIC, name, configs=settings)


@asynccontextmanager
async def _admin(servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    try:
        await admin.start()
        yield admin
    except KafkaError as error:
        raise TopicsRefusedError(f"Kafka at {servers}: {error}") from error
    finally:
        await admin.close()
