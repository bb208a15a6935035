"""The list of verbs, by which each is found without loading the others."""

from importlib import import_module

import typer

from certfold.main import VERBS


def test_every_verb_of_every_module_is_listed_and_nothing_else() -> None:
    offered = {}
    for module in VERBS:
        app: typer.Typer = import_module(f"certfold.commands_{module}").app
        commands = [one.name or one.callback.__name__ for one in app.registered_commands]
        offered[module] = {*commands, *(group.name for group in app.registered_groups)}

    assert offered == {module: set(verbs) for module, verbs in VERBS.items()}
