"""What is tried again: a random value that has lived too long, and what the linter objected to."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.ca_verification import dcv, policy
from services.ca_verification.domain import (
    PRACTICE,
    issue,
    keep_back,
    note_check,
    try_again,
    withdraw,
)
from services.ca_verification.domain.messages import CheckName, SignCertificate, TryAgain
from services.ca_verification.domain.things import NotLinted, Signing
from shared.contracts.ca_verification import CertificateIssued, DomainChecked, VerificationPending
from shared.decision import Decision
from tests.ca_verification import make
from tests.ca_verification.make import APPLICATION, FRIDAY, LATER, MOMENT, NAMES

A, B = NAMES
LIFE = policy.at(FRIDAY.date()).random_value_life
OVER = replace(MOMENT, now=FRIDAY + LIFE, host=FRIDAY + LIFE, secret=bytes([1]) * 32)
LAST = replace(OVER, now=OVER.now - timedelta(microseconds=1))
SIGNING = make.begun(stage=make.SIGNING)


def test_proof_counts_to_the_last_moment_of_the_random_value() -> None:
    [application] = note_check(make.begun(), make.looked(A), LAST).changed

    assert application.names[0].valid


@pytest.mark.parametrize("reason", [None, "no such record"], ids=["found", "not found"])
def test_random_value_that_has_expired_proves_nothing_and_is_replaced(reason) -> None:
    """BR 3.2.2.4.7: at most 30 days."""
    before = make.begun()

    decision = note_check(before, make.looked(A, reason), OVER)

    [application], [look] = decision.changed, decision.errands
    old, new = before.names[0].challenge, application.names[0].challenge
    assert not application.names[0].valid
    assert new.record_value != old.record_value
    assert (new.record_name, new.expires_at) == (old.record_name, OVER.now + LIFE)
    assert application.names[1] == before.names[1]
    assert isinstance(look, CheckName)
    assert (look.name, look.record_value) == (A, new.record_value)


def test_applicant_is_told_to_publish_the_new_value() -> None:
    decision = note_check(make.begun(), make.looked(A), OVER)

    [application] = decision.changed
    checked, pending = decision.facts
    value = application.names[0].challenge.record_value
    assert isinstance(checked, DomainChecked)
    assert isinstance(pending, VerificationPending)
    assert (checked.state, checked.last_error) == (
        "pending",
        "the random value has expired; publish the new one",
    )
    assert value in pending.waiting_on[0].next_action
    assert pending.names[0].challenge == application.names[0].challenge


def test_new_value_proves_the_name() -> None:
    [application] = note_check(make.begun(), make.looked(A), OVER).changed

    [after] = note_check(application, make.looked(A), OVER).changed

    assert after.names[0].valid


def test_wildcard_is_renewed_under_its_parent() -> None:
    [application] = note_check(make.begun(), make.looked(B), OVER).changed

    assert application.names[1].challenge.record_name == f"{dcv.LABEL}.b.example"


def test_what_the_linter_objected_to_is_tried_again_within_the_hour() -> None:
    decision = keep_back(SIGNING, make.NOT_LINTED, LATER)

    again = TryAgain(application_id=APPLICATION, due=LATER.now + timedelta(hours=1))
    assert decision.errands == (again,)


def test_try_again_makes_a_new_intent_with_another_serial_number() -> None:
    ready = make.confirmed(make.proven(make.begun()))
    held_back = make.told(replace(ready, stage=make.HELD_BACK))

    decision = try_again(held_back, make.TRY_AGAIN, OVER, PRACTICE)

    [application], [sign] = decision.changed, decision.errands
    assert isinstance(application.stage, Signing)
    assert isinstance(sign, SignCertificate)
    assert application.stage.serial_number == sign.serial_number != make.SIGNING.serial_number
    assert sign.not_before == OVER.now
    [said] = decision.facts
    assert [one.item for one in said.waiting_on] == ["issuance"]


def test_what_was_mended_is_issued_and_nobody_tries_again() -> None:
    ready = make.confirmed(make.proven(make.begun()))
    held_back = make.told(replace(ready, stage=make.HELD_BACK))
    [signing] = try_again(held_back, make.TRY_AGAIN, LATER, PRACTICE).changed

    decision = issue(signing, make.SIGNED, LATER)

    assert [type(fact) for fact in decision.facts] == [CertificateIssued]
    assert decision.closed == signing.everything
    assert try_again(decision.changed[0], make.TRY_AGAIN, LATER, PRACTICE) == Decision()


OTHERS = {"verifying": make.begun(), "being signed": SIGNING} | {
    name: make.begun(stage=stage) for name, stage in make.ENDS.items()
}


@pytest.mark.parametrize("application", [pytest.param(a, id=name) for name, a in OTHERS.items()])
def test_only_what_was_kept_back_is_tried_again(application) -> None:
    assert try_again(application, make.TRY_AGAIN, LATER, PRACTICE) == Decision()


def test_what_was_given_back_meanwhile_is_not_tried_again() -> None:
    [kept_back] = keep_back(SIGNING, make.NOT_LINTED, LATER).changed
    assert isinstance(kept_back.stage, NotLinted)
    [withdrawn] = withdraw(kept_back, make.WITHDRAW, LATER).changed

    assert try_again(withdrawn, make.TRY_AGAIN, LATER, PRACTICE) == Decision()
