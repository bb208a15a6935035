"""The industry's rules that have dates: one table, keyed by the day from which a row holds.

Sources: CA/Browser Forum TLS Baseline Requirements 2.2.x §3.2.2.4, 4.2.1, 4.9.7 and 6.3.2.
A day is 86,400 seconds (BR 6.3.2), and begins at midnight UTC.

Not performed: CAA (BR 3.2.2.8), and corroboration from several perspectives (BR 3.2.2.9).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile

ONE_DAY = timedelta(days=1)
ONE_SECOND = timedelta(seconds=1)
SIGNED_WITHIN = timedelta(hours=48)  # of notBefore (BR 7.1.2.7)
BACKDATING = SIGNED_WITHIN - timedelta(hours=1)  # what is decided is signed a little later


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds from the day `since`, until the next row does."""

    since: date
    longest_validity: timedelta  # BR 6.3.2
    domain_reuse: timedelta  # of a name's or an address's validation (BR 4.2.1)
    organisation_reuse: timedelta = timedelta(days=398)  # BR 4.2.1, EVG 3.2.2.14.1
    random_value_life: timedelta = timedelta(days=30)  # BR 3.2.2.4.7
    crl_life: timedelta = timedelta(days=4)  # without OCSP (BR 4.9.7)

    @property
    def validity(self) -> timedelta:
        """How long a new certificate lives: a day less than the longest (SHOULD, BR 6.3.2)."""
        return self.longest_validity - ONE_DAY


def _table() -> Iterator[Rules]:
    days = timedelta(days=1).__mul__
    yield (row := Rules(date(2025, 3, 15), days(398), days(398)))
    yield (
        row := replace(
            row, since=date(2026, 3, 15), longest_validity=days(200), domain_reuse=days(200)
        )
    )
    yield (
        row := replace(
            row, since=date(2027, 3, 15), longest_validity=days(100), domain_reuse=days(100)
        )
    )
    yield replace(row, since=date(2029, 3, 15), longest_validity=days(47), domain_reuse=days(10))


TABLE = tuple(_table())


def at(day: date) -> Rules:
    """Return the rules in force on `day` (UTC); LookupError before the table begins."""
    held = list(takewhile(lambda rules: rules.since <= day, TABLE))
    if not held:
        raise LookupError(f"no rules are known for {day}: the table begins {TABLE[0].since}")
    return held[-1]


def validity(day: date) -> timedelta:
    """Return how long a certificate that is signed on `day` (UTC) lives."""
    return at(day).validity


def period(clock: datetime, host: datetime) -> tuple[datetime, datetime]:
    """Choose (notBefore, notAfter), whole seconds in UTC, for what is signed now.

    notBefore is the earlier of the services' `clock` and the `host`'s, so that ordinary programs
    accept a certificate from a clock that was moved forward, by at most 48 h; else 47 h ago, so
    that there is an hour to sign in. notAfter is inclusive: it is the last second that counts
    (BR 6.3.2).
    """
    now, real = (moment.astimezone(UTC).replace(microsecond=0) for moment in (clock, host))
    not_before = min(now, real)
    if not may_sign(not_before, now):
        not_before = now - BACKDATING
    return not_before, not_before + validity(now.date()) - ONE_SECOND


def may_sign(not_before: datetime, *clocks: datetime) -> bool:
    """Tell whether what begins so may be signed now, by one of the `clocks` (BR 7.1.2.7)."""
    return any(abs(clock - not_before) <= SIGNED_WITHIN for clock in clocks)
