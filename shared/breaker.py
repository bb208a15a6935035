"""The breaker for our own bugs: better to stand still than to park a whole topic."""

from collections.abc import Sequence

from shared import metrics
from shared.cloudevents import NotUnderstood

MOST_IN_A_ROW = 10


class OurBugError(Exception):
    """Our own code fails on message after message: a person must look, and nothing is lost."""


class Breaker:
    """Opens when one exception of our own code would park most of what comes.

    What is wrong with a single message is parked; so are the first `MOST_IN_A_ROW` failures.
    Nothing that comes after them is acknowledged, so that the mended program handles it all.
    """

    def __init__(self) -> None:
        self._in_a_row = 0

    def judge(self, decided: int, parked: Sequence[NotUnderstood]) -> None:
        """Raise `OurBugError` if parking these would go too far."""
        bugs = [one.error for one in parked if one.is_bug]
        row = self._in_a_row + len(bugs)
        if row <= MOST_IN_A_ROW or 2 * len(bugs) <= decided:
            return
        if len({type(error) for error in bugs}) == 1:
            metrics.STOPPED.set(1)
            raise OurBugError(
                f"{type(bugs[0]).__name__} on {len(bugs)} of {decided} messages: {bugs[0]}. "
                "Nothing is parked or skipped any more; mend the program and restart it."
            ) from bugs[0]

    def note(self, decided: int, parked: Sequence[NotUnderstood]) -> None:
        """Remember how a batch ended that was committed."""
        bugs = sum(one.is_bug for one in parked)
        if decided > bugs:
            self._in_a_row = 0
        self._in_a_row += bugs
        metrics.STOPPED.set(0)
