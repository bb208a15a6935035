"""The client, against an API that answers as it is told."""

import pytest
from starlette.responses import JSONResponse, Response

from certfold import calling
from certfold.calling import Refused, Unreachable
from certfold.client import Client
from tests.certfold.api import OBJECTIONS, Api


def test_lists_are_read_to_their_end(api: Api) -> None:
    api.will(
        "GET /instances",
        {"items": [{"n": 1}], "next_cursor": "c"},
        {"items": [{"n": 2}], "next_cursor": None},
    )

    with Client.found() as client:
        assert client.instances(status="issued", brand=None) == [{"n": 1}, {"n": 2}]

    assert [dict(one.query_params) for one in api.asked] == [
        {"status": "issued", "limit": "200"},
        {"status": "issued", "limit": "200", "cursor": "c"},
    ]
    assert api.asked[0].headers["authorization"] == "Bearer token-applicant"


def test_a_command_that_met_a_pause_is_sent_again_as_the_same_one(api: Api) -> None:
    away = JSONResponse({"detail": "away"}, 503, {"retry-after": "0"})
    api.will("POST /instances", away, {"items": []})

    with Client.found() as client:
        assert client.create("order-1", 2) == []

    first, second = api.asked
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert second.headers["prefer"] == "wait=30"
    assert api.bodies[1] == {"purchase_id": "order-1", "count": 2, "term_years": 1}


AWAY = JSONResponse({"detail": "away"}, 503, {"retry-after": "0"})
CUT = Response(b"", 200, {"content-length": "9"})  # the line breaks before the answer is whole
GONE = JSONResponse({"detail": "there is no such parked message"}, 404)


@pytest.mark.parametrize("lost", [AWAY, CUT])
def test_what_is_no_longer_parked_at_a_second_try_was_done_by_the_first(
    api: Api, lost: Response
) -> None:
    api.will("POST /services/inventory/parked/1/replay", lost, GONE)
    api.will("DELETE /services/inventory/parked/1", lost, GONE)

    with Client.found() as client:
        client.replay("inventory", "1")
        client.discard("inventory", "1")

    assert len(api.asked) == 4


def test_what_is_not_parked_at_the_first_try_is_refused(api: Api) -> None:
    api.will("POST /services/inventory/parked/1/replay", GONE)

    with Client.found() as client, pytest.raises(Refused, match="no such parked message"):
        client.replay("inventory", "1")


def test_who_stays_away_is_unreachable(api: Api) -> None:
    api.will("GET /me", JSONResponse({"detail": "away"}, 503, {"retry-after": "0"}))

    with Client.found() as client, pytest.raises(Unreachable, match="503 away"):
        client.me()

    assert len(api.asked) == calling.TRIES


def test_a_refusal_tells_every_objection(api: Api) -> None:
    api.will("POST /combinations/preview", {"objections": OBJECTIONS}, status=409)

    with Client.found() as client, pytest.raises(Refused) as no:
        client.preview(["a"])

    assert no.value.status == 409
    assert len(no.value.reasons) == 2


def test_what_was_refused_after_it_was_accepted_is_refused(api: Api) -> None:
    refused = {"status": "refused", "objections": OBJECTIONS}
    api.will("POST /combinations", refused)
    api.will("POST /applications", refused)

    with Client.found() as client:
        with pytest.raises(Refused):
            client.combine(["a", "b"], accept_no_refund=True)
        with pytest.raises(Refused):
            client.apply({"names": []})


@pytest.mark.parametrize(
    ("its_id", "part"),
    [("../tokens?", "..%2Ftokens%3F"), ("A//1", "A%2F%2F1"), (".", "%2E"), ("..", "%2E%2E")],
)
def test_ids_cannot_lead_elsewhere(api: Api, its_id: str, part: str) -> None:
    api.will(f"POST /quota/{part}/refund", {"it": "is one part of the path"})

    with Client.found() as client:
        assert client.refund_quota(its_id, 1)["it"]
