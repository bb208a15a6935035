"""What the HTTP APIs of all services have in common: who asks, commands, waiting, lists."""

import asyncio
import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Annotated, Any, Generic, Literal, TypeVar
from urllib.parse import unquote
from uuid import NAMESPACE_URL, UUID, uuid5

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, TypeAdapter

from shared import parking
from shared.contracts.base import Command, Event, Objection
from shared.ids import new_id
from shared.problems import Problem, not_found, refused, tell_problems
from shared.service import Parts

T = TypeVar("T")
OBJECTIONS = TypeAdapter(tuple[Objection, ...])

PREFIX = "/api/v1"
MOST_ITEMS, USUAL_ITEMS = 200, 50
LONGEST_WAIT_SECONDS = 30
PAUSES = (0.01, 0.02, 0.03, 0.05, 0.1)
LARGEST_BODY_BYTES = 256 << 10

Role = Literal["applicant", "officer", "reviewer", "auditor", "operator"]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/problem+json": {}}}
    for status, text in (
        (403, "the caller's role may not do this"),
        (404, "there is no such thing, or it is another account's"),
        (409, "not possible now; `objections` tell every reason"),
        (422, "not well-formed; `objections` tell every reason"),
    )
}


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, as the console has authenticated them."""

    name: str
    role: str
    account_id: str | None

    @property
    def account(self) -> str:
        """The account that the person belongs to."""
        if self.account_id is None:
            raise Problem(HTTPStatus.FORBIDDEN, f"{self.name} belongs to no account")
        return self.account_id

    def may_see(self, account_id: str) -> bool:
        """Say whether things of that account are shown to this person."""
        return self.account_id is None or self.account_id == account_id


def allow(*roles: Role) -> Any:
    """Demand a caller that the console vouches for, in one of `roles`."""

    async def caller(request: Request) -> Person:
        headers = request.headers
        given = headers.get("authorization", "").removeprefix("Bearer ")
        secret = request.app.state.console_secret
        if not hmac.compare_digest(given.encode(), secret.encode()):
            raise Problem(HTTPStatus.UNAUTHORIZED, "only the console may ask")
        person = Person(
            name=unquote(headers.get("certfold-person", "")),
            role=headers.get("certfold-role", ""),
            account_id=unquote(headers["certfold-account"])
            if "certfold-account" in headers
            else None,
        )
        if person.role not in roles:
            raise Problem(
                HTTPStatus.FORBIDDEN, f"this is for {' or '.join(roles)}, not for {person.role}"
            )
        return person

    return Depends(caller)


ANYONE = allow("applicant", "officer", "reviewer", "auditor", "operator")
APPLICANT = allow("applicant")


def make_api(parts: Parts, title: str) -> FastAPI:
    """Begin a service's API: problems, and the messages that wait for a person."""
    app = FastAPI(title=title, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.console_secret = parts.settings.console_secret
    tell_problems(app)
    _parked(app, parts)
    return app


@dataclass(frozen=True, slots=True)
class Wish:
    """How a command wants to be treated: once (`Idempotency-Key`), and how long to wait for it."""

    method: str
    path: str
    key: str | None
    wait_seconds: int
    body_sha256: bytes
    traceparent: str | None
    actor: str | None = None

    def command_id(self, account: str) -> UUID | None:
        """Return one id for each (account, method, path, key); None without a key."""
        if self.key is None:
            return None
        return uuid5(NAMESPACE_URL, f"{account} {self.method} {self.path} {self.key}")


async def wish(
    request: Request,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
    prefer: Annotated[str | None, Header()] = None,
) -> Wish:
    """Read the headers of a command (RFC 7240 for `Prefer: wait=<seconds>`)."""
    found = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})", prefer or "")
    return Wish(
        method=request.method,
        path=request.url.path,
        key=idempotency_key,
        wait_seconds=min(int(found.group(1)), LONGEST_WAIT_SECONDS) if found else 0,
        body_sha256=hashlib.sha256(await request.body()).digest(),
        traceparent=request.headers.get("traceparent"),
        actor=unquote(request.headers.get("certfold-person", "")) or None,
    )


AWish = Annotated[Wish, Depends(wish)]


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of a command. `reference` is what it made, also when it came again."""

    facts: tuple[Event, ...]
    reference: UUID
    is_repeat: bool


async def carry(parts: Parts, account: str, wish: Wish, make: Callable[[UUID], Command]) -> Carried:
    """Send a command down the road, once for each Idempotency-Key.

    `make` is given the id for what the command makes. A refusal is a problem, 409, also when it
    is asked for again; the same key with another body is one, too: 422.
    """
    now = parts.clock()
    reference = new_id(now)
    command_id = wish.command_id(account) or new_id(now)
    facts = await parts.traffic.ask(
        make(reference),
        command_id,
        digest=wish.body_sha256 if wish.key else None,
        reference=reference,
        traceparent=wish.traceparent,
        actor=wish.actor,
    )
    for fact in facts:
        if fact.is_refusal:
            raise refused(getattr(fact, "objections", ()))
    if facts or wish.key is None:
        return Carried(facts, reference, is_repeat=False)
    async with parts.postgres.transaction() as tx:
        row = await tx.fetchrow(
            "SELECT digest, reference, objections FROM inbox WHERE message_id = $1", command_id
        )
    if row is None or row["reference"] == reference:
        return Carried(facts, reference, is_repeat=False)
    if row["digest"] != wish.body_sha256:
        found = Objection(
            code="idempotency_key_reused",
            subject="Idempotency-Key",
            message="this key came before with another body",
        )
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, found.message, [found])
    if row["objections"]:
        raise refused(OBJECTIONS.validate_json(row["objections"]))
    return Carried((), row["reference"], is_repeat=True)


async def outcome(
    wish: Wish,
    show: Callable[[], Awaitable[T]],
    is_settled: Callable[[T], bool],
) -> tuple[T, bool]:
    """Show a thing once it is settled, or when the caller's patience ends; say which."""
    shown = await show()
    loop = asyncio.get_running_loop()
    end, turn = loop.time() + wish.wait_seconds, 0
    while not is_settled(shown) and loop.time() < end:
        await asyncio.sleep(min(PAUSES[min(turn, len(PAUSES) - 1)], max(end - loop.time(), 0)))
        shown, turn = await show(), turn + 1
    return shown, is_settled(shown)


async def accepted(
    wish: Wish,
    location: str,
    show: Callable[[], Awaitable[BaseModel]],
    is_settled: Callable[[Any], bool],
) -> Response:
    """Answer 202 and where to look; or 200 and the outcome, where it was waited for."""
    shown, settled = await outcome(wish, show, is_settled)
    headers = {"location": location}
    if wish.wait_seconds:
        headers["preference-applied"] = f"wait={wish.wait_seconds}"
    status = HTTPStatus.OK if wish.wait_seconds and settled else HTTPStatus.ACCEPTED
    return JSONResponse(shown.model_dump(mode="json"), int(status), headers)


class Page(BaseModel, Generic[T]):
    """One piece of a list, and what to pass as `cursor` for the next."""

    items: Sequence[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Slice:
    """Which piece of a list is wanted."""

    after: UUID | None
    limit: int

    def page(self, items: Sequence[T], its_id: Callable[[T], UUID]) -> Page[T]:
        """Make a page of what was found; one more than `limit` was looked for."""
        shown = items[: self.limit]
        more = len(items) > self.limit
        cursor = urlsafe_b64encode(its_id(shown[-1]).bytes).decode().rstrip("=") if more else None
        return Page(items=shown, next_cursor=cursor)


async def slice_(
    cursor: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ITEMS)] = USUAL_ITEMS,
) -> Slice:
    """Read where a list is to go on."""
    try:
        after = UUID(bytes=urlsafe_b64decode(cursor + "==")) if cursor else None
    except ValueError:
        found = Objection(code="cursor_invalid", subject="cursor", message="is none of ours")
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, found.message, [found]) from None
    return Slice(after, limit)


ASlice = Annotated[Slice, Depends(slice_)]


class ParkedView(BaseModel):
    """A message that waits for a person."""

    id: UUID
    topic: str
    partition: int
    offset: int
    error_class: str
    error_message: str
    parked_at: str
    key: str | None
    headers: list[tuple[str, str | None]]
    value: str | None


def _view(one: parking.Parked) -> ParkedView:
    def text(raw: bytes | None) -> str | None:
        return None if raw is None else raw[: parking.SHOWN_BYTES].decode(errors="backslashreplace")

    return ParkedView(
        id=one.id,
        topic=one.topic,
        partition=one.partition,
        offset=one.offset,
        error_class=one.error_class,
        error_message=one.error_message,
        parked_at=one.parked_at.isoformat(),
        key=text(one.key),
        headers=[(name, text(value)) for name, value in one.headers],
        value=text(one.value),
    )


def _parked(app: FastAPI, parts: Parts) -> None:
    """Serve the operator: parked messages of this service, and what to do about them."""
    path = f"{PREFIX}/services/{parts.traffic.service}/parked"
    tags: list[str | Enum] = ["operating"]

    @app.get(path, tags=tags)
    async def list_parked(
        piece: ASlice, person: Annotated[Person, allow("operator", "auditor")]
    ) -> Page[ParkedView]:
        """Messages that could not be handled, as they came, with the reason."""
        if person.role == "auditor" and person.account_id is not None:
            raise Problem(HTTPStatus.FORBIDDEN, "what is parked may be about any account")
        async with parts.postgres.transaction() as tx:
            found = await parking.list_parked(tx, piece.after, piece.limit + 1)
        return piece.page([_view(one) for one in found], lambda one: one.id)

    @app.post(
        f"{path}/{{parked_id}}/replay",
        tags=tags,
        dependencies=[allow("operator")],
        status_code=HTTPStatus.NO_CONTENT,
        responses=PROBLEMS,
    )
    async def replay(parked_id: UUID) -> None:
        """Handle it again, past the inbox; what fails again is told and stays parked."""
        try:
            found = await parts.traffic.replay(parked_id)
        except Exception as error:
            why = Objection(
                code=type(error).__name__, subject=str(parked_id), message=parking.reason(error)
            )
            raise Problem(HTTPStatus.CONFLICT, "it failed again", [why]) from error
        if not found:
            raise not_found("parked message", parked_id)

    @app.delete(
        f"{path}/{{parked_id}}",
        tags=tags,
        dependencies=[allow("operator")],
        status_code=HTTPStatus.NO_CONTENT,
    )
    async def discard(parked_id: UUID) -> None:
        """Forget it; its copy in the dead-letter topic stays."""
        async with parts.postgres.transaction() as tx:
            await parking.remove(tx, parked_id)
