"""Business days of the CA's country, its public holidays and make-up working days included."""

from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays

EXPECTED_DAYS = 7


@cache
def _calendar(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)


def business_days_after(moment: datetime, days: int, country: str, zone: str) -> datetime:
    """Return the same time of day, in `zone`, so many business days later; in UTC."""
    local = moment.astimezone(ZoneInfo(zone))
    while days > 0:
        local += timedelta(days=1)
        if _calendar(country).is_working_day(local.date()):
            days -= 1
    return local.astimezone(moment.tzinfo)


def one_business_day_after(moment: datetime, country: str, zone: str) -> datetime:
    """Return when an applicant has to be told what is missing."""
    return business_days_after(moment, 1, country, zone)


def expected_by(moment: datetime, country: str, zone: str) -> datetime:
    """Return when the CA is expected to be done with what was submitted at `moment`."""
    return business_days_after(moment, EXPECTED_DAYS, country, zone)
