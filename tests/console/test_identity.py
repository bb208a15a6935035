"""Tokens: who may make them, that nobody sees one twice, that a revoked one opens nothing."""

import logging
from typing import Any

import pytest

from services.console.people import People
from tests.console.console import PEOPLE, Console, token

CAROL = {"name": "carol", "role": "applicant", "account_id": "acme"}


async def issue(console: Console, **body: Any) -> Any:
    answer = await console.ask("POST", "/api/v1/tokens", "ops", json=CAROL | body)
    assert answer.status_code == 201
    return answer.json()


async def test_a_token_opens_until_it_is_revoked(console: Console) -> None:
    made = await issue(console, name="Bärbel Ünal")
    mine = {"authorization": f"Bearer {made['token']}"}

    me = await console.get("/api/v1/me", headers=mine)
    reached = await console.get("/api/v1/quota", headers=mine)
    gone = await console.ask("DELETE", f"/api/v1/tokens/{made['token_id']}", "ops")
    again = await console.ask("DELETE", f"/api/v1/tokens/{made['token_id']}", "ops")
    after = await console.get("/api/v1/me", headers=mine)
    shown = (await console.get(f"/api/v1/tokens/{made['token_id']}", "ops")).json()

    assert me.json() == {"name": "Bärbel Ünal", "role": "applicant", "account_id": "acme"}
    assert reached.json()["headers"]["certfold-person"] == "B%C3%A4rbel%20%C3%9Cnal"
    assert (gone.status_code, again.status_code, after.status_code) == (204, 204, 401)
    assert shown["revoked_at"]


async def test_another_replica_stops_letting_it_in_within_five_seconds(console: Console) -> None:
    made, now = await issue(console), [0.0]
    other = People(console.service.postgres, now=lambda: now[0])
    other.enrolled.set()

    assert await other.who(made["token"])
    await console.ask("DELETE", f"/api/v1/tokens/{made['token_id']}", "ops")
    now[0] = 5.0

    assert await other.who(made["token"]) is None


async def test_knowing_somebody_costs_no_query(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = People(console.service.postgres)
    people.enrolled.set()
    before = await people.who(token("ann"))
    monkeypatch.setattr(console.service.postgres, "_pool", None)

    assert await people.who(token("ann")) == before


@pytest.mark.parametrize("name", [name for name, (role, _) in PEOPLE.items() if role != "operator"])
async def test_only_an_operator_may_let_people_in(console: Console, name: str) -> None:
    for role in ("operator", "officer", "applicant"):
        wish = {"name": name, "role": role, "account_id": None}
        answer = await console.ask("POST", "/api/v1/tokens", name, json=wish)
        assert answer.status_code == 403
    made = await issue(console)
    for method, path in (
        ("GET", "/api/v1/tokens"),
        ("GET", f"/api/v1/tokens/{made['token_id']}"),
        ("DELETE", f"/api/v1/tokens/{made['token_id']}"),
    ):
        assert (await console.ask(method, path, name)).status_code == 403
    mine = {"authorization": f"Bearer {made['token']}"}
    assert (await console.get("/api/v1/me", headers=mine)).status_code == 200


async def test_a_token_is_shown_once_and_kept_nowhere(
    console: Console, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        made = await issue(console, name="dora")
        mine = {"authorization": f"Bearer {made['token']}"}
        await console.get("/api/v1/applications", headers=mine)  # is away: logged
        listed = await console.get("/api/v1/tokens", "ops")
        shown = await console.get(f"/api/v1/tokens/{made['token_id']}", "ops")
        wrong = await console.get("/api/v1/me", headers={"authorization": "Bearer so-secret"})
    async with console.service.postgres.transaction() as tx:
        tables = ("tokens", "inbox", "outbox", "errands", "parked")
        rows = [str(row) for t in tables for row in await tx.fetch(f"SELECT t::text FROM {t} t")]

    assert len(made["token"].removeprefix("certfold_")) == 43  # 256 bits in base64url
    assert "dora" in listed.text
    everywhere = [listed.text, shown.text, wrong.text, *rows, *caplog.messages, repr(console)]
    for secret in (made["token"], "so-secret", token("ann"), token("ops")):
        assert not [one for one in everywhere if secret in one]


async def test_a_repeated_request_makes_one_token_and_does_not_show_it_again(
    console: Console,
) -> None:
    key = {"idempotency-key": "a-key"}
    body = CAROL | {"name": "emil"}

    first = await console.ask("POST", "/api/v1/tokens", "ops", json=body, headers=key)
    again = await console.ask("POST", "/api/v1/tokens", "ops", json=body, headers=key)
    other = await console.ask("POST", "/api/v1/tokens", "ops", json=CAROL, headers=key)
    listed = (await console.get("/api/v1/tokens", "ops", params={"limit": 200})).json()["items"]

    assert again.json() == first.json() | {"token": None}
    assert other.status_code == 422
    assert len([one for one in listed if one["name"] == "emil"]) == 1


@pytest.mark.parametrize(
    ("body", "code", "subject"),
    [
        ({"account_id": None}, "account_missing", "account_id"),
        ({"role": "officer"}, "account_not_allowed", "account_id"),
        ({"role": "operator"}, "account_not_allowed", "account_id"),
        ({"role": "root"}, "literal_error", "role"),
        ({"name": " "}, "string_too_short", "name"),
        ({"name": "a\nb"}, "string_pattern_mismatch", "name"),
    ],
)
async def test_an_impossible_person_is_refused(
    console: Console, body: dict[str, Any], code: str, subject: str
) -> None:
    answer = await console.ask("POST", "/api/v1/tokens", "ops", json=CAROL | body)

    assert answer.status_code == 422
    assert [(one["code"], one["subject"]) for one in answer.json()["objections"]] == [
        (code, subject)
    ]


async def test_an_unknown_token_id_is_not_found(console: Console) -> None:
    for token_id in ("01a20cb7-2293-719d-a88a-edeb912e8daf", "nonsense"):
        for method in ("GET", "DELETE"):
            answer = await console.ask(method, f"/api/v1/tokens/{token_id}", "ops")
            assert answer.status_code == 404


async def test_tokens_are_listed_page_by_page(console: Console) -> None:
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await console.get("/api/v1/tokens", "ops", params=params)).json()
        seen += [one["name"] for one in page["items"]]
        if not (cursor := page["next_cursor"]):
            break

    assert set(PEOPLE) <= set(seen)
    whole = (await console.get("/api/v1/tokens", "ops", params={"limit": 200})).json()
    assert seen == [one["name"] for one in whole["items"]]
