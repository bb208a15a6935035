"""From nothing missing to a certificate, and to its end: intent, lint, signature, revocation."""

from collections.abc import Iterator
from datetime import timedelta
from typing import assert_never

from services.ca_verification import policy
from services.ca_verification.ca.plan import SERIAL_BITS
from services.ca_verification.domain.messages import (
    CertificateNotLinted,
    CertificateSigned,
    IntentOutdated,
    RemindApplicant,
    SignCertificate,
    TryAgain,
)
from services.ca_verification.domain.practice import PRACTICE, Practice
from services.ca_verification.domain.proving import fresh
from services.ca_verification.domain.telling import known, tell
from services.ca_verification.domain.things import (
    Application,
    Issued,
    NotLinted,
    Rejected,
    Revoked,
    Signing,
    Verifying,
    Withdrawn,
)
from services.ca_verification.domain.waiting import pending, waiting_on
from shared.contracts.application import RevocationRequested, WithdrawalRequested
from shared.contracts.base import Event, Objection
from shared.contracts.ca_verification import (
    CertificateIssued,
    CertificateRevoked,
    RevocationRefused,
    WithdrawalGranted,
    WithdrawalRefused,
)
from shared.decision import Decision, Moment
from shared.replacing import replace

SERIAL_BYTES = 20
LINT_AGAIN = timedelta(hours=1)


def proceed(
    application: Application, moment: Moment, practice: Practice, facts: tuple[Event, ...] = ()
) -> Decision:
    """Intend to sign once nothing is missing or too old any more; else say what still is."""
    application, looks = fresh(application, moment)
    if any(waiting_on(application)):
        return replace(tell(application, facts), errands=looks)
    submitted = application.submitted
    not_before, not_after = policy.period(moment.now, moment.host)
    before = application.stage
    held_back = before.held_back if isinstance(before, Verifying) else None
    intent = Signing(moment.new_id(), serial_number(moment), not_before, not_after, held_back)
    told = tell(replace(application, stage=intent), facts)
    errand = SignCertificate(
        application_id=application.id,
        certificate_id=intent.certificate_id,
        certificate_type=submitted.certificate_type,
        names=application.certified,
        organisation=submitted.organisation,
        csr_pem=submitted.csr_pem,
        key_algorithm=submitted.key_algorithm,
        serial_number=intent.serial_number,
        not_before=not_before,
        not_after=not_after,
        pki_url=practice.pki_url,
        reserved_ok=practice.reserved_ok,
    )
    return Decision(told.changed, told.facts, (errand,))


def serial_number(moment: Moment) -> str:
    """Make a serial number of 158 bits that nobody can guess (BR 7.1.2.7), in hex."""
    top = 1 << (SERIAL_BITS - 1)
    chance = int.from_bytes(moment.unguessable("serial number", SERIAL_BYTES))
    return f"{top | chance % top:x}"


def issue(application: Application | None, signed: CertificateSigned, _: Moment) -> Decision:
    """Hand the certificate out; nobody needs to be reminded any more."""
    match application := known(application, signed.application_id):
        case Application(stage=Signing(certificate_id, serial_number, not_before, not_after)):
            submitted = application.submitted
            issued = CertificateIssued(
                application_id=application.id,
                account_id=submitted.account_id,
                certificate_id=certificate_id,
                instance_id=submitted.instance_id,
                brand=submitted.brand,
                certificate_type=submitted.certificate_type,
                names=application.certified,
                serial_number=serial_number,
                not_before=not_before,
                not_after=not_after,
                sha256_fingerprint=signed.sha256_fingerprint,
                certificate_pem=signed.certificate_pem,
                chain_pem=signed.chain_pem,
                root_pem=signed.root_pem,
            )
            stage = Issued(certificate_id, serial_number, not_after)
            ended = replace(application, stage=stage, told=())
            return Decision((ended,), (issued,), closed=application.everything)
        case _:
            return Decision()


def keep_back(
    application: Application | None, linted: CertificateNotLinted, moment: Moment
) -> Decision:
    """Sign nothing that the linter objects to: a person at the CA has to look; try again later."""
    application = known(application, linted.application_id)
    if not isinstance(application.stage, Signing):
        return Decision()
    before = application.stage.held_back
    since = before.since if before else moment.now
    told = tell(replace(application, stage=NotLinted(linted.findings, since)))
    again = TryAgain(application_id=application.id, due=moment.now + LINT_AGAIN)
    return Decision(told.changed, told.facts, (again,))


def intend_again(
    application: Application | None,
    outdated: IntentOutdated,
    moment: Moment,
    practice: Practice = PRACTICE,
) -> Decision:
    """Replace an intent that was not signed in its time, if all that was found still counts."""
    application = known(application, outdated.application_id)
    if not isinstance(application.stage, Signing):
        return Decision()
    stage = Verifying(held_back=application.stage.held_back)
    return proceed(replace(application, stage=stage), moment, practice)


def try_again(
    application: Application | None,
    again: TryAgain,
    moment: Moment,
    practice: Practice = PRACTICE,
) -> Decision:
    """See whether what the linter objected to was mended; until it is, nothing new is to say."""
    application = known(application, again.application_id)
    if not isinstance(application.stage, NotLinted):
        return Decision()
    stage = Verifying(held_back=application.stage)
    return proceed(replace(application, stage=stage), moment, practice)


def remind(application: Application | None, reminder: RemindApplicant, _: Moment) -> Decision:
    """Say what an overdue application waits on."""
    application = known(application, reminder.application_id)
    if isinstance(application.stage, Issued | Rejected | Withdrawn | Revoked):
        return Decision()
    overdue = replace(application, overdue=True)
    return Decision(changed=(overdue,), facts=(pending(overdue),))


def withdraw(application: Application | None, asked: WithdrawalRequested, _: Moment) -> Decision:
    """Give the application back, unless it may be signed at this moment."""
    application = known(application, asked.application_id)
    account_id = application.submitted.account_id
    match application.stage:
        case Verifying() | NotLinted():
            granted = WithdrawalGranted(application_id=application.id, account_id=account_id)
            ended = replace(application, stage=Withdrawn(), told=())
            return Decision((ended,), (granted,), closed=application.everything)
        case Signing() | Issued() | Rejected() | Revoked():
            status = type(application.stage).__name__.lower()
            found = Objection(
                code="not_withdrawable",
                subject=str(application.id),
                message=f"it is too late: the application is {status}",
            )
            refused = WithdrawalRefused(
                application_id=application.id, account_id=account_id, objections=(found,)
            )
            return Decision(facts=(refused,))
        case Withdrawn():
            return Decision()
        case _:
            assert_never(application.stage)


def revoke(application: Application | None, asked: RevocationRequested, moment: Moment) -> Decision:
    """Take a certificate back as its subscriber or an officer asks (BR 4.9.1.1), at once."""
    application = known(application, asked.application_id)
    if found := tuple(revocation_objections(application, asked)):
        refused = RevocationRefused(
            application_id=application.id,
            account_id=application.submitted.account_id,
            certificate_id=asked.certificate_id,
            objections=found,
        )
        return Decision(facts=(refused,))
    issued = application.stage
    assert isinstance(issued, Issued)  # noqa: S101 - for mypy; no objection means that
    stage = Revoked(
        issued.certificate_id, issued.serial_number, issued.not_after, asked.reason, moment.now
    )
    revoked = CertificateRevoked(
        application_id=application.id,
        account_id=application.submitted.account_id,
        certificate_id=issued.certificate_id,
        instance_id=application.submitted.instance_id,
        serial_number=issued.serial_number,
        reason=asked.reason,
        revoked_at=moment.now,
    )
    return Decision((replace(application, stage=stage),), (revoked,))


def revocation_objections(
    application: Application, asked: RevocationRequested
) -> Iterator[Objection]:
    """Yield why there is nothing to revoke."""
    match application.stage:
        case Issued(certificate_id) if certificate_id == asked.certificate_id:
            return
        case Revoked(revoked_at=at):
            said = f"it was revoked on {at:%Y-%m-%d %H:%M} UTC"
            code = "already_revoked"
        case _:
            said, code = "there is no such certificate", "unknown"
    yield Objection(code=code, subject=str(asked.certificate_id), message=said)
