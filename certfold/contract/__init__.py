"""What others may rely on, written down from the code: schemas, AsyncAPI, OpenAPI.

`python -m certfold.contract` writes it all to `docs/`, always the same bytes for the same code;
`--check` only tells which files differ.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from certfold.contract import asyncapi, openapi, schemas
from certfold.contract.system import services

DOCS = Path(__file__).parents[2] / "docs"


def documents() -> dict[str, str]:
    """Return each document's text by its path within `docs/`."""
    running = services()
    written: dict[str, Any] = {
        "asyncapi.json": asyncapi.document(running),
        "openapi.json": openapi.document(running),
        **{f"schemas/{event.__name__}.json": schemas.schema(event) for event in schemas.events()},
    }
    return {path: _text(document) for path, document in written.items()}


def write(folder: Path = DOCS) -> list[str]:
    """Write what differs, take away schemas of events that are no more; name what was done."""
    wanted = documents()
    names = differing(wanted, folder)
    for name in names:
        path = folder / name
        if text := wanted.get(name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        else:
            path.unlink()
    return names


def differing(wanted: Mapping[str, str], folder: Path = DOCS) -> list[str]:
    """Name the documents in `folder` that are missing, out of date or too many."""
    there = {f"schemas/{path.name}" for path in (folder / "schemas").glob("*.json")}
    kept = {name: _read(folder / name) for name in there | wanted.keys()}
    return sorted(name for name, text in kept.items() if text != wanted.get(name))


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def _text(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
