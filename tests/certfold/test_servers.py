"""The servers that all tests share."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests import servers
from tests.servers import Servers

CONTAINED = servers.docker_has(servers.POSTGRES_IMAGE, servers.KAFKA_IMAGE)


@pytest.mark.parametrize("start", [servers.embedded, *([servers.contained] if CONTAINED else [])])
async def test_servers_answer_and_go_away(
    start: Callable[[], AbstractContextManager[Servers]],
) -> None:
    with start() as found:
        connection = await asyncpg.connect(found.postgres_dsn)
        assert await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = user")
        await connection.close()
        admin = AIOKafkaAdminClient(bootstrap_servers=found.kafka)
        await admin.start()
        assert await admin.list_topics() == []
        await admin.close()
    with pytest.raises(OSError, match="Connect"):
        await asyncpg.connect(found.postgres_dsn)


def test_servers_that_the_environment_names_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_POSTGRES", "postgresql://a")
    monkeypatch.setenv("TEST_KAFKA", "b:1")
    with servers.servers() as found:
        assert found == Servers("postgresql://a", "b:1")
