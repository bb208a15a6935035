"""How an application goes on without a name: one bad name does not block the others."""

import pytest

from services.ca_verification.domain import check_now, drop, note_check
from services.ca_verification.domain.messages import SignCertificate, TryAgain
from services.ca_verification.domain.things import Application, Signing, again_id, check_id
from services.ca_verification.domain.waiting import progress
from services.ca_verification.handlers import road
from shared.contracts.ca_verification import (
    NameDropGranted,
    NameDropRefused,
    VerificationPending,
)
from shared.decision import Decision
from shared.replacing import replace
from tests.ca_verification import make
from tests.ca_verification.make import APPLICATION, LATER, NAMES, WHO
from tests.shared.make import fold, heard

A, B = NAMES
DROP_B = make.DROP.model_copy(update={"name": B})


def codes(decision: Decision) -> list[str]:
    [refused] = decision.facts
    assert isinstance(refused, NameDropRefused)
    assert decision == Decision(facts=(refused,))
    return [one.code for one in refused.objections]


def test_name_that_is_dropped_is_waited_on_no_more_and_nobody_looks_at_it_again() -> None:
    decision = drop(make.begun(), make.DROP, LATER)

    [application] = decision.changed
    granted, pending = decision.facts
    assert granted == NameDropGranted(**WHO, name=A)
    assert isinstance(pending, VerificationPending)
    assert [one.item for one in pending.waiting_on] == [
        f"domain:{B}",
        "organisation_identity",
        "callback",
    ]
    assert [one.state for one in pending.names] == ["dropped", "pending"]
    assert application.certified == (B,)
    assert decision.closed == (check_id(APPLICATION, A), again_id(APPLICATION))
    assert decision.errands == ()


def test_look_that_comes_home_after_the_drop_proves_nothing() -> None:
    [application] = drop(make.begun(), make.DROP, LATER).changed

    assert note_check(application, make.looked(A), LATER) == Decision()
    assert check_now(application, make.look_now(A), LATER) == Decision()
    assert progress(application.names[0]).state == "dropped"


def test_drop_of_the_last_name_that_was_missing_leads_to_the_certificate_of_the_others() -> None:
    almost = make.confirmed(make.proven(make.begun(), B))

    decision = drop(almost, make.DROP, LATER)

    [application], [sign] = decision.changed, decision.errands
    assert isinstance(application.stage, Signing)
    assert isinstance(sign, SignCertificate)
    assert sign.names == (B,)
    assert decision.closed == (check_id(APPLICATION, A), again_id(APPLICATION))


def test_name_that_the_linter_objects_to_is_dropped_and_the_others_go_on_at_once() -> None:
    ready = make.confirmed(make.proven(make.begun()))
    held_back = make.told(replace(ready, stage=make.HELD_BACK))

    decision = drop(held_back, make.DROP, LATER)

    [application], [sign] = decision.changed, decision.errands
    assert isinstance(application.stage, Signing)
    assert sign.names == (B,)
    granted, said = decision.facts
    assert granted == NameDropGranted(**WHO, name=A)
    assert [one.item for one in said.waiting_on] == ["issuance"]
    assert again_id(APPLICATION) in decision.closed


def test_linter_that_still_objects_is_asked_again_once_an_hour() -> None:
    verified = [make.submitted("DV"), *map(make.looked, NAMES)]
    story = [*verified, make.NOT_LINTED, make.DROP, make.NOT_LINTED]

    errands = fold(road, [heard(one, n) for n, one in enumerate(story)]).errands

    assert [errands[one] for one in errands if isinstance(one, TryAgain)] == [1]


def test_name_that_was_proven_can_be_dropped_too() -> None:
    [application] = drop(make.proven(make.begun(), A), make.DROP, LATER).changed

    assert application.certified == (B,)


def test_last_name_stays() -> None:
    [application] = drop(make.begun(), make.DROP, LATER).changed

    assert codes(drop(application, DROP_B, LATER)) == ["last_name"]


def test_name_is_dropped_once_and_only_if_it_was_applied_for() -> None:
    [application] = drop(make.begun(), make.DROP, LATER).changed
    stranger = make.DROP.model_copy(update={"name": "c.example"})

    assert codes(drop(application, make.DROP, LATER)) == ["unknown"]
    assert codes(drop(application, stranger, LATER)) == ["unknown"]


LATE = {"being signed": make.SIGNING, **make.ENDS}


@pytest.mark.parametrize("stage", LATE)
def test_drop_comes_too_late_from_the_intent_on(stage: str) -> None:
    application: Application = make.begun(stage=LATE[stage])

    assert codes(drop(application, make.DROP, LATER)) == ["not_verifying"]


def test_every_objection_is_told_at_once() -> None:
    signing = make.begun(stage=make.SIGNING)
    [one, two] = signing.names
    signing = replace(signing, names=(one, replace(two, dropped=True)))

    assert codes(drop(signing, make.DROP, LATER)) == ["not_verifying", "last_name"]
    assert codes(drop(signing, DROP_B, LATER)) == ["not_verifying", "unknown"]
