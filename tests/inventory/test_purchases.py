"""From a purchase to quota, and from quota to instances."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain import PurchaseContradictedError, create, receive
from services.inventory.domain.things import Instance, Purchase
from services.inventory.views import quota
from shared.contracts.base import Names, Objection
from shared.contracts.inventory import CreationRefused, InstanceCreated, InstancesPurchased
from shared.contracts.purchases import Price
from shared.decision import Decision
from tests.inventory import make
from tests.inventory.make import ACCOUNT, LOT, MOMENT, NOON


def test_purchase_becomes_quota_and_no_instance() -> None:
    bought = make.purchase()

    assert receive(None, None, bought, MOMENT) == Decision(
        changed=(Purchase(bought.key, bought, created=0),),
        facts=(
            InstancesPurchased(
                purchase_id="order-7",
                account_id=ACCOUNT,
                brand="digicert",
                certificate_type="OV",
                names=Names(single=1),
                quantity=2,
                term_years=1,
                price=bought.price,
                paid_at=NOON,
            ),
        ),
    )


def test_purchase_becomes_instances_at_once_where_the_account_wants_that() -> None:
    decision = receive(None, None, make.purchase(auto_create=True), MOMENT)

    kept, *instances = decision.changed
    assert kept == make.quota(created=2, auto_create=True)
    assert [type(fact) for fact in decision.facts] == [
        InstancesPurchased,
        InstanceCreated,
        InstanceCreated,
    ]
    assert [fact.instance_id for fact in decision.facts[1:]] == [it.id for it in instances]


def test_purchase_that_is_told_twice_changes_nothing() -> None:
    assert receive(make.quota(created=1), None, make.purchase(), MOMENT) == Decision()


@pytest.mark.parametrize(
    ("other", "differing"),
    [
        pytest.param({"quantity": 3, "brand": "cfca"}, "brand, quantity", id="two fields"),
        pytest.param({"account_id": "rival"}, "account_id", id="another account"),
        pytest.param({"price": Price(amount="1", currency="CNY")}, "price", id="price"),
        pytest.param({"auto_create": True}, "auto_create", id="auto_create"),
    ],
)
def test_purchase_that_is_told_differently_needs_a_person_who_is_told_the_difference(
    other, differing
) -> None:
    told = f"^purchase order-7 of /shop came before with another {differing}$"

    with pytest.raises(PurchaseContradictedError, match=told):
        receive(make.quota(), None, make.purchase(**other), MOMENT)


def test_same_money_and_brand_written_otherwise_are_no_contradiction() -> None:
    again = make.purchase(price=Price(amount="298.0", currency="CNY"), brand="DigiCert")

    assert receive(make.quota(), None, again, MOMENT) == Decision()


def test_same_id_from_another_shop_is_another_purchase() -> None:
    assert make.purchase().key != make.purchase(source="/other-shop").key


def test_instances_are_made_of_quota_and_shown_as_pending_application() -> None:
    decision = create(make.quota(), make.creation(), MOMENT)

    instance_id = MOMENT.new_id()
    made = make.instance(instance_id, name=f"cas-{instance_id.hex[-12:]}", lot_id=LOT)
    assert decision == Decision(
        changed=(make.quota(created=1), made),
        facts=(
            InstanceCreated(
                account_id=ACCOUNT,
                instance_id=instance_id,
                instance_name=made.name,
                purchase_id="order-7",
                brand="digicert",
                certificate_type="OV",
                names=Names(single=1),
                names_total=1,
                term_years=1,
            ),
        ),
    )


def test_quota_shows_what_remains() -> None:
    shown = quota(make.quota(created=1))

    assert (shown.quantity, shown.remaining) == (2, 1)


UNKNOWN = Objection(code="unknown", subject="order-7", message="there is no such purchase")
TOO_MANY = Objection(code="quota_exceeded", subject="count", message="2 are asked for, 1 remain")
OTHER_TERM = Objection(
    code="term_not_bought", subject="term_years", message="2 years are asked for, 1 were bought"
)


@pytest.mark.parametrize(
    ("purchase", "asked", "objections"),
    [
        pytest.param(None, {}, (UNKNOWN,), id="unknown"),
        pytest.param(make.quota(account_id="rival"), {}, (UNKNOWN,), id="another account's"),
        pytest.param(make.quota(created=1), {"count": 2}, (TOO_MANY,), id="too many"),
        pytest.param(make.quota(), {"term_years": 2}, (OTHER_TERM,), id="another term"),
        pytest.param(
            make.quota(created=1),
            {"count": 2, "term_years": 2},
            (TOO_MANY, OTHER_TERM),
            id="all at once",
        ),
    ],
)
def test_what_the_quota_does_not_hold_is_refused_and_nothing_made(
    purchase, asked, objections
) -> None:
    assert create(purchase, make.creation(**asked), MOMENT) == Decision(
        facts=(CreationRefused(account_id=ACCOUNT, purchase_id="order-7", objections=objections),)
    )


@given(st.integers(1, 30), st.lists(st.integers(1, 12)))
def test_no_more_instances_are_ever_made_than_were_bought(quantity, counts) -> None:
    purchase, made = make.quota(quantity=quantity), 0

    for count in counts:
        for thing in create(purchase, make.creation(count=count), MOMENT).changed:
            purchase = thing if isinstance(thing, Purchase) else purchase
            made += isinstance(thing, Instance)

    assert purchase.created == made <= quantity
