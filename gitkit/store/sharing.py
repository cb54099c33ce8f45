"""Copies that share their bytes on disk where the file system can (Linux, ioctl_ficlone(2)), else plain ones."""

import fcntl
import os

_FICLONE = 0x40049409
_PIECE = 1 << 30
_GULP = 1 << 20


def reflink(source: int, target: int) -> bool:
    """Make the open file ``target`` share all bytes of ``source``; False where the file system cannot."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def copy(source: int, target: int, size: int) -> int:
    """Copy ``size`` bytes between open files, from the start of both; returns how many there were."""
    if reflink(source, target):
        return os.fstat(target).st_size
    done = 0
    while done < size:
        try:
            count = os.copy_file_range(source, target, min(_PIECE, size - done), done, done)
        except OSError:
            return _copy_by_hand(source, target, done)  # other file systems, old kernels; real errors show again there
        if not count:
            break
        done += count
    return done


def _copy_by_hand(source: int, target: int, done: int) -> int:
    block = memoryview(bytearray(_GULP))
    while count := os.preadv(source, [block], done):
        piece = block[:count]
        while piece:
            written = os.pwrite(target, piece, done)
            piece, done = piece[written:], done + written
    return done
