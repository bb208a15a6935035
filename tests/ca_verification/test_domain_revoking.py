"""How a certificate is taken back: once, only what was issued, and for a reason of RFC 5280."""

from datetime import timedelta
from typing import get_args

import pytest
from cryptography import x509
from pydantic import ValidationError

from services.ca_verification.domain import revoke
from services.ca_verification.domain.things import Application, Revoked
from services.ca_verification.pki import REASONS
from shared.contracts.application import RevocationReason
from shared.contracts.base import Objection
from shared.contracts.ca_verification import CertificateRevoked, RevocationRefused
from shared.decision import Decision
from shared.replacing import replace
from tests.ca_verification import make
from tests.ca_verification.make import CERTIFICATE, INSTANCE, LATER, NOT_AFTER, WHO

ISSUED = make.begun(stage=make.ENDS["issued"])
OTHERS = {
    "verifying": make.begun(),
    "kept back": make.begun(stage=make.HELD_BACK),
    "being signed": make.begun(stage=make.SIGNING),
    "rejected": make.begun(stage=make.ENDS["rejected"]),
    "withdrawn": make.begun(stage=make.ENDS["withdrawn"]),
}


def refusal(code: str, message: str, certificate_id: object = CERTIFICATE) -> Decision:
    found = Objection(code=code, subject=str(certificate_id), message=message)
    refused = RevocationRefused(**WHO, certificate_id=certificate_id, objections=(found,))
    return Decision(facts=(refused,))


def test_issued_certificate_is_revoked_at_once() -> None:
    stage = Revoked(CERTIFICATE, "f00", NOT_AFTER, "superseded", LATER.now)
    revoked = CertificateRevoked(
        **WHO,
        certificate_id=CERTIFICATE,
        instance_id=INSTANCE,
        serial_number="f00",
        reason="superseded",
        revoked_at=LATER.now,
    )

    assert revoke(ISSUED, make.REVOKE, LATER) == Decision(
        (replace(ISSUED, stage=stage),), (revoked,)
    )


@pytest.mark.parametrize("application", [pytest.param(a, id=name) for name, a in OTHERS.items()])
def test_only_what_was_issued_can_be_revoked(application: Application) -> None:
    assert revoke(application, make.REVOKE, LATER) == refusal(
        "unknown", "there is no such certificate"
    )


def test_another_certificate_is_none_of_this_application() -> None:
    asked = make.REVOKE.model_copy(update={"certificate_id": INSTANCE})

    assert revoke(ISSUED, asked, LATER) == refusal(
        "unknown", "there is no such certificate", INSTANCE
    )


def test_revocation_stands_whatever_is_asked_later() -> None:
    [revoked] = revoke(ISSUED, make.REVOKE, LATER).changed
    again = make.REVOKE.model_copy(update={"reason": "key_compromise"})
    moment = replace(LATER, now=LATER.now + timedelta(days=1))

    assert revoke(revoked, again, moment) == refusal(
        "already_revoked", "it was revoked on 2026-11-20 13:00 UTC"
    )


def test_reasons_are_those_that_a_subscribers_certificate_may_have() -> None:
    """RFC 5280 §5.3.1 has ten; BR 7.2.2 leaves a subscriber's certificate these."""
    codes = {
        "unspecified": x509.ReasonFlags.unspecified,
        "key_compromise": x509.ReasonFlags.key_compromise,
        "affiliation_changed": x509.ReasonFlags.affiliation_changed,
        "superseded": x509.ReasonFlags.superseded,
        "cessation_of_operation": x509.ReasonFlags.cessation_of_operation,
        "privilege_withdrawn": x509.ReasonFlags.privilege_withdrawn,
    }

    assert codes == REASONS
    assert set(get_args(RevocationReason)) == set(codes)


@pytest.mark.parametrize("reason", ["certificate_hold", "ca_compromise", "remove_from_crl", ""])
def test_other_reasons_are_not_understood(reason: str) -> None:
    with pytest.raises(ValidationError, match="reason"):
        type(make.REVOKE).model_validate(make.REVOKE.model_dump() | {"reason": reason})
