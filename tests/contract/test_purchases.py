"""Which times of a shop are believed."""

import json
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from certfold import contract
from services.inventory.domain.keeping import refundable_until
from shared.contracts.base import Event
from shared.contracts.purchases import PurchaseCompleted, PurchaseRefunded
from tests.inventory import make

DOCUMENTS = contract.documents()
TIMES = [(PurchaseCompleted, "paid_at"), (PurchaseRefunded, "refunded_at")]


def schema_and_example(event: type[Event]) -> tuple[Any, dict[str, Any]]:
    schema = json.loads(DOCUMENTS[f"schemas/{event.__name__}.json"])
    return jsonschema.Draft202012Validator(schema), schema["examples"][0]


@pytest.mark.parametrize(("event", "field"), TIMES)
@pytest.mark.parametrize(
    "time",
    ["1990-01-01T00:00:00+14:00", "2019-02-28T23:59:59.5-12:00", "2199-12-31T23:59:59-14:00"],
)
def test_a_purchase_may_be_years_old_or_of_the_future(
    event: type[Event], field: str, time: str
) -> None:
    schema, example = schema_and_example(event)
    told = example | {field: time}

    schema.validate(told)
    read = getattr(event.model_validate_json(json.dumps(told)), field)
    assert read.utcoffset().total_seconds() == 0


@pytest.mark.parametrize(("event", "field"), TIMES)
@pytest.mark.parametrize(
    "time",
    [
        *("0001-01-01T00:00:00+14:00", "1989-12-31T23:59:59Z"),
        *("2200-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_a_time_beyond_every_calendar_of_ours_is_refused_with_its_field(
    event: type[Event], field: str, time: str
) -> None:
    schema, example = schema_and_example(event)
    told = example | {field: time}

    assert not schema.is_valid(told)
    with pytest.raises(ValidationError, match=rf"{field}\n.*of the years 1990 to 2199"):
        event.model_validate_json(json.dumps(told))


def test_the_last_time_that_is_believed_leaves_room_for_every_period() -> None:
    last = PurchaseCompleted.model_validate(
        make.purchase().model_dump() | {"paid_at": "2199-12-31T23:59:59-14:00"}
    )

    assert refundable_until(make.instance(paid_at=last.paid_at))
