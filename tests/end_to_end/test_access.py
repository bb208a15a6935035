"""Who may do what: tokens, roles, and what belongs to another account."""

from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.outside import Person, codes, form
from tests.end_to_end.steps import World, looks, problem

NOBODYS = "01a00000-0000-7000-8000-000000000000"
STAFF = ("officer", "reviewer", "auditor", "operator")
EVERYBODY = ("applicant", *STAFF)
APPLICATION, CERTIFICATE = f"/applications/{NOBODYS}", f"/certificates/{NOBODYS}"
FORBIDDEN = {
    "POST /instances": STAFF,
    f"POST /instances/{NOBODYS}/refund": STAFF,
    "POST /combinations/preview": STAFF,
    "POST /combinations": STAFF,
    "POST /applications": STAFF,
    f"POST {APPLICATION}/withdrawal": STAFF,
    f"POST {APPLICATION}/names/a.example/check": STAFF,
    f"DELETE {APPLICATION}/names/a.example": STAFF,
    f"GET {CERTIFICATE}/download?format=nginx": STAFF,
    f"POST {CERTIFICATE}/revocation": ("reviewer", "auditor", "operator"),
    "GET /verification/tasks": ("applicant", "operator"),
    f"POST /verification/tasks/{NOBODYS}/decision": ("applicant", "auditor", "operator"),
    "GET /tokens": ("applicant", "officer", "reviewer"),
    "POST /tokens": ("applicant", "officer", "reviewer", "auditor"),
    "GET /services/inventory/parked": ("applicant", "officer", "reviewer"),
    f"POST /services/inventory/parked/{NOBODYS}/replay": (
        *("applicant", "officer", "reviewer", "auditor"),
    ),
    f"DELETE /services/inventory/parked/{NOBODYS}": (
        *("applicant", "officer", "reviewer", "auditor"),
    ),
}


@pytest.mark.parametrize("command", FORBIDDEN)
async def test_what_a_role_may_not_do_is_a_problem_403_whatever_is_asked(world, command) -> None:
    method, path = command.split()

    for login in FORBIDDEN[command]:
        body = {} if method == "POST" else None
        problem(await world.people[login].send(method, path, body), 403)


async def test_each_login_is_recognised_as_what_it_is(world) -> None:
    for login, person in world.people.items():
        me = await person.get("/me")
        assert me["role"] == login.removeprefix("other_")
        assert (me["account_id"] is not None) == (me["role"] == "applicant")
    assert world.endpoints["account_id"] != world.endpoints["other_account_id"]


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer nobody", "Basic YTpi", "Bearer a b"],
)
async def test_who_has_no_valid_token_is_a_problem_401(world, authorization) -> None:
    async with Person(world.endpoints["api"], "nobody") as stranger:
        del stranger.http.headers["authorization"]
        headers = {} if authorization is None else {"authorization": authorization}
        for method, path in (("GET", "/instances"), ("POST", "/combinations"), ("GET", "/nothing")):
            answer = await stranger.http.request(method, path, headers=headers)
            problem(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_nobody_becomes_somebody_else_by_headers(world) -> None:
    forged = {"certfold-role": "operator", "certfold-person": "root", "certfold-account": "globex"}

    answer = await world.applicant.send("GET", "/tokens", headers=forged)
    mine = await world.applicant.send("GET", "/me", headers=forged)

    problem(answer, 403)
    assert mine.json() == await world.applicant.get("/me")


async def test_token_opens_the_door_until_it_is_revoked(world) -> None:
    body = {"name": f"guest {uuid4().hex[:6]}", "role": "applicant", "account_id": "guests"}
    made = await world.operator.post("/tokens", body)
    async with Person(world.endpoints["api"], made["token"]) as guest:
        assert (await guest.get("/me"))["account_id"] == "guests"
        assert await guest.all("/instances") == []

        revoked = await world.operator.send("DELETE", f"/tokens/{made['token_id']}")

        assert revoked.status_code == 204
        await looks(
            world.operator,
            f"/tokens/{made['token_id']}",
            lambda shown: shown["revoked_at"] is not None,
        )
        problem(await guest.send("GET", "/me"), 401)
    again = await world.operator.get(f"/tokens/{made['token_id']}")
    assert "token" not in again


@pytest.fixture(scope="module")
async def possessions(world: World, certificate: Any) -> dict[str, str]:
    """Return one thing of the applicant's of each kind, by its path."""
    ids = await world.buys(2)
    wish = {"instance_ids": ids, "refund_waiver_acknowledged": True}
    combined = await world.applicant.post("/combinations", wish)
    name = f"{uuid4().hex[:8]}.example"
    application = await world.applicant.post("/applications", form(combined["instance_id"], [name]))
    return {
        "instance": f"/instances/{combined['instance_id']}",
        "combination": f"/combinations/{combined['combination_id']}",
        "application": f"/applications/{application['application_id']}",
        "name": f"/applications/{application['application_id']}/names/{name}",
        "certificate": f"/certificates/{certificate['certificate_id']}",
    }


THINGS = ("instance", "combination", "application", "certificate")
DEEDS = {
    "history": ("GET", "instance", "/history", None),
    "refund": ("POST", "instance", "/refund", None),
    "withdrawal": ("POST", "application", "/withdrawal", None),
    "check": ("POST", "name", "/check", None),
    "drop": ("DELETE", "name", "", None),
    "download": ("GET", "certificate", "/download?format=nginx", None),
    "installations": ("GET", "certificate", "/installations", None),
    "revocation": ("POST", "certificate", "/revocation", {"reason": "unspecified"}),
}


@pytest.mark.parametrize("thing", THINGS)
async def test_what_is_another_accounts_is_not_there_in_the_words_for_what_never_was(
    world, possessions, thing
) -> None:
    path = possessions[thing]
    collection, its_id = path.rsplit("/", 1)

    strangers = problem(await world.other.send("GET", path), 404)
    nobodys = problem(await world.other.send("GET", f"{collection}/{NOBODYS}"), 404)

    assert codes(strangers) == {"unknown"}
    assert strangers == {
        **nobodys,
        "objections": [{**nobodys["objections"][0], "subject": its_id}],
    }
    assert (await world.applicant.send("GET", path)).status_code == 200


@pytest.mark.parametrize("deed", DEEDS)
async def test_nothing_is_done_to_what_is_another_accounts(world, possessions, deed) -> None:
    method, thing, more, body = DEEDS[deed]
    kind = "application" if thing == "name" else thing
    before = await world.applicant.get(possessions[kind])

    answer = await world.other.send(method, possessions[thing] + more, body)

    problem(answer, 404)
    assert await world.applicant.get(possessions[kind]) == before


async def test_another_accounts_instance_is_unknown_in_a_body(world) -> None:
    first, second = await world.buys(2)
    wish = {"instance_ids": [first, second], "refund_waiver_acknowledged": True}

    preview = await world.other.post("/combinations/preview", wish)
    combination = await world.other.post("/combinations", wish)
    application = await world.other.post("/applications", form(first, ["a.example"]))

    for refused in (preview, combination, application):
        assert codes(refused) == {"unknown"}
    assert preview["names_total"] == 0
    assert (await world.applicant.get(f"/instances/{first}"))["status"] == "pending_application"


async def test_another_accounts_purchase_is_unknown(world) -> None:
    sale = await world.sells()
    wish = {"purchase_id": sale["purchase_id"], "count": 1}

    answer = await world.other.send("POST", "/instances", wish)

    assert codes(problem(answer, 409)) == {"unknown"}


@pytest.mark.parametrize("path", ["/instances", "/applications", "/certificates", "/quota"])
async def test_lists_show_an_applicant_what_is_of_the_account_and_staff_everything(
    world, possessions, path
) -> None:
    mine, theirs = await world.applicant.all(path), await world.other.all(path)
    everything = await world.auditor.all(path)

    assert mine
    assert [one for one in theirs if one in mine] == []
    assert [one for one in [*mine, *theirs] if one not in everything] == []
