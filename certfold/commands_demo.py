"""`certfold demo`: the story, told on a terminal with progress, in a pipe as plain lines."""

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from certfold.demo import DemoFailedError, attach, demo
from certfold.embedded.supervise import CannotStartError

app = typer.Typer()

Folder = Annotated[Path | None, typer.Option("--data", help="Made anew each time: .data/demo.")]
Attach = Annotated[
    bool, typer.Option("--attach", help="On what is up already, whose folder is .data.")
]


@app.command("demo")
def play(data: Folder = None, *, attach: Attach = False) -> None:
    """Play the whole story, from a purchase event to an installed certificate; take a minute."""
    folder = data or Path(".data" if attach else ".data/demo")
    sys.exit(asyncio.run(_play(folder, attached=attach)))


async def _play(folder: Path, *, attached: bool) -> int:
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
            await (attach(folder, say) if attached else demo(folder, tell, say))
        except asyncio.CancelledError:
            return 130
        except (DemoFailedError, CannotStartError) as error:
            typer.echo(f"the demo did not come to its end: {error}", err=True)
            return 1
    left = "what was up stays up" if attached else "nothing runs any more"
    console.print(f"\n[bold green]done[/] in {time.monotonic() - began:.0f} s; {left}")
    return 0
