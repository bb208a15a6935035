"""How the facts of one batch become records."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from shared.cloudevents import Headers, because_of, headers, standing
from shared.outbox import Outgoing
from shared.road import Entry


def dressed(entries: Sequence[Entry], service: str) -> Iterator[Outgoing]:
    """Dress each fact for the wire; what is alike in many of them is made once."""
    because: dict[UUID, Headers] = {}
    for one in entries:
        fact, cause = one.fact, one.cause
        if cause.id not in because:
            because[cause.id] = because_of(cause)
        subject, time = fact.subject, one.at.isoformat().encode()
        key, always = subject.encode(), standing(type(fact), service)
        record = headers(always, one.id, time, key, because[cause.id])
        yield Outgoing(fact.topic, subject, key, record, one.value)
