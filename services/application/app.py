"""The application service, assembled: `faststream run --factory services.application.app:app`."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.application import api, handlers
from services.application.keys import load_key_encryption_key
from services.application.settings import Settings
from services.application.world import World
from shared.clock import Clock
from shared.contracts.application import ApplicationEvent
from shared.dns import resolver
from shared.service import Blueprint, Service


def world(settings: Settings, clock: Clock) -> World:
    """Lay out the tools."""
    return World(
        key_encryption_key=load_key_encryption_key(settings.key_encryption_key),
        pool=ThreadPoolExecutor(settings.key_threads, thread_name_prefix="keys"),
        resolver=resolver(settings.resolver),
        tls_port=settings.tls_port,
        tls_seconds=settings.tls_seconds,
        allow_private=settings.sandbox,
        clock=clock,
    )


BLUEPRINT = Blueprint(
    name="application",
    road=handlers.road,
    says=ApplicationEvent,
    migrations=Path(__file__).parent / "migrations",
    api=api.api,
    world=world,
)


def app() -> Service:
    """Assemble the application service from the environment."""
    return Service(BLUEPRINT, Settings.from_environment())
