"""Patching stat data of index entries, so that Git knows the files that we wrote without reading them again.

Format: gitformat-index(5), versions 2, 3 and 4, SHA-1 and SHA-256, with or without ``index.skipHash``. Only the stat
fields of entries with the expected oid change; everything else, extensions included, stays byte for byte. The new index
is complete before ``index.lock`` exists, and an index that changed meanwhile is patched anew.
"""

import hashlib
import os
import struct
import time
from collections.abc import Mapping
from typing import NamedTuple

from gitkit.git.repository import Repository

_TRIES = 100
_PAUSE_S = 0.02
_STAT = struct.Struct(">10I")
_EXTENDED = 0x4000


class Written(NamedTuple):
    """A file that was written for the index entry with ``oid``."""

    oid: str
    stat: os.stat_result


class _Entry(NamedTuple):
    offset: int
    oid: bytes
    stage: int
    path: bytes


def record(repository: Repository, written: Mapping[bytes, Written]) -> None:
    """Put the stat data of ``written`` (by path) into the index.

    Where the index is of a kind that cannot be patched, or stays locked, Git is asked to look at the files itself.
    """
    git = repository.git
    path = os.path.join(git.directory, git.text("rev-parse", "--git-path", "index"))
    wide = git.ask("rev-parse", "--show-object-format") == "sha256"
    counts_4gib = git.version() >= (2, 43)
    for _ in range(_TRIES):
        if (done := _try(path, written, 32 if wide else 20, counts_4gib)) is not None:
            break
        time.sleep(_PAUSE_S)
    if not done:
        # A failure here only costs time: Git reads the files at its next `status`.
        git.ask("update-index", "-q", "-z", "--stdin", stdin=b"".join(name + b"\0" for name in written))


def _try(path: str, written: Mapping[bytes, Written], width: int, counts_4gib: bool) -> bool | None:
    """True: done. False: this index cannot be patched. None: try again."""
    with open(path, "rb") as file:
        before = os.fstat(file.fileno())
        data = bytearray(file.read())
    if not _patch(data, written, width, counts_4gib, before.st_mtime_ns // 10**9):
        return False
    return _swap(path, data, before) or None


def _patch(data: bytearray, written: Mapping[bytes, Written], width: int, counts_4gib: bool, index_time: int) -> bool:
    try:
        entries, end = _scan(data, width)
    except (ValueError, IndexError, struct.error):
        return False
    if b"link" in _extensions(data, end, len(data) - width):
        return False
    for entry in entries:
        new = written.get(entry.path)
        if new is not None and entry.stage == 0 and entry.oid == bytes.fromhex(new.oid):
            mode = data[entry.offset + 24 : entry.offset + 28]
            _STAT.pack_into(data, entry.offset, *_fields(new.stat, counts_4gib))
            data[entry.offset + 24 : entry.offset + 28] = mode
        elif int.from_bytes(data[entry.offset + 8 : entry.offset + 12], "big") >= index_time:
            # Not older than the index: it may have changed unnoticed, and Git would trust it once the index is younger.
            # Size 0 makes Git look, as in its own ce_smudge_racily_clean_entry().
            data[entry.offset + 36 : entry.offset + 40] = bytes(4)
    if any(data[-width:]):  # index.skipHash leaves zeros
        hasher = hashlib.sha256 if width == 32 else hashlib.sha1
        data[-width:] = hasher(memoryview(data)[:-width]).digest()
    return True


def _fields(stat: os.stat_result, counts_4gib: bool) -> tuple[int, ...]:
    size = stat.st_size & 0xFFFFFFFF
    if size == 0 and stat.st_size and counts_4gib:
        size = 0x80000000  # what Git 2.43 and later write for multiples of 4 GiB
    ctime, mtime = divmod(stat.st_ctime_ns, 10**9), divmod(stat.st_mtime_ns, 10**9)
    values = (*ctime, *mtime, stat.st_dev, stat.st_ino, 0, stat.st_uid, stat.st_gid, size)
    return tuple(value & 0xFFFFFFFF for value in values)


def _scan(data: bytearray, width: int) -> tuple[list[_Entry], int]:
    """All entries, and where they end."""
    signature, version, count = struct.unpack_from(">4sII", data)
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("not an index that we know")
    entries, at, name = [], 12, b""
    for _ in range(count):
        flags_at = at + 40 + width
        flags = int.from_bytes(data[flags_at : flags_at + 2], "big")
        name_at = flags_at + (4 if flags & _EXTENDED else 2)
        strip, name_at = _varint(data, name_at) if version == 4 else (len(name), name_at)
        end = data.index(0, name_at)
        name = name[: len(name) - strip] + data[name_at:end]
        entries.append(_Entry(at, bytes(data[at + 40 : flags_at]), (flags >> 12) & 3, bytes(name)))
        # Versions 2 and 3 pad each entry with 1 to 8 NULs to a multiple of eight bytes, version 4 ends it with one.
        at = end + 1 if version == 4 else at + ((end - at) // 8 + 1) * 8
    return entries, at


def _varint(data: bytearray, at: int) -> tuple[int, int]:
    byte = data[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = data[at]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at + 1


def _extensions(data: bytearray, at: int, end: int) -> set[bytes]:
    found = set()
    while at + 8 <= end:
        found.add(bytes(data[at : at + 4]))
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    return found


def _swap(path: str, data: bytearray, before: os.stat_result) -> bool:
    """Put ``data`` in the place of the index, if it is still the one that was read and nobody holds the lock."""
    lock = f"{path}.lock"
    beside = f"{path}.git-kit-{os.getpid()}"
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, before.st_mode & 0o777)
    try:
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, lock)  # atomic: fails where another process holds the lock
        except FileExistsError:
            return False
        try:
            replaced = _replace_if_unchanged(lock, path, before)
        except BaseException:
            os.unlink(lock)
            raise
        if not replaced:
            os.unlink(lock)
            return False
    finally:
        os.unlink(beside)
    return True


def _replace_if_unchanged(lock: str, path: str, before: os.stat_result) -> bool:
    try:
        now = os.stat(path)
        if (now.st_ino, now.st_mtime_ns, now.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size):
            os.rename(lock, path)
            return True
    except OSError:
        pass
    return False
