"""The intent to sign, the signature, and what cannot be taken back any more."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ca_verification.domain import (
    decide,
    issue,
    keep_back,
    note_check,
    serial_number,
    withdraw,
)
from services.ca_verification.domain.messages import NameChecked, SignCertificate
from services.ca_verification.domain.things import (
    Application,
    Issued,
    NotLinted,
    Signing,
    Verifying,
    Withdrawn,
)
from shared.contracts.base import Objection
from shared.contracts.ca_verification import (
    CertificateIssued,
    VerificationPending,
    Waiting,
    WithdrawalGranted,
    WithdrawalRefused,
)
from shared.decision import Decision
from shared.replacing import replace
from tests.ca_verification import make
from tests.ca_verification.certificates import plan
from tests.ca_verification.make import (
    APPLICATION,
    CERTIFICATE,
    FRIDAY,
    INSTANCE,
    LATER,
    MOMENT,
    NAMES,
    NOT_AFTER,
    PRACTICE,
    WHO,
)

ALMOST = make.confirmed(make.proven(make.begun(), NAMES[1]))  # one name is missing
SIGNING = make.begun(stage=make.SIGNING)


def test_intent_to_sign_is_kept_with_the_errand_that_signs_exactly_it() -> None:
    *_, pending = (decision := note_check(ALMOST, make.looked(NAMES[0]), LATER)).facts

    [application] = decision.changed
    assert application.stage == Signing(
        certificate_id=LATER.new_id(),
        serial_number=serial_number(LATER),
        not_before=LATER.now,
        not_after=LATER.now + timedelta(days=199, seconds=-1),  # inclusive
    )
    assert pending.waiting_on == (
        Waiting(
            item="issuance",
            party="ca",
            reason="the certificate is being signed",
            since=LATER.now,
            next_action="nothing to do",
        ),
    )
    assert decision.errands == (
        SignCertificate(
            application_id=APPLICATION,
            certificate_id=application.stage.certificate_id,
            certificate_type="OV",
            names=NAMES,
            organisation=make.SUBMITTED.organisation,
            csr_pem="csr",
            key_algorithm="P-256",
            serial_number=application.stage.serial_number,
            not_before=application.stage.not_before,
            not_after=application.stage.not_after,
            pki_url=PRACTICE.pki_url,
            reserved_ok=PRACTICE.reserved_ok,
        ),
    )


def test_certificate_begins_by_the_clock_of_ordinary_programs() -> None:
    ahead = replace(LATER, now=FRIDAY + timedelta(days=1), host=FRIDAY)

    [application] = note_check(ALMOST, make.looked(NAMES[0]), ahead).changed

    assert application.stage.not_before == FRIDAY


def test_names_alone_are_enough_where_no_task_is_to_be_decided() -> None:
    almost = make.proven(make.begun("DV"), NAMES[1])

    [application] = note_check(almost, make.looked(NAMES[0]), LATER).changed

    assert isinstance(application.stage, Signing)


SECRETS = st.binary(min_size=32, max_size=32)


@settings(deadline=None)
@given(SECRETS, SECRETS)
def test_serial_number_is_positive_of_at_most_20_octets_and_follows_from_the_secret(
    secret, other
) -> None:
    serials = [serial_number(replace(MOMENT, secret=one)) for one in (secret, other)]

    assert [int(one, 16).bit_length() for one in serials] == [159, 159]
    assert [plan(serial_number=one).serial_number for one in serials] == serials
    assert (serials[0] == serials[1]) == (secret == other)


STEPS = [*NAMES, "organisation_identity", "operational_existence", "callback"]


def step(application: Application, what: str) -> Decision:
    if what in NAMES:
        return note_check(application, make.looked(what), LATER)
    asked = make.verdict(make.task(application, what).id)
    return decide(application, asked, LATER, PRACTICE)


@settings(deadline=None)
@given(st.permutations(STEPS))
def test_in_whatever_order_all_is_verified_the_intent_comes_with_the_last_of_it(order) -> None:
    application = make.begun("EV")
    for what in order:
        assert isinstance(application.stage, Verifying)
        [application] = step(application, what).changed
    review = make.verdict(make.task(application, "final_review").id, decided_by="rita")

    decision = decide(application, review, LATER, PRACTICE)

    assert isinstance(decision.changed[0].stage, Signing)
    assert [type(errand) for errand in decision.errands] == [SignCertificate]


def test_what_is_signed_is_issued_as_it_was_intended_and_nothing_left_to_do() -> None:
    issued = CertificateIssued(
        **WHO,
        certificate_id=CERTIFICATE,
        instance_id=INSTANCE,
        brand="digicert",
        certificate_type="OV",
        names=NAMES,
        serial_number="f00",
        not_before=FRIDAY,
        not_after=NOT_AFTER,
        sha256_fingerprint="ab",
        certificate_pem="leaf",
        chain_pem="chain",
        root_pem="root",
    )

    assert issue(SIGNING, make.SIGNED, LATER) == Decision(
        (make.begun(stage=Issued(CERTIFICATE, "f00", NOT_AFTER)),),
        (issued,),
        closed=SIGNING.everything,
    )


def test_what_the_linter_objects_to_is_kept_back_and_waits_on_the_ca() -> None:
    decision = keep_back(SIGNING, make.NOT_LINTED, LATER)

    [application], [said] = decision.changed, decision.facts
    assert application.stage == NotLinted(("no OU", "too long"), LATER.now)
    assert isinstance(said, VerificationPending)
    assert said.waiting_on == (
        Waiting(
            item="lint",
            party="ca",
            reason="the certificate may not be signed as it is: no OU; too long",
            since=LATER.now,
            next_action="nothing to do; the CA has to mend it",
        ),
    )


OTHERS = {
    "verifying": make.begun(),
    "kept back": make.begun(stage=make.HELD_BACK),
    **{name: make.begun(stage=stage) for name, stage in make.ENDS.items()},
}


@pytest.mark.parametrize("application", [pytest.param(a, id=name) for name, a in OTHERS.items()])
def test_only_what_is_being_signed_is_issued_or_kept_back_and_only_once(application) -> None:
    assert issue(application, make.SIGNED, LATER) == Decision()
    assert keep_back(application, make.NOT_LINTED, LATER) == Decision()


@pytest.mark.parametrize(
    "application", [make.begun(), ALMOST, OTHERS["kept back"]], ids=["new", "almost", "kept back"]
)
def test_what_nobody_signs_is_given_back_and_nothing_left_to_do(application) -> None:
    over = replace(application, stage=Withdrawn(), told=())

    assert withdraw(application, make.WITHDRAW, LATER) == Decision(
        (over,), (WithdrawalGranted(**WHO),), closed=application.everything
    )


@pytest.mark.parametrize(
    ("application", "status"),
    [
        (SIGNING, "signing"),
        (OTHERS["issued"], "issued"),
        (OTHERS["revoked"], "revoked"),
        (OTHERS["rejected"], "rejected"),
    ],
)
def test_withdrawal_comes_too_late_from_the_intent_on(application, status) -> None:
    found = Objection(
        code="not_withdrawable",
        subject=str(APPLICATION),
        message=f"it is too late: the application is {status}",
    )

    assert withdraw(application, make.WITHDRAW, LATER) == Decision(
        facts=(WithdrawalRefused(**WHO, objections=(found,)),)
    )


def test_withdrawal_that_is_asked_for_twice_is_granted_once() -> None:
    assert withdraw(OTHERS["withdrawn"], make.WITHDRAW, LATER) == Decision()


@pytest.mark.parametrize("application", [ALMOST, SIGNING])
def test_signature_and_withdrawal_never_both_happen(application) -> None:
    proof = make.looked(NAMES[0])
    for first in (proof, make.WITHDRAW):
        after = application
        for message in (first, make.WITHDRAW if first is proof else proof):
            hear = note_check if isinstance(message, NameChecked) else withdraw
            [after] = hear(after, message, LATER).changed or [after]
        signed = issue(after, make.SIGNED, LATER).facts != ()
        assert signed != isinstance(after.stage, Withdrawn)
