"""The operator's verbs: how it is, what can be set, who may come in, what waits for a person."""

from collections.abc import Iterator
from importlib import import_module
from typing import Annotated, Any

import httpx
import typer

from certfold import calling, provision
from certfold.calling import Json, Refused, Unreachable, endpoints
from certfold.client import Client
from certfold.commands_common import REFUSED, UNREACHABLE, As, AsJson, asking, fail
from certfold.show import tell_items, tell_thing
from certfold.up.settings import SETTINGS

ASK_SECONDS = 2.0
COMMON = "CERTFOLD_"
OURS = {
    calling.ENDPOINTS: "where endpoints.json is; .data/endpoints.json by default",
    calling.API: "where the API is, for commands; endpoints.json tells by default",
    calling.TOKEN: "the token that commands use; a login of endpoints.json by default",
    "CERTFOLD_POSTGRES_ADMIN_DSN": "a superuser's, for `certfold migrate`",
}

app = typer.Typer(no_args_is_help=True)
token = typer.Typer(no_args_is_help=True, help="Who may come in.")
parked = typer.Typer(no_args_is_help=True, help="Messages that wait for a person.")
app.add_typer(token, name="token")
app.add_typer(parked, name="parked")

Service = Annotated[str | None, typer.Option(help="By default all.")]


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Tell how each service is, and what it waits for."""
    try:
        health: dict[str, str] = endpoints().get("health", {})
    except Unreachable as away:
        raise fail([str(away)], UNREACHABLE) from None
    states = [_state(name, url) for name, url in sorted(health.items())]
    tell_items(states, ("service", "state", "waits_for"), as_json=as_json)
    if all(one["state"] == "away" for one in states):
        raise fail(["no service answers"], UNREACHABLE)
    if any(one["state"] != "ready" for one in states):
        raise typer.Exit(REFUSED)


def _state(service: str, url: str) -> Json:
    url = url if url.endswith("/readyz") else f"{url.rstrip('/')}/readyz"
    try:
        told = httpx.get(url, timeout=ASK_SECONDS, trust_env=False).json()
        return {
            "service": service,
            "state": "ready" if told["ready"] else "waiting",
            "waits_for": told["waits_for"],
        }
    except (httpx.HTTPError, ValueError, LookupError) as error:
        return {"service": service, "state": "away", "waits_for": {"answer": str(error)}}


@app.command()
def settings(*, as_json: AsJson = False) -> None:
    """List every setting of every service and of the embedded system.

    What is called CERTFOLD_<SERVICE>_<NAME> may be said to all services as CERTFOLD_<NAME>.
    """
    columns = ("name", "default", "description")
    tell_items([*_services_settings(), *_other_settings()], columns, as_json=as_json)


def _services_settings() -> Iterator[Json]:
    for service in provision.SERVICES:
        kind: Any = import_module(f"services.{service}.settings").Settings
        for name, field in kind.model_fields.items():
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            yield {
                "service": service,
                "name": f"{kind.prefix()}{name.upper()}",
                "default": default if default is None else str(default),
                "required": field.is_required(),
                "description": field.description,
            }


def _other_settings() -> Iterator[Json]:
    for name, description in sorted({**SETTINGS, **OURS}.items()):
        yield {
            "service": None,
            "name": name,
            "default": None,
            "required": False,
            "description": description,
        }


@token.command("list")
def list_(*, login: As = "operator", as_json: AsJson = False) -> None:
    """List who may come in, and who might."""
    with asking(login) as client:
        columns = ("token_id", "name", "role", "account_id", "issued_at", "revoked_at")
        tell_items(client.tokens(), columns, as_json=as_json)


@token.command("create")
def create_token(
    name: str,
    role: Annotated[str, typer.Option(help="applicant, officer, reviewer, auditor or operator")],
    *,
    account: Annotated[str | None, typer.Option(help="The account of an applicant.")] = None,
    login: As = "operator",
    as_json: AsJson = False,
) -> None:
    """Let somebody in. The token is shown this once."""
    with asking(login) as client:
        tell_thing(client.create_token(name, role, account), as_json=as_json)


@token.command()
def revoke(token_id: str, *, login: As = "operator", as_json: AsJson = False) -> None:
    """Let nobody in by this token any more."""
    with asking(login) as client:
        client.revoke_token(token_id)
        tell_thing({"token_id": token_id, "revoked": True}, as_json=as_json)


PARKED = ("id", "service", "topic", "partition", "offset", "error_class", "error_message")


@parked.command("list")
def list_parked(
    *, service: Service = None, login: As = "operator", as_json: AsJson = False
) -> None:
    """List messages that could not be handled, with the reason."""
    with asking(login) as client:
        tell_items(list(_parked(client, service)), PARKED, as_json=as_json)


@parked.command("show")
def show_parked(
    parked_id: str, *, service: Service = None, login: As = "operator", as_json: AsJson = False
) -> None:
    """Show a message as it came."""
    with asking(login) as client:
        found = _find(client, parked_id, service)
        shown = {**found, "headers": dict(found["headers"])}
        tell_thing(found if as_json else shown, as_json=as_json)


@parked.command()
def replay(
    parked_id: str, *, service: Service = None, login: As = "operator", as_json: AsJson = False
) -> None:
    """Handle a message again, once what was wrong is mended."""
    with asking(login) as client:
        found = _find(client, parked_id, service)
        client.replay(found["service"], parked_id)
        tell_thing({"id": parked_id, "replayed": True}, as_json=as_json)


@parked.command()
def discard(
    parked_id: str, *, service: Service = None, login: As = "operator", as_json: AsJson = False
) -> None:
    """Forget a message; its copy in the dead-letter topic stays."""
    with asking(login) as client:
        found = _find(client, parked_id, service)
        client.discard(found["service"], parked_id)
        tell_thing({"id": parked_id, "discarded": True}, as_json=as_json)


def _parked(client: Client, service: str | None) -> Iterator[Json]:
    for one in (service,) if service else provision.SERVICES:
        yield from ({"service": one, **message} for message in client.parked(one))


def _find(client: Client, parked_id: str, service: str | None) -> Json:
    """Find one message. Two services that read one topic may both have parked it."""
    found = [one for one in _parked(client, service) if one["id"] == parked_id]
    if not found:
        raise Refused(0, {"detail": f"no message {parked_id} is parked"})
    if len(found) > 1:
        services = " or ".join(one["service"] for one in found)
        raise typer.BadParameter(f"several have it: say --service {services}")
    return found[0]
