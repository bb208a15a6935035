"""Well-formed values for application tests; say only what your test is about."""

from datetime import timedelta
from uuid import UUID

from services.application.domain.messages import (
    HostSeen,
    KeyMade,
    LookAtHosts,
    RequestApplication,
    RequestNameDrop,
    RequestRevocation,
    RequestWithdrawal,
)
from services.application.domain.things import (
    Application,
    Certificate,
    Claimed,
    Failed,
    Form,
    Host,
    HostState,
    Issued,
    Refused,
    Requested,
    Submitted,
    UsedKey,
    Withdrawn,
)
from shared.contracts.application import Contact, Organisation
from shared.contracts.base import Names, Objection
from shared.contracts.ca_verification import (
    ApplicationRejected,
    CertificateIssued,
    CertificateRevoked,
    Challenge,
    DomainChecked,
    NameDropGranted,
    NameDropRefused,
    NameProgress,
    RevocationRefused,
    VerificationPending,
    Waiting,
    WithdrawalGranted,
    WithdrawalRefused,
)
from shared.contracts.inventory import (
    ClaimRefused,
    InstanceClaimed,
    InstanceStatus,
    InstanceStatusChanged,
)
from shared.decision import Moment
from shared.replacing import replace
from tests.shared.make import NOON

MOMENT = Moment(NOON, cause=UUID(int=99), host=NOON, secret=bytes(32))
APPLICATION, INSTANCE, CERTIFICATE = UUID(int=90), UUID(int=1), UUID(int=100)
ACCOUNT = "acme"
NAMES = ("a.example", "b.example")
WHO = {"application_id": APPLICATION, "account_id": ACCOUNT}
IT = {**WHO, "instance_id": INSTANCE}
FOUND = (Objection(code="not_pending", subject="cas-1", message="it is combined"),)

ORGANISATION = Organisation(
    legal_name="Acme Limited",
    type="private",
    registration_number="HRB 1",
    country="DE",
    province="Berlin",
    city="Berlin",
    address="Hauptstraße 1",
    postcode="10827",
    phone="+49 30 901820",
    email="office@acme.com",
)
CONTACT = Contact(name="Ann", email="ann@acme.com", phone="+4930901820", role="administrator")
FORM = Form(
    names=NAMES,
    kind="multi_domain",
    organisation=ORGANISATION,
    contact=CONTACT,
    key_algorithm="P-256",
    validation_method="dns",
    csr_pem=None,
)
PASTED = replace(FORM, csr_pem="pasted", spki_sha256="5b" * 32)

USED = UsedKey("5b" * 32, frozenset({INSTANCE}))

WAITING = (
    Waiting(item="callback", party="ca", reason="r", since=NOON, next_action="answer the phone"),
)
PROGRESS = tuple(
    NameProgress(
        name=name,
        state="pending",
        challenge=Challenge(record_name=f"_c.{name}", record_value="v", expires_at=NOON),
    )
    for name in NAMES
)
CLAIMED = Claimed("digicert", "OV")
SUBMITTED = Submitted(NOON)
VERIFYING = Submitted(NOON, NOON + timedelta(days=7), waiting_on=WAITING, names=PROGRESS)
STAGES = {
    "requested": Requested(),
    "refused": Refused(FOUND),
    "claimed": CLAIMED,
    "submitted": SUBMITTED,
    "failed": Failed(FOUND, "support@ca.example"),
    "withdrawn": Withdrawn(),
    "issued": Issued(CERTIFICATE),
}

CLAIM = InstanceClaimed(**IT, brand="digicert", certificate_type="OV", names=Names(single=2))
CLAIM_REFUSED = ClaimRefused(**IT, objections=FOUND)
KEY_MADE = KeyMade(application_id=APPLICATION, csr_pem="made", encrypted_key=b"sealed")
PENDING = VerificationPending(
    **IT, waiting_on=WAITING, expected_by=VERIFYING.expected_by, names=PROGRESS
)
CHECKED = DomainChecked(**WHO, name="a.example", state="valid", last_error=None, checked_at=NOON)
REJECTED = ApplicationRejected(**IT, objections=FOUND, support_contact="support@ca.example")
GRANTED = WithdrawalGranted(**WHO)
NOT_GRANTED = WithdrawalRefused(**WHO, objections=FOUND)
ISSUED = CertificateIssued(
    **IT,
    certificate_id=CERTIFICATE,
    brand="digicert",
    certificate_type="OV",
    names=NAMES,
    serial_number="f00",
    not_before=NOON,
    not_after=NOON + timedelta(days=199),
    sha256_fingerprint="ab",
    certificate_pem="leaf",
    chain_pem="chain",
    root_pem="root",
)
BACK = RequestWithdrawal(**WHO, requested_by="ann")
LOOK = LookAtHosts(certificate_id=CERTIFICATE)
DROP = RequestNameDrop(**WHO, requested_by="ann", name=NAMES[0])
DROP_GRANTED = NameDropGranted(**WHO, name=NAMES[0])
DROP_REFUSED = NameDropRefused(**WHO, name=NAMES[0], objections=FOUND)
REVOKE = RequestRevocation(
    certificate_id=CERTIFICATE, account_id=ACCOUNT, requested_by="ann", reason="superseded"
)
REVOKED = CertificateRevoked(
    **IT, certificate_id=CERTIFICATE, serial_number="f00", reason="superseded", revoked_at=NOON
)
NOT_REVOKED = RevocationRefused(**WHO, certificate_id=CERTIFICATE, objections=FOUND)


def application(stage: object = STAGES["requested"], **changes: object) -> Application:
    wish = Application(APPLICATION, ACCOUNT, INSTANCE, FORM)
    return replace(wish, stage=stage, **changes)  # type: ignore[arg-type]


def wish(**changes: object) -> RequestApplication:
    asked = RequestApplication(**IT, form=FORM, counts=Names(single=2))
    return asked.model_copy(update=changes)


def certificate(*hosts: Host) -> Certificate:
    fields = {name: getattr(ISSUED, name) for name in CertificateIssued.model_fields}
    del fields["certificate_id"]
    return Certificate(id=CERTIFICATE, **fields, hosts=hosts or tuple(map(Host, NAMES)))


def seen(state: HostState, name: str = "a.example", reason: str | None = None) -> HostSeen:
    return HostSeen(
        certificate_id=CERTIFICATE,
        name=name,
        state=state,
        sha256_fingerprint="ab" if state == "serving" else None,
        reason=reason,
        seen_at=NOON,
    )


def shown(status: InstanceStatus) -> InstanceStatusChanged:
    return InstanceStatusChanged(**IT, status=status)


def later(**after: float) -> Moment:
    return replace(MOMENT, now=NOON + timedelta(**after))
