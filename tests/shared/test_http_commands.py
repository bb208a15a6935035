"""Commands by HTTP: keys, waiting, refusals, and what is wrong with them."""

import asyncio
from uuid import UUID

import pytest

from shared.api import (
    PREFIX,
)
from tests.shared import make, tally
from tests.shared.tally import Count
from tests.shared.tiny_api import ENOUGH, FOUND, TALLIES, TOO_MUCH, add, told, totals


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
