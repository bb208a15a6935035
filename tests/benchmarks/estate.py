"""Customers who own many instances, and combine them by pairs."""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from uuid import UUID

from services.combination.domain import RequestCombination
from shared.clock import utc_now
from shared.ids import new_id
from tests.benchmarks.ground import Ground
from tests.benchmarks.ours import Ours

Pair = tuple[str, tuple[UUID, UUID]]

ENDOW = """
    INSERT INTO inventory.instances (
        id, account_id, name, brand, certificate_type, single_names, wildcard_names, ip_names,
        term_years, created_at, member_ids, hosted, remark, tags, stage, version)
    SELECT uuidv7(), ($1::text[])[1 + n % cardinality($1)], 'cas-' || n, 'digicert', 'OV', 1, 0, 0,
           1, now(), '', false, '', '[]', 'pending_application', 1
      FROM generate_series(0, $2::integer - 1) AS n
    """
OWNED = """
    SELECT account_id, one.id FROM unnest($1::text[]) AS wanted (account_id), LATERAL (
        SELECT id FROM inventory.instances AS i
         WHERE i.account_id = wanted.account_id AND stage = 'pending_application'
         ORDER BY id LIMIT $2) AS one
    """
COMBINED = """
    SELECT count(*) FROM combination.combinations
     WHERE id = ANY($1::uuid[]) AND status = 'combined'
    """


async def endow(place: Ground, accounts: Sequence[str], owned: int) -> None:
    """Give instances to customers, as if they had bought them."""
    await place.admin.execute(ENDOW, accounts, owned)
    await place.admin.execute("VACUUM ANALYZE inventory.instances")


async def pairs(place: Ground, accounts: Sequence[str], most: int) -> Iterator[Pair]:
    """Choose what to combine: of one customer after the other, each instance once."""
    each = 2 * -(-most // len(accounts))
    owned: dict[str, list[UUID]] = {}
    for row in await place.admin.fetch(OWNED, accounts, each):
        owned.setdefault(row["account_id"], []).append(row["id"])
    return ((account_id, (left.pop(), left.pop())) for account_id, left in cycle(owned.items()))


async def combine(side: Ours, chosen: Iterator[Pair], count: int) -> None:
    """Combine so many pairs, until nothing is left to be published."""
    commands = [
        RequestCombination(
            combination_id=new_id(utc_now()),
            account_id=account_id,
            asked_by=account_id,
            member_instance_ids=pair,
            refund_waiver_acknowledged=True,
        )
        for account_id, pair in islice(chosen, count)
    ]
    await side.ask("combination", commands)
    await side.look(COMBINED, count, [one.combination_id for one in commands])
    await side.settled()
