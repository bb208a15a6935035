"""What the application service decides. Pure: values in; facts, and errands to be done, out."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, assert_never
from uuid import UUID

from services.application.domain.messages import (
    HostSeen,
    KeyMade,
    LookAtHost,
    LookAtHosts,
    MakeKey,
    RequestApplication,
    RequestWithdrawal,
    look_id,
)
from services.application.domain.things import (
    Application,
    Certificate,
    Claimed,
    Failed,
    Host,
    Issued,
    Key,
    Refused,
    Requested,
    Submitted,
    Withdrawn,
)
from shared.contracts.application import (
    ApplicationRefused,
    ApplicationRequested,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    CertificateInstalled,
    WithdrawalRequested,
)
from shared.contracts.base import Objection
from shared.contracts.ca_verification import (
    ApplicationRejected,
    CertificateIssued,
    DomainChecked,
    VerificationPending,
    WithdrawalGranted,
    WithdrawalRefused,
)
from shared.contracts.inventory import ClaimRefused, InstanceClaimed, InstanceStatusChanged
from shared.decision import Decision, Moment, PersonNeededError

FRESH = timedelta(seconds=2)  # nobody looks at a host again so soon
LOOK_FIRST, LOOK_LONGEST = timedelta(minutes=1), timedelta(days=1)


class ApplicationUnknownError(PersonNeededError):
    """Somebody answers a question that was never asked."""


class CertificateUnknownError(PersonNeededError):
    """Something is said about a certificate that we never heard of."""


def request(application: Application | None, asked: RequestApplication, _: Moment) -> Decision:
    """Ask the inventory for the instance; what is wrong with the form goes with it.

    The inventory refuses then, with its own objections too, so that all are told at once.
    """
    if application is not None:
        return Decision()
    wish = Application(asked.application_id, asked.account_id, asked.instance_id, asked.form)
    requested = ApplicationRequested(
        application_id=wish.id,
        account_id=wish.account_id,
        instance_id=wish.instance_id,
        names=asked.counts,
        primary_domains=asked.primary_domains,
        objections=asked.objections,
    )
    return Decision(changed=(wish,), facts=(requested,))


def refuse(application: Application | None, refusal: ClaimRefused, _: Moment) -> Decision:
    """Pass all the objections on."""
    application = known(application, refusal.application_id)
    if not isinstance(application.stage, Requested):
        return Decision()
    refused = ApplicationRefused(
        application_id=application.id,
        account_id=application.account_id,
        instance_id=application.instance_id,
        objections=refusal.objections,
    )
    return Decision((replace(application, stage=Refused(refusal.objections)),), (refused,))


def begin(application: Application | None, claimed: InstanceClaimed, moment: Moment) -> Decision:
    """Send the application to the CA, or make a key for it first."""
    application = known(application, claimed.application_id)
    if not isinstance(application.stage, Requested):
        return Decision()
    stage = Claimed(claimed.brand, claimed.certificate_type)
    held = replace(application, stage=stage)
    if application.form.csr_pem is not None:
        return submit(held, stage, application.form.csr_pem, moment)
    form = application.form
    errand = MakeKey(
        application_id=application.id, key_algorithm=form.key_algorithm, names=form.names
    )
    return Decision(changed=(held,), errands=(errand,))


def take_key(application: Application | None, made: KeyMade, moment: Moment) -> Decision:
    """Keep the key, and send the application to the CA."""
    match application := known(application, made.application_id):
        case Application(stage=Claimed() as stage):
            decision = submit(application, stage, made.csr_pem, moment)
            key = Key(application.id, made.encrypted_key)
            return replace(decision, changed=(*decision.changed, key))
        case _:
            return Decision()


def submit(application: Application, stage: Claimed, csr_pem: str, moment: Moment) -> Decision:
    """Send the application to the CA."""
    form = application.form
    submitted = ApplicationSubmitted(
        application_id=application.id,
        account_id=application.account_id,
        instance_id=application.instance_id,
        brand=stage.brand,
        certificate_type=stage.certificate_type,
        certificate_kind=form.kind,
        names=form.names,
        organisation=form.organisation,
        contact=form.contact,
        csr_pem=csr_pem,
        key_algorithm=form.key_algorithm,
        validation_method=form.validation_method,
        submitted_at=moment.now,
    )
    return Decision((replace(application, stage=Submitted(moment.now)),), (submitted,))


def note_pending(
    application: Application | None, pending: VerificationPending, _: Moment
) -> Decision:
    """Note what the CA waits on."""
    match application := known(application, pending.application_id):
        case Application(stage=Submitted() as stage):
            noted = replace(
                stage,
                expected_by=pending.expected_by,
                overdue=pending.overdue,
                waiting_on=pending.waiting_on,
                names=pending.names or stage.names,
            )
            return Decision(changed=(replace(application, stage=noted),))
        case _:
            return Decision()


def note_check(application: Application | None, checked: DomainChecked, _: Moment) -> Decision:
    """Note what was found about one name."""
    match application := known(application, checked.application_id):
        case Application(stage=Submitted() as stage):
            seen = {
                "state": checked.state,
                "last_error": checked.last_error,
                "checked_at": checked.checked_at,
            }
            names = tuple(
                one.model_copy(update=seen) if one.name == checked.name else one
                for one in stage.names
            )
            return Decision((replace(application, stage=replace(stage, names=names)),))
        case _:
            return Decision()


def fail(application: Application | None, rejected: ApplicationRejected, _: Moment) -> Decision:
    """Note the CA's reasons."""
    application = known(application, rejected.application_id)
    if not isinstance(application.stage, Submitted):
        return Decision()
    stage = Failed(rejected.objections, rejected.support_contact)
    return Decision(changed=(replace(application, stage=stage),))


def ask_back(application: Application | None, asked: RequestWithdrawal, _: Moment) -> Decision:
    """Ask the CA to give the application back, or take it back before it gets there."""
    application = known(application, asked.application_id)
    match application.stage:
        case Submitted():
            wish = WithdrawalRequested(
                application_id=application.id,
                account_id=application.account_id,
                requested_by=asked.requested_by,
            )
            return Decision((replace(application, withdrawal_objections=()),), (wish,))
        case Claimed():
            return withdrawn(application)
        case Requested() | Refused() | Failed() | Issued():
            found = Objection(
                code="not_withdrawable",
                subject=str(application.id),
                message=f"the application is {type(application.stage).__name__.lower()}",
            )
            return Decision((replace(application, withdrawal_objections=(found,)),))
        case Withdrawn():
            return Decision()
        case _:
            assert_never(application.stage)


def take_back(application: Application | None, granted: WithdrawalGranted, _: Moment) -> Decision:
    """End the application, and let the inventory free its instance."""
    application = known(application, granted.application_id)
    if not isinstance(application.stage, Submitted):
        return Decision()
    return withdrawn(application)


def withdrawn(application: Application) -> Decision:
    """Say that the application is over."""
    fact = ApplicationWithdrawn(
        application_id=application.id,
        account_id=application.account_id,
        instance_id=application.instance_id,
    )
    ended = replace(application, stage=Withdrawn())
    return Decision((ended,), (fact,), closed=(application.id,))


def keep(application: Application | None, refused: WithdrawalRefused, _: Moment) -> Decision:
    """Note why the CA does not give the application back."""
    application = known(application, refused.application_id)
    return Decision((replace(application, withdrawal_objections=refused.objections),))


def follow(application: Application | None, changed: InstanceStatusChanged, _: Moment) -> Decision:
    """Note how the instance is shown: what we show never runs ahead of it."""
    if application is None:
        return Decision()
    return Decision((replace(application, instance_status=changed.status),))


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
    """Look at every name at once, but at none that was seen a moment ago."""
    certificate = held(certificate, asked.certificate_id)
    stale = [
        one for one in certificate.hosts if not one.seen_at or one.seen_at < moment.now - FRESH
    ]
    return Decision(
        errands=tuple(look(certificate, one, moment, timedelta()) for one in stale),
        closed=tuple(look_id(certificate.id, one.name) for one in stale),
    )


def note_host(certificate: Certificate | None, seen: HostSeen, moment: Moment) -> Decision:
    """Note what a name serves, say so when it is ours for the first time, and look again later."""
    certificate = held(certificate, seen.certificate_id)
    host = next(one for one in certificate.hosts if one.name == seen.name)
    looked = replace(
        host,
        state=seen.state,
        sha256_fingerprint=seen.sha256_fingerprint,
        reason=seen.reason,
        seen_at=moment.now,
        looks=host.looks + 1 if seen.state == host.state else 0,
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


def known(application: Application | None, application_id: UUID) -> Application:
    """Return the application that is spoken of."""
    if application is None:
        raise ApplicationUnknownError(f"nobody has applied as {application_id}")
    return application


def held(certificate: Certificate | None, certificate_id: UUID) -> Certificate:
    """Return the certificate that is spoken of."""
    if certificate is None:
        raise CertificateUnknownError(f"there is no certificate {certificate_id}")
    return certificate
