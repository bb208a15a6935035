"""A program's way to the API: one method for each thing that can be asked of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from certfold.calling import LONGEST_WAIT_SECONDS, Caller, Json, Refused

LOOK_AGAIN_SECONDS = 0.5
ENDS = frozenset({"refused", "validation_failed", "issued", "withdrawn"})


@dataclass(frozen=True, slots=True)
class Download:
    """A bundle for one kind of server: a text, or a zip."""

    name: str
    content: bytes
    is_zip: bool


class Client(Caller):
    """Asks for whatever Certfold does. Lists are read to their end.

    A method raises `Refused` or `Unreachable`, and nothing else.
    """

    # Who and what

    def me(self) -> Json:
        """Tell whose token it is."""
        return self.get("me")

    def tokens(self) -> list[Json]:
        """List tokens without themselves."""
        return list(self.items("tokens"))

    def create_token(self, name: str, role: str, account_id: str | None = None) -> Json:
        """Issue a token; `token` in the answer is shown this once."""
        wish = {"name": name, "role": role, "account_id": account_id}
        return self.command("POST", "tokens", wish, wait=0)

    def revoke_token(self, token_id: str) -> None:
        """Let nobody in by this token any more."""
        self.send("DELETE", f"tokens/{_part(token_id)}")

    def parked(self, service: str) -> list[Json]:
        """List the messages that wait for a person."""
        return list(self.items(f"services/{_part(service)}/parked"))

    def replay(self, service: str, parked_id: str) -> None:
        """Handle a parked message again."""
        path = f"services/{_part(service)}/parked/{_part(parked_id)}/replay"
        self.send("POST", path, ends_it=True)

    def discard(self, service: str, parked_id: str) -> None:
        """Forget a parked message."""
        path = f"services/{_part(service)}/parked/{_part(parked_id)}"
        self.send("DELETE", path, ends_it=True)

    # Instances

    def quota(self) -> list[Json]:
        """List what was bought and is not yet an instance."""
        return list(self.items("quota"))

    def create(self, purchase_id: str, count: int, *, term_years: int = 1) -> list[Json]:
        """Make instances of quota."""
        wish = {"purchase_id": purchase_id, "count": count, "term_years": term_years}
        made: list[Json] = self.command("POST", "instances", wish)["items"]
        return made

    def refund_quota(self, purchase_id: str, count: int) -> Json:
        """Give back what never became an instance."""
        return self.command("POST", f"quota/{_part(purchase_id)}/refund", {"count": count})

    def account(self, *, auto_create: bool | None = None) -> Json:
        """Show what the account has chosen, or choose: instances of each purchase at once."""
        if auto_create is None:
            return self.get("account")
        return self.command("PUT", "account", {"auto_create": auto_create})

    def instances(self, **filters: str | None) -> list[Json]:
        """List instances.

        Filter by `status`, `q`, `brand`, `certificate_type`, `purchase_id`, `tag`; order by `sort`.
        """
        return list(self.items("instances", **filters))

    def instance(self, instance_id: str) -> Json:
        """Show one instance."""
        return self.get(f"instances/{_part(instance_id)}")

    def history(self, instance_id: str) -> list[Json]:
        """List all that ever happened to an instance."""
        return list(self.items(f"instances/{_part(instance_id)}/history"))

    def refund(self, instance_id: str) -> Json:
        """Give an instance back."""
        return self.command("POST", f"instances/{_part(instance_id)}/refund")

    def host(self, instance_id: str, *, hosted: bool) -> Json:
        """Have an instance renewed automatically, or no longer."""
        return self.command("PUT", f"instances/{_part(instance_id)}/hosting", {"hosted": hosted})

    def annotate(self, instance_id: str, **notes: Any) -> Json:
        """Write on an instance: `remark`, `tags`."""
        return self.command("PATCH", f"instances/{_part(instance_id)}", notes)

    def plan(self, names: Sequence[str], **wanted: str | None) -> Json:
        """Say what to combine for these names; of which `brand` and `certificate_type`."""
        return self.command("POST", "combinations/plan", {"names": list(names), **wanted}, wait=0)

    def preview(self, instance_ids: Sequence[str], as_of: str | None = None) -> Json:
        """Tell what would come of combining, by the rules of a day; change nothing."""
        wish = {"instance_ids": list(instance_ids), "as_of": as_of}
        return self.command("POST", "combinations/preview", wish, wait=0)

    def combine(
        self,
        instance_ids: Sequence[str],
        *,
        accept_no_refund: bool,
        wait: int = LONGEST_WAIT_SECONDS,
    ) -> Json:
        """Combine instances; a combination that was refused is told as such."""
        wish = {"instance_ids": list(instance_ids), "refund_waiver_acknowledged": accept_no_refund}
        return _accepted(self.command("POST", "combinations", wish, wait=wait))

    def combinations(self, status: str | None = None) -> list[Json]:
        """List combinations; `status` is `requested`, `combined` or `refused`."""
        return list(self.items("combinations", status=status))

    def combination(self, combination_id: str) -> Json:
        """Show how a combination stands."""
        return self.get(f"combinations/{_part(combination_id)}")

    # Applications

    def apply(self, form: Mapping[str, Any], *, wait: int = LONGEST_WAIT_SECONDS) -> Json:
        """Apply for a certificate; an application that was refused is told as such."""
        return _accepted(self.command("POST", "applications", dict(form), wait=wait))

    def applications(self) -> list[Json]:
        """List applications."""
        return list(self.items("applications"))

    def application(self, application_id: str) -> Json:
        """Show how an application stands."""
        return self.get(f"applications/{_part(application_id)}")

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
        return self.command(
            "POST", f"applications/{_part(application_id)}/withdrawal", None, wait=wait
        )

    def check(self, application_id: str, name: str, *, wait: int = LONGEST_WAIT_SECONDS) -> Json:
        """Look for the proof of one name now."""
        path = f"applications/{_part(application_id)}/names/{_part(name)}/check"
        return self.command("POST", path, None, wait=wait)

    def drop(self, application_id: str, name: str, *, wait: int = LONGEST_WAIT_SECONDS) -> Json:
        """Go on without one name."""
        path = f"applications/{_part(application_id)}/names/{_part(name)}"
        return self.command("DELETE", path, wait=wait)

    # The CA's officers

    def tasks(self, status: str | None = "open") -> list[Json]:
        """List what officers have to look into."""
        return list(self.items("verification/tasks", status=status))

    def decide(self, task_id: str, decision: str, note: str = "", evidence: str = "") -> Json:
        """Decide a task."""
        wish = {"decision": decision, "note": note, "evidence": evidence}
        path = f"verification/tasks/{_part(task_id)}/decision"
        return self.command("POST", path, wish)

    # Certificates

    def certificates(self, q: str | None = None) -> list[Json]:
        """List certificates; `q` is a part of a name, or a serial number."""
        return list(self.items("certificates", q=q))

    def certificate(self, certificate_id: str) -> Json:
        """Show one certificate."""
        return self.get(f"certificates/{_part(certificate_id)}")

    def revoke(self, certificate_id: str, reason: str, *, wait: int = LONGEST_WAIT_SECONDS) -> Json:
        """Have a certificate revoked, for ever."""
        path = f"certificates/{_part(certificate_id)}/revocation"
        return self.command("POST", path, {"reason": reason}, wait=wait)

    def installations(self, certificate_id: str) -> list[Json]:
        """Look which names serve the certificate."""
        found: list[Json] = self.get(f"certificates/{_part(certificate_id)}/installations")["items"]
        return found

    def download(self, certificate_id: str, format_: str) -> Download:
        """Fetch a bundle."""
        path = f"certificates/{_part(certificate_id)}/download"
        answer = self.send("GET", path, params={"format": format_})
        is_zip = "zip" in answer.headers.get("content-type", "")
        name = f"{certificate_id}-{format_}.{'zip' if is_zip else 'pem'}"
        return Download(name, answer.content, is_zip)


def _accepted(outcome: Json) -> Json:
    """Raise what was refused after it was accepted for a decision: all of its objections."""
    if outcome.get("status") == "refused":
        raise Refused(httpx.codes.CONFLICT, outcome)
    return outcome


def _part(text: str) -> str:
    """Write an id as one part of a path; of dots alone, it would be none (RFC 3986 §5.2.4)."""
    return text.replace(".", "%2E") if text in {".", ".."} else quote(text, safe="")
