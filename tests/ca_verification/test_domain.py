"""How the CA takes an application, proves its names and says what it waits on."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ca_verification import policy
from services.ca_verification.domain import (
    ApplicationUnknownError,
    Practice,
    begin,
    check_now,
    drop,
    issue,
    keep_back,
    note_check,
    pause,
    remind,
    revoke,
    try_again,
    withdraw,
)
from services.ca_verification.domain.messages import CheckName, RemindApplicant
from services.ca_verification.domain.things import Application, NameCheck, Open, Task, check_id
from shared.contracts.ca_verification import (
    Challenge,
    DomainChecked,
    DomainValidated,
    NameProgress,
    VerificationPending,
    Waiting,
)
from shared.decision import Decision
from shared.replacing import replace
from tests.ca_verification import make
from tests.ca_verification.make import (
    APPLICATION,
    FRIDAY,
    INSTANCE,
    LATER,
    MOMENT,
    NAMES,
    PRACTICE,
    SUBMITTED,
    WHO,
)

MONDAY = FRIDAY + timedelta(days=3)
A, B = NAMES


def challenge(name: str) -> Challenge:
    token = MOMENT.unguessable(f"challenge {name}", 20).hex()
    return Challenge(
        record_name=f"_certfold-challenge.{name.removeprefix('*.')}",
        record_value=f"certfold-validation={token}",
        expires_at=FRIDAY + timedelta(days=30),
    )


def look(name: str, application: Application | None = None, **after: float) -> CheckName:
    proof = challenge(name)
    return CheckName(
        application_id=APPLICATION,
        name=name,
        record_name=proof.record_name,
        record_value=proof.record_value,
        due=FRIDAY + timedelta(**after),
    )


def for_name(name: str, reason: str = "not looked at yet") -> Waiting:
    proof = challenge(name)
    return Waiting(
        item=f"domain:{name}",
        party="dns",
        reason=reason,
        since=FRIDAY,
        next_action=f'publish TXT {proof.record_name} with the value "{proof.record_value}"',
    )


IDENTITY = Waiting(
    item="organisation_identity",
    party="ca",
    reason="the CA checks the organisation's legal name and address",
    since=FRIDAY,
    next_action="nothing to do; keep the registration documents at hand",
)
CALL = Waiting(
    item="callback",
    party="ca",
    reason="the CA calls the organisation to authenticate the request",
    since=FRIDAY,
    next_action="answer the organisation's telephone",
)


def pending(*waiting: Waiting, names: tuple[NameProgress, ...] = ()) -> VerificationPending:
    unseen = tuple(NameProgress(name=n, state="pending", challenge=challenge(n)) for n in NAMES)
    return VerificationPending(
        **WHO,
        instance_id=INSTANCE,
        waiting_on=waiting,
        expected_by=FRIDAY + timedelta(days=11),
        names=names or unseen,
    )


def test_submitted_application_has_its_names_looked_at_its_tasks_opened_and_a_reminder_set() -> (
    None
):
    everything = (for_name(A), for_name(B), IDENTITY, CALL)

    assert begin(None, SUBMITTED, MOMENT, PRACTICE) == Decision(
        changed=(
            Application(
                id=APPLICATION,
                submitted=SUBMITTED,
                names=tuple(NameCheck(name, challenge(name), since=FRIDAY) for name in NAMES),
                tasks=(
                    Task(MOMENT.new_id(0), "organisation_identity", "officer", Open(FRIDAY)),
                    Task(MOMENT.new_id(1), "callback", "officer", Open(FRIDAY)),
                ),
                expected_by=FRIDAY + timedelta(days=11),  # seven business days
                told=everything,
            ),
        ),
        facts=(pending(*everything),),
        errands=(look(A), look(B), RemindApplicant(application_id=APPLICATION, due=MONDAY)),
    )


def test_application_that_is_submitted_twice_is_begun_once() -> None:
    assert begin(make.begun(), SUBMITTED, MOMENT, PRACTICE) == Decision()


@pytest.mark.parametrize(
    ("certificate_type", "tasks"),
    [
        ("DV", []),
        ("OV", [("organisation_identity", "officer"), ("callback", "officer")]),
        (
            "EV",
            [
                ("organisation_identity", "officer"),
                ("operational_existence", "officer"),
                ("callback", "officer"),
                ("final_review", "reviewer"),
            ],
        ),
    ],
)
def test_type_of_certificate_says_what_people_have_to_look_into(certificate_type, tasks) -> None:
    assert [(one.item, one.role) for one in make.begun(certificate_type).tasks] == tasks


def values(application: Application) -> set[str]:
    return {one.challenge.record_value for one in application.names}


def test_random_values_differ_from_name_to_name_though_the_record_is_the_same() -> None:
    twins = make.submitted(names=("b.example", "*.b.example"))

    [application] = begin(None, twins, MOMENT, PRACTICE).changed

    assert len({one.challenge.record_name for one in application.names}) == 1
    assert len(values(application)) == 2


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_random_values_have_160_bits_that_hang_on_nothing_but_the_secret(secret) -> None:
    [application] = begin(None, SUBMITTED, replace(MOMENT, secret=secret), PRACTICE).changed

    assert all(len(bytes.fromhex(one.partition("=")[2])) == 20 for one in values(application))
    assert secret == bytes(32) or not values(application) & values(make.begun())


def test_random_values_live_as_long_as_the_rules_let_them() -> None:
    expiries = {one.challenge.expires_at for one in make.begun().names}

    assert expiries == {FRIDAY + policy.at(FRIDAY.date()).random_value_life}


@pytest.mark.parametrize(
    ("practice", "day", "reminded", "expected"),
    [
        pytest.param(Practice(), 20, "11-23T12", "12-01T12", id="Friday in China"),
        pytest.param(Practice(), 21, "11-23T16", "12-01T16", id="Saturday: from Monday's midnight"),
        pytest.param(Practice(), 23, "11-24T12", "12-02T12", id="Monday"),
        pytest.param(
            Practice("US", "America/New_York"),
            25,
            "11-27T12",
            "12-07T12",
            id="the day before Thanksgiving",
        ),
    ],
)
def test_reminder_and_expectation_go_by_the_business_days_of_the_ca(
    practice, day, reminded, expected
) -> None:
    moment = replace(MOMENT, now=FRIDAY.replace(day=day))

    decision = begin(None, SUBMITTED, moment, practice)

    assert f"{decision.errands[-1].due:%m-%dT%H}" == reminded
    assert f"{decision.changed[0].expected_by:%m-%dT%H}" == expected


def test_proof_of_a_name_is_told_with_what_is_still_missing() -> None:
    after = make.proven(make.begun(), A)
    seen = replace(after.names[0], attempts=1, checked_at=LATER.now)
    checked = DomainChecked(**WHO, name=A, state="valid", last_error=None, checked_at=LATER.now)
    validated = DomainValidated(
        **WHO,
        name=A,
        authorization_domain=A,
        method="3.2.2.4.7",
        validated_at=LATER.now,
    )
    shown = (
        NameProgress(name=A, state="valid", challenge=challenge(A), checked_at=LATER.now),
        NameProgress(name=B, state="pending", challenge=challenge(B)),
    )

    assert note_check(make.begun(), make.looked(A), LATER) == Decision(
        changed=(replace(after, names=(seen, after.names[1])),),
        facts=(checked, validated, pending(for_name(B), IDENTITY, CALL, names=shown)),
    )


def test_wildcard_is_proven_by_its_parent() -> None:
    _, validated, _ = note_check(make.begun(), make.looked(B), MOMENT).facts

    assert (validated.name, validated.authorization_domain) == (B, "b.example")


@pytest.mark.parametrize("names", [[A, B], [B, A]])
def test_names_are_proven_in_any_order(names) -> None:
    application = make.begun()
    for name in names:
        [application] = note_check(application, make.looked(name), MOMENT).changed

    assert application.told == (IDENTITY, CALL)


def test_reason_why_nothing_was_found_is_told_and_the_name_looked_at_again() -> None:
    application = make.begun()
    seen = NameCheck(
        A,
        challenge(A),
        since=FRIDAY,
        attempts=1,
        last_error="no such record",
        checked_at=FRIDAY,
    )
    told = (for_name(A, "no such record"), for_name(B), IDENTITY, CALL)
    after = replace(application, names=(seen, application.names[1]), told=told)
    checked = DomainChecked(
        **WHO, name=A, state="pending", last_error="no such record", checked_at=FRIDAY
    )

    decision = note_check(application, make.looked(A, "no such record"), MOMENT)

    assert decision.changed == (after,)
    assert decision.facts[0] == checked
    assert decision.facts[1].waiting_on == told
    assert decision.errands == (look(A, seconds=5),)


@pytest.mark.parametrize(("on_request", "said"), [(False, []), (True, [DomainChecked])])
def test_same_reason_again_is_told_to_nobody_but_who_asked(on_request, said) -> None:
    [application] = note_check(make.begun(), make.looked(A, "gone"), MOMENT).changed

    decision = note_check(application, make.looked(A, "gone", on_request=on_request), LATER)

    assert [type(fact) for fact in decision.facts] == said
    assert decision.errands == (look(A, hours=1, seconds=5),)


def test_pauses_between_looks_grow_to_an_hour() -> None:
    seconds = [pause(attempts).total_seconds() for attempts in (1, 2, 3, 4, 11, 12, 10**6)]

    assert seconds == [5, 5, 10, 20, 2560, 3600, 3600]


def test_applicant_who_cannot_wait_has_the_name_looked_at_instead_of_later() -> None:
    [seen] = note_check(make.begun(), make.looked(A, "gone"), MOMENT).changed
    asked = look(A).model_copy(update={"on_request": True})

    decision = check_now(seen, make.look_now(A), MOMENT)

    assert (decision.errands, decision.closed) == ((asked,), (check_id(APPLICATION, A),))
    [waiting] = decision.changed
    assert [one.checked_at for one in waiting.names] == [None, None]  # he waits for this look's


SOON = replace(MOMENT, now=FRIDAY + timedelta(minutes=9))


def asked_for() -> Application:
    [asked] = check_now(make.begun(), make.look_now(A), MOMENT).changed
    return asked


def test_look_that_was_asked_for_is_not_dropped_for_another_one() -> None:
    decision = check_now(asked_for(), make.look_now(A), SOON)

    assert (decision.errands, decision.closed) == ((), ())
    assert len(check_now(asked_for(), make.look_now(B), SOON).errands) == 1


def test_who_asks_meanwhile_has_the_name_looked_at_once_more_after_it() -> None:
    [again] = check_now(asked_for(), make.look_now(A), SOON).changed
    first = note_check(again, make.looked(A, "gone", on_request=True), SOON)
    [after] = first.changed
    second = note_check(after, make.looked(A, "gone", on_request=True), SOON)

    asked = look(A, minutes=9).model_copy(update={"on_request": True})
    assert first.errands == (asked,)
    assert after.names[0].checked_at == SOON.now
    assert check_now(after, make.look_now(A), SOON).errands == ()
    assert second.errands == (look(A, minutes=9, seconds=5),)


def test_look_whose_outcome_was_lost_can_be_asked_for_again() -> None:
    late = replace(MOMENT, now=FRIDAY + timedelta(minutes=10))

    assert len(check_now(asked_for(), make.look_now(A), late).errands) == 1


NO_LONGER = {
    "proven": make.proven(make.begun(), A),
    "kept back": make.begun(stage=make.HELD_BACK),
    "being signed": make.begun(stage=make.SIGNING),
    **{name: make.begun(stage=stage) for name, stage in make.ENDS.items()},
}


@pytest.mark.parametrize("application", [pytest.param(a, id=name) for name, a in NO_LONGER.items()])
def test_name_that_needs_no_proof_any_more_is_let_be(application) -> None:
    assert note_check(application, make.looked(A), LATER) == Decision()
    assert note_check(application, make.looked(A, "gone"), LATER) == Decision()
    assert check_now(application, make.look_now(A), LATER) == Decision()


def test_name_that_was_never_applied_for_is_let_be() -> None:
    assert note_check(make.begun(), make.looked("c.example"), MOMENT) == Decision()
    assert check_now(make.begun(), make.look_now("c.example"), MOMENT) == Decision()


def test_reminder_tells_again_what_an_overdue_application_waits_on() -> None:
    overdue = replace(make.begun(), overdue=True)
    said = pending(*overdue.told).model_copy(update={"overdue": True})

    assert remind(make.begun(), make.REMINDER, MOMENT) == Decision((overdue,), (said,))


@pytest.mark.parametrize("stage", [make.HELD_BACK, make.SIGNING])
def test_reminder_tells_that_it_waits_on_the_ca_alone(stage) -> None:
    [said] = remind(make.begun(stage=stage), make.REMINDER, MOMENT).facts

    assert [one.party for one in said.waiting_on] == ["ca"]


@pytest.mark.parametrize("end", make.ENDS)
def test_nobody_is_reminded_of_what_has_ended(end) -> None:
    assert remind(make.begun(stage=make.ENDS[end]), make.REMINDER, MOMENT) == Decision()


@pytest.mark.parametrize(
    ("decide", "message"),
    [
        (note_check, make.looked()),
        (check_now, make.look_now()),
        (issue, make.SIGNED),
        (keep_back, make.NOT_LINTED),
        (remind, make.REMINDER),
        (withdraw, make.WITHDRAW),
        (drop, make.DROP),
        (revoke, make.REVOKE),
        (try_again, make.TRY_AGAIN),
    ],
)
def test_application_that_was_never_submitted_needs_a_person(decide, message) -> None:
    with pytest.raises(ApplicationUnknownError, match=str(APPLICATION)):
        decide(None, message, MOMENT)
