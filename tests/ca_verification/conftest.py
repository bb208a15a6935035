"""One CA, and the processes that lint for it, for all tests of the service."""

from collections.abc import AsyncIterator

import pytest

from services.ca_verification.ca.authority import Authority
from services.ca_verification.ca.founding import found
from services.ca_verification.ca.lint import Linter
from shared.clock import utc_now
from tests.ca_verification.alone import migrated
from tests.ca_verification.ca import TRYING, Ca
from tests.ca_verification.certificates import WORD
from tests.conftest import fresh_role
from tests.servers import Servers


@pytest.fixture(scope="session")
async def linter() -> AsyncIterator[Linter]:
    linter = Linter(1)
    yield linter
    linter.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("ca") / "ca"
    return found(folder, WORD, utc_now(), pki_url=TRYING.pki_url)


@pytest.fixture
async def ca(stack: Servers, authority: Authority, linter: Linter) -> Ca:
    dsn = await migrated(await fresh_role(stack.postgres_dsn, "ca"), "ca_verification")
    return Ca(dsn, authority, linter)
