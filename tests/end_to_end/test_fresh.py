"""What one answer showed, every endpoint knows from then on (CONTRACT §3): asked at once."""

from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.outside import Person, form
from tests.end_to_end.steps import World

TIMES = 5


async def first(person: Person, path: str, status: str) -> Any:
    """Ask without a pause, so that nobody has time to catch up."""
    while (shown := await person.get(path))["status"] != status:
        pass
    return shown


@pytest.mark.parametrize("_", range(TIMES))
async def test_whoever_shows_first_how_it_stands_nobody_is_behind(world: World, _: int) -> None:
    applicant, ids = world.applicant, await world.buys(2)
    wish = {"instance_ids": ids, "refund_waiver_acknowledged": True}
    asked = await applicant.post("/combinations", wish, wait=0)
    await first(applicant, f"/instances/{ids[0]}", "combined")
    combined = await applicant.get(f"/combinations/{asked['combination_id']}")
    assert combined["status"] == "combined"

    name, instance = f"{uuid4().hex[:8]}.example", f"/instances/{combined['instance_id']}"
    application = await applicant.post("/applications", form(combined["instance_id"], [name]))
    await world.proves(application)
    await world.confirms(application["application_id"])
    await first(applicant, instance, "issued")
    issued = await applicant.get(f"/applications/{application['application_id']}")
    assert issued["status"] == "issued"

    certificate = f"/certificates/{issued['certificate_id']}"
    await applicant.post(f"{certificate}/revocation", {"reason": "superseded"}, wait=0)
    await first(applicant, certificate, "revoked")
    assert (await applicant.get(instance))["status"] == "revoked"


async def test_who_hears_of_a_certificate_can_read_it_at_once(world: World) -> None:
    for _ in range(TIMES):
        application = await world.applies([f"{uuid4().hex[:8]}.example"])
        await world.proves(application)
        await world.confirms(application["application_id"])
        heard = await world.topics.hears(
            "CertificateIssued",
            "certificates.ca-verification.v1",
            application_id=application["application_id"],
        )
        answer = await world.applicant.send("GET", f"/certificates/{heard.said['certificate_id']}")
        assert answer.status_code == 200
