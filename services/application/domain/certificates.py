"""Certificates: kept for download, looked for on the hosts, revoked."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from services.application.domain.knowing import held, known
from services.application.domain.messages import (
    HostSeen,
    LookAtHost,
    LookAtHosts,
    RequestRevocation,
    look_id,
)
from services.application.domain.things import (
    Application,
    Certificate,
    Host,
    Issued,
    Revocation,
    Submitted,
)
from shared.contracts.application import CertificateInstalled, RevocationRequested
from shared.contracts.base import Objection
from shared.contracts.ca_verification import (
    CertificateIssued,
    CertificateRevoked,
    RevocationRefused,
)
from shared.decision import Decision, Moment
from shared.replacing import replace

FRESH = timedelta(seconds=2)  # nobody looks at a host again so soon
LOST = timedelta(minutes=10)  # a look that failed is taken up again sooner than that
LOOK_FIRST, LOOK_LONGEST = timedelta(minutes=1), timedelta(days=1)


def issue(application: Application | None, issued: CertificateIssued, moment: Moment) -> Decision:
    """Keep the certificate for download, and begin to look who serves it."""
    application = known(application, issued.application_id)
    if not isinstance(application.stage, Submitted):
        return Decision()
    certificate = Certificate(
        id=issued.certificate_id,
        hosts=tuple(Host(name) for name in issued.names),
        **_copied(issued),
    )
    ended = replace(application, stage=Issued(issued.certificate_id))
    looks = tuple(look(certificate, host, moment, LOOK_FIRST) for host in certificate.hosts)
    return Decision(changed=(ended, certificate), errands=looks)


def _copied(issued: CertificateIssued) -> dict[str, Any]:
    fields = (
        *("application_id", "account_id", "instance_id", "brand", "certificate_type", "names"),
        *("serial_number", "not_before", "not_after", "sha256_fingerprint", "certificate_pem"),
        *("chain_pem", "root_pem", "replaces_certificate_id"),
    )
    return {field: getattr(issued, field) for field in fields}


def look(certificate: Certificate, host: Host, moment: Moment, after: timedelta) -> LookAtHost:
    """Plan to look at one name."""
    return LookAtHost(
        certificate_id=certificate.id,
        name=host.name,
        sha256_fingerprint=certificate.sha256_fingerprint,
        due=moment.now + after,
    )


def look_now(certificate: Certificate | None, asked: LookAtHosts, moment: Moment) -> Decision:
    """Look at every name at once, but at none that was seen a moment ago, or is looked at now.

    A look that was asked for is never dropped for another one, or there would be no outcome
    while people ask faster than hosts answer.
    """
    certificate = held(certificate, asked.certificate_id)
    wanted = {one.name for one in certificate.hosts if _is_to_be_looked_at(one, moment)}
    if not wanted:
        return Decision()
    hosts = tuple(
        replace(one, asked_at=moment.now) if one.name in wanted else one
        for one in certificate.hosts
    )
    stale = [one for one in hosts if one.name in wanted]
    return Decision(
        changed=(replace(certificate, hosts=hosts),),
        errands=tuple(look(certificate, one, moment, timedelta()) for one in stale),
        closed=tuple(look_id(certificate.id, one.name) for one in stale),
    )


def _is_to_be_looked_at(host: Host, moment: Moment) -> bool:
    if host.asked_at and host.asked_at > moment.now - LOST:
        return False
    return host.seen_at is None or host.seen_at < moment.now - FRESH


def note_host(certificate: Certificate | None, seen: HostSeen, moment: Moment) -> Decision:
    """Note what a name serves, say so when it begins to serve ours, and look again later."""
    certificate = held(certificate, seen.certificate_id)
    host = next(one for one in certificate.hosts if one.name == seen.name)
    looked = replace(
        host,
        state=seen.state,
        sha256_fingerprint=seen.sha256_fingerprint,
        reason=seen.reason,
        seen_at=moment.now,
        looks=host.looks + 1 if seen.state == host.state else 0,
        asked_at=None,
    )
    after = replace(
        certificate, hosts=tuple(looked if one is host else one for one in certificate.hosts)
    )
    facts: tuple[CertificateInstalled, ...] = ()
    if seen.state == "serving" != host.state:
        facts = (
            CertificateInstalled(
                application_id=certificate.application_id,
                account_id=certificate.account_id,
                certificate_id=certificate.id,
                name=seen.name,
                seen_at=moment.now,
            ),
        )
    again = () if moment.now > certificate.not_after else (_look_later(after, looked, moment),)
    return Decision((after,), facts, again)


def _look_later(certificate: Certificate, host: Host, moment: Moment) -> LookAtHost:
    doubled: timedelta = LOOK_FIRST * 2 ** min(host.looks, 20)
    return look(certificate, host, moment, min(doubled, LOOK_LONGEST))


def ask_to_revoke(certificate: Certificate | None, asked: RequestRevocation, _: Moment) -> Decision:
    """Ask the CA to take the certificate back; what is known to be revoked it will refuse."""
    certificate = held(certificate, asked.certificate_id)
    found = tuple(_revocation_objections(certificate, asked))
    after = replace(certificate, revocation_objections=found)
    if any(one.code == "reason_reserved" for one in found):
        return Decision((after,))
    wish = RevocationRequested(
        application_id=certificate.application_id,
        account_id=certificate.account_id,
        certificate_id=certificate.id,
        reason=asked.reason,
        requested_by=asked.requested_by,
    )
    return Decision((after,), (wish,))


def _revocation_objections(
    certificate: Certificate, asked: RequestRevocation
) -> Iterator[Objection]:
    if revocation := certificate.revocation:
        message = f"it was revoked on {revocation.revoked_at:%Y-%m-%d %H:%M} UTC"
        yield Objection(code="already_revoked", subject=str(certificate.id), message=message)
    if asked.reason == "privilege_withdrawn" and not asked.by_ca:
        message = "that a privilege is withdrawn is for the CA to say (BR 7.2.2)"
        yield Objection(code="reason_reserved", subject="reason", message=message)


def note_revoked(
    certificate: Certificate | None, revoked: CertificateRevoked, _: Moment
) -> Decision:
    """Note that the certificate is not to be trusted any more."""
    certificate = held(certificate, revoked.certificate_id)
    if certificate.revocation is not None:
        return Decision()
    revocation = Revocation(revoked.reason, revoked.revoked_at)
    return Decision((replace(certificate, revocation=revocation),))


def note_not_revoked(
    certificate: Certificate | None, refused: RevocationRefused, _: Moment
) -> Decision:
    """Note why the certificate stays as it is."""
    certificate = held(certificate, refused.certificate_id)
    return Decision((replace(certificate, revocation_objections=refused.objections),))
