"""What a benchmark found, as a table for people: the same on a terminal and in a file."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A title, what the columns are called, the rows, and what has to be known to read them."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        lines = [list(self.columns), *map(list, self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        head, *body = (
            f"| {' | '.join(text.ljust(width) for text, width in zip(line, widths, strict=True))} |"
            for line in lines
        )
        rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
        notes = [f"- {note}" for note in self.notes]
        return "\n".join([f"## {self.title}", "", head, rule, *body, "", *notes, ""])
