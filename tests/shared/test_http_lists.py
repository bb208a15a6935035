"""Lists by HTTP, who may ask, and what an operator does with parked messages."""

import pytest

from shared.cloudevents import NotUnderstood
from shared.parking import parked_id
from shared.traffic import Traffic
from tests.shared import make, tally
from tests.shared.tally import Counted
from tests.shared.tiny_api import PARKED, SECRET, TALLIES, add, person, told, totals


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
