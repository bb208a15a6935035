"""Applying, and what applicants and officers do until it is issued, on the command line."""

import json
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from certfold.calling import Json, Refused
from certfold.commands_common import REFUSED, As, AsJson, asking, fail
from certfold.show import tell_items, tell_json, tell_thing, text

app = typer.Typer(no_args_is_help=True)


class Verdict(StrEnum):
    """What an officer may decide."""

    CONFIRM, REFUSE, POSTPONE = "confirm", "refuse", "postpone"


@app.command()
def apply(
    instance: Annotated[str, typer.Option(help="Its id.")],
    form: Annotated[
        Path,
        typer.Option("--from", exists=True, dir_okay=False, help="JSON: the rest of the form."),
    ],
    *,
    name: Annotated[list[str] | None, typer.Option(help="One name to bind; repeat it.")] = None,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """Apply for a certificate. The form holds organisation, contact, key_algorithm, csr."""
    filled = _form(form)
    names = [*filled.get("names", []), *(name or [])]
    with asking(login) as client:
        applied = client.apply({**filled, "instance_id": instance, "names": names})
        tell_thing(applied, as_json=as_json)


def _form(path: Path) -> Json:
    try:
        filled = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{path}: {error}", param_hint="--from") from None
    if not isinstance(filled, dict):
        raise typer.BadParameter(f"{path} holds no JSON object", param_hint="--from")
    return filled


@app.command()
def application(application_id: str, *, login: As = "applicant", as_json: AsJson = False) -> None:
    """Show an application: what to put where, and what it waits on."""
    with asking(login) as client:
        tell_thing(client.application(application_id), as_json=as_json)


@app.command()
def applications(*, login: As = "applicant", as_json: AsJson = False) -> None:
    """List applications."""
    with asking(login) as client:
        columns = ("application_id", "instance_id", "status", "certificate_kind", "expected_by")
        tell_items(client.applications(), (*columns, "overdue"), as_json=as_json)


@app.command()
def watch(
    application_id: str,
    *,
    timeout: Annotated[float | None, typer.Option(help="Seconds; by default for ever.")] = None,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """Follow an application until it ends, and tell what waits on whom."""

    def tell(now: Json) -> None:
        at = time.strftime("%H:%M:%S")
        typer.echo(f"{at}  {now['status']}{'  overdue' if now['overdue'] else ''}", err=as_json)
        for one in now["waiting_on"]:
            waits = f"{one['item']}: {one['reason']}: {one['next_action']}"
            typer.echo(text(f"          waits on {one['party']} for {waits}"), err=as_json)

    with asking(login) as client:
        try:
            ended = client.watch(application_id, tell, timeout=timeout)
        except TimeoutError as error:
            raise fail([str(error)], REFUSED) from None
        if as_json:
            tell_json(ended)
        if ended["status"] != "issued":
            raise Refused(0, {"title": f"it ended {ended['status']}", **ended})
        if not as_json:
            typer.echo(f"certificate {ended['certificate_id']}")


@app.command()
def check(
    application_id: str, name: str, *, login: As = "applicant", as_json: AsJson = False
) -> None:
    """Look for the proof of one name now."""
    with asking(login) as client:
        tell_thing(client.check(application_id, name), as_json=as_json)


@app.command()
def drop(
    application_id: str, name: str, *, login: As = "applicant", as_json: AsJson = False
) -> None:
    """Go on without one name, so that it does not hold up the others."""
    with asking(login) as client:
        tell_thing(client.drop(application_id, name), as_json=as_json)


@app.command()
def withdraw(application_id: str, *, login: As = "applicant", as_json: AsJson = False) -> None:
    """Take an application back."""
    with asking(login) as client:
        tell_thing(client.withdraw(application_id), as_json=as_json)


@app.command()
def tasks(
    *,
    status: Annotated[str, typer.Option(help="open, waiting, confirmed, refused, closed")] = "open",
    login: As = "officer",
    as_json: AsJson = False,
) -> None:
    """List what officers have to look into."""
    with asking(login) as client:
        columns = ("task_id", "application_id", "item", "role", "status", "due_by", "names")
        tell_items(client.tasks(status), columns, as_json=as_json)


@app.command()
def decide(
    task_id: str,
    decision: Verdict,
    *,
    note: Annotated[str, typer.Option(help="What was found.")] = "",
    evidence: Annotated[str, typer.Option(help="Where it was found.")] = "",
    login: Annotated[
        str | None, typer.Option("--as", help="By default whose task it is: officer or reviewer.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Decide an officer's or a reviewer's task; to refuse rejects the application."""
    if login is None:
        with asking("officer") as client:
            login = next((t["role"] for t in client.tasks() if t["task_id"] == task_id), "officer")
    with asking(login) as client:
        tell_thing(client.decide(task_id, decision.value, note, evidence), as_json=as_json)
