"""What people at the CA decide."""

from collections.abc import Iterator

from services.ca_verification.domain.issuing import proceed
from services.ca_verification.domain.messages import DecideTask
from services.ca_verification.domain.practice import PRACTICE, Practice
from services.ca_verification.domain.telling import known, tell
from services.ca_verification.domain.things import (
    Application,
    Decided,
    Item,
    Open,
    Rejected,
    Task,
    Verifying,
)
from services.ca_verification.domain.waiting import open_tasks
from shared.contracts.base import Objection
from shared.contracts.ca_verification import (
    ApplicationRejected,
    DecisionRefused,
    VettingItemConfirmed,
)
from shared.decision import Decision, Moment
from shared.replacing import replace


def decide(
    application: Application | None,
    asked: DecideTask,
    moment: Moment,
    practice: Practice = PRACTICE,
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
        tried_by = (*task.tried_by, asked.decided_by)
        outcome = Open(moment.now, asked.note)
        return tell(_with(application, replace(task, outcome=outcome, tried_by=tried_by)))
    decided = Decided(
        asked.decision == "confirm", asked.decided_by, moment.now, asked.note, asked.evidence
    )
    after = _with(application, replace(task, outcome=decided))
    if not decided.confirmed:
        return reject(after, task.item, asked.note, practice)
    confirmed = VettingItemConfirmed(
        application_id=application.id,
        account_id=application.submitted.account_id,
        task_id=task.id,
        item=task.item,
        confirmed_by=asked.decided_by,
        confirmed_at=moment.now,
    )
    return proceed(after, moment, practice, (confirmed,))


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
    is_review = task.item == "final_review"
    if asked.decision == "confirm" and not is_review and not (asked.note + asked.evidence).strip():
        yield Objection(
            code="evidence_missing",
            subject="evidence",
            message="tell what confirms it, or who said so",
        )
    if is_review and asked.decided_by in collectors(application):
        yield Objection(
            code="reviewer_collected_evidence",
            subject=subject,
            message="the final review is for somebody who collected none of the evidence",
        )


def collectors(application: Application) -> set[str]:
    """Name those who had a part in what is reviewed, be it in vain (EVG 3.2.2.13)."""
    collected = [one for one in application.tasks if one.item != "final_review"]
    tried = {who for one in collected for who in one.tried_by}
    return tried | {one.outcome.by for one in collected if isinstance(one.outcome, Decided)}


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
        if not one.valid and not one.dropped
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
