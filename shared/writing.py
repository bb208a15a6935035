"""What a transaction writes in the end, gathered to be said in one statement.

Each statement costs a round trip, and one alone needs no BEGIN and no COMMIT either. All its parts
see what was committed before it began, and none sees what another one writes, but by its result.
First come those of which something is expected, in the order in which it is; then the last one;
then the others.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias
from uuid import UUID

import asyncpg

from shared.postgres import OvertakenError, Transaction, versions_of

Columns: TypeAlias = Mapping[str, Sequence[object]]
"""What is written, column by column; each is named "<column> <type>"."""

# The last part goes on only where all that was expected holds; otherwise it raises.
NOTHING = "SELECT holds FROM hope"


@dataclass(slots=True)
class Writes:
    """Statements, each with its parameters from $1 on, and what is expected of their results."""

    _parts: list[tuple[str, str]] = field(default_factory=list)
    _expected: list[str] = field(default_factory=list)
    _values: list[object] = field(default_factory=list)
    _expected_values: list[object] = field(default_factory=list)

    def add(self, sql: str, *values: object, of: str = "") -> str:
        """Add a statement, and return the name of its result; `{it}` is the result `of` another."""
        name = f"part_{len(self._parts)}"
        self._parts.append((name, _shifted(sql, len(self._values)).replace("{it}", of)))
        self._values += values
        return name

    def expect(self, of: str, condition: str, *values: object) -> None:
        """Expect something of `{it}`, the result `of` what was added before."""
        shifted = _shifted(condition, len(self._expected_values))
        self._expected.append(shifted.replace("{it}", of))
        self._expected_values += values

    def upsert(self, table: str, columns: Columns, *, fixed: tuple[str, ...] = ()) -> None:
        """Write one row for each element of `columns`.

        Those that are `fixed` are written with a new row only: what is large and never changes.

        `version` is the one that was read, 0 for a new row. It catches what no lock can: two
        batches that both found a row missing and both decided to make it, or one that decided by
        what it only remembers. The second one is overtaken.
        """
        versions = columns["version integer"]
        saved = self.add(_upsert(table, tuple(columns), fixed), *columns.values())
        condition = "(SELECT count(*) = $1 AND count(*) FILTER (WHERE is_new) = $2 FROM {it})"
        self.expect(saved, condition, len(versions), versions.count(0))

    def confirm(self, table: str, versions: Mapping[UUID, int]) -> None:
        """Lock rows in the order of `versions`; expect each to be of its version."""
        ids = list(versions)
        locked = self.add(versions_of(table), ids)
        condition = """
            (SELECT count(*) = cardinality($1::uuid[])
               FROM {it}
               JOIN unnest($1::uuid[], $2::integer[]) AS one (id, version) USING (id, version))
            """
        self.expect(locked, condition, ids, list(versions.values()))

    def confirm_none(self, table: str, ids: Sequence[UUID]) -> None:
        """Expect no rows of these ids."""
        found = self.add(f"SELECT 1 FROM {table} WHERE id = ANY($1::uuid[])", ids)  # noqa: S608
        self.expect(found, "(SELECT count(*) = 0 FROM {it})")

    async def say(
        self, connection: Transaction, last: str = NOTHING, *values: object
    ) -> list[asyncpg.Record]:
        """Say it all, and return the result of the `last` part.

        OvertakenError if something is not as expected; then nothing is written, and a transaction
        that goes on after it is lost.
        """
        sql = _whole(tuple(self._parts), tuple(self._expected), last)
        try:
            return await connection.fetch(sql, *self._values, *self._expected_values, *values)
        except asyncpg.SerializationError as error:
            raise OvertakenError(str(error)) from error


def columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    """Turn rows into the arrays that `unnest` turns back."""
    return [[row[i] for row in rows] for i in range(width)]


@cache
def _whole(parts: tuple[tuple[str, str], ...], expected: tuple[str, ...], last: str) -> str:
    before = max(map(_count, (sql for _, sql in parts)), default=0)
    tests = [f"hold({_shifted(one, before)})" for one in expected]
    behind = max([before, *map(_count, tests)])
    # In this order, too, the rows are locked.
    hope = f"hope AS MATERIALIZED (SELECT {' AND '.join(tests) or 'true'} AS holds)"
    named = [f"{name} AS ({sql})" for name, sql in parts]
    return f"WITH {', '.join([*named, hope])} {_joined(_shifted(last, behind))}"


def _joined(last: str) -> str:
    """Let the last part bring parts of its own, behind `hope`."""
    stripped = last.lstrip()
    return f", {stripped[4:]}" if stripped.startswith("WITH") else stripped


def _count(sql: str) -> int:
    return max(map(int, re.findall(r"\$(\d+)", sql)), default=0)


@cache
def _shifted(sql: str, by: int) -> str:
    return re.sub(r"\$(\d+)", lambda found: f"${int(found[1]) + by}", sql)


@cache
def _upsert(table: str, columns: tuple[str, ...], fixed: tuple[str, ...]) -> str:
    names, types = zip(*(column.split() for column in columns), strict=True)
    arrays = ", ".join(f"${n}::{type_}[]" for n, type_ in enumerate(types, start=1))
    values = ", ".join(names).replace("version", "version + 1")
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in fixed)
    return f"""
        INSERT INTO {table} AS kept ({", ".join(names)})
        SELECT {values} FROM unnest({arrays}) AS one ({", ".join(names)})
            ON CONFLICT (id) DO UPDATE SET {changes}
         WHERE kept.version = excluded.version - 1
        RETURNING old.version IS NULL AS is_new
        """  # noqa: S608 - names come from code, never from a message
