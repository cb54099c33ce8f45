"""Content to pointer."""

from gitkit.core import pointer
from gitkit.errors import Conflict, Denied
from gitkit.store.ingest import Source, copy_hashed
from gitkit.store.layout import ImageLayout

CONFLICT_HINT = "choose a side: git checkout --ours -- FILE (or --theirs), then: git add -- FILE"


class Prefixed:
    """Bytes that were read already, then the rest of their source. ``begun`` tells whether anything was taken."""

    def __init__(self, head: bytes, rest: Source) -> None:
        self._head = memoryview(head)
        self._rest = rest
        self.begun = False

    def readinto(self, buffer: memoryview, /) -> int:
        self.begun = True
        if len(self._head):
            count = min(len(self._head), len(buffer))
            buffer[:count] = self._head[:count]
            self._head = self._head[count:]
            return count
        return self._rest.readinto(buffer) or 0


def clean(source: Source, store: ImageLayout) -> bytes:
    """What Git stores for the content of ``source``: a pointer; pointers and empty files pass unchanged.

    The content is in ``store`` when this returns. Memory stays constant. Cleaning twice is the same as once.

    Raises:
        Conflict: the content is a pointer with a merge's conflict markers in it.
        KitError: the store cannot be written.
    """
    head = read_head(source)
    if not head or (len(head) <= pointer.MAX_SIZE and pointer.parse(head) is not None):
        return head
    if pointer.has_conflict(head):
        raise Conflict("a merge left conflict markers in this pointer", hint=CONFLICT_HINT)
    content = Prefixed(head, source)
    try:
        digest, size = store.add(content)
    except Denied:
        # `git status` of a read-only clone cleans, too: nothing has to be written where the store has it already.
        if content.begun:
            raise
        digest, size = copy_hashed(content, None)
        if not store.holds(digest, size):
            raise
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
