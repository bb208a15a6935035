"""The combination service, assembled: `faststream run --factory services.combination.app:app`."""

from pathlib import Path

from services.combination import api, handlers
from services.combination.settings import Settings
from shared.contracts.combination import CombinationEvent
from shared.service import Blueprint, Service

BLUEPRINT = Blueprint(
    name="combination",
    road=handlers.road,
    says=CombinationEvent,
    migrations=Path(__file__).parent / "migrations",
    api=api.api,
)


def app() -> Service:
    """Assemble the combination service from the environment."""
    return Service(BLUEPRINT, Settings.from_environment())
