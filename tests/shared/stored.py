"""Puts things where a service keeps them, past its road."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from shared.postgres import Transaction
from shared.writing import Writes

T = TypeVar("T")


async def stored(
    tx: Transaction, save: Callable[[Writes, Sequence[T]], None], things: Sequence[T]
) -> None:
    """Write things that are new."""
    writes = Writes()
    save(writes, things)
    await writes.say(tx)
