"""Files of the worktree, reached without ever following a symbolic link out of it.

A path from Git is opened folder by folder with ``O_NOFOLLOW``, so a link that somebody put in the place of a folder is
an error, not a way out.
"""

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import groupby
from typing import NamedTuple

_BACKDATED_NS = 2_000_000_000
"""Git re-reads a file whose time is not older than the index ("racily clean"); two seconds make it older."""


class Seen(NamedTuple):
    """A regular file as it was found, to tell later whether somebody changed it."""

    size: int
    mtime_ns: int
    inode: int
    is_executable: bool


@contextmanager
def folder_of(root: str, path: bytes) -> Iterator[tuple[int, bytes]]:
    """A descriptor of the folder that holds ``path`` and the name in it.

    Raises:
        OSError: a folder is missing or is a symbolic link.
    """
    *folders, name = path.split(b"/")
    if name in (b"", b".", b"..") or b".." in folders:
        raise NotADirectoryError(20, "not a path of the worktree", os.fsdecode(path))
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd, name
    finally:
        os.close(fd)


def by_folder(root: str, paths: Iterable[bytes]) -> Iterator[tuple[int, list[tuple[bytes, bytes]]]]:
    """Each folder, open, with the paths in it and their names there. Folders that cannot be reached are left out."""
    for folder, inside in groupby(paths, lambda path: path.rpartition(b"/")[0]):
        with suppress(OSError), folder_of(root, folder + b"/name" if folder else b"name") as (fd, _):
            yield fd, [(path, path.rpartition(b"/")[2]) for path in inside]


def look(folder: int, name: bytes) -> Seen | None:
    """The regular file ``name``, or None where there is none."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return seen_as(found) if stat.S_ISREG(found.st_mode) else None


def seen_as(found: os.stat_result) -> Seen:
    """What to remember of a regular file."""
    return Seen(found.st_size, found.st_mtime_ns, found.st_ino, bool(found.st_mode & stat.S_IXUSR))


def read_small(folder: int, name: bytes, limit: int) -> bytes:
    """At most ``limit`` bytes of a regular file."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        data = os.read(fd, limit)
        while len(data) < limit and (more := os.read(fd, limit - len(data))):
            data += more
        return data
    finally:
        os.close(fd)


def open_regular(root: str, path: bytes) -> int | None:
    """A descriptor, to read, of a regular file of the worktree; None where there is none. The caller closes it."""
    try:
        with folder_of(root, path) as (folder, name):
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


class Replacement:
    """A file on its way to its place: write to ``fd``. ``stat`` is what it had there, before anybody could change it;
    None where somebody did.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.stat: os.stat_result | None = None


@contextmanager
def replacement(
    folder: int, name: bytes, expected: Seen, *, older_than_ns: int | None = None, drafts: str | None = None
) -> Iterator[Replacement]:
    """A new file that takes the place of ``name`` when the block ends well, if ``name`` is still as ``expected``.

    It is executable where the old one is, and its time lies two seconds back, before ``older_than_ns`` where that is
    given. It is not flushed to disk, as nothing is that Git checks out: the store has the content. ``drafts`` as in
    ``replace_by_link``.

    Raises:
        FileExistsError: somebody changed the file in between; it was left alone.
    """
    with _draft(folder, 0o777 if expected.is_executable else 0o666, drafts) as (fd, named):
        new = Replacement(fd)
        yield new
        written = os.fstat(fd)
        mtime_ns = written.st_mtime_ns if older_than_ns is None else min(written.st_mtime_ns, older_than_ns)
        os.utime(fd, ns=(written.st_atime_ns, mtime_ns - _BACKDATED_NS))
        before = os.fstat(fd)
        if named is not None:
            _rename(folder, named, name, expected)
        else:
            with _one_more_name(f"/proc/self/fd/{fd}", fd, folder, drafts) as draft:
                _rename(folder, draft, name, expected)
        new.stat = _unchanged(fd, before)


def replace_by_link(
    folder: int, name: bytes, source: str, expected: Seen, *, drafts: str | None = None
) -> os.stat_result | None:
    """Put one more name of the file ``source`` in the place of ``name``, if that is still as ``expected``.

    Returns its stat data; None where ``source`` cannot be linked here. A name has to be new before it can replace
    another one: it is made in the folder ``drafts``, where unlocked files are swept if we are killed, or, where that
    cannot be, beside ``name``.

    Raises:
        FileExistsError: somebody changed the file in between; it was left alone.
    """
    try:
        fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        before = os.fstat(fd)
        with _one_more_name(source, fd, folder, drafts) as draft:
            _rename(folder, draft, name, expected)
        return _unchanged(fd, before)
    except FileExistsError:
        raise
    except OSError:
        return None
    finally:
        os.close(fd)


def back_date(fd: int) -> os.stat_result:
    """Back-date an open file that Git has just written, so that Git trusts its stat data; returns those."""
    found = os.fstat(fd)
    os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns - _BACKDATED_NS))
    return os.fstat(fd)


def _unchanged(fd: int, before: os.stat_result) -> os.stat_result | None:
    """Stat data of an open file, if nobody wrote to it since ``before``: its time lies back, and writing changes it."""
    now = os.fstat(fd)
    return now if (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns) else None


def _rename(folder: int, draft: bytes, name: bytes, expected: Seen) -> None:
    if look(folder, name) != expected:
        raise _changed(name)
    from gitkit.git.exchange import exchange

    if not exchange(folder, draft, name):
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    elif look(folder, draft) != expected:
        exchange(folder, draft, name)
        raise _changed(name)


def _changed(name: bytes) -> FileExistsError:
    return FileExistsError(17, "the file changed meanwhile", os.fsdecode(name))


@cache
def _names_by_descriptor() -> bool:
    """Whether a file without a name can be made here, and be given one."""
    return hasattr(os, "O_TMPFILE") and os.path.exists("/proc/self/fd")


@contextmanager
def _draft(folder: int, permissions: int, drafts: str | None) -> Iterator[tuple[int, bytes | None]]:
    """A new file on the file system of ``folder``; without a name where that is possible, else in ``drafts``: killed,
    we leave nothing in the worktree. Beside the file only where ``drafts`` is on another file system.
    """
    flags = os.O_WRONLY | os.O_CLOEXEC
    fd = name = None
    if _names_by_descriptor():
        with suppress(OSError):  # the file system has no such files
            fd = os.open(b".", flags | os.O_TMPFILE, permissions, dir_fd=folder)
    if fd is None:
        name = _new_name()
        with suppress(OSError):
            if drafts is not None and os.stat(drafts).st_dev == os.fstat(folder).st_dev:
                name = os.path.join(os.fsencode(drafts), name)
        fd = os.open(name, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, permissions, dir_fd=folder)
        with suppress(OSError):  # who cannot lock does not sweep either
            fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield fd, name
    finally:
        os.close(fd)
        if name is not None:
            _unlink(folder, name)


@contextmanager
def _one_more_name(source: str, fd: int, folder: int, drafts: str | None) -> Iterator[bytes]:
    """A new name of ``source``, open as ``fd``: in ``drafts``, else in ``folder``. Deleted in the end."""
    name = _new_name()
    with suppress(OSError):  # who cannot lock does not sweep either
        fcntl.flock(fd, fcntl.LOCK_SH)
    places = (name,) if drafts is None else (os.path.join(os.fsencode(drafts), name), name)
    for place in places:
        try:
            os.link(source, place, dst_dir_fd=folder, follow_symlinks=source.startswith("/proc/"))
            break
        except OSError:  # not there, or on another file system
            if place == places[-1]:
                raise
    try:
        yield place
    finally:
        _unlink(folder, place)


def _unlink(folder: int, name: bytes) -> None:
    """Delete a draft that was not renamed; rename(2) does nothing where both names are the same file already."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _new_name() -> bytes:
    return b".git-kit-" + os.urandom(8).hex().encode()
