"""The console, assembled: `faststream run --factory services.console.app:app`."""

from pathlib import Path

from services.console import api, handlers
from services.console.settings import Settings
from shared.service import Blueprint, Service

BLUEPRINT = Blueprint(
    name="console",
    road=handlers.road,
    says=None,
    migrations=Path(__file__).parent / "migrations",
    api=api.api,
)


def app() -> Service:
    """Assemble the console from the environment."""
    return Service(BLUEPRINT, Settings.from_environment())
