"""Content becomes a pointer, and the pointer becomes the same content again; what only resembles one is content.

The grammar of pointers: tests/unit/core/test_pointer.py. What clean and smudge answer over the long-running protocol,
sizes at which buffers end, and bytes that are not the file's: tests/integration/test_filter_process.py.
"""

import subprocess

import pytest

from tests.lib.large_files import (
    FILTER_OFF,
    MIB,
    SKIP,
    A,
    B,
    drafts,
    in_worktree,
    lfs_pointer_to,
    pointer_to,
    store_blob,
)
from tests.lib.repos import Repo, some_bytes

OF_1024 = pointer_to(A) + b"note " + b"x" * (1024 - len(pointer_to(A)) - 6) + b"\n"


def piped(repo: Repo, command: str, data: bytes) -> bytes:
    """What `git kit clean` or `git kit smudge` prints for ``data``."""
    argv = ["git", "kit", command]
    return subprocess.run(
        argv, cwd=repo.path, env=repo.environ, input=data, capture_output=True, check=True, timeout=60
    ).stdout


@pytest.mark.parametrize("size", [1, 1024, MIB + 1])
def test_clean_of_bytes_of_any_size_prints_their_pointer_and_smudge_the_bytes(repo: Repo, size: int) -> None:
    data = some_bytes(size, seed=size)
    pointer = piped(repo, "clean", data)
    assert pointer == pointer_to(data)
    assert piped(repo, "smudge", pointer) == data
    assert drafts(repo) == []


@pytest.mark.parametrize(
    "pointer",
    [b"", pointer_to(A), lfs_pointer_to(A), pointer_to(A) + b"note mine\n", OF_1024],
    ids=["empty", "of git kit", "of Git LFS", "with a note", "of 1024 bytes"],
)
def test_clean_of_a_pointer_prints_the_same_bytes(repo: Repo, pointer: bytes) -> None:
    assert piped(repo, "clean", pointer) == pointer


@pytest.mark.parametrize(
    "data",
    [pointer_to(A) + b"\ntext", OF_1024[:-1] + b"x\n", pointer_to(A)[:-1], b" " + pointer_to(A), pointer_to(A)[:18]],
    ids=["text behind", "of 1025 bytes", "no line end", "space before", "first line alone"],
)
def test_clean_of_what_resembles_a_pointer_stores_it_as_content(repo: Repo, data: bytes) -> None:
    assert piped(repo, "clean", data) == pointer_to(data)
    assert store_blob(repo, data).read_bytes() == data
    assert piped(repo, "smudge", data) == data


def test_smudge_of_a_pointer_without_content_prints_it_and_tells_why(repo: Repo) -> None:
    done = repo.kit("smudge", stdin=pointer_to(A))
    assert done.stdout.encode() == pointer_to(A)
    assert "git kit: the pointer stays: no remote is configured" in done.stderr
    silent = repo.kit("smudge", stdin=pointer_to(A), extra=SKIP)
    assert (silent.stdout.encode(), silent.stderr) == (pointer_to(A), "")
    strict = repo.git("-c", "kit.strict=true", "kit", "smudge", stdin=pointer_to(A), code=10)
    assert (strict.stdout, "no remote is configured" in strict.stderr) == ("", True)


def test_smudge_downloads_from_the_only_git_remote_whatever_its_name(lazy: Repo) -> None:
    lazy.git("remote", "rename", "origin", "upstream")
    assert piped(lazy, "smudge", pointer_to(A)) == A


def test_content_that_git_holds_itself_survives_checkout_at_every_size_and_is_reported(repo: Repo) -> None:
    files = {f"{size}.bin": some_bytes(size, seed=size) for size in (1, 1023, 1024, 1025, MIB + 1)}
    repo.write("empty.bin", b"")
    for name, data in files.items():
        repo.write(name, data)
    repo.git(*FILTER_OFF, "add", "--all")
    repo.git("commit", "--quiet", "--no-verify", "--message", "by a clone without git kit")
    for name in (*files, "empty.bin"):
        (repo.path / name).unlink()
    said = repo.git("checkout", "--", ".").stderr
    assert in_worktree(repo, *files) == files
    assert repo.read("empty.bin") == b""
    assert "git kit: 5 files are tracked, but stored in Git as content:" in said
    assert "empty.bin" not in said
    assert "hint: git add --renormalize" in said


def test_empty_file_stays_empty_in_git_and_is_never_sent(repo: Repo, bare: Repo) -> None:
    repo.git("remote", "add", "origin", str(bare.path))
    repo.commit("nothing", {"empty.bin": b""})
    assert repo.blob("HEAD:empty.bin") == b""
    repo.git("push", "--quiet", "origin", "main")
    assert not (bare.path / "kit").exists()
    repo.commit("something", {"b.bin": B})
    assert "uploaded 1 file," in repo.git("push", "origin", "main").stderr
    clone = bare.clone(repo.path.parent / "clone")
    assert clone.read("empty.bin") == b""
    assert clone.out("status", "--porcelain") == ""
    assert clone.kit("pull").stderr == "nothing to pull\n"
