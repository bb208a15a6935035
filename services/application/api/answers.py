"""What all answers of the application service have in common."""

from uuid import UUID

from services.application import store
from services.application.domain.things import Application, Certificate
from shared.api import Person
from shared.problems import not_found
from shared.service import Parts


async def find_application(parts: Parts, application_id: UUID, person: Person) -> Application:
    """Read an application that the person may see, or say that there is none."""
    async with parts.postgres.transaction() as tx:
        found = await store.find_application(tx, application_id)
    if found is None or not person.may_see(found.account_id):
        raise not_found("application", application_id)
    return found


async def find_certificate(parts: Parts, certificate_id: UUID, person: Person) -> Certificate:
    """Read a certificate that the person may see, or say that there is none."""
    async with parts.postgres.transaction() as tx:
        found = await store.find_certificate(tx, certificate_id)
    if found is None or not person.may_see(found.account_id):
        raise not_found("certificate", certificate_id)
    return found
