"""Whole topics, read from their beginning: what CONTRACT §2 says of every single event."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from jsonschema import Draft202012Validator

from tests.end_to_end.outside import (
    APPLICATION,
    COMBINATION,
    INVENTORY,
    OURS,
    PURCHASES,
    VERIFICATION,
    Heard,
)
from tests.end_to_end.running import ROOT
from tests.end_to_end.steps import World

SOURCES = {
    INVENTORY: "/certfold/inventory",
    COMBINATION: "/certfold/combination",
    APPLICATION: "/certfold/application",
    VERIFICATION: "/certfold/ca_verification",
}
SUBJECTS = {  # whose id is the key, the first that an event has
    INVENTORY: ("instance_id", "purchase_id", "combination_id"),
    COMBINATION: ("combination_id",),
    APPLICATION: ("application_id",),
    VERIFICATION: ("application_id",),
}
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
GROUPS = ("inventory", "combination", "application", "ca_verification")


@pytest.fixture(scope="module")
async def heard(world: World, certificate: Any) -> list[Heard]:
    """Return all that was ever said, when at least one whole story is among it."""
    await world.topics.hears(
        "CertificateIssued", VERIFICATION, certificate_id=certificate["certificate_id"]
    )
    return await world.topics.read(*OURS)


def astray(heard: Sequence[Heard], is_right: Any) -> set[str]:
    """Return the names of the events of which that does not hold."""
    return {one.name for one in heard if not is_right(one)}


def test_the_whole_story_is_among_what_was_said(heard) -> None:
    assert {one.name for one in heard} >= {
        *("InstancesPurchased", "InstanceCreated", "InstanceClaimed", "InstanceStatusChanged"),
        *("ApplicationRequested", "ApplicationSubmitted", "VerificationPending"),
        *("DomainValidated", "VettingItemConfirmed", "CertificateIssued"),
    }


def test_every_event_has_the_attributes_of_cloudevents(heard) -> None:
    attributes = {
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject"),
        *("ce_dataschema", "ce_sequence", "ce_correlationid", "ce_causationid", "content-type"),
    }

    assert astray(heard, lambda one: one.attributes.keys() >= attributes) == set()
    assert astray(heard, lambda one: len(one.headers) == len(one.attributes)) == set()


def test_attributes_are_as_the_contract_writes_them(heard) -> None:
    for one in heard:
        told = one.attributes
        assert told["ce_specversion"] == "1.0"
        assert UUID(told["ce_id"]).version == 7
        assert told["ce_source"] == SOURCES[one.topic]
        assert re.fullmatch(r"certfold\.[A-Za-z]+\.v1", told["ce_type"])
        assert told["ce_dataschema"] == f"urn:certfold:events:{one.name}:1"
        assert datetime.fromisoformat(told["ce_time"]).utcoffset() is not None
        assert re.fullmatch(r"[0-9]{19}", told["ce_sequence"])
        assert told["content-type"] == "application/json"
        assert UUID(told["ce_causationid"])
        assert told["ce_correlationid"]


def test_every_event_belongs_to_a_trace(heard) -> None:
    assert (
        astray(heard, lambda one: TRACEPARENT.fullmatch(one.attributes.get("traceparent", "")))
        == set()
    )


def test_the_key_is_the_subject_and_the_subject_is_whom_the_event_is_about(heard) -> None:
    for one in heard:
        about = next(one.said[field] for field in SUBJECTS[one.topic] if one.said.get(field))
        assert (one.key or b"").decode() == one.attributes["ce_subject"]
        assert one.attributes["ce_subject"] in {
            one.said.get(field) for field in SUBJECTS[one.topic]
        }, (one.name, about)


def test_every_event_of_ours_carries_its_account(heard) -> None:
    assert astray(heard, lambda one: one.said["account_id"]) == set()


def test_every_event_fits_its_published_schema(heard) -> None:
    faults: defaultdict[str, set[str]] = defaultdict(set)
    for one in heard:
        schema = json.loads((ROOT / "docs" / "schemas" / f"{one.name}.json").read_text())
        checker = Draft202012Validator.FORMAT_CHECKER
        for fault in Draft202012Validator(schema, format_checker=checker).iter_errors(one.said):
            faults[one.name].add(f"{fault.json_path}: {fault.message[:200]}")

    assert faults == {}


def test_facts_of_a_subject_lie_in_one_partition_in_order_without_a_gap(heard) -> None:
    partitions: defaultdict[tuple[str, bytes | None], set[int]] = defaultdict(set)
    numbers: defaultdict[tuple[str, bytes | None], list[int]] = defaultdict(list)
    seen = set()
    for one in heard:
        subject = one.topic, one.key
        partitions[subject].add(one.partition)
        if (identity := (one.attributes["ce_source"], one.attributes["ce_id"])) not in seen:
            seen.add(identity)
            numbers[subject].append(int(one.attributes["ce_sequence"]))

    assert {subject for subject, where in partitions.items() if len(where) > 1} == set()
    assert {s: n for s, n in numbers.items() if n != list(range(1, len(n) + 1))} == {}


def test_what_follows_from_one_command_is_one_story_with_each_its_cause(heard, certificate) -> None:
    [issued] = [
        one
        for one in heard
        if one.name == "CertificateIssued"
        and one.said["certificate_id"] == certificate["certificate_id"]
    ]
    followed = [
        one for one in heard if one.attributes["ce_causationid"] == issued.attributes["ce_id"]
    ]

    assert {one.name for one in followed} == {"InstanceStatusChanged"}
    for one in followed:
        for attribute in ("ce_correlationid", "traceparent"):
            assert one.attributes[attribute] == issued.attributes[attribute]


@pytest.fixture(scope="module")
async def settings(world: World) -> dict[str, dict[str, str]]:
    """Return each topic's settings."""
    names = await world.topics.names()
    admin = AIOKafkaAdminClient(bootstrap_servers=world.endpoints["kafka"])
    await admin.start()
    try:
        asked = [ConfigResource(ConfigResourceType.TOPIC, one) for one in sorted(names)]
        answers = await admin.describe_configs(asked)
    finally:
        await admin.close()
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }


def test_topics_keep_everything(settings) -> None:
    ours = {name: one for name, one in settings.items() if name.startswith("certificates.")}

    assert ours.keys() > {PURCHASES, *OURS}
    assert {name for name, one in ours.items() if one["retention.ms"] != "-1"} == set()
    assert {name for name, one in ours.items() if one["retention.bytes"] != "-1"} == set()
    assert {name for name, one in ours.items() if one["cleanup.policy"] != "delete"} == set()


def test_purchases_and_their_dead_letters_may_be_large(settings) -> None:
    assert int(settings[PURCHASES]["max.message.bytes"]) == 8 << 20
    assert int(settings[f"{PURCHASES}.inventory.dlt"]["max.message.bytes"]) == 9 << 20


async def test_each_service_is_a_group_with_a_topic_for_what_it_could_not_understand(
    world, settings
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.endpoints["kafka"])
    await admin.start()
    try:
        groups = {name for name, *_ in await admin.list_consumer_groups()}
        offsets = await asyncio.gather(*map(admin.list_consumer_group_offsets, GROUPS))
    finally:
        await admin.close()

    assert groups >= {*GROUPS}
    for group, listens in zip(GROUPS, offsets, strict=True):
        assert listens
        assert {f"{one.topic}.{group}.dlt" for one in listens} <= settings.keys()
