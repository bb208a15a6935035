"""What the inventory does when messages arrive."""

from services.inventory import domain, store
from services.inventory.domain import CreateInstances
from services.inventory.domain.things import Instance, Purchase
from shared.contracts.application import ApplicationRequested, ApplicationWithdrawn
from shared.contracts.ca_verification import (
    ApplicationRejected,
    CertificateIssued,
    VerificationPending,
)
from shared.contracts.combination import CombinationRequested, InstancesCombined
from shared.contracts.purchases import PurchaseCompleted
from shared.road import Road, Shelf, when, when_all

purchases = Shelf(Purchase, store.load_purchases, store.save_purchases)
instances = Shelf(Instance, store.load_instances, store.save_instances)

road = Road(
    when(
        PurchaseCompleted,
        purchases,
        about=lambda it: it.key,
        then=domain.receive,
        weighs=lambda it: it.quantity if it.auto_create else 1,
    ),
    when(
        CreateInstances,
        purchases,
        about=lambda it: it.purchase,
        then=domain.create,
        weighs=lambda it: it.count,
    ),
    when_all(
        CombinationRequested,
        instances,
        about=lambda it: it.member_instance_ids,
        then=domain.reserve,
    ),
    when_all(
        InstancesCombined,
        instances,
        about=lambda it: (*it.member_instance_ids, it.instance_id),
        then=domain.combine,
    ),
    when(ApplicationRequested, instances, about=lambda it: it.instance_id, then=domain.claim),
    when(ApplicationWithdrawn, instances, about=lambda it: it.instance_id, then=domain.release),
    when(VerificationPending, instances, about=lambda it: it.instance_id, then=domain.review),
    when(ApplicationRejected, instances, about=lambda it: it.instance_id, then=domain.fail),
    when(CertificateIssued, instances, about=lambda it: it.instance_id, then=domain.issue),
    shelves=(purchases, instances),
)
