"""What the CA's verification knows of: applications, their names and tasks, and their stages."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from msgspec import Struct

from shared.contracts.application import ApplicationSubmitted, RevocationReason
from shared.contracts.base import Objection
from shared.contracts.ca_verification import Challenge, Waiting

NAMED = 1 << 12  # names of things that need not be made again

Role = Literal["officer", "reviewer"]
Item = Literal["organisation_identity", "callback", "operational_existence", "final_review"]


@dataclass(frozen=True, slots=True)
class NameCheck:
    """How far the proof of control over one name has come."""

    name: str
    challenge: Challenge
    since: datetime
    valid: bool = False
    attempts: int = 0
    last_error: str | None = None
    checked_at: datetime | None = None
    dropped: bool = False
    asked_at: datetime | None = None  # when somebody wanted to know, if that look has no outcome
    asked_again: bool = False  # and wanted to know again since then


@dataclass(frozen=True, slots=True)
class Open:
    """Nobody has decided it yet; `reason` is what the applicant has to help with, if anything."""

    since: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """Who decided it, when, and on what evidence (BR 5.4.1)."""

    confirmed: bool
    by: str
    at: datetime
    note: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that a person at the CA has to look into; `tried_by` are who had to postpone it."""

    id: UUID
    item: Item
    role: Role
    outcome: Open | Decided
    tried_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotLinted:
    """All was verified, and the certificate that came of it may not be signed as it is."""

    findings: tuple[str, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class Verifying:
    """Names are to be proven, tasks to be decided; or the linter is to be asked again."""

    held_back: NotLinted | None = None


@dataclass(frozen=True, slots=True)
class Signing:
    """The intent to sign exactly this: no way back, whether or not it is signed yet."""

    certificate_id: UUID
    serial_number: str
    not_before: datetime
    not_after: datetime
    held_back: NotLinted | None = None  # what the linter objected to the last time


@dataclass(frozen=True, slots=True)
class Issued:
    """There is a certificate."""

    certificate_id: UUID
    serial_number: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Revoked:
    """There was a certificate; its serial number is on the list until it would have expired."""

    certificate_id: UUID
    serial_number: str
    not_after: datetime
    reason: RevocationReason
    revoked_at: datetime


@dataclass(frozen=True, slots=True)
class Rejected:
    """The CA has said no."""

    objections: tuple[Objection, ...]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Nothing will be signed."""


Stage = Verifying | NotLinted | Signing | Issued | Revoked | Rejected | Withdrawn


class Application(Struct, frozen=True):
    """What the CA was asked for, and how far it has come."""

    id: UUID
    submitted: ApplicationSubmitted
    names: tuple[NameCheck, ...]
    tasks: tuple[Task, ...]
    expected_by: datetime
    told: tuple[Waiting, ...] = ()  # what was last said to be missing
    overdue: bool = False
    stage: Stage = Verifying()
    version: int = 0

    @property
    def certified(self) -> tuple[str, ...]:
        """The names that a certificate is to hold."""
        return tuple(one.name for one in self.names if not one.dropped)

    @property
    def everything(self) -> tuple[UUID, ...]:
        """The ids of all that something may still be to be done for."""
        return (self.id, again_id(self.id), *(check_id(self.id, one.name) for one in self.names))


def again_id(application_id: UUID) -> UUID:
    """Name the asking of the linter again."""
    return uuid5(NAMESPACE_URL, f"{application_id} again")


@lru_cache(NAMED)
def check_id(application_id: UUID, name: str) -> UUID:
    """Name the looking for one name's proof."""
    return uuid5(NAMESPACE_URL, f"{application_id}/{name}")
