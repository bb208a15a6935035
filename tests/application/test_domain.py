"""What the application service decides, from the wish to the certificate."""

from datetime import timedelta
from uuid import UUID

import pytest

from services.application import domain
from services.application.domain import ApplicationUnknownError
from services.application.domain.messages import LookAtHost, MakeKey
from services.application.domain.things import Application, Failed, Issued, Key, Refused
from shared.contracts.application import (
    ApplicationRefused,
    ApplicationRequested,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    WithdrawalRequested,
)
from shared.contracts.base import Message, Names, Objection
from shared.decision import Decision
from shared.replacing import replace
from tests.application import make
from tests.application.make import APPLICATION, CERTIFICATE, IT, MOMENT, NAMES, NOON, STAGES, WHO

REACTIONS = {
    make.CLAIM: domain.begin,
    make.CLAIM_REFUSED: domain.refuse,
    make.KEY_MADE: domain.take_key,
    make.PENDING: domain.note_pending,
    make.CHECKED: domain.note_check,
    make.REJECTED: domain.fail,
    make.GRANTED: domain.take_back,
    make.ISSUED: domain.issue,
}
# The one stage in which each of them means something.
THEIR_STAGE = dict(zip(REACTIONS, ["requested"] * 2 + ["claimed"] + ["submitted"] * 5, strict=True))


def hear(application: Application | None, message: Message) -> Decision:
    return REACTIONS[message](application, message, MOMENT)


def test_wish_is_passed_on_to_the_inventory_with_what_is_wrong_with_the_form() -> None:
    asked = ApplicationRequested(**IT, names=Names(single=2), objections=make.FOUND)

    assert domain.request(None, {}, make.wish(objections=make.FOUND), MOMENT) == Decision(
        changed=(make.application(),), facts=(asked,)
    )


def test_wish_that_comes_twice_is_asked_once() -> None:
    assert domain.request(make.application(), {}, make.wish(), MOMENT) == Decision()


def test_pasted_requests_key_is_used_from_now_on() -> None:
    [wish, used] = domain.request(None, {}, make.wish(form=make.PASTED), MOMENT).changed

    assert (wish, used) == (make.application(form=make.PASTED), make.USED)


@pytest.mark.parametrize("taken", [frozenset(), make.USED.instances])
def test_key_serves_the_same_instance_again(taken) -> None:
    used = replace(make.USED, instances=taken)

    decision = domain.request(None, {used.id: used}, make.wish(form=make.PASTED), MOMENT)

    assert decision.changed[1] == make.USED
    assert decision.facts == (ApplicationRequested(**IT, names=Names(single=2)),)


def test_key_of_another_instance_is_told_with_all_else_and_stays_theirs() -> None:
    used = replace(make.USED, instances=frozenset({UUID(int=2)}))
    wish = make.wish(form=make.PASTED, objections=make.FOUND)

    decision = domain.request(None, {used.id: used}, wish, MOMENT)

    [requested] = decision.facts
    assert [one.code for one in requested.objections] == ["not_pending", "csr_used"]
    [kept] = decision.changed
    assert kept.form.spki_sha256 is None


def test_wish_that_is_refused_uses_no_key_up() -> None:
    wish = make.wish(form=make.PASTED, objections=make.FOUND)

    [kept] = domain.request(None, {}, wish, MOMENT).changed

    assert kept == make.application(form=replace(make.PASTED, spki_sha256=None))


def test_claimed_instance_needs_a_key_first_where_the_applicant_has_none() -> None:
    errand = MakeKey(application_id=APPLICATION, key_algorithm="P-256", names=NAMES)

    assert hear(make.application(), make.CLAIM) == Decision(
        changed=(make.application(make.CLAIMED),), errands=(errand,)
    )


def submitted(csr_pem: str) -> ApplicationSubmitted:
    return ApplicationSubmitted(
        **IT,
        brand="digicert",
        certificate_type="OV",
        certificate_kind="multi_domain",
        names=NAMES,
        organisation=make.ORGANISATION,
        contact=make.CONTACT,
        csr_pem=csr_pem,
        key_algorithm="P-256",
        validation_method="dns",
        submitted_at=NOON,
    )


def test_pasted_request_goes_to_the_ca_as_it_is() -> None:
    wish = make.application(form=make.PASTED)

    assert hear(wish, make.CLAIM) == Decision(
        changed=(replace(wish, stage=make.SUBMITTED),), facts=(submitted("pasted"),)
    )


def test_key_that_was_made_is_kept_and_only_its_request_goes_to_the_ca() -> None:
    assert hear(make.application(make.CLAIMED), make.KEY_MADE) == Decision(
        changed=(make.application(make.SUBMITTED), Key(APPLICATION, b"sealed")),
        facts=(submitted("made"),),
    )


def test_refusal_of_the_inventory_is_passed_on_with_all_its_objections() -> None:
    refused = ApplicationRefused(**IT, objections=make.FOUND)

    assert hear(make.application(), make.CLAIM_REFUSED) == Decision(
        (make.application(Refused(make.FOUND)),), (refused,)
    )


def test_what_the_ca_waits_on_is_noted() -> None:
    noted = make.application(make.VERIFYING)

    assert hear(make.application(make.SUBMITTED), make.PENDING) == Decision((noted,))


def test_reminder_that_tells_no_names_leaves_those_that_are_known() -> None:
    reminder = make.PENDING.model_copy(update={"names": (), "overdue": True})

    decision = domain.note_pending(make.application(make.VERIFYING), reminder, MOMENT)

    assert decision == Decision((make.application(replace(make.VERIFYING, overdue=True)),))


def test_what_was_found_about_a_name_is_noted_with_that_name_alone() -> None:
    [after] = hear(make.application(make.VERIFYING), make.CHECKED).changed

    mine, other = after.stage.names
    assert (mine.state, mine.checked_at, other) == ("valid", NOON, make.PROGRESS[1])
    assert mine.challenge == make.PROGRESS[0].challenge


def test_rejection_is_kept_with_its_reasons_and_who_helps() -> None:
    failed = Failed(make.FOUND, "support@ca.example")

    assert hear(make.application(make.SUBMITTED), make.REJECTED) == Decision(
        (make.application(failed),)
    )


def test_certificate_is_kept_and_every_name_looked_at_soon() -> None:
    looks = tuple(
        LookAtHost(
            certificate_id=CERTIFICATE,
            name=name,
            sha256_fingerprint="ab",
            due=NOON + timedelta(minutes=1),
        )
        for name in NAMES
    )

    assert hear(make.application(make.SUBMITTED), make.ISSUED) == Decision(
        changed=(make.application(Issued(CERTIFICATE)), make.certificate()), errands=looks
    )


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("message", REACTIONS, ids=lambda it: type(it).__name__)
def test_message_that_comes_late_or_early_is_harmless(message, stage) -> None:
    decision = hear(make.application(STAGES[stage]), message)

    assert (decision == Decision()) == (stage != THEIR_STAGE[message])


@pytest.mark.parametrize("message", REACTIONS, ids=lambda it: type(it).__name__)
def test_message_that_comes_twice_has_one_effect(message) -> None:
    first = hear(make.application(STAGES[THEIR_STAGE[message]]), message)
    after = first.changed[0]

    again = hear(after, message)

    assert again in (Decision(), Decision((after,)))


@pytest.mark.parametrize("message", REACTIONS, ids=lambda it: type(it).__name__)
def test_answer_to_a_question_that_was_never_asked_needs_a_person(message) -> None:
    with pytest.raises(ApplicationUnknownError, match=str(APPLICATION)):
        hear(None, message)


def ended(**changes: object) -> Decision:
    over = make.application(STAGES["withdrawn"], **changes)
    return Decision((over,), (ApplicationWithdrawn(**IT),), closed=(APPLICATION,))


def test_applicant_has_to_ask_the_ca_for_what_the_ca_has() -> None:
    refused_before = make.application(make.SUBMITTED, withdrawal_objections=make.FOUND)

    assert domain.ask_back(refused_before, make.BACK, MOMENT) == Decision(
        (make.application(make.SUBMITTED),), (WithdrawalRequested(**WHO, requested_by="ann"),)
    )


def test_applicant_takes_back_at_once_what_never_got_to_the_ca() -> None:
    assert domain.ask_back(make.application(make.CLAIMED), make.BACK, MOMENT) == ended()


@pytest.mark.parametrize("stage", ["requested", "refused", "failed", "issued"])
def test_withdrawal_that_is_impossible_tells_why_and_asks_nobody(stage) -> None:
    application = make.application(STAGES[stage])
    found = Objection(
        code="not_withdrawable", subject=str(APPLICATION), message=f"the application is {stage}"
    )

    assert domain.ask_back(application, make.BACK, MOMENT) == Decision(
        (replace(application, withdrawal_objections=(found,)),)
    )


def test_withdrawal_is_asked_for_twice_and_happens_once() -> None:
    assert domain.ask_back(make.application(STAGES["withdrawn"]), make.BACK, MOMENT) == Decision()


def test_what_the_ca_gives_back_is_over() -> None:
    assert hear(make.application(make.VERIFYING), make.GRANTED) == ended()


def test_what_the_ca_keeps_goes_on_and_the_applicant_learns_why() -> None:
    application = make.application(make.VERIFYING)

    assert domain.keep(application, make.NOT_GRANTED, MOMENT) == Decision(
        (replace(application, withdrawal_objections=make.FOUND),)
    )


def test_key_that_is_made_for_what_was_withdrawn_meanwhile_is_not_kept() -> None:
    [withdrawn] = domain.ask_back(make.application(make.CLAIMED), make.BACK, MOMENT).changed

    assert hear(withdrawn, make.KEY_MADE) == Decision()


def test_status_of_the_instance_is_followed() -> None:
    assert domain.follow(make.application(), make.shown("issued"), MOMENT) == Decision(
        (make.application(instance_status="issued"),)
    )


def test_status_of_an_instance_that_nobody_applied_for_here_is_passed_by() -> None:
    assert domain.follow(None, make.shown("issued"), MOMENT) == Decision()
