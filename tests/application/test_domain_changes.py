"""Names that are dropped, certificates that are revoked: asked for here, decided by the CA."""

import pytest

from services.application import domain
from services.application.domain import ApplicationUnknownError, CertificateUnknownError
from services.application.domain.things import Application, Revocation
from shared.contracts.application import NameDropped, NameDropRequested, RevocationRequested
from shared.contracts.base import Objection
from shared.decision import Decision
from shared.replacing import replace
from tests.application import make
from tests.application.make import CERTIFICATE, IT, MOMENT, NAMES, NOON, STAGES, WHO

A, B = NAMES
VERIFYING = make.application(make.VERIFYING)
REVOKED = replace(make.certificate(), revocation=Revocation("superseded", NOON))


def dropped(application: Application = VERIFYING) -> Application:
    [after] = domain.drop(application, make.DROP_GRANTED, MOMENT).changed
    assert isinstance(after, Application)
    return after


def test_ca_is_asked_to_go_on_without_a_name_and_an_earlier_refusal_is_forgotten() -> None:
    refused_before = replace(VERIFYING, drop_objections=make.FOUND)

    assert domain.ask_to_drop(refused_before, make.DROP, MOMENT) == Decision(
        (VERIFYING,), (NameDropRequested(**WHO, name=A, requested_by="ann"),)
    )


@pytest.mark.parametrize("stage", [name for name in STAGES if name != "submitted"])
def test_nobody_is_asked_to_drop_a_name_of_what_the_ca_does_not_have(stage: str) -> None:
    application = make.application(STAGES[stage])
    found = Objection(code="not_verifying", subject=A, message=f"the application is {stage}")

    assert domain.ask_to_drop(application, make.DROP, MOMENT) == Decision(
        (replace(application, drop_objections=(found,)),)
    )


def test_dropped_name_is_told_and_shown_so_and_the_others_go_on() -> None:
    decision = domain.drop(VERIFYING, make.DROP_GRANTED, MOMENT)

    [after] = decision.changed
    assert decision.facts == (NameDropped(**IT, name=A),)
    assert after.form.names == (B,)
    assert [one.state for one in after.stage.names] == ["dropped", "pending"]
    assert after.dropped == (A,)


@pytest.mark.parametrize(
    ("names", "before", "after"),
    [
        ((A, "*.b.example"), "hybrid", "wildcard"),
        ((A, B, "c.example"), "multi_domain", "multi_domain"),
        ((A, B), "multi_domain", "single"),
        ((A, B, "*.b.example"), "hybrid", "hybrid"),
        ((A, "*.a.example", "*.b.example"), "hybrid", "multi_domain_wildcard"),
    ],
)
def test_certificate_is_of_the_kind_of_the_names_that_are_left(names, before, after) -> None:
    form = replace(make.FORM, names=names, kind=before)

    assert dropped(make.application(make.SUBMITTED, form=form)).form.kind == after


def test_name_is_dropped_once() -> None:
    assert domain.drop(dropped(), make.DROP_GRANTED, MOMENT) == Decision()
    assert domain.ask_to_drop(dropped(), make.DROP, MOMENT) == Decision()


def test_name_is_dropped_though_the_ca_has_said_nothing_of_it_yet() -> None:
    after = dropped(make.application(make.SUBMITTED))

    assert (after.form.names, after.stage) == ((B,), make.SUBMITTED)


def test_applicant_learns_why_a_name_stays() -> None:
    assert domain.keep_name(VERIFYING, make.DROP_REFUSED, MOMENT) == Decision(
        (replace(VERIFYING, drop_objections=make.FOUND),)
    )


def test_certificate_after_a_drop_is_looked_for_on_its_own_names_alone() -> None:
    issued = make.ISSUED.model_copy(update={"names": (B,)})

    decision = domain.issue(dropped(), issued, MOMENT)

    assert [one.name for one in decision.changed[1].hosts] == [B]


def test_ca_is_asked_to_revoke_and_an_earlier_refusal_is_forgotten() -> None:
    refused_before = replace(make.certificate(), revocation_objections=make.FOUND)
    wish = RevocationRequested(
        **WHO, certificate_id=CERTIFICATE, reason="superseded", requested_by="ann"
    )

    assert domain.ask_to_revoke(refused_before, make.REVOKE, MOMENT) == Decision(
        (make.certificate(),), (wish,)
    )


def test_revocation_is_noted_with_its_reason_and_once() -> None:
    assert domain.note_revoked(make.certificate(), make.REVOKED, MOMENT) == Decision((REVOKED,))
    assert domain.note_revoked(REVOKED, make.REVOKED, MOMENT) == Decision()


def test_who_asks_again_is_told_that_it_was_revoked() -> None:
    [after] = domain.ask_to_revoke(REVOKED, make.REVOKE, MOMENT).changed

    assert [(one.code, one.message) for one in after.revocation_objections] == [
        ("already_revoked", "it was revoked on 2026-11-22 12:00 UTC")
    ]


PRIVILEGE = make.REVOKE.model_copy(update={"reason": "privilege_withdrawn"})


def test_ca_alone_says_that_a_privilege_is_withdrawn() -> None:
    """BR 7.2.2."""
    asked = domain.ask_to_revoke(make.certificate(), PRIVILEGE, MOMENT)
    of_officer = PRIVILEGE.model_copy(update={"by_ca": True, "requested_by": "olga"})

    decision = domain.ask_to_revoke(make.certificate(), of_officer, MOMENT)

    assert asked.facts == ()
    assert [one.code for one in asked.changed[0].revocation_objections] == ["reason_reserved"]
    [wish] = decision.facts
    assert (wish.reason, wish.requested_by) == ("privilege_withdrawn", "olga")


def test_every_objection_to_a_revocation_is_told_at_once() -> None:
    [after] = domain.ask_to_revoke(REVOKED, PRIVILEGE, MOMENT).changed

    codes = [one.code for one in after.revocation_objections]
    assert codes == ["already_revoked", "reason_reserved"]


def test_applicant_learns_why_a_certificate_stays_as_it_is() -> None:
    assert domain.note_not_revoked(make.certificate(), make.NOT_REVOKED, MOMENT) == Decision(
        (replace(make.certificate(), revocation_objections=make.FOUND),)
    )


@pytest.mark.parametrize(
    ("hear", "message"),
    [
        (domain.ask_to_drop, make.DROP),
        (domain.drop, make.DROP_GRANTED),
        (domain.keep_name, make.DROP_REFUSED),
    ],
)
def test_application_that_nobody_made_needs_a_person(hear, message) -> None:
    with pytest.raises(ApplicationUnknownError):
        hear(None, message, MOMENT)


@pytest.mark.parametrize(
    ("hear", "message"),
    [
        (domain.ask_to_revoke, make.REVOKE),
        (domain.note_revoked, make.REVOKED),
        (domain.note_not_revoked, make.NOT_REVOKED),
    ],
)
def test_certificate_that_was_never_issued_needs_a_person(hear, message) -> None:
    with pytest.raises(CertificateUnknownError):
        hear(None, message, MOMENT)
