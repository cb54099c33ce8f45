"""A blob on its way to a remote: opened again for each try, and telling how many bytes pass."""

import io
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol

from gitkit.core.events import Advanced, Sink


class Opened(Protocol):
    """What a blob's bytes come from: a file of the store, or a layer that is made on the way."""

    def readinto(self, buffer: Any, /) -> int: ...

    def close(self) -> None: ...


class Sender:
    """What ``Remote.put_blob`` opens. ``used`` tells afterwards whether the blob travelled."""

    def __init__(self, open_blob: Callable[[], Opened], emit: Sink) -> None:
        self.used = False
        self._open_blob = open_blob
        self._emit = emit
        self._sent = 0

    def open(self) -> BinaryIO:
        """The bytes from the start; what an earlier try had sent no longer counts."""
        self._emit(Advanced(-self._sent))
        self._sent = 0
        self.used = True
        return io.BufferedReader(_Counting(self._open_blob(), self._count), 1 << 20)

    def _count(self, count: int) -> None:
        self._sent += count
        self._emit(Advanced(count))


class _Counting(io.RawIOBase):
    def __init__(self, opened: Opened, count: Callable[[int], None]) -> None:
        self._opened = opened
        self._count = count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = self._opened.readinto(buffer)
        self._count(count)
        return count

    def close(self) -> None:
        self._opened.close()
        super().close()
