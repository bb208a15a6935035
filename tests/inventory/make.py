"""Well-formed values for inventory tests; say only what your test is about."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from services.inventory.domain import CreateInstances
from services.inventory.domain.holding import UNCLAIMED_AFTER
from services.inventory.domain.messages import (
    EndReservation,
    RefundInstance,
    RefundQuota,
    SetAutoCreate,
    SetHosting,
)
from services.inventory.domain.things import (
    Claimed,
    Combined,
    Instance,
    Issued,
    PendingApplication,
    Purchase,
    Reserved,
    Revoked,
    ValidationFailed,
    account_key,
)
from shared.contracts.application import ApplicationRequested, ApplicationWithdrawn
from shared.contracts.base import Names, Objection
from shared.contracts.ca_verification import (
    ApplicationRejected,
    CertificateIssued,
    CertificateRevoked,
    VerificationPending,
    Waiting,
)
from shared.contracts.combination import (
    CombinationRefused,
    CombinationRequested,
    InstancesCombined,
    RefundWaiver,
)
from shared.contracts.purchases import Price, PurchaseCompleted, PurchaseRefunded
from shared.contracts.waiver import TEXT_SHA256
from shared.decision import Moment
from shared.replacing import replace
from tests.shared.make import NOON

MOMENT = Moment(NOON, cause=UUID(int=99), host=NOON, secret=bytes(32))
ACCOUNT, STRANGER = "acme", "rival"
A, B, C, MERGED = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
COMBINATION, OTHER_COMBINATION = UUID(int=80), UUID(int=81)
APPLICATION, OTHER_APPLICATION = UUID(int=90), UUID(int=91)
CERTIFICATE, LOT = UUID(int=100), UUID(int=110)

PENDING = PendingApplication()
RESERVED = Reserved(COMBINATION)
COMBINED = Combined(COMBINATION, into=MERGED)
CLAIMED = Claimed(APPLICATION)
UNDER_REVIEW = Claimed(APPLICATION, under_review=True)
FAILED = ValidationFailed(APPLICATION)
ISSUED = Issued(APPLICATION, CERTIFICATE, NOON, NOON + timedelta(days=199))
REVOKED = Revoked(APPLICATION, CERTIFICATE)
PRICE = Price(amount=Decimal("298.00"), currency="CNY")
WAIVED = Objection(code="refund_waiver_not_acknowledged", subject="it", message="agree")


def purchase(**changes: object) -> PurchaseCompleted:
    bought = {
        "purchase_id": "order-7",
        "account_id": ACCOUNT,
        "brand": "digicert",
        "certificate_type": "OV",
        "names": Names(single=1),
        "quantity": 2,
        "term_years": 1,
        "price": PRICE,
        "paid_at": NOON,
        "source": "/shop",
    }
    return PurchaseCompleted.model_validate(bought | changes)


def quota(created: int = 0, refunded: int = 0, **changes: object) -> Purchase:
    bought = purchase(**changes)
    return Purchase(bought.key, bought, created, refunded)


def creation(**changes: object) -> CreateInstances:
    asked = CreateInstances(
        lot_id=LOT,
        purchase=purchase().key,
        purchase_id="order-7",
        account_id=ACCOUNT,
        count=1,
        term_years=1,
    )
    return asked.model_copy(update=changes)


def quota_refund(**changes: object) -> RefundQuota:
    asked = RefundQuota(purchase=purchase().key, purchase_id="order-7", account_id=ACCOUNT, count=1)
    return asked.model_copy(update=changes)


def paid_back(*ids: UUID, count: int = 0) -> PurchaseRefunded:
    return PurchaseRefunded(
        purchase_id="order-7",
        account_id=ACCOUNT,
        source="/shop",
        instance_ids=ids,
        count=count,
        refunded_at=NOON,
    )


def refund(instance_id: UUID = A) -> RefundInstance:
    return RefundInstance(instance_id=instance_id, account_id=ACCOUNT)


def hosting(instance_id: UUID = A, *, hosted: bool = True) -> SetHosting:
    return SetHosting(instance_id=instance_id, account_id=ACCOUNT, hosted=hosted)


def auto_create(*, auto_create: bool = True) -> SetAutoCreate:
    return SetAutoCreate(key=account_key(ACCOUNT), account_id=ACCOUNT, auto_create=auto_create)


def instance(instance_id: UUID = A, **changes: object) -> Instance:
    pending = Instance(
        id=instance_id,
        account_id=ACCOUNT,
        name=f"cas-{instance_id.int}",
        brand="digicert",
        certificate_type="OV",
        names=Names(single=1),
        term_years=1,
        created_at=NOON,
        purchase_id="order-7",
        purchase=purchase().key,
        paid_at=NOON,
        price=PRICE,
    )
    return replace(pending, **changes)  # type: ignore[arg-type]


def estate(*instances: Instance) -> dict[UUID, Instance]:
    return {instance.id: instance for instance in instances}


def request(*ids: UUID, **changes: object) -> CombinationRequested:
    asked = CombinationRequested(
        combination_id=COMBINATION, account_id=ACCOUNT, member_instance_ids=ids or (A, B)
    )
    return asked.model_copy(update=changes)


def end_of_reservation(*ids: UUID, due: datetime = NOON + UNCLAIMED_AFTER) -> EndReservation:
    return EndReservation(
        combination_id=COMBINATION, account_id=ACCOUNT, member_instance_ids=ids or (A, B), due=due
    )


def combined(*ids: UUID, **changes: object) -> InstancesCombined:
    names = Names(single=len(ids or (A, B)))
    fact = InstancesCombined(
        combination_id=COMBINATION,
        account_id=ACCOUNT,
        instance_id=MERGED,
        instance_name="cas-merge-4",
        member_instance_ids=ids or (A, B),
        brand="digicert",
        certificate_type="OV",
        names=names,
        names_total=names.total,
        refund_waiver=RefundWaiver(
            acknowledged_by="ann", acknowledged_at=NOON, text_sha256=TEXT_SHA256
        ),
        combined_at=NOON,
    )
    return fact.model_copy(update=changes)


def refused(*ids: UUID) -> CombinationRefused:
    return CombinationRefused(
        combination_id=COMBINATION,
        account_id=ACCOUNT,
        member_instance_ids=ids or (A, B),
        objections=(WAIVED,),
    )


def wish(application_id: UUID = APPLICATION, **changes: object) -> ApplicationRequested:
    asked = ApplicationRequested(
        application_id=application_id, account_id=ACCOUNT, instance_id=A, names=Names(single=1)
    )
    return asked.model_copy(update=changes)


def withdrawn(application_id: UUID = APPLICATION) -> ApplicationWithdrawn:
    return ApplicationWithdrawn(application_id=application_id, account_id=ACCOUNT, instance_id=A)


def verification(*parties: str, application_id: UUID = APPLICATION) -> VerificationPending:
    return VerificationPending(
        application_id=application_id,
        account_id=ACCOUNT,
        instance_id=A,
        waiting_on=tuple(
            Waiting.model_validate(
                {
                    "item": f"item-{n}",
                    "party": party,
                    "reason": "a reason",
                    "since": NOON,
                    "next_action": "an action",
                }
            )
            for n, party in enumerate(parties)
        ),
        expected_by=NOON + timedelta(days=7),
    )


def rejected(application_id: UUID = APPLICATION) -> ApplicationRejected:
    return ApplicationRejected(
        application_id=application_id,
        account_id=ACCOUNT,
        instance_id=A,
        objections=(Objection(code="callback_refused", subject="callback", message="no"),),
        support_contact="support@ca.example",
    )


def revoked(certificate_id: UUID = CERTIFICATE) -> CertificateRevoked:
    return CertificateRevoked(
        application_id=APPLICATION,
        account_id=ACCOUNT,
        certificate_id=certificate_id,
        instance_id=A,
        serial_number="f00",
        reason="superseded",
        revoked_at=NOON,
    )


def issued(application_id: UUID = APPLICATION) -> CertificateIssued:
    return CertificateIssued(
        application_id=application_id,
        account_id=ACCOUNT,
        certificate_id=CERTIFICATE,
        instance_id=A,
        brand="digicert",
        certificate_type="OV",
        names=("a.example",),
        serial_number="f00",
        not_before=ISSUED.not_before,
        not_after=ISSUED.not_after,
        sha256_fingerprint="ab",
        certificate_pem="pem",
        chain_pem="pem",
        root_pem="pem",
    )
