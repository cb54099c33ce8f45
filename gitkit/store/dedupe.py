"""Files that have equal bytes and come to share their place on the disk (Linux: ioctl_fideduperange(2), FIEMAP).

The kernel compares and shares in one step, so nothing can be lost, whoever writes at the same time; names, permissions
and time stamps stay as they are.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Iterator

_FIDEDUPERANGE = 0xC0189436
_REQUEST = struct.Struct("=QQHHIqQQiI")
_FIEMAP = 0xC020660B
_MAP = struct.Struct("=QQIIII")
_EXTENT = struct.Struct("=QQQQQIIII")
_EXTENTS = 512
_PIECE = 16 << 20
"""The most that file systems take at once (XFS, btrfs)."""

_SYNC = 1
_LAST, _NOWHERE = 0x1, 0x2 | 0x4 | 0x200
"""Flags of an extent: the last one; place unknown, not written out yet, or inside of the file's own record."""


class NotPossible(OSError):
    """The file system, or these two files, cannot share bytes."""


def can_share(source: int, target: int) -> bool:
    """Whether the kernel takes such a request for these open files at all."""
    try:
        _ask(source, target, 0, 0)
    except NotPossible:
        return False
    return True


def share(source: int, target: int, size: int) -> bool:
    """Have the open file ``target`` use the bytes of ``source`` on the disk; False where they are not equal.

    Raises:
        NotPossible
        OSError: reading fails.
    """
    done = 0
    while done < size:
        count = _ask(source, target, done, min(_PIECE, size - done))
        if not count:
            return False
        done += count
    return True


def is_shared(source: int, target: int) -> bool:
    """Whether both open files lie in the same place already; False where the file system does not tell."""
    try:
        return list(_extents(source)) == list(_extents(target))
    except (OSError, ValueError):
        return False


def _ask(source: int, target: int, start: int, length: int) -> int:
    """How many bytes are shared now; 0 where they differ."""
    request = bytearray(_REQUEST.pack(start, length, 1, 0, 0, target, start, 0, 0, 0))
    try:
        fcntl.ioctl(source, _FIDEDUPERANGE, request)
    except OSError as error:
        if error.errno == errno.EIO:
            raise
        raise NotPossible(error.errno, error.strerror) from error
    *_, count, status, _ = _REQUEST.unpack(request)
    if status < 0:
        raise NotPossible(-status, os.strerror(-status))
    return int(count) if status == 0 else 0


def _extents(fd: int) -> Iterator[tuple[int, int, int]]:
    """Start in the file, place on the disk and length of each piece; pieces that continue each other are one.

    Raises:
        ValueError: a piece has no place.
    """
    pending: tuple[int, int, int] | None = None
    for start, place, length in _pieces(fd):
        if pending is not None and (pending[0] + pending[2], pending[1] + pending[2]) == (start, place):
            pending = (pending[0], pending[1], pending[2] + length)
            continue
        if pending is not None:
            yield pending
        pending = (start, place, length)
    if pending is not None:
        yield pending


def _pieces(fd: int) -> Iterator[tuple[int, int, int]]:
    at, is_last = 0, False
    while not is_last:
        buffer = bytearray(_MAP.size + _EXTENTS * _EXTENT.size)
        _MAP.pack_into(buffer, 0, at, 0xFFFFFFFFFFFFFFFF - at, _SYNC, 0, _EXTENTS, 0)
        fcntl.ioctl(fd, _FIEMAP, buffer)
        count = _MAP.unpack_from(buffer)[3]
        is_last = count < _EXTENTS
        for number in range(count):
            start, place, length, _, _, flags, *_ = _EXTENT.unpack_from(buffer, _MAP.size + number * _EXTENT.size)
            if flags & _NOWHERE:
                raise ValueError("a piece of the file has no place on the disk")
            yield start, place, length
            at = start + length
            is_last = is_last or bool(flags & _LAST)
