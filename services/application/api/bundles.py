"""Certificates for download: one bundle for each kind of server."""

import asyncio
from typing import Annotated, Literal
from uuid import UUID

from fastapi import FastAPI, Query
from fastapi.responses import Response

from services.application import downloads, keys, store
from services.application.api.answers import find_certificate
from services.application.domain.things import Certificate
from shared.api import APPLICANT, PREFIX, PROBLEMS, Person
from shared.contracts.base import Objection
from shared.problems import refused
from shared.service import Parts

Format = Literal["nginx", "apache", "tomcat-pfx", "tomcat-jks", "iis", "pem", "root"]


def serve(app: FastAPI, parts: Parts) -> None:
    """Serve downloads."""

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
        certificate = await find_certificate(parts, certificate_id, person)
        async with parts.postgres.transaction() as tx:
            key = await store.find_key(tx, certificate.application_id)
        return await _bundle(parts, certificate, key.encrypted if key else None, format_)


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
