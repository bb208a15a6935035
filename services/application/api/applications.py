"""Applying for a certificate, and how applications are shown."""

from typing import Annotated
from uuid import UUID

from fastapi import FastAPI
from fastapi.responses import Response

from services.application import form, store
from services.application.api.answers import find_application
from services.application.domain.messages import RequestApplication
from services.application.views import ApplicationView, show_application
from shared.api import (
    ANYONE,
    APPLICANT,
    PREFIX,
    PROBLEMS,
    ASlice,
    AWish,
    Page,
    Person,
    accepted,
    carry,
)
from shared.dnsnames import SANDBOX
from shared.service import Parts
from shared.tables import WantsCsv, listed

NOT_YET = frozenset({"requested", "submitted"})


def serve(app: FastAPI, parts: Parts) -> None:
    """Serve applications."""
    _apply(app, parts)
    _show(app, parts)


def _apply(app: FastAPI, parts: Parts) -> None:
    reserved_ok = SANDBOX if parts.settings.sandbox else frozenset()

    @app.post(
        f"{PREFIX}/applications",
        tags=["application"],
        status_code=202,
        response_model=ApplicationView,
        responses=PROBLEMS,
    )
    async def apply(
        body: form.ApplicationBody, wish: AWish, person: Annotated[Person, APPLICANT]
    ) -> Response:
        """Apply for a certificate for an instance; every objection is told at once."""
        account = person.account
        judged = form.judge(body, most_names=parts.settings.most_names, reserved_ok=reserved_ok)
        carried = await carry(
            parts,
            account,
            wish,
            lambda reference: RequestApplication(
                application_id=reference,
                account_id=account,
                instance_id=body.instance_id,
                form=judged.form,
                counts=judged.counts,
                primary_domains=judged.primary_domains,
                objections=judged.objections,
            ),
        )

        async def show() -> ApplicationView:
            return show_application(await find_application(parts, carried.reference, person))

        return await accepted(
            wish,
            f"{PREFIX}/applications/{carried.reference}",
            show,
            lambda one: one.status not in NOT_YET,
        )


def _show(app: FastAPI, parts: Parts) -> None:
    @app.get(f"{PREFIX}/applications", tags=["application"], response_model=Page[ApplicationView])
    async def list_applications(
        piece: ASlice, person: Annotated[Person, ANYONE], as_csv: WantsCsv
    ) -> Page[ApplicationView] | Response:
        """Applications of the caller's account, oldest first."""
        async with parts.postgres.transaction() as tx:
            found = await store.list_applications(
                tx, person.account_id, piece.after, piece.limit + 1
            )
        page = piece.page(found, lambda one: one.id)
        shown: Page[ApplicationView] = Page(
            items=[show_application(one) for one in page.items], next_cursor=page.next_cursor
        )
        return listed(shown, ApplicationView, as_csv=as_csv)

    @app.get(f"{PREFIX}/applications/{{application_id}}", tags=["application"], responses=PROBLEMS)
    async def get_application(
        application_id: UUID, person: Annotated[Person, ANYONE]
    ) -> ApplicationView:
        """Show an application: what to put where, what it waits on, on whom, since when."""
        return show_application(await find_application(parts, application_id, person))
