"""The CA's verification, alone, with a name server that a test has the say over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.ca_verification.api import api
from services.ca_verification.ca.authority import Authority
from services.ca_verification.ca.lint import Linter
from services.ca_verification.domain import Practice
from services.ca_verification.handlers import make_road
from services.ca_verification.world import World
from shared.clock import MovableClock
from shared.contracts.ca_verification import Challenge
from tests.ca_verification.alone import Alone, running
from tests.shared import nameserver

TRYING = Practice(pki_url="http://127.0.0.1:8000/pki", reserved_ok=("example",))


@dataclass
class Ca:
    """A CA on a schema of its own, and the DNS that it asks; it can be run more than once."""

    dsn: str
    authority: Authority
    linter: Linter
    clock: MovableClock = field(default_factory=MovableClock)
    zone: dict[tuple[str, str], nameserver.Answer] = field(default_factory=dict)

    @asynccontextmanager
    async def run(self, practice: Practice = TRYING) -> AsyncIterator[Alone]:
        async with nameserver.serving(self.zone) as resolver:
            world = World(resolver, 2.0, self.authority, self.linter, self.clock)
            road = make_road(practice)
            async with running(self.dsn, road, world, api, self.clock) as alone:
                yield alone

    def publish(self, challenge: Challenge) -> None:
        """Be the owner of a domain."""
        name, value = challenge.record_name, challenge.record_value
        self.zone[name, "TXT"] = [f'{name} TXT "{value}"']
