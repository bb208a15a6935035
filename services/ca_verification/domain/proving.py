"""What proves control of a name, and for how long what was found counts."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from services.ca_verification import dcv, policy
from services.ca_verification.domain.messages import CheckName
from services.ca_verification.domain.things import Application, Decided, NameCheck, Open
from shared.contracts.ca_verification import Challenge
from shared.decision import Moment
from shared.replacing import replace

TOKEN_BYTES = 20  # 160 bits; BR 1.6.1 asks for 112


def challenge(name: str, moment: Moment) -> Challenge:
    """Draw a random value for a name (BR 3.2.2.4.7)."""
    token = moment.unguessable(f"challenge {name}", TOKEN_BYTES).hex()
    record_name, record_type, record_value = dcv.dns_challenge(name, token)
    return Challenge(
        record_name=record_name,
        record_type=record_type,
        record_value=record_value,
        expires_at=moment.now + policy.at(moment.now.date()).random_value_life,
    )


def look(
    application: Application, check: NameCheck, due: datetime, *, on_request: bool = False
) -> CheckName:
    """Plan to look for the proof."""
    return CheckName(
        application_id=application.id,
        name=check.name,
        record_name=check.challenge.record_name,
        record_value=check.challenge.record_value,
        due=due,
        on_request=on_request,
    )


def renewed(check: NameCheck, moment: Moment, why: str) -> NameCheck:
    """Replace a random value that proves nothing any more."""
    return replace(
        check,
        valid=False,
        challenge=challenge(check.name, moment),
        last_error=f"{why}; publish the new one",
    )


def fresh(application: Application, moment: Moment) -> tuple[Application, tuple[CheckName, ...]]:
    """Forget what was found too long ago to be certified (BR 4.2.1, EVG 3.2.2.14.1)."""
    rules = policy.at(moment.now.date())
    why = f"the proof is older than {rules.domain_reuse.days} days"
    old = {one.name for one in application.names if _is_old(one, moment.now - rules.domain_reuse)}
    names = tuple(
        replace(renewed(one, moment, why), since=moment.now, attempts=0) if one.name in old else one
        for one in application.names
    )
    outdated = set(_outdated(application, moment.now - rules.organisation_reuse))
    tasks = tuple(
        replace(one, outcome=Open(moment.now), tried_by=()) if one.id in outdated else one
        for one in application.tasks
    )
    after = replace(application, names=names, tasks=tasks)
    return after, tuple(look(after, one, moment.now) for one in names if one.name in old)


def _is_old(check: NameCheck, since: datetime) -> bool:
    seen = check.checked_at
    return check.valid and not check.dropped and seen is not None and seen < since


def _outdated(application: Application, since: datetime) -> Iterator[UUID]:
    """Name the tasks that were decided before; what was found anew is reviewed anew."""
    old = [
        one.id
        for one in application.tasks
        if isinstance(one.outcome, Decided) and one.outcome.at < since
    ]
    yield from old
    yield from (one.id for one in application.tasks if old and one.item == "final_review")
