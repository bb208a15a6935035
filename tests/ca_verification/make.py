"""Well-formed values for tests of what the CA decides; say only what your test is about."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.ca_verification.domain import Practice, begin
from services.ca_verification.domain.messages import (
    CertificateNotLinted,
    CertificateSigned,
    CheckNameNow,
    DecideTask,
    IntentOutdated,
    NameChecked,
    RemindApplicant,
    TryAgain,
)
from services.ca_verification.domain.things import (
    Application,
    Decided,
    Issued,
    Item,
    NotLinted,
    Rejected,
    Revoked,
    Signing,
    Task,
    Withdrawn,
)
from services.ca_verification.domain.waiting import waiting_on
from shared.contracts.application import (
    ApplicationSubmitted,
    Contact,
    NameDropRequested,
    Organisation,
    RevocationRequested,
    WithdrawalRequested,
)
from shared.contracts.base import Objection
from shared.decision import Moment
from shared.replacing import replace

FRIDAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOT_AFTER = FRIDAY + timedelta(days=199)
MOMENT = Moment(FRIDAY, cause=UUID(int=99), host=FRIDAY, secret=bytes(32))
LATER = replace(MOMENT, now=FRIDAY + timedelta(hours=1), host=FRIDAY + timedelta(hours=1))
PRACTICE = Practice(support_contact="support@ca.example")
APPLICATION, INSTANCE, CERTIFICATE = UUID(int=90), UUID(int=1), UUID(int=100)
NAMES = ("a.example", "*.b.example")
WHO = {"application_id": APPLICATION, "account_id": "acme"}

SUBMITTED = ApplicationSubmitted(
    **WHO,
    instance_id=INSTANCE,
    brand="digicert",
    certificate_type="OV",
    certificate_kind="hybrid",
    names=NAMES,
    organisation=Organisation(
        legal_name="Acme Limited",
        type="private",
        registration_number="HRB 1",
        country="DE",
        province="Berlin",
        city="Berlin",
        address="Hauptstraße 1",
        postcode="10827",
        phone="+4930901820",
        email="office@acme.com",
    ),
    contact=Contact(name="Ann", email="ann@acme.com", phone="+4930901820", role="administrator"),
    csr_pem="csr",
    key_algorithm="P-256",
    validation_method="dns",
    submitted_at=FRIDAY,
)
SIGNING = Signing(CERTIFICATE, "f00", FRIDAY, NOT_AFTER)
ENDS = {
    "issued": Issued(CERTIFICATE, "f00", NOT_AFTER),
    "revoked": Revoked(CERTIFICATE, "f00", NOT_AFTER, "key_compromise", FRIDAY),
    "rejected": Rejected((Objection(code="callback_refused", subject="callback", message="no"),)),
    "withdrawn": Withdrawn(),
}
SIGNED = CertificateSigned(
    application_id=APPLICATION,
    certificate_pem="leaf",
    chain_pem="chain",
    root_pem="root",
    sha256_fingerprint="ab",
)
NOT_LINTED = CertificateNotLinted(application_id=APPLICATION, findings=("no OU", "too long"))
HELD_BACK = NotLinted(NOT_LINTED.findings, FRIDAY)
REMINDER = RemindApplicant(application_id=APPLICATION)
OUTDATED = IntentOutdated(application_id=APPLICATION)
TRY_AGAIN = TryAgain(application_id=APPLICATION)
WITHDRAW = WithdrawalRequested(**WHO, requested_by="ann")
REVOKE = RevocationRequested(
    **WHO, certificate_id=CERTIFICATE, reason="superseded", requested_by="ann"
)
DROP = NameDropRequested(**WHO, name=NAMES[0], requested_by="ann")


def submitted(certificate_type: str = "OV", **changes: object) -> ApplicationSubmitted:
    return SUBMITTED.model_copy(update={"certificate_type": certificate_type} | changes)


def begun(certificate_type: str = "OV", stage: object = None, **changes: object) -> Application:
    """Return what the CA has made of an application, in another stage if one is given."""
    [application] = begin(None, submitted(certificate_type), MOMENT, PRACTICE).changed
    changes |= {} if stage is None else {"stage": stage}
    return told(replace(application, **changes))


def told(application: Application) -> Application:
    """Say what it waits on."""
    return replace(application, told=tuple(waiting_on(application)))


def proven(application: Application, *names: str) -> Application:
    """Have the control of names proven, of all by default."""
    return told(
        replace(
            application,
            names=tuple(
                replace(one, valid=one.valid or one.name in (names or NAMES))
                for one in application.names
            ),
        )
    )


def confirmed(application: Application, *items: Item, by: str = "olga") -> Application:
    """Have tasks confirmed by an officer, by default all but the final review."""
    outcome = Decided(confirmed=True, by=by, at=FRIDAY, note="", evidence="")
    wanted = items or [one.item for one in application.tasks if one.item != "final_review"]
    return told(
        replace(
            application,
            tasks=tuple(
                replace(one, outcome=outcome) if one.item in wanted else one
                for one in application.tasks
            ),
        )
    )


def task(application: Application, item: Item) -> Task:
    return next(one for one in application.tasks if one.item == item)


def looked(name: str = NAMES[0], reason: str | None = None, **changes: object) -> NameChecked:
    seen = NameChecked(application_id=APPLICATION, name=name, reason=reason, on_request=False)
    return seen.model_copy(update=changes)


def look_now(name: str = NAMES[0]) -> CheckNameNow:
    return CheckNameNow(**WHO, name=name)


def verdict(task_id: UUID, decision: str = "confirm", **changes: object) -> DecideTask:
    said = DecideTask.model_validate(
        {
            "application_id": APPLICATION,
            "task_id": task_id,
            "decided_by": "olga",
            "role": "officer",
            "decision": decision,
            "note": "",
            "evidence": "register",
        }
    )
    return said.model_copy(update=changes)
