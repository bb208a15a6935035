"""What the inventory is asked, and what it has to remember to do."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.base import Command, Errand, Text

Tag = Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]


class CreateInstances(Command):
    """Make instances of what was bought: *Apply for Certificate* above the list."""

    lot_id: UUID
    purchase: UUID
    purchase_id: str
    account_id: str
    count: Annotated[int, Field(ge=1, le=10_000)]
    term_years: int


class RefundQuota(Command):
    """Give back what was bought and never became an instance."""

    purchase: UUID
    purchase_id: str
    account_id: str
    count: Annotated[int, Field(ge=1, le=10_000)]


class RefundInstance(Command):
    """Give an instance back."""

    instance_id: UUID
    account_id: str


class SetHosting(Command):
    """Have an instance renewed automatically, or no longer."""

    instance_id: UUID
    account_id: str
    hosted: bool


class AnnotateInstance(Command):
    """Write something on an instance; what is None stays as it is."""

    instance_id: UUID
    account_id: str
    remark: Annotated[Text, Field(max_length=500)] | None = None
    tags: Annotated[tuple[Tag, ...], Field(max_length=20)] | None = None


class SetAutoCreate(Command):
    """Have every purchase of an account become instances at once, or no longer."""

    key: UUID
    account_id: str
    auto_create: bool


class EndReservation(Errand):
    """A reservation has stood for long: ask what has become of it."""

    about: ClassVar[str] = "combination_id"

    combination_id: UUID
    account_id: str
    member_instance_ids: tuple[UUID, ...]
