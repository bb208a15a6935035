"""Which kinds of certificate a combination allows, and how much of a refusal is told."""

from itertools import product
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain import reserve
from services.inventory.domain.combining import kinds_of
from services.inventory.domain.holding import MOST_TOLD
from shared.contracts.base import Names
from shared.dnsnames import Name, certificate_kind
from shared.outbox import LARGEST_FACT_BYTES
from tests.inventory import make
from tests.inventory.make import MOMENT


@given(st.builds(Names, single=st.integers(0, 3), wildcard=st.integers(0, 3), ip=st.integers(0, 3)))
def test_kinds_that_are_told_are_those_that_names_within_the_quota_can_make(names) -> None:
    counts = product(range(names.single + 1), range(names.wildcard + 1), range(names.ip + 1))
    possible = {
        certificate_kind(
            [Name("a.com", "single")] * s
            + [Name("*.a.com", "wildcard")] * w
            + [Name("8.8.8.8", "ip")] * i
        )
        for s, w, i in counts
        if s + w + i
    }

    assert set(kinds_of(names)) == possible


def test_refusal_of_a_thousand_hopeless_instances_can_still_be_said() -> None:
    faults = {
        "certificate_type": "EV",
        "brand": "b" * 32,
        "names": Names(single=1, wildcard=1, ip=1),
        "term_years": 9,
        "hosted": True,
        "stage": make.ISSUED,
    }
    ids = [UUID(int=n) for n in range(1, 1001)]
    estate = make.estate(*(make.instance(one, **faults) for one in ids))

    [refused] = reserve(estate, make.request(*ids), MOMENT).facts

    assert len(refused.objections) == MOST_TOLD
    assert len(refused.model_dump_json()) < LARGEST_FACT_BYTES
