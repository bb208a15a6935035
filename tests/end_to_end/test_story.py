"""The workflow of DOMAIN §1 for OV, from a purchase to a certificate that servers serve.

Each fixture is a step that stands on the one before it; each test says what can be seen then.
"""

import asyncio
import io
import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.outside import (
    COMBINATION,
    INVENTORY,
    VERIFICATION,
    Heard,
    binary,
    codes,
    form,
    handshake,
    install,
    publish_record,
    structured,
)
from tests.end_to_end.steps import World, looks

pytestmark = pytest.mark.usefixtures("world")

SHOP = f"shop-{uuid4().hex[:8]}.example"
HOSTS = (f"www.{SHOP}", SHOP, f"api.{SHOP}", f"img.cdn.{SHOP}")
NAMES = (*HOSTS[:3], f"*.cdn.{SHOP}")


@pytest.fixture(scope="module")
async def singles(world: World) -> Any:
    """Three OV instances for a single name each, sold in binary mode."""
    sale = world.sale(quantity=3, brand="DigiCert")
    await world.publishes(binary(sale))
    await world.topics.hears("InstancesPurchased", INVENTORY, purchase_id=sale["purchase_id"])
    return sale


@pytest.fixture(scope="module")
async def wildcards(world: World) -> Any:
    """One OV and one EV instance for a wildcard, sold in structured mode, to be made at once."""
    made = {}
    for kind in ("OV", "EV"):
        wildcard = {"single": 0, "wildcard": 1, "ip": 0}
        sale = world.sale(names=wildcard, certificate_type=kind, auto_create=True)
        await world.publishes(structured(sale))
        heard = await world.topics.hears(
            "InstanceCreated", INVENTORY, purchase_id=sale["purchase_id"]
        )
        made[kind] = heard.said["instance_id"]
    return made


@pytest.fixture(scope="module")
async def quota(world: World, singles: Any) -> Any:
    return await world.applicant.all("/quota")


@pytest.fixture(scope="module")
async def members(world: World, singles: Any, wildcards: Any, quota: Any) -> list[str]:
    """Return the four instances that are to become one."""
    wish = {"purchase_id": singles["purchase_id"], "count": 3, "term_years": 1}
    made = (await world.applicant.post("/instances", wish))["items"]
    return [*(one["instance_id"] for one in made), wildcards["OV"]]


@pytest.fixture(scope="module")
async def preview(world: World, members: list[str]) -> Any:
    return await world.applicant.post("/combinations/preview", {"instance_ids": members})


@pytest.fixture(scope="module")
async def combined(world: World, members: list[str], preview: Any) -> Any:
    return await world.applicant.post(
        "/combinations",
        {
            "instance_ids": members,
            "refund_waiver_acknowledged": True,
            "refund_waiver_text_sha256": preview["refund_waiver"]["text_sha256"],
        },
    )


@pytest.fixture(scope="module")
async def application(world: World, combined: Any) -> Any:
    return await world.applicant.post("/applications", form(combined["instance_id"], NAMES))


@pytest.fixture(scope="module")
async def proven(world: World, application: Any) -> Any:
    """Return the application once the domain's owner has put all the records into the DNS."""
    for one in application["names"]:
        await publish_record(world.name_server, one["challenge"])
    path = f"/applications/{application['application_id']}"
    checks = [world.applicant.post(f"{path}/names/{name}/check") for name in NAMES]
    seen = await asyncio.gather(*checks)
    assert [one["state"] for one in seen] == ["valid"] * len(NAMES), seen
    return await world.applicant.until(path, "under_review")


@pytest.fixture(scope="module")
async def postponed(world: World, proven: Any) -> Any:
    """Return the application after a call that nobody took."""
    await world.decides(proven["application_id"], "organisation_identity")
    await world.decides(proven["application_id"], "callback", "postpone")
    return await world.applicant.until(
        f"/applications/{proven['application_id']}", "pending_validation"
    )


@pytest.fixture(scope="module")
async def heard(world: World, postponed: Any) -> Heard:
    """Return what a downstream notifier hears in the end."""
    application_id = postponed["application_id"]
    await world.decides(application_id, "callback")
    return await world.topics.hears(
        "CertificateIssued", VERIFICATION, application_id=application_id
    )


@pytest.fixture(scope="module")
async def issued(world: World, heard: Heard) -> Any:
    path = f"/applications/{heard.said['application_id']}"
    return await world.applicant.until(path, "issued")


async def test_what_was_bought_is_quota_and_no_instance(singles, quota) -> None:
    [bought] = [one for one in quota if one["purchase_id"] == singles["purchase_id"]]

    assert (bought["brand"], bought["certificate_type"]) == ("digicert", "OV")
    assert (bought["quantity"], bought["remaining"]) == (3, 3)


async def test_instances_are_listed_once_they_are_made(world, members, singles) -> None:
    pending = await world.applicant.all("/instances", status="pending_application")

    ours = {one["instance_id"]: one for one in pending if one["instance_id"] in members}
    assert len(ours) == 4
    assert {one["purchase_id"] for one in ours.values()} > {singles["purchase_id"]}


async def test_preview_tells_every_objection_at_once_and_changes_nothing(
    world, members, wildcards
) -> None:
    wish = {"instance_ids": [members[0], members[0], wildcards["EV"], str(uuid4())]}

    told = await world.applicant.post("/combinations/preview", wish)

    assert not told["allowed"]
    assert codes(told) == {"duplicate_instance", "unknown", "different_types", "ev_wildcard"}
    shown = await world.applicant.get(f"/instances/{members[0]}")
    assert shown["status"] == "pending_application"


async def test_combination_without_the_waiver_is_refused_with_all_else_that_is_wrong(
    world, members, wildcards
) -> None:
    wish = {"instance_ids": [members[0], wildcards["EV"]]}

    refused = await world.applicant.post("/combinations", wish)

    assert refused["status"] == "refused"
    assert codes(refused) == {"refund_waiver_not_acknowledged", "different_types", "ev_wildcard"}
    fact = await world.topics.hears(
        "CombinationRefused", COMBINATION, combination_id=refused["combination_id"]
    )
    assert codes(fact.said) == codes(refused)


async def test_preview_tells_what_would_come_of_combining(preview) -> None:
    assert preview["allowed"]
    assert (preview["names"], preview["names_total"]) == (
        {"single": 3, "wildcard": 1, "ip": 0},
        4,
    )
    assert "hybrid" in preview["certificate_kinds"]


async def test_four_instances_become_one_that_is_found_by_its_name(
    world, combined, members
) -> None:
    assert combined["status"] == "combined"
    assert combined["instance_name"].startswith("cas-merge")
    [found] = await world.applicant.all("/instances", q=combined["instance_name"])
    assert found["instance_id"] == combined["instance_id"]
    assert found["names"] == {"single": 3, "wildcard": 1, "ip": 0}
    assert sorted(found["member_instance_ids"]) == sorted(members)


async def test_who_gave_up_the_refund_is_recorded_with_the_text(world, combined, preview) -> None:
    fact = await world.topics.hears(
        "InstancesCombined", COMBINATION, combination_id=combined["combination_id"]
    )

    waiver = fact.said["refund_waiver"]
    assert waiver["text_sha256"] == preview["refund_waiver"]["text_sha256"]
    me = await world.applicant.get("/me")
    assert waiver["acknowledged_by"] == me["name"]


async def test_members_are_combined_and_can_never_be_refunded(world, combined, members) -> None:
    for instance_id in members:
        shown = await world.applicant.get(f"/instances/{instance_id}")
        assert (shown["status"], shown["refundable_until"]) == ("combined", None)
        assert shown["combined_into"] == combined["instance_id"]


async def test_application_tells_what_to_put_where(application) -> None:
    assert application["status"] == "pending_validation"
    assert application["certificate_kind"] == "hybrid"
    challenges = {one["name"]: one["challenge"] for one in application["names"]}
    assert challenges.keys() == set(NAMES)
    for challenge in challenges.values():
        assert (challenge["method"], challenge["record_type"]) == ("dns", "TXT")
        assert challenge["record_name"].rstrip(".").endswith(SHOP)
        assert len(challenge["record_value"]) >= 22  # 128 bits in base 64: BR 3.2.2.4.7 asks 112


async def test_verification_pending_tells_on_whom_it_waits_for_what(world, application) -> None:
    fact = await world.topics.hears(
        "VerificationPending", VERIFICATION, application_id=application["application_id"]
    )

    waiting = {one["item"]: one["party"] for one in fact.said["waiting_on"]}
    assert waiting == {f"domain:{name}": "dns" for name in NAMES} | {
        "organisation_identity": "ca",
        "callback": "ca",
    }
    assert all(one["next_action"] and one["since"] for one in fact.said["waiting_on"])
    assert not fact.said["overdue"]


async def test_names_that_are_proven_are_waited_for_no_more(world, proven) -> None:
    assert {one["item"] for one in proven["waiting_on"]} == {"organisation_identity", "callback"}
    for name in NAMES:
        await world.topics.hears(
            "DomainValidated",
            VERIFICATION,
            application_id=proven["application_id"],
            name=name,
        )


async def test_a_call_that_nobody_took_waits_on_the_applicant(postponed) -> None:
    [waiting] = postponed["waiting_on"]

    assert (waiting["item"], waiting["party"]) == ("callback", "applicant")
    assert waiting["reason"] == "callback: postpone"


async def test_notifier_hears_of_the_certificate_all_that_it_needs(heard, combined) -> None:
    said = heard.said
    assert said["instance_id"] == combined["instance_id"]
    assert sorted(said["names"]) == sorted(NAMES)
    assert said["certificate_pem"].startswith("-----BEGIN CERTIFICATE-----")
    assert said["replaces_certificate_id"] is None


async def test_once_one_answer_shows_the_certificate_every_other_knows_it(
    world, issued, heard, combined
) -> None:
    said, applicant = heard.said, world.applicant
    instance, certificate, listed, found, applications = await asyncio.gather(
        applicant.get(f"/instances/{combined['instance_id']}"),
        applicant.get(f"/certificates/{said['certificate_id']}"),
        applicant.all("/certificates"),
        applicant.all("/certificates", q=said["serial_number"]),
        applicant.all("/applications"),
    )

    assert (issued["certificate_id"], issued["waiting_on"]) == (said["certificate_id"], [])
    assert instance["status"] == "issued"
    assert issued in applications
    assert certificate in listed
    assert found == [certificate]
    for field in ("serial_number", "names", "not_before", "not_after", "sha256_fingerprint"):
        assert certificate[field] == said[field]


async def test_history_tells_what_became_of_the_instance_and_who_set_it_off(
    world, issued, combined
) -> None:
    history = await world.applicant.all(f"/instances/{combined['instance_id']}/history")

    who = await world.applicant.get("/me")
    officer = await world.officer.get("/me")
    assert (history[0]["what"], history[0]["who"]) == ("InstanceCreated", who["name"])
    assert (history[-1]["what"], history[-1]["who"]) == (
        "InstanceStatusChanged: issued",
        officer["name"],
    )
    events = {one.attributes["ce_id"] for one in await world.topics.read(INVENTORY)}
    assert {one["event_id"] for one in history} <= events


@pytest.fixture(scope="module")
async def bundle(world: World, issued: Any) -> dict[str, bytes]:
    """Return what is in the bundle for nginx."""
    path = f"/certificates/{issued['certificate_id']}/download"
    answer = await world.applicant.send("GET", path, format="nginx")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.mark.parametrize("kind", ["apache", "tomcat-pfx", "tomcat-jks", "iis"])
async def test_bundle_names_its_files_in_its_guide(world, issued, kind) -> None:
    path = f"/certificates/{issued['certificate_id']}/download"

    answer = await world.applicant.send("GET", path, format=kind)

    with zipfile.ZipFile(io.BytesIO(answer.content)) as opened:
        guides = [name for name in opened.namelist() if name.endswith((".md", ".txt"))]
        guide = "".join(opened.read(name).decode() for name in guides)
        others = [name for name in opened.namelist() if name not in guides]
    assert others
    assert all(name in guide for name in others), (others, guide)


async def test_what_is_downloaded_is_what_was_issued(world, issued, heard) -> None:
    path = f"/certificates/{issued['certificate_id']}/download"
    pem = await world.applicant.send("GET", path, format="pem")
    root = await world.applicant.send("GET", path, format="root")

    assert heard.said["certificate_pem"].strip() in pem.text
    assert root.text.strip() == Path(world.endpoints["ca_root"]).read_text().strip()


async def test_servers_that_install_the_bundle_are_seen_to_serve_it(
    world, issued, heard, bundle
) -> None:
    sandbox, root = world.endpoints["sandbox"], Path(world.endpoints["ca_root"])
    [key] = [content for name, content in bundle.items() if name.endswith(".key")]
    [chain] = [content for name, content in bundle.items() if "fullchain" in name]
    for host in HOSTS:
        install(Path(sandbox["files"]), host, chain, key)

    for host in HOSTS:
        assert await serves(sandbox["tls"], host, root) == heard.said["sha256_fingerprint"]
    path = f"/certificates/{issued['certificate_id']}/installations"
    shown = await looks(
        world.applicant,
        path,
        lambda page: [one["state"] for one in page["items"]].count("serving") == 3,
    )
    seen = {one["name"]: one for one in shown["items"]}
    assert seen.keys() == set(NAMES)
    for host in HOSTS[:3]:
        assert seen[host]["sha256_fingerprint"] == heard.said["sha256_fingerprint"]
        assert seen[host]["seen_at"]


async def serves(address: str, host: str, root: Path) -> str:
    """Shake hands until the server has picked its files up; return the fingerprint."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await handshake(address, host, root)
            except OSError:
                await asyncio.sleep(0.05)
