"""The floor: the same SQL in the same batches, and the cryptography. No broker, no framework.

One round of ours is overheard, statement by statement with its values; a round of the floor says it
all again to an empty database, in the order in which it was answered. What asked and found nothing,
such as a relay that looked in vain, is left out.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from itertools import chain
from typing import Any

import asyncpg
from cryptography import x509

from services.ca_verification import policy
from services.ca_verification.ca.plan import Plan, Profile, Subject
from shared import relay
from shared.postgres import Connection
from tests.benchmarks.ground import Ground
from tests.benchmarks.ours import NAMES
from tests.benchmarks.people import ORGANISATION, Order
from tests.benchmarks.signing import new_serial, sign

METHODS = ("execute", "fetch", "fetchrow", "fetchval")
PROFILE = Profile("http://pki.certfold.example")
HOLD = "SELECT pg_advisory_lock('errands'::regclass::integer, $1)"


@dataclass(frozen=True, slots=True)
class Statement:
    """What was said on which connection; `role` is whose connection it is."""

    connection: int
    role: str
    method: str
    sql: str
    values: tuple[Any, ...]


@dataclass(slots=True)
class Tape:
    """All that the services have said to PostgreSQL, in the order of the answers."""

    statements: list[Statement] = field(default_factory=list)
    on: bool = False

    @property
    def transactions(self) -> int:
        """Count commits: those that are said, and statements that are one by themselves."""
        count, within = 0, set[int]()
        for one in self.statements:
            if one.sql.startswith("BEGIN"):
                within.add(one.connection)
            elif one.sql.startswith(("COMMIT", "ROLLBACK")):
                within.discard(one.connection)
                count += one.sql.startswith("COMMIT")
            else:
                count += one.connection not in within
        return count

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Overhear every connection of this process that is opened as one of the services."""
        originals = {name: getattr(asyncpg.Connection, name) for name in METHODS}
        for name, method in originals.items():
            setattr(asyncpg.Connection, name, self._overhear(name, method))
        try:
            yield
        finally:
            for name, method in originals.items():
                setattr(asyncpg.Connection, name, method)

    def _overhear(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        async def overheard(connection: Any, sql: str, *values: Any, **options: Any) -> Any:
            answer = await method(connection, sql, *values, **options)
            role = connection._params.user
            if self.on and role in NAMES and answer:
                self.statements.append(Statement(id(connection), role, name, sql, values))
            return answer

        return overheard


@dataclass(frozen=True, slots=True)
class Floor:
    """A database for the tape, and what it takes to verify and to sign."""

    ground: Ground
    tape: Tape
    connections: dict[int, Connection]

    async def live(self, customers: Sequence[Sequence[Order]]) -> None:
        """Say everything again; verify each request as often as must be, and sign once."""
        for one in self.tape.statements:
            await getattr(self.connections[one.connection], one.method)(one.sql, *one.values)
        for order in chain(*customers):
            assert x509.load_pem_x509_csr(order.csr_pem.encode()).is_signature_valid
            sign(self.ground.authority, plan(order))


def plan(order: Order) -> Plan:
    """Plan the certificate of an order."""
    now = datetime.now(UTC)
    not_before, not_after = policy.period(now, now)
    return Plan(
        names=order.names,
        subject=Subject.of(ORGANISATION, "OV"),
        csr_pem=order.csr_pem,
        serial_number=new_serial(),
        not_before=not_before,
        not_after=not_after,
        certificate_type="OV",
        profile=PROFILE,
    )


@asynccontextmanager
async def running(ground: Ground, tape: Tape) -> AsyncIterator[Floor]:
    """Empty the database, and open the connections that the tape knows."""
    for name in NAMES:
        tables = await ground.admin.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'migrations'",
            name,
        )
        listed = ", ".join(f"{name}.{row[0]}" for row in tables)
        await ground.admin.execute(f"TRUNCATE {listed} RESTART IDENTITY")
    roles = {one.connection: one.role for one in tape.statements}
    connections = {
        number: await asyncpg.connect(ground.dsn(role)) for number, role in roles.items()
    }
    try:
        for number in {one.connection for one in tape.statements if "FROM outbox" in one.sql}:
            await connections[number].execute(relay.SOON)  # as the relay's is
        for number, holder in _holders(tape).items():
            await connections[number].fetchval(HOLD, holder)
        for number, sql in {(one.connection, one.sql) for one in tape.statements if one.values}:
            await connections[number]._get_statement(sql, None)  # prepares it, as it is elsewhere
        yield Floor(ground, tape, connections)
    finally:
        for connection in connections.values():
            await connection.close()


def _holders(tape: Tape) -> dict[int, int]:
    """Return the name that each connection takes errands by: only its lock keeps them its own."""
    takes = "UPDATE errands AS e SET holder = $1"
    return {one.connection: one.values[0] for one in tape.statements if takes in one.sql}
