"""How an HTTP API says no: RFC 9457 problem details, with every objection at once."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from shared.contracts.base import Objection
from shared.postgres import may_pass

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "1"
UNREADABLE = Objection(code="body_unreadable", subject="body", message="is no JSON text in UTF-8")


class Problem(Exception):  # noqa: N818 - the RFC's word
    """An answer that is no: `status` is HTTP's, `objections` are all the reasons there are."""

    def __init__(
        self,
        status: HTTPStatus,
        title: str,
        objections: Iterable[Objection] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(title)
        self.status, self.title, self.objections = status, title, tuple(objections)
        self.headers, self.more = dict(headers or {}), more

    def response(self) -> JSONResponse:
        """Write it down."""
        body = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.title,
            "objections": [one.model_dump() for one in self.objections],
        }
        return JSONResponse(body | self.more, int(self.status), self.headers, media_type=MEDIA_TYPE)


def not_found(what: str, its_id: object) -> Problem:
    """Say that there is no such thing for this caller; a stranger's is told in the same words."""
    found = Objection(code="unknown", subject=str(its_id), message=f"there is no such {what}")
    return Problem(HTTPStatus.NOT_FOUND, found.message, [found])


def refused(objections: Iterable[Objection], **more: Any) -> Problem:
    """Say that what was asked is impossible as things stand."""
    return Problem(
        HTTPStatus.CONFLICT, "what was asked for is not possible now", objections, **more
    )


def invalid(objections: Iterable[Objection]) -> Problem:
    """Say that the request itself is not well-formed."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the request is not well-formed", objections)


def objections_to(error: RequestValidationError) -> list[Objection]:
    """Tell each of pydantic's findings as an objection: what is wrong, with which field."""
    return [_objection(fault) for fault in error.errors()]


def _objection(fault: Mapping[str, Any]) -> Objection:
    if str(fault["type"]).startswith("uuid"):  # an id that can be nobody's
        return Objection(
            code="unknown", subject=str(fault["input"]), message="there is nothing of this id"
        )
    return Objection(
        code=str(fault["type"]),
        subject=".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0]),
        message=str(fault["msg"]),
    )


def tell_problems(app: FastAPI) -> None:
    """Make `app` answer every error as a problem document."""

    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def validation(_: Request, error: RequestValidationError) -> JSONResponse:
        if all(fault["loc"][0] == "path" for fault in error.errors()):
            return Problem(
                HTTPStatus.NOT_FOUND, "nothing is there", objections_to(error)
            ).response()
        return invalid(objections_to(error)).response()

    @app.exception_handler(StarletteHTTPException)
    async def http(_: Request, error: StarletteHTTPException) -> JSONResponse:
        if error.status_code == HTTPStatus.BAD_REQUEST:  # octets that are no text
            return invalid([UNREADABLE]).response()
        headers = error.headers
        return Problem(HTTPStatus(error.status_code), str(error.detail), headers=headers).response()

    @app.exception_handler(asyncpg.PostgresError)
    @app.exception_handler(asyncpg.InterfaceError)
    @app.exception_handler(OSError)
    async def store(_: Request, error: Exception) -> JSONResponse:
        if not may_pass(error):
            found = Objection(code="value_refused", subject="body", message=str(error))
            return invalid([found]).response()
        away = HTTPStatus.SERVICE_UNAVAILABLE
        return Problem(
            away, "the store cannot be reached; try again", (), {"retry-after": RETRY_AFTER_SECONDS}
        ).response()
