"""`git kit add` end to end: no filter for what we store ourselves, and never another result than that of `git add`."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from tests.lib.large_files import (
    ATTRIBUTES,
    MIB,
    drafts,
    lfs_pointer_to,
    pointer_to,
    store_blob,
    unprivileged,
)
from tests.lib.repos import Repo, init, some_bytes

PAST = 1_700_000_000
LARGE = some_bytes(3 * MIB + 1, seed=1)
SMALL = some_bytes(3000, seed=2)


def put(repo: Repo, path: str, data: bytes | str, *, mode: int = 0o644, mtime: int = PAST) -> None:
    """A file that is older than the index will be: Git looks at younger ones again and again."""
    target = repo.write(path, data, mode=mode)
    os.utime(target, (mtime, mtime))


def staged(repo: Repo) -> dict[str, str]:
    """Path to mode, of all stages."""
    records = repo.git("ls-files", "-s", "-z").stdout.split("\0")[:-1]
    return {record.split("\t", 1)[1]: record.split(" ")[0] for record in records}


def filters(repo: Repo, *args: str) -> int:
    """How many filter processes a git command starts."""
    trace = repo.git(*args, extra={"GIT_TRACE": "1"}).stderr.splitlines()
    return sum("run_command" in line and "filter-process" in line for line in trace)


@contextmanager
def counted_filters(repo: Repo) -> Iterator[list[str]]:
    """What the filter processes were started for inside of the block; each leaves a line in a log."""
    log = repo.path / ".git/filters"
    script = repo.write(
        ".git/filter.sh", f"#!/bin/sh\necho start >> '{log}'\nexec git-kit filter-process\n", mode=0o755
    )
    repo.git("config", "filter.kit.process", str(script))
    log.write_text("")
    started: list[str] = []
    yield started
    started += log.read_text().splitlines()


def test_kit_add_starts_no_filter_and_neither_do_the_commands_that_follow(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", ATTRIBUTES)
    put(kit_repo, "large.bin", LARGE)
    put(kit_repo, "d/small.bin", SMALL, mode=0o755)
    put(kit_repo, "empty.bin", b"")
    put(kit_repo, "plain.txt", "plain\n")
    with counted_filters(kit_repo) as started:
        done = kit_repo.kit("add", ".")
        assert done.stdout == ""
        assert done.stderr.startswith("added 3 files, 3.0 MiB in ")
        kit_repo.git("status")
        kit_repo.git("add", ".")
        kit_repo.git("commit", "--quiet", "-m", "one")
        kit_repo.git("status")
    assert started == []
    assert kit_repo.blob("HEAD:large.bin") == pointer_to(LARGE)
    assert kit_repo.blob("HEAD:d/small.bin") == pointer_to(SMALL)
    assert kit_repo.blob("HEAD:empty.bin") == b""
    assert kit_repo.blob("HEAD:plain.txt") == b"plain\n"
    assert staged(kit_repo)["d/small.bin"] == "100755"
    assert store_blob(kit_repo, LARGE).read_bytes() == LARGE
    assert store_blob(kit_repo, SMALL).read_bytes() == SMALL
    kit_repo.git("fsck", "--strict")
    kit_repo.kit("fsck")


def test_git_add_in_the_same_place_starts_the_filter(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", ATTRIBUTES)
    put(kit_repo, "small.bin", SMALL)
    with counted_filters(kit_repo) as started:
        kit_repo.git("add", ".")
    assert started == ["start"]


def test_kit_add_in_a_sha256_repository_stores_pointers(tmp_path: Path, kit_repo: Repo) -> None:
    repo = init(tmp_path / "sha256", kit_repo.environ, "--object-format=sha256")
    put(repo, ".gitattributes", ATTRIBUTES)
    for number in range(101):
        put(repo, f"{number}.bin", some_bytes(100, seed=number))
    repo.kit("add", ".")
    assert filters(repo, "status") == 0
    assert repo.blob(":77.bin") == pointer_to(some_bytes(100, seed=77))
    repo.git("fsck", "--strict")
    assert "in-pack: 101" in repo.out("count-objects", "-v")


@pytest.mark.parametrize("version", ["2", "4"])
def test_kit_add_changes_of_every_kind_in_one_go(kit_repo: Repo, version: str) -> None:
    kit_repo.git("config", "index.version", version)
    kit_repo.commit(files={".gitattributes": ATTRIBUTES})
    for path in ("changed.bin", "gone.bin", "same.bin", "file", "folder/a.bin"):
        put(kit_repo, path, SMALL)
    kit_repo.commit()
    put(kit_repo, "changed.bin", LARGE, mtime=PAST + 9)
    put(kit_repo, "same.bin", SMALL, mtime=PAST + 9)
    for path in ("gone.bin", "file", "folder/a.bin"):
        (kit_repo.path / path).unlink()
    (kit_repo.path / "folder").rmdir()
    put(kit_repo, "file/inside.bin", LARGE)
    put(kit_repo, "folder", "a file now\n")
    done = kit_repo.kit("add", "-v", "-A")
    assert sorted(done.stdout.splitlines()) == [
        *("add 'changed.bin'", "add 'file/inside.bin'", "add 'folder'"),
        *("remove 'file'", "remove 'folder/a.bin'", "remove 'gone.bin'"),
    ]
    assert kit_repo.out("status", "--porcelain").splitlines() == [
        *("M  changed.bin", "D  file", "A  file/inside.bin", "A  folder", "D  folder/a.bin", "D  gone.bin"),
    ]
    assert filters(kit_repo, "status") == 0
    assert "added 2 files, 6.0 MiB" in done.stderr


def test_kit_add_in_a_subfolder_means_paths_from_there(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", ATTRIBUTES)
    for path in ("top.bin", "d/a.bin", "d/e/b.bin", "d/note.txt", "other/c.bin"):
        put(kit_repo, path, SMALL)
    kit_repo.kit("add", "*.bin", ":!e", cwd="d")
    assert list(staged(kit_repo)) == ["d/a.bin"]
    kit_repo.kit("add", ".", cwd="d")
    assert list(staged(kit_repo)) == ["d/a.bin", "d/e/b.bin", "d/note.txt"]
    kit_repo.kit("add", "../top.bin", cwd="d")
    assert "top.bin" in staged(kit_repo)
    kit_repo.kit("add", "-A", cwd="d/e")
    assert list(staged(kit_repo)) == [".gitattributes", "d/a.bin", "d/e/b.bin", "d/note.txt", "other/c.bin", "top.bin"]


def test_kit_add_pathspecs_as_git_was_told_to_read_them(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", ATTRIBUTES)
    put(kit_repo, "*.bin", SMALL)
    put(kit_repo, "a.bin", SMALL)
    kit_repo.git("--literal-pathspecs", "kit", "add", "*.bin")
    assert list(staged(kit_repo)) == ["*.bin"]


def test_kit_add_update_leaves_new_files_alone(kit_repo: Repo) -> None:
    kit_repo.commit(files={".gitattributes": ATTRIBUTES, "old.bin": SMALL})
    put(kit_repo, "old.bin", LARGE)
    put(kit_repo, "new.bin", LARGE)
    kit_repo.kit("add", "-u")
    assert list(staged(kit_repo)) == [".gitattributes", "old.bin"]
    assert kit_repo.blob(":old.bin") == pointer_to(LARGE)


def test_kit_add_ignored_file_is_refused_without_force(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", ATTRIBUTES)
    put(kit_repo, ".gitignore", "ignored.bin\n")
    put(kit_repo, "ignored.bin", SMALL)
    put(kit_repo, "good.bin", SMALL)
    done = kit_repo.kit("add", "ignored.bin", "good.bin", code=1)
    assert "paths are ignored by one of your .gitignore files:\nignored.bin\n" in done.stderr
    assert list(staged(kit_repo)) == ["good.bin"]
    kit_repo.kit("add", "--force", "ignored.bin")
    assert kit_repo.blob(":ignored.bin") == pointer_to(SMALL)


def test_kit_add_path_that_matches_nothing_adds_nothing(kit_repo: Repo) -> None:
    kit_repo.commit(files={".gitattributes": ATTRIBUTES})
    put(kit_repo, "good.bin", SMALL)
    before = (kit_repo.path / ".git/index").read_bytes()
    done = kit_repo.kit("add", "good.bin", "missing.bin", code=1)
    assert "fatal: pathspec 'missing.bin' did not match any files" in done.stderr
    assert (kit_repo.path / ".git/index").read_bytes() == before
    assert [name for name in os.listdir(kit_repo.path / ".git") if name.startswith("index.")] == []


def test_kit_add_unreadable_file_fails_as_git_add_does(kit_repo: Repo) -> None:
    kit_repo.commit(files={".gitattributes": ATTRIBUTES})
    put(kit_repo, "good.bin", SMALL)
    put(kit_repo, "secret.bin", SMALL, mode=0)
    before = (kit_repo.path / ".git/index").read_bytes()
    theirs = unprivileged(kit_repo, "git", "add", ".", code=128).stderr
    ours = unprivileged(kit_repo, "git", "kit", "add", ".", code=1).stderr
    assert ours == f"{theirs}error: git add failed\n\nhint: its message is above\n"
    assert 'open("secret.bin"): Permission denied' in ours
    assert (kit_repo.path / ".git/index").read_bytes() == before
    unprivileged(kit_repo, "git", "kit", "add", "--ignore-errors", ".", code=1)
    assert list(staged(kit_repo)) == [".gitattributes", "good.bin"]


def test_kit_add_pointer_with_conflict_markers_is_refused(kit_repo: Repo) -> None:
    kit_repo.commit(files={".gitattributes": ATTRIBUTES})
    ours, theirs = pointer_to(LARGE), pointer_to(SMALL)
    put(kit_repo, "a.bin", b"<<<<<<< HEAD\n" + ours + b"=======\n" + theirs + b">>>>>>> other\n")
    put(kit_repo, "b.bin", SMALL)
    done = kit_repo.kit("add", ".", code=1)
    assert "a.bin: a merge left conflict markers in this pointer" in done.stderr
    assert list(staged(kit_repo)) == [".gitattributes"]


def test_kit_add_unmerged_path_is_resolved(kit_repo: Repo) -> None:
    base = kit_repo.commit(files={".gitattributes": "*.bin filter=kit -text\n", "a.bin": b"1", "b.bin": b"1"})
    kit_repo.commit(files={"a.bin": b"22"})
    kit_repo.git("checkout", "--quiet", "-b", "other", base)
    kit_repo.commit(files={"a.bin": b"333"})
    kit_repo.git("merge", "main", code=1)
    put(kit_repo, "a.bin", LARGE)
    put(kit_repo, "b.bin", SMALL)
    kit_repo.kit("add", ".")
    assert kit_repo.out("ls-files", "--unmerged") == ""
    assert kit_repo.blob(":a.bin") == pointer_to(LARGE)
    assert kit_repo.blob(":b.bin") == pointer_to(SMALL)


def test_kit_add_intent_to_add_becomes_an_ordinary_entry(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", ATTRIBUTES)
    put(kit_repo, "a.bin", SMALL)
    put(kit_repo, "b.bin", b"")
    kit_repo.git("add", "-N", ".")
    done = kit_repo.kit("add", "-v", ".")
    assert sorted(done.stdout.splitlines()) == ["add '.gitattributes'", "add 'a.bin'", "add 'b.bin'"]
    assert kit_repo.out("status", "--porcelain").splitlines() == ["A  .gitattributes", "A  a.bin", "A  b.bin"]
    kit_repo.git("commit", "--quiet", "-m", "one")
    assert kit_repo.blob("HEAD:a.bin") == pointer_to(SMALL)


def test_kit_add_where_file_modes_do_not_count_keeps_those_of_the_index(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", ATTRIBUTES)
    put(kit_repo, "program.bin", SMALL, mode=0o755)
    put(kit_repo, "data.bin", SMALL)
    kit_repo.commit()
    kit_repo.git("config", "core.fileMode", "false")
    put(kit_repo, "program.bin", LARGE, mode=0o644)
    put(kit_repo, "data.bin", LARGE, mode=0o755)
    put(kit_repo, "new.bin", LARGE, mode=0o755)
    kit_repo.kit("add", ".")
    modes = staged(kit_repo)
    assert (modes["program.bin"], modes["data.bin"], modes["new.bin"]) == ("100755", "100644", "100644")
    assert filters(kit_repo, "status") == 0


def test_kit_add_only_the_executable_bit_changed_is_noticed(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", ATTRIBUTES)
    put(kit_repo, "a.bin", LARGE)
    kit_repo.kit("add", ".")
    (kit_repo.path / "a.bin").chmod(0o755)
    assert kit_repo.kit("add", "-v", "a.bin").stdout == "add 'a.bin'\n"
    assert staged(kit_repo)["a.bin"] == "100755"
    assert filters(kit_repo, "status") == 0


def test_kit_add_attributes_of_the_same_command_and_of_folders_count(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", "[attr]big filter=kit -text\n*.bin big\n")
    put(kit_repo, "plain/.gitattributes", "*.bin !filter\n")
    put(kit_repo, "a.bin", SMALL)
    put(kit_repo, "plain/b.bin", SMALL)
    kit_repo.kit("add", ".")
    assert kit_repo.blob(":a.bin") == pointer_to(SMALL)
    assert kit_repo.blob(":plain/b.bin") == SMALL


def test_kit_add_file_with_another_conversion_is_left_to_git(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", "*.bin filter=kit -text\nb.bin ident\n")
    put(kit_repo, "a.bin", LARGE)
    put(kit_repo, "b.bin", SMALL)
    with counted_filters(kit_repo) as started:
        kit_repo.kit("add", "a.bin")
    assert started == []
    with counted_filters(kit_repo) as started:
        kit_repo.kit("add", ".")
    assert started == ["start"]
    assert kit_repo.blob(":a.bin") == pointer_to(LARGE)
    assert kit_repo.blob(":b.bin") == pointer_to(SMALL)


def test_kit_add_symbolic_links_stay_links_and_none_is_followed(kit_repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.bin").write_bytes(SMALL)
    put(kit_repo, ".gitattributes", ATTRIBUTES)
    (kit_repo.path / "link.bin").symlink_to(tmp_path / "outside/secret.bin")
    (kit_repo.path / "folder").symlink_to(tmp_path / "outside")
    kit_repo.kit("add", ".")
    assert staged(kit_repo) == {".gitattributes": "100644", "folder": "120000", "link.bin": "120000"}
    done = kit_repo.kit("add", "folder/secret.bin", code=1)
    assert "beyond a symbolic link" in done.stderr
    assert not store_blob(kit_repo, SMALL).exists()


def test_kit_add_other_repositories_inside_are_left_to_git(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", ATTRIBUTES)
    inner = init(kit_repo.path / "inner", kit_repo.environ)
    put(inner, "a.bin", SMALL)
    inner.commit()
    put(kit_repo, "b.bin", SMALL)
    done = kit_repo.kit("add", ".")
    assert "adding embedded git repository: inner" in done.stderr
    assert staged(kit_repo)["inner"] == "160000"
    assert kit_repo.blob(":b.bin") == pointer_to(SMALL)


def test_kit_add_content_of_a_git_lfs_pointer_goes_back_to_it(kit_repo: Repo) -> None:
    from gitkit.context import Context

    put(kit_repo, ".gitattributes", ATTRIBUTES)
    put(kit_repo, "a.bin", SMALL)
    cache = Context(kit_repo.environ, str(kit_repo.path)).hash_cache
    cache.keep_pointer(b"a.bin", digest_of(SMALL), lfs_pointer_to(SMALL))
    cache.close()
    kit_repo.kit("add", ".")
    assert kit_repo.blob(":a.bin") == lfs_pointer_to(SMALL)


def test_kit_add_in_a_sparse_checkout_is_git_add(kit_repo: Repo) -> None:
    kit_repo.commit(files={".gitattributes": ATTRIBUTES, "in/a.bin": SMALL, "out/b.bin": SMALL})
    kit_repo.git("sparse-checkout", "set", "in")
    put(kit_repo, "in/a.bin", LARGE)
    put(kit_repo, "out/c.bin", LARGE)
    kit_repo.kit("add", ".", code=1)
    assert kit_repo.blob(":in/a.bin") == pointer_to(LARGE)
    assert "out/c.bin" not in staged(kit_repo)


def test_kit_add_without_the_filter_is_git_add_and_warns(repo: Repo) -> None:
    put(repo, ".gitattributes", ATTRIBUTES)
    put(repo, "a.bin", SMALL)
    done = repo.kit("add", ".")
    assert "warning: Git does not run git kit here" in done.stderr
    assert repo.blob(":a.bin") == SMALL


@pytest.mark.parametrize("setting", [["config", "index.skipHash", "true"], ["update-index", "--split-index"]])
def test_kit_add_to_an_index_of_another_kind_is_right(kit_repo: Repo, setting: list[str]) -> None:
    kit_repo.commit(files={".gitattributes": ATTRIBUTES, "old.bin": SMALL})
    kit_repo.git(*setting)
    put(kit_repo, "old.bin", LARGE)
    put(kit_repo, "new.bin", LARGE)
    kit_repo.kit("add", ".")
    assert kit_repo.out("status", "--porcelain").splitlines() == ["A  new.bin", "M  old.bin"]
    assert kit_repo.blob(":new.bin") == kit_repo.blob(":old.bin") == pointer_to(LARGE)


def test_kit_add_in_a_linked_worktree_uses_its_index_and_the_common_store(kit_repo: Repo, tmp_path: Path) -> None:
    kit_repo.commit(files={".gitattributes": ATTRIBUTES})
    kit_repo.git("worktree", "add", "--quiet", str(tmp_path / "linked"))
    linked = Repo(tmp_path / "linked", kit_repo.environ)
    put(linked, "a.bin", SMALL)
    linked.kit("add", ".")
    assert "a.bin" in staged(linked)
    assert "a.bin" not in staged(kit_repo)
    assert store_blob(kit_repo, SMALL).exists()


def test_kit_add_names_the_index_of_the_environment(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", ATTRIBUTES)
    put(kit_repo, "a.bin", SMALL)
    other = {"GIT_INDEX_FILE": str(kit_repo.path / ".git/other")}
    kit_repo.kit("add", ".", extra=other)
    assert kit_repo.git("ls-files", extra=other).stdout == ".gitattributes\na.bin\n"
    assert not (kit_repo.path / ".git/index").exists()


def test_kit_add_locked_index_is_told_before_anything_is_read(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", ATTRIBUTES)
    put(kit_repo, "a.bin", SMALL)
    lock = kit_repo.write(".git/index.lock", "somebody's")
    done = kit_repo.kit("add", ".", code=15)
    assert f"hint: wait for it to end; if it was killed, delete {lock}" in done.stderr
    assert lock.read_text() == "somebody's"
    assert not store_blob(kit_repo, SMALL).exists()


def test_kit_add_several_at_once_all_arrive(kit_repo: Repo) -> None:
    kit_repo.commit(files={".gitattributes": ATTRIBUTES})
    for number in range(4):
        put(kit_repo, f"{number}.bin", some_bytes(MIB, seed=number))
    running = [kit_repo.start("git", "kit", "add", f"{number}.bin") for number in range(4)]
    for process in running:
        _, stderr = process.communicate()
        assert process.returncode == 0, stderr
    assert list(staged(kit_repo)) == [".gitattributes", *(f"{number}.bin" for number in range(4))]
    assert filters(kit_repo, "status") == 0


def test_kit_add_killed_in_the_middle_leaves_the_index_and_can_be_repeated(kit_repo: Repo) -> None:
    kit_repo.commit(files={".gitattributes": ATTRIBUTES, "old.bin": SMALL})
    before = (kit_repo.path / ".git/index").read_bytes()
    put(kit_repo, "a.bin", some_bytes(64 * MIB))
    process = kit_repo.start("git-kit", "add", ".")
    while process.poll() is None and drafts(kit_repo) == []:
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert (kit_repo.path / ".git/index").read_bytes() == before
    assert not (kit_repo.path / ".git/index.lock").exists()
    kit_repo.kit("add", ".")
    assert kit_repo.blob(":a.bin") == pointer_to(kit_repo.read("a.bin"))
    kit_repo.kit("fsck")


def test_kit_add_hooks_of_the_index_and_of_commits_run_as_ever(kit_repo: Repo) -> None:
    kit_repo.commit(files={".gitattributes": ATTRIBUTES})
    log = kit_repo.path / ".git/hook-log"
    kit_repo.write(".git/hooks/post-index-change", f"#!/bin/sh\necho index >> '{log}'\n", mode=0o755)
    put(kit_repo, "a.bin", SMALL)
    put(kit_repo, "plain.txt", "plain\n")
    kit_repo.kit("add", ".")
    assert log.read_text() == "index\n"
    kit_repo.git("commit", "--quiet", "-m", "one")
    assert kit_repo.blob("HEAD:a.bin") == pointer_to(SMALL)


def test_kit_add_double_dash_ends_the_options(kit_repo: Repo) -> None:
    put(kit_repo, ".gitattributes", ATTRIBUTES)
    put(kit_repo, "-n", "plain\n")
    put(kit_repo, "-A.bin", SMALL)
    kit_repo.kit("add", "--", "-n", "-A.bin")
    assert list(staged(kit_repo)) == ["-A.bin", "-n"]
