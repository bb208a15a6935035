"""What officers and reviewers may decide, and what comes of it."""

import pytest

from services.ca_verification.domain import ApplicationUnknownError, decide
from services.ca_verification.domain.things import (
    Application,
    Decided,
    Item,
    Open,
    Rejected,
    Signing,
)
from shared.contracts.base import Objection
from shared.contracts.ca_verification import (
    ApplicationRejected,
    DecisionRefused,
    VerificationPending,
    VettingItemConfirmed,
)
from shared.decision import Decision
from shared.replacing import replace
from tests.ca_verification import make
from tests.ca_verification.make import LATER, NAMES, PRACTICE, WHO


def hear(application: Application, item: Item, decision: str = "confirm", **more: object):
    asked = make.verdict(make.task(application, item).id, decision, **more)
    return decide(application, asked, LATER, PRACTICE)


def told(application: Application, item: Item, decision: str = "confirm", **more: object):
    """Decide what is refused; return the code and subject of each objection."""
    outcome = hear(application, item, decision, **more)
    [refused] = outcome.facts
    assert isinstance(refused, DecisionRefused)
    assert outcome == Decision(facts=(refused,))
    return [(one.code, one.subject) for one in refused.objections]


def test_item_that_is_found_in_order_is_kept_with_its_evidence_and_told() -> None:
    task = make.task(make.begun(), "callback")
    outcome = Decided(confirmed=True, by="olga", at=LATER.now, note="", evidence="register")

    decision = hear(make.begun(), "callback")

    assert make.task(decision.changed[0], "callback") == replace(task, outcome=outcome)
    confirmed, pending = decision.facts
    assert confirmed == VettingItemConfirmed(
        **WHO, task_id=task.id, item="callback", confirmed_by="olga", confirmed_at=LATER.now
    )
    assert "callback" not in [one.item for one in pending.waiting_on]


def test_missed_call_is_told_to_the_applicant_and_the_task_stays_open() -> None:
    decision = hear(make.begun(), "callback", "postpone", note="nobody answered at 14:00")

    [application] = decision.changed
    [said] = decision.facts
    assert isinstance(said, VerificationPending)
    call = next(one for one in said.waiting_on if one.item == "callback")
    assert (call.party, call.reason) == ("applicant", "nobody answered at 14:00")
    assert call.next_action == "answer the organisation's telephone"
    outcome = make.task(application, "callback").outcome
    assert outcome == Open(LATER.now, "nobody answered at 14:00")
    assert make.task(application, "callback").tried_by == ("olga",)


def test_call_that_was_missed_can_be_made_again() -> None:
    [application] = hear(make.begun(), "callback", "postpone", note="busy").changed

    [after] = hear(application, "callback").changed

    assert make.task(after, "callback").outcome.confirmed


def test_refusal_ends_the_application_with_every_reason_and_where_to_get_help() -> None:
    application = make.proven(make.begun(), NAMES[0])
    objections = (
        Objection(code="callback_refused", subject="callback", message="nobody knew of it"),
        Objection(
            code="domain_not_validated",
            subject=NAMES[1],
            message="control of the name was not proven yet",
        ),
    )

    decision = hear(application, "callback", "refuse", note="nobody knew of it")

    assert decision.changed[0].stage == Rejected(objections)
    assert decision.facts == (
        ApplicationRejected(
            **WHO,
            instance_id=make.INSTANCE,
            objections=objections,
            support_contact="support@ca.example",
        ),
    )
    assert decision.closed == application.everything


def test_refusal_tells_why_a_name_was_not_proven() -> None:
    application = make.begun()
    seen = replace(application.names[0], last_error="no such record")
    application = replace(application, names=(seen, application.names[1]))

    [rejected] = hear(application, "callback", "refuse", note="no").facts

    assert [one.message for one in rejected.objections[1:]] == [
        "no such record",
        "control of the name was not proven yet",
    ]


def test_final_review_waits_until_all_else_is_decided() -> None:
    application = make.confirmed(make.begun("EV"), "callback", "organisation_identity")

    assert told(application, "final_review", decided_by="rita") == [
        ("not_yet_open", str(make.task(application, "final_review").id))
    ]


def test_final_review_is_not_told_to_the_applicant_before_its_time() -> None:
    early = make.begun("EV")
    late = make.confirmed(early)

    assert "final_review" not in [one.item for one in early.told]
    assert [one.item for one in make.proven(late).told] == ["final_review"]


def test_who_has_collected_evidence_cannot_review_it() -> None:
    application = make.confirmed(make.begun("EV"), by="olga")

    assert told(application, "final_review", decided_by="olga") == [
        ("reviewer_collected_evidence", str(make.task(application, "final_review").id))
    ]


def test_one_of_several_who_collected_evidence_cannot_review_it_either() -> None:
    application = make.confirmed(make.begun("EV"), by="olga")
    application = make.confirmed(application, "callback", by="otto")

    assert told(application, "final_review", decided_by="otto")


def test_who_has_tried_to_collect_evidence_cannot_review_what_others_found() -> None:
    [tried] = hear(make.begun("EV"), "callback", "postpone", note="busy", decided_by="rita").changed
    [again] = hear(tried, "callback", "postpone", note="busy", decided_by="otto").changed
    application = make.confirmed(again, by="olga")

    for who in ("rita", "otto"):
        assert told(application, "final_review", decided_by=who) == [
            ("reviewer_collected_evidence", str(make.task(application, "final_review").id))
        ]


def test_who_had_to_postpone_the_review_can_do_it_later() -> None:
    application = make.proven(make.confirmed(make.begun("EV")))
    asked = {"decided_by": "rita", "note": "the register is closed"}
    [postponed] = hear(application, "final_review", "postpone", **asked).changed

    decision = hear(postponed, "final_review", decided_by="rita")

    assert isinstance(decision.changed[0].stage, Signing)


@pytest.mark.parametrize("item", ["organisation_identity", "callback", "operational_existence"])
def test_nothing_is_confirmed_without_saying_how(item) -> None:
    application = make.begun("EV")

    assert told(application, item, note=" ", evidence="\n") == [("evidence_missing", "evidence")]
    assert len(hear(application, item, note="called +4930901820", evidence="").changed) == 1


def test_review_has_the_evidence_of_the_others() -> None:
    application = make.proven(make.confirmed(make.begun("EV")))

    decision = hear(application, "final_review", decided_by="rita", evidence="")

    assert isinstance(decision.changed[0].stage, Signing)


def test_final_review_by_another_person_lets_the_certificate_be_signed() -> None:
    application = make.proven(make.confirmed(make.begun("EV"), by="olga"))

    decision = hear(application, "final_review", decided_by="rita", role="reviewer")

    assert isinstance(decision.changed[0].stage, Signing)


@pytest.mark.parametrize("decision", ["refuse", "postpone"])
@pytest.mark.parametrize("note", ["", "  \n"])
def test_bad_news_needs_a_reason(decision, note) -> None:
    assert told(make.begun(), "callback", decision, note=note) == [("note_missing", "note")]


def test_task_is_decided_once_and_who_comes_second_learns_by_whom() -> None:
    application = make.confirmed(make.begun(), "callback", by="otto")

    [refused] = hear(application, "callback").facts

    assert refused.objections == (
        Objection(
            code="already_decided",
            subject=str(make.task(application, "callback").id),
            message="otto has decided it on 2026-11-20 12:00 UTC",
        ),
    )


@pytest.mark.parametrize("stage", [make.HELD_BACK, make.SIGNING, *make.ENDS.values()])
def test_nothing_is_decided_too_late(stage) -> None:
    application = make.begun(stage=stage)

    assert told(application, "callback") == [
        ("not_verifying", str(make.task(application, "callback").id))
    ]


def test_every_objection_to_a_decision_is_told_at_once() -> None:
    application = make.confirmed(
        make.begun("EV", stage=make.SIGNING), "callback", "final_review", by="olga"
    )
    subject = str(make.task(application, "final_review").id)

    assert told(application, "final_review", "refuse") == [
        ("not_verifying", subject),
        ("already_decided", subject),
        ("note_missing", "note"),
        ("reviewer_collected_evidence", subject),
    ]


def test_decision_about_what_was_never_submitted_needs_a_person() -> None:
    with pytest.raises(ApplicationUnknownError):
        decide(None, make.verdict(make.APPLICATION), LATER, PRACTICE)
