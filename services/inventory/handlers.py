"""What the inventory does when messages arrive."""

from functools import partial

from services.inventory import domain, store
from services.inventory.domain.messages import (
    AnnotateInstance,
    CreateInstances,
    EndReservation,
    RefundInstance,
    RefundQuota,
    SetAutoCreate,
    SetHosting,
)
from services.inventory.domain.policy import BUILT_IN, Rulebook
from services.inventory.domain.things import Account, Instance, Purchase, account_key
from shared.contracts.application import ApplicationRequested, ApplicationWithdrawn
from shared.contracts.ca_verification import (
    ApplicationRejected,
    CertificateIssued,
    CertificateRevoked,
    VerificationPending,
)
from shared.contracts.combination import (
    CombinationRefused,
    CombinationRequested,
    InstancesCombined,
)
from shared.contracts.purchases import PurchaseCompleted, PurchaseRefunded
from shared.memory import IDS_PER_NAME
from shared.reactions import Reaction, Shelf, when, when_all, when_beside, when_beside_all
from shared.road import Road

accounts = Shelf(Account, store.load_accounts, store.save_accounts, "accounts")
purchases = Shelf(
    Purchase,
    store.load_purchases,
    store.save_purchases,
    "purchases",
    weighs=lambda it: 1 + len(it.heard) // IDS_PER_NAME,
)
instances = Shelf(
    Instance,
    store.load_instances,
    store.save_instances,
    "instances",
    weighs=lambda it: 1 + len((*it.member_ids, *it.decided)) // IDS_PER_NAME,
)


def make_road(rulebook: Rulebook) -> Road:
    """Lay the road of an inventory that judges by these rules."""
    return Road(
        *_of_owners(rulebook),
        *_of_holders(rulebook),
        shelves=(accounts, purchases, instances),
        journal=store.add_history,
    )


def _of_owners(rulebook: Rulebook) -> tuple[Reaction, ...]:
    """React to shops, and to what an account asks for what it has bought."""
    return (
        when_beside(
            PurchaseCompleted,
            purchases,
            accounts,
            about=lambda it: it.key,
            beside=lambda it: account_key(it.account_id),
            then=domain.receive,
            weighs=lambda it: it.quantity,  # an account may want all of it at once
            begins=True,
            rarely_beside=True,  # hardly any account has chosen anything
        ),
        when_beside_all(
            PurchaseRefunded,
            purchases,
            instances,
            about=lambda it: it.key,
            beside=lambda it: it.instance_ids,
            then=domain.note_refund,
        ),
        when(SetAutoCreate, accounts, about=lambda it: it.key, then=domain.set_auto_create),
        when(
            CreateInstances,
            purchases,
            about=lambda it: it.purchase,
            then=domain.create,
            weighs=lambda it: it.count,
        ),
        when(
            RefundQuota,
            purchases,
            about=lambda it: it.purchase,
            then=partial(domain.refund_quota, rulebook=rulebook),
        ),
        when(
            RefundInstance,
            instances,
            about=lambda it: it.instance_id,
            then=partial(domain.refund, rulebook=rulebook),
        ),
        when(SetHosting, instances, about=lambda it: it.instance_id, then=domain.set_hosting),
        when(AnnotateInstance, instances, about=lambda it: it.instance_id, then=domain.annotate),
    )


def _of_holders(rulebook: Rulebook) -> tuple[Reaction, ...]:
    """React to combinations and applications, which hold instances."""
    return (
        when_all(
            CombinationRequested,
            instances,
            about=lambda it: it.member_instance_ids,
            then=partial(domain.reserve, rulebook=rulebook),
        ),
        when_all(
            EndReservation,
            instances,
            about=lambda it: it.member_instance_ids,
            then=domain.ask_after,
        ),
        when_all(
            CombinationRefused,
            instances,
            about=lambda it: it.member_instance_ids,
            then=domain.let_go,
        ),
        when_all(
            InstancesCombined,
            instances,
            about=lambda it: (*it.member_instance_ids, it.instance_id),
            then=domain.combine,
            new=lambda it: (it.instance_id,),
        ),
        when(
            ApplicationRequested,
            instances,
            about=lambda it: it.instance_id,
            then=partial(domain.claim, rulebook=rulebook),
        ),
        when(ApplicationWithdrawn, instances, about=lambda it: it.instance_id, then=domain.release),
        when(VerificationPending, instances, about=lambda it: it.instance_id, then=domain.review),
        when(ApplicationRejected, instances, about=lambda it: it.instance_id, then=domain.fail),
        when(CertificateIssued, instances, about=lambda it: it.instance_id, then=domain.issue),
        when(CertificateRevoked, instances, about=lambda it: it.instance_id, then=domain.revoke),
    )


road = make_road(BUILT_IN)
