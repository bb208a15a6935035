"""What the console decides about who may come in. Pure: values in, facts out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from shared.contracts.base import Command, Message, Objection
from shared.decision import Decision, Moment

Role = Literal["applicant", "officer", "reviewer", "auditor", "operator"]
OF_THE_CA: frozenset[Role] = frozenset({"officer", "reviewer", "operator"})


class IssueToken(Command):
    """A person is to have one more token; only its SHA-256 is said."""

    token_id: UUID
    name: str
    role: Role
    account_id: str | None
    token_sha256: bytes
    issued_by: str


class RevokeToken(Command):
    """A token is to open nothing from now on."""

    token_id: UUID
    revoked_by: str


class Enrolled(Message):
    """One login of the file of people."""

    name: str
    role: Role
    account_id: str | None
    token_sha256: bytes

    @property
    def token_id(self) -> UUID:
        """The same for one name, whatever the token."""
        return uuid5(NAMESPACE_URL, f"certfold:console:people#{self.name}")


class EnrolPeople(Command):
    """The file of people holds these logins; those of `known_ids` that it holds no more end.

    `known_ids` are of all that it has brought before, and of whoever has one of its tokens.
    """

    people: tuple[Enrolled, ...]
    known_ids: tuple[UUID, ...]

    @property
    def ids(self) -> frozenset[UUID]:
        """All that it is about."""
        return frozenset(self.known_ids).union(one.token_id for one in self.people)


@dataclass(frozen=True, slots=True)
class Token:
    """What lets one person in; who has seen it once knows it, we know its SHA-256."""

    id: UUID
    name: str
    role: Role
    account_id: str | None
    sha256: bytes
    issued_by: str
    issued_at: datetime
    is_listed: bool = False  # comes from the file of people
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    version: int = 0


BY_FILE = "the file of people"


def fingerprint(token: str) -> bytes:
    """Return what is kept of a token: it has 256 random bits, so no salt and no stretching."""
    return sha256(token.encode()).digest()


def objections(role: Role, account_id: str | None) -> Iterator[Objection]:
    """Yield what speaks against such a person.

    Who works for the CA belongs to no account: nobody may judge their own orders.
    """
    if role == "applicant" and account_id is None:
        yield Objection(
            code="account_missing", subject="account_id", message="an applicant has an account"
        )
    if role in OF_THE_CA and account_id is not None:
        yield Objection(
            code="account_not_allowed",
            subject="account_id",
            message=f"who works for the CA, as {role}, belongs to no account",
        )


def issue(token: Token | None, ask: IssueToken, moment: Moment) -> Decision:
    """Let a person in by a new token."""
    if token is not None:
        return Decision()
    issued = Token(
        ask.token_id,
        ask.name,
        ask.role,
        ask.account_id,
        ask.token_sha256,
        ask.issued_by,
        moment.now,
    )
    return Decision(changed=(issued,))


def revoke(token: Token | None, ask: RevokeToken, moment: Moment) -> Decision:
    """Let nobody in by this token any more, for good."""
    if token is None or _is_revoked(token):
        return Decision()
    return Decision(changed=(_ended(token, ask.revoked_by, moment),))


def enrol(found: Mapping[UUID, Token], ask: EnrolPeople, moment: Moment) -> Decision:
    """Make the logins what the file says.

    A token that a person has revoked stays revoked, whatever name the file has for it; one that
    only the file has ended opens again when it is listed again.
    """
    revoked = {token.sha256: token for token in found.values() if _is_revoked(token)}
    wanted = {
        one.token_id: _enrolled(found.get(one.token_id), one, revoked, moment) for one in ask.people
    }
    ended = (
        _ended(token, BY_FILE, moment)
        for token in found.values()
        if token.id not in wanted and not token.revoked_at
    )
    changed = (token for token in wanted.values() if token != found.get(token.id))
    return Decision(changed=(*changed, *ended))


def _is_revoked(token: Token) -> bool:
    return token.revoked_at is not None and token.revoked_by != BY_FILE


def _ended(token: Token, by: str, moment: Moment) -> Token:
    return replace(token, revoked_at=moment.now, revoked_by=by)


def _enrolled(
    token: Token | None, listed: Enrolled, revoked: Mapping[bytes, Token], moment: Moment
) -> Token:
    if token is None or token.sha256 != listed.token_sha256:
        token = Token(
            listed.token_id,
            listed.name,
            listed.role,
            listed.account_id,
            listed.token_sha256,
            BY_FILE,
            moment.now,
            is_listed=True,
            version=token.version if token else 0,
        )
    end = revoked.get(listed.token_sha256)
    return replace(
        token,
        role=listed.role,
        account_id=listed.account_id,
        revoked_at=end.revoked_at if end else None,
        revoked_by=end.revoked_by if end else None,
    )
