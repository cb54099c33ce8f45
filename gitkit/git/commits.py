"""A commit that is made beside the person's index and worktree, and the step that brings the branch to it.

Blobs go in by one `git fast-import`, the tree is put together in an index of its own. Until ``advance`` nothing that
anybody sees has changed; ``advance`` is `git merge --ff-only`, so the branch moves with its worktree or not at all.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from gitkit.errors import Conflict, InvalidFile, KitError
from gitkit.git import attributes
from gitkit.git.objects import TreeEntry
from gitkit.git.repository import Repository
from gitkit.git.run import Git, GitError
from gitkit.git.worktree import folder_of

_BLOCK = 1 << 20
# Files come into the worktree as Git holds them; the command for clean stays, so that Git can tell whether a file that
# it is going to replace was changed.
_NO_SMUDGE = tuple(
    word for setting in ("process=", "smudge=", "required=false") for word in ("-c", f"filter.kit.{setting}")
)
# What a person's merge.* and branch.*.mergeOptions may say otherwise.
_ONLY_FORWARD = ("--ff-only", "--no-squash", "--no-autostash", "--no-verify-signatures")


class Readable(NamedTuple):
    """Bytes for a Git blob: ``data``, or the ``size`` bytes of the file at ``path``."""

    data: bytes = b""
    path: str | None = None
    size: int = 0


def write_blobs(git: Git, contents: Sequence[Readable]) -> list[str]:
    """Store each of ``contents`` as a Git blob; returns their oids in order. One git process, constant memory.

    Raises:
        KitError: a file cannot be read or has another size; git fails.
    """
    if not contents:
        return []
    with tempfile.TemporaryDirectory(prefix="git-kit-") as folder:
        marks = os.path.join(folder, "marks")
        try:
            with git.pipe("fast-import", "--quiet", f"--export-marks={marks}") as (stream, _):
                stream.write(b"feature done\n")
                for number, content in enumerate(contents, start=1):
                    for piece in _command(number, content):
                        stream.write(piece)
                stream.write(b"done\n")
                stream.close()
            with open(marks, encoding="ascii") as file:
                oids = dict(line.split() for line in file)
        except (BrokenPipeError, FileNotFoundError) as error:
            raise KitError("git fast-import failed", hint="its message is above") from error
    return [oids[f":{number}"] for number in range(1, len(contents) + 1)]


def _command(number: int, content: Readable) -> Iterator[bytes]:
    size = len(content.data) if content.path is None else content.size
    yield b"blob\nmark :%d\ndata %d\n" % (number, size)
    if content.path is None:
        yield content.data
    else:
        left = size
        with open(content.path, "rb") as file:
            while left and (piece := file.read(min(left, _BLOCK))):
                left -= len(piece)
                yield piece
        if left:
            raise KitError(f"{content.path} is shorter than {size} bytes")
    yield b"\n"


class Draft:
    """A tree in the making; see ``drafted``."""

    def __init__(self, git: Git) -> None:
        self._git = git

    def put(self, entries: Iterable[TreeEntry]) -> None:
        """Add or replace files.

        Raises:
            InvalidFile: Git does not take a path (``.git``, a file in the place of a folder).
        """
        lines = b"".join(b"%s %s\t%s\0" % (e.mode.encode(), e.oid.encode(), e.path) for e in entries)
        try:
            self._git.run("update-index", "--add", "-z", "--index-info", stdin=lines)
        except GitError as error:
            raise InvalidFile(f"Git does not take these paths: {error.stderr}") from error

    def tracked(self, paths: Iterable[bytes]) -> set[bytes]:
        """Those of ``paths`` that the filter will apply to."""
        return attributes.tracked(self._git, paths, cached=True)

    def write(self) -> str:
        """The tree's oid."""
        return self._git.text("write-tree")


@contextmanager
def drafted(git: Git, base: str | None) -> Iterator[Draft]:
    """A draft that starts as the commit ``base`` (None: empty), in an index of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="git-kit-") as folder:
        own = _OwnIndex(git, os.path.join(folder, "index"))
        own.run("read-tree", base if base is not None else "--empty")
        yield Draft(own)


class _OwnIndex(Git):
    def __init__(self, git: Git, index: str) -> None:
        super().__init__(git.directory, {**git._environ, "GIT_INDEX_FILE": index})


def changed_paths(repository: Repository, paths: Sequence[bytes]) -> list[bytes]:
    """Those of ``paths`` that hold work which is in no commit: changed, staged, or there without Git knowing them."""
    git = repository.git
    fields = git.run("status", "--porcelain", "-z", "--untracked-files=no", "--no-renames", "--ignore-submodules")
    changed = {record[3:] for record in fields.split(b"\0")[:-1]}
    known = set(git.run("ls-files", "-z", "--cached", "--full-name").split(b"\0"))
    root = repository.worktree or repository.git_dir
    return [path for path in paths if path in changed or (path not in known and _is_there(root, path))]


def _is_there(root: str, path: bytes) -> bool:
    """Whether anything stands where ``path`` is to be, or in the way to it."""
    try:
        with folder_of(root, path) as (folder, name):
            os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def check_identity(git: Git) -> None:
    """Whether git knows who commits.

    Raises:
        InvalidFile: it does not.
    """
    try:
        git.run("var", "GIT_COMMITTER_IDENT")
    except GitError as error:
        raise InvalidFile(
            "Git does not know who you are", hint="git config --global user.name NAME; and user.email ADDRESS"
        ) from error


def advance(git: Git, commit: str) -> None:
    """Bring the current branch, its index and its worktree to ``commit``, which continues it. Pointers stay pointers.

    Raises:
        Conflict: the branch moved meanwhile, or files in the worktree would be lost. Nothing has changed.
    """
    try:
        git.run(*_NO_SMUDGE, "merge", "-q", *_ONLY_FORWARD, commit)
    except GitError as error:
        said = error.stderr.removeprefix("error: ")
        raise Conflict(
            f"the branch cannot be brought to the new commit: {said}",
            hint="commit or stash what is there, then run the command again",
        ) from error
