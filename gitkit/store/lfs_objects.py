"""A folder of Git LFS objects (``aa/bb/<64 hex>``, git-lfs ``docs/spec.md``), read only."""

import io
import os
from collections.abc import Iterable, Iterator

from gitkit.core.digest import PREFIX, is_digest
from gitkit.core.remote import BlobReader, ReadOnly
from gitkit.errors import Denied, NotFound

_PUSH_HINT = "from a clone that has the content: git lfs push --all REMOTE"


class LfsObjects(ReadOnly):
    """The folder at ``path``, which need not exist. Bytes are verified by whoever takes them."""

    def __init__(self, path: str, *, url: str | None = None) -> None:
        self.path = path
        self.url = url or path

    def file_of(self, digest: str, size: int) -> str | None:
        """The object's file, where there is one of this size: Git LFS takes one of another size for none."""
        path = self._path(digest)
        try:
            return path if os.stat(path).st_size == size else None
        except OSError:
            return None

    def has_blob(self, digest: str) -> bool:
        return os.path.isfile(self._path(digest))

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> BlobReader:
        path = self.file_of(digest, size)
        if path is None:
            raise NotFound(f"{self.url} does not hold {digest}", hint=_PUSH_HINT)
        try:
            file = io.FileIO(path)
        except OSError as error:
            raise Denied(f"cannot read {path}: {error.strerror}") from error
        file.seek(start)
        return file

    def expect(self, blobs: Iterable[tuple[str, int]]) -> None:
        """A folder has nothing to prepare."""

    def objects(self) -> Iterator[tuple[str, int]]:
        """Digest and size of every object, in no order."""
        for first in _folders(self.path):
            for second in _folders(first.path):
                for entry in _entries(second.path):
                    digest = PREFIX + entry.name
                    inside = entry.name[:2] == first.name and entry.name[2:4] == second.name
                    if inside and is_digest(digest) and entry.is_file(follow_symlinks=False):
                        yield digest, entry.stat(follow_symlinks=False).st_size

    def _path(self, digest: str) -> str:
        name = digest.removeprefix(PREFIX)
        return os.path.join(self.path, name[:2], name[2:4], name)


def _folders(path: str) -> "list[os.DirEntry[str]]":
    return [entry for entry in _entries(path) if len(entry.name) == 2 and entry.is_dir(follow_symlinks=False)]


def _entries(path: str) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError:
        return []
