"""The application service on a real PostgreSQL: forms, keys, certificates, and who may do what."""

import asyncio
import io
import zipfile
from itertools import cycle
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import msgpack

from services.application.keys import make as make_key
from services.ca_verification.ca.lint import Linted, lint
from shared.api import PREFIX
from shared.contracts.application import (
    ApplicationRequested,
    ApplicationSubmitted,
    NameDropped,
    NameDropRequested,
    RevocationRequested,
)
from shared.contracts.base import Event, Names, Objection
from shared.contracts.ca_verification import (
    CertificateIssued,
    CertificateRevoked,
    NameDropGranted,
    NameDropRefused,
    NameProgress,
    RevocationRefused,
    VerificationPending,
)
from shared.contracts.inventory import (
    ClaimRefused,
    InstanceClaimed,
    InstanceStatus,
    InstanceStatusChanged,
)
from tests.application import make
from tests.ca_verification.alone import Alone, AnEvent
from tests.ca_verification.certificates import authority, plan

APPLICATIONS, CERTIFICATES = f"{PREFIX}/applications", f"{PREFIX}/certificates"
NAMES = ("acme.com", "*.acme.com", "mail.acme.com")
INSTANCE, CERTIFICATE = UUID(int=1), UUID(int=100)
WAIT = {"prefer": "wait=20"}
FORM = {
    "instance_id": str(INSTANCE),
    "names": NAMES,
    "organisation": make.ORGANISATION.model_dump(),
    "contact": make.CONTACT.model_dump(),
}


async def ask(
    alone: Alone, method: str, path: str, account: str = "acme", **how: Any
) -> httpx.Response:
    return await alone.ask(method, path, "applicant", account=account, **how)


async def apply(alone: Alone, **changes: Any) -> UUID:
    """Fill in the form; return the application's id once the CA has been asked."""
    answer = await ask(alone, "POST", APPLICATIONS, json=FORM | changes)
    assert answer.status_code == 202, answer.text
    application = UUID(answer.json()["application_id"])
    claimed = InstanceClaimed(
        **who(application),
        instance_id=INSTANCE,
        brand="digicert",
        certificate_type="OV",
        names=Names(single=2, wildcard=1),
    )
    await alone.hear(claimed)
    return application


def who(application: UUID) -> dict[str, Any]:
    return {"application_id": application, "account_id": "acme"}


def shown(application: UUID, status: InstanceStatus) -> InstanceStatusChanged:
    return InstanceStatusChanged(**who(application), instance_id=INSTANCE, status=status)


def pending(application: UUID) -> VerificationPending:
    names = tuple(NameProgress(name=one, state="pending", challenge=None) for one in NAMES)
    return VerificationPending(
        **who(application),
        instance_id=INSTANCE,
        waiting_on=make.WAITING,
        expected_by=make.VERIFYING.expected_by,
        names=names,
    )


async def issued(alone: Alone, application: UUID) -> CertificateIssued:
    """Have a certificate signed by a real CA over the request that it was sent."""
    submitted = (await alone.said(ApplicationSubmitted))[-1]
    wish = plan(*submitted.names, csr_pem=submitted.csr_pem)
    linted = lint(authority().prepare(wish))
    assert isinstance(linted, Linted), linted.findings
    signed = authority().sign(linted)
    fact = CertificateIssued(
        **who(application),
        certificate_id=CERTIFICATE,
        instance_id=INSTANCE,
        brand="digicert",
        certificate_type="OV",
        names=submitted.names,
        serial_number=wish.serial_number,
        not_before=wish.not_before,
        not_after=wish.not_after,
        sha256_fingerprint=signed.sha256_fingerprint,
        certificate_pem=signed.certificate_pem,
        chain_pem=signed.chain_pem,
        root_pem=authority().root_pem,
    )
    await alone.hear(fact, shown(application, "issued"))
    return fact


async def until_said(
    alone: Alone, kind: type[AnEvent], asking: asyncio.Task[httpx.Response], count: int = 1
) -> list[AnEvent]:
    """Wait until the CA has been asked, while the applicant waits for the answer."""
    while len(said := await alone.said(kind)) < count:
        assert not asking.done(), asking.result().text
        await asyncio.sleep(0.01)
    return said


async def actors(alone: Alone, kind: type[Event]) -> list[str]:
    """Say on whose behalf each fact of one kind was said."""
    async with alone.traffic.postgres.transaction() as tx:
        rows = await tx.fetch("SELECT headers FROM outbox ORDER BY id")
    headers = [dict(msgpack.decode(row["headers"])) for row in rows]
    return [one["ce_actor"].decode() for one in headers if one["ce_type"] == kind.type.encode()]


async def outbox(alone: Alone) -> bytes:
    async with alone.traffic.postgres.transaction() as tx:
        rows = await tx.fetch("SELECT value FROM outbox")
    return b"".join(row["value"] for row in rows)


async def test_one_key_serves_one_instance_though_two_ask_at_the_same_moment(
    service: Alone, rival: Alone
) -> None:
    csr = {"method": "pasted", "csr_pem": make_key("P-256", NAMES[:1]).csr_pem}
    many = [FORM | {"csr": csr, "instance_id": str(UUID(int=n))} for n in range(1, 9)]
    doors = cycle([service, rival])

    await asyncio.gather(*(ask(next(doors), "POST", APPLICATIONS, json=one) for one in many))

    asked = await service.said(ApplicationRequested)
    told = sorted([one.code for one in fact.objections] for fact in asked)
    assert told == [[], *[["csr_used"]] * 7]


async def test_key_of_a_refused_application_can_be_used_again(service: Alone) -> None:
    csr = {"method": "pasted", "csr_pem": make_key("P-256", NAMES[:1]).csr_pem}
    other = UUID(int=2)
    form = FORM | {"csr": csr, "instance_id": str(other)}
    first = (await ask(service, "POST", APPLICATIONS, json=form)).json()
    it = who(UUID(first["application_id"]))
    await service.hear(ClaimRefused(**it, instance_id=other, objections=make.FOUND))

    await apply(service, csr=csr)

    assert [one.objections for one in await service.said(ApplicationRequested)] == [(), ()]


async def test_form_becomes_an_application_whose_key_stays_here(service: Alone) -> None:
    application = await apply(service)

    [requested] = await service.said(ApplicationRequested)
    [submitted] = await service.said(ApplicationSubmitted)
    assert requested.names == Names(single=2, wildcard=1)
    request = x509.load_pem_x509_csr(submitted.csr_pem.encode())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert request.is_signature_valid
    assert tuple(names.get_values_for_type(x509.DNSName)) == NAMES == submitted.names
    assert b"PRIVATE KEY" not in await outbox(service)
    async with service.traffic.postgres.transaction() as tx:
        [key] = await tx.fetch("SELECT id, encrypted FROM keys")
    assert key["id"] == application
    assert b"PRIVATE KEY" not in key["encrypted"]


async def test_applicant_sees_what_it_waits_on_and_others_see_nothing(service: Alone) -> None:
    application = await apply(service)
    await service.hear(pending(application), shown(application, "pending_validation"))
    path = f"{APPLICATIONS}/{application}"

    mine = (await ask(service, "GET", path)).json()

    assert (mine["status"], mine["certificate_kind"]) == ("pending_validation", "hybrid")
    assert [one["item"] for one in mine["waiting_on"]] == ["callback"]
    assert [one["name"] for one in mine["names"]] == list(NAMES)
    assert (await ask(service, "GET", path, account="rival")).status_code == 404
    assert (await ask(service, "GET", APPLICATIONS, account="rival")).json()["items"] == []
    assert (await service.ask("GET", path, "officer")).json() == mine


async def test_certificate_is_downloaded_with_the_key_that_it_is_for(service: Alone) -> None:
    application = await apply(service)
    fact = await issued(service, application)
    seen = (await ask(service, "GET", f"{APPLICATIONS}/{application}")).json()
    assert (seen["status"], seen["certificate_id"]) == ("issued", str(CERTIFICATE))
    path = f"{CERTIFICATES}/{CERTIFICATE}/download?format=nginx"

    bundle = zipfile.ZipFile(io.BytesIO((await ask(service, "GET", path)).content))

    files = {name.partition(".com.")[2]: bundle.read(name) for name in bundle.namelist()}
    key = load_pem_private_key(files["key"], None)
    [leaf, issuing] = x509.load_pem_x509_certificates(files["fullchain.pem"])
    leaf.verify_directly_issued_by(issuing)
    assert leaf == x509.load_pem_x509_certificate(fact.certificate_pem.encode())
    assert leaf.public_key() == key.public_key()
    assert (await ask(service, "GET", path, account="rival")).status_code == 404
    for role in ("officer", "reviewer", "auditor", "operator"):
        assert (await service.ask("GET", path, role)).status_code == 403


async def test_officer_has_a_certificate_of_any_account_revoked(service: Alone) -> None:
    """BR 4.9.1.1 obliges the CA itself."""
    await issued(service, await apply(service))
    path, body = f"{CERTIFICATES}/{CERTIFICATE}/revocation", {"reason": "privilege_withdrawn"}
    mine = await ask(service, "POST", path, json=body)
    assert [one["code"] for one in mine.json()["objections"]] == ["reason_reserved"]
    unknown = f"{CERTIFICATES}/{uuid4()}/revocation"
    assert (await service.ask("POST", unknown, "officer", json=body)).status_code == 404

    answer = await service.ask("POST", path, "officer", "olga", json=body)

    assert answer.status_code == 202
    [asked] = await service.said(RevocationRequested)
    assert (asked.account_id, asked.requested_by) == ("acme", "olga")
    assert asked.reason == "privilege_withdrawn"
    assert await actors(service, RevocationRequested) == ["olga"]


async def test_only_its_applicant_has_a_certificate_revoked_and_once(service: Alone) -> None:
    fact = await issued(service, application := await apply(service))
    path, body = f"{CERTIFICATES}/{CERTIFICATE}/revocation", {"reason": "key_compromise"}
    assert (await ask(service, "POST", path, account="rival", json=body)).status_code == 404
    for role in ("reviewer", "auditor", "operator"):
        assert (await service.ask("POST", path, role, json=body)).status_code == 403
    assert (await ask(service, "POST", path, json={"reason": "ca_compromise"})).status_code == 422
    assert await service.said(RevocationRequested) == []

    asking = asyncio.create_task(ask(service, "POST", path, json=body, headers=WAIT))
    [asked] = await until_said(service, RevocationRequested, asking)
    assert (asked.certificate_id, asked.reason) == (CERTIFICATE, "key_compromise")
    revoked = CertificateRevoked(
        **who(application),
        certificate_id=CERTIFICATE,
        instance_id=INSTANCE,
        serial_number=fact.serial_number,
        reason="key_compromise",
        revoked_at=service.clock(),
    )
    await service.hear(revoked)
    unfollowed = (await ask(service, "GET", f"{CERTIFICATES}/{CERTIFICATE}")).json()
    assert unfollowed["status"] == "issued"  # what is shown never runs ahead of the inventory
    await service.hear(shown(application, "revoked"))

    answer = await asking
    assert (answer.status_code, answer.json()["status"]) == (200, "revoked")
    assert answer.json()["revocation_reason"] == "key_compromise"
    again = await ask(service, "POST", path, json=body, headers=WAIT)
    assert again.status_code == 409
    assert [one["code"] for one in again.json()["objections"]] == ["already_revoked"]


async def test_revocation_that_the_ca_refuses_is_told_with_its_reasons(service: Alone) -> None:
    await issued(service, application := await apply(service))
    path = f"{CERTIFICATES}/{CERTIFICATE}/revocation"
    asking = asyncio.create_task(ask(service, "POST", path, json={}, headers=WAIT))
    await until_said(service, RevocationRequested, asking)

    found = (Objection(code="unknown", subject=str(CERTIFICATE), message="no such certificate"),)
    await service.hear(
        RevocationRefused(**who(application), certificate_id=CERTIFICATE, objections=found)
    )

    answer = await asking
    assert (answer.status_code, answer.json()["objections"][0]["code"]) == (409, "unknown")


async def test_application_goes_on_without_a_name(service: Alone) -> None:
    application = await apply(service)
    await service.hear(pending(application))
    path, how = f"{APPLICATIONS}/{application}/names/{NAMES[0]}", WAIT | {"idempotency-key": "1"}
    stranger = f"{APPLICATIONS}/{application}/names/b.example"
    assert (await ask(service, "DELETE", stranger)).status_code == 404
    assert (await ask(service, "DELETE", path, account="rival")).status_code == 404
    assert (await service.ask("DELETE", path, "officer")).status_code == 403

    asking = asyncio.create_task(ask(service, "DELETE", path, headers=how))
    await until_said(service, NameDropRequested, asking)
    await service.hear(NameDropGranted(**who(application), name=NAMES[0]))

    answer = await asking
    assert answer.status_code == 200
    states = {one["name"]: one["state"] for one in answer.json()["names"]}
    assert states == dict(zip(NAMES, ["dropped", "pending", "pending"], strict=True))
    assert [one.name for one in await service.said(NameDropped)] == [NAMES[0]]
    for headers in (how, WAIT):
        again = await ask(service, "DELETE", path, headers=headers)
        assert (again.status_code, again.json()) == (200, answer.json())
    assert len(await service.said(NameDropRequested)) == 1


async def test_name_that_stays_is_told_with_the_reason_and_only_of_that_name(
    service: Alone,
) -> None:
    application = await apply(service)
    await service.hear(pending(application))
    first, second = (f"{APPLICATIONS}/{application}/names/{one}" for one in NAMES[:2])
    await ask(service, "DELETE", first)
    await service.hear(NameDropGranted(**who(application), name=NAMES[0]))
    asking = asyncio.create_task(ask(service, "DELETE", second, headers=WAIT))
    await until_said(service, NameDropRequested, asking, count=2)

    found = (Objection(code="last_name", subject=NAMES[1], message="it is the last"),)
    await service.hear(NameDropRefused(**who(application), name=NAMES[1], objections=found))

    answer = await asking
    assert (answer.status_code, answer.json()["objections"][0]["code"]) == (409, "last_name")
    assert (await ask(service, "DELETE", first, headers=WAIT)).status_code == 200


@pytest.mark.parametrize("what", ["applications", "certificates"])
async def test_what_is_not_there_is_not_found(service: Alone, what: str) -> None:
    answer = await ask(service, "GET", f"{PREFIX}/{what}/{uuid4()}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
