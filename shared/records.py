"""How fetched records are read: as aiokafka does, except that a header's name may be any bytes.

aiokafka takes a name that is not UTF-8 for the end of the world: the whole batch that holds it is
never read, and everything behind it waits for ever. Here such a name comes with its bytes kept
(PEP 383), so that whoever looks at it can say no to that one record.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

# A batch begins with its base offset and the length of what follows (Kafka's message format v2).
OFFSET_BYTES, LENGTH_BYTES = 8, 4


class Records:
    """All batches of one fetched partition, in aiokafka's own words."""

    def __init__(self, fetched: bytes) -> None:
        self._records, self._fetched, self._at = MemoryRecords(fetched), fetched, 0

    def size_in_bytes(self) -> int:
        """Return how much was fetched."""
        return len(self._fetched)

    def has_next(self) -> bool:
        """Say whether there is another whole batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> "Batch":
        """Return the next batch."""
        begin = self._at + OFFSET_BYTES
        length = int.from_bytes(self._fetched[begin : begin + LENGTH_BYTES])
        end = begin + LENGTH_BYTES + length
        raw, self._at = self._fetched[self._at : end], end
        return Batch(self._records.next_batch(), raw)


class Batch:
    """A batch of records; all but reading them is left to aiokafka."""

    def __init__(self, batch: Any, raw: bytes) -> None:
        self._batch, self._raw = batch, raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return _read_again(self._raw)


class _AnyText(bytearray):
    """Bytes that decode whatever they are."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _AnyText(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        del errors
        return super().decode(encoding, "surrogateescape")


def _read_again(raw: bytes) -> Iterator[Any]:
    """Read a batch in Python, slowly, with names of any bytes."""
    batch = _DefaultRecordBatchPy(bytearray(raw))
    batch._maybe_uncompress()  # noqa: SLF001 - aiokafka is pinned, and offers no other way
    batch._buffer = _AnyText(batch._buffer)  # noqa: SLF001 - as above
    return iter(batch)


def read_any_name() -> None:
    """Have all consumers of this process read so."""
    fetcher.MemoryRecords = Records
