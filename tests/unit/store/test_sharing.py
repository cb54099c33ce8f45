"""Copies, plain and shared; and clones that turn out to hold something else."""

import io
import os
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.store import sharing
from gitkit.store.ingest import BLOCK, copy_hashed
from gitkit.store.layout import ImageLayout
from tests.lib.repos import some_bytes

DATA = some_bytes(3 * BLOCK + 77)


def copied(tmp_path: Path, data: bytes, size: int) -> tuple[bytes, int]:
    (tmp_path / "source").write_bytes(data)
    with open(tmp_path / "source", "rb") as source, open(tmp_path / "target", "w+b") as target:
        count = sharing.copy(source.fileno(), target.fileno(), size)
    return (tmp_path / "target").read_bytes(), count


@pytest.mark.parametrize("size", [0, 1, BLOCK, 3 * BLOCK + 77])
def test_copy_writes_all_bytes(tmp_path: Path, size: int) -> None:
    assert copied(tmp_path, DATA[:size], size) == (DATA[:size], size)


def test_copy_of_a_file_that_is_too_short_tells_how_many_there_were(tmp_path: Path) -> None:
    assert copied(tmp_path, b"abc", 10)[1] == 3


def test_copy_to_another_file_system_writes_all_bytes(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    (tmp_path / "source").write_bytes(DATA)
    target = elsewhere / f"git-kit-{os.getpid()}"
    try:
        with open(tmp_path / "source", "rb") as source, open(target, "w+b") as file:
            assert sharing.copy(source.fileno(), file.fileno(), len(DATA)) == len(DATA)
        assert target.read_bytes() == DATA
    finally:
        target.unlink(missing_ok=True)


CLONES = {
    "equal": DATA,
    "longer": DATA + b"more",
    "shorter": DATA[: BLOCK + 5],
    "empty": b"",
    "different at the start": b"x" + DATA[1:],
    "different in the second block": DATA[:BLOCK] + b"x" + DATA[BLOCK + 1 :],
    "different at the end": DATA[:-1] + b"x",
}


@pytest.mark.parametrize("held", CLONES.values(), ids=CLONES.keys())
@pytest.mark.parametrize("size", [10, BLOCK, len(DATA)])
def test_copy_hashed_into_a_clone_leaves_exactly_the_source(tmp_path: Path, held: bytes, size: int) -> None:
    source = DATA[:size]
    (tmp_path / "clone").write_bytes(held)
    with open(tmp_path / "clone", "r+b") as file:
        assert copy_hashed(io.BytesIO(source), file.fileno(), is_clone=True) == (digest_of(source), size)
    assert (tmp_path / "clone").read_bytes() == source


def test_add_beside_a_worktree_file_stores_what_was_streamed(tmp_path: Path) -> None:
    # Standard input of a filter is not always the file.
    (tmp_path / "file").write_bytes(some_bytes(len(DATA), 5))
    store = ImageLayout(str(tmp_path / "kit"))
    with open(tmp_path / "file", "rb") as file:
        assert store.add(io.BytesIO(DATA), worktree_fd=file.fileno()) == (digest_of(DATA), len(DATA))
    assert Path(store.blob_path(digest_of(DATA))).read_bytes() == DATA
