"""Two replicas on a real PostgreSQL, statement by statement in drawn orders: as if one by one."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4, uuid5

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from services.inventory import store
from services.inventory.domain.things import Instance, Reserved
from services.inventory.handlers import road
from shared.clock import utc_now
from shared.contracts.base import Command, Event, Message, Names
from shared.postgres import Postgres
from shared.traffic import Traffic
from tests.inventory import make
from tests.inventory.conftest import hear
from tests.inventory.test_interleaved import LONGEST, interleaved
from tests.shared.make import fold, heard
from tests.shared.stored import stored

MEMBERS = 4
FEW = settings(
    max_examples=12,
    stateful_step_count=8,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # each race takes real turns: shrinking would take an hour
    suppress_health_check=[HealthCheck.too_slow],
)
TURNS = st.lists(st.integers(0, 1), min_size=LONGEST, max_size=LONGEST)

Seen = Mapping[UUID, object]


class Replicas(RuleBasedStateMachine):
    """Some instances, and whatever may be asked about them; two replicas hear it at once."""

    dsn: str

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()

    def teardown(self) -> None:
        self.loop.close()

    @initialize()
    def own(self) -> None:
        self.ids = [uuid4() for _ in range(MEMBERS)]
        self.combinations: dict[UUID, tuple[UUID, ...]] = {}
        self.ended: set[UUID] = set()
        self.applications: dict[UUID, UUID] = {}
        self.now = {one: make.instance(one, paid_at=utc_now()) for one in self.ids}
        self.loop.run_until_complete(self.save(list(self.now.values())))

    def deed(self, data: st.DataObject) -> Message:
        """Draw what somebody asks, or what another service says of what was asked before."""
        some = st.sampled_from(self.ids)
        deeds: list[Callable[[], Message]] = [
            lambda: self.combine(data.draw(st.lists(some, min_size=2, max_size=3, unique=True))),
            lambda: self.apply(data.draw(some)),
            lambda: make.refund(data.draw(some)),
            lambda: make.hosting(data.draw(some), hosted=data.draw(st.booleans())),
        ]
        if open_ := [one for one in self.combinations if self.is_open(one)]:
            asked = st.sampled_from(sorted(open_))
            deeds += [
                lambda: self.conclude(data.draw(asked)),
                lambda: self.let_go(data.draw(asked)),
            ]
        if self.applications:
            asked_for = st.sampled_from(sorted(self.applications))
            deeds += [
                lambda: self.about(make.withdrawn, data.draw(asked_for)),
                lambda: self.about(make.rejected, data.draw(asked_for)),
            ]
        return data.draw(st.sampled_from(deeds))()

    def is_open(self, combination_id: UUID) -> bool:
        """Say whether the instances are promised, so that its service has a verdict to tell."""
        held = [self.now[one] for one in self.combinations[combination_id]]
        return combination_id not in self.ended and all(
            isinstance(one.stage, Reserved) and holder(one) == combination_id for one in held
        )

    def combine(self, members: Sequence[UUID]) -> Message:
        combination_id = uuid4()
        self.combinations[combination_id] = tuple(members)
        return make.request(*members, combination_id=combination_id)

    def conclude(self, combination_id: UUID) -> Message:
        self.ended.add(combination_id)
        members = self.combinations[combination_id]
        names = Names(single=len(members))
        return make.combined(
            *members,
            combination_id=combination_id,
            instance_id=uuid5(combination_id, "cas-merge"),
            names=names,
            names_total=names.total,
        )

    def let_go(self, combination_id: UUID) -> Message:
        self.ended.add(combination_id)
        refused = make.refused(*self.combinations[combination_id])
        return refused.model_copy(update={"combination_id": combination_id})

    def apply(self, instance_id: UUID) -> Message:
        application_id = uuid4()
        self.applications[application_id] = instance_id
        return make.wish(application_id, instance_id=instance_id)

    def about(self, end: Callable[[UUID], Any], application_id: UUID) -> Message:
        its = {"instance_id": self.applications[application_id]}
        ended: Message = end(application_id).model_copy(update=its)
        return ended

    @rule(data=st.data(), turns=TURNS)
    def race(self, data: st.DataObject, turns: list[int]) -> None:
        """Whatever the order of their statements, it comes to one of the two orders of deeds."""
        one, other = self.deed(data), self.deed(data)
        before = self.now
        told = self.loop.run_until_complete(self.told())

        self.loop.run_until_complete(
            interleaved(self.dsn, turns, self.saying(one), self.saying(other))
        )

        self.now = after = self.loop.run_until_complete(self.look())
        serial = [one_by_one(before, one, other), one_by_one(before, other, one)]
        assert shown(after) in [seen for seen, _ in serial]
        said = self.loop.run_until_complete(self.told()) - told
        assert said in [count for seen, count in serial if seen == shown(after)]
        for combination_id, members in self.combinations.items():
            held = [one for one in members if holder(after[one]) == combination_id]
            assert held in ([], list(members))  # nothing is half done

    def saying(self, message: Message) -> Callable[[Traffic], Any]:
        command_id = uuid4()
        if isinstance(message, Event):
            return lambda replica: hear(replica, message, ce_id=str(command_id))
        assert isinstance(message, Command)
        return lambda replica: replica.ask(message, command_id)

    async def save(self, instances: Sequence[Instance]) -> None:
        async with Postgres(self.dsn) as postgres, postgres.transaction() as tx:
            await stored(tx, store.save_instances, instances)

    async def look(self) -> dict[UUID, Instance]:
        async with Postgres(self.dsn) as postgres, postgres.transaction() as tx:
            return await store.find_instances(tx, self.ids)

    async def told(self) -> int:
        async with Postgres(self.dsn) as postgres, postgres.transaction() as tx:
            return int(await tx.fetchval("SELECT count(*) FROM outbox"))


def one_by_one(before: Mapping[UUID, Instance], *messages: Message) -> tuple[Seen, int]:
    """Return what is shown after one deed and then the other, and how much is said of it."""
    world = {(Instance, its_id): one for its_id, one in before.items()}
    batch = [heard(message, n) for n, message in enumerate(messages)]
    folded = fold(road, batch, world=world)
    assert folded.parked == []
    after = {its_id: folded.world[Instance, its_id] for its_id in before}
    return shown(after), len(folded.said)


def shown(instances: Mapping[UUID, Any]) -> Seen:
    """Return what deeds can change, but for new ids and moments."""
    return {its_id: (type(one.stage), holder(one), one.hosted) for its_id, one in instances.items()}


def holder(instance: Any) -> UUID | None:
    """Return the combination or application that has the instance."""
    stage = instance.stage
    return getattr(stage, "combination_id", None) or getattr(stage, "application_id", None)


def test_two_replicas_leave_what_one_would_leave(inventory_dsn: str) -> None:
    Replicas.dsn = inventory_dsn
    run_state_machine_as_test(Replicas, settings=FEW)
