"""The inventory, assembled: `faststream run --factory services.inventory.app:app`."""

from dataclasses import replace
from pathlib import Path

from services.inventory import api, handlers
from services.inventory.settings import Settings
from shared.contracts.inventory import InventoryEvent
from shared.service import Blueprint, Service

BLUEPRINT = Blueprint(
    name="inventory",
    road=handlers.road,
    says=InventoryEvent,
    migrations=Path(__file__).parent / "migrations",
    api=api.api,
)


def app() -> Service:
    """Assemble the inventory from the environment."""
    settings = Settings.from_environment()
    road = handlers.make_road(settings.rulebook)
    return Service(replace(BLUEPRINT, road=road), settings)
