"""Applications obey the road's law: cut a batch anywhere, and the same is left to be done."""

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.application.handlers import road
from tests.application import make
from tests.shared.make import fold, heard

MESSAGES = st.lists(
    st.sampled_from(
        [
            make.wish(),
            make.wish(form=make.PASTED),
            make.wish(form=make.PASTED, application_id=UUID(int=91), instance_id=UUID(int=2)),
            make.CLAIM,
            make.CLAIM_REFUSED,
            make.KEY_MADE,
            make.PENDING,
            make.CHECKED,
            make.REJECTED,
            make.BACK,
            make.GRANTED,
            make.NOT_GRANTED,
            make.shown("under_review"),
            make.ISSUED,
            make.DROP,
            make.DROP_GRANTED,
            make.DROP_REFUSED,
            make.REVOKE,
            make.REVOKED,
            make.NOT_REVOKED,
            make.LOOK,
            make.seen("serving"),
            make.seen("unreachable", name="b.example"),
        ]
    ),
    max_size=20,
)
# Most stories end before they begin: these go as far as a certificate.
FAR = [make.wish(), make.CLAIM, make.KEY_MADE, make.PENDING, make.ISSUED]


@settings(deadline=None)
@given(st.integers(0, len(FAR)), MESSAGES, st.data())
def test_cutting_a_batch_changes_nothing(far, messages, data) -> None:
    batch = [heard(message, n) for n, message in enumerate([*FAR[:far], *messages])]
    cut = data.draw(st.integers(0, len(batch)))

    assert fold(road, batch[:cut], batch[cut:]) == fold(road, batch)
