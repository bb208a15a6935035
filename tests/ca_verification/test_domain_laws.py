"""What holds of every story of an application at the CA, however it is told."""

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ca_verification.domain.messages import RemindApplicant
from services.ca_verification.domain.tasks import collectors
from services.ca_verification.domain.things import Application
from services.ca_verification.domain.waiting import waiting_on
from services.ca_verification.handlers import road
from shared.contracts.base import Event, Message
from shared.contracts.ca_verification import CertificateIssued, VerificationPending, Waiting
from shared.reactions import World
from shared.replacing import replace
from tests.ca_verification import make
from tests.ca_verification.make import APPLICATION, MOMENT, NAMES
from tests.shared.make import NOON, chance, fold, heard

# Tasks get their ids from the message that opens them: the first of every story.
FIRST = replace(MOMENT, now=NOON, cause=UUID(int=1000))
TASKS = [FIRST.new_id(n) for n in range(4)]

NEWS = (
    st.builds(
        make.looked,
        st.sampled_from(NAMES),
        st.sampled_from([None, "gone", "SERVFAIL"]),
        on_request=st.booleans(),
    )
    | st.builds(make.look_now, st.sampled_from(NAMES))
    | st.builds(
        make.verdict,
        st.sampled_from(TASKS),
        st.sampled_from(["confirm"] * 5 + ["postpone", "refuse"]),
        note=st.sampled_from(["", "why"]),
        decided_by=st.sampled_from(["olga", "rita"]),
    )
    | st.builds(make.DROP.model_copy, update=st.builds(dict, name=st.sampled_from(NAMES)))
    | st.sampled_from([make.SIGNED, make.NOT_LINTED, make.TRY_AGAIN, make.OUTDATED, make.REVOKE])
    | st.sampled_from([make.REMINDER, make.WITHDRAW])
)


@st.composite
def stories(draw: st.DrawFn) -> tuple[Message, ...]:
    """Tell of an application that goes well for a while; then anything may happen."""
    kind = draw(st.sampled_from(["DV", "OV", "EV"]))
    *officers, reviewer = [make.verdict(one) for one in TASKS]
    tasks = {"DV": [], "OV": officers[:2], "EV": [*officers, reviewer]}[kind]
    well = [*map(make.looked, NAMES), *tasks, make.SIGNED]
    well = [
        one.model_copy(update={"decided_by": "rita"}) if one == reviewer else one for one in well
    ]
    far = draw(st.integers(0, len(well)))
    return (make.submitted(kind), *well[:far], *draw(st.lists(NEWS, max_size=15)))


APPLICATION_HERE = (Application, APPLICATION)


def hear(world: World, message: Message, n: int) -> list[Event]:
    """Go one step down the road, and return what is said there."""
    said = road.fold(world, [heard(message, n)], NOON, draw=chance()).said
    return [fact for _, fact, *_ in said]


def waits_on(world: World) -> tuple[Waiting, ...]:
    return tuple(waiting_on(world[APPLICATION_HERE])) if world else ()


@settings(deadline=None)
@given(stories())
def test_what_it_waits_on_is_said_exactly_when_it_changes_and_as_it_is(story) -> None:
    world: World = {}

    for n, message in enumerate(story):
        before = waits_on(world)
        facts = hear(world, message, n)
        after = waits_on(world)
        said = [one.waiting_on for one in facts if isinstance(one, VerificationPending)]
        reminded = isinstance(message, RemindApplicant) and after != ()
        assert said == ([after] if after not in (before, ()) or reminded else [])
        assert world[APPLICATION_HERE].told == after


@settings(deadline=None)
@given(stories())
def test_one_certificate_at_most_is_issued_and_everything_is_verified_by_then(story) -> None:
    world: World = {}

    facts = [fact for n, message in enumerate(story) for fact in hear(world, message, n)]

    issued = [one for one in facts if isinstance(one, CertificateIssued)]
    assert len(issued) <= 1
    if issued:
        application = world[APPLICATION_HERE]
        assert all(one.valid or one.dropped for one in application.names)
        assert all(one.outcome.confirmed for one in application.tasks)
        reviewers = [one.outcome.by for one in application.tasks if one.item == "final_review"]
        assert not collectors(application) & set(reviewers)


@settings(deadline=None)
@given(stories(), st.data())
def test_cutting_a_batch_changes_nothing(story, data) -> None:
    batch = [heard(message, n) for n, message in enumerate(story)]
    cut = data.draw(st.integers(0, len(batch)))

    whole = fold(road, batch)

    assert fold(road, batch[:cut], batch[cut:]) == whole
    assert whole.world.keys() == {APPLICATION_HERE}
