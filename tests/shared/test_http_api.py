"""What all HTTP APIs have in common, on a tiny one over a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Annotated, ClassVar
from uuid import UUID

import httpx
import pytest
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
from shared.clock import utc_now
from shared.cloudevents import NotUnderstood
from shared.contracts.base import Objection
from shared.decision import Decision, Moment
from shared.parking import parked_id
from shared.postgres import Postgres
from shared.problems import not_found, refused
from shared.road import Road, when
from shared.service import Parts
from shared.traffic import Traffic
from tests.shared import make, tally
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


@pytest.fixture
def traffic(postgres: Postgres) -> Traffic:
    return Traffic("tally", road, postgres, wake=lambda: None)


@pytest.fixture
async def api(postgres: Postgres, traffic: Traffic) -> AsyncIterator[httpx.AsyncClient]:
    settings = SimpleNamespace(console_secret=SECRET)
    parts = Parts(traffic, postgres, settings, utc_now, health=None)
    transport = httpx.ASGITransport(tiny_api(parts))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://tally", headers=person("applicant")
    ) as client:
        yield client


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


async def test_command_is_accepted_and_tells_where_to_look(api) -> None:
    answer = await add(api, 4)

    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers
    there = await api.get(answer.headers["location"])
    assert there.json() == answer.json() == {**there.json(), "total": 4}


async def test_outcome_that_is_there_in_time_is_the_answer(api) -> None:
    answer = await add(api, ENOUGH, prefer="respond-async, wait=5")

    assert (answer.status_code, answer.json()["total"]) == (200, ENOUGH)
    assert answer.headers["preference-applied"] == "wait=5"
    assert answer.headers["location"].endswith(answer.json()["tally_id"])


async def test_outcome_is_waited_for(api, traffic, postgres) -> None:
    asking = asyncio.create_task(add(api, 1, prefer='wait="20"'))
    while not (rows := await totals(api)):
        await asyncio.sleep(0.01)
    assert rows == [1]
    async with postgres.transaction() as tx:
        its_id = await tx.fetchval("SELECT id FROM tallies")
    await traffic.ask(Count(tally_id=its_id, amount=ENOUGH), UUID(int=1))

    answer = await asking

    assert (answer.status_code, answer.json()["total"]) == (200, ENOUGH + 1)


async def test_patience_that_ends_before_the_outcome_leaves_it_accepted(api) -> None:
    answer = await add(api, 1, prefer="wait=1")

    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=1"


async def test_nobody_waits_longer_than_half_a_minute(api) -> None:
    answer = await add(api, ENOUGH, prefer="wait=86400")

    assert answer.headers["preference-applied"] == "wait=30"


@pytest.mark.parametrize("prefer", ["", "wait", "wait=soon", "wait=-1", "handling=strict"])
async def test_preference_that_is_no_wait_is_ignored(api, prefer) -> None:
    answer = await add(api, ENOUGH, prefer=prefer)

    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers


async def test_command_with_the_same_key_is_carried_once_and_answered_alike(api) -> None:
    first = await add(api, 4, key="k")
    again = await add(api, 4, key="k")

    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert await totals(api) == [4]


async def test_same_key_with_another_body_is_refused_and_changes_nothing(api) -> None:
    await add(api, 4, key="k")

    answer = await add(api, 5, key="k")

    assert answer.status_code == 422
    assert told(answer) == [("idempotency_key_reused", "Idempotency-Key")]
    assert await totals(api) == [4]


async def test_same_key_of_another_account_is_another_key(api) -> None:
    await add(api, 4, key="k")

    answer = await add(api, 5, key="k", **{"certfold-account": "rival"})

    assert (answer.status_code, await totals(api)) == (202, [4, 5])


async def test_commands_with_the_same_key_that_come_at_once_are_carried_once(api) -> None:
    answers = await asyncio.gather(*(add(api, 4, key="k") for _ in range(8)))

    assert {one.status_code for one in answers} == {202}
    assert len({one.headers["location"] for one in answers}) == 1
    assert await totals(api) == [4]


async def test_of_different_bodies_with_the_same_key_that_come_at_once_one_is_carried(api) -> None:
    answers = await asyncio.gather(*(add(api, n, key="k") for n in range(8)))

    statuses = sorted(one.status_code for one in answers)
    assert statuses == [202] + [422] * 7
    assert len(await totals(api)) == 1


async def test_without_a_key_each_command_is_another(api) -> None:
    await add(api, 4)
    await add(api, 4)

    assert await totals(api) == [4, 4]


async def test_command_that_failed_can_be_tried_again_with_its_key(
    api, traffic, monkeypatch
) -> None:
    with pytest.raises(ValueError, match="thirteen"):
        await add(api, tally.UNLUCKY, key="k")
    monkeypatch.setattr(tally, "UNLUCKY", None)

    answer = await add(api, 13, key="k")

    assert (answer.status_code, await totals(api)) == (202, [13])


async def test_everything_that_is_wrong_with_a_body_is_told_at_once(api) -> None:
    answer = await api.post(TALLIES, json={"amount": 1001, "words": ["a", 7]})

    assert answer.status_code == 422
    assert told(answer) == [
        ("less_than_equal", "amount"),
        ("string_type", "words.1"),
    ]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7"])
async def test_body_that_is_no_object_is_told_so(api, body) -> None:
    answer = await api.post(TALLIES, content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert told(answer)


@pytest.mark.parametrize("key", [None, "k"])
async def test_refused_command_tells_every_reason_also_to_who_asks_again(api, key) -> None:
    answers = [await add(api, TOO_MUCH, key=key) for _ in range(2)]

    assert [one.status_code for one in answers] == [409, 409]
    assert [told(one) for one in answers] == [[(it.code, it.subject) for it in FOUND]] * 2
    assert await totals(api) == []


async def test_refused_commands_that_come_at_once_with_the_same_key_are_all_told_why(api) -> None:
    answers = await asyncio.gather(*(add(api, TOO_MUCH, key="k") for _ in range(5)))

    assert {one.status_code for one in answers} == {409}
    assert all(len(told(one)) == 2 for one in answers)


async def test_key_of_a_refused_command_is_used_up(api) -> None:
    await add(api, TOO_MUCH, key="k")

    answer = await add(api, 1, key="k")

    assert (answer.status_code, await totals(api)) == (422, [])


async def test_refusal_tells_every_reason(api) -> None:
    answer = await api.post(f"{TALLIES}/{make.A}/refusal")

    assert answer.status_code == 409
    assert told(answer) == [("not_pending", str(make.A)), ("too_many_names", str(make.A))]


@pytest.mark.parametrize("its_id", [str(make.A), "no-uuid-at-all"])
async def test_id_in_a_path_that_is_nobodys_is_not_found(api, its_id) -> None:
    answer = await api.get(f"{TALLIES}/{its_id}")

    assert answer.status_code == 404
    assert told(answer) == [("unknown", its_id)]


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), (TALLIES, 405)])
async def test_path_and_method_that_do_not_exist_are_problems_too(api, path, status) -> None:
    answer = await api.delete(path)

    assert (answer.status_code, told(answer)) == (status, [])


async def test_value_that_the_store_refuses_is_the_bodys_fault(api) -> None:
    answer = await api.get(f"{PREFIX}/broken/value")

    assert answer.status_code == 422
    assert told(answer) == [("value_refused", "body")]


async def test_store_that_fails_may_be_asked_again_in_a_moment(api) -> None:
    answer = await api.get(f"{PREFIX}/broken/schema")

    assert (answer.status_code, told(answer)) == (503, [])
    assert answer.headers["retry-after"] == "1"


async def test_list_is_read_piece_by_piece_to_its_end(api) -> None:
    for amount in range(5):
        await add(api, amount)

    seen, cursor = [], None
    while cursor or not seen:
        piece = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = (await api.get(TALLIES, params=piece)).json()
        seen.append([one["total"] for one in answer["items"]])
        cursor = answer["next_cursor"]

    assert seen == [[0, 1], [2, 3], [4]]


async def test_list_that_ends_with_a_full_piece_says_so(api) -> None:
    await add(api)

    answer = (await api.get(TALLIES, params={"limit": 1})).json()

    assert (len(answer["items"]), answer["next_cursor"]) == (1, None)


@pytest.mark.parametrize("cursor", ["?", "AAAA", "\u00e4", "A" * 23])
async def test_cursor_that_is_none_of_ours_is_refused(api, cursor) -> None:
    answer = await api.get(TALLIES, params={"cursor": cursor})

    assert answer.status_code == 422
    assert told(answer) == [("cursor_invalid", "cursor")]


@pytest.mark.parametrize("limit", [0, 201, "many"])
async def test_piece_of_no_sensible_size_is_refused(api, limit) -> None:
    answer = await api.get(TALLIES, params={"limit": limit})

    assert answer.status_code == 422
    assert [subject for _, subject in told(answer)] == ["limit"]


@pytest.mark.parametrize("role", ["officer", "reviewer", "auditor", "operator", "", "root"])
async def test_wrong_role_is_refused(api, role) -> None:
    answer = await api.get(TALLIES, headers=person(role))

    assert (answer.status_code, told(answer)) == (403, [])


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer guess", f"Basic {SECRET}"])
async def test_nobody_is_believed_but_the_console(api, authorization) -> None:
    answer = await api.get(TALLIES, headers={"authorization": authorization})

    assert (answer.status_code, told(answer)) == (401, [])


async def test_person_without_an_account_can_order_nothing(api) -> None:
    del api.headers["certfold-account"]

    assert (await add(api)).status_code == 403


@pytest.fixture
async def record(traffic: Traffic) -> make.Record:
    """Park a record that could be handled by now."""
    parked = make.record(Counted(tally_id=make.A, amount=7))
    await traffic.take([NotUnderstood(parked, ValueError("by an older program"))])
    return parked


async def test_operator_sees_what_is_parked_and_why(api, record) -> None:
    answer = await api.get(PARKED, headers=person("operator", account=None))

    [one] = answer.json()["items"]
    assert (one["id"], one["topic"]) == (str(parked_id(record)), "count")
    assert (one["error_class"], one["error_message"]) == ("ValueError", "by an older program")
    assert one["value"] == record.value.decode()


async def test_operator_replays_what_is_parked(api, record) -> None:
    path = f"{PARKED}/{parked_id(record)}/replay"

    answers = [await api.post(path, headers=person("operator")) for _ in range(2)]

    assert [one.status_code for one in answers] == [204, 404]
    assert await totals(api) == [7]


async def test_replay_that_fails_again_says_why(api, traffic) -> None:
    unlucky = make.counted(tally.UNLUCKY)
    await traffic.take(make.read(unlucky))

    answer = await api.post(f"{PARKED}/{parked_id(unlucky)}/replay", headers=person("operator"))

    assert answer.status_code == 409
    assert told(answer) == [("ValueError", str(parked_id(unlucky)))]


async def test_operator_discards_what_is_parked(api, record) -> None:
    operator = person("operator")

    answer = await api.delete(f"{PARKED}/{parked_id(record)}", headers=operator)

    assert answer.status_code == 204
    assert (await api.get(PARKED, headers=operator)).json()["items"] == []


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [
        ("applicant", "GET", PARKED),
        ("officer", "GET", PARKED),
        ("auditor", "POST", f"{PARKED}/{make.A}/replay"),
        ("auditor", "DELETE", f"{PARKED}/{make.A}"),
    ],
)
async def test_parked_messages_are_the_operators_business(api, role, method, path) -> None:
    assert (await api.request(method, path, headers=person(role))).status_code == 403
