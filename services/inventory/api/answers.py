"""What all answers of the inventory have in common."""

from uuid import UUID

from fastapi.responses import Response
from pydantic import BaseModel

from services.inventory import store
from services.inventory.domain.things import Instance
from shared.api import Person, Wish, accepted
from shared.problems import not_found
from shared.service import Parts


async def find(parts: Parts, instance_id: UUID, person: Person) -> tuple[Instance, str]:
    """Read an instance that the person may see, or say that there is none."""
    async with parts.postgres.transaction() as tx:
        found = await store.list_instances(
            tx, parts.clock(), person.account_id, instance_id=instance_id
        )
    if not found:
        raise not_found("instance", instance_id)
    return found[0]


async def done(wish: Wish, shown: BaseModel, location: str) -> Response:
    """Answer a command that was decided at once: it need not be waited for, but may be."""

    async def show() -> BaseModel:
        return shown

    return await accepted(wish, location, show, lambda _: True)
