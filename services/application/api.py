"""What the application service answers over HTTP: applications, certificates, downloads."""

import asyncio
from typing import Annotated, Literal
from uuid import UUID

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from services.application import downloads, form, keys, store
from services.application.domain import FRESH
from services.application.domain.messages import (
    LookAtHosts,
    RequestApplication,
    RequestNameDrop,
    RequestRevocation,
    RequestWithdrawal,
)
from services.application.domain.things import Application, Certificate
from services.application.views import (
    ApplicationView,
    CertificateView,
    Installations,
    show_application,
    show_certificate,
    show_installations,
)
from shared.api import (
    PREFIX,
    PROBLEMS,
    ASlice,
    AWish,
    Page,
    Person,
    Wish,
    accepted,
    allow,
    carry,
    make_api,
    outcome,
)
from shared.contracts.application import RevocationReason
from shared.contracts.base import Objection
from shared.dnsnames import SANDBOX
from shared.problems import not_found, refused
from shared.service import Parts
from shared.tables import WantsCsv, listed

ANYONE = allow("applicant", "officer", "reviewer", "auditor", "operator")
APPLICANT = allow("applicant")
REVOKERS = allow("applicant", "officer")  # BR 4.9.2
NOT_YET = frozenset({"requested", "submitted"})
LOOK_SECONDS = 8


class RevocationBody(BaseModel):
    """Why (RFC 5280 §5.3.1); `privilege_withdrawn` is for the CA alone to say (BR 7.2.2)."""

    reason: RevocationReason = "unspecified"


Format = Literal["nginx", "apache", "tomcat-pfx", "tomcat-jks", "iis", "pem", "root"]


def api(parts: Parts) -> FastAPI:
    """Serve applicants, and who may look over their shoulders."""
    app = make_api(parts, "Application")
    _applications(app, parts)
    _changes(app, parts)
    _certificates(app, parts)
    return app


async def find_application(parts: Parts, application_id: UUID, person: Person) -> Application:
    """Read an application that the person may see, or say that there is none."""
    async with parts.postgres.transaction() as tx:
        found = await store.find_application(tx, application_id)
    if found is None or not person.may_see(found.account_id):
        raise not_found("application", application_id)
    return found


def _applications(app: FastAPI, parts: Parts) -> None:
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


def _changes(app: FastAPI, parts: Parts) -> None:
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

        async def show() -> tuple[bool, ApplicationView]:
            now = await find_application(parts, application_id, person)
            against = [one for one in now.drop_objections if one.subject == name.lower()]
            if against:
                raise refused(against)
            return name.lower() not in now.form.names, show_application(now)

        (done, shown), _ = await outcome(wish, show, lambda pair: pair[0])
        headers = {"location": f"{PREFIX}/applications/{application_id}"}
        if wish.wait_seconds:
            headers["preference-applied"] = f"wait={wish.wait_seconds}"
        status = 200 if done and wish.wait_seconds else 202
        return JSONResponse(shown.model_dump(mode="json"), status, headers)


def _certificates(app: FastAPI, parts: Parts) -> None:
    async def find(certificate_id: UUID, person: Person) -> Certificate:
        async with parts.postgres.transaction() as tx:
            found = await store.find_certificate(tx, certificate_id)
        if found is None or not person.may_see(found.account_id):
            raise not_found("certificate", certificate_id)
        return found

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
        return show_certificate(await find(certificate_id, person), parts.clock())

    @app.get(
        f"{PREFIX}/certificates/{{certificate_id}}/download",
        tags=["certificate"],
        responses=PROBLEMS,
        response_class=Response,
    )
    async def download(
        certificate_id: UUID,
        person: Annotated[Person, APPLICANT],
        format_: Annotated[Format, Query(alias="format")],
    ) -> Response:
        """Give out a bundle for one kind of server, with the guide that goes with it."""
        certificate = await find(certificate_id, person)
        async with parts.postgres.transaction() as tx:
            key = await store.find_key(tx, certificate.application_id)
        return await _bundle(parts, certificate, key.encrypted if key else None, format_)

    @app.get(
        f"{PREFIX}/certificates/{{certificate_id}}/installations",
        tags=["certificate"],
        responses=PROBLEMS,
    )
    async def get_installations(
        certificate_id: UUID, person: Annotated[Person, ANYONE]
    ) -> Installations:
        """Show which names serve the certificate; who was not looked at lately is looked at now."""
        await find(certificate_id, person)
        asked_at = parts.clock()
        wish = Wish("GET", "", None, LOOK_SECONDS, b"", None)
        await carry(parts, "", wish, lambda _: LookAtHosts(certificate_id=certificate_id))
        seen, _ = await outcome(
            wish,
            lambda: find(certificate_id, person),
            lambda one: all(
                host.seen_at and host.seen_at >= asked_at - FRESH for host in one.hosts
            ),
        )
        return show_installations(seen)

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
        certificate = await find(certificate_id, person)
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
            found = await find(certificate_id, person)
            if found.revocation_objections:
                raise refused(found.revocation_objections)
            return show_certificate(found, parts.clock())

        location = f"{PREFIX}/certificates/{certificate_id}"
        return await accepted(wish, location, show, lambda one: one.status == "revoked")


async def _bundle(
    parts: Parts, certificate: Certificate, encrypted_key: bytes | None, format_: Format
) -> Response:
    """Decrypt the key, if it is ours and asked for, and make the bundle, in a thread."""

    def make() -> downloads.Bundle:
        key = keys.load_key_encryption_key(parts.settings.key_encryption_key)
        about = certificate.application_id.bytes
        return downloads.bundle(
            format_,
            certificate_pem=certificate.certificate_pem,
            chain_pem=certificate.chain_pem,
            root_pem=certificate.root_pem,
            private_key_der=keys.decrypt(encrypted_key, key, about) if encrypted_key else None,
            name=certificate.names[0],
        )

    try:
        made = await asyncio.to_thread(make)
    except downloads.KeyNotHeldError as error:
        found = Objection(code="key_not_held", subject="format", message=str(error))
        raise refused([found]) from error
    return Response(
        made.content,
        media_type=made.media_type,
        headers={
            "content-disposition": f'attachment; filename="{made.filename}"',
            "cache-control": "no-store",
        },
    )
