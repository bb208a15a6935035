"""Quota that becomes instances by itself: for one purchase, or for an account; at most once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain import receive, set_auto_create
from services.inventory.domain.things import Account, Instance, Purchase, account_key
from services.inventory.handlers import road
from shared.contracts.inventory import AccountChanged
from shared.decision import Decision
from tests.inventory import make
from tests.inventory.make import ACCOUNT, MOMENT
from tests.shared.make import fold, heard

KEY = account_key(ACCOUNT)
WANTS, WANTS_NOT = Account(KEY, ACCOUNT, auto_create=True), Account(KEY, ACCOUNT)


@pytest.mark.parametrize(
    ("account", "of_the_purchase", "made"),
    [
        (None, False, 0),
        (WANTS_NOT, False, 0),
        (None, True, 2),
        (WANTS_NOT, True, 2),
        (WANTS, False, 2),
        (WANTS, True, 2),
    ],
)
def test_either_the_purchase_or_the_account_may_want_it(account, of_the_purchase, made) -> None:
    decision = receive(None, account, make.purchase(auto_create=of_the_purchase), MOMENT)

    kept, *instances = decision.changed
    assert isinstance(kept, Purchase)
    assert (kept.created, kept.remaining) == (made, 2 - made)
    assert [type(one) for one in instances] == [Instance] * made


def test_account_that_changes_its_mind_says_so_once() -> None:
    asked = make.auto_create()

    decision = set_auto_create(None, asked, MOMENT)

    assert decision == Decision((WANTS,), (AccountChanged(account_id=ACCOUNT, auto_create=True),))
    assert set_auto_create(WANTS, asked, MOMENT) == Decision()


def test_what_was_bought_before_stays_quota() -> None:
    bought = make.purchase()

    told = fold(road, [heard(bought, 0), heard(make.auto_create(), 1), heard(bought, 2)])

    assert told.world[Purchase, bought.key].created == 0


@given(
    st.lists(
        st.builds(make.auto_create, auto_create=st.booleans())
        | st.builds(make.purchase, purchase_id=st.sampled_from(["order-7", "order-8"])),
        max_size=12,
    )
)
def test_each_purchase_becomes_instances_at_most_once_however_often_it_is_told(story) -> None:
    world = fold(road, [heard(message, n) for n, message in enumerate(story)]).world

    instances = [one for one in world.values() if isinstance(one, Instance)]
    for purchase in (one for one in world.values() if isinstance(one, Purchase)):
        made = [one for one in instances if one.purchase_id == purchase.content.purchase_id]
        assert len(made) == purchase.created
        assert purchase.created in {0, purchase.content.quantity}
