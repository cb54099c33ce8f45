"""Content to pointer."""

from gitkit.core import pointer
from gitkit.store.ingest import Source
from gitkit.store.layout import ImageLayout


class Prefixed:
    """Bytes that were read already, then the rest of their source."""

    def __init__(self, head: bytes, rest: Source) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readinto(self, buffer: memoryview, /) -> int:
        if len(self._head):
            count = min(len(self._head), len(buffer))
            buffer[:count] = self._head[:count]
            self._head = self._head[count:]
            return count
        return self._rest.readinto(buffer) or 0


def clean(source: Source, store: ImageLayout) -> bytes:
    """What Git stores for the content of ``source``: a pointer; pointers and empty files pass unchanged.

    The content is in ``store`` when this returns. Memory stays constant. Cleaning twice is the same as once.
    """
    head = read_head(source)
    if not head or (len(head) <= pointer.MAX_SIZE and pointer.parse(head) is not None):
        return head
    digest, size = store.add(Prefixed(head, source))
    return pointer.Pointer(digest, size).encode()


def read_head(source: Source) -> bytes:
    """The first bytes of ``source``: one more than a pointer can have, so that a pointer is seen whole."""
    view = memoryview(bytearray(pointer.MAX_SIZE + 1))
    filled = 0
    while filled < len(view):
        count = source.readinto(view[filled:])
        if not count:
            break
        filled += count
    return bytes(view[:filled])
