"""One console for all tests of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.console.console import Console, running
from tests.servers import Servers


@pytest.fixture(scope="session")
async def console(
    stack: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Console]:
    folder: Path = tmp_path_factory.mktemp("console")
    async with running(stack, folder, sandbox=True) as console:
        yield console
