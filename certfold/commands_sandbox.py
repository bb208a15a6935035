"""The outside world of a system on one machine, to try it: its clock, a shop, domains, servers."""

import json
from pathlib import Path
from typing import Annotated

import typer

from certfold.commands_common import (
    DEFAULT_DATA,
    USAGE,
    As,
    AsJson,
    Data,
    asking,
    ended,
    endpoints_in,
    stop,
)
from certfold.sandbox.clock import ClockError, SandboxClock, parse
from certfold.sandbox.owner import RecordRefusedError, install, publish_record
from certfold.sandbox.shop import publish

app = typer.Typer()
sandbox = typer.Typer(no_args_is_help=True, help="The outside world of a system on one machine.")
app.add_typer(sandbox, name="sandbox")


@sandbox.command()
def clock(
    distance: Annotated[str | None, typer.Argument(help="+2d, +3h, +90m, or a time.")] = None,
    to: Annotated[str | None, typer.Option(help="A time: 2026-11-26T09:00+08:00.")] = None,
    data: Data = DEFAULT_DATA,
    *,
    as_json: AsJson = False,
) -> None:
    """Move the one clock of all services forward; timers due in between fire in order."""
    if distance and to:
        stop("give a distance or --to, not both", USAGE)
    health = endpoints_in(data).get("health", {})
    watch = SandboxClock(
        data / "sandbox" / "clock.json", health, tell=lambda said: typer.echo(said, err=True)
    )
    moment = watch.now()
    if wanted := distance or to:
        try:
            target = parse(wanted, moment)
        except ValueError as error:
            stop(str(error), USAGE)
        moment = ended(watch.move(target), ClockError)
    now = moment.isoformat(timespec="seconds")
    typer.echo(json.dumps({"now": now}) if as_json else f"it is {now}")


@sandbox.command()
def shop(
    purchases: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="JSON lines: demo/purchases.jsonl.")
    ],
    data: Data = DEFAULT_DATA,
    *,
    account: Annotated[str | None, typer.Option(help="By default the applicant's.")] = None,
    suffix: Annotated[str, typer.Option(help="To sell the same again: of its ids.")] = "",
    as_json: AsJson = False,
) -> None:
    """Publish purchases, as a shop does."""
    where = endpoints_in(data)
    selling = publish(where["kafka"], purchases, account or where["account_id"], suffix)
    sold = [one["purchase_id"] for one in ended(selling, RecordRefusedError)]
    typer.echo(json.dumps(sold) if as_json else "\n".join(sold))


@sandbox.command()
def prove(
    application_id: str,
    data: Data = DEFAULT_DATA,
    *,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """Put into the DNS what the challenges ask for, as the owner of the names does."""
    name_server = endpoints_in(data)["sandbox"]["dns"]
    proven = []
    with asking(login) as client:
        for one in client.application(application_id)["names"]:
            if one["state"] == "pending" and (challenge := one["challenge"]):
                ended(publish_record(name_server, challenge), RecordRefusedError)
                proven.append(challenge["record_name"])
    typer.echo(json.dumps(proven) if as_json else "\n".join(proven))


@sandbox.command("install")
def install_(
    certificate_id: str,
    host: Annotated[list[str], typer.Argument(help="The names of the servers.")],
    data: Data = DEFAULT_DATA,
    *,
    login: As = "applicant",
) -> None:
    """Put a certificate and its key onto servers, as their administrators do."""
    files = Path(endpoints_in(data)["sandbox"]["files"])
    with asking(login) as client:
        bundle = client.download(certificate_id, "nginx").content
    for one in host:
        install(files, one, bundle)
        typer.echo(str(files / "tls" / one))
