"""Files of releases that are here, which a new release may share."""

import os
from typing import NamedTuple

from gitkit.lifecycle.deploy.disk import scan
from gitkit.lifecycle.deploy.drift import has_content, is_untouched
from gitkit.lifecycle.deploy.releases import Folder, ReleaseFile


class _Candidate(NamedTuple):
    """``is_sure``: it is the very file that was verified once, and nobody wrote to it."""

    folder: str
    file: ReleaseFile
    is_sure: bool


class Links:
    """Finds files by digest. A file that was changed is never given, and one that may have been is read before it is:
    with ``verify`` each, else those whose number on the disk is another one than it was (the folder was copied)."""

    def __init__(self, folder: Folder, *, verify: bool = False) -> None:
        self._candidates: dict[tuple[str, bool], list[_Candidate]] = {}
        for name in folder.names():
            self._add(folder, name, verify)

    def _add(self, folder: Folder, name: str, verify: bool) -> None:
        record = folder.record(name)
        if record is None:
            return
        path = folder.path_of(name)
        found = scan(path)
        for file in record.files:
            seen = found.get(file.path)
            if seen is not None and is_untouched(file, seen):
                candidate = _Candidate(path, file, seen.st_ino == file.inode and not verify)
                self._candidates.setdefault((file.digest, file.is_executable), []).append(candidate)

    def find(self, digest: str, *, executable: bool) -> str | None:
        """The path of a file with this content, which is executable or not."""
        candidates = self._candidates.get((digest, executable), [])
        while candidates:
            folder, file, is_sure = candidates[0]
            if is_sure or has_content(folder, file):
                candidates[0] = _Candidate(folder, file, True)
                return os.path.join(folder, file.path)
            del candidates[0]
        return None
