"""What the console answers itself: who am I, tokens; all else goes through the door."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

import httpx
from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, StringConstraints

from services.console import events, pages, store
from services.console.domain import (
    IssueToken,
    RevokeToken,
    Role,
    Token,
    fingerprint,
    objections,
)
from services.console.people import People, enrolling
from services.console.proxy import LIMITS, TIMEOUT, Door
from shared.api import ANYONE, PREFIX, PROBLEMS, ASlice, AWish, Page, Person, allow, carry, make_api
from shared.contracts.base import ForeignId
from shared.ids import new_id
from shared.problems import invalid, not_found
from shared.service import Parts

OPERATOR = allow("operator")
TOKEN_BYTES = 32  # 256 bits of the system's CSPRNG
MARK = "certfold_"  # so that scanners for leaked secrets know one when they see it


class Me(BaseModel):
    """Whom the console has recognised by the token."""

    name: str
    role: Role
    account_id: str | None


class TokenBody(BaseModel):
    """Who is to have a token: an applicant of an account, or somebody of the CA's."""

    # Of `str` itself: after a validator of its own, the length would be that before stripping.
    name: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$"
        ),
    ]
    role: Role
    account_id: ForeignId | None = None


class TokenView(BaseModel):
    """A token without itself: nobody is shown it twice."""

    token_id: UUID
    name: str
    role: Role
    account_id: str | None
    issued_by: str
    issued_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, token: Token) -> Self:
        """Leave out what opens the door."""
        return cls(
            token_id=token.id,
            name=token.name,
            role=token.role,
            account_id=token.account_id,
            issued_by=token.issued_by,
            issued_at=token.issued_at,
            revoked_at=token.revoked_at,
        )


class NewToken(TokenView):
    """A token and, this once, what to show at the door; null when the request is a repeat."""

    token: str | None


def api(parts: Parts) -> FastAPI:
    """Be the door: serve pages, identity, and by way of the services all the rest."""
    app = make_api(parts, "Console")
    client = httpx.AsyncClient(timeout=TIMEOUT, limits=LIMITS, trust_env=False)
    people = People(parts.postgres)

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        async with client, enrolling(parts, people):
            yield

    app.include_router(APIRouter(lifespan=lifespan))
    app.include_router(identity(parts, people))
    app.include_router(events.router(parts, lambda request: people.who(request.state.token)))
    app.include_router(pages.router(parts, client))
    app.mount("/static", StaticFiles(directory=pages.STATIC))
    app.add_middleware(
        Door,
        people=people,
        client=client,
        upstreams=parts.settings.upstreams,
        secret=parts.settings.console_secret,
    )
    return app


def identity(parts: Parts, people: People) -> APIRouter:
    """Serve who people are."""
    router = APIRouter(prefix=PREFIX, tags=["identity"])

    @router.get("/me")
    async def get_me(person: Annotated[Person, ANYONE]) -> Me:
        """Tell who I am."""
        return Me.model_validate(person, from_attributes=True)

    @router.get("/tokens", dependencies=[OPERATOR])
    async def list_tokens(piece: ASlice) -> Page[TokenView]:
        """Show who has a token, and who had one."""
        async with parts.postgres.transaction() as tx:
            found = await store.list_tokens(tx, piece.after, piece.limit + 1)
        page = piece.page(found, lambda one: one.id)
        return Page(items=[TokenView.of(one) for one in page.items], next_cursor=page.next_cursor)

    @router.post("/tokens", status_code=201, response_model=NewToken, responses=PROBLEMS)
    async def issue_token(
        body: TokenBody, wish: AWish, person: Annotated[Person, OPERATOR]
    ) -> Response:
        """Issue a token. This answer is the only one that ever shows it."""
        if against := list(objections(body.role, body.account_id)):
            raise invalid(against)
        secret = MARK + secrets.token_urlsafe(TOKEN_BYTES)
        carried = await carry(
            parts,
            f"operator {person.name}",
            wish,
            lambda reference: IssueToken(
                token_id=reference,
                name=body.name,
                role=body.role,
                account_id=body.account_id,
                token_sha256=fingerprint(secret),
                issued_by=person.name,
            ),
        )
        people.forget()
        issued = await _find(parts, carried.reference)
        shown = NewToken(
            **TokenView.of(issued).model_dump(), token=None if carried.is_repeat else secret
        )
        location = {"location": f"{PREFIX}/tokens/{issued.id}"}
        return JSONResponse(shown.model_dump(mode="json"), int(HTTPStatus.CREATED), location)

    @router.get("/tokens/{token_id}", dependencies=[OPERATOR], responses=PROBLEMS)
    async def get_token(token_id: UUID) -> TokenView:
        """Show whose token it is, not the token."""
        return TokenView.of(await _find(parts, token_id))

    @router.delete("/tokens/{token_id}", status_code=204, responses=PROBLEMS)
    async def revoke_token(token_id: UUID, person: Annotated[Person, OPERATOR]) -> None:
        """Let nobody in by this token from now on: within 5 s, everywhere."""
        await _find(parts, token_id)
        ask = RevokeToken(token_id=token_id, revoked_by=person.name)
        await parts.traffic.ask(ask, new_id(parts.clock()))
        people.forget()

    return router


async def _find(parts: Parts, token_id: UUID) -> Token:
    async with parts.postgres.transaction() as tx:
        found = await store.find_token(tx, token_id)
    if found is None:
        raise not_found("token", token_id)
    return found
