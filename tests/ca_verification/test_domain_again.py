"""What is done again: what has lived too long, and what the linter objected to."""

from datetime import timedelta

import pytest

from services.ca_verification import dcv, policy
from services.ca_verification.domain import (
    PRACTICE,
    decide,
    intend_again,
    issue,
    keep_back,
    note_check,
    try_again,
    withdraw,
)
from services.ca_verification.domain.messages import CheckName, SignCertificate, TryAgain
from services.ca_verification.domain.things import (
    Application,
    NotLinted,
    Open,
    Signing,
    Verifying,
)
from shared.contracts.ca_verification import CertificateIssued, DomainChecked, VerificationPending
from shared.decision import Decision
from shared.replacing import replace
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


def found_on_friday(certificate_type: str = "OV") -> Application:
    """Have the names proven and all tasks but the last one decided on Friday."""
    application = make.confirmed(make.proven(make.begun(certificate_type)))
    names = tuple(replace(one, checked_at=FRIDAY) for one in application.names)
    *done, last = [replace(one, tried_by=("otto",)) for one in application.tasks]
    tasks = (*done, replace(last, outcome=Open(FRIDAY)))
    return make.told(replace(application, names=names, tasks=tasks))


def decided_last(application: Application, days: int) -> Decision:
    now = FRIDAY + timedelta(days=days)
    moment = replace(MOMENT, now=now, host=now, secret=bytes([2]) * 32)
    asked = make.verdict(application.tasks[-1].id, decided_by="rita")
    return decide(application, asked, moment, PRACTICE)


@pytest.mark.parametrize(
    ("days", "stage"),
    [
        pytest.param(114, Signing, id="2027-03-14: 200 days"),
        pytest.param(115, Verifying, id="2027-03-15: 100 days"),
    ],
)
def test_proof_of_a_name_counts_as_long_as_the_rules_of_the_day_let_it(days, stage) -> None:
    """BR 4.2.1."""
    [application] = decided_last(found_on_friday(), days).changed

    assert isinstance(application.stage, stage)


def test_proof_that_is_too_old_is_asked_for_anew_and_the_names_looked_at() -> None:
    decision = decided_last(found_on_friday(), 115)

    [application] = decision.changed
    values = [one.challenge.record_value for one in application.names]
    assert [one.valid for one in application.names] == [False, False]
    assert {one.last_error for one in application.names} == {
        "the proof is older than 100 days; publish the new one"
    }
    assert [one.record_value for one in decision.errands] == values
    assert not set(values) & {one.challenge.record_value for one in make.begun().names}
    *_, said = decision.facts
    assert [one.item for one in said.waiting_on] == [f"domain:{name}" for name in NAMES]
    assert {one.since for one in said.waiting_on} == {FRIDAY + timedelta(days=115)}


@pytest.mark.parametrize("days", [398, 399])
def test_what_officers_found_counts_for_398_days_and_what_they_find_anew_is_reviewed_anew(
    days: int,
) -> None:
    """BR 4.2.1, EVG 3.2.2.14.1."""
    application = found_on_friday("EV")
    names = tuple(
        replace(one, checked_at=FRIDAY + timedelta(days=days)) for one in application.names
    )

    [after] = decided_last(replace(application, names=names), days).changed

    undecided = [one.item for one in after.tasks if isinstance(one.outcome, Open)]
    assert undecided == ([] if days == 398 else [one.item for one in application.tasks])
    assert {one.tried_by for one in after.tasks} == ({("otto",)} if days == 398 else {()})


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


def tried_again() -> Application:
    """Try again what the linter objected to an hour ago."""
    [kept_back] = keep_back(SIGNING, make.NOT_LINTED, MOMENT).changed
    ready = make.confirmed(make.proven(make.begun()))
    held_back = make.told(replace(ready, stage=kept_back.stage))
    decision = try_again(held_back, make.TRY_AGAIN, LATER, PRACTICE)
    assert decision.facts == ()
    [signing] = decision.changed
    return signing


def test_nothing_is_said_while_the_linter_objects_to_the_same() -> None:
    assert keep_back(tried_again(), make.NOT_LINTED, LATER).facts == ()


def test_applicant_is_told_what_else_the_linter_objects_to_and_since_when_it_does() -> None:
    other = make.NOT_LINTED.model_copy(update={"findings": ("too short",)})

    [said] = keep_back(tried_again(), other, LATER).facts

    [lint] = said.waiting_on
    assert (lint.item, lint.since) == ("lint", MOMENT.now)
    assert "too short" in lint.reason


def test_what_was_mended_is_issued_and_nobody_tries_again() -> None:
    ready = make.confirmed(make.proven(make.begun()))
    held_back = make.told(replace(ready, stage=make.HELD_BACK))
    [signing] = try_again(held_back, make.TRY_AGAIN, LATER, PRACTICE).changed

    decision = issue(signing, make.SIGNED, LATER)

    assert [type(fact) for fact in decision.facts] == [CertificateIssued]
    assert decision.closed == signing.everything
    assert try_again(decision.changed[0], make.TRY_AGAIN, LATER, PRACTICE) == Decision()


def test_intent_that_was_not_signed_in_time_is_replaced() -> None:
    ready = make.confirmed(make.proven(make.begun()))
    late = make.told(replace(ready, stage=make.SIGNING))

    decision = intend_again(late, make.OUTDATED, OVER, PRACTICE)

    [application], [sign] = decision.changed, decision.errands
    assert isinstance(application.stage, Signing)
    assert isinstance(sign, SignCertificate)
    assert application.stage.serial_number == sign.serial_number != make.SIGNING.serial_number
    assert sign.not_before == OVER.now


def test_what_has_become_too_old_meanwhile_is_proven_again_instead() -> None:
    found = replace(make.confirmed(found_on_friday()), stage=make.SIGNING)
    now = FRIDAY + timedelta(days=115)

    decision = intend_again(found, make.OUTDATED, replace(OVER, now=now, host=now), PRACTICE)

    assert isinstance(decision.changed[0].stage, Verifying)
    assert [type(one) for one in decision.errands] == [CheckName] * 2


@pytest.mark.parametrize("stage", [make.HELD_BACK, *make.ENDS.values()])
def test_only_an_intent_is_replaced(stage) -> None:
    assert intend_again(make.begun(stage=stage), make.OUTDATED, LATER, PRACTICE) == Decision()


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
