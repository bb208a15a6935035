"""Real servers that the whole run shares; a fresh schema for each test that wants one."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import settings

from shared.migrate import migrate
from shared.postgres import Postgres
from tests.servers import Servers, servers

settings.register_profile("tests", deadline=None)  # other work may slow any example down
settings.load_profile("tests")

PASSWORD = "tests-only"  # noqa: S105 - of roles that live as long as a test


@pytest.fixture(scope="session")
def stack() -> Iterator[Servers]:
    with servers() as found:
        yield found


async def fresh_role(admin: str, name: str) -> str:
    """Make a role that owns one empty schema and can read no other; return its DSN."""
    role = f"{name}_{uuid4().hex[:8]}"
    connection = await asyncpg.connect(admin)
    await connection.execute(
        f"""
        CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}';
        CREATE SCHEMA {role} AUTHORIZATION {role};
        ALTER ROLE {role} SET search_path = {role};
        """
    )
    await connection.close()
    parts = urlsplit(admin)
    return urlunsplit(parts._replace(netloc=f"{role}:{PASSWORD}@{parts.hostname}:{parts.port}"))


@pytest.fixture
async def dsn(stack: Servers) -> str:
    dsn = await fresh_role(stack.postgres_dsn, "tally")
    await migrate(dsn)
    return dsn


@pytest.fixture
async def postgres(dsn: str) -> AsyncIterator[Postgres]:
    async with Postgres(dsn) as postgres:
        async with postgres.transaction() as tx:
            await tx.execute(
                """
                CREATE TABLE tallies (
                    id uuid PRIMARY KEY,
                    total integer CONSTRAINT no_tally_is_above_a_thousand CHECK (total <= 1000),
                    version integer)
                """
            )
        yield postgres
