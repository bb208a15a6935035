"""The rules of combining, as data with dates: what held on a day can be asked for any day.

How they moved: before 2021 a support ticket; 2021 OV and EV in Pending Application only, and for
CFCA all of one kind of name; about 2022 today's rules; later "not hosted"; since August 2025 IP
addresses, and for GlobalSign DV of one primary domain. Days that are known by the year alone are
the first of January. An operator's file adds lines (`load`).
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

# An instance is about to expire in the last third of its certificate's real lifetime.
EXPIRY_FRACTION = 3
ANY = "*"
END_OF_TIME = datetime.max.replace(tzinfo=UTC)

Domains = Literal["any", "same_primary"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds on one day for one brand and type of certificate."""

    combinable: bool = False
    fewest: int = 2
    term_years: int = 1
    failed_ok: bool = True  # Validation Failed beside Pending Application
    hosted_ok: bool = True
    ip_ok: bool = False
    combined_ok: bool = True  # what was combined before may be combined again
    same_name_kind: bool = False
    domains: Domains = "any"
    most_names: int = 250  # in one certificate: more would burn refund rights for nothing
    refund_days: int = 7  # of 24 hours after payment, the last second included; 0: never


class Line(BaseModel):
    """From a day on, for one brand and type or for any, some of the rules are others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: date
    brand: Annotated[str, StringConstraints(min_length=1, max_length=32)] = ANY
    certificate_type: Literal["DV", "OV", "EV", "*"] = "*"
    combinable: bool | None = None
    fewest: int | None = Field(None, ge=2, le=1000)
    term_years: int | None = Field(None, ge=1, le=10)
    failed_ok: bool | None = None
    hosted_ok: bool | None = None
    ip_ok: bool | None = None
    combined_ok: bool | None = None
    same_name_kind: bool | None = None
    domains: Domains | None = None
    most_names: int | None = Field(None, ge=1, le=100_000)
    refund_days: int | None = Field(None, ge=0, le=3650)

    @field_validator("brand")
    @classmethod
    def _is_a_code(cls, brand: str) -> str:
        return brand.lower()

    @model_validator(mode="after")
    def _sets_something(self) -> Self:
        if not self.changes:
            raise ValueError("sets no rule")
        return self

    def fits(self, day: date, brand: str, certificate_type: str) -> bool:
        """Say whether this line has a say there and then."""
        here = self.brand in {ANY, brand} and self.certificate_type in {ANY, certificate_type}
        return here and self.since <= day

    @property
    def order(self) -> tuple[date, bool, bool]:
        """Later lines overrule earlier ones; of one day, those that say more precisely for whom."""
        return self.since, self.brand != ANY, self.certificate_type != ANY

    @property
    def changes(self) -> Mapping[str, Any]:
        """The rules that this line sets."""
        given = {rule.name: getattr(self, rule.name) for rule in fields(Rules)}
        return {name: value for name, value in given.items() if value is not None}


def _lines() -> Iterable[Line]:
    yield Line(since=date(2021, 1, 1), certificate_type="OV", combinable=True, failed_ok=False)
    yield Line(since=date(2021, 1, 1), certificate_type="EV", combinable=True, failed_ok=False)
    yield Line(since=date(2021, 1, 1), brand="cfca", same_name_kind=True)
    yield Line(since=date(2022, 1, 1), failed_ok=True, same_name_kind=False)
    yield Line(since=date(2023, 1, 1), hosted_ok=False)
    yield Line(since=date(2025, 8, 1), ip_ok=True)
    yield Line(
        since=date(2025, 8, 1),
        brand="globalsign",
        certificate_type="DV",
        combinable=True,
        domains="same_primary",
    )


class Rulebook:
    """All lines there are."""

    def __init__(self, more: Iterable[Line] = ()) -> None:
        self.lines = tuple(sorted((*_lines(), *more), key=lambda line: line.order))
        self._rules = lru_cache(maxsize=1024)(self._judge)

    def on(self, day: date, brand: str, certificate_type: str) -> Rules:
        """Return the rules that hold on `day` for that brand and type."""
        return self._rules(day, brand.lower(), certificate_type)

    def refund_end(self, paid_at: datetime, brand: str, certificate_type: str) -> datetime:
        """Return until when a refund is possible: by the rules of the day of payment (UTC).

        Who buys knows these; no later line shortens or lengthens what was promised.
        """
        period = timedelta(days=self.on(paid_at.date(), brand, certificate_type).refund_days)
        return min(paid_at, END_OF_TIME - period) + period  # a shop may say what it likes

    def _judge(self, day: date, brand: str, certificate_type: str) -> Rules:
        rules = Rules()
        for line in self.lines:
            if line.fits(day, brand, certificate_type):
                rules = replace(rules, **line.changes)
        return rules


class RulesRefusedError(ValueError):
    """An operator's file cannot be used; the message names every mistake in it."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: tuple[Line, ...] = ()


def parse(text: str) -> Rulebook:
    """Read an operator's lines, TOML: `[[rules]]` with `since`, `brand`, … and what they set."""
    try:
        return Rulebook(_File.model_validate(tomllib.loads(text)).rules)
    except tomllib.TOMLDecodeError as error:
        raise RulesRefusedError(f"not TOML: {error}") from error
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors())
        raise RulesRefusedError("; ".join(faults)) from error


def load(path: Path | None) -> Rulebook:
    """Read the operator's file; without one, only the lines above hold."""
    return Rulebook() if path is None else parse(path.read_text())


BUILT_IN = Rulebook()
