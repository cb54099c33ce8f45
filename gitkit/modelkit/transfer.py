"""Blobs from one remote to another, streaming: taken over where both are one registry, else read here and sent there.

Nothing is written to the disk of this machine, and no more than a few chunks are in memory. The target verifies what it
takes; a source that breaks is asked again from where it broke.
"""

import io
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from gitkit.core.events import Advanced, Finished, Sink, Started, ignore
from gitkit.core.oci import Descriptor
from gitkit.core.remote import Remote
from gitkit.modelkit.streams import Steady
from gitkit.sync.parallel import each
from gitkit.sync.pointers import Need

_BUFFER = 1 << 20


class Transferred(NamedTuple):
    """``mounted`` were taken over (or were there), ``sent`` travelled; all others were there."""

    mounted: list[Need]
    sent: list[Need]


def transfer(
    source: Remote, target: Remote, needs: Sequence[Need], *, transfers: int = 4, emit: Sink = ignore
) -> Transferred:
    """Have ``target`` hold all of ``needs``, whose digests differ, from ``source``. Idempotent.

    Raises:
        NotFound: ``source`` does not hold one of them. What was sent stays.
        Corrupt: ``source`` holds other bytes; that blob is not stored.
        Denied, NetworkError
    """

    def one(need: Need) -> str:
        if target.mount_blob(need.digest, source.url):
            return "mounted"
        relay = _Relay(source, need, emit)
        target.put_blob(need.digest, need.size, relay.open)
        return "sent" if relay.used else "there"

    emit(Started("copying", len(needs), sum(need.size for need in needs)))
    states = list(zip(needs, each(one, needs, limit=transfers), strict=True))
    sent = [need for need, state in states if state == "sent"]
    emit(Finished("copied", len(sent), sum(need.size for need in sent)))
    return Transferred([need for need, state in states if state == "mounted"], sent)


class _Relay:
    """Opens a blob of ``source`` for an upload and tells how many bytes pass."""

    def __init__(self, source: Remote, need: Need, emit: Sink) -> None:
        self.used = False
        self._source = source
        self._layer = Descriptor(media_type="", digest=need.digest, size=need.size)
        self._emit = emit
        self._sent = 0

    def open(self) -> BinaryIO:
        self._emit(Advanced(-self._sent))
        self._sent = 0
        self.used = True
        return io.BufferedReader(_Readable(Steady(self._source, self._layer, self._count)), _BUFFER)

    def _count(self, count: int) -> None:
        self._sent += count
        self._emit(Advanced(count))


class _Readable(io.RawIOBase):
    def __init__(self, steady: Steady) -> None:
        self._steady = steady

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        return self._steady.readinto(buffer)

    def close(self) -> None:
        self._steady.close()
        super().close()
