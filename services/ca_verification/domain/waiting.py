"""What an application waits on: precisely what, on whom, since when, and what helps."""

from collections.abc import Iterator

from services.ca_verification.domain.things import (
    Application,
    Item,
    NameCheck,
    NotLinted,
    Open,
    Signing,
    Task,
    Verifying,
)
from shared.contracts.ca_verification import (
    DomainChecked,
    NameProgress,
    VerificationPending,
    Waiting,
)

REASONS: dict[Item, str] = {
    "organisation_identity": "the CA checks the organisation's legal name and address",
    "callback": "the CA calls the organisation to authenticate the request",
    "operational_existence": "the CA checks that the organisation operates where it says",
    "final_review": "somebody at the CA who collected no evidence reviews all of it",
}
NEXT_ACTIONS: dict[Item, str] = {
    "organisation_identity": "nothing to do; keep the registration documents at hand",
    "callback": "answer the organisation's telephone",
    "operational_existence": "nothing to do",
    "final_review": "nothing to do",
}
HELP: dict[Item, str] = {"callback": NEXT_ACTIONS["callback"]}


def waiting_on(application: Application) -> Iterator[Waiting]:
    """Yield all that is missing; nothing once there is nothing to wait for any more."""
    match application.stage:
        case Verifying():
            yield from (_for_name(one) for one in _missing(application))
            for task in open_tasks(application):
                yield _for_task(task)
        case NotLinted(findings, since) | Signing(held_back=NotLinted(findings, since)):
            yield Waiting(
                item="lint",
                party="ca",
                reason=f"the certificate may not be signed as it is: {'; '.join(findings)}",
                since=since,
                next_action="nothing to do; the CA has to mend it",
            )
        case Signing(not_before=since):
            yield Waiting(
                item="issuance",
                party="ca",
                reason="the certificate is being signed",
                since=since,
                next_action="nothing to do",
            )
        case _:
            return


def _missing(application: Application) -> Iterator[NameCheck]:
    return (one for one in application.names if not one.valid and not one.dropped)


def open_tasks(application: Application) -> Iterator[Task]:
    """Yield what an officer can decide now; the final review comes when all else is decided."""
    undecided = [one for one in application.tasks if isinstance(one.outcome, Open)]
    first = [one for one in undecided if one.item != "final_review"]
    yield from first or undecided


def _for_name(check: NameCheck) -> Waiting:
    challenge = check.challenge
    return Waiting(
        item=f"domain:{check.name}",
        party="dns",
        reason=check.last_error or "not looked at yet",
        since=check.since,
        next_action=f"publish {challenge.record_type} {challenge.record_name} "
        f'with the value "{challenge.record_value}"',
    )


def _for_task(task: Task) -> Waiting:
    assert isinstance(task.outcome, Open)  # noqa: S101 - for mypy; only open ones come here
    asked = task.outcome.reason
    return Waiting(
        item=task.item,
        party="applicant" if asked else "ca",
        reason=asked or REASONS[task.item],
        since=task.outcome.since,
        next_action=HELP.get(task.item, "help the CA with it")
        if asked
        else NEXT_ACTIONS[task.item],
    )


def pending(application: Application) -> VerificationPending:
    """Say what the application waits on."""
    return VerificationPending(
        application_id=application.id,
        account_id=application.submitted.account_id,
        instance_id=application.submitted.instance_id,
        waiting_on=application.told,
        expected_by=application.expected_by,
        overdue=application.overdue,
        names=tuple(map(progress, application.names)),
    )


def progress(check: NameCheck) -> NameProgress:
    """Show how far one name has come."""
    return NameProgress(
        name=check.name,
        state="dropped" if check.dropped else "valid" if check.valid else "pending",
        challenge=check.challenge,
        last_error=check.last_error,
        checked_at=check.checked_at,
    )


def checked(application: Application, check: NameCheck) -> DomainChecked:
    """Say what was found when the name was looked at."""
    shown = progress(check)
    return DomainChecked(
        application_id=application.id,
        account_id=application.submitted.account_id,
        name=check.name,
        state=shown.state,
        last_error=shown.last_error,
        checked_at=check.checked_at or check.since,
    )
