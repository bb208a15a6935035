"""What the CA's verification decides. Pure: values in; facts, and errands to be done, out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from services.ca_verification import business_days, dcv, policy
from services.ca_verification.domain.messages import (
    CertificateNotLinted,
    CertificateSigned,
    CheckName,
    CheckNameNow,
    DecideTask,
    NameChecked,
    RemindApplicant,
    SignCertificate,
)
from services.ca_verification.domain.things import (
    Application,
    Decided,
    Issued,
    Item,
    NameCheck,
    NotLinted,
    Open,
    Rejected,
    Role,
    Signing,
    Task,
    Verifying,
    Withdrawn,
    check_id,
)
from services.ca_verification.domain.waiting import checked, open_tasks, pending, waiting_on
from shared.contracts.application import ApplicationSubmitted, WithdrawalRequested
from shared.contracts.base import Event, Objection
from shared.contracts.ca_verification import (
    ApplicationRejected,
    CertificateIssued,
    Challenge,
    DecisionRefused,
    DomainValidated,
    VettingItemConfirmed,
    WithdrawalGranted,
    WithdrawalRefused,
)
from shared.decision import Decision, Moment, PersonNeededError
from shared.dnsnames import authorization_domain

TASKS: dict[str, tuple[tuple[Item, Role], ...]] = {
    "DV": (),
    "OV": (("organisation_identity", "officer"), ("callback", "officer")),
    "EV": (
        ("organisation_identity", "officer"),
        ("operational_existence", "officer"),
        ("callback", "officer"),
        ("final_review", "reviewer"),  # by somebody who collected none of it (EVG 3.2.2.13)
    ),
}
METHOD = "3.2.2.4.7"  # DNS change
TOKEN_BYTES = 20  # 160 bits; BR 1.6.1 asks for 112
SERIAL_BYTES = 20
SERIAL_BITS = 159  # positive, at most 20 octets (RFC 5280 §4.1.2.2)
AGAIN_FIRST, AGAIN_LONGEST = timedelta(seconds=5), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Practice:
    """How this CA works: whose business days count, and who helps applicants."""

    country: str = "CN"
    zone: str = "Asia/Shanghai"
    support_contact: str = "support@certfold.example"


class ApplicationUnknownError(PersonNeededError):
    """Something is said about an application that was never submitted."""


def begin(
    known: Application | None, submitted: ApplicationSubmitted, moment: Moment, practice: Practice
) -> Decision:
    """Check every name now, open the officers' tasks, remind the applicant in one business day."""
    if known is not None:
        return Decision()
    now, rules = moment.now, policy.at(moment.now.date())
    application = Application(
        id=submitted.application_id,
        submitted=submitted,
        names=tuple(
            NameCheck(name, _challenge(name, moment, now + rules.random_value_life), since=now)
            for name in submitted.names
        ),
        tasks=tuple(
            Task(moment.new_id(n), item, role, Open(now))
            for n, (item, role) in enumerate(TASKS[submitted.certificate_type])
        ),
        expected_by=business_days.expected_by(now, practice.country, practice.zone),
    )
    reminder = RemindApplicant(
        application_id=application.id,
        due=business_days.one_business_day_after(now, practice.country, practice.zone),
    )
    look = tuple(_look(application, check, now) for check in application.names)
    told = tell(application)
    return Decision(told.changed, told.facts, (*look, reminder))


def _challenge(name: str, moment: Moment, expires_at: datetime) -> Challenge:
    token = moment.unguessable(f"challenge {name}", TOKEN_BYTES).hex()
    record_name, record_type, record_value = dcv.dns_challenge(name, token)
    return Challenge(
        record_name=record_name,
        record_type=record_type,
        record_value=record_value,
        expires_at=expires_at,
    )


def _look(
    application: Application, check: NameCheck, due: datetime, *, on_request: bool = False
) -> CheckName:
    return CheckName(
        application_id=application.id,
        name=check.name,
        record_name=check.challenge.record_name,
        record_value=check.challenge.record_value,
        due=due,
        on_request=on_request,
    )


def note_check(application: Application | None, seen: NameChecked, moment: Moment) -> Decision:
    """Note what was found about one name; look again later where it was not the proof."""
    application = known(application, seen.application_id)
    check = next((one for one in application.names if one.name == seen.name), None)
    if check is None or check.valid or not isinstance(application.stage, Verifying):
        return Decision()
    looked = replace(
        check,
        valid=seen.reason is None,
        attempts=check.attempts + 1,
        last_error=seen.reason,
        checked_at=moment.now,
    )
    after = replace(
        application,
        names=tuple(looked if one is check else one for one in application.names),
    )
    facts: list[Event] = []
    if seen.on_request or seen.reason != check.last_error or looked.valid:
        facts.append(checked(after, looked))
    if looked.valid:
        return proceed(after, moment, (*facts, _validated(after, looked, moment)))
    again = _look(after, looked, moment.now + pause(looked.attempts))
    told = tell(after, tuple(facts))
    return Decision(told.changed, told.facts, (again,))


def _validated(application: Application, check: NameCheck, moment: Moment) -> DomainValidated:
    return DomainValidated(
        application_id=application.id,
        account_id=application.submitted.account_id,
        name=check.name,
        authorization_domain=authorization_domain(check.name),
        method=METHOD,
        validated_at=moment.now,
    )


def pause(attempts: int) -> timedelta:
    """Wait longer each time: 5 s, 5 s, 10 s, … an hour."""
    doubled: timedelta = AGAIN_FIRST * 2 ** min(max(attempts - 2, 0), 20)
    return min(doubled, AGAIN_LONGEST)


def check_now(application: Application | None, asked: CheckNameNow, moment: Moment) -> Decision:
    """Look at one name at once, instead of when it would be its turn."""
    application = known(application, asked.application_id)
    check = next((one for one in application.names if one.name == asked.name), None)
    if check is None or check.valid or not isinstance(application.stage, Verifying):
        return Decision()
    return Decision(
        errands=(_look(application, check, moment.now, on_request=True),),
        closed=(check_id(application.id, check.name),),
    )


def decide(
    application: Application | None, asked: DecideTask, moment: Moment, practice: Practice
) -> Decision:
    """Take an officer's word on one task, or tell every reason why not."""
    application = known(application, asked.application_id)
    task = next(one for one in application.tasks if one.id == asked.task_id)
    if found := tuple(decision_objections(application, task, asked)):
        refused = DecisionRefused(
            application_id=application.id,
            account_id=application.submitted.account_id,
            task_id=task.id,
            objections=found,
        )
        return Decision(facts=(refused,))
    if asked.decision == "postpone":
        return tell(_with(application, replace(task, outcome=Open(moment.now, asked.note))))
    outcome = Decided(
        asked.decision == "confirm", asked.decided_by, moment.now, asked.note, asked.evidence
    )
    after = _with(application, replace(task, outcome=outcome))
    if not outcome.confirmed:
        return reject(after, task.item, asked.note, practice)
    confirmed = VettingItemConfirmed(
        application_id=application.id,
        account_id=application.submitted.account_id,
        task_id=task.id,
        item=task.item,
        confirmed_by=asked.decided_by,
        confirmed_at=moment.now,
    )
    return proceed(after, moment, (confirmed,))


def _with(application: Application, task: Task) -> Application:
    tasks = tuple(task if one.id == task.id else one for one in application.tasks)
    return replace(application, tasks=tasks)


def decision_objections(
    application: Application, task: Task, asked: DecideTask
) -> Iterator[Objection]:
    """Yield every ground against deciding this task so, now, by this person."""
    subject = str(task.id)
    if not isinstance(application.stage, Verifying):
        yield Objection(
            code="not_verifying", subject=subject, message="the application is not being verified"
        )
    if isinstance(task.outcome, Decided):
        yield Objection(
            code="already_decided",
            subject=subject,
            message=f"{task.outcome.by} has decided it on {task.outcome.at:%Y-%m-%d %H:%M} UTC",
        )
    elif task not in tuple(open_tasks(application)):
        yield Objection(
            code="not_yet_open", subject=subject, message="other tasks have to be decided first"
        )
    if asked.decision != "confirm" and not asked.note.strip():
        yield Objection(
            code="note_missing", subject="note", message="tell the applicant the reason"
        )
    if task.item == "final_review" and asked.decided_by in collectors(application):
        yield Objection(
            code="reviewer_collected_evidence",
            subject=subject,
            message="the final review is for somebody who collected none of the evidence",
        )


def collectors(application: Application) -> set[str]:
    """Name those who have decided a task of the application."""
    return {one.outcome.by for one in application.tasks if isinstance(one.outcome, Decided)}


def reject(application: Application, item: Item, note: str, practice: Practice) -> Decision:
    """Say no, with all the reasons there are, and where to get help."""
    refused = Objection(code=f"{item}_refused", subject=item, message=note)
    unproven = (
        Objection(
            code="domain_not_validated",
            subject=one.name,
            message=one.last_error or "control of the name was not proven yet",
        )
        for one in application.names
        if not one.valid
    )
    rejected = ApplicationRejected(
        application_id=application.id,
        account_id=application.submitted.account_id,
        instance_id=application.submitted.instance_id,
        objections=(refused, *unproven),
        support_contact=practice.support_contact,
    )
    ended = replace(application, stage=Rejected(rejected.objections), told=())
    return Decision((ended,), (rejected,), closed=application.everything)


def proceed(application: Application, moment: Moment, facts: tuple[Event, ...]) -> Decision:
    """Intend to sign once nothing is missing any more; else say what still is."""
    if any(waiting_on(application)):
        return tell(application, facts)
    submitted = application.submitted
    not_before, not_after = policy.period(moment.now, moment.host)
    intent = Signing(moment.new_id(), serial_number(moment), not_before, not_after)
    told = tell(replace(application, stage=intent), facts)
    errand = SignCertificate(
        application_id=application.id,
        certificate_id=intent.certificate_id,
        certificate_type=submitted.certificate_type,
        names=submitted.names,
        organisation=submitted.organisation,
        csr_pem=submitted.csr_pem,
        key_algorithm=submitted.key_algorithm,
        serial_number=intent.serial_number,
        not_before=not_before,
        not_after=not_after,
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
                names=submitted.names,
                serial_number=serial_number,
                not_before=not_before,
                not_after=not_after,
                sha256_fingerprint=signed.sha256_fingerprint,
                certificate_pem=signed.certificate_pem,
                chain_pem=signed.chain_pem,
                root_pem=signed.root_pem,
            )
            stage = Issued(certificate_id, serial_number)
            ended = replace(application, stage=stage, told=())
            return Decision((ended,), (issued,), closed=application.everything)
        case _:
            return Decision()


def keep_back(
    application: Application | None, linted: CertificateNotLinted, moment: Moment
) -> Decision:
    """Sign nothing that the linter objects to: a person at the CA has to look."""
    application = known(application, linted.application_id)
    if not isinstance(application.stage, Signing):
        return Decision()
    return tell(replace(application, stage=NotLinted(linted.findings, moment.now)))


def remind(application: Application | None, reminder: RemindApplicant, _: Moment) -> Decision:
    """Say what an overdue application waits on."""
    application = known(application, reminder.application_id)
    if isinstance(application.stage, Issued | Rejected | Withdrawn):
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
        case Signing() | Issued() | Rejected():
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


def known(application: Application | None, application_id: UUID) -> Application:
    """Return the application that is spoken of."""
    if application is None:
        raise ApplicationUnknownError(f"nothing was submitted as {application_id}")
    return application


def tell(application: Application, facts: tuple[Event, ...] = ()) -> Decision:
    """Keep the application, and say what it waits on if that is something else than before."""
    told = tuple(waiting_on(application))
    if told == application.told:
        return Decision((application,), facts)
    after = replace(application, told=told)
    return Decision((after,), (*facts, pending(after)))
