"""Commands that come again, commands that are waited for, lists that are read in pieces."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.end_to_end.outside import Person, codes, form
from tests.end_to_end.steps import World, problem


@pytest.fixture
async def purchase_id(world: World) -> str:
    """Return a purchase of four instances of which none is made yet."""
    sale = await world.sells(quantity=4)
    found: str = sale["purchase_id"]
    return found


async def sends(person: Person, path: str, body: Any, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await person.send("POST", path, body, headers=named)


async def made(world: World, purchase_id: str) -> list[Any]:
    return await world.applicant.all("/instances", purchase_id=purchase_id)


async def test_command_that_comes_twice_has_one_effect_and_one_answer(world, purchase_id) -> None:
    wish, key = {"purchase_id": purchase_id, "count": 2}, uuid4().hex

    first = await sends(world.applicant, "/instances", wish, idempotency_key=key)
    again = await sends(world.applicant, "/instances", wish, idempotency_key=key)

    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert await made(world, purchase_id) == first.json()["items"]


async def test_command_that_comes_ten_times_at_once_has_one_effect(world, purchase_id) -> None:
    wish, key = {"purchase_id": purchase_id, "count": 1}, uuid4().hex

    answers = await asyncio.gather(
        *(sends(world.applicant, "/instances", wish, idempotency_key=key) for _ in range(10))
    )

    assert [one.status_code for one in answers] == [202] * 10
    [instance] = await made(world, purchase_id)
    assert [one.json()["items"] for one in answers] == [[instance]] * 10


async def test_key_that_comes_with_another_body_is_a_problem_422(world, purchase_id) -> None:
    key = uuid4().hex
    wish = {"purchase_id": purchase_id, "count": 1}
    await sends(world.applicant, "/instances", wish, idempotency_key=key)

    other = await sends(world.applicant, "/instances", wish | {"count": 2}, idempotency_key=key)

    assert codes(problem(other, 422)) == {"idempotency_key_reused"}
    assert len(await made(world, purchase_id)) == 1


async def test_key_is_of_one_account_and_one_path(world) -> None:
    key, first, second = uuid4().hex, *(await world.buys(2))
    waiver = {"instance_ids": [first, second], "refund_waiver_acknowledged": True}

    combined = await world.applicant.post("/combinations", waiver, key=key)
    strangers = await world.other.post("/combinations", waiver, key=key)
    wish = form(combined["instance_id"], ["a.example", "b.example"])
    applied = await world.applicant.post("/applications", wish, key=key)

    assert (combined["status"], strangers["status"]) == ("combined", "refused")
    assert codes(strangers) == {"unknown"}
    assert applied["status"] == "pending_validation"


async def test_refusal_is_told_again_to_who_asks_again(world, purchase_id) -> None:
    wish, key = {"purchase_id": purchase_id, "count": 5}, uuid4().hex

    answers = [
        await sends(world.applicant, "/instances", wish, idempotency_key=key) for _ in range(2)
    ]

    first, again = (problem(answer, 409) for answer in answers)
    assert first == again
    assert codes(first) == {"quota_exceeded"}


async def test_combination_that_comes_twice_is_one(world) -> None:
    ids, key = await world.buys(2), uuid4().hex
    wish = {"instance_ids": ids, "refund_waiver_acknowledged": True}

    first, again = await asyncio.gather(
        *(world.applicant.post("/combinations", wish, key=key) for _ in range(2))
    )

    assert first["status"] == "combined"
    assert first == again


async def test_command_that_is_not_waited_for_tells_where_to_look(world) -> None:
    wish = {"instance_ids": await world.buys(2), "refund_waiver_acknowledged": True}

    answer = await sends(world.applicant, "/combinations", wish)

    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers
    assert answer.headers["location"] == f"/api/v1/combinations/{answer.json()['combination_id']}"
    path = answer.headers["location"].removeprefix("/api/v1")
    await world.applicant.until(path, "combined")


async def test_command_that_is_waited_for_answers_with_the_outcome(world) -> None:
    wish = {"instance_ids": await world.buys(2), "refund_waiver_acknowledged": True}

    answer = await sends(world.applicant, "/combinations", wish, prefer="wait=20")

    assert (answer.status_code, answer.json()["status"]) == (200, "combined")
    assert answer.headers["preference-applied"] == "wait=20"
    shown = await world.applicant.get(f"/combinations/{answer.json()['combination_id']}")
    assert shown == answer.json()


async def test_nobody_is_waited_for_longer_than_half_a_minute(world) -> None:
    wish = {"instance_ids": [], "refund_waiver_acknowledged": True}

    answer = await sends(world.applicant, "/combinations", wish, prefer="respond-async, wait=600")

    assert answer.headers["preference-applied"] == "wait=30"


async def test_key_that_is_too_long_is_a_problem_422(world, purchase_id) -> None:
    wish = {"purchase_id": purchase_id, "count": 1}

    answer = await sends(world.applicant, "/instances", wish, idempotency_key="k" * 256)

    problem(answer, 422)
    assert await made(world, purchase_id) == []


@pytest.mark.parametrize("path", ["/instances", "/applications", "/certificates", "/quota"])
async def test_list_is_the_same_piece_by_piece(world, certificate, path) -> None:
    whole = await world.applicant.all(path)

    pieces = await world.applicant.all(path, limit="7")

    assert pieces == whole
    assert whole


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "201"}, {"cursor": "nowhere"}])
async def test_piece_that_there_cannot_be_is_a_problem_422(world, query) -> None:
    answer = await world.applicant.send("GET", "/instances", **query)

    assert {one["subject"] for one in problem(answer, 422)["objections"]} == {*query}


async def test_list_is_filtered_by_what_is_asked_for(world) -> None:
    wanted = await world.buys(2, brand="wosign", certificate_type="EV")
    await world.buys(brand="wosign")

    found = await world.applicant.all("/instances", brand="WoSign", certificate_type="EV")

    assert {one["instance_id"] for one in found} >= {*wanted}
    kinds = {(one["brand"], one["certificate_type"]) for one in found}
    assert kinds == {("wosign", "EV")}


async def test_list_is_shown_as_csv_to_who_wants_that(world) -> None:
    [instance_id] = await world.buys()

    answer = await world.applicant.send(
        "GET", "/instances", headers={"accept": "text/csv"}, limit="200"
    )

    assert answer.headers["content-type"].startswith("text/csv")
    head, *rows = answer.text.splitlines()
    assert "instance_id" in head.split(",")
    assert any(instance_id in row for row in rows) or len(rows) == 200
