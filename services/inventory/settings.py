"""What an operator may choose about the inventory."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from services.inventory.domain.policy import Rulebook, load
from shared import service


def _usable(path: Path | None) -> Path | None:
    try:
        load(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    return path


class Settings(service.Settings):
    """Read from `CERTFOLD_INVENTORY_…`, or `CERTFOLD_…` for all services."""

    service: ClassVar[str] = "inventory"

    rules_file: Annotated[Path | None, AfterValidator(_usable)] = Field(
        None, description="TOML: rules of combining that an operator adds, each with its day"
    )

    @cached_property
    def rulebook(self) -> Rulebook:
        """All rules of combining that hold here."""
        return load(self.rules_file)
