"""Business days of the CA's country: its public holidays, and its working days at weekends.

What a country decides year by year, such as China's make-up working days, is known as far as the
`holidays` library has been told: keep it up to date.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import count, islice
from zoneinfo import ZoneInfo

from holidays import HolidayBase, country_holidays

COUNTRY = "CN"
ZONE = "Asia/Shanghai"
EXPECTED = 7  # business days until a decision

_DAY = timedelta(days=1)


def is_business_day(day: date, country: str = COUNTRY) -> bool:
    """Tell whether people work on `day` in `country` (ISO 3166-1 alpha-2).

    Raises LookupError for a country whose holidays are not known.
    """
    return _calendar(country, day.year).is_working_day(day)


def business_days_after(
    moment: datetime, n: int, country: str = COUNTRY, zone: str = ZONE
) -> datetime:
    """Return when `n` business days will have passed since `moment`; both in UTC.

    It is as long after midnight, in the CA's `zone` (a name of the tz database), on the n-th
    business day from the moment's. What comes on a day of rest comes when the next business day
    begins. A later moment never has an earlier answer.

    Raises ValueError for a negative `n`, LookupError for an unknown country or zone.
    """
    if n < 0:
        raise ValueError("business days are counted forward only")
    there = ZoneInfo(zone)
    today = moment.astimezone(there).date()
    first, *later = islice(_business_days_from(today, country), n + 1)
    last = later[-1] if later else first
    since_midnight = moment - _midnight(today, there) if first == today else timedelta()
    # A day with more hours than the last one has, when clocks change, ends with it.
    return min(_midnight(last, there) + since_midnight, _midnight(last + _DAY, there))


def one_business_day_after(moment: datetime, country: str = COUNTRY, zone: str = ZONE) -> datetime:
    """Return when the applicant is told what is still missing; both in UTC."""
    return business_days_after(moment, 1, country, zone)


def expected_by(submitted: datetime, country: str = COUNTRY, zone: str = ZONE) -> datetime:
    """Return when the CA should have decided at the latest; both in UTC."""
    return business_days_after(submitted, EXPECTED, country, zone)


def _business_days_from(today: date, country: str) -> Iterator[date]:
    days = (today + n * _DAY for n in count())
    return (day for day in days if is_business_day(day, country))


def _midnight(day: date, there: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), there).astimezone(UTC)


@lru_cache(maxsize=64)
def _calendar(country: str, year: int) -> HolidayBase:
    try:
        return country_holidays(country, years=year, expand=False)
    except NotImplementedError as error:
        raise LookupError(f"the public holidays of {country!r} are not known") from error
