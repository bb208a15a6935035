"""What is left when all is over, judged by SQL and by whole topics read from their beginning."""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.chaos.faults import SERVICES
from tests.chaos.lifecycle import Lifecycle
from tests.end_to_end.outside import OURS, Heard, Topics

SCHEMAS = (*SERVICES, "console")
QUIET_LOOKS = 4


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold."""

    promise: str
    wanted: object
    found: object

    @property
    def holds(self) -> bool:
        return self.wanted == self.found


async def drained(endpoints: Mapping[str, Any], seconds: float) -> dict[str, int]:
    """Wait until nothing is on its way any more; return what still is."""
    left: dict[str, int] = {}
    quiet = 0
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while quiet < QUIET_LOOKS and loop.time() < end:
        try:
            left = await on_its_way(endpoints)
        except (OSError, asyncpg.PostgresError, KafkaError) as away:  # struck a moment ago
            left = {repr(away): 1}
        quiet = 0 if left else quiet + 1
        await asyncio.sleep(0.25)
    return left


async def on_its_way(endpoints: Mapping[str, Any]) -> dict[str, int]:
    """Count what lies in outboxes, what is due now, and what a group has yet to read."""
    connection = await asyncpg.connect(endpoints["postgres"])
    try:
        counts: dict[str, int] = {}
        for schema in SCHEMAS:
            sent = await connection.fetchval(f"SELECT count(*) FROM {schema}.outbox")
            due = await connection.fetchval(
                f"SELECT count(*) FROM {schema}.errands WHERE due < now() AND parked_at IS NULL"
            )
            counts |= {f"{schema}: outbox": sent, f"{schema}: errands due": due}
    finally:
        await connection.close()
    counts |= await lags(endpoints["kafka"])
    return {what: count for what, count in counts.items() if count}


async def lags(kafka: str) -> dict[str, int]:
    """Return how many records each group has yet to acknowledge."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await admin.start()
    await consumer.start()
    try:
        found = {}
        for group in SERVICES:
            at = await admin.list_consumer_group_offsets(group)
            ends = await consumer.end_offsets(list(at))
            found[f"{group}: records unread"] = sum(ends[one] - at[one].offset for one in at)
        return found
    finally:
        await consumer.stop()
        await admin.close()


async def judge(
    endpoints: Mapping[str, Any], lifecycles: Sequence[Lifecycle]
) -> tuple[list[Check], dict[str, int]]:
    """Return every promise with what became of it, and numbers worth knowing."""
    async with Topics(endpoints["kafka"]) as topics:
        heard = await topics.read(*OURS)
        letters = await topics.read(*(one for one in await topics.names() if one.endswith(".dlt")))
    connection = await asyncpg.connect(endpoints["postgres"])
    try:
        checks = [
            *of_instances(await rows(connection, INSTANCES), lifecycles),
            *of_certificates(await rows(connection, CERTIFICATES), lifecycles),
            *of_facts(heard, await rows(connection, subjects()), lifecycles),
            *[Check(f"{what} are none", 0, n) for what, n in await left_over(connection)],
            Check("dead letters are none", 0, len(letters)),
        ]
    finally:
        await connection.close()
    facts = once(heard)
    return checks, {"facts": len(facts), "facts sent again": len(heard) - len(facts)}


INSTANCES = """
    SELECT id, purchase_id, stage, result, holder, member_ids FROM inventory.instances
"""
CERTIFICATES = """
    SELECT c.id, c.serial_number, c.content ->> 'instance_id' AS instance_id,
           a.id AS application_id, v.serial_number AS signed_serial_number, v.stage
      FROM application.certificates c
      FULL JOIN application.applications a
        ON a.id = (c.content ->> 'application_id')::uuid
      FULL JOIN ca_verification.applications v ON v.id = a.id
"""


def subjects() -> str:
    return " UNION ALL ".join(
        f"SELECT topic, subject, sequence FROM {s}.subjects" for s in SERVICES
    )


async def rows(connection: Any, sql: str) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = await connection.fetch(sql)
    return found


def of_instances(
    instances: Sequence[Mapping[str, Any]], lifecycles: Sequence[Lifecycle]
) -> Iterator[Check]:
    """Every purchase has become two instances, and these one, once."""
    per_purchase = Counter(one["purchase_id"] for one in instances if one["purchase_id"])
    wanted = {one.purchase_id: 2 for one in lifecycles}
    yield Check("purchases without exactly their instances", [], differing(wanted, per_purchase))
    made = {str(one["id"]): one for one in instances if one["member_ids"]}
    yield Check("combined instances", len(lifecycles), len(made))
    members = Counter(member for one in made.values() for member in one["member_ids"].split())
    yield Check("instances in two combinations", [], [one for one, n in members.items() if n > 1])
    stages = Counter((bool(one["member_ids"]), one["stage"]) for one in instances)
    wanted_stages = {(False, "combined"): 2 * len(lifecycles), (True, "issued"): len(lifecycles)}
    yield Check("stages of (combined?) instances", wanted_stages, dict(stages))
    astray = [
        one["id"]
        for one in instances
        if one["stage"] == "combined"
        and str(one["id"])
        not in made.get(str(one["result"]), {"member_ids": ""})["member_ids"].split()
    ]
    yield Check("members that their result does not know", [], astray)


def of_certificates(
    certificates: Sequence[Mapping[str, Any]], lifecycles: Sequence[Lifecycle]
) -> Iterator[Check]:
    """Every lifecycle has one certificate, whose serial number the CA has given out once."""
    yield Check("applications, at all three", len(lifecycles), len(certificates))
    torn = [
        one["application_id"]
        for one in certificates
        if one["stage"] != "issued" or one["serial_number"] != one["signed_serial_number"]
    ]
    yield Check("applications not issued alike everywhere", [], torn)
    serials = Counter(one["serial_number"] for one in certificates)
    yield Check("serial numbers given out twice", [], [one for one, n in serials.items() if n > 1])
    holders = Counter(one["instance_id"] for one in certificates)
    yield Check("instances with two certificates", [], [one for one, n in holders.items() if n > 1])
    shown = {one.certificate.get("serial_number") for one in lifecycles}
    yield Check("serial numbers that applicants saw", set(serials), shown)


def once(heard: Iterable[Heard]) -> list[Heard]:
    """Drop what repeats a (source, id), as the contract tells consumers to."""
    first: dict[tuple[str, str], Heard] = {}
    for one in heard:
        first.setdefault((one.attributes["ce_source"], one.attributes["ce_id"]), one)
    return list(first.values())


def of_facts(
    heard: Sequence[Heard],
    counted: Sequence[Mapping[str, Any]],
    lifecycles: Sequence[Lifecycle],
) -> Iterator[Check]:
    """Every fact is in Kafka: in order for each key, none missing, none that nobody said."""
    numbers: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for one in once(heard):
        attributes = one.attributes
        numbers[one.topic, attributes["ce_subject"]].append(int(attributes["ce_sequence"]))
    disordered = [
        (subject, found)
        for subject, found in numbers.items()
        if found != list(range(1, len(found) + 1))
    ]
    yield Check("keys out of order, or with a gap", [], disordered)
    said = {(one["topic"], one["subject"]): one["sequence"] for one in counted}
    in_kafka = {subject: len(found) for subject, found in numbers.items()}
    yield Check("subjects with more or fewer facts than said", [], differing(said, in_kafka))
    names = Counter(one.name for one in once(heard))
    total, rivals = len(lifecycles), sum(one.combinations - 1 for one in lifecycles)
    wanted = {
        "InstancesPurchased": total,
        "InstanceCreated": 3 * total,
        "CombinationRequested": total + rivals,
        "InstancesCombined": total,
        "CombinationRefused": rivals,
        "ApplicationSubmitted": total,
        "DomainValidated": 2 * total,
        "VettingItemConfirmed": 2 * total,
        "CertificateIssued": total,
    }
    yield Check("events", wanted, {name: names[name] for name in wanted})


async def left_over(connection: Any) -> list[tuple[str, int]]:
    """Count what should be nowhere: parked messages and errands, unsent facts."""
    found = []
    for what in ("parked", "outbox", "errands WHERE parked_at IS NOT NULL"):
        counts = [
            await connection.fetchval(f"SELECT count(*) FROM {schema}.{what}") for schema in SCHEMAS
        ]
        found.append((what.replace(" WHERE parked_at IS NOT NULL", " parked"), sum(counts)))
    return found


def differing(wanted: Mapping[Any, Any], found: Mapping[Any, Any]) -> list[Any]:
    """Return the keys for which both do not say the same, and what they say."""
    keys = sorted({*wanted, *found})
    return [(k, wanted.get(k), found.get(k)) for k in keys if wanted.get(k) != found.get(k)]


TROUBLE = re.compile(r"^\S+ \S+ (ERROR|CRITICAL)\s|^\w[\w.]*(Error|Exception):")


def trouble(logs: Path) -> Counter[str]:
    """Count, for each service, what its log holds of errors, without what differs."""
    found: Counter[str] = Counter()
    for service in SCHEMAS:
        for line in (logs / f"{service}.log").read_text(errors="replace").splitlines():
            if TROUBLE.match(line) and "aiokafka" not in line:
                told = re.sub(r"^\S+ \S+ (ERROR|CRITICAL)\s+", "", line)
                found[f"{service}: {re.sub(r'[0-9a-f-]{8,}|[0-9]+', '…', told)[:140]}"] += 1
    return found
