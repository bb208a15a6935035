"""The public door: who comes in, to which service, and in whose name."""

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from http import HTTPStatus
from urllib.parse import quote

import httpx
from fastapi.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.people import People
from shared.api import LARGEST_BODY_BYTES, PREFIX, Person
from shared.contracts.base import Objection
from shared.problems import RETRY_AFTER_SECONDS, Problem, not_found

OURS = "console"
# What is asked for → who answers; the first line that fits is the one.
TABLE: tuple[tuple[str, str], ...] = (
    (r"/(me|tokens)(/.+)?", OURS),
    (r"/events", OURS),
    (r"/services/console/parked(/.+)?", OURS),
    (r"/services/inventory/parked(/.+)?", "inventory"),
    (r"/services/combination/parked(/.+)?", "combination"),
    (r"/services/application/parked(/.+)?", "application"),
    (r"/services/ca_verification/parked(/.+)?", "ca_verification"),
    (r"/account", "inventory"),
    (r"/(quota|instances)(/.+)?", "inventory"),
    (r"/combinations/(preview|plan)", "inventory"),
    (r"/combinations(/.+)?", "combination"),
    (r"/applications/[^/]+/names/[^/]+/check", "ca_verification"),
    (r"/(applications|certificates)(/.+)?", "application"),
    (r"/verification(/.+)?", "ca_verification"),
)
ROUTES = tuple((re.compile(path), service) for path, service in TABLE)
PKI = "/pki/"
EVERYBODYS = f"{PREFIX}/openapi.json"

# The rest of a request is between the client and us, RFC 9110 §7.6.1's hop-by-hop fields too.
PASSED_ON = frozenset(
    {
        *(b"accept", b"accept-language", b"content-type", b"idempotency-key", b"last-event-id"),
        *(b"prefer", b"tracestate"),
    }
)
# Of an answer: what ends at each hop, and what our own server adds.
KEPT_BACK = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-connection", b"te"),
        *(b"trailer", b"transfer-encoding", b"upgrade", b"date", b"server"),
    }
)
TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)

BODY_SECONDS = 30.0
MOST_DRAINED_BYTES = 16 << 20
# A command may wait for half a minute; a kept connection is dropped before the service's 5 s.
TIMEOUT = httpx.Timeout(60.0, connect=2.0, pool=5.0)
LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=3.0)

SAFE = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; "
    b"img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
}
PRIVATE = {b"cache-control": b"no-store", b"x-content-type-options": b"nosniff"}

Fields = list[tuple[bytes, bytes]]

log = logging.getLogger(__name__)


class Door:
    """Lets who has a token in to the API, and everybody to the pages."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        people: People,
        client: httpx.AsyncClient,
        upstreams: Mapping[str, str],
        secret: str,
    ) -> None:
        self._app, self._people, self._client = app, people, client
        self._upstreams, self._secret = upstreams, secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"].startswith(PKI):
            await self._pki(scope, receive, _with(SAFE, send))
        elif not scope["path"].startswith(f"{PREFIX}/") or scope["path"] == EVERYBODYS:
            await self._app(scope, receive, _with(SAFE, send))
        else:
            await self._api(scope, receive, _with(PRIVATE, send))

    async def _api(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            fields = _fields(scope)
            token, person = await self._person(fields)
            service = route(scope["raw_path"])
            if service is None:
                raise not_found("path", scope["path"])
            body = await _body(receive, fields)
            vouched = [*_passed_on(scope["headers"]), *vouch(person, self._secret)]
            if service == OURS:
                state = {**scope.get("state", {}), "token": token}
                inner = {**scope, "headers": [*vouched, *_length(body)], "state": state}
                await self._app(inner, _again(body, receive), send)
                return
            answer = await self._forward(service, scope, vouched, body)
        except Problem as problem:
            answer = problem.response()
        await answer(scope, receive, send)

    async def _pki(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give out what certificates point to, to everybody (RFC 5280 §4.2.1.13)."""
        try:
            if scope["method"] not in {"GET", "HEAD"} or _leads_astray(scope["raw_path"]):
                raise not_found("path", scope["path"])
            answer = await self._forward("ca_verification", scope, [], b"")
        except Problem as problem:
            answer = problem.response()
        await answer(scope, receive, send)

    async def _person(self, fields: Mapping[bytes, bytes]) -> tuple[str, Person]:
        scheme, _, token = fields.get(b"authorization", b"").decode("latin-1").partition(" ")
        token = token.strip()
        person = await self._people.who(token) if scheme.lower() == "bearer" and token else None
        if person is None:
            wrong = 'Bearer realm="certfold", error="invalid_token"'  # RFC 6750 §3
            challenge = wrong if token else 'Bearer realm="certfold"'
            said = "the token is unknown or was revoked" if token else "a bearer token is needed"
            headers = {"www-authenticate": challenge}
            raise Problem(HTTPStatus.UNAUTHORIZED, said, (), headers)
        return token, person

    async def _forward(self, service: str, scope: Scope, fields: Fields, body: bytes) -> Response:
        path, query = scope["raw_path"], scope["query_string"]
        try:
            url = httpx.URL(self._upstreams[service]).copy_with(
                raw_path=path + b"?" + query if query else path
            )
        except httpx.InvalidURL:  # such as one with `#`, which no target may hold
            raise not_found("path", scope["path"]) from None
        request = self._client.build_request(scope["method"], url, headers=fields, content=body)
        try:
            answer = await self._client.send(request, stream=True)
        except (httpx.TransportError, AttributeError) as error:
            # anyio asks a connection that was lost at once for a peer that it no longer has.
            log.warning("%s cannot be reached: %r", service, error)
            again = {"retry-after": RETRY_AFTER_SECONDS}
            said = f"the {service} service cannot be reached; try again"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, said, (), again) from None
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            await answer.aclose()
            log.error("%s does not know CERTFOLD_CONSOLE_SECRET as we do", service)
            raise Problem(HTTPStatus.BAD_GATEWAY, f"the {service} service does not trust us")
        response = StreamingResponse(_stream(answer), answer.status_code)
        response.raw_headers = [
            (name, value) for name, value in _lower(answer.headers.raw) if name not in KEPT_BACK
        ]
        return response


def route(raw_path: bytes) -> str | None:
    """Say which service answers for a path, still percent-encoded; None where nobody does.

    An id that somebody else gave may hold anything: `%2F` and `%2E` in it lead nowhere.
    """
    asked = raw_path.decode("ascii")
    if not asked.startswith(f"{PREFIX}/") or _leads_astray(raw_path):
        return None
    asked = asked.removeprefix(PREFIX)
    return next((service for fits, service in ROUTES if fits.fullmatch(asked)), None)


def _leads_astray(raw_path: bytes) -> bool:
    """Say whether on the way to a service the path may become another (RFC 3986 §5.2.4)."""
    return any(part in {b"", b".", b".."} for part in raw_path.split(b"/")[1:])


def vouch(person: Person, secret: str) -> Fields:
    """Say whom the console has recognised, in the words that every service trusts."""
    said = {
        "authorization": f"Bearer {secret}",
        "certfold-person": quote(person.name),
        "certfold-role": person.role,
    }
    if person.account_id is not None:
        said["certfold-account"] = quote(person.account_id)
    return [(name.encode(), value.encode()) for name, value in said.items()]


def _passed_on(raw: Iterable[tuple[bytes, bytes]]) -> Fields:
    fields = [(name, value) for name, value in _lower(raw) if name in PASSED_ON]
    given = [value for name, value in _lower(raw) if name == b"traceparent"]
    if len(given) != 1 or not TRACEPARENT.fullmatch(given[0]):
        fields = [(name, value) for name, value in fields if name != b"tracestate"]
        given = [f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01".encode()]
    return [*fields, (b"traceparent", given[0])]


def _lower(raw: Iterable[tuple[bytes, bytes]]) -> Fields:
    return [(name.lower(), value) for name, value in raw]


def _fields(scope: Scope) -> dict[bytes, bytes]:
    raw: Sequence[tuple[bytes, bytes]] = scope["headers"]
    return dict(_lower(raw))


def _length(body: bytes) -> Fields:
    return [(b"content-length", str(len(body)).encode())] if body else []


async def _body(receive: Receive, fields: Mapping[bytes, bytes]) -> bytes:
    """Read a request's body, as far as one may be."""
    said = fields.get(b"content-length", b"0")
    if int(said) > LARGEST_BODY_BYTES and b"expect" in fields:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body, seen = await _read(receive)
    except TimeoutError:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "the body does not come") from None
    if seen > LARGEST_BODY_BYTES:
        raise _too_large()
    return body


async def _read(receive: Receive) -> tuple[bytes, int]:
    """Return the body, and its size; the rest of one that is too large is let go by.

    Who is answered while still sending sees a broken connection instead of the reason.
    """
    body, seen = bytearray(), 0
    while seen <= MOST_DRAINED_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(HTTPStatus.BAD_REQUEST, "the client has left")
        piece = message.get("body", b"")
        seen += len(piece)
        if seen <= LARGEST_BODY_BYTES:
            body += piece
        if not message.get("more_body", False):
            break
    return bytes(body), seen


def _too_large() -> Problem:
    found = Objection(
        code="body_too_large",
        subject="body",
        message=f"a body holds at most {LARGEST_BODY_BYTES} bytes",
    )
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, found.message, [found])


def _again(body: bytes, receive: Receive) -> Receive:
    """Hand over a body that was read already, then whatever comes."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_() -> Message:
        return left.pop() if left else await receive()

    return next_


def _with(added: Mapping[bytes, bytes], send: Send) -> Send:
    """Send an answer with these headers too, where it has none of its own."""

    async def send_too(message: Message) -> None:
        if message["type"] == "http.response.start":
            raw = list(message.get("headers", []))
            known = {name.lower() for name, _ in raw}
            raw += [(name, value) for name, value in added.items() if name not in known]
            message = {**message, "headers": raw}
        await send(message)

    return send_too


async def _stream(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()
