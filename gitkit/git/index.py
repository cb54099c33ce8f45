"""Telling Git about files of the worktree that we write, so that it knows them without reading them again.

Two steps, so that `git status` tells the truth if we are killed between them: ``doubt`` has Git look at what is in the
files, then they are written, then ``record`` puts their stat data into the index. A new index is complete before
``index.lock`` exists (``index_swap``), and an index that changed meanwhile is patched anew. The bytes are
``index_file``'s.
"""

import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from gitkit.errors import KitError, Locked
from gitkit.git import index_swap
from gitkit.git.index_file import Entry, IndexFile
from gitkit.git.repository import Repository

_PATIENCE_S = 5.0
_PAUSE_S = 0.02
_HASHED_AT_MOST = 64 << 20


class Written(NamedTuple):
    """A file that was written for the index entry with ``oid``."""

    oid: str
    stat: os.stat_result


class Settle(Protocol):
    """Makes sure of files that Git wrote in the second of its index: Git would read them at every `git status`."""

    def __call__(self, path: bytes, oid: str) -> os.stat_result | None:
        """The file's stat data, with a time before the index's; None where nothing is certain."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """The paths that it knows."""
        ...


class Nothing:
    """Makes sure of no file."""

    def __call__(self, path: bytes, oid: str) -> os.stat_result | None:
        return None

    def __iter__(self) -> Iterator[bytes]:
        return iter(())


def doubt(repository: Repository, paths: Collection[bytes]) -> int:
    """Have Git look into the files ``paths``, whatever their entries say. Idempotent.

    Also where an entry is for other content than is going to be written (`git restore --source`): what we write has a
    time that lies back, and might have that of the entry's file, which was written within the same second.

    Returns the time (nanoseconds) that files must be older than for Git to trust their stat data.

    Raises:
        Locked: another process keeps the index locked.
        Denied, KitError: it cannot be written.
    """

    def edit(index: IndexFile, _: int) -> bool:
        found = [entry for entry in index.entries if entry.stage == 0 and entry.path in paths]
        for entry in found:
            index.doubt(entry)
        return bool(found)

    done = _patch(repository, edit, keep_time=True)
    if done is None:
        _forget_stat(repository, paths)
    elif not done:
        raise Locked("another git keeps the index locked", hint="when it has ended: git kit checkout")
    return _mtime_ns(_index_path(repository)[0])


def record(repository: Repository, written: Mapping[bytes, Written], *, settle: Settle | None = None) -> None:
    """Put the stat data of ``written`` (by path) into the index, and of files that ``settle`` makes sure of.

    Where that cannot be done Git is asked to look at the files itself, or does so at its next `status`.
    """
    sure = settle if settle is not None else Nothing()
    known = frozenset(sure)
    counts_4gib = any(not file.stat.st_size % (1 << 32) for file in written.values()) and _knows_4gib(repository)
    newest_s = max((file.stat.st_mtime_ns // 10**9 for file in written.values()), default=0)

    def edit(index: IndexFile, index_s: int) -> bool:
        changed = False
        racy, unsure = [], []
        for entry in index.entries:
            new = written.get(entry.path)
            if new is not None and _is_for(entry, new.oid):
                index.set_stat(entry, new.stat, counts_4gib=counts_4gib)
                changed = True
            elif entry.stage == 0 and (entry.mtime_s >= index_s or (entry.path in known and index.is_doubted(entry))):
                racy.append(entry)
        for entry in racy:
            stat = sure(entry.path, entry.oid.hex())
            if stat is not None:
                index.set_stat(entry, stat, counts_4gib=False)
                changed = True
            else:
                unsure.append(entry)
        if changed and newest_s >= index_s:
            # The index gets younger than files that Git is not sure of yet, and would trust from then on.
            for entry in _changed(repository, unsure):
                index.doubt(entry)
        return changed

    done: bool | None = False
    with suppress(KitError):
        done = _patch(repository, edit, keep_time=lambda index_s: newest_s < index_s)
    if not done:
        for path, oid in _oids(repository, list(sure)).items():
            sure(path, oid)
        repository.git.ask("update-index", "-q", "--refresh")


# -- the file ------------------------------------------------------------------------------------------------------


def _patch(
    repository: Repository, edit: Callable[[IndexFile, int], bool], *, keep_time: bool | Callable[[int], bool]
) -> bool | None:
    """True: the index is as ``edit`` wants it. None: it cannot be patched. False: it stays locked.

    ``edit`` gets the index and its time in seconds, and tells whether it changed anything; it may run several times.

    Raises:
        Denied, KitError: the index cannot be written.
    """
    path, width = _index_path(repository)
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if index_swap.is_locked(path):
            time.sleep(_PAUSE_S)
            continue
        try:
            with open(path, "rb") as file:
                before = os.fstat(file.fileno())
                index = IndexFile(bytearray(file.read()), width)
        except FileNotFoundError:
            return True  # a temporary index, which has gone by now
        except ValueError:
            return None
        index_s = before.st_mtime_ns // 10**9
        if not edit(index, index_s):
            return True
        keeps = keep_time if isinstance(keep_time, bool) else keep_time(index_s)
        if _swap(path, index.finish(), before, keeps):
            return True
        time.sleep(_PAUSE_S)
    return False


def _swap(path: str, data: bytearray, before: os.stat_result, keeps_time: bool) -> bool:
    """Put ``data`` in the place of the index, if it is still the one that was read and nobody holds the lock."""
    with index_swap.workshop(path) as folder:
        new = os.path.join(folder, "index")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, before.st_mode & 0o777)
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(fd, before.st_mode & 0o777)  # whatever the umask: others may share the repository
            os.fsync(fd)
            if keeps_time:
                os.utime(file.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))
        return index_swap.swap(new, path, before) is True


def _index_path(repository: Repository) -> tuple[str, int]:
    """Where the index is, and how long its oids are."""
    git = repository.git
    object_format, name = git.text("rev-parse", "--show-object-format", "--git-path", "index").split("\n", 1)
    return os.path.join(git.directory, name), 32 if object_format == "sha256" else 20


def _mtime_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return time.time_ns()


def _is_for(entry: Entry, oid: str | None) -> bool:
    return oid is not None and entry.stage == 0 and entry.oid.hex() == oid


def _knows_4gib(repository: Repository) -> bool:
    """Whether this Git has a size of its own for multiples of 4 GiB."""
    return repository.git.version() >= (2, 43)


# -- what Git knows ------------------------------------------------------------------------------------------------


def _changed(repository: Repository, entries: Sequence[Entry]) -> list[Entry]:
    """Those whose file holds something else than the entry says, or may do so."""
    root = os.fsencode(repository.root)
    links = {
        entry for entry in entries if entry.is_link and _link_oid(os.path.join(root, entry.path), entry) == entry.oid
    }
    plain = [entry for entry in entries if entry.is_regular and b"\n" not in entry.path]
    sizes = sum(_size(os.path.join(root, entry.path)) for entry in plain)
    hashed = _hash(repository, plain) if sizes <= _HASHED_AT_MOST else {}
    return [
        entry
        for entry in entries
        if (entry.is_regular and hashed.get(entry.path) != entry.oid.hex()) or (entry.is_link and entry not in links)
    ]


def _hash(repository: Repository, entries: Sequence[Entry]) -> dict[bytes, str]:
    """The oids that Git would give to the files, each with its filter. Nothing where one of them cannot be read."""
    if not entries:
        return {}
    names = b"".join(entry.path + b"\n" for entry in entries)
    out = repository.git.ask("hash-object", "--stdin-paths", stdin=names)
    oids = (out or "").split("\n")
    return dict(zip((entry.path for entry in entries), oids, strict=True)) if len(oids) == len(entries) else {}


def _link_oid(path: bytes, entry: Entry) -> bytes:
    try:
        target = os.readlink(path)
    except OSError:
        return b""
    hasher = hashlib.sha256 if len(entry.oid) == 32 else hashlib.sha1
    return hasher(b"blob %d\0%s" % (len(target), target)).digest()


def _size(path: bytes) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def _oids(repository: Repository, paths: Sequence[bytes]) -> dict[bytes, str]:
    """The oids of the entries for ``paths``."""
    wanted = set(paths)
    found = {}
    for record in repository.git.run("ls-files", "-s", "-z", "--full-name").split(b"\0")[:-1] if wanted else ():
        head, _, path = record.partition(b"\t")
        _, oid, stage = head.decode().split(" ")
        if path in wanted and stage == "0":
            found[path] = oid
    return found


def _forget_stat(repository: Repository, paths: Collection[bytes]) -> None:
    """``doubt`` for an index that cannot be patched: Git itself makes the entries anew, without stat data."""
    lines = []
    for record in repository.git.run("ls-files", "-s", "-z", "--full-name").split(b"\0")[:-1]:
        head, _, path = record.partition(b"\t")
        mode, oid, stage = head.decode().split(" ")
        if stage == "0" and path in paths:
            lines.append(f"{mode} {oid} 0\t".encode() + path + b"\0")
    if lines and repository.git.ask("update-index", "-z", "--index-info", stdin=b"".join(lines)) is None:
        raise Locked("another git keeps the index locked", hint="when it has ended: git kit checkout")
