"""Bytes into a file: every size around the block limit, slow and failing sources, slow descriptors."""

import hashlib
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gitkit.core.digest import EMPTY, digest_of
from gitkit.store.ingest import BLOCK, copy_hashed
from tests.lib.repos import some_bytes

SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 7 * BLOCK + 13]


class Trickle(io.RawIOBase):
    """A source that gives at most ``most`` bytes at once, and fails where ``data`` ends if ``error`` is set."""

    def __init__(self, data: bytes, most: int, error: Exception | None = None) -> None:
        self._data = memoryview(data)
        self._most = most
        self._error = error

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        count = min(len(self._data), len(buffer), self._most)
        if count == 0 and self._error is not None:
            raise self._error
        buffer[:count] = self._data[:count]
        self._data = self._data[count:]
        return count


def _copied(path: Path, source: io.RawIOBase | io.BytesIO) -> tuple[str, int]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        return copy_hashed(source, fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("size", SIZES)
def test_copy_hashed_of_any_size_writes_all_and_tells_digest_and_size(tmp_path: Path, size: int) -> None:
    data = some_bytes(size)
    assert _copied(tmp_path / "out", io.BytesIO(data)) == (digest_of(data), size)
    assert (tmp_path / "out").read_bytes() == data


@pytest.mark.parametrize("most", [1000, 65516, BLOCK - 1, BLOCK])
def test_copy_hashed_of_a_source_in_small_pieces_is_the_same(tmp_path: Path, most: int) -> None:
    data = some_bytes(3 * BLOCK + 5)
    assert _copied(tmp_path / "out", Trickle(data, most)) == (digest_of(data), len(data))
    assert (tmp_path / "out").read_bytes() == data


@pytest.mark.parametrize("size", SIZES)
def test_copy_hashed_without_a_file_only_hashes(size: int) -> None:
    data = some_bytes(size)
    assert copy_hashed(io.BytesIO(data), None) == (digest_of(data), size)


def test_copy_hashed_of_nothing_is_the_digest_of_nothing() -> None:
    assert copy_hashed(io.BytesIO(), None) == (EMPTY, 0)


@pytest.mark.parametrize("have", [0, 5, BLOCK, 2 * BLOCK + 1])
def test_copy_hashed_after_a_beginning_tells_the_digest_of_the_whole_and_the_size_of_the_rest(have: int) -> None:
    data = some_bytes(3 * BLOCK)
    hasher = hashlib.sha256(data[:have])
    assert copy_hashed(io.BytesIO(data[have:]), None, hasher=hasher) == (digest_of(data), len(data) - have)


@pytest.mark.parametrize("good", [0, 10, BLOCK, BLOCK + 10, 4 * BLOCK])
def test_copy_hashed_of_a_source_that_fails_raises_its_error_and_ends_its_thread(tmp_path: Path, good: int) -> None:
    before = threading.active_count()
    with pytest.raises(OSError, match="cable pulled"):
        _copied(tmp_path / "out", Trickle(some_bytes(good), 1000, OSError("cable pulled")))
    assert threading.active_count() == before


@pytest.mark.parametrize("size", [10, 3 * BLOCK])
def test_copy_hashed_into_a_file_that_cannot_be_written_raises_and_ends_its_thread(tmp_path: Path, size: int) -> None:
    (tmp_path / "out").touch()
    before = threading.active_count()
    fd = os.open(tmp_path / "out", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            copy_hashed(io.BytesIO(some_bytes(size)), fd)
    finally:
        os.close(fd)
    assert threading.active_count() == before


SHORT_WRITE = """
import os, resource, sys
from gitkit.store.ingest import write_all
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
try:
    write_all(fd, memoryview(bytes(1500)))
except OSError as error:
    print(os.fstat(fd).st_size, error.strerror)
"""


def test_write_all_that_is_cut_short_goes_on_and_meets_the_reason(tmp_path: Path) -> None:
    # os.write takes the 1000 bytes that still fit and says so without an error, as on a disk that is nearly full.
    argv = [sys.executable, "-c", SHORT_WRITE, tmp_path / "out"]
    assert subprocess.run(argv, capture_output=True, check=True).stdout == b"1000 File too large\n"
