"""Which clones use a store, and who may say so."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitkit.store.clones import Clones, remember_storage


@pytest.fixture(autouse=True)
def private() -> Iterator[None]:
    """A person who lets nobody look at new files."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize("is_new", [True, False])
def test_register_in_a_store_of_a_group_lets_the_others_register(tmp_path: Path, is_new: bool) -> None:
    pool = tmp_path / "pool"
    if not is_new:
        pool.mkdir()
    (tmp_path if is_new else pool).chmod(0o2770)
    clones = Clones(str(pool))
    clones.register("/clones/a/.git")
    assert clones.all() == ["/clones/a/.git"]
    assert mode(pool / "clones") == 0o2770
    assert [mode(path) for path in (pool / "clones").iterdir()] == [0o660]


def test_register_in_ones_own_store_lets_nobody_in(tmp_path: Path) -> None:
    Clones(str(tmp_path / "pool")).register("/clones/a/.git")
    assert mode(tmp_path / "pool" / "clones") == 0o700


def test_storages_of_a_clone_of_a_group_can_be_read_by_the_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    remember_storage(str(tmp_path / "kit"), "/pool")
    assert mode(tmp_path / "kit" / "storages") == 0o660
