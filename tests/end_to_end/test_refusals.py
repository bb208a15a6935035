"""What is refused: as RFC 9457 has it, with every reason at once, and nothing changed."""

from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.end_to_end.outside import APPLICATION, CONTACT, ORGANISATION, codes, form
from tests.end_to_end.steps import World, problem

WAIT = {"prefer": "wait=20"}
NOBODYS = "01a00000-0000-7000-8000-000000000000"


def of(problem_: Any) -> dict[str, set[str]]:
    """Return what stands against each subject."""
    found: dict[str, set[str]] = {}
    for one in problem_["objections"]:
        found.setdefault(one["subject"], set()).add(one["code"])
    return found


@pytest.fixture(scope="module")
async def instance_id(world: World) -> str:
    [found] = await world.buys()
    return found


async def test_application_is_refused_with_every_reason_and_nothing_is_changed(
    world, instance_id
) -> None:
    names = ["a.example", "A.example", "*.co.uk", "w*w.example", "10.0.0.1", "b.internal", "-"]

    refused = await world.applicant.post("/applications", form(instance_id, names))

    assert refused["status"] == "refused"
    against = of(refused)
    assert "duplicate_name" in against["A.example"]
    assert "wildcard_misplaced" in against["w*w.example"]
    assert against.keys() >= {*names[1:]}, "each bad name has its reason"
    assert (await world.applicant.get(f"/instances/{instance_id}"))["status"] == (
        "pending_application"
    )
    fact = await world.topics.hears(
        "ApplicationRefused", APPLICATION, application_id=refused["application_id"]
    )
    assert fact.said["objections"] == refused["objections"]


async def test_application_beyond_the_quota_is_told_for_each_kind_of_name(
    world, instance_id
) -> None:
    names = ["a.example", "b.example", "*.c.example"]

    refused = await world.applicant.post("/applications", form(instance_id, names))

    assert of(refused) == {
        "names.single": {"quota_exceeded"},
        "names.wildcard": {"quota_exceeded"},
    }


async def test_more_names_than_the_limit_are_refused_with_the_limit(world, instance_id) -> None:
    names = [f"n{n}.example" for n in range(251)]

    refused = await world.applicant.post("/applications", form(instance_id, names))

    [found] = [one for one in refused["objections"] if one["code"] == "too_many_names"]
    assert "250" in found["message"]


async def test_csr_over_the_limit_is_refused_with_the_limit(world, instance_id) -> None:
    csr = {"method": "pasted", "csr_pem": "A" * (16 * 1024 + 1)}

    refused = await world.applicant.post("/applications", form(instance_id, ["a.ex"], csr=csr))

    [found] = [one for one in refused["objections"] if one["subject"] == "csr"]
    assert "16" in found["message"]


def pasted(key: ec.EllipticCurvePrivateKey, *names: str) -> dict[str, str]:
    """Make a request for a certificate, as an applicant's own tool does."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    alternative = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    pem = signed.public_bytes(serialization.Encoding.PEM).decode()
    return {"method": "pasted", "csr_pem": pem}


@pytest.mark.parametrize(
    ("curve", "code"), [(ec.SECP256R1, "csr_foreign_name"), (ec.SECP256K1, "csr_key_not_allowed")]
)
async def test_pasted_request_for_another_name_or_with_a_foreign_curve_is_refused(
    world, instance_id, curve, code
) -> None:
    csr = pasted(ec.generate_private_key(curve()), "a.example", "stranger.example")

    refused = await world.applicant.post("/applications", form(instance_id, ["a.example"], csr=csr))

    assert (refused["status"], codes(refused)) == ("refused", {code})


async def test_key_that_another_application_came_with_is_refused(world) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), f"{uuid4().hex[:8]}.example"
    first, second = await world.buys(2)
    csr = pasted(key, name)
    taken = await world.applicant.post("/applications", form(first, [name], csr=csr))

    refused = await world.applicant.post("/applications", form(second, [name], csr=csr))

    assert taken["status"] == "pending_validation"
    assert codes(refused) == {"csr_used"}


async def test_form_is_refused_with_every_field_that_is_wrong(world, instance_id) -> None:
    wrong = form(
        instance_id,
        ["a.example"],
        organisation={**ORGANISATION, "country": "China", "email": "nobody", "type": "club"},
        contact={**CONTACT, "phone": "12", "name": ""},
        key_algorithm="SM2",
        validation_method="guess",
        csr={"method": "stolen"},
    )
    del wrong["names"]

    answer = await world.applicant.send("POST", "/applications", wrong, headers=WAIT)

    subjects = {one["subject"] for one in problem(answer, 422)["objections"]}
    assert subjects >= {
        *("names", "organisation.country", "organisation.email", "organisation.type"),
        *("contact.phone", "contact.name", "key_algorithm", "validation_method", "csr"),
    }


async def test_more_instances_than_bought_of_another_term_are_refused_for_both(world) -> None:
    sale = await world.sells(quantity=2)
    wish = {"purchase_id": sale["purchase_id"], "count": 3, "term_years": 2}

    answer = await world.applicant.send("POST", "/instances", wish)

    assert of(problem(answer, 409)) == {
        "count": {"quota_exceeded"},
        "term_years": {"term_not_bought"},
    }
    [left] = [
        one
        for one in await world.applicant.all("/quota")
        if one["purchase_id"] == sale["purchase_id"]
    ]
    assert left["remaining"] == 2


async def test_combination_is_refused_with_every_reason(world, instance_id) -> None:
    [ev] = await world.buys(certificate_type="EV", names={"single": 1, "wildcard": 1, "ip": 0})
    [old] = await world.buys(term_years=2)
    [other_brand] = await world.buys(brand="globalsign")
    wish = {
        "instance_ids": [instance_id, instance_id, ev, old, other_brand, NOBODYS],
        "refund_waiver_text_sha256": "0" * 64,
    }

    refused = await world.applicant.post("/combinations", wish)

    assert refused["status"] == "refused"
    assert codes(refused) == {
        *("duplicate_instance", "unknown", "different_types", "different_brands", "ev_wildcard"),
        *("term_not_one_year", "refund_waiver_not_acknowledged", "refund_waiver_text_outdated"),
    }
    for one in (instance_id, ev, old, other_brand):
        shown = await world.applicant.get(f"/instances/{one}")
        assert shown["status"] == "pending_application"


async def test_dv_is_not_combined(world) -> None:
    ids = await world.buys(2, certificate_type="DV")
    wish = {"instance_ids": ids, "refund_waiver_acknowledged": True}

    refused = await world.applicant.post("/combinations", wish)

    assert of(refused) == {one: {"type_not_combinable"} for one in ids}


@pytest.mark.parametrize(
    "path",
    [
        f"/instances/{NOBODYS}",
        f"/instances/{NOBODYS}/history",
        f"/applications/{NOBODYS}",
        f"/combinations/{NOBODYS}",
        f"/certificates/{NOBODYS}",
        f"/certificates/{NOBODYS}/download?format=pem",
        f"/certificates/{NOBODYS}/installations",
        "/instances/no-id",
        "/nothing",
        "/instances//",
    ],
)
async def test_what_is_not_there_is_a_problem_404(world, path) -> None:
    problem(await world.applicant.send("GET", path), 404)


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"null", b"\xff", b'{"instance_ids": "all"}'])
async def test_body_that_cannot_be_read_is_a_problem_422(world, body) -> None:
    answer = await world.applicant.http.post(
        "/combinations", content=body, headers={"content-type": "application/json"}
    )

    assert problem(answer, 422)["objections"]


async def test_body_over_the_limit_is_a_problem_413_with_the_limit(world) -> None:
    body = b'{"instance_ids": [], "padding": "' + b"x" * (256 << 10) + b'"}'

    answer = await world.applicant.http.post(
        "/combinations", content=body, headers={"content-type": "application/json"}
    )

    assert str(256 << 10) in problem(answer, 413)["objections"][0]["message"]


async def test_method_that_a_path_does_not_have_is_a_problem_405(world) -> None:
    problem(await world.applicant.send("DELETE", "/quota"), 405)


async def test_decision_that_an_officer_cannot_take_is_refused_with_every_reason(world) -> None:
    application = await world.applies([f"{uuid4().hex[:8]}.example"])
    task = await world.task(application["application_id"], "callback")
    await world.decides(application["application_id"], "callback")
    path = f"/verification/tasks/{task['task_id']}/decision"

    again = await world.officer.send("POST", path, {"decision": "refuse"})

    assert codes(problem(again, 409)) == {"already_decided", "note_missing"}


async def test_issued_certificate_is_not_withdrawn(world, certificate) -> None:
    path = f"/applications/{certificate['application_id']}/withdrawal"

    answer = await world.applicant.send("POST", path, headers=WAIT)

    assert codes(problem(answer, 409)) == {"not_withdrawable"}
    shown = await world.applicant.get(f"/certificates/{certificate['certificate_id']}")
    assert shown == certificate
