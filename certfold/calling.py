"""How the API is called: where it is, in whose name, again where a service was away."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

ENDPOINTS, API, TOKEN, DATA = (
    "CERTFOLD_ENDPOINTS",
    "CERTFOLD_API",
    "CERTFOLD_TOKEN",
    "CERTFOLD_DATA",
)
USUAL_DATA = ".data"
PATIENCE_SECONDS = 10.0  # beyond what the server was asked to wait
CONNECT_SECONDS = 3.0
LONGEST_WAIT_SECONDS = 30
TRIES = 4
AGAIN_SECONDS = 0.5
PAGE_ITEMS = 200

Json = dict[str, Any]


class Refused(Exception):  # noqa: N818 - what the API said, not what went wrong
    """The API said no: `problem` is its RFC 9457 document, or a thing that was refused."""

    def __init__(self, status: int, problem: Json) -> None:
        self.status, self.problem = status, problem
        super().__init__("\n".join(self.reasons))

    @property
    def reasons(self) -> list[str]:
        """Every objection as a line; without any, what the problem says of itself."""
        objections = self.problem.get("objections") or ()
        told = [f"{one['code']}: {one['subject']}: {one['message']}" for one in objections]
        detail = self.problem.get("detail") or self.problem.get("title") or ""
        return told or [f"{self.status or ''} {detail}".strip()]


class Unreachable(Exception):  # noqa: N818 - as above
    """Nobody answers, or nothing says where to ask."""


class Caller:
    """Calls the API in one person's name. Every command may be sent again: it counts once.

    Whatever is called raises `Refused` or `Unreachable`, and nothing else.
    """

    def __init__(self, api: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(
            base_url=f"{api.rstrip('/')}/",
            headers={"authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(LONGEST_WAIT_SECONDS + PATIENCE_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,  # a proxy in the environment is not for loopback
            transport=transport,
        )

    @classmethod
    def found(cls, login: str = "applicant", file: Path | None = None) -> Self:
        """Find the API and a login in the embedded system's endpoints, or in the environment.

        Raises `LookupError` for a login that there is not.
        """
        api, token = os.environ.get(API), os.environ.get(TOKEN)
        if not (api and token):
            known = endpoints(file)
            tokens = known["tokens"]
            if not token and login not in tokens:
                raise LookupError(f"there is no login {login!r}, only {', '.join(tokens)}")
            api, token = api or known["api"], token or tokens[login]
        return cls(api, token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def get(self, path: str, **params: str) -> Json:
        """Read one thing."""
        return _object(self.send("GET", path, params=params))

    def command(
        self, method: str, path: str, body: Json | None = None, *, wait: int = LONGEST_WAIT_SECONDS
    ) -> Json:
        """Command something, and wait for the outcome so many seconds; 0: only for the receipt."""
        headers = {"idempotency-key": str(uuid4())} | ({"prefer": f"wait={wait}"} if wait else {})
        return _object(self.send(method, path, headers=headers, json=body))

    def items(self, path: str, **filters: str | None) -> Iterator[Json]:
        """Read a list to its end."""
        params = {name: value for name, value in filters.items() if value is not None}
        params["limit"] = str(PAGE_ITEMS)
        while True:
            page = self.get(path, **params)
            yield from page["items"]
            if not page["next_cursor"]:
                return
            params["cursor"] = page["next_cursor"]

    def send(self, method: str, path: str, *, ends_it: bool = False, **how: Any) -> httpx.Response:
        """Ask; again where a service was away for a moment.

        `ends_it`: what `path` names is no more once this is done, so a 404 to a second try
        says that the first one has done it.
        """
        for attempt in range(1, TRIES + 1):
            pause = AGAIN_SECONDS * attempt
            try:
                answer = self._http.request(method, path, **how)
            except httpx.ConnectError as error:
                raise Unreachable(f"{self._http.base_url} does not answer: {error}") from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = f"{self._http.base_url} does not answer: {error!r}"
            else:
                if ends_it and attempt > 1 and answer.status_code == httpx.codes.NOT_FOUND:
                    return answer
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    return _judged(answer)
                reason = Refused(answer.status_code, _problem(answer)).reasons[0]
                with suppress(ValueError):
                    pause = float(answer.headers.get("retry-after", pause))
            if attempt < TRIES:
                time.sleep(pause)
        raise Unreachable(reason)


def endpoints(file: Path | None = None) -> Json:
    """Read where the embedded system is."""
    usual = Path(os.environ.get(DATA, USUAL_DATA), "endpoints.json")
    path = file or Path(os.environ.get(ENDPOINTS, usual))
    try:
        found: Json = json.loads(path.read_text())
    except FileNotFoundError:
        raise Unreachable(
            f"there is no {path}: is the system up, and are you in its folder?"
        ) from None
    except (OSError, ValueError) as error:
        raise Unreachable(f"{path} cannot be read: {error}") from None
    return found


def _judged(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    raise Refused(answer.status_code, _problem(answer))


def _problem(answer: httpx.Response) -> Json:
    with suppress(ValueError):
        told = answer.json()
        if isinstance(told, dict):
            return told
    return {"title": answer.reason_phrase, "status": answer.status_code}


def _object(answer: httpx.Response) -> Json:
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Unreachable(f"{answer.url} answers {answer.status_code} without a JSON object")
    return told
