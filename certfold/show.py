"""How commands answer: tables on a terminal, tab-separated lines in a pipe, JSON when asked."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]

FRACTION = re.compile(r"(?<=T\d\d:\d\d:\d\d)\.\d+(?=Z|[+-])")  # of a second
COUNTED = ("single", "wildcard", "ip")


def tell_json(answer: Any) -> None:
    """Write what programs read; it holds no character that a terminal would obey."""
    typer.echo(json.dumps(answer))


def tell_items(items: Sequence[Json], columns: Sequence[str], *, as_json: bool) -> None:
    """Write a list; in a pipe without a header, so that each line is one thing."""
    if as_json:
        tell_json(list(items))
        return
    rows = [[text(item.get(column)) for column in columns] for item in items]
    if not _is_terminal():
        for row in rows:
            typer.echo("\t".join(row))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        is_id = column == "id" or column.endswith("_id")
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=is_id)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table if rows else Text("nothing", "dim"))


def tell_thing(thing: Json, *, as_json: bool) -> None:
    """Write one thing, a field a line; lists of things below it."""
    if as_json:
        tell_json(thing)
        return
    for name, value in thing.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            continue
        _line(name.replace("_", " "), text(value))
    for name, value in thing.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            _line(name.replace("_", " "), "")
            for one in value:
                _line("", "; ".join(_parts(one)))


def text(value: Any) -> str:
    """Write a value on one line, without anything that a terminal would obey."""
    match value:
        case None:
            written = ""
        case bool():
            written = "yes" if value else "no"
        case dict() if all(name in value for name in COUNTED):
            written = ", ".join(f"{value[one]} {one}" for one in COUNTED if value[one]) or "0"
        case dict():
            written = "; ".join(_parts(value))
        case list():
            written = ", ".join(map(text, value))
        case _:
            written = FRACTION.sub("", str(value))
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in written)


def _parts(thing: Json) -> Iterable[str]:
    return (f"{name} {text(value)}" for name, value in thing.items() if value not in (None, ""))


def _line(name: str, value: str) -> None:
    if _is_terminal():
        Console(highlight=False, soft_wrap=True).print(Text(f"{name:>20}  ", "dim"), Text(value))
    else:
        typer.echo(f"{name}\t{value}")


def _is_terminal() -> bool:
    return Console().is_terminal
