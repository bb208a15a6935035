"""What an applicant does with an application: takes it back, or goes on without a name."""

from typing import Annotated
from uuid import UUID

from fastapi import FastAPI
from fastapi.responses import Response

from services.application.api.answers import find_application
from services.application.domain.messages import RequestNameDrop, RequestWithdrawal
from services.application.views import ApplicationView, show_application
from shared.api import APPLICANT, PREFIX, PROBLEMS, AWish, Person, accepted, carry
from shared.problems import not_found, refused
from shared.service import Parts


def serve(app: FastAPI, parts: Parts) -> None:
    """Serve changes of applications."""
    _withdraw(app, parts)
    _drop_name(app, parts)


def _withdraw(app: FastAPI, parts: Parts) -> None:
    @app.post(
        f"{PREFIX}/applications/{{application_id}}/withdrawal",
        tags=["application"],
        status_code=202,
        response_model=ApplicationView,
        responses=PROBLEMS,
    )
    async def withdraw(
        application_id: UUID, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Take an application back, unless it is being signed at this moment."""
        await find_application(parts, application_id, person)
        await carry(
            parts,
            person.account,
            wish,
            lambda _: RequestWithdrawal(
                application_id=application_id,
                account_id=person.account,
                requested_by=person.name,
            ),
        )

        async def show() -> ApplicationView:
            found = await find_application(parts, application_id, person)
            if found.withdrawal_objections:
                raise refused(found.withdrawal_objections)
            return show_application(found)

        return await accepted(
            wish,
            f"{PREFIX}/applications/{application_id}",
            show,
            lambda one: one.status == "withdrawn",
        )


def _drop_name(app: FastAPI, parts: Parts) -> None:
    @app.delete(
        f"{PREFIX}/applications/{{application_id}}/names/{{name}}",
        tags=["application"],
        status_code=202,
        response_model=ApplicationView,
        responses=PROBLEMS,
    )
    async def drop_name(
        application_id: UUID, name: str, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Go on without one name, so that it does not block the others."""
        found = await find_application(parts, application_id, person)
        if name.lower() not in {*found.form.names, *found.dropped}:
            raise not_found("name", name)
        await carry(
            parts,
            person.account,
            wish,
            lambda _: RequestNameDrop(
                application_id=application_id,
                account_id=person.account,
                requested_by=person.name,
                name=name.lower(),
            ),
        )

        async def show() -> ApplicationView:
            now = await find_application(parts, application_id, person)
            against = [one for one in now.drop_objections if one.subject == name.lower()]
            if against:
                raise refused(against)
            return show_application(now)

        return await accepted(
            wish,
            f"{PREFIX}/applications/{application_id}",
            show,
            lambda one: all(it.name != name.lower() or it.state == "dropped" for it in one.names),
        )
