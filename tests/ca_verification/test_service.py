"""The CA's verification on a real PostgreSQL, with a real name server, linter and signer."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from cryptography import x509
from cryptography.x509 import verification

from services.ca_verification import business_days, policy
from services.ca_verification.ca.lint import Linter
from services.ca_verification.domain import Practice
from shared.api import PREFIX
from shared.clock import utc_now
from shared.contracts.application import ApplicationSubmitted
from shared.contracts.ca_verification import (
    CertificateIssued,
    DomainChecked,
    DomainValidated,
    NameDropGranted,
    VerificationPending,
    VettingItemConfirmed,
)
from shared.runner import travel
from tests.ca_verification import make
from tests.ca_verification.alone import Alone
from tests.ca_verification.ca import TRYING, Ca
from tests.ca_verification.certificates import csr_pem
from tests.ca_verification.make import APPLICATION, NAMES
from tests.shared import nameserver

A, B = NAMES
TASKS = f"{PREFIX}/verification/tasks"
PATIENCE_SECONDS = 30.0


def submitted(certificate_type: str, *names: str) -> ApplicationSubmitted:
    return make.submitted(certificate_type, csr_pem=csr_pem(), names=names or NAMES)


async def pending(alone: Alone) -> VerificationPending:
    return (await alone.said(VerificationPending))[-1]


def items(said: VerificationPending) -> Sequence[str]:
    return [one.item for one in said.waiting_on]


async def publish(ca: Ca, alone: Alone, *names: str) -> None:
    """Do as the application says, and ask to look now."""
    for progress in (await pending(alone)).names:
        if progress.name in names and progress.challenge:
            ca.publish(progress.challenge)
            await look(alone, progress.name)


async def look(alone: Alone, name: str) -> str:
    path = f"{PREFIX}/applications/{APPLICATION}/names/{name}/check"
    wait = {"prefer": "wait=20"}
    answer = await alone.ask("POST", path, "applicant", account="acme", headers=wait)
    await alone.runner.settled()
    assert answer.status_code == 200, answer.text
    return str(answer.json()["state"])


async def decide_all(alone: Alone, role: str, name: str) -> None:
    tasks = await alone.ask("GET", f"{TASKS}?status=open", role, name)
    for task in tasks.json()["items"]:
        said = {"decision": "confirm", "note": "", "evidence": "the register"}
        decision = f"{TASKS}/{task['task_id']}/decision"
        answer = await alone.ask("POST", decision, role, name, json=said)
        assert answer.status_code == 202, answer.text


def trusted(authority_pem: str, issued: CertificateIssued, name: str) -> list[x509.Certificate]:
    """Build the chain to the root as a TLS client does (RFC 5280 §6)."""
    root = x509.load_pem_x509_certificate(authority_pem.encode())
    leaf = x509.load_pem_x509_certificate(issued.certificate_pem.encode())
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store([root]))
        .time(utc_now())
        .build_server_verifier(x509.DNSName(name))
    )
    return verifier.verify(leaf, x509.load_pem_x509_certificates(issued.chain_pem.encode()))


async def test_application_is_verified_by_the_dns_and_by_officers_and_issued(ca: Ca) -> None:
    async with ca.run() as alone:
        await alone.hear(submitted("OV"))
        assert items(await pending(alone)) == [
            f"domain:{A}",
            f"domain:{B}",
            "organisation_identity",
            "callback",
        ]
        await publish(ca, alone, *NAMES)
        assert items(await pending(alone)) == ["organisation_identity", "callback"]
        await decide_all(alone, "officer", "olga")
        await alone.runner.settled()
        [issued] = await alone.said(CertificateIssued)
        validated = await alone.said(DomainValidated)
        confirmed = await alone.said(VettingItemConfirmed)

    assert [(one.name, one.authorization_domain) for one in validated] == [(A, A), (B, "b.example")]
    assert [one.item for one in confirmed] == ["organisation_identity", "callback"]
    assert issued.names == NAMES
    assert issued.not_after - issued.not_before < policy.at(utc_now().date()).longest_validity
    chain = trusted(ca.authority.root_pem, issued, "www.b.example")
    assert len(chain) == 3


async def test_certificate_says_where_its_ca_and_the_revoked_are_found(ca: Ca) -> None:
    async with ca.run() as alone:
        await alone.hear(submitted("DV", A))
        await publish(ca, alone, A)
        [issued] = await alone.said(CertificateIssued)

    leaf = x509.load_pem_x509_certificate(issued.certificate_pem.encode())
    access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert [(one.access_method, one.access_location.value) for one in access] == [
        (x509.AuthorityInformationAccessOID.CA_ISSUERS, f"{TRYING.pki_url}/issuing.cer")
    ]
    assert [one.full_name for one in points] == [
        [x509.UniformResourceIdentifier(f"{TRYING.pki_url}/issuing.crl")]
    ]


async def test_ev_is_reviewed_by_somebody_who_collected_none_of_it(ca: Ca) -> None:
    async with ca.run() as alone:
        await alone.hear(submitted("EV", A))
        await publish(ca, alone, A)
        await decide_all(alone, "officer", "olga")
        assert items(await pending(alone)) == ["final_review"]
        [task] = (await alone.ask("GET", f"{TASKS}?status=open", "reviewer")).json()["items"]
        path, body = f"{TASKS}/{task['task_id']}/decision", {"decision": "confirm"}
        for role, name, status in [
            ("officer", "olga", 403),
            ("applicant", "ann", 403),
            ("auditor", "aud", 403),
            ("reviewer", "olga", 409),
            ("reviewer", "rita", 202),
        ]:
            answer = await alone.ask("POST", path, role, name, json=body)
            assert answer.status_code == status, (role, name, answer.text)
        await alone.runner.settled()

        assert len(await alone.said(CertificateIssued)) == 1


async def test_auditor_of_an_account_sees_what_is_of_that_account_alone(ca: Ca) -> None:
    async with ca.run() as alone:
        await alone.hear(submitted("OV", A))

        seen = {
            account: len(
                (await alone.ask("GET", TASKS, "auditor", account=account)).json()["items"]
            )
            for account in (None, "acme", "rival")
        }

        parked = f"{PREFIX}/services/alone/parked"
        statuses = [
            (await alone.ask("GET", parked, "auditor", account=account)).status_code
            for account in (None, "acme")
        ]

    assert seen == {None: 2, "acme": 2, "rival": 0}
    assert statuses == [200, 403]  # what is parked may be about any account


async def test_value_that_has_expired_is_renewed_and_the_old_one_proves_nothing(ca: Ca) -> None:
    async with ca.run() as alone:
        await alone.hear(submitted("DV", A))
        [before] = (await pending(alone)).names
        assert before.challenge is not None
        ca.clock.move_to(before.challenge.expires_at)
        ca.publish(before.challenge)
        assert await look(alone, A) == "pending"

        [after] = (await pending(alone)).names
        assert after.challenge is not None
        assert after.challenge.record_value != before.challenge.record_value
        told = [one.last_error for one in await alone.said(DomainChecked)]
        assert told.count("the random value has expired; publish the new one") == 1
        assert await look(alone, A) == "pending"  # the old value is still there
        assert "has other values" in str((await alone.said(DomainChecked))[-1].last_error)
        assert await alone.said(CertificateIssued) == []

        ca.publish(after.challenge)
        assert await look(alone, A) == "valid"
        assert len(await alone.said(CertificateIssued)) == 1


async def test_who_asks_faster_than_the_dns_answers_is_answered_all_the_same(ca: Ca) -> None:
    async with ca.run() as alone:
        await alone.hear(submitted("DV", A))
        record = f"_certfold-challenge.{A}"
        ca.zone[record, "TXT"] = nameserver.SILENT
        before = await alone.said(DomainChecked)
        path = f"{PREFIX}/applications/{APPLICATION}/names/{A}/check"

        async with asyncio.timeout(PATIENCE_SECONDS):
            while (said := await alone.said(DomainChecked)) == before:
                await alone.ask("POST", path, "applicant", account="acme")

        assert said[-1].last_error == f"no name server has answered about {record} in time"


async def test_name_that_is_dropped_does_not_hold_up_the_others(ca: Ca) -> None:
    async with ca.run() as alone:
        await alone.hear(submitted("DV"))
        await publish(ca, alone, B)
        assert await alone.said(CertificateIssued) == []

        await alone.hear(make.DROP)

        assert [one.name for one in await alone.said(NameDropGranted)] == [A]
        [issued] = await alone.said(CertificateIssued)
        leaf = x509.load_pem_x509_certificate(issued.certificate_pem.encode())
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [B]


async def test_what_the_linter_forbids_is_signed_within_the_hour_once_it_is_mended(ca: Ca) -> None:
    async with ca.run(Practice(reserved_ok=())) as strict:
        await strict.hear(submitted("DV", A))
        await publish(ca, strict, A)
        said = await pending(strict)
        assert [(one.item, one.party) for one in said.waiting_on] == [("lint", "ca")]
        assert "internal_domain_name" in said.waiting_on[0].reason
        assert await strict.said(CertificateIssued) == []

    async with ca.run(TRYING) as mended:
        await mended.runner.settled()
        assert await mended.said(CertificateIssued) == []
        await travel(ca.clock, ca.clock() + timedelta(hours=1), mended.runner)
        await mended.runner.settled()

        [issued] = await mended.said(CertificateIssued)
        assert trusted(ca.authority.root_pem, issued, A)
        assert items(await pending(mended)) == ["lint"]


async def test_signer_that_fails_for_hours_signs_once_it_is_mended(ca: Ca) -> None:
    ca.clock.move_to(ca.clock() + timedelta(days=10))  # an intent is to be signed within the hour
    crippled = replace(ca, linter=Linter(0))  # no worker: whatever it is asked fails
    async with crippled.run() as alone:
        await alone.hear(submitted("DV", A))
        await publish(crippled, alone, A)
        await travel(ca.clock, ca.clock() + timedelta(hours=3), alone.runner)
        assert items(await pending(alone)) == ["issuance"]

    async with ca.run() as mended:
        await travel(ca.clock, ca.clock() + timedelta(minutes=5), mended.runner)
        await mended.runner.settled()

        [issued] = await mended.said(CertificateIssued)
        assert policy.may_sign(issued.not_before, ca.clock())


async def test_applicant_is_reminded_after_one_business_day_and_once(ca: Ca) -> None:
    async with ca.run() as alone:
        began = ca.clock()
        await alone.hear(submitted("OV", A))
        await publish(ca, alone, A)
        due = business_days.one_business_day_after(began)
        await travel(ca.clock, due - timedelta(minutes=1), alone.runner)
        assert not (await pending(alone)).overdue
        before = len(await alone.said(VerificationPending))

        await travel(ca.clock, due + timedelta(days=9), alone.runner)

        reminder = await pending(alone)
        assert reminder.overdue
        assert items(reminder) == ["organisation_identity", "callback"]
        assert len(await alone.said(VerificationPending)) == before + 1
