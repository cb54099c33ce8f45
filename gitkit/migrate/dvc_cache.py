"""DVC's cache, read only: files by MD5, of DVC 3 (``files/md5/aa/...``) and of earlier versions (``aa/...``).

MD5 only finds a file and says whether it is what DVC meant: what Git gets to know it by is its SHA-256, as always.
"""

import hashlib
import os
from io import FileIO

from gitkit.errors import Corrupt
from gitkit.migrate.dvc_files import Folder, Hash, Refused, Wanted, parse_list

_MAX_LIST = 256 << 20


class DvcCache:
    """The cache at ``path``. Safe to share between threads."""

    def __init__(self, path: str) -> None:
        self.path = path

    def file_of(self, wanted: Hash, suffix: str = "") -> str | None:
        """The cached file, where there is one; its bytes are not looked at."""
        name = os.path.join(wanted.md5[:2], wanted.md5[2:] + suffix)
        new, old = os.path.join(self.path, "files", "md5", name), os.path.join(self.path, name)
        return next((path for path in ((old, new) if wanted.unix else (new, old)) if os.path.isfile(path)), None)

    def list_of(self, folder: Folder) -> list[Wanted | Refused] | None:
        """The files of a folder; None where the cache does not have its list.

        Raises:
            Corrupt: the list is damaged.
            InvalidFile: it is none.
        """
        path = self.file_of(folder.hash, ".dir")
        if path is None:
            return None
        with open(path, "rb") as file:
            data = file.read(_MAX_LIST)
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != folder.hash.md5:
            raise Corrupt(f"{path} is not what its name says", hint="dvc fetch")
        return parse_list(data, folder)


class Checked:
    """A file on its way into the store, whose MD5 is taken as it passes."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._plain = hashlib.md5(usedforsecurity=False)

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._file.readinto(buffer)
        self._plain.update(buffer[:count])
        return count

    def is_as(self, wanted: Hash) -> bool:
        """Whether all that was read is what ``wanted`` names."""
        return self._plain.hexdigest() == wanted.md5 or (wanted.unix and self._as_text() == wanted.md5)

    def _as_text(self) -> str:
        """The MD5 that DVC before version 3 gave to texts: blocks of 1 MiB, each with its CR LF as LF."""
        hasher, at = hashlib.md5(usedforsecurity=False), 0
        while block := os.pread(self._file.fileno(), 1 << 20, at):
            hasher.update(block.replace(b"\r\n", b"\n"))
            at += len(block)
        return hasher.hexdigest()
