"""The commands that run the system on one machine, and what operators need around it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console

from certfold import provision
from certfold.embedded import keep
from certfold.embedded.supervise import CannotStartError
from certfold.sandbox.clock import ClockError, SandboxClock, parse
from certfold.up import up as run
from certfold.up.settings import DATA, PARTITIONS, REPLICAS

Result = TypeVar("Result")

REFUSED, USAGE, UNREACHABLE = 1, 2, 3
DEFAULT_DATA = Path(".data")
WATCH_SECONDS = 0.5

stack = typer.Typer(no_args_is_help=True)
sandbox = typer.Typer(no_args_is_help=True, help="The outside world of a system on one machine.")
topics = typer.Typer(no_args_is_help=True, help="Kafka's topics: what there is to be.")
stack.add_typer(sandbox, name="sandbox")
stack.add_typer(topics, name="topics")

Data = Annotated[Path, typer.Option("--data", envvar=DATA, help="Where everything is kept.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Servers = Annotated[
    str | None,
    typer.Option("--kafka", envvar="CERTFOLD_KAFKA_SERVERS", help="By default the embedded one."),
]
Partitions = Annotated[int, typer.Option(min=1, envvar=PARTITIONS, help="Of each new topic.")]
Replicas = Annotated[int, typer.Option(min=1, envvar=REPLICAS, help="Of each new topic.")]


@stack.command()
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
        _fail("give a distance or --to, not both", USAGE)
    health = _endpoints(data).get("health", {})
    watch = SandboxClock(
        data / "sandbox" / "clock.json", health, tell=lambda said: typer.echo(said, err=True)
    )
    moment = watch.now()
    if wanted := distance or to:
        try:
            target = parse(wanted, moment)
        except ValueError as error:
            _fail(str(error), USAGE)
        moment = _run(watch.move(target), ClockError)
    now = moment.isoformat(timespec="seconds")
    typer.echo(json.dumps({"now": now}) if as_json else f"it is {now}")


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
    where = servers or _endpoints(data)["kafka"]
    found = provision.plan_topics(where, partitions, replicas)
    _tell_changes(_run(found, provision.TopicsRefusedError), as_json=as_json)


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
    where = servers or _endpoints(data)["kafka"]
    done = provision.apply_topics(where, partitions, replicas)
    _tell_changes(_run(done, provision.TopicsRefusedError), as_json=as_json)


@stack.command()
def migrate(data: Data = DEFAULT_DATA, *, as_json: AsJson = False) -> None:
    """Make each service's role and schema; the services bring their schemas forward themselves.

    The server is CERTFOLD_POSTGRES_ADMIN_DSN and the passwords are those of each
    CERTFOLD_<SERVICE>_POSTGRES_DSN, or, without them, those of the embedded system.
    """
    admin = os.environ.get("CERTFOLD_POSTGRES_ADMIN_DSN")
    try:
        given = provision.passwords(os.environ) if admin else _kept_passwords(data)
    except ValueError as error:
        _fail(str(error), USAGE)
    made = provision.roles(admin or _endpoints(data)["postgres"], given)
    _run(made, provision.RolesRefusedError)
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


def _endpoints(data: Path) -> Any:
    found = keep.read(data / "endpoints.json")
    if found is None:
        _fail(f"{data} holds no endpoints.json: nothing is up there", UNREACHABLE)
    return found


def _run(work: Awaitable[Result], refusal: type[Exception]) -> Result:
    """Do `work`; end with its reason when it is refused, or nobody answers."""

    async def whole() -> Result:
        return await work

    try:
        return asyncio.run(whole())
    except refusal as error:
        _fail(str(error), REFUSED)
    except OSError as error:
        _fail(str(error), UNREACHABLE)


def _fail(reason: str, code: int) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(code)
