"""How the facts of one batch become records."""

from collections.abc import Iterator, Sequence

from shared.cloudevents import Headers, because_of, headers, standing
from shared.outbox import Outgoing
from shared.road import Entry


def dressed(entries: Sequence[Entry], service: str) -> Iterator[Outgoing]:
    """Dress each fact for the wire; what it has in common with the one before is made once."""
    cause, at, because, time = None, None, Headers(), b""
    for one in entries:
        if one.cause is not cause:
            cause, because = one.cause, because_of(one.cause)
        if one.at is not at:
            at, time = one.at, one.at.isoformat().encode()
        fact, subject = one.fact, one.fact.subject
        key, always = subject.encode(), standing(type(fact), service)
        record = headers(always, one.id, time, key, because)
        yield Outgoing(fact.topic, subject, key, record, one.value)
