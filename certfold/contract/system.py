"""The five services, as far as their contract tells: assembled, never run."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI

from certfold import provision
from shared.clock import utc_now
from shared.contracts.base import Event
from shared.postgres import Postgres
from shared.service import Blueprint, Parts, Settings
from shared.traffic import Traffic

Events = tuple[type[Event], ...]
STAND_INS: Mapping[type, object] = {str: "no-secret-and-no-address", int: 1, Path: Path()}


@dataclass(frozen=True, slots=True)
class Service:
    """What one service hears, says and answers."""

    name: str
    hears: Mapping[str, Events]
    says: type[Event] | None
    api: FastAPI


def services() -> list[Service]:
    """Return all services, in the order of their names."""
    return [_service(name) for name in sorted(provision.SERVICES)]


def _service(name: str) -> Service:
    blueprint: Blueprint = import_module(f"services.{name}.app").BLUEPRINT
    settings: type[Settings] = import_module(f"services.{name}.settings").Settings
    postgres = Postgres("")
    parts = Parts(
        Traffic(name, blueprint.road, postgres, wake=lambda _: None),
        postgres,
        _told_nothing(settings),
        utc_now,
        cast("Any", None),
    )
    return Service(name, blueprint.road.topics, blueprint.says, blueprint.api(parts))


def _told_nothing(settings: type[Settings]) -> Settings:
    """Stand in for what only an operator knows; nothing of it shows in a contract."""
    needed = {name: one for name, one in settings.model_fields.items() if one.is_required()}
    values = {name: STAND_INS[cast("type", one.annotation)] for name, one in needed.items()}
    return settings.model_construct(**cast("Any", values))
