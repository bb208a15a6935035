"""The story of DOMAIN's workflow, step by step: what happens, who does it, what is seen."""

import asyncio
import io
import json
import shutil
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from certfold.demo.actors import (
    DemoFailedError,
    Notifier,
    Person,
    notifier,
)
from certfold.demo.facts import facts, handshake
from certfold.embedded.supervise import Tell
from certfold.sandbox.clock import SandboxClock
from certfold.sandbox.owner import RecordRefusedError, install, publish_record
from certfold.sandbox.shop import publish
from certfold.up import system

PURCHASES = Path(__file__).parents[2] / "demo" / "purchases.jsonl"
SHOP, CDN = "shop.example", "cdn.shop.example"
NAMES = (f"www.{SHOP}", SHOP, f"api.{SHOP}", f"*.{CDN}")
HOSTS = (f"www.{SHOP}", SHOP, f"api.{SHOP}", f"img.{CDN}")
ORGANISATION = {
    "legal_name": "Acme Trading Co., Ltd.",
    "type": "private",
    "registration_number": "91310000MA1FL0000X",
    "country": "CN",
    "province": "Shanghai",
    "city": "Shanghai",
    "address": "1 Century Avenue, Pudong",
    "postcode": "200120",
    "phone": "+862150000000",
    "email": "legal@shop.example",
    "department": None,
}
CONTACT = {
    "name": "Li Wei",
    "email": "li.wei@shop.example",
    "phone": "+8613800138000",
    "role": "administrator",
}


@dataclass
class Story:
    """The stage: where everything is, who is there, and what has come of it so far."""

    endpoints: Mapping[str, Any]
    folder: Path
    tell: Callable[[str], None]
    heading: Callable[[str], None]
    applicant: Person
    officer: Person
    notifier: Notifier
    suffix: str = ""
    spare: dict[str, list[str]] = field(default_factory=dict)
    combined: dict[str, Any] = field(default_factory=dict)
    application: dict[str, Any] = field(default_factory=dict)
    certificate: dict[str, Any] = field(default_factory=dict)

    @property
    def clock(self) -> SandboxClock:
        """The one clock of all services."""
        return SandboxClock(self.folder / "sandbox" / "clock.json", self.endpoints["health"])

    def form(self, instance_id: str, names: Sequence[str], **changes: object) -> dict[str, Any]:
        """Fill in the application form."""
        return {
            "instance_id": instance_id,
            "names": list(names),
            "organisation": ORGANISATION,
            "contact": CONTACT,
            "key_algorithm": "P-256",
            "csr": {"method": "automatic"},
            "validation_method": "dns",
            **changes,
        }

    async def until(self, application_id: str, *statuses: str) -> dict[str, Any]:
        """Look at an application until it has come so far."""
        async with asyncio.timeout(40):
            while True:
                found = await self.applicant.get(f"/applications/{application_id}")
                if found["status"] in statuses:
                    return dict(found)
                await asyncio.sleep(0.05)

    async def task(self, application_id: str, item: str) -> dict[str, Any]:
        """Find an officer's task."""
        page = await self.officer.get("/verification/tasks", status="open", limit="200")
        for one in page["items"]:
            if one["application_id"] == application_id and one["item"] == item:
                return dict(one)
        raise DemoFailedError(f"the officer sees no task {item}")

    async def decide(self, application_id: str, item: str, decision: str, note: str) -> None:
        """Have the officer decide."""
        task = await self.task(application_id, item)
        body = {"decision": decision, "note": note, "evidence": "see the file"}
        await self.officer.post(f"/verification/tasks/{task['task_id']}/decision", body)
        self.tell(f"the officer: {decision} {item} ({note})")


async def demo(folder: Path, tell: Tell, say: Callable[[str, str], None]) -> None:
    """Bring everything up afresh in `folder`, play the story, and take everything down."""
    shutil.rmtree(folder, ignore_errors=True)
    async with system(folder, tell) as endpoints, stage(folder, endpoints, say) as story:
        await play(story)


async def attach(folder: Path, say: Callable[[str, str], None]) -> None:
    """Play the story on a system that is up, and tells so in `folder`; it may have been before."""
    try:
        endpoints = json.loads((folder / "endpoints.json").read_text())
    except (OSError, ValueError) as error:
        raise DemoFailedError(f"nothing is up that tells where it is: {error}") from None
    async with stage(folder, endpoints, say, suffix=f"-{uuid4().hex[:8]}") as story:
        await play(story)


async def play(story: Story) -> None:
    """Play all steps, each on what the ones before it have left."""
    for title, step in STEPS:
        story.heading(title)
        try:
            await step(story)
        except (TimeoutError, OSError, KeyError, RecordRefusedError) as error:
            raise DemoFailedError(f"{title}: {error!r}") from error


@asynccontextmanager
async def stage(
    folder: Path,
    endpoints: Mapping[str, Any],
    say: Callable[[str, str], None],
    suffix: str = "",
) -> AsyncIterator[Story]:
    """Bring the people together, and let the notifier listen."""
    tokens = endpoints["tokens"]
    async with AsyncExitStack() as stack:
        people = [Person(endpoints["api"], tokens[role]) for role in ("applicant", "officer")]
        for person in people:
            stack.push_async_callback(person.close)
        yield Story(
            endpoints=endpoints,
            folder=folder,
            tell=lambda said: say("", said),
            heading=lambda title: say(title, ""),
            applicant=people[0],
            officer=people[1],
            notifier=await stack.enter_async_context(notifier(endpoints["kafka"])),
            suffix=suffix,
        )


async def purchase(story: Story) -> None:
    """Publish what was sold; one purchase comes twice, and counts once."""
    account = story.endpoints["account_id"]
    sold = await publish(story.endpoints["kafka"], PURCHASES, account, story.suffix)
    story.tell(f"the shop published {len(sold)} purchase events, one of them twice")
    for one in {line["purchase_id"]: line for line in sold}.values():
        heard = await story.notifier.hears("InstancesPurchased", purchase_id=one["purchase_id"])
        kinds = ", ".join(f"{n} {kind}" for kind, n in heard["names"].items() if n)
        story.tell(
            f"bought: {heard['quantity']} of {heard['brand']} {heard['certificate_type']} ({kinds})"
        )


async def create(story: Story) -> None:
    """Use "Apply for Certificate" above the list."""
    ours = f"1001{story.suffix}"
    [one] = [one for one in await story.applicant.all("/quota") if one["purchase_id"] == ours]
    wish = {"purchase_id": ours, "count": one["remaining"], "term_years": 1}
    await story.applicant.post("/instances", wish)
    await story.notifier.hears("InstanceCreated", purchase_id=f"1003{story.suffix}")
    for one in await story.applicant.all("/instances", status="pending_application"):
        if not (one["purchase_id"] or "").endswith(story.suffix):
            continue  # bought when the story was played before
        key = f"{one['certificate_type']} {'wildcard' if one['names']['wildcard'] else 'single'}"
        story.spare.setdefault(key, []).append(one["instance_id"])
        story.tell(f"{one['name']}  {one['status']}  {key}")


async def object_(story: Story) -> None:
    """Ask for what cannot be: an EV with a wildcard among OVs, and no waiver."""
    ids = [story.spare["OV single"][0], story.spare["EV wildcard"][0]]
    preview = await story.applicant.post("/combinations/preview", {"instance_ids": ids})
    if preview["allowed"]:
        raise DemoFailedError(f"the preview allows what it must not: {preview}")
    refused = await story.applicant.post("/combinations", {"instance_ids": ids})
    await story.notifier.hears("CombinationRefused", combination_id=refused["combination_id"])
    if refused["status"] != "refused":
        raise DemoFailedError(f"what must be refused was not: {refused}")
    for one in refused["objections"]:
        story.tell(f"refused: {one['code']}: {one['message'][:90]}")


async def combine(story: Story) -> None:
    """Fold three single names and one wildcard into one instance."""
    ids = [*story.spare["OV single"], story.spare["OV wildcard"].pop()]
    preview = await story.applicant.post("/combinations/preview", {"instance_ids": ids})
    waiver = preview["refund_waiver"]
    story.tell(
        f"preview: {preview['names_total']} names, {', '.join(preview['certificate_kinds'])}"
    )
    story.combined = await story.applicant.post(
        "/combinations",
        {
            "instance_ids": ids,
            "refund_waiver_acknowledged": True,
            "refund_waiver_text_sha256": waiver["text_sha256"],
        },
    )
    heard = await story.notifier.hears(
        "InstancesCombined", combination_id=story.combined["combination_id"]
    )
    story.tell(f"{len(ids)} instances became {heard['instance_name']}: {heard['names']}")


async def apply_for_too_much(story: Story) -> None:
    """Apply with more names than there are, and a wildcard of a public suffix."""
    names = [*NAMES, f"mail.{SHOP}", "*.co.uk"]
    form = story.form(story.combined["instance_id"], names)
    refused = await story.applicant.post("/applications", form)
    if refused["status"] != "refused":
        raise DemoFailedError(f"what must be refused was not: {refused}")
    for one in refused["objections"]:
        story.tell(f"refused: {one['code']}: {one['subject']}: {one['message'][:80]}")


async def reject(story: Story) -> None:
    """Apply with a wrong registration number: the officer says no, and why."""
    organisation = {**ORGANISATION, "registration_number": "unknown"}
    form = story.form(story.combined["instance_id"], NAMES, organisation=organisation)
    application = await story.applicant.post("/applications", form)
    application_id = application["application_id"]
    await story.decide(
        application_id, "organisation_identity", "refuse", "no such registration number"
    )
    failed = await story.until(application_id, "validation_failed")
    story.tell(f"Validation Failed; help from {failed['support_contact']}")
    for one in failed["objections"]:
        story.tell(f"because: {one['subject']}: {one['message']}")


async def apply(story: Story) -> None:
    """Apply again, with the right number."""
    form = story.form(story.combined["instance_id"], NAMES)
    story.application = await story.applicant.post("/applications", form)
    story.tell(f"{story.application['certificate_kind']} for {', '.join(NAMES)}")
    story.tell(f"expected by {story.application['expected_by']}")
    for one in story.application["waiting_on"]:
        story.tell(f"waits on {one['party']}: {one['item']}: {one['next_action'][:90]}")


async def verify(story: Story) -> None:
    """Prove the names in the DNS; have the officer check and call."""
    application_id = story.application["application_id"]
    for one in story.application["names"]:
        challenge = one["challenge"]
        await publish_record(story.endpoints["sandbox"]["dns"], challenge)
        story.tell(
            f"the domain owner published {challenge['record_type']} {challenge['record_name']}"
        )
    for one in story.application["names"]:
        name = one["name"]
        seen = await story.applicant.post(f"/applications/{application_id}/names/{name}/check")
        if seen["state"] != "valid":
            raise DemoFailedError(f"{name} is not proven: {seen}")
        await story.notifier.hears("DomainValidated", application_id=application_id, name=name)
    story.tell("all names are proven, by real DNS queries")
    await story.decide(application_id, "organisation_identity", "confirm", "business register")
    await story.decide(application_id, "callback", "postpone", "called twice, no answer")
    shown = await story.until(application_id, "pending_validation")
    for one in shown["waiting_on"]:
        story.tell(f"the applicant sees: waits on {one['party']}: {one['reason']}")
    await story.decide(application_id, "callback", "confirm", "spoke with Li Wei")


async def issue(story: Story) -> None:
    """Hear that the CA has linted and signed."""
    application_id = story.application["application_id"]
    issued = await story.notifier.hears("CertificateIssued", application_id=application_id)
    shown = await story.until(application_id, "issued")
    story.certificate = await story.applicant.get(f"/certificates/{shown['certificate_id']}")
    instance = await story.applicant.get(f"/instances/{issued['instance_id']}")
    story.tell(f"the notifier heard CertificateIssued: serial {issued['serial_number']}")
    story.tell(f"{instance['name']} is {instance['status']}")


async def install_everywhere(story: Story) -> None:
    """Download the bundles, put them on the servers, and see by handshakes who serves them."""
    path = f"/certificates/{story.certificate['certificate_id']}"
    result = story.folder / "result"
    result.mkdir(exist_ok=True)
    for kind in ("nginx", "tomcat-pfx", "pem"):
        content = await story.applicant.download(f"{path}/download", format=kind)
        suffix = "pem" if kind == "pem" else "zip"
        (result / f"{kind}.{suffix}").write_bytes(content)
    nginx = (result / "nginx.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(nginx)) as bundle:
        story.tell(f"nginx bundle: {', '.join(bundle.namelist())}")
    for host in HOSTS:
        install(Path(story.endpoints["sandbox"]["files"]), host, nginx)
    root = Path(story.endpoints["ca_root"])
    for host in HOSTS:
        await _served(story, host, root)
    seen = (await story.applicant.get(f"{path}/installations"))["items"]
    for one in seen:
        story.tell(f"Certfold sees {one['name']}: {one['state']} ({one['reason'] or 'TLS'})")
    if missing := [
        one["name"] for one in seen if one["state"] != "serving" and "*" not in one["name"]
    ]:
        raise DemoFailedError(f"not installed: {missing}")


async def _served(story: Story, host: str, root: Path) -> None:
    """Wait until a server has picked the files up; a browser's handshake proves it."""
    async with asyncio.timeout(10):
        while True:
            try:
                served = await handshake(
                    story.endpoints["sandbox"]["tls"], host, root, story.clock.now()
                )
            except OSError:
                served = ""
            if served == story.certificate["sha256_fingerprint"]:
                return
            await asyncio.sleep(0.1)


async def remind(story: Story) -> None:
    """Leave another application alone for a business day: the applicant is told, and withdraws."""
    spare = story.spare["OV wildcard"].pop()
    application = await story.applicant.post(
        "/applications", story.form(spare, ["*.forgotten.example"])
    )
    application_id = application["application_id"]
    clock = story.clock
    due = {"application_id": application_id, "overdue": True}
    while not story.notifier.has_heard("VerificationPending", **due):
        await clock.move(clock.now() + timedelta(days=1))
        story.tell(f"the clock moved on to {clock.now():%A, %Y-%m-%d %H:%M} UTC")
    overdue = await story.notifier.hears("VerificationPending", **due)
    story.tell("one business day has passed, and the notifier heard:")
    for one in overdue["waiting_on"]:
        story.tell(f"waits on {one['party']} for {one['item']}: {one['reason']}")
    withdrawn = await story.applicant.post(f"/applications/{application_id}/withdrawal")
    instance = await story.applicant.get(f"/instances/{spare}")
    story.tell(f"{withdrawn['status']}; {instance['name']} is {instance['status']} again")


async def conclude(story: Story) -> None:
    """Tell what there is now."""
    path = story.folder / "result" / "pem.pem"
    for name, text in facts(story.certificate["certificate_pem"].encode()):
        story.tell(f"{name:>14}: {text}")
    story.tell(f"certificate in {path}")
    story.tell(f"served by {', '.join(HOSTS)}")
    names = [name for name, _ in story.notifier.heard]
    story.tell(f"{len(names)} events in Kafka, of {len(set(names))} kinds")


STEPS = (
    ("Purchase", purchase),
    ("Create instances", create),
    ("An impossible combination", object_),
    ("Combine", combine),
    ("An impossible application", apply_for_too_much),
    ("Rejected", reject),
    ("Apply again", apply),
    ("Verify", verify),
    ("Issue", issue),
    ("Install", install_everywhere),
    ("One business day later", remind),
    ("What there is now", conclude),
)
