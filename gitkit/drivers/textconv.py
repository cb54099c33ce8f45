"""What a large file is, in lines for `git diff`: from its header, wherever its content is.

Git hands over the content, or the pointer where the content is not in the worktree; both give the same lines. Nothing
is fetched.
"""

import hashlib
import io
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from gitkit.core import kinds, pointer
from gitkit.core.digest import PREFIX
from gitkit.core.paths import show_path
from gitkit.core.tensors import ReadAt
from gitkit.drivers.facts import Facts, read_facts
from gitkit.errors import KitError, NotFound, UsageError
from gitkit.store.layout import ImageLayout

MAX_TEXT = 8 << 20
"""Text of up to this many bytes is shown whole."""

_CHEAP = 1 << 20  # fewer bytes are hashed sooner than they are looked up


class Description(NamedTuple):
    """What one file is. ``facts`` is None where its content is not here, ``text`` its content where that is text."""

    size: int
    digest: str
    facts: Facts | None
    text: str | None = None


class Clone(NamedTuple):
    """What the clone that the file belongs to knows; each is asked only where it is needed.

    ``store`` is None where there is none, ``digest_of`` what is known of an unchanged file with this stat data, and
    ``keep`` is told what was found out: path, digest and stat data.
    """

    store: Callable[[], ImageLayout | None]
    digest_of: Callable[[os.stat_result], str | None]
    keep: Callable[[str, str, os.stat_result], None]


def describe(path: str, clone: Clone) -> Description:
    """What the file ``path`` is, or the content that the pointer in it names.

    Raises:
        NotFound: there is no such file.
        UsageError: it is no regular file.
        KitError: it cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UsageError(f"{show_path(path)} is not a file")
        with io.FileIO(path) as file:
            return _describe(file, path, clone)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {show_path(path)}") from error
    except OSError as error:
        raise KitError(f"cannot read {show_path(path)}: {error.strerror}") from error


def _describe(file: io.FileIO, path: str, clone: Clone) -> Description:
    status = os.fstat(file.fileno())
    head = os.pread(file.fileno(), pointer.MAX_SIZE + 1, 0)
    named = pointer.parse(head)
    if named is not None:
        return _of_pointer(named, path, clone)
    return _of_content(file, path, status.st_size, _digest(file, path, status, clone))


def _digest(file: io.FileIO, path: str, status: os.stat_result, clone: Clone) -> str:
    known = clone.digest_of(status) if status.st_size >= _CHEAP else None
    if known is not None:
        return known
    digest = PREFIX + hashlib.file_digest(file, "sha256").hexdigest()
    after = os.fstat(file.fileno())
    if status.st_size >= _CHEAP and (after.st_mtime_ns, after.st_ctime_ns) == (status.st_mtime_ns, status.st_ctime_ns):
        clone.keep(path, digest, after)
    return digest


def _of_pointer(named: pointer.Pointer, path: str, clone: Clone) -> Description:
    store = clone.store()
    if store is None or not store.holds(named.digest, named.size):
        return Description(named.size, named.digest, None)
    try:
        with store.open_blob(named.digest, named.size) as blob:
            return _of_content(blob, path, named.size, named.digest)
    except KitError:
        return Description(named.size, named.digest, None)


def _of_content(file: io.FileIO, path: str, size: int, digest: str) -> Description:
    read_at = _reader(file, size)
    kind = kinds.kind_of(read_at(0, kinds.HEAD), os.path.basename(path))
    if kind is not None:
        return Description(size, digest, read_facts(kind, read_at, size))
    text = _text(read_at, size)
    return Description(size, digest, Facts("text" if text is not None else "binary", []), text)


def _reader(file: io.FileIO, size: int) -> ReadAt:
    def read_at(offset: int, count: int) -> bytes:
        # Offsets come from the file itself and may be anything.
        return os.pread(file.fileno(), min(count, size - offset), offset) if 0 <= offset < size else b""

    return read_at


def _text(read_at: ReadAt, size: int) -> str | None:
    """The content as text; None where it is none, or too long."""
    if size > MAX_TEXT:
        return None
    data = read_at(0, size)
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
