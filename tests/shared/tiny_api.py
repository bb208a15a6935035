"""A tiny HTTP API over a real PostgreSQL, and how it is asked."""

from typing import Annotated, ClassVar
from uuid import UUID

import httpx
from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.responses import Response

from shared.api import (
    PREFIX,
    ASlice,
    AWish,
    Page,
    Person,
    accepted,
    allow,
    carry,
    make_api,
)
from shared.contracts.base import Objection
from shared.decision import Decision, Moment
from shared.problems import not_found, refused
from shared.reactions import when
from shared.road import Road
from shared.service import Parts
from tests.shared import tally
from tests.shared.tally import Count, Counted, Tally, TallyEvent

SECRET = "only the console knows"  # noqa: S105 - of an API that lives as long as a test
TALLIES, PARKED = f"{PREFIX}/tallies", f"{PREFIX}/services/tally/parked"
ENOUGH = 10  # from which on a tally is settled
TOO_MUCH = 999
FOUND = (
    Objection(code="too_much", subject="amount", message="nobody counts so far"),
    Objection(code="too_late", subject="amount", message="and not today"),
)


class CountRefused(TallyEvent):
    is_refusal: ClassVar[bool] = True

    objections: tuple[Objection, ...]


def count(it: Tally | None, asked: Count, moment: Moment) -> Decision:
    if asked.amount == TOO_MUCH:
        return Decision(facts=(CountRefused(tally_id=asked.tally_id, total=0, objections=FOUND),))
    return tally.count(it, asked, moment)


road = Road(
    when(Counted, tally.tallies, about=lambda it: it.tally_id, then=tally.count),
    when(Count, tally.tallies, about=lambda it: it.tally_id, then=count),
    shelves=(tally.tallies,),
)


class TallyBody(BaseModel):
    amount: Annotated[int, Field(ge=0, le=1000)]
    words: list[str] = []


class TallyView(BaseModel):
    tally_id: UUID
    total: int


def tiny_api(parts: Parts) -> FastAPI:
    app = make_api(parts, "Tally")
    applicant = allow("applicant")

    async def find(tally_id: UUID) -> TallyView:
        async with parts.postgres.transaction() as tx:
            total = await tx.fetchval("SELECT total FROM tallies WHERE id = $1", tally_id)
        if total is None:
            raise not_found("tally", tally_id)
        return TallyView(tally_id=tally_id, total=total)

    @app.post(TALLIES)
    async def add(body: TallyBody, wish: AWish, person: Annotated[Person, applicant]) -> Response:
        carried = await carry(
            parts,
            person.account,
            wish,
            lambda reference: Count(tally_id=reference, amount=body.amount),
        )
        return await accepted(
            wish,
            f"{TALLIES}/{carried.reference}",
            lambda: find(carried.reference),
            lambda one: one.total >= ENOUGH,
        )

    @app.post(f"{TALLIES}/{{tally_id}}/refusal", dependencies=[applicant])
    async def refuse(tally_id: UUID) -> None:
        codes = ("not_pending", "too_many_names")
        raise refused(Objection(code=one, subject=str(tally_id), message="no") for one in codes)

    @app.get(TALLIES)
    async def list_tallies(piece: ASlice, _: Annotated[Person, applicant]) -> Page[TallyView]:
        async with parts.postgres.transaction() as tx:
            rows = await tx.fetch(
                "SELECT id AS tally_id, total FROM tallies "
                "WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2",
                piece.after,
                piece.limit + 1,
            )
        return piece.page([TallyView(**row) for row in rows], lambda one: one.tally_id)

    @app.get(f"{TALLIES}/{{tally_id}}", dependencies=[applicant])
    async def get_tally(tally_id: UUID) -> TallyView:
        return await find(tally_id)

    @app.get(f"{PREFIX}/broken/{{what}}", dependencies=[applicant])
    async def break_(what: str) -> None:
        async with parts.postgres.transaction() as tx:
            await tx.execute({"value": "SELECT 1/0", "schema": "SELECT nothing"}[what])

    return app


def person(role: str, account: str | None = "acme") -> dict[str, str]:
    headers = {"authorization": f"Bearer {SECRET}", "certfold-person": "ann", "certfold-role": role}
    return headers | ({"certfold-account": account} if account else {})


def told(answer: httpx.Response) -> list[tuple[str, str]]:
    """Check that an answer is a problem; return the code and subject of each objection."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert {"type", "title", "detail"} < problem.keys()
    return [(one["code"], one["subject"]) for one in problem["objections"]]


async def add(
    api: httpx.AsyncClient, amount: int = 1, key: str | None = None, **headers: str
) -> httpx.Response:
    headers |= {"idempotency-key": key} if key else {}
    return await api.post(TALLIES, json={"amount": amount}, headers=headers)


async def totals(api: httpx.AsyncClient) -> list[int]:
    return [one["total"] for one in (await api.get(TALLIES)).json()["items"]]
