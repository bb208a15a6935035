"""The rules of combining, as data with dates: what held on a day can be asked for any day."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Rules:
    """Which instances may be combined, from a day on (DOMAIN: the rules of step 3)."""

    since: date
    fewest: int
    certificate_types: frozenset[str]
    term_years: int
    most_names: int  # in one certificate: more would burn refund rights for nothing


RULES = (
    Rules(
        since=date.min,
        fewest=2,
        certificate_types=frozenset({"OV", "EV"}),
        term_years=1,
        most_names=250,
    ),
)
REFUND_DAYS = 7  # calendar days after payment, for an instance never combined
# An instance is about to expire in the last third of its certificate's real lifetime.
EXPIRY_FRACTION = 3


def rules_on(day: date) -> Rules:
    """Return the rules that hold on `day`."""
    return max((one for one in RULES if one.since <= day), key=lambda one: one.since)
