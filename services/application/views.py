"""How applications and certificates are shown over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, assert_never
from uuid import UUID

from pydantic import BaseModel

from services.application.domain.things import (
    Application,
    Certificate,
    Claimed,
    Failed,
    HostState,
    Issued,
    Refused,
    Requested,
    Submitted,
    Withdrawn,
)
from shared.contracts.application import (
    CertificateKind,
    Contact,
    KeyAlgorithm,
    Organisation,
    RevocationReason,
)
from shared.contracts.base import Objection
from shared.contracts.ca_verification import NameProgress, Waiting
from shared.contracts.inventory import InstanceStatus

ApplicationStatus = Literal[
    "requested",
    "refused",
    "submitted",
    "pending_validation",
    "under_review",
    "validation_failed",
    "issued",
    "withdrawn",
]


class ApplicationView(BaseModel):
    """An application, and precisely what it waits on."""

    application_id: UUID
    instance_id: UUID
    status: ApplicationStatus
    certificate_kind: CertificateKind
    names: Sequence[NameProgress]
    organisation: Organisation
    contact: Contact
    key_algorithm: KeyAlgorithm
    waiting_on: Sequence[Waiting]
    expected_by: datetime | None
    overdue: bool
    objections: Sequence[Objection]
    support_contact: str | None
    certificate_id: UUID | None


class CertificateView(BaseModel):
    """A certificate. Hex is lower case; the chain begins with the issuing CA, without the root."""

    certificate_id: UUID
    application_id: UUID
    instance_id: UUID
    serial_number: str
    names: Sequence[str]
    not_before: datetime
    not_after: datetime
    sha256_fingerprint: str
    status: Literal["issued", "expired", "revoked"]
    revocation_reason: RevocationReason | None
    revoked_at: datetime | None
    replaces_certificate_id: UUID | None
    certificate_pem: str
    chain_pem: str


class InstallationView(BaseModel):
    """What one name served when it was looked at; null before the first look."""

    name: str
    state: HostState | None
    sha256_fingerprint: str | None
    reason: str | None
    seen_at: datetime | None


class Installations(BaseModel):
    """Which names serve the certificate."""

    items: Sequence[InstallationView]


# How the inventory shows the instance once it knows of an end, and what we show then.
ENDS: dict[type, tuple[frozenset[InstanceStatus], ApplicationStatus]] = {
    Failed: (frozenset({"validation_failed"}), "validation_failed"),
    Issued: (frozenset({"issued", "about_to_expire", "expired", "revoked"}), "issued"),
    Withdrawn: (frozenset({"pending_application"}), "withdrawn"),
}


def show_application(application: Application) -> ApplicationView:
    """Show an application, never further than the inventory shows its instance."""
    stage, form = application.stage, application.form
    submitted = stage if isinstance(stage, Submitted) else None
    status = status_of(application)
    objections: Sequence[Objection] = ()
    if isinstance(stage, Refused) or (isinstance(stage, Failed) and status == "validation_failed"):
        objections = stage.objections
    unproven = [NameProgress(name=one, state="pending", challenge=None) for one in form.names]
    proven = [NameProgress(name=one, state="valid", challenge=None) for one in form.names]
    shown = proven if isinstance(stage, Issued) else unproven
    return ApplicationView(
        application_id=application.id,
        instance_id=application.instance_id,
        status=status,
        certificate_kind=form.kind,
        names=(submitted.names if submitted else ()) or shown,
        organisation=form.organisation,
        contact=form.contact,
        key_algorithm=form.key_algorithm,
        waiting_on=submitted.waiting_on if submitted else (),
        expected_by=submitted.expected_by if submitted else None,
        overdue=submitted.overdue if submitted else False,
        objections=objections,
        support_contact=stage.support_contact
        if isinstance(stage, Failed) and status == "validation_failed"
        else None,
        certificate_id=stage.certificate_id
        if isinstance(stage, Issued) and status == "issued"
        else None,
    )


def status_of(application: Application) -> ApplicationStatus:
    """Return the status to show: an end is shown once the inventory has followed."""
    instance = application.instance_status
    match application.stage:
        case Requested() | Claimed():
            return "requested"
        case Refused():
            return "refused"
        case Submitted(expected_by=None):
            return "submitted"
        case Submitted():
            return "under_review" if instance == "under_review" else "pending_validation"
        case Failed() | Issued() | Withdrawn() as end:
            shown = ENDS[type(end)]
            return shown[1] if instance in shown[0] else "under_review"
        case _:
            assert_never(application.stage)


def show_certificate(certificate: Certificate, now: datetime) -> CertificateView:
    """Show a certificate."""
    revocation = certificate.revocation
    return CertificateView(
        certificate_id=certificate.id,
        application_id=certificate.application_id,
        instance_id=certificate.instance_id,
        serial_number=certificate.serial_number,
        names=certificate.names,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        sha256_fingerprint=certificate.sha256_fingerprint,
        status=_status_of_certificate(certificate, now),
        revocation_reason=revocation.reason if revocation else None,
        revoked_at=revocation.revoked_at if revocation else None,
        replaces_certificate_id=certificate.replaces_certificate_id,
        certificate_pem=certificate.certificate_pem,
        chain_pem=certificate.chain_pem,
    )


def _status_of_certificate(
    certificate: Certificate, now: datetime
) -> Literal["issued", "expired", "revoked"]:
    if certificate.revocation:
        return "revoked"
    return "expired" if certificate.not_after < now else "issued"


def show_installations(certificate: Certificate) -> Installations:
    """Show who serves a certificate."""
    return Installations(
        items=[
            InstallationView(
                name=host.name,
                state=host.state,
                sha256_fingerprint=host.sha256_fingerprint,
                reason=host.reason,
                seen_at=host.seen_at,
            )
            for host in certificate.hosts
        ]
    )
