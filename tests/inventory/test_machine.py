"""Whatever accounts, shops and the CA do, in whatever order it is heard: what always holds."""

from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from services.combination.domain import Concluded, Refused, RequestCombination
from services.combination.handlers import road as combination
from services.inventory.domain.keeping import RefundContradictedError
from services.inventory.domain.things import Combined, Instance, Reserved, status_of
from shared.contracts.base import Names
from shared.contracts.combination import CombinationRefused, InstancesCombined
from tests.inventory import make
from tests.inventory.make import ACCOUNT
from tests.inventory.network import Network

ARROWS = {
    "pending_application": {"pending_validation", "combined", "refunded"},
    "pending_validation": {"under_review", "pending_application", "validation_failed", "issued"},
    "under_review": {"pending_validation", "pending_application", "validation_failed", "issued"},
    "validation_failed": {"pending_validation", "combined", "refunded"},
    "issued": {"revoked"},
    "revoked": {"refunded"},
    "combined": set(),
    "refunded": set(),
}
NAMES = st.builds(Names, single=st.integers(1, 3), wildcard=st.integers(0, 2))
BOUGHT = 6
PURCHASES = st.sampled_from(["order-7", "order-8"])
NEWS = [make.withdrawn, make.rejected, make.issued, make.verification]


class Inventory(RuleBasedStateMachine):
    """An account, a shop, the CA and two services, with messages under way between them."""

    asked = Bundle("asked")  # applications and their instances

    @initialize(names=NAMES)
    def begin(self, names) -> None:
        self.network = Network()
        self.network.send(make.purchase(names=names, quantity=BOUGHT, auto_create=True))
        self.status: dict[UUID, str] = {}
        self.last = 0

    def new_id(self) -> UUID:
        self.last += 1
        return UUID(int=self.last << 64)

    def some_instance(self, data: st.DataObject) -> UUID:
        return data.draw(st.sampled_from(sorted(self.network.instances)))

    @rule(purchase_id=PURCHASES, names=NAMES, auto_create=st.booleans())
    def buy(self, purchase_id, names, auto_create) -> None:
        if all(one.content.purchase_id != purchase_id for one in self.network.purchases):
            self.network.send(
                make.purchase(
                    purchase_id=purchase_id,
                    names=names,
                    quantity=BOUGHT,
                    auto_create=auto_create,
                )
            )

    @rule(purchase_id=PURCHASES, count=st.integers(1, 3))
    def create(self, purchase_id, count) -> None:
        key = make.purchase(purchase_id=purchase_id).key
        self.network.send(make.creation(purchase=key, purchase_id=purchase_id, count=count))

    @rule(data=st.data(), any_of_them=st.booleans(), steps=st.integers(0, 4))
    def combine(self, data, any_of_them, steps) -> None:
        instances = self.network.instances
        free = [one for one, it in instances.items() if it.stage == make.PENDING and not it.hosted]
        # The newest first: what was combined is often combined again.
        ids = st.sampled_from(
            sorted(free if len(free) > 1 and not any_of_them else instances)[::-1]
        )
        members = tuple(data.draw(st.lists(ids, min_size=2, max_size=3, unique=True)))
        self.network.send(
            RequestCombination(
                combination_id=self.new_id(),
                account_id=ACCOUNT,
                asked_by="ann",
                member_instance_ids=members,
                refund_waiver_acknowledged=True,
            ),
            to=combination,
        )
        for _ in range(steps):
            if lanes := list(self.network.under_way):
                self.network.deliver(lanes[-1])

    @rule(target=asked, data=st.data())
    def apply(self, data) -> tuple[UUID, UUID]:
        application, instance = self.new_id(), self.some_instance(data)
        self.network.send(make.wish(application, instance_id=instance))
        return application, instance

    @rule(application=asked, news=st.sampled_from(NEWS), party=st.sampled_from(["ca", "dns"]))
    def hear_of_application(self, application, news, party) -> None:
        of = {"application_id": application[0]}
        told = news(party, **of) if news is make.verification else news(**of)
        update = {"instance_id": application[1]}
        if news is make.issued:
            update["certificate_id"] = application[0]
        self.network.send(told.model_copy(update=update))

    @rule(application=asked)
    def revoke(self, application) -> None:
        told = make.revoked(certificate_id=application[0])
        self.network.send(told.model_copy(update={"instance_id": application[1]}))

    @rule(data=st.data())
    def refund(self, data) -> None:
        self.network.send(make.refund(self.some_instance(data)))

    @rule(purchase_id=PURCHASES, count=st.integers(1, 2))
    def refund_quota(self, purchase_id, count) -> None:
        key = make.purchase(purchase_id=purchase_id).key
        asked = make.quota_refund(purchase=key, purchase_id=purchase_id, count=count)
        self.network.send(asked)

    @rule(data=st.data(), purchase_id=PURCHASES, count=st.integers(0, 2))
    def shop_pays_back(self, data, purchase_id, count) -> None:
        told = make.paid_back(self.some_instance(data), count=count)
        self.network.send(told.model_copy(update={"purchase_id": purchase_id}))

    @rule(data=st.data(), hosted=st.booleans())
    def host(self, data, hosted) -> None:
        self.network.send(make.hosting(self.some_instance(data), hosted=hosted))

    @rule(data=st.data())
    def deliver(self, data) -> None:
        if lanes := list(self.network.under_way):
            self.network.deliver(lanes[data.draw(st.integers(0, len(lanes) - 1))])

    @rule(data=st.data())
    def redeliver(self, data) -> None:
        if before := self.network.delivered:
            self.network.redeliver(*before[data.draw(st.integers(0, len(before) - 1))])

    @rule(data=st.data())
    def let_a_timer_end(self, data) -> None:
        if timers := self.network.timers:
            self.network.fire(timers[data.draw(st.integers(0, len(timers) - 1))])

    @invariant()
    def quota_is_conserved(self) -> None:
        instances = self.network.instances.values()
        for purchase in self.network.purchases:
            of_it = [one for one in instances if one.purchase_id == purchase.content.purchase_id]
            assert len(of_it) == purchase.created
            assert purchase.created + purchase.refunded + purchase.remaining == BOUGHT
            assert purchase.remaining >= 0

    @invariant()
    def names_are_conserved(self) -> None:
        instances = self.network.instances
        for one in (one for one in instances.values() if one.member_ids):
            members = [instances[member] for member in one.member_ids]
            assert one.names == sum((member.names for member in members), Names())
            assert all(into(member) == one.id for member in members)

    @invariant()
    def no_instance_is_in_two_combinations(self) -> None:
        instances = self.network.instances.values()
        members = [member for one in instances for member in one.member_ids]
        assert len(members) == len(set(members))
        assert {one.id for one in instances if into(one)} == set(members)

    @invariant()
    def status_moves_along_the_arrows_only(self) -> None:
        for one in self.network.instances.values():
            status = status_of(one.stage)
            before = self.status.setdefault(one.id, "pending_application")
            assert status == before or status in ARROWS[before], (before, status)
            self.status[one.id] = status

    @invariant()
    def only_a_shop_that_contradicts_itself_needs_a_person(self) -> None:
        assert {type(one) for one in self.network.parked} <= {RefundContradictedError}

    def teardown(self) -> None:
        self.network.settle()
        for one in self.network.instances.values():
            assert not isinstance(one.stage, Reserved)
        for one in self.network.combinations:
            ends = {type(fact) for fact in self.network.said if is_end(fact, one.id)}
            match one.stage:
                case Concluded(instance_id, is_open=True):
                    assert ends == {InstancesCombined}
                    assert self.network.instances[instance_id].member_ids
                case Refused():
                    assert ends == {CombinationRefused}
                case unfinished:
                    raise AssertionError(unfinished)


def into(one: Instance) -> UUID | None:
    return one.stage.into if isinstance(one.stage, Combined) else None


def is_end(fact: object, combination_id: UUID) -> bool:
    ends = InstancesCombined | CombinationRefused
    return isinstance(fact, ends) and fact.combination_id == combination_id


TestInventory = Inventory.TestCase
