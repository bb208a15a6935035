"""What an operator may choose about the inventory."""

from typing import ClassVar

from shared import service


class Settings(service.Settings):
    """Read from `CERTFOLD_INVENTORY_…`, or `CERTFOLD_…` for all services."""

    service: ClassVar[str] = "inventory"
