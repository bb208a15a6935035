"""How certificates are shown, and revoked."""

from typing import Annotated
from uuid import UUID

from fastapi import FastAPI, Query
from fastapi.responses import Response
from pydantic import BaseModel

from services.application import store
from services.application.api.answers import find_certificate
from services.application.domain.messages import RequestRevocation
from services.application.views import CertificateView, show_certificate
from shared.api import ANYONE, PREFIX, PROBLEMS, ASlice, AWish, Page, Person, accepted, allow, carry
from shared.contracts.application import RevocationReason
from shared.problems import refused
from shared.service import Parts
from shared.tables import WantsCsv, listed

REVOKERS = allow("applicant", "officer")  # BR 4.9.2


class RevocationBody(BaseModel):
    """Why (RFC 5280 §5.3.1); `privilege_withdrawn` is for the CA alone to say (BR 7.2.2)."""

    reason: RevocationReason = "unspecified"


def serve(app: FastAPI, parts: Parts) -> None:
    """Serve certificates."""
    _show(app, parts)
    _revoke(app, parts)


def _show(app: FastAPI, parts: Parts) -> None:
    @app.get(f"{PREFIX}/certificates", tags=["certificate"], response_model=Page[CertificateView])
    async def list_certificates(
        piece: ASlice,
        person: Annotated[Person, ANYONE],
        as_csv: WantsCsv,
        q: Annotated[str | None, Query(max_length=253, description="name or serial")] = None,
    ) -> Page[CertificateView] | Response:
        """Certificates of the caller's account, oldest first."""
        async with parts.postgres.transaction() as tx:
            found = await store.list_certificates(
                tx, person.account_id, q, piece.after, piece.limit + 1
            )
        page, now = piece.page(found, lambda one: one.id), parts.clock()
        shown: Page[CertificateView] = Page(
            items=[show_certificate(one, now) for one in page.items], next_cursor=page.next_cursor
        )
        return listed(shown, CertificateView, as_csv=as_csv)

    @app.get(f"{PREFIX}/certificates/{{certificate_id}}", tags=["certificate"], responses=PROBLEMS)
    async def get_certificate(
        certificate_id: UUID, person: Annotated[Person, ANYONE]
    ) -> CertificateView:
        """Show a certificate."""
        return show_certificate(
            await find_certificate(parts, certificate_id, person), parts.clock()
        )


def _revoke(app: FastAPI, parts: Parts) -> None:
    @app.post(
        f"{PREFIX}/certificates/{{certificate_id}}/revocation",
        tags=["certificate"],
        status_code=202,
        response_model=CertificateView,
        responses=PROBLEMS,
    )
    async def revoke(
        certificate_id: UUID,
        body: RevocationBody,
        wish: AWish,
        person: Annotated[Person, REVOKERS],
    ) -> Response:
        """Have a certificate revoked; there is no way back. An officer may revoke any account's."""
        certificate = await find_certificate(parts, certificate_id, person)
        by_ca = person.role == "officer"
        await carry(
            parts,
            f"officer {person.name}" if by_ca else person.account,
            wish,
            lambda _: RequestRevocation(
                certificate_id=certificate_id,
                account_id=certificate.account_id,
                requested_by=person.name,
                by_ca=by_ca,
                reason=body.reason,
            ),
        )

        async def show() -> CertificateView:
            found = await find_certificate(parts, certificate_id, person)
            if found.revocation_objections:
                raise refused(found.revocation_objections)
            return show_certificate(found, parts.clock())

        location = f"{PREFIX}/certificates/{certificate_id}"
        return await accepted(wish, location, show, lambda one: one.status == "revoked")
