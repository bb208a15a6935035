"""How fast the pure rules judge."""

import time
from datetime import date
from decimal import Decimal
from uuid import UUID

from services.inventory.domain.policy import BUILT_IN
from services.inventory.domain.things import Claimed, Instance
from services.inventory.views import preview
from shared.clock import utc_now
from shared.contracts.base import Names
from shared.contracts.purchases import Price
from shared.replacing import replace
from tests.benchmarks.ground import Tell
from tests.benchmarks.table import Finding, Section, at_least

MEMBERS = 20
ACCOUNT = "acme"
DAY = date(2026, 11, 25)
NOTES = f"""\
Judging {MEMBERS} instances that are in memory, on one core: every objection, the sum of names, the
kinds of certificate, as the preview of the HTTP API shows them. Refused: each of the {MEMBERS} is
in use, so that there are {MEMBERS} objections to tell.
"""


def estate() -> dict[UUID, Instance]:
    """Own instances that may be combined."""
    one = Instance(
        id=UUID(int=1),
        account_id=ACCOUNT,
        name="cas-1",
        brand="digicert",
        certificate_type="OV",
        names=Names(single=1),
        term_years=1,
        created_at=utc_now(),
        price=Price(amount=Decimal(298), currency="CNY"),
    )
    return {UUID(int=n): replace(one, id=UUID(int=n)) for n in range(1, MEMBERS + 1)}


def measure(seconds: float, rounds: int, tell: Tell) -> Section:
    """Judge what may be combined and what may not, in turns."""
    free = estate()
    held = {key: replace(one, stage=Claimed(UUID(int=99))) for key, one in free.items()}
    allowed, refused = [], []
    for _ in range(rounds):
        allowed.append(_per_second(free, seconds))
        refused.append(_per_second(held, seconds))
    tell(f"previews: {allowed[-1]:,.0f}/s allowed, {refused[-1]:,.0f}/s refused")
    findings = (
        Finding(f"previews of {MEMBERS} instances", allowed, "a second of CPU", at_least(10_000)),
        Finding("of those that are refused", refused, "a second of CPU"),
    )
    return Section("Previews", findings, NOTES)


def _per_second(found: dict[UUID, Instance], seconds: float) -> float:
    asked, count = list(found), 0
    end = (began := time.process_time()) + seconds
    while time.process_time() < end:
        preview(found, asked, ACCOUNT, DAY, BUILT_IN)
        count += 1
    return count / (time.process_time() - began)
