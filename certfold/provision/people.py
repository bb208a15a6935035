"""Who may log in to a system on one machine: one person for each role, with lasting tokens."""

import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from certfold.embedded import keep

# name, role, the account that the person belongs to
WHO = (
    ("applicant", "applicant", "acme"),
    ("other_applicant", "applicant", "globex"),
    ("officer", "officer", None),
    ("reviewer", "reviewer", None),
    ("auditor", "auditor", None),
    ("operator", "operator", None),
)


@dataclass(frozen=True, slots=True)
class Person:
    """One login. `account_id` is None for the CA's and the operator's own people."""

    name: str
    role: str
    account_id: str | None
    token: str = field(repr=False)


def people(file: Path, kept: Path) -> list[Person]:
    """Write the people to `file`, which only its owner may read; tokens come from `kept`.

    `kept` is a file of secrets: tokens and accounts are made the first time, and stay.
    """
    found = [
        Person(name, role, account and _account(kept, account), _token(kept, name))
        for name, role, account in WHO
    ]
    keep.write(file, [asdict(person) for person in found])
    return found


def _account(kept: Path, name: str) -> str:
    return keep.secret(kept, f"account_{name}", lambda: f"{name}-{secrets.token_hex(4)}")


def _token(kept: Path, name: str) -> str:
    return keep.secret(kept, f"token_{name}", lambda: f"cf_{secrets.token_urlsafe(32)}")
