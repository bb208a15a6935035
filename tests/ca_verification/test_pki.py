"""What certificates point to: the CA's certificate, and the list of those that it took back."""

import asyncio
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from services.ca_verification import policy
from services.ca_verification.ca.authority import Authority, Revoked
from services.ca_verification.pki import KEEP
from shared.clock import utc_now
from shared.contracts.application import RevocationReason, RevocationRequested
from shared.contracts.ca_verification import (
    CertificateIssued,
    CertificateRevoked,
    Challenge,
    RevocationRefused,
)
from tests.ca_verification import make
from tests.ca_verification.alone import Alone
from tests.ca_verification.ca import Ca
from tests.ca_verification.certificates import NOON, authority, csr_pem

A = make.NAMES[0]
PATIENCE_SECONDS = 10.0
OPEN_TRANSACTIONS = """
    SELECT count(*) FROM pg_stat_activity
     WHERE usename = current_user AND state = 'idle in transaction'
"""


async def issue(ca: Ca, alone: Alone) -> CertificateIssued:
    await alone.hear(make.submitted("DV", csr_pem=csr_pem(), names=(A,)))
    application = f"/api/v1/applications/{make.APPLICATION}/names/{A}/check"
    first = await alone.ask("POST", application, "applicant", account="acme")
    ca.publish(Challenge.model_validate(first.json()["challenge"]))
    await alone.ask("POST", application, "applicant", account="acme", headers={"prefer": "wait=20"})
    await alone.runner.settled()
    [issued] = await alone.said(CertificateIssued)
    return issued


def revocation(issued: CertificateIssued, reason: RevocationReason) -> RevocationRequested:
    return make.REVOKE.model_copy(
        update={"certificate_id": issued.certificate_id, "reason": reason}
    )


async def fetch(alone: Alone, ca: Authority) -> x509.CertificateRevocationList:
    """Fetch the list as anybody, and judge it as who relies on it (RFC 5280 §6.3)."""
    async with alone.client() as client:
        answer = await client.get("/pki/issuing.crl")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pkix-crl"  # RFC 2585 §4.2
    crl = x509.load_der_x509_crl(answer.content)
    key = ca.issuing.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert crl.is_signature_valid(key)
    assert crl.issuer == ca.issuing.subject
    assert crl.next_update_utc is not None
    assert crl.last_update_utc <= utc_now() < crl.next_update_utc
    # BR 4.9.7: without OCSP, a list every four days.
    assert crl.next_update_utc - crl.last_update_utc < policy.at(utc_now().date()).crl_life
    issuers = ca.issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    named = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert named.key_identifier == issuers.digest
    return crl


def number(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


async def test_revoked_certificate_is_on_the_next_list_with_its_reason(ca: Ca) -> None:
    async with ca.run() as alone:
        issued = await issue(ca, alone)
        before = await fetch(alone, ca.authority)
        assert list(before) == []

        await alone.hear(revocation(issued, "key_compromise"))

        [revoked] = await alone.said(CertificateRevoked)
        after = await fetch(alone, ca.authority)
        leaf = x509.load_pem_x509_certificate(issued.certificate_pem.encode())
        entry = after.get_revoked_certificate_by_serial_number(leaf.serial_number)
        assert entry is not None
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        assert reason == x509.ReasonFlags.key_compromise
        assert entry.revocation_date_utc == revoked.revoked_at.replace(microsecond=0)
        assert revoked.serial_number == issued.serial_number
        assert number(after) > number(before)


async def test_no_reason_is_given_where_none_was(ca: Ca) -> None:
    """BR 7.2.2: `unspecified` is left out."""
    async with ca.run() as alone:
        await alone.hear(revocation(await issue(ca, alone), "unspecified"))

        [entry] = await fetch(alone, ca.authority)

        assert len(entry.extensions) == 0


async def test_certificate_is_revoked_once_and_stays_as_it_was_revoked(ca: Ca) -> None:
    async with ca.run() as alone:
        issued = await issue(ca, alone)
        await alone.hear(revocation(issued, "superseded"))

        await alone.hear(revocation(issued, "key_compromise"))

        [refused] = await alone.said(RevocationRefused)
        assert [one.code for one in refused.objections] == ["already_revoked"]
        assert len(await alone.said(CertificateRevoked)) == 1
        [entry] = await fetch(alone, ca.authority)
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        assert reason == x509.ReasonFlags.superseded


async def test_certificate_leaves_the_list_only_after_one_beyond_its_life(ca: Ca) -> None:
    """RFC 5280 §3.3."""
    async with ca.run() as alone:
        issued = await issue(ca, alone)
        await alone.hear(revocation(issued, "superseded"))
        life = policy.at(issued.not_after.date()).crl_life

        ca.clock.move_to(issued.not_after + life - timedelta(minutes=1))
        assert len(list(await fetch(alone, ca.authority))) == 1
        ca.clock.move_to(issued.not_after + life + timedelta(minutes=1))
        assert list(await fetch(alone, ca.authority)) == []


async def test_list_is_signed_anew_after_a_revocation_or_a_minute_whoever_asks_how_often(
    ca: Ca,
) -> None:
    async with ca.run() as alone:
        issued = await issue(ca, alone)
        first, *others = await asyncio.gather(*(fetch(alone, ca.authority) for _ in range(5)))
        assert others == [first] * 4

        await alone.hear(revocation(issued, "superseded"))
        second = await fetch(alone, ca.authority)
        assert number(second) > number(first)
        ca.clock.move_to(ca.clock() + KEEP)
        third = await fetch(alone, ca.authority)
        assert number(third) > number(second)


async def test_all_else_goes_on_while_a_list_is_signed(
    ca: Ca, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign, begun, may_end = ca.authority.crl, threading.Event(), threading.Event()

    def hold(revoked: Iterable[Revoked], now: datetime) -> bytes:
        begun.set()
        assert may_end.wait(PATIENCE_SECONDS)
        return sign(revoked, now)

    monkeypatch.setattr(ca.authority, "crl", hold)
    async with ca.run() as alone:
        asked = [asyncio.create_task(fetch(alone, ca.authority)) for _ in range(2)]
        assert await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
        async with alone.traffic.postgres.transaction() as tx:
            others = await tx.fetchval(OPEN_TRANSACTIONS)
        may_end.set()

        first, second = await asyncio.gather(*asked)

    assert others == 0
    assert first == second


async def test_who_keeps_it_is_told_for_how_long(ca: Ca) -> None:
    async with ca.run() as alone, alone.client() as client:
        answer = await client.get("/pki/issuing.crl")

    assert answer.headers["cache-control"] == f"public, max-age={KEEP.total_seconds():.0f}"


def test_list_knows_of_nothing_that_is_later_than_itself() -> None:
    ahead = Revoked("4a" * 10, NOON + timedelta(days=30))

    [entry] = x509.load_der_x509_crl(authority().crl([ahead], NOON))

    assert entry.revocation_date_utc == NOON


async def test_authority_is_found_by_who_has_only_the_certificate(ca: Ca) -> None:
    async with ca.run() as alone, alone.client() as client:
        issuing = await client.get("/pki/issuing.cer")
        root = await client.get("/pki/root.pem")

    assert issuing.headers["content-type"] == "application/pkix-cert"  # RFC 2585 §4.1
    certificate = x509.load_der_x509_certificate(issuing.content)
    assert certificate == ca.authority.issuing
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(root.content))


async def test_issuing_ca_points_to_the_root_and_to_its_list(ca: Ca) -> None:
    """BR 7.1.2.6."""
    access = ca.authority.issuing.extensions.get_extension_for_class(
        x509.AuthorityInformationAccess
    ).value
    points = ca.authority.issuing.extensions.get_extension_for_class(
        x509.CRLDistributionPoints
    ).value
    [[at]] = [one.full_name or () for one in points]
    async with ca.run() as alone, alone.client() as client:
        root = await client.get(urlsplit(next(iter(access)).access_location.value).path)
        revoked = await client.get(urlsplit(at.value).path)

    assert x509.load_der_x509_certificate(root.content) == ca.authority.root
    assert revoked.headers["content-type"] == "application/pkix-crl"
    crl = x509.load_der_x509_crl(revoked.content)
    assert crl == ca.authority.root_list
    assert list(crl) == []


async def test_ca_from_before_the_root_had_a_list_goes_on_without(
    ca: Ca, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ca.authority, "root_list", None)
    async with ca.run() as alone, alone.client() as client:
        answer = await client.get("/pki/root.crl")

    assert answer.status_code == 404


@pytest.mark.parametrize("name", ["issuing.key", "root.key", "root.der", "..%2Froot.key"])
async def test_nothing_else_is_given_out(ca: Ca, name: str) -> None:
    async with ca.run() as alone, alone.client() as client:
        answer = await client.get(f"/pki/{name}")

    assert answer.status_code in {404, 422}
    assert "PRIVATE" not in answer.text
