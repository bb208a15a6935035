"""The domain's verbs on the command line, over the API."""

import io
import json
import os
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from certfold.client import Client, Download, Json, Refused, Unreachable
from certfold.show import tell_items, tell_json, tell_thing, text

REFUSED, UNREACHABLE = 1, 3
ONLY_OWNER = 0o600  # a bundle may hold a private key

app = typer.Typer(no_args_is_help=True)

As = Annotated[str, typer.Option("--as", help="Which login of the embedded system to use.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


class Format(StrEnum):
    """What kind of server a bundle is for."""

    NGINX, APACHE, IIS, PEM, ROOT = "nginx", "apache", "iis", "pem", "root"
    TOMCAT_PFX, TOMCAT_JKS = "tomcat-pfx", "tomcat-jks"


class Verdict(StrEnum):
    """What an officer may decide."""

    CONFIRM, REFUSE, POSTPONE = "confirm", "refuse", "postpone"


@contextmanager
def asking(login: str) -> Iterator[Client]:
    """Ask as `login`; end with every reason on stderr, and with the exit code that it has."""
    try:
        with known(login) as client:
            yield client
    except Refused as no:
        raise fail(no.reasons, REFUSED) from None
    except Unreachable as away:
        raise fail([str(away)], UNREACHABLE) from None


def known(login: str) -> Client:
    """Find a login; one that there is not is a mistake on the command line."""
    try:
        return Client.found(login)
    except LookupError as error:
        raise typer.BadParameter(str(error), param_hint="--as") from None


def fail(reasons: list[str], code: int) -> typer.Exit:
    """Say why not."""
    for reason in reasons:
        typer.echo(text(reason), err=True)
    return typer.Exit(code)


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
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """List instances."""
    with asking(login) as client:
        found = client.instances(status=status, q=q, brand=brand)
        tell_items(found, INSTANCE, as_json=as_json)


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
def combine(
    instance: Annotated[list[str], typer.Argument(help="Two or more.")],
    *,
    preview: Annotated[bool, typer.Option("--preview", help="Only tell; change nothing.")] = False,
    accept_no_refund: Annotated[
        bool,
        typer.Option("--accept-no-refund", help="I know: none of them can be refunded afterwards."),
    ] = False,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """Make one instance of several; all or none."""
    with asking(login) as client:
        if not preview:
            done = client.combine(instance, accept_no_refund=accept_no_refund)
            tell_thing(done, as_json=as_json)
            return
        told = client.preview(instance)
        tell_thing(told, as_json=as_json)
        if not told["allowed"]:
            raise Refused(0, told)


@app.command()
def combination(combination_id: str, *, login: As = "applicant", as_json: AsJson = False) -> None:
    """Show how a combination stands."""
    with asking(login) as client:
        tell_thing(client.combination(combination_id), as_json=as_json)


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


@app.command()
def certificates(
    *,
    q: Annotated[str | None, typer.Option(help="A part of a name, or a serial number.")] = None,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """List certificates."""
    with asking(login) as client:
        columns = ("certificate_id", "status", "names", "not_after", "serial_number")
        tell_items(client.certificates(q), columns, as_json=as_json)


@app.command()
def installations(certificate_id: str, *, login: As = "applicant", as_json: AsJson = False) -> None:
    """Look which names serve a certificate, by real TLS handshakes."""
    with asking(login) as client:
        columns = ("name", "state", "reason", "sha256_fingerprint", "seen_at")
        tell_items(client.installations(certificate_id), columns, as_json=as_json)


@app.command()
def download(
    certificate_id: str,
    *,
    format_: Annotated[Format, typer.Option("--format")] = Format.PEM,
    folder: Annotated[Path, typer.Option("-o", "--output", file_okay=False)] = Path(),
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """Fetch a certificate for one kind of server, with its guide; only you may read the files."""
    with asking(login) as client:
        bundle = client.download(certificate_id, format_.value)
    try:
        written = [str(path) for path in unpack(bundle, folder)]
    except (OSError, zipfile.BadZipFile) as error:
        raise fail([f"{folder}: {error}"], REFUSED) from None
    if as_json:
        tell_json(written)
    else:
        tell_items([{"file": one} for one in written], ("file",), as_json=False)


def unpack(bundle: Download, folder: Path) -> Iterator[Path]:
    """Write the files of a bundle below `folder`, whatever names a zip has in it."""
    if not bundle.is_zip:
        yield _written(folder / bundle.name, bundle.content)
        return
    with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
        for one in archive.infolist():
            if not one.is_dir():
                # A name with folders above or a root in it would leave ours.
                yield _written(folder / Path(one.filename).name, archive.read(one))


def _written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, ONLY_OWNER), "wb") as file:
        file.write(content)
    return path
