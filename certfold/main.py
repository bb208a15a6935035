"""`certfold`, the command: it loads what a verb needs when the verb is used, and no more."""

from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

# Which module offers which verbs, in the order in which `--help` lists them.
VERBS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "stack": ("up", "migrate", "topics"),
        "demo": ("demo",),
        "inventory": (
            *("quota", "instances", "instance", "history", "create", "refund", "host"),
            *("annotate", "account", "plan", "combine", "combinations", "combination"),
        ),
        "application": (
            *("apply", "application", "applications", "watch", "check", "drop", "withdraw"),
            *("tasks", "decide"),
        ),
        "certificates": ("certificates", "installations", "download", "revoke"),
        "sandbox": ("sandbox",),
        "operator": ("status", "settings", "token", "parked"),
    }
)
MODULE_OF = {verb: module for module, verbs in VERBS.items() for verb in verbs}


class Verbs(TyperGroup):
    """The verbs of all modules, each loaded at its first use."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List all verbs."""
        del ctx
        return list(MODULE_OF)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load a verb."""
        if (module := MODULE_OF.get(cmd_name)) is None:
            return None
        offered = get_command(import_module(f"certfold.commands_{module}").app)
        return offered.get_command(ctx, cmd_name) if isinstance(offered, TyperGroup) else offered


root = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they may hold secrets
    help="Fold many prepaid certificate instances into one, and follow it to its issuance.",
)


@root.callback()
def _root() -> None:
    pass


def main() -> None:
    """Do what the command line says."""
    with suppress(KeyboardInterrupt):
        root()
