"""How the CA's verification reads what the application service has judged and said."""

import json

import pytest
from pydantic import ValidationError

from shared.cloudevents import Heard, understand
from shared.contracts.application import ApplicationEvent, ApplicationSubmitted
from shared.contracts.base import OURS
from tests.ca_verification.make import SUBMITTED
from tests.shared.make import A, Record

CONTENT = json.loads(SUBMITTED.model_dump_json())
OUTDATED = json.dumps(
    CONTENT | {"contact": CONTENT["contact"] | {"email": "ann@localhost", "phone": "110"}}
)


def test_what_was_judged_by_other_rules_is_not_judged_again() -> None:
    with pytest.raises(ValidationError):
        ApplicationSubmitted.model_validate_json(OUTDATED)

    heard = understand(submitted(), ApplicationEvent.family, frozenset({ApplicationSubmitted}))

    assert isinstance(heard, Heard)
    assert heard.message == ApplicationSubmitted.model_validate_json(OUTDATED, context=OURS)


def submitted() -> Record:
    attributes = {
        "id": str(A),
        "source": "/certfold/application",
        "type": ApplicationSubmitted.type,
    }
    headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
    return Record(OUTDATED.encode(), headers)
