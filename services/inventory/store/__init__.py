"""What the inventory remembers: all of its SQL, each statement for a whole batch."""

from services.inventory.store.history import (
    add_history,
    list_history,
)
from services.inventory.store.instances import (
    find_instances,
    list_combinable,
    list_instances,
    list_lot,
    load_instances,
    save_instances,
)
from services.inventory.store.purchases import (
    find_account,
    find_purchases,
    list_quota,
    load_accounts,
    load_purchases,
    save_accounts,
    save_purchases,
)

__all__ = [
    "add_history",
    "find_account",
    "find_instances",
    "find_purchases",
    "list_combinable",
    "list_history",
    "list_instances",
    "list_lot",
    "list_quota",
    "load_accounts",
    "load_instances",
    "load_purchases",
    "save_accounts",
    "save_instances",
    "save_purchases",
]
