"""What all commands have in common that ask the API: a login, `--json`, and how they end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from certfold.calling import Refused, Unreachable
from certfold.client import Client
from certfold.show import text

REFUSED, UNREACHABLE = 1, 3

As = Annotated[str, typer.Option("--as", help="Which login of the embedded system to use.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


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
