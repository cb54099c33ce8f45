"""What must be true of a clone at any moment, whatever was killed in it: computed here without git kit.

Files under the filter are those that are called ``*.bin``.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from gitkit.core.digest import digest_of
from gitkit.core.pointer import parse
from tests.lib.large_files import pointer_to
from tests.lib.repos import Repo

Contents = dict[str, tuple[bytes, bool]]
"""Content of every file of a worktree by path, and whether it may be executed."""


class State(NamedTuple):
    """All of a clone that a command may change. ``leftovers`` are files that only a command at work should have."""

    files: Contents
    index: list[str]
    refs: list[str]
    status: list[str]
    blobs: set[str]
    trash: set[str]
    corrupt: set[str]
    leftovers: list[str]


def state_of(repo: Repo) -> State:
    """The state of a clone whose store is its own."""
    kit = common_dir(repo) / "kit"
    return State(
        files=contents(repo),
        index=_records(repo, "ls-files", "--stage", "-z"),
        refs=[repo.out("rev-parse", "--symbolic-full-name", "HEAD"), *repo.out("for-each-ref").splitlines()],
        status=status(repo),
        blobs=_names(kit / "blobs" / "sha256"),
        trash={name for day in _paths(kit / "trash") for name in _names(day)},
        corrupt=_names(kit / "corrupt"),
        leftovers=leftovers(repo),
    )


def contents(repo: Repo) -> Contents:
    """All files of the worktree, tracked or not."""
    found = {}
    for folder, folders, names in os.walk(repo.path):
        if ".git" in folders:
            folders.remove(".git")
        for path in (Path(folder, name) for name in names if name != ".git"):
            found[str(path.relative_to(repo.path))] = path.read_bytes(), bool(path.stat().st_mode & 0o100)
    return found


def status(repo: Repo) -> list[str]:
    """What `git status` says, without a change to the index."""
    args = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
    return repo.git("--no-optional-locks", *args).stdout.split("\0")[:-1]


def leftovers(repo: Repo) -> list[str]:
    """Locks and drafts in the clone's folders, and drafts in the worktree."""
    common, own = common_dir(repo), Path(repo.out("rev-parse", "--absolute-git-dir"))
    found = [path for folder in {common, own} for path in folder.glob("*.lock")]
    found += [path for folder in {common, own} for path in folder.glob("*.git-kit-*")]
    found += [path for folder in ("tmp", "corrupt") for path in _paths(common / "kit" / folder)]
    found += [path for path in repo.path.rglob(".git-kit-*") if ".git" not in path.parts]
    return sorted(str(path) for path in found)


def common_dir(repo: Repo) -> Path:
    """Git's folder that all worktrees of a clone share."""
    return Path(repo.out("rev-parse", "--path-format=absolute", "--git-common-dir"))


def assert_not_torn(repo: Repo, *allowed: Contents) -> None:
    """Every file is as in one of ``allowed``: the content there, or its pointer. A file of the index may be missing.

    Git itself deletes a file before it writes the next one, and creates empty ones.
    """
    for path, (data, _) in contents(repo).items():
        whole = {files[path][0] for files in allowed if path in files}
        assert data in {*whole, *map(_as_git_has_it, whole), b""}, f"{path} is torn: {len(data)} bytes"


def assert_status_is_true(repo: Repo) -> None:
    """`git status` names those files of the worktree that differ from the index, and no others."""
    files = contents(repo)
    expected, tracked = set(), set()
    for record in _records(repo, "ls-files", "--stage", "-z"):
        head, path = record.split("\t", 1)
        mode, oid, stage = head.split(" ")
        assert stage == "0", f"{path} is unmerged"
        tracked.add(path)
        if path not in files:
            expected.add(f"D {path}")
        elif (_oid(path, files[path][0], len(oid)), files[path][1]) != (oid, mode == "100755"):
            expected.add(f"M {path}")
    expected |= {f"? {path}" for path in files.keys() - tracked}
    said = {entry[1:] for entry in status(repo) if entry[1] != " "}
    assert said == expected, f"git status says {sorted(said)}, but it is {sorted(expected)}"


def assert_nothing_lost(repo: Repo, remotes: Iterable[Path] = ()) -> None:
    """The content of every pointer in the history, in the stash and in the index is in the store, in the trash, in the
    worktree or in one of ``remotes``.
    """
    here = set().union(*(held_by(folder) for folder in (*stores(repo), *remotes)))
    here |= {digest_of(data) for data, _ in contents(repo).values()}
    lost = {digest: path for digest, path in named(repo).items() if digest not in here}
    assert not lost, f"lost: {lost}"


def stores(repo: Repo) -> list[Path]:
    """The clone's own store, and the shared one that it uses."""
    shared = repo.git("config", "kit.storage", code=None).stdout.strip()
    return [common_dir(repo) / "kit", *([Path(shared)] if shared else [])]


def held_by(store: Path) -> set[str]:
    """Digests of whole blobs in a layout folder and in its trash."""
    return {f"sha256:{path.name}" for path in _blobs(store) if _is_whole(path)}


def damaged(repo: Repo) -> set[str]:
    """Blobs of the store and of the trash that are not what they are called."""
    return {path.name for store in stores(repo) for path in _blobs(store) if not _is_whole(path)}


def named(repo: Repo) -> dict[str, str]:
    """The digests that Git names, each with a path."""
    lines = repo.out("rev-list", "--objects", "--all", "--reflog", "--indexed-objects", "--filter=blob:limit=1025")
    paths = {oid: path for oid, _, path in (line.partition(" ") for line in lines.splitlines()) if path[-4:] == ".bin"}
    out = repo.git("cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in paths).encode()).stdout
    data, found, at = out.encode("utf-8", "surrogateescape"), {}, 0
    for path in paths.values():
        head, _, rest = data[at:].partition(b"\n")
        size = int(head.split()[2])
        pointer = parse(rest[:size])
        if pointer is not None:
            found[pointer.digest] = path
        at += len(head) + 1 + size + 1
    return found


def _blobs(store: Path) -> list[Path]:
    return [path for folder in (store / "blobs" / "sha256", *_paths(store / "trash")) for path in _paths(folder)]


def _is_whole(path: Path) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() == path.name


def _as_git_has_it(data: bytes) -> bytes:
    return data if not data or parse(data) is not None else pointer_to(data)


def _oid(path: str, data: bytes, width: int) -> str:
    text = _as_git_has_it(data) if path.endswith(".bin") else data
    hasher = hashlib.sha256 if width == 64 else hashlib.sha1
    return hasher(b"blob %d\0%s" % (len(text), text)).hexdigest()


def _records(repo: Repo, *args: str) -> list[str]:
    return repo.git(*args).stdout.split("\0")[:-1]


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def _names(folder: Path) -> set[str]:
    return {path.name for path in _paths(folder)}


def differences(found: State, wanted: State) -> Mapping[str, object]:
    """The fields in which two states differ, for people."""
    shown = {}
    for name, one, other in zip(State._fields, found, wanted, strict=True):
        if one != other:
            shown[name] = _short(one), _short(other)
    return shown


def _short(value: object) -> object:
    if isinstance(value, dict):
        return {path: (digest_of(data)[:15], len(data), flag) for path, (data, flag) in value.items()}
    return value
