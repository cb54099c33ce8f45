"""When Git runs the filter, and what that filter then does without: single-shot commands, downloads, memory.

Packets, odd requests and files of exactly a pointer's largest size: tests/integration/test_filter_process.py.
"""

import tarfile
from io import BytesIO

from tests.lib.large_files import LARGE, SKIP, A, B, in_worktree, pointer_to, store_blob
from tests.lib.registries import REPOSITORY, FaultRegistry
from tests.lib.repos import Repo, run

BROKEN = ("-c", "filter.kit.clean=false", "-c", "filter.kit.smudge=false")
"""Options of a git whose single-shot filters fail."""


def test_filter_process_is_chosen_before_the_single_shot_commands(repo: Repo) -> None:
    repo.write("a.bin", A)
    repo.git(*BROKEN, "add", "--all")
    assert repo.blob(":a.bin") == pointer_to(A)
    (repo.path / "a.bin").unlink()
    repo.git(*BROKEN, "checkout", "--", "a.bin")
    assert repo.read("a.bin") == A


def test_single_shot_commands_alone_do_the_same(repo: Repo) -> None:
    repo.git("config", "--global", "--unset", "filter.kit.process")
    repo.commit("first", {"a.bin": A, "with space.bin": B, "-dash.bin": B, "empty.bin": b""})
    assert (repo.blob(":a.bin"), repo.blob(":with space.bin")) == (pointer_to(A), pointer_to(B))
    for name in ("a.bin", "with space.bin", "-dash.bin", "empty.bin"):
        (repo.path / name).unlink()
    repo.git("checkout", "--", ".")
    assert in_worktree(repo, "a.bin", "with space.bin", "-dash.bin") == {
        "a.bin": A,
        "with space.bin": B,
        "-dash.bin": B,
    }
    assert repo.out("status", "--porcelain") == ""


def test_checkout_index_writes_content_inline_and_pointers_where_they_are_wanted(author: Repo) -> None:
    author.git("checkout-index", "--index", "--all", "--force", extra=SKIP)
    assert in_worktree(author) == {path: pointer_to(data) for path, data in LARGE.items()}
    assert author.out("status", "--porcelain") == ""
    author.git("checkout-index", "--all", "--force", "--prefix=export/")
    assert in_worktree(author, "export/models/a.bin", "export/top.bin") == {
        "export/models/a.bin": A,
        "export/top.bin": LARGE["top.bin"],
    }


def archived(repo: Repo, *args: str) -> dict[str, bytes]:
    """The large files of `git archive`, by path."""
    run(["git", "archive", "--output=../archive.tar", *args], cwd=repo.path, environ=repo.environ)
    with tarfile.open(fileobj=BytesIO((repo.path.parent / "archive.tar").read_bytes())) as tar:
        members = [member for member in tar.getmembers() if member.name.endswith(".bin")]
        return {member.name: tar.extractfile(member).read() for member in members}  # type: ignore[union-attr]


def test_archive_of_content_that_is_here_asks_no_remote(author: Repo, fault_registry: FaultRegistry) -> None:
    author.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    assert archived(author, "HEAD") == {**LARGE, "empty.bin": b""}
    assert fault_registry.requests == []


def test_archive_of_files_under_no_filter_asks_no_remote(lazy: Repo, fault_registry: FaultRegistry) -> None:
    lazy.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    archived(lazy, "HEAD", "README.md")
    assert fault_registry.requests == []


def test_archive_brings_the_content_that_is_not_here(lazy: Repo) -> None:
    assert archived(lazy, "HEAD") == {**LARGE, "empty.bin": b""}
    assert store_blob(lazy, A).read_bytes() == A
    assert lazy.read("models/a.bin") == pointer_to(A)


def test_archive_without_content_anywhere_holds_the_pointers_and_tells(lazy: Repo, origin: Repo) -> None:
    lazy.git("remote", "remove", "origin")
    assert archived(lazy, "HEAD") == {**{path: pointer_to(data) for path, data in LARGE.items()}, "empty.bin": b""}
