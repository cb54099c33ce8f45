"""Merging versions of one file: pointers, content, text and anything else."""

from pathlib import Path
from typing import NamedTuple

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.pointer import Pointer, parse
from gitkit.drivers.merge import MAX_TEXT, Files, Merged, merge
from gitkit.errors import Corrupt, KitError
from gitkit.git.run import Git
from gitkit.store.layout import ImageLayout
from tests.lib.repos import Repo

BASE = b"1\n2\n3\n4\n5\n"
OURS = b"0\n1\n2\n3\n4\n5\n"
THEIRS = b"1\n2\n3\n4\n5\n6\n"
BOTH = b"0\n1\n2\n3\n4\n5\n6\n"
OTHER = b"1\n2\nthree\n4\n5\n"
CLEAN = Merged("clean")


class Bench(NamedTuple):
    """A store, and a place for the files that Git would hand over."""

    folder: Path
    store: ImageLayout
    git: Git

    def pointer(self, data: bytes, *, here: bool = True, lfs: bool = False) -> bytes:
        """The pointer of ``data``, whose content is in the store unless it is not ``here``."""
        if here:
            self.store.add_bytes(data)
        raw = Pointer(digest_of(data), len(data)).encode()
        return raw.replace(b"git-kit/1", b"https://git-lfs.github.com/spec/v1") if lfs else raw

    def merge(self, base: bytes, ours: bytes, theirs: bytes) -> tuple[Merged, bytes]:
        """Result, and what our side's file holds after it."""
        paths = [self.folder / name for name in ("base", "ours", "theirs")]
        for path, data in zip(paths, (base, ours, theirs), strict=True):
            path.write_bytes(data)
        result = merge(Files(*map(str, paths)), self.store, self.git, marker_size=7)
        assert paths[0].read_bytes() == base
        assert paths[2].read_bytes() == theirs
        return result, paths[1].read_bytes()

    def content(self, raw: bytes) -> bytes:
        """What the pointer ``raw`` names."""
        pointer = parse(raw)
        assert pointer is not None
        return Path(self.store.blob_path(pointer.digest)).read_bytes()


@pytest.fixture
def bench(repo: Repo) -> Bench:
    folder = repo.path / "files"
    folder.mkdir()
    return Bench(folder, ImageLayout(str(repo.path / ".git/kit")), Git(str(repo.path), repo.environ))


def test_changes_in_different_lines_become_one_pointer(bench: Bench) -> None:
    result, ours = bench.merge(*map(bench.pointer, (BASE, OURS, THEIRS)))
    assert result == CLEAN
    assert ours == Pointer(digest_of(BOTH), len(BOTH)).encode()
    assert bench.content(ours) == BOTH


def test_same_lines_changed_leave_both_between_markers(bench: Bench) -> None:
    result, ours = bench.merge(*map(bench.pointer, (BASE, OTHER, BASE.replace(b"3", b"drei"))))
    assert result == Merged("edited")
    assert ours == b"1\n2\n<<<<<<< ours\nthree\n=======\ndrei\n>>>>>>> theirs\n4\n5\n"


def test_conflict_style_of_the_person_is_followed(bench: Bench, repo: Repo) -> None:
    repo.git("config", "merge.conflictStyle", "diff3")
    _, ours = bench.merge(*map(bench.pointer, (BASE, OTHER, BASE.replace(b"3", b"drei"))))
    assert b"||||||| base\n3\n=======\n" in ours


@pytest.mark.parametrize("here", [True, False])
def test_one_side_unchanged_gives_the_other_without_its_content(bench: Bench, here: bool) -> None:
    base, other = (bench.pointer(data, here=here) for data in (BASE, b"\0" * 2000))
    assert bench.merge(base, base, other) == (CLEAN, other)
    assert bench.merge(base, other, base) == (CLEAN, other)
    assert bench.merge(base, other, other) == (CLEAN, other)


def test_pointer_of_git_lfs_counts_by_its_content(bench: Bench) -> None:
    lfs, ours = bench.pointer(BASE, lfs=True), bench.pointer(BASE)
    changed = bench.pointer(OURS)
    assert bench.merge(lfs, ours, changed) == (CLEAN, changed)
    assert bench.merge(lfs, changed, ours) == (CLEAN, changed)
    assert bench.merge(lfs, bench.pointer(OURS, lfs=True), changed) == (CLEAN, bench.pointer(OURS, lfs=True))
    result, merged = bench.merge(lfs, bench.pointer(OURS, lfs=True), bench.pointer(THEIRS))
    assert (result, merged) == (CLEAN, Pointer(digest_of(BOTH), len(BOTH)).encode())


def test_content_that_git_holds_itself_is_a_side_like_any(bench: Bench) -> None:
    result, ours = bench.merge(BASE, bench.pointer(OURS), THEIRS)
    assert (result, bench.content(ours)) == (CLEAN, BOTH)
    result, ours = bench.merge(BASE, OURS, bench.pointer(THEIRS))
    assert (result, bench.content(ours)) == (CLEAN, BOTH)
    assert bench.merge(BASE, BASE, THEIRS) == (CLEAN, THEIRS)


def test_content_on_both_sides_stays_content(bench: Bench) -> None:
    assert bench.merge(BASE, OURS, THEIRS) == (CLEAN, BOTH)
    assert not bench.store.exists()


def test_new_on_both_sides_is_merged_against_nothing(bench: Bench) -> None:
    result, ours = bench.merge(b"", bench.pointer(b"a\n"), bench.pointer(b"b\n"))
    assert (result, ours) == (Merged("edited"), b"<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n")


@pytest.mark.parametrize("other", [b"\0\n", b"\xff\xfe\n", b"caf\xc3"])
def test_what_is_not_text_is_kept(bench: Bench, other: bytes) -> None:
    base, ours, theirs = map(bench.pointer, (BASE, OURS, BASE + other))
    assert bench.merge(base, ours, theirs) == (Merged("kept", "it is not text"), ours)
    assert bench.merge(base, theirs, ours) == (Merged("kept", "it is not text"), theirs)


def test_text_with_a_character_across_blocks_is_text(bench: Bench) -> None:
    long = b"x" * ((1 << 20) - 1) + "é\n".encode()
    result, ours = bench.merge(*map(bench.pointer, (long + BASE, long + OURS, long + THEIRS)))
    assert (result, bench.content(ours)) == (CLEAN, long + BOTH)


def test_what_is_too_large_is_kept_without_a_look(bench: Bench) -> None:
    huge = Pointer("sha256:" + "7" * 64, MAX_TEXT + 1).encode()
    base, ours = map(bench.pointer, (BASE, OURS))
    result, after = bench.merge(base, ours, huge)
    assert (result.outcome, result.missing, after) == ("kept", False, ours)


@pytest.mark.parametrize("absent", [0, 1, 2])
def test_content_that_is_not_here_keeps_our_side(bench: Bench, absent: int) -> None:
    texts = enumerate((BASE, OURS, THEIRS))
    base, ours, theirs = (bench.pointer(data, here=number != absent) for number, data in texts)
    result, after = bench.merge(base, ours, theirs)
    assert (result.outcome, result.missing, after) == ("kept", True, ours)


def test_damaged_content_is_never_merged(bench: Bench) -> None:
    base, ours, theirs = map(bench.pointer, (BASE, OURS, THEIRS))
    blob = Path(bench.store.blob_path(digest_of(THEIRS)))
    blob.chmod(0o644)
    blob.write_bytes(THEIRS.replace(b"6", b"7"))
    with pytest.raises(Corrupt):
        bench.merge(base, ours, theirs)
    assert (bench.folder / "ours").read_bytes() == ours


def test_failure_on_the_way_leaves_our_side_as_it_was(bench: Bench, tmp_path: Path) -> None:
    base, ours, theirs = map(bench.pointer, (BASE, OURS, THEIRS))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text("#!/bin/sh\nexit 255\n")
    (tmp_path / "bin/git").chmod(0o755)
    broken = bench._replace(git=Git(str(bench.folder), {"PATH": str(tmp_path / "bin")}))
    with pytest.raises(KitError):
        broken.merge(base, ours, theirs)
    assert (bench.folder / "ours").read_bytes() == ours


def test_store_that_takes_nothing_leaves_our_side_as_it_was(bench: Bench) -> None:
    base, ours, theirs = map(bench.pointer, (BASE, OURS, THEIRS))
    tmp = Path(bench.store.path) / "tmp"
    tmp.rmdir()
    tmp.write_text("no folder")
    with pytest.raises(KitError):
        bench._replace(store=ImageLayout(bench.store.path)).merge(base, ours, theirs)
    assert (bench.folder / "ours").read_bytes() == ours


def test_file_that_is_missing_is_said(bench: Bench) -> None:
    with pytest.raises(KitError, match="cannot merge"):
        merge(Files("/nonexistent/a", "b", "c"), bench.store, bench.git, marker_size=7)
