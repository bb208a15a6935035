"""What the CA does in the world: sign, and what it does not sign."""

from datetime import timedelta

import pytest
from dns.asyncresolver import Resolver

from services.ca_verification import policy
from services.ca_verification.ca.authority import Authority
from services.ca_verification.ca.lint import Linter
from services.ca_verification.domain.messages import (
    CertificateSigned,
    IntentOutdated,
    SignCertificate,
)
from services.ca_verification.world import World
from shared.clock import utc_now
from tests.ca_verification import make
from tests.ca_verification.certificates import csr_pem

BEGINS = utc_now().replace(microsecond=0) + timedelta(days=30)
INTENT = SignCertificate(
    application_id=make.APPLICATION,
    certificate_id=make.CERTIFICATE,
    certificate_type="DV",
    names=("acme.com",),
    organisation=make.SUBMITTED.organisation,
    csr_pem=csr_pem(),
    key_algorithm="P-256",
    serial_number=f"{0x4A << 152:x}",
    not_before=BEGINS,
    not_after=BEGINS + policy.validity(BEGINS.date()) - policy.ONE_SECOND,
    pki_url="http://pki.acme.com",
    reserved_ok=(),
)


@pytest.mark.parametrize(
    ("seconds", "outcome"), [(0, CertificateSigned), (1, IntentOutdated)], ids=["48 h", "later"]
)
async def test_intent_is_signed_within_48_hours_of_its_beginning(
    authority: Authority, linter: Linter, seconds: int, outcome: type
) -> None:
    now = BEGINS + timedelta(hours=48, seconds=seconds)
    world = World(Resolver(configure=False), 1.0, authority, linter, lambda: now)

    assert [type(one) for one in await world.sign([INTENT])] == [outcome]


async def test_clock_that_was_moved_forward_meanwhile_prevents_nothing(
    authority: Authority, linter: Linter
) -> None:
    now = utc_now()
    intent = INTENT.model_copy(
        update={
            "not_before": now.replace(microsecond=0),
            "not_after": now.replace(microsecond=0) + timedelta(days=90),
        }
    )
    world = World(Resolver(configure=False), 1.0, authority, linter, lambda: now + timedelta(3))

    assert [type(one) for one in await world.sign([intent])] == [CertificateSigned]
