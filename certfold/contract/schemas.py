"""One JSON Schema (2020-12) for each event."""

from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from certfold.contract.examples import example
from certfold.provision.topics import FAMILIES
from shared.contracts.base import Event


def events() -> Iterator[type[Event]]:
    """Yield every event that there is, family by family."""
    for family in FAMILIES:
        yield from sorted(family.family.values(), key=lambda event: event.__name__)


def schema(event: type[Event]) -> dict[str, Any]:
    """Describe what we write, or, where others write, what we take."""
    described = event.model_json_schema(mode="validation" if event.is_foreign else "serialization")
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": event.dataschema,
        **_sorted(described),
        "examples": [example(event)],
    }


def _sorted(described: dict[str, Any]) -> dict[str, Any]:
    """Put definitions in order; properties keep theirs, which tells what matters most."""
    return {name: described[name] for name in sorted(described)}
