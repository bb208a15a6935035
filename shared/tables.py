"""Lists as CSV (RFC 4180) for who asks for `text/csv`: one row an item, nested values flattened."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel

from shared.api import Page

MEDIA_TYPE = "text/csv"
# A cell that begins so is taken for a formula by spreadsheets.
FORMULAS = ("=", "+", "-", "@", "\t", "\r")

B = TypeVar("B", bound=BaseModel)


async def _wants_csv(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return MEDIA_TYPE in accepted and "application/json" not in accepted.split(MEDIA_TYPE)[0]


WantsCsv = Annotated[bool, Depends(_wants_csv)]


def listed(page: Page[B], model: type[B], *, as_csv: bool) -> Page[B] | Response:
    """Answer with a page, or with its items as CSV and the cursor in `x-next-cursor`."""
    if not as_csv:
        return page
    headers = {"x-next-cursor": page.next_cursor} if page.next_cursor else {}
    return Response(to_csv(page.items, model), media_type=MEDIA_TYPE, headers=headers)


def to_csv(items: Sequence[BaseModel], model: type[BaseModel]) -> str:
    """Write items; a mapping becomes a column for each key, a list its JSON."""
    out = io.StringIO()
    rows = [dict(_cells(one.model_dump(mode="json"))) for one in items]
    found = dict.fromkeys(chain.from_iterable(rows)) or model.model_fields
    # A value that is null in some rows and a mapping in others has the mapping's columns.
    columns = [one for one in found if not any(other.startswith(f"{one}.") for other in found)]
    writer = csv.DictWriter(out, columns, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _cells(item: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in item.items():
        match value:
            case dict():
                yield from _cells(value, f"{prefix}{name}.")
            case list():
                yield prefix + name, json.dumps(value)
            case str() if value.startswith(FORMULAS):
                yield prefix + name, f"'{value}"
            case None:
                yield prefix + name, ""
            case _:
                yield prefix + name, value
