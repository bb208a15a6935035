"""How the CA's verification reads what the application service has judged and said."""

import json

import pytest
from pydantic import ValidationError

from services.ca_verification.domain import begin
from services.ca_verification.domain.issuing import proceed
from services.ca_verification.domain.messages import SignCertificate
from shared.cloudevents import Heard, understand
from shared.contracts.application import ApplicationEvent, ApplicationSubmitted
from shared.contracts.base import OURS
from shared.errands import Duty
from shared.runner import taken_of
from tests.ca_verification import make
from tests.ca_verification.make import MOMENT, PRACTICE, SUBMITTED
from tests.shared.make import A, Record

CONTENT = json.loads(SUBMITTED.model_dump_json())
OUTDATED = json.dumps(
    CONTENT
    | {"contact": CONTENT["contact"] | {"email": "ann@localhost", "phone": "110"}}
    | {"organisation": CONTENT["organisation"] | {"email": "office@localhost", "phone": "110"}}
)


def test_what_was_judged_by_other_rules_is_not_judged_again() -> None:
    with pytest.raises(ValidationError):
        ApplicationSubmitted.model_validate_json(OUTDATED)

    heard = understand(submitted(), ApplicationEvent.family, frozenset({ApplicationSubmitted}))

    assert isinstance(heard, Heard)
    assert heard.message == submission()


def submission() -> ApplicationSubmitted:
    return ApplicationSubmitted.model_validate_json(OUTDATED, context=OURS)


def submitted() -> Record:
    attributes = {
        "id": str(A),
        "source": "/certfold/application",
        "type": ApplicationSubmitted.type,
    }
    headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
    return Record(OUTDATED.encode(), headers)


def test_errand_that_follows_from_it_is_read_from_its_row() -> None:
    [application] = begin(None, submission(), MOMENT, PRACTICE).changed
    [errand] = proceed(make.confirmed(make.proven(application)), MOMENT, PRACTICE).errands
    row = {
        "id": A,
        "content": errand.model_dump_json(),
        "due": MOMENT.now,
        "attempts": 1,
        "correlation_id": "story",
        "traceparent": None,
        "actor": None,
    }

    assert taken_of(row, Duty(SignCertificate)).errand == errand
