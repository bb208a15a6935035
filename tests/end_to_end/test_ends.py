"""How else an application can end: rejected, withdrawn, revoked; and what can be done then."""

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from cryptography import x509

from tests.end_to_end.outside import INVENTORY, VERIFICATION, codes, form
from tests.end_to_end.steps import World, looks, problem


def name() -> str:
    """Return a name that nobody else applies for."""
    return f"www.{uuid4().hex[:10]}.example"


@pytest.fixture(scope="module")
async def rejected(world: World) -> Any:
    application = await world.applies([name()])
    await world.decides(application["application_id"], "callback", "refuse")
    path = f"/applications/{application['application_id']}"
    return await world.applicant.until(path, "validation_failed")


async def test_rejection_tells_every_reason_and_where_to_get_help(world, rejected) -> None:
    assert codes(rejected) == {"callback_refused", "domain_not_validated"}
    assert rejected["support_contact"]
    assert rejected["waiting_on"] == []
    instance = await world.applicant.get(f"/instances/{rejected['instance_id']}")
    assert instance["status"] == "validation_failed"
    fact = await world.topics.hears(
        "ApplicationRejected", VERIFICATION, application_id=rejected["application_id"]
    )
    assert fact.said["objections"] == rejected["objections"]
    assert fact.said["support_contact"] == rejected["support_contact"]


async def test_officer_has_nothing_left_to_decide_of_what_was_rejected(world, rejected) -> None:
    tasks = await world.officer.all("/verification/tasks", status="open")

    assert rejected["application_id"] not in {one["application_id"] for one in tasks}


async def test_instance_is_applied_for_again_after_a_rejection_and_issued(world) -> None:
    names = [name()]
    first = await world.applies(names)
    await world.decides(first["application_id"], "organisation_identity", "refuse")
    await world.applicant.until(f"/applications/{first['application_id']}", "validation_failed")

    again = await world.applicant.post("/applications", form(first["instance_id"], names))
    await world.proves(again)
    await world.confirms(again["application_id"])
    issued = await world.applicant.until(f"/applications/{again['application_id']}", "issued")

    assert issued["instance_id"] == first["instance_id"]
    old = await world.applicant.get(f"/applications/{first['application_id']}")
    assert (old["status"], old["certificate_id"]) == ("validation_failed", None)


async def test_instance_is_combined_with_another_after_a_rejection(world, rejected) -> None:
    [other] = await world.buys()
    wish = {
        "instance_ids": [rejected["instance_id"], other],
        "refund_waiver_acknowledged": True,
    }

    combined = await world.applicant.post("/combinations", wish)

    assert combined["status"] == "combined", combined


async def test_what_is_withdrawn_is_pending_application_again(world) -> None:
    application = await world.applies([name()])
    path = f"/applications/{application['application_id']}"

    withdrawn = await world.applicant.post(f"{path}/withdrawal")

    assert withdrawn["status"] == "withdrawn"
    assert (await world.applicant.get(path))["status"] == "withdrawn"
    instance = await world.applicant.get(f"/instances/{application['instance_id']}")
    assert instance["status"] == "pending_application"
    again = await world.applicant.post("/applications", form(application["instance_id"], [name()]))
    assert again["status"] == "pending_validation"


async def test_name_that_blocks_the_others_is_dropped(world) -> None:
    good, bad = name(), name()
    application = await world.applies([good, bad])
    path = f"/applications/{application['application_id']}"

    answer = await world.applicant.send(
        "DELETE", f"{path}/names/{bad}", headers={"prefer": "wait=20"}
    )
    left = [one for one in application["names"] if one["name"] == good]
    await world.proves({**application, "names": left})
    await world.confirms(application["application_id"])

    assert answer.status_code == 200
    issued = await world.applicant.until(path, "issued")
    shown = await world.applicant.get(f"/certificates/{issued['certificate_id']}")
    assert shown["names"] == [good]


@pytest.fixture(scope="module")
async def revoked(world: World) -> Any:
    """Return a certificate of a combined instance, revoked by its subscriber."""
    first, second = await world.buys(2)
    wish = {"instance_ids": [first, second], "refund_waiver_acknowledged": True}
    combined = await world.applicant.post("/combinations", wish)
    application = await world.applicant.post(
        "/applications", form(combined["instance_id"], [name(), name()])
    )
    await world.proves(application)
    await world.confirms(application["application_id"])
    path = f"/applications/{application['application_id']}"
    issued = await world.applicant.until(path, "issued")
    path = f"/certificates/{issued['certificate_id']}"
    return await world.applicant.post(f"{path}/revocation", {"reason": "key_compromise"})


async def test_revoked_certificate_is_shown_so_and_told(world, revoked) -> None:
    assert revoked["status"] == "revoked"
    fact = await world.topics.hears(
        "CertificateRevoked", VERIFICATION, certificate_id=revoked["certificate_id"]
    )
    assert (fact.said["reason"], fact.said["serial_number"]) == (
        "key_compromise",
        revoked["serial_number"],
    )
    await looks(
        world.applicant,
        f"/instances/{revoked['instance_id']}",
        lambda shown: shown["status"] == "revoked",
    )


async def test_list_that_the_certificate_points_to_holds_it_once_it_is_revoked(
    world, revoked
) -> None:
    certificate = x509.load_pem_x509_certificate(revoked["certificate_pem"].encode())
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    [point] = [one.full_name[0].value for one in points if one.full_name]
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(world.endpoints["console"] + urlsplit(point).path)

    found = x509.load_der_x509_crl(answer.content).get_revoked_certificate_by_serial_number(
        int(revoked["serial_number"], 16)
    )
    assert found is not None
    reason = found.extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert reason == x509.ReasonFlags.key_compromise


async def test_what_was_combined_is_not_refunded_after_issue_and_revocation_either(
    world, revoked
) -> None:
    answer = await world.applicant.send("POST", f"/instances/{revoked['instance_id']}/refund")

    assert codes(problem(answer, 409)) == {"combined"}


async def test_revoking_twice_is_refused(world, revoked) -> None:
    answer = await world.applicant.send(
        "POST",
        f"/certificates/{revoked['certificate_id']}/revocation",
        {"reason": "superseded"},
        headers={"prefer": "wait=20"},
    )

    shown = await world.applicant.get(f"/certificates/{revoked['certificate_id']}")
    assert codes(problem(answer, 409)) == {"already_revoked"}
    assert shown == revoked


async def test_instance_that_was_never_combined_is_refunded_and_the_shop_hears_it(world) -> None:
    [instance_id] = await world.buys(paid_at=(await world.now()).isoformat())

    refunded = await world.applicant.post(f"/instances/{instance_id}/refund")

    assert refunded["status"] == "refunded"
    fact = await world.topics.hears("InstanceRefunded", INVENTORY, instance_id=instance_id)
    assert fact.said["price"] == {"amount": "298.00", "currency": "CNY"}
    again = await world.applicant.send("POST", f"/instances/{instance_id}/refund")
    assert codes(problem(again, 409)) == {"already_refunded"}
