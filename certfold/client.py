"""A program's way to the API: one method for each thing that can be asked of it."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote
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
LOOK_AGAIN_SECONDS = 0.5
ENDS = frozenset({"refused", "validation_failed", "issued", "withdrawn"})

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


@dataclass(frozen=True, slots=True)
class Download:
    """A bundle for one kind of server: a text, or a zip."""

    name: str
    content: bytes
    is_zip: bool


class Client:
    """Asks the API in one person's name. Every command may be sent again: it counts once.

    Lists are read to their end. A method raises `Refused` or `Unreachable`, and nothing else.
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

    # Who and what

    def me(self) -> Json:
        """Tell whose token it is."""
        return self._get("me")

    def tokens(self) -> list[Json]:
        """List tokens without themselves."""
        return list(self._list("tokens"))

    def create_token(self, name: str, role: str, account_id: str | None = None) -> Json:
        """Issue a token; `token` in the answer is shown this once."""
        return self._post("tokens", {"name": name, "role": role, "account_id": account_id})

    def revoke_token(self, token_id: str) -> None:
        """Let nobody in by this token any more."""
        self._send("DELETE", f"tokens/{_part(token_id)}")

    def parked(self, service: str) -> list[Json]:
        """List the messages that wait for a person."""
        return list(self._list(f"services/{_part(service)}/parked"))

    def replay(self, service: str, parked_id: str) -> None:
        """Handle a parked message again."""
        self._send("POST", f"services/{_part(service)}/parked/{_part(parked_id)}/replay")

    def discard(self, service: str, parked_id: str) -> None:
        """Forget a parked message."""
        self._send("DELETE", f"services/{_part(service)}/parked/{_part(parked_id)}")

    # Instances

    def quota(self) -> list[Json]:
        """List what was bought and is not yet an instance."""
        return list(self._list("quota"))

    def create(self, purchase_id: str, count: int, *, term_years: int = 1) -> list[Json]:
        """Make instances of quota."""
        wish = {"purchase_id": purchase_id, "count": count, "term_years": term_years}
        made: list[Json] = self._post("instances", wish, wait=LONGEST_WAIT_SECONDS)["items"]
        return made

    def instances(self, **filters: str | None) -> list[Json]:
        """List instances; filter by `status`, `q`, `brand`, `certificate_type`."""
        return list(self._list("instances", **filters))

    def instance(self, instance_id: str) -> Json:
        """Show one instance."""
        return self._get(f"instances/{_part(instance_id)}")

    def preview(self, instance_ids: Sequence[str]) -> Json:
        """Tell what would come of combining; change nothing."""
        return self._post("combinations/preview", {"instance_ids": list(instance_ids)})

    def combine(
        self,
        instance_ids: Sequence[str],
        *,
        accept_no_refund: bool,
        wait: int = LONGEST_WAIT_SECONDS,
    ) -> Json:
        """Combine instances; a combination that was refused is told as such."""
        wish = {"instance_ids": list(instance_ids), "refund_waiver_acknowledged": accept_no_refund}
        return _accepted(self._post("combinations", wish, wait=wait))

    def combination(self, combination_id: str) -> Json:
        """Show how a combination stands."""
        return self._get(f"combinations/{_part(combination_id)}")

    # Applications

    def apply(self, form: Mapping[str, Any], *, wait: int = LONGEST_WAIT_SECONDS) -> Json:
        """Apply for a certificate; an application that was refused is told as such."""
        return _accepted(self._post("applications", dict(form), wait=wait))

    def applications(self) -> list[Json]:
        """List applications."""
        return list(self._list("applications"))

    def application(self, application_id: str) -> Json:
        """Show how an application stands."""
        return self._get(f"applications/{_part(application_id)}")

    def watch(
        self,
        application_id: str,
        tell: Callable[[Json], None] = lambda _: None,
        *,
        timeout: float | None = None,
    ) -> Json:
        """Follow an application until it ends; `tell` is called whenever it looks different.

        Raises `TimeoutError` after `timeout` seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        seen: Json = {}
        while True:
            now = self.application(application_id)
            if now != seen:
                tell(now)
            if now["status"] in ENDS:
                return now
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"{application_id} is still {now['status']}")
            seen = now
            time.sleep(LOOK_AGAIN_SECONDS)

    def withdraw(self, application_id: str, *, wait: int = LONGEST_WAIT_SECONDS) -> Json:
        """Take an application back."""
        return self._post(f"applications/{_part(application_id)}/withdrawal", None, wait=wait)

    def check(self, application_id: str, name: str, *, wait: int = LONGEST_WAIT_SECONDS) -> Json:
        """Look for the proof of one name now."""
        path = f"applications/{_part(application_id)}/names/{_part(name)}/check"
        return self._post(path, None, wait=wait)

    # The CA's officers

    def tasks(self, status: str | None = "open") -> list[Json]:
        """List what officers have to look into."""
        return list(self._list("verification/tasks", status=status))

    def decide(self, task_id: str, decision: str, note: str = "", evidence: str = "") -> Json:
        """Decide a task."""
        wish = {"decision": decision, "note": note, "evidence": evidence}
        path = f"verification/tasks/{_part(task_id)}/decision"
        return self._post(path, wish, wait=LONGEST_WAIT_SECONDS)

    # Certificates

    def certificates(self, q: str | None = None) -> list[Json]:
        """List certificates; `q` is a part of a name, or a serial number."""
        return list(self._list("certificates", q=q))

    def certificate(self, certificate_id: str) -> Json:
        """Show one certificate."""
        return self._get(f"certificates/{_part(certificate_id)}")

    def installations(self, certificate_id: str) -> list[Json]:
        """Look which names serve the certificate."""
        found: list[Json] = self._get(f"certificates/{_part(certificate_id)}/installations")[
            "items"
        ]
        return found

    def download(self, certificate_id: str, format_: str) -> Download:
        """Fetch a bundle."""
        path = f"certificates/{_part(certificate_id)}/download"
        answer = self._send("GET", path, params={"format": format_})
        is_zip = "zip" in answer.headers.get("content-type", "")
        name = f"{certificate_id}-{format_}.{'zip' if is_zip else 'pem'}"
        return Download(name, answer.content, is_zip)

    # How

    def _get(self, path: str, **params: str) -> Json:
        return _object(self._send("GET", path, params=params))

    def _post(self, path: str, body: Json | None, *, wait: int = 0) -> Json:
        headers = {"idempotency-key": str(uuid4())} | ({"prefer": f"wait={wait}"} if wait else {})
        return _object(self._send("POST", path, headers=headers, json=body))

    def _list(self, path: str, **filters: str | None) -> Iterator[Json]:
        params = {name: value for name, value in filters.items() if value is not None}
        params["limit"] = str(PAGE_ITEMS)
        while True:
            page = self._get(path, **params)
            yield from page["items"]
            if not page["next_cursor"]:
                return
            params["cursor"] = page["next_cursor"]

    def _send(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Ask; again where a service was away for a moment."""
        for attempt in range(1, TRIES + 1):
            pause = AGAIN_SECONDS * attempt
            try:
                answer = self._http.request(method, path, **how)
            except httpx.ConnectError as error:
                raise Unreachable(f"{self._http.base_url} does not answer: {error}") from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = f"{self._http.base_url} does not answer: {error!r}"
            else:
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


def _accepted(outcome: Json) -> Json:
    """Raise what was refused after it was accepted for a decision: all of its objections."""
    if outcome.get("status") == "refused":
        raise Refused(httpx.codes.CONFLICT, outcome)
    return outcome


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


def _part(text: str) -> str:
    return quote(text, safe="")
