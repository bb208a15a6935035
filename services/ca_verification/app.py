"""The verification, assembled: `faststream run --factory services.ca_verification.app:app`."""

from dataclasses import replace
from pathlib import Path

from services.ca_verification import api, handlers
from services.ca_verification.ca.authority import Authority
from services.ca_verification.ca.lint import Linter
from services.ca_verification.settings import Settings
from services.ca_verification.world import World
from shared.clock import Clock, utc_now
from shared.contracts.ca_verification import VerificationEvent
from shared.dns import resolver
from shared.service import Blueprint, Service


def world(settings: Settings, clock: Clock) -> World:
    """Lay out the tools; a CA that cannot be used stops the service before it starts."""
    return World(
        resolver(settings.resolver),
        settings.dns_seconds,
        Authority.load(settings.ca_folder, settings.ca_passphrase, utc_now()),
        Linter(settings.lint_workers),
        clock,
    )


BLUEPRINT = Blueprint(
    name="ca_verification",
    road=handlers.road,
    says=VerificationEvent,
    migrations=Path(__file__).parent / "migrations",
    api=api.api,
    world=world,
)


def app() -> Service:
    """Assemble the verification from the environment."""
    settings = Settings.from_environment()
    road = handlers.make_road(settings.practice)
    return Service(replace(BLUEPRINT, road=road), settings)
