"""How control of names is proven: challenges, looks, and names that are given up."""

from collections.abc import Iterator
from datetime import timedelta

from services.ca_verification import business_days
from services.ca_verification.domain.issuing import proceed
from services.ca_verification.domain.messages import (
    CheckNameNow,
    NameChecked,
    RemindApplicant,
)
from services.ca_verification.domain.practice import PRACTICE, Practice
from services.ca_verification.domain.proving import challenge, look, renewed
from services.ca_verification.domain.telling import known, tell
from services.ca_verification.domain.things import (
    Application,
    Item,
    NameCheck,
    NotLinted,
    Open,
    Role,
    Task,
    Verifying,
    again_id,
    check_id,
)
from services.ca_verification.domain.waiting import checked
from shared.contracts.application import ApplicationSubmitted, NameDropRequested
from shared.contracts.base import Event, Objection
from shared.contracts.ca_verification import (
    DomainValidated,
    NameDropGranted,
    NameDropRefused,
)
from shared.decision import Decision, Moment
from shared.dnsnames import authorization_domain
from shared.replacing import replace

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
LOST = timedelta(minutes=10)  # a look that failed is taken up again sooner than that
AGAIN_FIRST, AGAIN_LONGEST = timedelta(seconds=5), timedelta(hours=1)


def begin(
    known: Application | None,
    submitted: ApplicationSubmitted,
    moment: Moment,
    practice: Practice = PRACTICE,
) -> Decision:
    """Check every name now, open the officers' tasks, remind the applicant in one business day."""
    if known is not None:
        return Decision()
    now = moment.now
    application = Application(
        id=submitted.application_id,
        submitted=submitted,
        names=tuple(
            NameCheck(name, challenge(name, moment), since=now) for name in submitted.names
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
    looks = tuple(look(application, check, now) for check in application.names)
    told = tell(application)
    return Decision(told.changed, told.facts, (*looks, reminder))


def unproven(application: Application, name: str) -> NameCheck | None:
    """Find a name that is still to be proven."""
    if not isinstance(application.stage, Verifying):
        return None
    names = (one for one in application.names if one.name == name)
    return next((one for one in names if not one.valid and not one.dropped), None)


def note_check(
    application: Application | None,
    seen: NameChecked,
    moment: Moment,
    practice: Practice = PRACTICE,
) -> Decision:
    """Note what was found about one name; look again later where it was not the proof."""
    application = known(application, seen.application_id)
    check = unproven(application, seen.name)
    if check is None:
        return Decision()
    looked = replace(
        check,
        valid=seen.reason is None,
        attempts=check.attempts + 1,
        last_error=seen.reason,
        checked_at=moment.now,
        asked_at=None,
        asked_again=False,
    )
    if moment.now >= check.challenge.expires_at:
        looked = renewed(looked, moment, "the random value has expired")
    if at_once := check.asked_again and not looked.valid:
        looked = replace(looked, asked_at=moment.now)
    after = _with(application, check, looked)
    facts: list[Event] = []
    if seen.on_request or looked.last_error != check.last_error or looked.valid:
        facts.append(checked(after, looked))
    if looked.valid:
        return proceed(after, moment, practice, (*facts, _validated(after, looked, moment)))
    wait = timedelta() if at_once else pause(looked.attempts)
    again = look(after, looked, moment.now + wait, on_request=at_once)
    told = tell(after, tuple(facts))
    return Decision(told.changed, told.facts, (again,))


def _with(application: Application, old: NameCheck, new: NameCheck) -> Application:
    names = tuple(new if one is old else one for one in application.names)
    return replace(application, names=names)


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
    """Look at one name at once, instead of when it would be its turn.

    What was seen before is forgotten: who waits for the answer is to have that of this look. It
    is never dropped for another one, or there would be no outcome while people ask faster than
    the DNS answers; what it came too early for, one more look right after it will see.
    """
    application = known(application, asked.application_id)
    check = unproven(application, asked.name)
    if check is None:
        return Decision()
    if check.asked_at and check.asked_at > moment.now - LOST:
        return Decision((_with(application, check, replace(check, asked_again=True)),))
    unseen = replace(check, checked_at=None, asked_at=moment.now)
    return Decision(
        changed=(_with(application, check, unseen),),
        errands=(look(application, check, moment.now, on_request=True),),
        closed=(check_id(application.id, check.name),),
    )


def drop(
    application: Application | None,
    asked: NameDropRequested,
    moment: Moment,
    practice: Practice = PRACTICE,
) -> Decision:
    """Go on without one name, if others are left and nothing was signed.

    What the linter objects to may be that name: it is asked again at once.
    """
    application = known(application, asked.application_id)
    if found := tuple(drop_objections(application, asked.name)):
        refused = NameDropRefused(
            application_id=application.id,
            account_id=application.submitted.account_id,
            name=asked.name,
            objections=found,
        )
        return Decision(facts=(refused,))
    granted = NameDropGranted(
        application_id=application.id,
        account_id=application.submitted.account_id,
        name=asked.name,
    )
    names = tuple(
        replace(one, dropped=True) if one.name == asked.name else one for one in application.names
    )
    left = replace(application, names=names, stage=Verifying())
    gone = check_id(application.id, asked.name), again_id(application.id)
    return replace(proceed(left, moment, practice, (granted,)), closed=gone)


def drop_objections(application: Application, name: str) -> Iterator[Objection]:
    """Yield every ground against going on without that name."""
    left = {one.name for one in application.names if not one.dropped}
    if not isinstance(application.stage, Verifying | NotLinted):
        yield Objection(
            code="not_verifying", subject=name, message="the application is not being verified"
        )
    if name not in left:
        yield Objection(code="unknown", subject=name, message="there is no such name (any more)")
    elif len(left) == 1:
        yield Objection(
            code="last_name", subject=name, message="it is the last name; withdraw instead"
        )
