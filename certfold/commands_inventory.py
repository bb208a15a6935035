"""What was bought and what is made of it, on the command line."""

from datetime import datetime
from typing import Annotated

import typer

from certfold.calling import Refused
from certfold.commands_common import As, AsJson, asking
from certfold.show import tell_items, tell_thing

app = typer.Typer(no_args_is_help=True)


@app.command()
def quota(*, login: As = "applicant", as_json: AsJson = False) -> None:
    """List what was bought and is not yet an instance."""
    with asking(login) as client:
        columns = ("purchase_id", "brand", "certificate_type", "names", "remaining", "quantity")
        tell_items(client.quota(), (*columns, "term_years", "paid_at"), as_json=as_json)


INSTANCE = ("instance_id", "name", "status", "brand", "certificate_type", "names", "created_at")


@app.command()
def instances(
    *,
    status: Annotated[str | None, typer.Option(help="pending_application, issued, …")] = None,
    q: Annotated[str | None, typer.Option(help="A part of the name.")] = None,
    brand: Annotated[str | None, typer.Option()] = None,
    certificate_type: Annotated[
        str | None, typer.Option("--type", metavar="DV|OV|EV", help="DV, OV, EV.")
    ] = None,
    purchase: Annotated[str | None, typer.Option(help="Of this purchase.")] = None,
    tag: Annotated[str | None, typer.Option()] = None,
    sort: Annotated[str | None, typer.Option(help="created_at, -created_at, name, …")] = None,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """List instances, combined and refunded ones too."""
    with asking(login) as client:
        found = client.instances(
            status=status,
            q=q,
            brand=brand,
            certificate_type=certificate_type,
            purchase_id=purchase,
            tag=tag,
            sort=sort,
        )
        tell_items(found, INSTANCE, as_json=as_json)


@app.command()
def instance(instance_id: str, *, login: As = "applicant", as_json: AsJson = False) -> None:
    """Show an instance."""
    with asking(login) as client:
        tell_thing(client.instance(instance_id), as_json=as_json)


@app.command()
def history(instance_id: str, *, login: As = "applicant", as_json: AsJson = False) -> None:
    """List all that ever happened to an instance: when, who, what, by which event."""
    with asking(login) as client:
        columns = ("at", "who", "what", "event_id")
        tell_items(client.history(instance_id), columns, as_json=as_json)


@app.command()
def refund(
    instance_id: Annotated[str | None, typer.Argument(help="An instance.")] = None,
    *,
    purchase: Annotated[str | None, typer.Option(help="Or quota of this purchase.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Of that quota.")] = 1,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """Give an instance back, or quota that never became one, within the time for refunds."""
    if (instance_id is None) == (purchase is None):
        raise typer.BadParameter("give either an instance or --purchase")
    with asking(login) as client:
        if purchase is not None:
            tell_thing(client.refund_quota(purchase, count), as_json=as_json)
        elif instance_id is not None:
            tell_thing(client.refund(instance_id), as_json=as_json)


@app.command()
def host(
    instance_id: str,
    *,
    hosted: Annotated[bool, typer.Option("--on/--off", help="Renew automatically.")],
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """Have an instance renewed automatically, or no longer; a hosted one is never combined."""
    with asking(login) as client:
        tell_thing(client.host(instance_id, hosted=hosted), as_json=as_json)


@app.command()
def annotate(
    instance_id: str,
    *,
    remark: Annotated[str | None, typer.Option(help="An empty one takes it away.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Repeat it; these replace all.")] = None,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """Write a remark or tags on an instance; what is left out stays as it is."""
    with asking(login) as client:
        written = client.annotate(instance_id, remark=remark, tags=tag or None)
        tell_thing(written, as_json=as_json)


@app.command()
def account(
    *,
    auto_create: Annotated[
        bool | None,
        typer.Option("--auto-create/--no-auto-create", help="Make instances of purchases at once."),
    ] = None,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """Show what the account has chosen, or choose."""
    with asking(login) as client:
        tell_thing(client.account(auto_create=auto_create), as_json=as_json)


@app.command()
def create(
    purchase: Annotated[str, typer.Option(help="The purchase whose quota is used.")],
    *,
    count: Annotated[int, typer.Option(min=1)] = 1,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """Make instances of quota: "Apply for Certificate" above the list."""
    with asking(login) as client:
        tell_items(client.create(purchase, count), INSTANCE, as_json=as_json)


@app.command()
def plan(
    names: Annotated[list[str], typer.Argument(help="All names of the certificate to come.")],
    *,
    brand: Annotated[str | None, typer.Option()] = None,
    certificate_type: Annotated[
        str | None, typer.Option("--type", metavar="DV|OV|EV", help="DV, OV, EV.")
    ] = None,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """Say which instances to combine for these names, and what is missing; change nothing."""
    with asking(login) as client:
        found = client.plan(names, brand=brand, certificate_type=certificate_type)
        tell_thing(found, as_json=as_json)


@app.command()
def combine(
    instance: Annotated[list[str], typer.Argument(help="Two or more.")],
    *,
    preview: Annotated[bool, typer.Option("--preview", help="Only tell; change nothing.")] = False,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="With --preview: by the rules of that day."),
    ] = None,
    accept_no_refund: Annotated[
        bool,
        typer.Option("--accept-no-refund", help="I know: none of them can be refunded afterwards."),
    ] = False,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """Make one instance of several; all or none."""
    if as_of and not preview:
        raise typer.BadParameter("only a preview judges by another day", param_hint="--as-of")
    with asking(login) as client:
        if not preview:
            done = client.combine(instance, accept_no_refund=accept_no_refund)
            tell_thing(done, as_json=as_json)
            return
        told = client.preview(instance, as_of.date().isoformat() if as_of else None)
        tell_thing(told, as_json=as_json)
        if not told["allowed"]:
            raise Refused(0, told)


@app.command()
def combinations(
    *,
    status: Annotated[str | None, typer.Option(help="requested, combined, refused.")] = None,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """List combinations, refused ones too."""
    with asking(login) as client:
        columns = ("combination_id", "status", "instance_id", "instance_name", "instance_ids")
        tell_items(client.combinations(status), columns, as_json=as_json)


@app.command()
def combination(combination_id: str, *, login: As = "applicant", as_json: AsJson = False) -> None:
    """Show how a combination stands."""
    with asking(login) as client:
        tell_thing(client.combination(combination_id), as_json=as_json)
