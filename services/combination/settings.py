"""What an operator may choose about the combination service."""

from typing import ClassVar

from shared import service


class Settings(service.Settings):
    """Read from `CERTFOLD_COMBINATION_…`, or `CERTFOLD_…` for all services."""

    service: ClassVar[str] = "combination"
