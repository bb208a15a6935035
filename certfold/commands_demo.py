"""`certfold demo`: the story, told on a terminal with progress, in a pipe as plain lines."""

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from certfold.demo import DemoFailedError, demo
from certfold.embedded.supervise import CannotStartError

app = typer.Typer()

Folder = Annotated[Path, typer.Option("--data", help="Made anew each time.")]


@app.command("demo")
def play(data: Folder = Path(".data/demo")) -> None:
    """Play the whole story, from a purchase event to an installed certificate; take a minute."""
    sys.exit(asyncio.run(_play(data)))


async def _play(folder: Path) -> int:
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()
    if running := asyncio.current_task():
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    with console.status("coming up") as spinner:

        def tell(name: str, said: str) -> None:
            spinner.update(f"{name}: {said}")
            if not console.is_terminal:
                console.print(f"{name:>15}  {said}", style="dim")

        def say(title: str, said: str) -> None:
            if title:
                console.print(f"\n[bold]{title}[/]  [dim]{time.monotonic() - began:.0f} s[/]")
                spinner.update(title)
            else:
                console.print(f"  {said}", markup=False)

        try:
            await demo(folder, tell, say)
        except asyncio.CancelledError:
            return 130
        except (DemoFailedError, CannotStartError) as error:
            typer.echo(f"the demo did not come to its end: {error}", err=True)
            return 1
    console.print(
        f"\n[bold green]done[/] in {time.monotonic() - began:.0f} s; nothing runs any more"
    )
    return 0
