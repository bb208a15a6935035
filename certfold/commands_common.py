"""What commands have in common: where the system is, a login, `--json`, and how they end."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from certfold.calling import DATA, Refused, Unreachable
from certfold.client import Client
from certfold.embedded import keep
from certfold.show import text

REFUSED, USAGE, UNREACHABLE = 1, 2, 3
DEFAULT_DATA = Path(".data")

Result = TypeVar("Result")

As = Annotated[str, typer.Option("--as", help="Which login of the embedded system to use.")]
Data = Annotated[Path, typer.Option("--data", envvar=DATA, help="Where everything is kept.")]
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


def endpoints_in(data: Path) -> Any:
    """Read where the system is whose folder is `data`."""
    found = keep.read(data / "endpoints.json")
    if found is None:
        stop(f"{data} holds no endpoints.json: nothing is up there", UNREACHABLE)
    return found


def ended(work: Awaitable[Result], refusal: type[Exception]) -> Result:
    """Do `work`; end with its reason when it is refused, or nobody answers."""

    async def whole() -> Result:
        return await work

    try:
        return asyncio.run(whole())
    except refusal as error:
        stop(str(error), REFUSED)
    except OSError as error:
        stop(str(error), UNREACHABLE)


def stop(reason: str, code: int) -> NoReturn:
    """Say why not, and end."""
    typer.echo(reason, err=True)
    raise typer.Exit(code)
