"""Changing the index by several git commands at once, or not at all.

They work on a draft beside the index, which takes the index's place if that is still the one the draft was made from
(``index_swap``). Who was slower begins again with the new index.
"""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from gitkit.errors import Locked
from gitkit.git import index_swap
from gitkit.git.index import Written
from gitkit.git.index_file import IndexFile
from gitkit.git.repository import Repository

T = TypeVar("T")

_PATIENCE_S = 1.0
_PAUSE_S = 0.02
_TRIES = 50


def change_index(repository: Repository, work: Callable[[str], tuple[bool, T]]) -> T:
    """Have ``work`` change the draft whose path it is given, and keep that if it says so.

    ``work`` returns whether to keep the draft, and what this function returns. It may be called several times, each
    time with the index as it is then. The draft does not exist where there is no index.

    Raises:
        Locked: another process holds the index, or changes it all the time.
        Denied, KitError: it cannot be written.
    """
    path = index_path(repository)
    with index_swap.workshop(path) as folder:
        draft = os.path.join(folder, "index")
        for _ in range(_TRIES):
            before = index_swap.look(path)
            _copy(path, draft, before)
            keep, result = work(draft)
            if not keep or _put_in_place(draft, path, before):
                return result
    raise _locked(path)


def with_index(repository: Repository, path: str) -> Repository:
    """The same repository with another index file."""
    return replace(repository, git=repository.git.with_index(path))


def set_stats(repository: Repository, path: str, written: Mapping[bytes, Written]) -> None:
    """Have Git take the files ``written`` for unchanged, in the draft at ``path``; they are older than it.

    A split index stays as it is: Git will look at the files itself.
    """
    if not written:
        return
    width = len(next(iter(written.values())).oid) // 2
    multiples = any(not file.stat.st_size % (1 << 32) for file in written.values())
    counts_4gib = multiples and repository.git.version() >= (2, 43)
    with open(path, "r+b") as draft:
        before = os.fstat(draft.fileno())
        try:
            index = IndexFile(bytearray(draft.read()), width)
        except ValueError:
            return
        for entry in index.entries:
            new = written.get(entry.path)
            if new is not None and entry.stage == 0 and entry.oid.hex() == new.oid:
                index.set_stat(entry, new.stat, counts_4gib=counts_4gib)
        draft.seek(0)
        draft.write(index.finish())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def refuse_locked(repository: Repository) -> None:
    """Return when the index can be changed.

    Raises:
        Locked: another process holds it for longer than a moment.
    """
    path = index_path(repository)
    index_swap.sweep(path)
    deadline = time.monotonic() + _PATIENCE_S
    while os.path.exists(f"{path}.lock"):
        if time.monotonic() > deadline:
            raise _locked(path)
        time.sleep(_PAUSE_S)


def index_path(repository: Repository) -> str:
    """Where the index is that git works with here."""
    return index_swap.path_of(repository.git)


def _copy(path: str, draft: str, before: os.stat_result | None) -> None:
    if before is None:
        with suppress(FileNotFoundError):
            os.unlink(draft)
        return
    shutil.copyfile(path, draft)
    os.chmod(draft, before.st_mode & 0o777)  # whatever the umask: others may share the repository
    # The time of an index tells Git which entries may have changed unnoticed: those that are not older.
    os.utime(draft, ns=(before.st_atime_ns, before.st_mtime_ns))


def _put_in_place(draft: str, path: str, before: os.stat_result | None) -> bool:
    """Whether the draft is the index now; False where the index is not the one that it was made from any more.

    Raises:
        Locked: another process holds the index for longer than a moment.
    """
    if not os.path.exists(draft):
        return True  # there was no index, and nothing came into the draft
    deadline = time.monotonic() + _PATIENCE_S
    while (is_done := index_swap.swap(draft, path, before)) is None:
        if time.monotonic() > deadline:
            raise _locked(path)
        time.sleep(_PAUSE_S)
    return is_done


def _locked(path: str) -> Locked:
    return Locked(
        "another process is changing the index", hint=f"wait for it to end; if it was killed, delete {path}.lock"
    )
