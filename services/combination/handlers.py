"""What the combination service does when messages arrive."""

from services.combination import domain, store
from services.combination.domain import RequestCombination
from shared.contracts.inventory import (
    InstanceCreated,
    InstancesReserved,
    ReservationRefused,
    ReservationUnclaimed,
)
from shared.memory import IDS_PER_NAME
from shared.reactions import Shelf, when, when_some
from shared.road import Road

combinations = Shelf(
    domain.Combination,
    store.load_combinations,
    store.save_combinations,
    "combinations",
    weighs=lambda it: 1 + len(it.member_instance_ids) // IDS_PER_NAME,
)

road = Road(
    when(
        RequestCombination,
        combinations,
        about=lambda it: it.combination_id,
        then=domain.request,
        begins=True,
    ),
    when(InstancesReserved, combinations, about=lambda it: it.combination_id, then=domain.conclude),
    when(ReservationRefused, combinations, about=lambda it: it.combination_id, then=domain.give_up),
    when(
        ReservationUnclaimed,
        combinations,
        about=lambda it: it.combination_id,
        then=domain.answer_for,
    ),
    when_some(
        InstanceCreated, combinations, about=lambda it: it.combination_id, then=domain.finish
    ),
    shelves=(combinations,),
)
