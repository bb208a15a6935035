"""Who serves a certificate."""

from typing import Annotated
from uuid import UUID

from fastapi import FastAPI

from services.application.api.answers import find_certificate
from services.application.domain import FRESH
from services.application.domain.messages import LookAtHosts
from services.application.views import Installations, show_installations
from shared.api import ANYONE, PREFIX, PROBLEMS, Person, Wish, carry, outcome
from shared.service import Parts

LOOK_SECONDS = 8


def serve(app: FastAPI, parts: Parts) -> None:
    """Serve what hosts were seen to serve."""

    @app.get(
        f"{PREFIX}/certificates/{{certificate_id}}/installations",
        tags=["certificate"],
        responses=PROBLEMS,
    )
    async def get_installations(
        certificate_id: UUID, person: Annotated[Person, ANYONE]
    ) -> Installations:
        """Show which names serve the certificate; who was not looked at lately is looked at now."""
        await find_certificate(parts, certificate_id, person)
        asked_at = parts.clock()
        wish = Wish("GET", "", None, LOOK_SECONDS, b"", None)
        await carry(parts, "", wish, lambda _: LookAtHosts(certificate_id=certificate_id))
        seen, _ = await outcome(
            wish,
            lambda: find_certificate(parts, certificate_id, person),
            lambda one: all(
                host.seen_at and host.seen_at >= asked_at - FRESH for host in one.hosts
            ),
        )
        return show_installations(seen)
