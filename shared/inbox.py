"""Which messages were handled: each is handled once, however often it comes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from pydantic_core import to_json

from shared.cloudevents import Heard
from shared.ids import AS_NUMBER
from shared.postgres import Transaction
from shared.writing import Writes


def firsts(batch: Sequence[Heard]) -> dict[UUID, Heard]:
    """Return the first of each message that the inbox has to know; an errand knows its outcome."""
    first = {heard.id: heard for heard in reversed(batch) if not heard.is_outcome}
    return {one: first[one] for one in sorted(first, key=AS_NUMBER)}


async def claim(tx: Transaction, batch: Sequence[Heard], now: datetime) -> Sequence[Heard]:
    """Note messages as handled, and return the first of each that was not there.

    Who claims the same at the same time waits until `tx` ends.
    """
    first = firsts(batch)
    if not first:
        return batch
    claimed = await tx.fetch(
        """
        INSERT INTO inbox (message_id, seen_at, digest, reference)
        SELECT id, $1, digest, reference
          FROM unnest($2::uuid[], $3::bytea[], $4::uuid[]) AS one (id, digest, reference)
            ON CONFLICT DO NOTHING RETURNING message_id
        """,
        now,
        *columns(first),
    )
    new = {row["message_id"] for row in claimed}
    return [h for h in batch if h.is_outcome or (h.id in new and h is first[h.id])]


def columns(first: Mapping[UUID, Heard]) -> list[list[object]]:
    """Return ids, digests and references, as the arrays that `unnest` takes."""
    heard = first.values()
    return [list(first), [one.digest for one in heard], [one.reference for one in heard]]


def note(
    writes: Writes,
    hoped: Sequence[Heard],
    refusals: Mapping[UUID, Sequence[object]],
    now: datetime,
) -> None:
    """Note messages as handled, and why some were refused; expect all of them to be new."""
    first = firsts(hoped)
    if not first:
        return
    claimed = writes.add(
        """
        INSERT INTO inbox (message_id, seen_at, digest, reference, objections)
        SELECT id, $1, digest, reference, objections
          FROM unnest($2::uuid[], $3::bytea[], $4::uuid[], $5::jsonb[])
               AS one (id, digest, reference, objections)
            ON CONFLICT DO NOTHING RETURNING 1
        """,
        now,
        *columns(first),
        [_json(refusals[one]) if one in refusals else None for one in first],
    )
    writes.expect(claimed, "(SELECT count(*) = $1 FROM {it})", len(first))


def remember(writes: Writes, refusals: Mapping[UUID, Sequence[object]]) -> None:
    """Keep why commands were refused, for those who ask again whether they were heard."""
    if refusals:
        writes.add(
            """
            UPDATE inbox SET objections = one.objections
              FROM unnest($1::uuid[], $2::jsonb[]) AS one (id, objections)
             WHERE message_id = one.id
            """,
            list(refusals),
            [_json(why) for why in refusals.values()],
        )


def _json(why: Sequence[object]) -> str:
    return to_json(why).decode()
