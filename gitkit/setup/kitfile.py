"""The Kitfile of a worktree: guessing one from its files, and checking the one that is there against them."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gitkit.core.pointer import MAX_SIZE, parse
from gitkit.errors import Conflict, InvalidFile, NotFound
from gitkit.git.replace import replace_file
from gitkit.git.repository import Repository
from gitkit.setup.guess import detect_license, guess_kitfile, is_license_file

if TYPE_CHECKING:
    from gitkit.core.kitfile import Entry, Kitfile
    from gitkit.core.problems import Path

FILE = "Kitfile"
_LICENSE_LIMIT = 1 << 16


def find_kitfile(root: str) -> str | None:
    """The absolute path of the worktree's Kitfile, or None."""
    from gitkit.core.kitfile import NAMES

    paths = [os.path.join(root, name) for name in NAMES]
    return next((path for path in paths if os.path.isfile(path)), None)


def write_kitfile(repository: Repository, *, force: bool = False) -> str:
    """Write a Kitfile guessed from the worktree's files; returns its path.

    Raises:
        Conflict: there is one, and ``force`` is not given.
        Unsupported: this is a bare repository.
    """
    path = os.fsdecode(repository.path(FILE.encode()))
    present = find_kitfile(repository.root)
    if present is not None and not force:
        raise Conflict(f"there is a {os.path.basename(present)} already", hint="to replace it: --force")
    path = present or path
    replace_file(path, guessed_kitfile(repository).encode())
    return path


def guessed_kitfile(repository: Repository) -> str:
    """The text that ``write_kitfile`` writes. The worktree is read, nothing is changed."""
    files = worktree_files(repository)
    name = os.path.basename(repository.root)
    return guess_kitfile(files, name=name, license=_license(repository.root, [path for path, _ in files]))


def worktree_files(repository: Repository) -> list[tuple[str, int]]:
    """Every file that Git knows or does not ignore, with its content's size in bytes, whether it is here or not."""
    out = repository.git.run("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--full-name")
    found = []
    for path in sorted(set(out.split(b"\0")[:-1])):
        size = _content_size(repository.path(path))
        if size is not None:
            found.append((os.fsdecode(path), size))
    return found


def check_kitfile(path: str, *, root: str) -> "Kitfile":
    """Read the Kitfile at ``path`` and look for what it names below ``root``.

    Raises:
        NotFound: there is no such file.
        InvalidFile: lists every problem, with its line: of the file, or (where it is right) of what it names.
    """
    from gitkit.core.kitfile import is_kit_reference, parse_kitfile
    from gitkit.core.problems import Problem, raise_for
    from gitkit.core.yaml import parse_yaml

    name = os.path.basename(path)
    text = _read(path)
    kitfile = parse_kitfile(text, file=name)
    missing = [
        Problem(place, f'"{entry.path}" is not in the worktree')
        for place, entry in _places(kitfile)
        if not (entry.section == "model" and is_kit_reference(entry.path))
        and not os.path.lexists(os.path.join(root, entry.path))
    ]
    raise_for(missing, name, parse_yaml(text, file=name, typed=frozenset({"parameters"}))[1])
    return kitfile


def _places(kitfile: "Kitfile") -> "Iterator[tuple[Path, Entry]]":
    from gitkit.core.kitfile import entries

    for entry in entries(kitfile):
        if entry.section == "model":
            yield ("model", "path"), entry
        elif entry.section == "parts":
            yield ("model", "parts", entry.number, "path"), entry
        else:
            yield (entry.section, entry.number, "path"), entry


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        raise NotFound(f"there is no {path}", hint="git kit kitfile write") from error
    except OSError as error:
        raise InvalidFile(f"cannot read {path}: {error.strerror}") from error


def _content_size(path: bytes) -> int | None:
    """The size of what a pointer stands for, else of the file; None where there is no regular file."""
    try:
        if os.path.islink(path) or not os.path.isfile(path):
            return None
        size = os.stat(path).st_size
        if size > MAX_SIZE:
            return size
        with open(path, "rb") as file:
            pointer = parse(file.read(MAX_SIZE + 1))
    except OSError:
        return None
    return size if pointer is None else pointer.size


def _license(root: str, paths: list[str]) -> str | None:
    for path in filter(is_license_file, paths):
        try:
            with open(os.path.join(root, path), "rb") as file:
                return detect_license(file.read(_LICENSE_LIMIT).decode("utf-8", "replace"))
        except OSError:
            continue
    return None
