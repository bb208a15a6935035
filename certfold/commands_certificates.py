"""Certificates and their bundles, on the command line."""

import io
import os
import zipfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from certfold.client import Download
from certfold.commands_common import REFUSED, As, AsJson, asking, fail
from certfold.show import tell_items, tell_json, tell_thing

ONLY_OWNER = 0o600  # a bundle may hold a private key

app = typer.Typer(no_args_is_help=True)


class Format(StrEnum):
    """What kind of server a bundle is for."""

    NGINX, APACHE, IIS, PEM, ROOT = "nginx", "apache", "iis", "pem", "root"
    TOMCAT_PFX, TOMCAT_JKS = "tomcat-pfx", "tomcat-jks"


class Reason(StrEnum):
    """Why a subscriber may have a certificate revoked (BR 4.9.1.1, RFC 5280 §5.3.1)."""

    UNSPECIFIED, KEY_COMPROMISE, SUPERSEDED = "unspecified", "key_compromise", "superseded"
    AFFILIATION_CHANGED = "affiliation_changed"
    CESSATION_OF_OPERATION = "cessation_of_operation"
    PRIVILEGE_WITHDRAWN = "privilege_withdrawn"


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
def revoke(
    certificate_id: str,
    *,
    reason: Annotated[Reason, typer.Option(help="RFC 5280 §5.3.1.")] = Reason.UNSPECIFIED,
    login: As = "applicant",
    as_json: AsJson = False,
) -> None:
    """Have a certificate revoked; there is no way back."""
    with asking(login) as client:
        tell_thing(client.revoke(certificate_id, reason.value), as_json=as_json)


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
