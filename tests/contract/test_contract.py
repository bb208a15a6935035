"""What others rely on: generated from the code, kept in `docs/`, and true."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from certfold import contract, provision
from certfold.contract import schemas
from certfold.contract.openapi import ContradictionError, _add
from shared.contracts.base import Event

ALL = contract.documents()
ASYNCAPI, OPENAPI = json.loads(ALL["asyncapi.json"]), json.loads(ALL["openapi.json"])
EVENTS = list(schemas.events())

PROMISED = """
GET /quota
POST /instances
GET /instances
GET /instances/{instance_id}
POST /combinations/preview
POST /combinations
GET /combinations
GET /combinations/{combination_id}
POST /applications
GET /applications
GET /applications/{application_id}
POST /applications/{application_id}/withdrawal
POST /applications/{application_id}/names/{name}/check
GET /certificates
GET /certificates/{certificate_id}
GET /certificates/{certificate_id}/download
GET /certificates/{certificate_id}/installations
GET /verification/tasks
POST /verification/tasks/{task_id}/decision
GET /me
GET /tokens
POST /tokens
DELETE /tokens/{token_id}
GET /services/{service}/parked
POST /services/{service}/parked/{parked_id}/replay
DELETE /services/{service}/parked/{parked_id}
"""


def test_what_is_kept_is_what_the_code_says() -> None:
    differing = contract.differing(ALL)

    assert not differing, "say `python -m certfold.contract`, and look at what changed"


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "NoMore.json").write_text("{}")

    assert len(contract.write(tmp_path)) == len(ALL) + 1
    assert contract.write(tmp_path) == []
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.json")} == ALL.keys()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_the_schema_of_an_event_fits_its_example(event: type[Event]) -> None:
    schema = json.loads(ALL[f"schemas/{event.__name__}.json"])

    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    assert schema["$id"] == f"urn:certfold:events:{event.__name__}:1"
    for example in schema["examples"]:
        validator.validate(example)
        assert event.model_validate(example).model_dump(mode="json") == example
        fields = [name for name, one in event.model_fields.items() if not one.exclude]
        assert list(example) == fields


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_more_fields_may_come(event: type[Event]) -> None:
    schema = json.loads(ALL[f"schemas/{event.__name__}.json"])
    later = schema["examples"][0] | {"a_field_of_next_year": 1}

    jsonschema.validate(later, schema)


def test_every_event_tells_whose_it_is() -> None:
    for event in EVENTS:
        assert "account_id" in json.loads(ALL[f"schemas/{event.__name__}.json"])["required"]


def test_every_topic_is_a_channel_and_every_channel_is_made() -> None:
    made = {topic.name for topic in provision.topics()}
    used = {event.topic for event in EVENTS}

    assert ASYNCAPI["channels"].keys() <= made
    assert {name for name in ASYNCAPI["channels"] if not name.endswith(".dlt")} == used
    for name, one in ASYNCAPI["operations"].items():
        if one["action"] == "receive":
            group, _, topic = name.split(".", 2)
            assert f"{topic}.{group}.dlt" in ASYNCAPI["channels"]


def references(document: Any) -> list[str]:
    match document:
        case {"$ref": str(found)}:
            return [found]
        case dict():
            return [one for value in document.values() for one in references(value)]
        case list():
            return [one for value in document for one in references(value)]
        case _:
            return []


def at(document: Any, pointer: str) -> Any:
    for part in pointer.removeprefix("#/").split("/"):
        document = document[part.replace("~1", "/")]
    return document


@pytest.mark.parametrize("document", [ASYNCAPI, OPENAPI], ids=["AsyncAPI", "OpenAPI"])
def test_every_reference_leads_somewhere(document: Any) -> None:
    found = references(document)

    assert found
    for one in found:
        assert at(document, one) if one.startswith("#/") else one in ALL


def test_every_event_goes_through_the_channel_of_its_topic() -> None:
    for event in EVENTS:
        assert event.__name__ in ASYNCAPI["channels"][event.topic]["messages"]
    senders = {
        name.split(".")[0]
        for name, one in ASYNCAPI["operations"].items()
        if one["action"] == "send" and ".dlt" not in name
    }
    assert senders == {"inventory", "combination", "application", "ca_verification"}


def test_the_public_api_has_what_was_promised_and_nothing_internal() -> None:
    there = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, item in OPENAPI["paths"].items()
        for method in item
    }

    assert set(PROMISED.split("\n")[1:-1]) <= there
    assert OPENAPI["servers"] == [{"url": "/"}]
    assert "certfold-" not in ALL["openapi.json"]


def test_every_operation_is_told_alike() -> None:
    operations = [one for item in OPENAPI["paths"].values() for one in item.values()]
    ids = [one["operationId"] for one in operations]

    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z_]+", one) for one in ids)
    assert OPENAPI["security"] == [{"bearer": []}]
    for one in operations:
        assert {"401", "422", "503"} <= one["responses"].keys()
        assert ("413" in one["responses"]) == ("requestBody" in one)
        for status, answer in one["responses"].items():
            if status >= "400":
                assert list(answer["content"]) == ["application/problem+json"]


def test_one_name_never_means_two_things() -> None:
    with pytest.raises(ContradictionError, match="Names"):
        _add({"Names": {"type": "object"}}, "Names", {"type": "string"})
