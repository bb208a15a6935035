"""The ground that is measured on: real servers, provisioned as `certfold up` does it."""

import base64
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from certfold.provision import SERVICES, apply_topics, roles
from services.ca_verification.ca.authority import Authority
from services.ca_verification.ca.founding import found
from shared.clock import utc_now
from shared.postgres import Pool
from tests.benchmarks.measure import Meter
from tests.servers import Servers

SECRET = "for-benchmarks-only"  # noqa: S105
KEY_ENCRYPTION_KEY = base64.urlsafe_b64encode(bytes(32)).decode()


@dataclass(frozen=True, slots=True)
class Ground:
    """A database with a role and a schema for each service, all topics, a CA, and a way to look."""

    servers: Servers
    database: str
    ca_folder: Path
    authority: Authority
    admin: Pool
    meter: Meter

    @property
    def kafka(self) -> str:
        return self.servers.kafka

    @property
    def admin_dsn(self) -> str:
        return on(self.servers.postgres_dsn, self.database)

    def dsn(self, role: str) -> str:
        """Return how `role` connects."""
        parts = urlsplit(self.admin_dsn)
        own = f"{role}:{SECRET}@{parts.hostname}:{parts.port}"
        return urlunsplit(parts._replace(netloc=own))


@asynccontextmanager
async def ground(servers: Servers) -> AsyncIterator[Ground]:
    """Provision a database of its own; drop it at the end. Topics and roles stay."""
    database = f"bench_{uuid4().hex[:8]}"
    await roles(servers.postgres_dsn, dict.fromkeys(SERVICES, SECRET), database=database)
    await apply_topics(servers.kafka)
    with tempfile.TemporaryDirectory(prefix="certfold-bench-") as folder:
        authority = found(Path(folder, "ca"), SECRET, utc_now())
        dsn = on(servers.postgres_dsn, database)
        admin = await asyncpg.create_pool(dsn, min_size=1, max_size=2, reset=_keep)
        try:
            await durable(admin)
            meter = Meter(servers)
            yield Ground(servers, database, Path(folder, "ca"), authority, admin, meter)
        finally:
            await admin.close()
            server = await asyncpg.connect(servers.postgres_dsn)
            await server.execute(f"DROP DATABASE {database} WITH (FORCE)")
            await server.close()


async def _keep(_: object) -> None:
    """Leave a connection as it is: who only looks leaves nothing behind."""


async def durable(admin: Pool) -> None:
    """Refuse to measure a server that does not keep what it has committed."""
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        if (value := await admin.fetchval(f"SHOW {name}")) != "on":
            raise RuntimeError(f"{name} is {value}: what is measured would be another thing")


def on(dsn: str, database: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


Tell = Callable[[str], None]
Row = Mapping[str, str]
