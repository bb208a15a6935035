"""Sees that what a service remembers is what it would read."""

from shared.memory import Memory
from shared.traffic import Traffic


async def false_memories(traffic: Traffic) -> list[tuple[object, object]]:
    """Return what is remembered at a row's own version, and yet differs from it; with the row."""
    differ: list[tuple[object, object]] = []
    for kind, shelf in traffic.road.shelves.items():
        known = all_of(traffic.memory, kind)
        async with traffic.postgres.transaction() as tx:
            there = {one.id: one for one in await shelf.load(tx, sorted(known))}
        for its_id, thing in known.items():
            kept = there.get(its_id)
            if kept is not None and kept.version == thing.version and kept != thing:
                differ.append((thing, kept))
    return differ


def all_of(memory: Memory, kind: type) -> dict:
    """Return all things of a kind that are remembered."""
    return memory._before.get(kind, {}) | memory._lately.get(kind, {})
