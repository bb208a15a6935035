"""The commands that run the system on one machine, and what operators need around it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from certfold import provision
from certfold.commands_common import (
    DEFAULT_DATA,
    REFUSED,
    USAGE,
    AsJson,
    Data,
    ended,
    endpoints_in,
    stop,
)
from certfold.embedded import keep
from certfold.embedded.supervise import CannotStartError
from certfold.up import up as run
from certfold.up.settings import PARTITIONS, REPLICAS

WATCH_SECONDS = 0.5

app = typer.Typer(no_args_is_help=True)
topics = typer.Typer(no_args_is_help=True, help="Kafka's topics: what there is to be.")
app.add_typer(topics, name="topics")

Servers = Annotated[
    str | None,
    typer.Option("--kafka", envvar="CERTFOLD_KAFKA_SERVERS", help="By default the embedded one."),
]
Partitions = Annotated[int, typer.Option(min=1, envvar=PARTITIONS, help="Of each new topic.")]
Replicas = Annotated[int, typer.Option(min=1, envvar=REPLICAS, help="Of each new topic.")]


@app.command()
def up(
    data: Data = DEFAULT_DATA,
    *,
    bare: Annotated[
        bool, typer.Option("--bare", help="Only the servers and the sandbox, no services.")
    ] = False,
) -> None:
    """Bring everything up on this machine, until Ctrl-C."""
    console = Console(highlight=False, soft_wrap=True)
    services = () if bare else provision.SERVICES
    with console.status("coming up") as spinner:

        def tell(name: str, said: str) -> None:
            console.print(f"[bold]{name:>15}[/]  {said}")
            spinner.update("" if name == "up" else f"{name}: {said}")

        sys.exit(asyncio.run(_until_stopped(lambda: run(data.absolute(), tell, services))))


async def _until_stopped(run: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Run until Ctrl-C, SIGTERM, or the end of the `make` that has started us."""
    running = asyncio.ensure_future(run())
    watch = asyncio.ensure_future(_parent_gone())
    watch.add_done_callback(lambda _: running.cancel())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        return 0
    except CannotStartError as error:
        typer.echo(error, err=True)
        return REFUSED
    return 0


async def _parent_gone() -> None:
    """Return when `make` was killed; without `make` above us, never: who uses nohup means it."""
    parent = os.getppid()
    while "MAKELEVEL" not in os.environ or os.getppid() == parent:
        await asyncio.sleep(WATCH_SECONDS)


@topics.command()
def plan(
    servers: Servers = None,
    data: Data = DEFAULT_DATA,
    partitions: Partitions = provision.PARTITIONS,
    replicas: Replicas = provision.REPLICAS,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what `topics apply` would do; change nothing."""
    where = servers or endpoints_in(data)["kafka"]
    found = provision.plan_topics(where, partitions, replicas)
    _tell_changes(ended(found, provision.TopicsRefusedError), as_json=as_json)


@topics.command("apply")
def apply_(
    servers: Servers = None,
    data: Data = DEFAULT_DATA,
    partitions: Partitions = provision.PARTITIONS,
    replicas: Replicas = provision.REPLICAS,
    *,
    as_json: AsJson = False,
) -> None:
    """Make the topics be as they are to be; nothing is ever deleted."""
    where = servers or endpoints_in(data)["kafka"]
    done = provision.apply_topics(where, partitions, replicas)
    _tell_changes(ended(done, provision.TopicsRefusedError), as_json=as_json)


@app.command()
def migrate(data: Data = DEFAULT_DATA, *, as_json: AsJson = False) -> None:
    """Make each service's role and schema; the services bring their schemas forward themselves.

    The server is CERTFOLD_POSTGRES_ADMIN_DSN and the passwords are those of each
    CERTFOLD_<SERVICE>_POSTGRES_DSN, or, without them, those of the embedded system.
    """
    admin = os.environ.get("CERTFOLD_POSTGRES_ADMIN_DSN")
    try:
        given = provision.passwords(os.environ) if admin else _kept_passwords(data)
    except ValueError as error:
        stop(str(error), USAGE)
    made = provision.roles(admin or endpoints_in(data)["postgres"], given)
    ended(made, provision.RolesRefusedError)
    typer.echo(json.dumps(sorted(given)) if as_json else f"roles and schemas: {', '.join(given)}")


def _kept_passwords(data: Path) -> dict[str, str]:
    return {name: keep.secret(data / "secrets.json", name) for name in provision.SERVICES}


def _tell_changes(changes: list[provision.Change], *, as_json: bool) -> None:
    if as_json:
        shown = [
            {"topic": one.topic.name, "what": one.what, "settings": dict(one.settings)}
            | ({"reason": one.reason} if one.reason else {})
            for one in changes
        ]
        typer.echo(json.dumps(shown))
        return
    for one in changes or ("all topics are as they are to be",):
        typer.echo(one)
