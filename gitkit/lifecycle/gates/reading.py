"""The content of a kit's files, each to be read at any offset, with nothing kept on the disk."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing

from gitkit.core.tensors import ReadAt
from gitkit.modelkit.content import MAX_IN_MEMORY, Content
from gitkit.modelkit.files import KitFile
from gitkit.store.ingest import Source


def each_file(content: Content, files: Sequence[KitFile]) -> Iterator[tuple[KitFile, ReadAt]]:
    """Each of ``files`` once for each digest, with its reader, good until the next is asked for.

    What Git holds comes first. Of what is on a remote only pieces travel, and those are not verified.

    Raises:
        KitError: Git cannot give what it holds. Readers raise what ``Content.ranges`` does.
    """
    unique = list({file.digest: file for file in files}.values())
    small = [file for file in unique if file.oid is not None and file.size <= MAX_IN_MEMORY]
    with closing(content.each(small)) as sources:
        for file in small:
            yield file, _in_memory(_whole(next(sources), file.size))
    for file in unique:
        if file.oid is None or file.size > MAX_IN_MEMORY:
            with closing(_Again(content, file)) as again:
                yield file, again.read_at


def is_verified(content: Content, file: KitFile) -> bool:
    """Whether what is read of ``file`` is known to be what its digest says."""
    return file.oid is not None or content.store.holds(file.digest, file.size)


def _whole(source: Source, size: int) -> bytes:
    data, filled = bytearray(size), 0
    while filled < size and (count := source.readinto(memoryview(data)[filled:])):
        filled += count
    return bytes(data[:filled])


def _in_memory(data: bytes) -> ReadAt:
    return lambda offset, size: data[offset : offset + size]


class _Again:
    """Reads at any offset what is otherwise read at rising ones: whoever goes back starts anew."""

    def __init__(self, content: Content, file: KitFile) -> None:
        self._content, self._file = content, file
        self._stack = ExitStack()
        self._read: ReadAt | None = None
        self._at = 0

    def read_at(self, offset: int, size: int) -> bytes:
        if self._read is None or (offset < self._at and self._file.oid is not None):
            self.close()
            self._read = self._stack.enter_context(self._content.ranges(self._file))
        data = self._read(offset, size)
        self._at = offset + len(data)
        return data

    def close(self) -> None:
        self._stack.close()
