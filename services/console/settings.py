"""What an operator may choose about the console."""

import json
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_settings import NoDecode

from services.console.domain import Role, objections
from shared import service
from shared.contracts.base import ForeignId, Text

SHORTEST_TOKEN = 32


Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+$")]
Page = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]


class Listed(BaseModel):
    """One entry of the file of people: {"name", "role", "account_id", "token"}."""

    name: Annotated[Text, Field(min_length=1, max_length=64)]
    role: Role
    account_id: ForeignId | None = None
    token: Annotated[str, Field(min_length=SHORTEST_TOKEN, max_length=255, repr=False)]

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if found := [one.message for one in objections(self.role, self.account_id)]:
            raise ValueError("; ".join(found))
        return self


def _readable(path: Path | None) -> Path | None:
    if path is not None:
        read_people(path)
    return path


def read_people(path: Path) -> tuple[Listed, ...]:
    """Read the file of people; what is wrong with it is told without showing a token."""
    try:
        people = TypeAdapter(tuple[Listed, ...]).validate_json(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors())
        raise ValueError(f"{path}: {'; '.join(faults)}") from None
    for what in ("name", "token"):
        if len({getattr(one, what) for one in people}) < len(people):
            raise ValueError(f"{path}: two people have the same {what}")
    return people


def _from_json(given: object) -> object:
    return json.loads(given) if isinstance(given, str) else given


class Settings(service.Settings):
    """Read from `CERTFOLD_CONSOLE_…`, or `CERTFOLD_…` for all services."""

    service: ClassVar[str] = "console"

    inventory_url: Address = Field(description="where the inventory's API is")
    combination_url: Address = Field(description="where the combination service's API is")
    application_url: Address = Field(description="where the application service's API is")
    ca_verification_url: Address = Field(description="where the CA verification's API is")
    people_file: Annotated[Path | None, AfterValidator(_readable)] = Field(
        None, description="JSON list of logins that exist from the start; none: only the known ones"
    )
    health_urls: Annotated[dict[str, Page], NoDecode, BeforeValidator(_from_json)] = Field(
        default_factory=dict,
        description="JSON object: name of a service → where its /readyz is, for the page",
    )
    docs_folder: Path = Field(
        Path(__file__).parents[2] / "docs",
        description="where openapi.json, asyncapi.json and schemas/ are",
    )

    @property
    def upstreams(self) -> dict[str, str]:
        """Where the API of each service is."""
        return {
            "inventory": self.inventory_url,
            "combination": self.combination_url,
            "application": self.application_url,
            "ca_verification": self.ca_verification_url,
        }
