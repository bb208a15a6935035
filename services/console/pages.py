"""The pages that everybody may see: what runs and how it is, and how to talk to it."""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Any, Literal

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from services.console.settings import Settings
from shared.api import PREFIX
from shared.problems import not_found
from shared.service import Parts

STATIC = Path(__file__).parent / "static"
ASK_SECONDS = 1.0
FRESH_SECONDS = 1.0  # however many look at the page, the services are asked this often
READYZ = "/readyz"
READ = ["GET", "HEAD"]
EVENT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,99}")

PAGE = Template((STATIC / "index.html").read_text())
DOCS = (STATIC / "docs.html").read_text()


@dataclass(frozen=True, slots=True)
class State:
    """How one service is, and what it waits for, with the reason."""

    service: str
    word: Literal["ready", "waiting", "away"]
    waits_for: tuple[tuple[str, str], ...] = ()


class Board:
    """How all services are, as they say themselves."""

    def __init__(self, client: httpx.AsyncClient, parts: Parts) -> None:
        self._client, self._parts = client, parts
        self._asking = asyncio.Lock()
        self._states: tuple[float, list[State]] = (-FRESH_SECONDS, [])

    async def states(self) -> list[State]:
        """Ask every service at once; who does not answer within a second is not well."""
        async with self._asking:
            asked, states = self._states
            if time.monotonic() - asked >= FRESH_SECONDS:
                urls: dict[str, str] = self._parts.settings.health_urls
                others = {name: url for name, url in urls.items() if name != "console"}
                found = await asyncio.gather(
                    *(self._ask(name, url) for name, url in others.items()), self._own()
                )
                states = sorted(found, key=lambda one: one.service)
                self._states = time.monotonic(), states
            return states

    async def _ask(self, service: str, url: str) -> State:
        url = url if url.endswith(READYZ) else url.rstrip("/") + READYZ
        try:
            async with asyncio.timeout(ASK_SECONDS):
                told = (await self._client.get(url)).json()
                waits = {str(what): str(why) for what, why in told["waits_for"].items()}
                return _state(service, waits)
        except (httpx.HTTPError, TimeoutError, ValueError, LookupError, TypeError) as error:
            why = str(error) or "no answer within a second"
            return State(service, "away", (("to be reached", why),))

    async def _own(self) -> State:
        return _state("console", await self._parts.health.waits_for())


def _state(service: str, waits: Mapping[str, str]) -> State:
    return State(service, "waiting" if waits else "ready", tuple(waits.items()))


def router(parts: Parts, client: httpx.AsyncClient) -> APIRouter:
    """Serve the pages and the documents."""
    pages = APIRouter(include_in_schema=False)
    settings: Settings = parts.settings
    board = Board(client, parts)

    @pages.api_route("/", methods=READ)
    async def root(request: Request) -> HTMLResponse:
        return HTMLResponse(front(settings, await board.states(), str(request.base_url)))

    @pages.api_route("/docs", methods=READ)
    async def docs() -> HTMLResponse:
        return HTMLResponse(DOCS)

    @pages.api_route(f"{PREFIX}/openapi.json", methods=READ)
    async def openapi() -> Response:
        return document(settings, "openapi.json")

    @pages.api_route("/asyncapi.json", methods=READ)
    async def asyncapi() -> Response:
        return document(settings, "asyncapi.json")

    @pages.api_route("/schemas/{file}", methods=READ)
    async def schema(file: str) -> Response:
        name, dot, kind = file.rpartition(".")
        if (dot, kind) != (".", "json") or not EVENT_NAME.fullmatch(name):
            raise not_found("schema", file)
        return document(settings, f"schemas/{name}.json")

    return pages


def document(settings: Settings, name: str) -> Response:
    """Serve one of the generated documents; they are small and rarely asked for."""
    try:
        content = (settings.docs_folder / name).read_bytes()
    except OSError:
        raise not_found("document", name) from None
    return Response(content, HTTPStatus.OK, media_type="application/json")


def front(settings: Settings, states: list[State], base_url: str) -> str:
    """Write the root page."""
    ready = sum(state.word == "ready" for state in states)
    all_ready = ready == len(states)
    shown: dict[str, Any] = {
        "sandbox": SANDBOX if settings.sandbox else "",
        "tone": "well" if all_ready else "ill",
        "summary": "Everything runs." if all_ready else f"{ready} of {len(states)} services run.",
        "services": "\n".join(map(_row, states)),
        "api": escape(f"{base_url.rstrip('/')}{PREFIX}"),
        "kafka": escape(settings.kafka_servers),
        "schemas": "\n".join(map(_schema, _schemas(settings.docs_folder))),
    }
    return PAGE.substitute(shown)


SANDBOX = """<p class="sandbox" role="status"><strong>The sandbox is on.</strong>
Names, hosts and time are make-believe on this machine: nothing reaches the outside world.</p>"""


def _row(state: State) -> str:
    tone = "well" if state.word == "ready" else "ill"
    waits = "".join(f"<li><b>{escape(w)}</b> {escape(why)}</li>" for w, why in state.waits_for)
    why = f"<ul>{waits}</ul>" if waits else "<span>nothing</span>"
    return (
        f'<tr><th scope="row">{escape(state.service)}</th>'
        f'<td><span class="state {tone}">{state.word}</span></td><td>{why}</td></tr>'
    )


def _schemas(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "schemas").glob("*.json"))


def _schema(name: str) -> str:
    return f'<li><a href="/schemas/{escape(name)}.json">{escape(name)}</a></li>'
