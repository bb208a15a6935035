"""What a benchmark found, as tables for people: the same on a terminal and in a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that the median is to keep: from below, or from above."""

    bound: float
    is_least: bool

    def is_reached(self, value: float) -> bool:
        return value >= self.bound if self.is_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {shown(self.bound)}"


def at_least(bound: float) -> Goal:
    return Goal(bound, is_least=True)


def at_most(bound: float) -> Goal:
    return Goal(bound, is_least=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """One quantity, measured once or more often; `goal` is None where none was set."""

    what: str
    values: Sequence[float]
    unit: str = ""
    goal: Goal | None = None

    @property
    def row(self) -> tuple[str, ...]:
        middle, low, high = median(self.values), min(self.values), max(self.values)
        return (
            self.what,
            f"{shown(middle)} {self.unit}".rstrip(),
            f"{shown(low)} to {shown(high)}" if len(self.values) > 1 else "",
            str(self.goal or ""),
            ("yes" if self.goal.is_reached(middle) else "**no**") if self.goal else "",
        )


@dataclass(frozen=True, slots=True)
class Table:
    """Rows, and what the columns are called."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        lines = [list(self.columns), *map(list, self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        head, *body = (
            f"| {' | '.join(text.ljust(width) for text, width in zip(line, widths, strict=True))} |"
            for line in lines
        )
        rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
        return "\n".join([head, rule, *body])


@dataclass(frozen=True, slots=True)
class Section:
    """What one part found, and what has to be known to read it."""

    title: str
    findings: Sequence[Finding]
    notes: str = ""
    details: Table | None = None

    def __str__(self) -> str:
        columns = ("", "median", "from, to", "goal", "reached")
        found = Table(columns, [one.row for one in self.findings])
        tables = [str(one) for one in (found, self.details) if one]
        return "\n\n".join([f"## {self.title}", *tables, self.notes]).rstrip() + "\n"


def shown(value: float) -> str:
    """Write a number with three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
