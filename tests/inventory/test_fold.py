"""The inventory obeys the road's law: cut a batch anywhere, and the outcome is the same."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain.things import Instance
from services.inventory.handlers import road
from tests.inventory import make
from tests.inventory.make import MERGED, A, B, C
from tests.shared.make import fold, heard

WORLD = {(Instance, one): make.instance(one) for one in (A, B, C)}
IDS = st.sampled_from([A, B, C, MERGED])
MEMBERS = st.sampled_from([(A, B), (B, C), (A, MERGED), (A, A)])
COMBINATIONS = st.sampled_from([make.COMBINATION, make.OTHER_COMBINATION])
APPLICATIONS = st.sampled_from([make.APPLICATION, make.OTHER_APPLICATION])


def story(members: tuple[UUID, ...], combination_id: UUID, *, asked: bool) -> object:
    if asked:
        return make.request(*members, combination_id=combination_id)
    result = UUID(int=combination_id.int - make.COMBINATION.int + MERGED.int)
    return make.combined(*members, combination_id=combination_id, instance_id=result)


MESSAGES = st.lists(
    st.builds(make.purchase, quantity=st.integers(1, 2), auto_create=st.booleans())
    | st.builds(make.creation, count=st.integers(1, 3))
    | st.builds(story, MEMBERS, COMBINATIONS, asked=st.booleans())
    | st.builds(make.wish, APPLICATIONS, instance_id=IDS)
    | st.builds(make.withdrawn, APPLICATIONS)
    | st.builds(make.verification, st.sampled_from(["ca", "dns"]), application_id=APPLICATIONS)
    | st.builds(make.rejected, APPLICATIONS)
    | st.builds(make.issued, APPLICATIONS),
    max_size=20,
)


@given(MESSAGES, st.data())
def test_cutting_a_batch_changes_nothing(messages, data) -> None:
    batch = [heard(message, n) for n, message in enumerate(messages)]
    cut = data.draw(st.integers(0, len(batch)))

    whole = fold(road, batch, world=WORLD)

    assert fold(road, batch[:cut], batch[cut:], world=WORLD) == whole


def test_purchase_weighs_as_much_as_is_made_of_it() -> None:
    lots = make.purchase(quantity=900)

    assert road.weight(heard(lots, 0)) == 900  # the account may want all of it at once
    assert road.weight(heard(lots.model_copy(update={"auto_create": True}), 0)) == 900
    assert road.weight(heard(make.creation(count=7), 0)) == 7
    assert road.weight(heard(make.combined(), 0)) == 3
