"""What tests of large files share: pointers, where blobs lie, who runs the filter, and a machine with git kit on it."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gitkit.core.digest import digest_of
from tests.lib.repos import Ran, Repo, clean_environ, init, run, some_bytes

MIB = 1 << 20
ATTRIBUTES = "*.bin filter=kit diff=kit merge=kit -text\n"
SKIP = {"GIT_KIT_SKIP_SMUDGE": "1"}
FILTER_OFF = ("-c", "filter.kit.process=", "-c", "filter.kit.clean=", "-c", "filter.kit.required=false")
"""Options of a git that stores files under the filter as they are, as one without git kit does."""

A, B, TOP = some_bytes(100_000, seed=1), some_bytes(3000, seed=2), some_bytes(2000, seed=3)
PUBLISHED: dict[str, bytes | str] = {
    ".gitattributes": ATTRIBUTES,
    "README.md": "hello\n",
    "empty.bin": b"",
    "models/a.bin": A,
    "models/b.bin": B,
    "models/same.bin": B,
    "top.bin": TOP,
}
"""A commit with every kind of file; ``LARGE`` are those that Git holds as pointers."""
LARGE = {"models/a.bin": A, "models/b.bin": B, "models/same.bin": B, "top.bin": TOP}
OURS, THEIRS = some_bytes(5000, seed=4), some_bytes(5000, seed=5)
"""What the two sides of a merge make of ``top.bin``."""


class Template(NamedTuple):
    """A bare repository whose folder ``kit`` holds the content, its author's clone, and a clone of pointers alone."""

    origin: Repo
    author: Repo
    lazy: Repo


def pointer_to(data: bytes) -> bytes:
    """What Git stores for ``data``."""
    return f"version git-kit/1\noid {digest_of(data)}\nsize {len(data)}\n".encode() if data else b""


def lfs_pointer_to(data: bytes) -> bytes:
    """What Git LFS has Git store for ``data``."""
    return f"version https://git-lfs.github.com/spec/v1\noid {digest_of(data)}\nsize {len(data)}\n".encode()


def store_of(repo: Repo) -> Path:
    """The store of the clone that ``repo`` is, or is a worktree of; there or not."""
    return Path(repo.out("rev-parse", "--path-format=absolute", "--git-common-dir"), "kit")


def store_blob(repo: Repo, data: bytes) -> Path:
    """Where the clone's store has, or would have, ``data``."""
    return blob_in(store_of(repo), data)


def blob_in(layout: Path, data: bytes) -> Path:
    """Where a layout folder has, or would have, ``data``."""
    return layout / "blobs" / "sha256" / digest_of(data).removeprefix("sha256:")


def digests_in(layout: Path) -> set[str]:
    """All blobs of a layout folder, its manifests among them."""
    folder = layout / "blobs" / "sha256"
    return {f"sha256:{name}" for name in os.listdir(folder)} if folder.exists() else set()


def drafts(repo: Repo) -> list[str]:
    """What lies in the store's folder for unfinished files."""
    folder = store_of(repo) / "tmp"
    return os.listdir(folder) if folder.exists() else []


def read_by_status(repo: Repo) -> set[str]:
    """The files that `git status`, which must have nothing to say, gives to the filter."""
    done = repo.git("status", "--porcelain", extra={"GIT_TRACE_PACKET": "1"})
    assert done.stdout == ""
    return {line.partition("> pathname=")[2] for line in done.stderr.splitlines() if "> pathname=" in line}


def machine(folder: Path) -> Repo:
    """A machine on which a person ran `git kit install`; its ``environ`` is that person's.

    Every repository made or cloned there gets the hooks, by ``init.templateDir``; but the one of commits, which are
    many in tests and not what these are about.
    """
    repo = init(folder / "installed", clean_environ(folder / "home"))
    repo.kit("install")
    (folder / "installed/.git/hooks/pre-commit").unlink()
    repo.git("config", "--global", "init.templateDir", str(folder / "installed" / ".git"))
    repo.git("config", "--global", "protocol.file.allow", "always")
    return repo


def move_in(environ: Mapping[str, str], installed: Repo) -> None:
    """Give the person of ``environ`` the configuration of ``installed``."""
    config = Path(installed.environ["GIT_CONFIG_GLOBAL"]).read_bytes()
    Path(environ["GIT_CONFIG_GLOBAL"]).write_bytes(config)


def copy_of(repo: Repo, path: Path, environ: Mapping[str, str]) -> Repo:
    """A copy at ``path`` of a whole repository, in another environment; faster than making it again."""
    shutil.copytree(repo.path, path, symlinks=True)
    return Repo(path, environ)


def unprivileged(repo: Repo, *argv: str, code: int | None = 0) -> Ran:
    """Run a program for whom permissions of files count, as they do for everybody but root."""
    dropped = "-dac_override,-dac_read_search"
    prefix = ["setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}"] if os.geteuid() == 0 else []
    return run([*prefix, *argv], cwd=repo.path, environ=repo.environ, code=code)


def in_worktree(repo: Repo, *paths: str) -> dict[str, bytes]:
    """The files ``paths`` (all of ``LARGE``) of the worktree."""
    return {path: repo.read(path) for path in paths or LARGE}
