"""What an account does with its instances: gives them back, has them renewed, writes on them."""

from typing import Annotated
from uuid import UUID

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, Field

from services.inventory.api.answers import done, find
from services.inventory.domain.messages import AnnotateInstance, RefundInstance, SetHosting, Tag
from services.inventory.views import InstanceView, view
from shared.api import APPLICANT, PREFIX, PROBLEMS, AWish, Person, Wish, carry
from shared.contracts.base import Command, Text
from shared.service import Parts


class HostingBody(BaseModel):
    """Whether to renew automatically."""

    hosted: bool


class AnnotationBody(BaseModel):
    """What to write on the instance; what is left out stays as it is."""

    remark: Annotated[Text, Field(max_length=500)] | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = None


def serve(app: FastAPI, parts: Parts) -> None:
    """Serve changes of instances."""

    async def change(instance_id: UUID, wish: Wish, person: Person, command: Command) -> Response:
        """Carry a command about an instance that the person owns; show how it is then."""
        await find(parts, instance_id, person)
        await carry(parts, person.account, wish, lambda _: command)
        shown = view(*await find(parts, instance_id, person), parts.settings.rulebook)
        return await done(wish, shown, f"{PREFIX}/instances/{instance_id}")

    @app.post(
        f"{PREFIX}/instances/{{instance_id}}/refund",
        tags=["inventory"],
        status_code=202,
        response_model=InstanceView,
        responses=PROBLEMS,
    )
    async def refund(
        instance_id: UUID, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Give an instance back, within the time for refunds; never once combined."""
        command = RefundInstance(instance_id=instance_id, account_id=person.account)
        return await change(instance_id, wish, person, command)

    @app.put(
        f"{PREFIX}/instances/{{instance_id}}/hosting",
        tags=["inventory"],
        status_code=202,
        response_model=InstanceView,
        responses=PROBLEMS,
    )
    async def set_hosting(
        instance_id: UUID, body: HostingBody, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Have an instance renewed automatically, or no longer; hosted ones are not combined."""
        command = SetHosting(instance_id=instance_id, account_id=person.account, hosted=body.hosted)
        return await change(instance_id, wish, person, command)

    @app.patch(
        f"{PREFIX}/instances/{{instance_id}}",
        tags=["inventory"],
        status_code=202,
        response_model=InstanceView,
        responses=PROBLEMS,
    )
    async def annotate(
        instance_id: UUID, body: AnnotationBody, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Write a remark or tags on an instance."""
        command = AnnotateInstance(
            instance_id=instance_id,
            account_id=person.account,
            remark=body.remark,
            tags=None if body.tags is None else tuple(body.tags),
        )
        return await change(instance_id, wish, person, command)
