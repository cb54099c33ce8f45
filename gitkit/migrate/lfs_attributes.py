"""The attribute files of a repository, switched from Git LFS to git kit and staged: nothing else of the index changes.

Written file by file, then staged by one git: killed anywhere, doing it again finishes it.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from gitkit.core.paths import show_path
from gitkit.errors import Conflict, InvalidFile, Unsupported
from gitkit.git import objects, worktree
from gitkit.git.attributes import FILE
from gitkit.git.replace import replace_file
from gitkit.git.repository import Repository
from gitkit.git.run import Git
from gitkit.migrate.lfs_lines import Switched, switched

_MAX_SIZE = 16 << 20
_SHOWN = 5
_LOCAL = b".git/info/attributes"
"""How the clone's own file is called, which no commit holds."""


class AttributesFile(NamedTuple):
    """A file with lines of Git LFS. ``oid`` is that of its index entry where a sparse checkout leaves the file out."""

    path: bytes
    change: Switched
    oid: str | None = None


class _Indexed(NamedTuple):
    path: bytes
    mode: str
    oid: str
    is_absent: bool


def find(repository: Repository) -> list[AttributesFile]:
    """The files to switch, in path order; the clone's own file last.

    Raises:
        Unsupported: a link stands in the place of one, which Git does not follow.
        Conflict: one is not committed, or unmerged.
        InvalidFile: one cannot be read.
    """
    found = [_of_index(repository, entry) for entry in _indexed(repository.git)]
    local = AttributesFile(_LOCAL, switched(_read_local(repository)))
    files = [file for file in (*found, local) if file.change.patterns]
    _refuse_untracked(repository)
    return files


def refuse_changes(repository: Repository) -> None:
    """Make sure that the worktree and the index hold nothing that is in no commit, but what ``write`` has left.

    Raises:
        Conflict: there is something.
    """
    options = ("--untracked-files=no", "--no-renames", "--ignore-submodules=dirty")
    records = repository.git.run("status", "--porcelain=v1", "-z", *options).split(b"\0")[:-1]
    changed = [record[3:] for record in records if not _is_ours(repository, record[3:])]
    if changed:
        raise Conflict(f"the worktree has changes:\n{_listed(changed)}", hint="commit or stash them first")


def write(repository: Repository, files: Sequence[AttributesFile]) -> None:
    """Put the switched texts into worktree and index.

    Raises:
        Conflict: a file changed since it was read.
        KitError: it cannot be written.
    """
    git = repository.git
    present = [file for file in files if file.path != _LOCAL and file.oid is None]
    for file in present:
        _write(repository, file)
    for file in files:
        if file.path == _LOCAL:
            replace_file(_local_path(repository), file.change.text)
        elif file.oid is not None:
            _stage_absent(git, file)
    left = [path for path in _worktree_changes(git) if _is_ours(repository, path)]
    staged = dict.fromkeys([*(file.path for file in present), *left])
    if staged:
        git.run("add", "--", *staged)


def under_lfs(git: Git, paths: Sequence[bytes]) -> set[bytes]:
    """Those of ``paths`` that the attributes of the worktree put under Git LFS."""
    if not paths:
        return set()
    args = ("check-attr", "-z", "--stdin", "filter")
    fields = git.run(*args, stdin=b"".join(path + b"\0" for path in paths)).split(b"\0")
    return {path for path, value in zip(fields[0::3], fields[2::3], strict=False) if value == b"lfs"}


# -- finding ---------------------------------------------------------------------------------------------------------


def _indexed(git: Git) -> list[_Indexed]:
    entries = []
    for record in git.run("ls-files", "-s", "-t", "-z", "--full-name").split(b"\0")[:-1]:
        head, _, path = record.partition(b"\t")
        if not _is_attributes(path):
            continue
        state, mode, oid, stage = head.decode().split(" ")
        if stage != "0":
            raise Conflict(f"{show_path(path)} is unmerged", hint="finish the merge first")
        entries.append(_Indexed(path, mode, oid, state == "S"))
    return entries


def _of_index(repository: Repository, entry: _Indexed) -> AttributesFile:
    if entry.mode == "120000":
        raise Unsupported(
            f"{show_path(entry.path)} is a symbolic link, which Git does not follow", hint="replace it by a file"
        )
    if not entry.is_absent:
        return AttributesFile(entry.path, switched(_read(repository, entry.path) or b""))
    text = objects.read_small(repository.git, [entry.oid], _MAX_SIZE).get(entry.oid, b"")
    return AttributesFile(entry.path, switched(text), entry.oid)


def _refuse_untracked(repository: Repository) -> None:
    names = repository.git.run("ls-files", "-z", "--others", "--exclude-standard", "--full-name").split(b"\0")
    lost = [path for path in names if _is_attributes(path) and switched(_read(repository, path) or b"").patterns]
    if lost:
        raise Conflict(f"Git does not track files with lines of Git LFS:\n{_listed(lost)}", hint="commit them first")


def _read(repository: Repository, path: bytes) -> bytes | None:
    """A file of the worktree; None where it is missing (then Git says that it was deleted)."""
    try:
        with worktree.folder_of(repository.root, path) as (folder, name):
            return worktree.read_small(folder, name, _MAX_SIZE)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidFile(f"cannot read {show_path(path)}: {error.strerror}") from error


def _read_local(repository: Repository) -> bytes:
    with suppress(OSError), open(_local_path(repository), "rb") as file:
        return file.read(_MAX_SIZE)
    return b""


def _local_path(repository: Repository) -> str:
    return os.path.join(repository.common_dir, "info", "attributes")


def _is_attributes(path: bytes) -> bool:
    return path.rpartition(b"/")[2] == FILE.encode()


# -- changing --------------------------------------------------------------------------------------------------------


def _is_ours(repository: Repository, path: bytes) -> bool:
    """Whether a changed file is a committed one as ``write`` leaves it."""
    if not _is_attributes(path):
        return False
    committed = objects.read_file(repository.git, "HEAD", os.fsdecode(path))
    return committed is not None and _read(repository, path) in (committed, switched(committed).text)


def _write(repository: Repository, file: AttributesFile) -> None:
    with worktree.folder_of(repository.root, file.path) as (folder, name):
        seen = worktree.look(folder, name)
        if seen is None or switched(worktree.read_small(folder, name, _MAX_SIZE)) != file.change:
            raise Conflict(f"{show_path(file.path)} changed meanwhile", hint="run the command again")
        try:
            with worktree.replacement(folder, name, seen) as new, open(new.fd, "wb", closefd=False) as draft:
                draft.write(file.change.text)
                draft.flush()
                os.fsync(new.fd)
        except FileExistsError as error:
            raise Conflict(f"{show_path(file.path)} changed meanwhile", hint="run the command again") from error


def _stage_absent(git: Git, file: AttributesFile) -> None:
    oid = git.run("hash-object", "-w", "--stdin", stdin=file.change.text).decode().strip()
    git.run("update-index", "-z", "--index-info", stdin=f"100644 {oid}\t".encode() + file.path + b"\0")
    git.run("update-index", "--skip-worktree", "-z", "--stdin", stdin=file.path + b"\0")


def _worktree_changes(git: Git) -> list[bytes]:
    return git.run("diff-files", "--name-only", "-z").split(b"\0")[:-1]


def _listed(paths: Sequence[bytes]) -> str:
    more = [f"  and {len(paths) - _SHOWN} more"] if len(paths) > _SHOWN else []
    return "\n".join([*(f"  {show_path(path)}" for path in paths[:_SHOWN]), *more])
