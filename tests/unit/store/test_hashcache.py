"""The hash cache knows what it was told, forgets what it cannot be sure of, and never fails."""

import os
import threading
import time
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.store.hashcache import HashCache, Recalled

A, B = digest_of(b"a"), digest_of(b"b")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kit" / "state.db"


@pytest.fixture
def cache(path: Path) -> HashCache:
    return HashCache(str(path))


def aged(path: Path, data: bytes = b"data") -> os.stat_result:
    """Stat data of a file that was changed longer ago than any clock ticks."""
    path.write_bytes(data)
    while time.time_ns() - os.stat(path).st_ctime_ns < 30_000_000:
        os.sched_yield()
    return os.stat(path)


def test_of_path_knows_content_whose_fingerprint_was_learned(cache: HashCache) -> None:
    cache.learn(A, 5, b"head", b"whole")
    cache.remember(b"x", A, 5)
    cache.remember(b"x", B, 6)
    assert cache.of_path(b"x") == [Recalled(5, b"head", b"whole", A)]
    assert cache.of_path(b"y") == []


def test_of_path_gives_the_latest_first_and_not_endlessly_many(cache: HashCache) -> None:
    for number in range(40):
        cache.learn(f"sha256:{number}", number, b"h", b"w")
        cache.remember(b"x", f"sha256:{number}", number)
    cache.remember(b"x", "sha256:30", 30)
    sizes = [one.size for one in cache.of_path(b"x")]
    assert sizes[:3] == [30, 39, 38]
    assert len(sizes) <= 33


def test_of_stat_knows_an_unchanged_file(cache: HashCache, tmp_path: Path) -> None:
    stat = aged(tmp_path / "file")
    cache.remember(b"file", A, stat.st_size, stat)
    assert cache.of_stat(os.stat(tmp_path / "file")) == A


@pytest.mark.parametrize("change", ["content", "time", "replaced", "mode"])
def test_of_stat_does_not_know_a_file_that_changed(cache: HashCache, tmp_path: Path, change: str) -> None:
    file = tmp_path / "file"
    cache.remember(b"file", A, 4, aged(file))
    if change == "content":
        file.write_bytes(b"DATA")
    elif change == "time":
        os.utime(file, ns=(0, 0))
    elif change == "replaced":
        (tmp_path / "other").write_bytes(b"data")
        os.replace(tmp_path / "other", file)
    else:
        file.chmod(0o600)
    assert cache.of_stat(os.stat(file)) is None


def test_of_stat_does_not_trust_a_file_that_changed_in_this_instant(cache: HashCache, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    stat = os.stat(tmp_path / "file")
    later = list(stat)
    ahead = os.stat_result(later, {"st_ctime_ns": time.time_ns() + 10**9, "st_mtime_ns": stat.st_mtime_ns})
    cache.remember(b"file", A, 4, ahead)  # as after the clock was moved back
    assert cache.of_stat(ahead) is None


def test_forget_forgets_a_path_alone(cache: HashCache, tmp_path: Path) -> None:
    cache.learn(A, 4, b"h", b"w")
    for name in (b"x", b"y"):
        cache.remember(name, A, 4)
    cache.forget(b"x")
    assert cache.of_path(b"x") == []
    assert len(cache.of_path(b"y")) == 1


def test_pointer_of_gives_the_text_that_was_kept(cache: HashCache, path: Path) -> None:
    assert cache.pointer_of(b"x", A) is None
    cache.keep_pointer(b"x", A, b"theirs")
    assert cache.pointer_of(b"x", A) == b"theirs"
    assert cache.pointer_of(b"x", B) is None
    assert HashCache(str(path)).pointer_of(b"x", A) == b"theirs"


def test_reading_makes_no_file(cache: HashCache, path: Path) -> None:
    cache.of_path(b"x")
    cache.pointer_of(b"x", A)
    assert not path.exists()


@pytest.mark.parametrize("damage", [b"garbage" * 1000, b"SQLite format 3\0" + bytes(2000)])
def test_damaged_database_is_made_anew(cache: HashCache, path: Path, damage: bytes) -> None:
    cache.learn(A, 4, b"h", b"w")
    cache.close()
    path.write_bytes(damage)
    assert cache.of_path(b"x") == []
    cache.learn(A, 4, b"h", b"w")
    cache.remember(b"x", A, 4)
    assert len(cache.of_path(b"x")) == 1


def test_database_of_another_version_is_made_anew(cache: HashCache, path: Path) -> None:
    import sqlite3

    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    cache.learn(A, 4, b"h", b"w")
    cache.remember(b"x", A, 4)
    assert len(cache.of_path(b"x")) == 1


def test_folder_in_the_place_of_the_database_is_a_cache_that_knows_nothing(cache: HashCache, path: Path) -> None:
    path.mkdir(parents=True)
    cache.remember(b"x", A, 4)
    assert cache.of_path(b"x") == []


def test_threads_and_processes_may_share_it(cache: HashCache, path: Path) -> None:
    def work(number: int) -> None:
        other = HashCache(str(path)) if number % 2 else cache
        for each in range(4):
            other.learn(f"sha256:{number}-{each}", 1, b"h", b"w")
            other.remember(b"%d" % number, f"sha256:{number}-{each}", 1)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(cache.of_path(b"%d" % number)) for number in range(4)] == [4] * 4
