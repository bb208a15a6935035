"""What every decision about an application begins and ends with."""

from uuid import UUID

from services.ca_verification.domain.things import Application
from services.ca_verification.domain.waiting import pending, waiting_on
from shared.contracts.base import Event
from shared.decision import Decision, PersonNeededError
from shared.replacing import replace


class ApplicationUnknownError(PersonNeededError):
    """Something is said about an application that was never submitted."""


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
