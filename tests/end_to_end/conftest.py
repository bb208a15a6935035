"""One running system for the whole session, and everybody who has to do with it."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import System, running, up_already
from tests.end_to_end.steps import World
from tests.end_to_end.steps import world as assembled

HERE = Path(__file__).parent
ORDER = {HERE / "test_story.py": 0, HERE / "test_reminder.py": 1, HERE / "test_away.py": 3}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tell the story first, while the clock shows real time, as TLS clients' clocks do.

    Move the clock next: it stops wherever something is due, and later on much is. Kill servers
    last.
    """
    items.sort(key=lambda item: ORDER.get(item.path, 2))


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    if folder := os.environ.get("TEST_SYSTEM"):
        yield up_already(Path(folder))
        return
    with running(tmp_path_factory.mktemp("system") / "data") as found:
        yield found


@pytest.fixture(scope="session")
async def world(system: System) -> AsyncIterator[World]:
    async with assembled(system.folder, system.endpoints) as found:
        yield found


@pytest.fixture(scope="session")
async def certificate(world: World) -> Any:
    """Return a certificate of the applicant's that has gone the whole way."""
    return await world.is_issued(["www.shared.example", "api.shared.example"])
