"""Moves the one clock of all services forward, so that what falls due in between still happens.

The clock is a file that the services watch: {"ahead_seconds": 3600.0}. Each tells how far it is,
`GET /clock` on its health port: {"now": RFC 3339, "next_due": RFC 3339 | null, "settled": bool}.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from pydantic import AwareDatetime, BaseModel, ValidationError

from certfold.embedded import keep

PATIENCE_SECONDS = 60.0
TICK_SECONDS = 0.04
# What one service says is on its way to another when both are idle: look again before going on.
QUIET_LOOKS = 2
UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
STEP = re.compile(r"(\d{1,6})([dhms])")

Tell = Callable[[str], None]


class ClockError(Exception):
    """The clock was not moved, or not all the way; the message says why and how far it is."""


class Reading(BaseModel):
    """What a service says of its time."""

    now: AwareDatetime
    next_due: AwareDatetime | None
    settled: bool


@dataclass(frozen=True, slots=True)
class SandboxClock:
    """The clock of one data directory, and the services that live by it (name → health URL)."""

    file: Path
    services: Mapping[str, str]
    patience: float = PATIENCE_SECONDS
    tell: Tell = lambda _: None

    def now(self) -> datetime:
        """Return the moment that it is by this clock, in UTC."""
        return datetime.now(UTC) + self._ahead()

    async def move(self, target: datetime) -> datetime:
        """Go forward to `target`, stopping at each moment at which something falls due.

        Raises `ClockError` for a moment that has passed, and when a service does not answer or
        does not settle within `patience` at one stop; the clock then stands where it is.
        """
        if target < (now := self.now()):
            raise ClockError(f"the clock only goes forward: it is {_text(now)} already")
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
            readings = await self._settled(client, since=None)
            while due := _earliest(readings, target):
                self.tell(f"{_text(due)}: something is due")
                self._advance(due)
                readings = await self._settled(client, since=due)
            self._advance(target)
            await self._settled(client, since=target)
        return self.now()

    def _ahead(self) -> timedelta:
        return timedelta(seconds=keep.read(self.file, {"ahead_seconds": 0.0})["ahead_seconds"])

    def _advance(self, to: datetime) -> None:
        ahead = to - datetime.now(UTC)
        if ahead > self._ahead():  # or it has come there by itself, or somebody has moved it
            keep.write(self.file, {"ahead_seconds": ahead.total_seconds()})

    async def _settled(
        self, client: httpx.AsyncClient, since: datetime | None
    ) -> Sequence[Reading]:
        """Wait until all have reached `since` and have nothing left to do at this moment."""
        busy, quiet = "", 0
        deadline = asyncio.get_running_loop().time() + self.patience
        while asyncio.get_running_loop().time() < deadline:
            asked = (self._busy(client, name, url, since) for name, url in self.services.items())
            readings = await asyncio.gather(*asked)
            busy = "; ".join(one for one in readings if isinstance(one, str))
            quiet = 0 if busy else quiet + 1
            if quiet == QUIET_LOOKS:
                return [one for one in readings if isinstance(one, Reading)]
            await asyncio.sleep(TICK_SECONDS)
        raise ClockError(
            f"the clock stands at {_text(self.now())}: after {self.patience:.0f} s "
            f"it still could not go on: {busy or 'the services were never quiet for long'}"
        )

    async def _busy(
        self, client: httpx.AsyncClient, name: str, url: str, since: datetime | None
    ) -> Reading | str:
        """Return what a service says, or why it has to be waited for."""
        try:
            answer = await client.get(f"{url}/clock")
            reading = Reading.model_validate_json(answer.raise_for_status().content)
        except (httpx.HTTPError, ValidationError) as error:
            return f"{name} does not tell its time ({type(error).__name__})"
        if since and reading.now < since:
            return f"{name} is still at {_text(reading.now)}"
        if not reading.settled or (reading.next_due and reading.next_due <= reading.now):
            return f"{name} has work to finish"
        return reading


def prepare(file: Path) -> None:
    """Make the clock, unless it is there, showing real time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        keep.write(file, {"ahead_seconds": 0.0})


def parse(text: str, now: datetime) -> datetime:
    """Read "+2d", "+3h", "+90m", "+1d12h", or an RFC 3339 time with its offset; return UTC.

    Raises `ValueError` with a reason for people.
    """
    if text.startswith("+"):
        steps = STEP.findall(text[1:])
        if not steps or "".join(map("".join, steps)) != text[1:]:
            raise ValueError(f"{text} is no distance such as +2d, +3h, +90m or +1d12h")
        try:
            return now + sum((timedelta(**{UNITS[u]: int(n)}) for n, u in steps), timedelta())
        except OverflowError:
            raise ValueError(f"{text} is farther than any calendar goes") from None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text} is no time such as 2026-11-26T09:00+08:00, nor +2d") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text} says no offset from UTC; write {text}Z, or {text}+08:00")
    return moment.astimezone(UTC)


def _earliest(readings: Sequence[Reading], until: datetime) -> datetime | None:
    dues = (one.next_due for one in readings if one.next_due)
    return min((due for due in dues if due <= until), default=None)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
