"""One CA, and the processes that lint for it, for all tests of the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.ca_verification.api import api
from services.ca_verification.ca.authority import Authority
from services.ca_verification.ca.founding import found
from services.ca_verification.ca.lint import Linter
from services.ca_verification.domain import Practice
from services.ca_verification.handlers import make_road
from services.ca_verification.world import World
from shared.clock import MovableClock, utc_now
from shared.contracts.ca_verification import Challenge
from tests.ca_verification.alone import Alone, migrated, running
from tests.ca_verification.certificates import WORD
from tests.conftest import fresh_role
from tests.servers import Servers
from tests.shared import nameserver

TRYING = Practice(pki_url="http://127.0.0.1:8000/pki", reserved_ok=("example",))


@pytest.fixture(scope="session")
async def linter() -> AsyncIterator[Linter]:
    linter = Linter(1)
    yield linter
    linter.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder: Path = tmp_path_factory.mktemp("ca") / "ca"
    return found(folder, WORD, utc_now())


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
            world = World(resolver, 2.0, self.authority, self.linter)
            road = make_road(practice)
            async with running(self.dsn, road, world, api, self.clock) as alone:
                yield alone

    def publish(self, challenge: Challenge) -> None:
        """Be the owner of a domain."""
        name, value = challenge.record_name, challenge.record_value
        self.zone[name, "TXT"] = [f'{name} TXT "{value}"']


@pytest.fixture
async def ca(stack: Servers, authority: Authority, linter: Linter) -> Ca:
    dsn = await migrated(await fresh_role(stack.postgres_dsn, "ca"), "ca_verification")
    return Ca(dsn, authority, linter)
