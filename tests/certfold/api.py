"""An API that answers as it is told, and the command that asks it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typer.testing import CliRunner, Result

from certfold.main import root

ID = "01a20cb7-2293-719d-a88a-edeb912e8daf"
OBJECTIONS = [
    {"code": "term_not_one_year", "subject": ID, "message": "two years"},
    {"code": "already_combined", "subject": "b", "message": "\x1b[31mred"},
]
LINES = [
    f"term_not_one_year: {ID}: two years",
    "already_combined: b: \\x1b[31mred",
]


@dataclass
class Api:
    """Answers each request with what is next for it, or else with an empty list."""

    url: str = ""
    asked: list[Request] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    answers: dict[str, list[Response]] = field(default_factory=dict)

    def will(self, what: str, *answers: Any, status: int = 200) -> None:
        """Answer `what` with each of these in turn, and with the last one ever after."""
        self.answers[what] = [
            one if isinstance(one, Response) else JSONResponse(one, status) for one in answers
        ]

    async def answer(self, request: Request) -> Response:
        self.asked.append(request)
        body = await request.body()
        self.bodies.append(json.loads(body) if body else None)
        path = request.scope["raw_path"].decode().removeprefix("/api/v1")
        left = self.answers.get(f"{request.method} {path}")
        if left is None:
            return JSONResponse({"items": [], "next_cursor": None})
        return left.pop(0) if len(left) > 1 else left[0]


class Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def certfold(*words: str) -> Result:
    return CliRunner().invoke(root, words)
