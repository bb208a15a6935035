"""The combination service on a real PostgreSQL: what is asked by HTTP, kept, and shown."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from services.combination import store
from services.combination.api import api
from services.combination.domain import Combination, Concluded, Refused, Requested
from services.combination.handlers import road
from shared.api import PREFIX
from shared.clock import MovableClock
from shared.contracts import waiver
from shared.contracts.base import Names, Objection
from shared.contracts.combination import (
    CombinationRefused,
    CombinationRequested,
    InstancesCombined,
    RefundWaiver,
)
from shared.contracts.inventory import (
    InstanceCreated,
    InstancesReserved,
    ReservationRefused,
    ReservationUnclaimed,
)
from tests.ca_verification.alone import Alone, migrated, running
from tests.conftest import fresh_role
from tests.servers import Servers
from tests.shared.stored import stored

COMBINATIONS = f"{PREFIX}/combinations"
A, B = UUID(int=1), UUID(int=2)
NAMES = Names(single=2)


@pytest.fixture
async def combination(stack: Servers) -> AsyncIterator[Alone]:
    dsn = await migrated(await fresh_role(stack.postgres_dsn, "combination"), "combination")
    async with running(dsn, road, None, api, MovableClock()) as alone:
        yield alone


async def combine(alone: Alone, account: str = "acme", **changes: object) -> dict[str, Any]:
    body = {
        "instance_ids": [str(A), str(B)],
        "refund_waiver_acknowledged": True,
        "refund_waiver_text_sha256": waiver.TEXT_SHA256,
    }
    answer = await alone.ask("POST", COMBINATIONS, "applicant", "ann", account, json=body | changes)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def show(alone: Alone, its_id: str, account: str = "acme") -> Any:
    return await alone.ask("GET", f"{COMBINATIONS}/{its_id}", "applicant", "ann", account)


def of(its_id: str) -> dict[str, Any]:
    return {"combination_id": UUID(its_id), "account_id": "acme"}


async def test_who_agreed_when_and_to_which_text_is_kept_and_said_with_the_combination(
    combination,
) -> None:
    began = combination.clock()
    its_id = (await combine(combination))["combination_id"]
    await combination.hear(
        InstancesReserved(**of(its_id), brand="digicert", certificate_type="OV", names=NAMES)
    )

    [said] = await combination.said(InstancesCombined)
    agreed = said.refund_waiver
    assert (agreed.acknowledged_by, agreed.text_sha256) == ("ann", waiver.TEXT_SHA256)
    assert began <= agreed.acknowledged_at <= combination.clock()
    shown = (await show(combination, its_id)).json()
    assert RefundWaiver.model_validate(shown["refund_waiver"]) == agreed
    assert shown["status"] == "requested"  # until the inventory has the new instance

    await combination.hear(
        InstanceCreated(
            **of(its_id),
            instance_id=said.instance_id,
            instance_name=said.instance_name,
            purchase_id=None,
            brand="digicert",
            certificate_type="OV",
            names=NAMES,
            names_total=2,
            term_years=1,
        )
    )
    shown = (await show(combination, its_id)).json()
    assert (shown["status"], shown["instance_id"]) == ("combined", str(said.instance_id))
    assert shown["instance_name"].startswith("cas-merge-")


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"refund_waiver_acknowledged": False}, ["refund_waiver_not_acknowledged"]),
        ({"refund_waiver_text_sha256": "0" * 64}, ["refund_waiver_text_outdated"]),
    ],
)
async def test_old_text_or_none_at_all_is_passed_on_and_nothing_is_agreed_to(
    combination, changes, codes
) -> None:
    its_id = (await combine(combination, **changes))["combination_id"]

    [asked] = await combination.said(CombinationRequested)
    assert [one.code for one in asked.objections] == codes
    await combination.hear(
        InstancesReserved(**of(its_id), brand="digicert", certificate_type="OV", names=NAMES)
    )
    assert await combination.said(InstancesCombined) == []
    assert (await show(combination, its_id)).json()["refund_waiver"] is None


NEXT_YEAR = "No refunds, and no regrets."


async def test_text_that_was_agreed_to_is_shown_after_another_one_has_replaced_it(
    combination, monkeypatch
) -> None:
    its_id = (await combine(combination))["combination_id"]
    another = waiver.WaiverText(date(2027, 1, 1), sha256(NEXT_YEAR.encode()).hexdigest(), NEXT_YEAR)
    monkeypatch.setattr(waiver, "TEXTS", (*waiver.TEXTS, another))
    old = waiver.TEXT_SHA256
    monkeypatch.setattr(waiver, "TEXT_SHA256", another.sha256)

    refused = await combine(combination, refund_waiver_text_sha256=old)
    agreed = await combine(combination, refund_waiver_text_sha256=another.sha256)

    shown = (await show(combination, its_id)).json()["refund_waiver"]
    assert (shown["text_sha256"], shown["text"]) == (old, waiver.TEXT)
    assert refused["refund_waiver"] is None
    assert agreed["refund_waiver"]["text"] == NEXT_YEAR


def test_text_is_never_changed_but_another_one_added() -> None:
    assert waiver.find_text(waiver.TEXT_SHA256) == waiver.PRESENT == waiver.TEXTS[-1]
    assert [one.since for one in waiver.TEXTS] == sorted({one.since for one in waiver.TEXTS})
    with pytest.raises(ValueError, match="the text of 2026-11-24 was changed"):
        replace(waiver.TEXTS[0], text=waiver.TEXTS[0].text + " ")


async def test_refusal_is_shown_with_every_objection(combination) -> None:
    its_id = (await combine(combination))["combination_id"]
    found = tuple(
        Objection(code="not_pending", subject=str(one), message="it is issued") for one in (A, B)
    )

    await combination.hear(ReservationRefused(**of(its_id), objections=found))

    shown = (await show(combination, its_id)).json()
    assert shown["status"] == "refused"
    assert tuple(map(Objection.model_validate, shown["objections"])) == found
    [said] = await combination.said(CombinationRefused)
    assert said.member_instance_ids == (A, B)


async def test_combination_that_a_restored_database_has_forgotten_is_given_up_once(
    combination,
) -> None:
    question = ReservationUnclaimed(**of(str(UUID(int=80))), member_instance_ids=(A, B))

    await combination.hear(question, question)

    said = await combination.said(CombinationRefused)
    assert {one.member_instance_ids for one in said} == {(A, B)}
    shown = (await show(combination, str(UUID(int=80)))).json()
    assert (shown["status"], shown["refund_waiver"]) == ("refused", None)


async def test_combination_of_another_account_is_nowhere_to_be_found(combination) -> None:
    its_id = (await combine(combination))["combination_id"]

    assert (await show(combination, its_id, account="rival")).status_code == 404


async def listed(alone: Alone, account: str | None = "acme", **asked: object) -> Any:
    role = "applicant" if account else "auditor"
    answer = await alone.ask("GET", COMBINATIONS, role, account=account, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_every_combination_is_on_exactly_one_page_of_its_account_s_list(combination) -> None:
    ours = [(await combine(combination))["combination_id"] for _ in range(5)]
    theirs = (await combine(combination, account="rival"))["combination_id"]
    asked: dict[str, object] = {"limit": 2}
    pages = [await listed(combination, **asked)]
    while cursor := pages[-1]["next_cursor"]:
        pages.append(await listed(combination, **asked, cursor=cursor))

    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    found = [one for page in pages for one in page["items"]]
    assert [one["combination_id"] for one in found] == sorted(ours)
    assert found[0] == (await show(combination, found[0]["combination_id"])).json()
    everybody_s = (await listed(combination, account=None))["items"]
    assert {one["combination_id"] for one in everybody_s} == {*ours, theirs}


async def test_combinations_are_listed_by_the_status_that_is_shown(combination) -> None:
    stages = {
        "requested": [Requested(), Concluded(UUID(int=4), "cas-merge-4")],
        "combined": [Concluded(UUID(int=5), "cas-merge-5", is_open=True)],
        "refused": [Refused(())],
    }
    agreed = RefundWaiver(
        acknowledged_by="ann", acknowledged_at=combination.clock(), text_sha256=waiver.TEXT_SHA256
    )
    kept = [
        Combination(UUID(int=n), "acme", (A, B), None if status == "refused" else agreed, stage)
        for n, (status, stage) in enumerate(
            ((status, stage) for status, its in stages.items() for stage in its), start=1
        )
    ]
    async with combination.traffic.postgres.transaction() as tx:
        await stored(tx, store.save_combinations, kept)

    for status, its in stages.items():
        found = (await listed(combination, status=status))["items"]
        assert [one["status"] for one in found] == [status] * len(its)
    wrong = await combination.ask(
        "GET", COMBINATIONS, "applicant", account="acme", params={"status": "concluded"}
    )
    assert wrong.status_code == 422


async def test_list_is_given_as_csv_also_if_the_first_one_was_never_agreed_to(combination) -> None:
    refused, agreed = (
        Combination(UUID(int=1), "acme", (A, B), None, Refused(())),
        Combination(
            UUID(int=2),
            "acme",
            (A, B),
            RefundWaiver(
                acknowledged_by="ann",
                acknowledged_at=combination.clock(),
                text_sha256=waiver.TEXT_SHA256,
            ),
        ),
    )
    async with combination.traffic.postgres.transaction() as tx:
        await stored(tx, store.save_combinations, [refused, agreed])

    answer = await combination.ask(
        "GET", COMBINATIONS, "applicant", account="acme", headers={"accept": "text/csv"}
    )

    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["status"] for row in rows] == ["refused", "requested"]
    assert [row["refund_waiver.acknowledged_by"] for row in rows] == ["", "ann"]
    assert "refund_waiver" not in rows[0]


async def test_wish_that_is_repeated_with_its_key_is_one_combination(combination) -> None:
    body = {"instance_ids": [str(A), str(B)], "refund_waiver_acknowledged": True}

    async def wish() -> Any:
        key = {"idempotency-key": "k"}
        answer = await combination.ask(
            "POST", COMBINATIONS, "applicant", account="acme", json=body, headers=key
        )
        return answer.json()

    first, again = await wish(), await wish()

    assert first == again
    assert len(await combination.said(CombinationRequested)) == 1


async def test_combinations_are_kept_as_they_are(combination) -> None:
    agreed = RefundWaiver(
        acknowledged_by="ä", acknowledged_at=combination.clock(), text_sha256="00"
    )
    stage = Concluded(UUID(int=4), "cas-merge-4")
    kept = Combination(UUID(int=80), "acme", (B, A), agreed, stage)
    async with combination.traffic.postgres.transaction() as tx:
        await stored(tx, store.save_combinations, [kept])

        found = await store.find_combination(tx, kept.id)

    assert found == Combination(UUID(int=80), "acme", (B, A), agreed, stage, version=1)
