"""`certfold`, the command: it joins what each module offers."""

from contextlib import suppress

import typer

from certfold.commands_application import app as application
from certfold.commands_certificates import app as certificates
from certfold.commands_demo import app as demo
from certfold.commands_inventory import app as inventory
from certfold.commands_operator import app as operator
from certfold.commands_sandbox import app as sandbox
from certfold.commands_stack import stack

root = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they may hold secrets
    help="Fold many prepaid certificate instances into one, and follow it to its issuance.",
)
for app in (stack, demo, inventory, application, certificates, operator):
    root.add_typer(app)
root.add_typer(sandbox, name="sandbox")


def main() -> None:
    """Do what the command line says."""
    with suppress(KeyboardInterrupt):
        root()
