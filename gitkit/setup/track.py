"""Tracking patterns: lines of ``.gitattributes``, and the files whose fate they change."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from gitkit.core.pointer import MAX_SIZE, parse
from gitkit.core.wildmatch import translate
from gitkit.errors import InvalidFile, Unsupported, UsageError
from gitkit.git import attributes, objects
from gitkit.git.replace import replace_file
from gitkit.git.repository import Repository

NEVER = (".gitattributes", ".gitignore", ".gitmodules", ".gitkit.toml", "Kitfile", "kitfile", ".kitfile", ".kitignore")
"""What Git or git kit must be able to read without the filter."""


class Line(NamedTuple):
    """A pattern and the file that has it: from the root, or absolute where it is the person's own."""

    pattern: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """``file`` is the ``.gitattributes`` that was asked, from the root. ``touched`` are files that Git holds already
    and that the next `git add` stores in the other way."""

    file: str
    done: list[str]
    kept: list[str]
    touched: list[bytes]


def lines(repository: Repository, environ: Mapping[str, str]) -> list[Line]:
    """Every pattern that is tracked: of ``.gitattributes`` in all folders, of ``.git/info/attributes``, of the file
    that the person keeps for all repositories."""
    out = repository.git.run("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--full-name")
    names = {attributes.FILE, *(os.fsdecode(path) for path in out.split(b"\0") if _is_attributes(path))}
    files = [(name, os.path.join(repository.root, name)) for name in sorted(names)]
    files.append((".git/info/attributes", os.path.join(repository.common_dir, "info", "attributes")))
    everywhere = attributes.of_person(repository.git, environ)
    files.append((everywhere, everywhere))
    return [Line(pattern, name) for name, path in files for pattern in attributes.patterns(_read(path))]


def track(repository: Repository, folder: str, patterns: Sequence[str], *, literal: bool, dry_run: bool) -> Changed:
    """Add ``patterns`` to the ``.gitattributes`` of ``folder`` (absolute, in the worktree), which they are relative to.

    ``literal`` takes them for file names. Files in Git already that a pattern takes in are made to look changed.

    Raises:
        UsageError: a pattern is not one, or would take in files that must stay readable.
        Unsupported: there is no worktree, or ``.gitattributes`` is a link (which Git does not read).
    """
    wanted = [_checked(pattern, folder, literal=literal) for pattern in patterns]

    def add(text: bytes) -> bytes:
        for pattern in wanted:
            text = attributes.with_pattern(text, pattern)
        return text

    return _change(repository, folder, wanted, add, dry_run=dry_run)


def unmatched(repository: Repository, folder: str, patterns: Sequence[str]) -> list[str]:
    """Those of ``patterns``, as they are in the ``.gitattributes`` of ``folder``, that take in no file there: neither
    one in Git nor one that `git add` would take.
    """
    out = repository.git.at(folder).run("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    paths = out.split(b"\0")[:-1]
    names = {path.rpartition(b"/")[2] for path in paths}
    return [pattern for pattern in patterns if not _matches(os.fsencode(pattern), paths, names)]


def _matches(pattern: bytes, paths: Iterable[bytes], names: Iterable[bytes]) -> bool:
    anchored = b"/" in pattern
    regex = translate(pattern.removeprefix(b"/"), anchored=anchored)
    if regex is None:
        return False
    matches = re.compile(regex, re.DOTALL).fullmatch
    return any(map(matches, paths if anchored else names))


def untrack(repository: Repository, folder: str, patterns: Sequence[str], *, dry_run: bool) -> Changed:
    """Remove ``patterns`` from the ``.gitattributes`` of ``folder``. Files that are in Git stay pointers until added.

    Raises:
        Unsupported: as ``track``.
    """
    present = attributes.patterns(_read(_attributes_path(repository, folder)))
    names = [pattern.removeprefix("./") for pattern in patterns]
    wanted = [name if name in present or _escaped(name) not in present else _escaped(name) for name in names]

    def remove(text: bytes) -> bytes:
        for pattern in wanted:
            text = attributes.without_pattern(text, pattern)
        return text

    return _change(repository, folder, wanted, remove, dry_run=dry_run)


def _change(
    repository: Repository, folder: str, wanted: Sequence[str], edit: Callable[[bytes], bytes], *, dry_run: bool
) -> Changed:
    path = _attributes_path(repository, folder)
    old = _read(path)
    new = edit(old)
    before, after = set(attributes.patterns(old)), set(attributes.patterns(new))
    touched = [] if dry_run else _apply(repository, path, old, new)
    return Changed(
        file=os.path.relpath(path, repository.root),
        done=[pattern for pattern in wanted if (pattern in before) != (pattern in after)],
        kept=[pattern for pattern in wanted if (pattern in before) == (pattern in after)],
        touched=touched,
    )


def _apply(repository: Repository, path: str, old: bytes, new: bytes) -> list[bytes]:
    entries = [entry for entry in objects.list_index(repository.git) if entry.mode.startswith("100")]
    before = attributes.tracked(repository.git, [entry.path for entry in entries])
    if new != old:
        replace_file(path, new)
    after = attributes.tracked(repository.git, [entry.path for entry in entries])
    return _touch(repository, [entry for entry in entries if entry.path in before | after], after)


def _touch(repository: Repository, entries: Sequence[objects.TreeEntry], tracked: set[bytes]) -> list[bytes]:
    """Make Git look again at files that it holds in the other way (size and time say to it that nothing changed)."""
    contents = objects.read_small(repository.git, [entry.oid for entry in entries], MAX_SIZE)
    touched = []
    for entry in entries:
        raw = contents.get(entry.oid)
        is_pointer = raw is not None and (raw == b"" or parse(raw) is not None)
        if is_pointer != (entry.path in tracked):
            try:
                os.utime(repository.path(entry.path), follow_symlinks=False)
            except FileNotFoundError:
                continue
            touched.append(entry.path)
    return touched


def _attributes_path(repository: Repository, folder: str) -> str:
    if repository.worktree is None:
        raise Unsupported("this is a bare repository: it has no .gitattributes to write")
    path = os.path.join(folder, attributes.FILE)
    if os.path.islink(path):
        raise Unsupported(f"{path} is a symbolic link, which Git does not follow", hint="replace it by a file")
    return path


# -- patterns --------------------------------------------------------------------------------------------------------


def _checked(pattern: str, folder: str, *, literal: bool) -> str:
    pattern = pattern.removeprefix("./")
    if not pattern or "\0" in pattern:
        raise UsageError("an empty pattern tracks nothing")
    if (os.path.isabs(pattern) and os.path.lexists(pattern)) or ".." in pattern.split("/"):
        raise UsageError(f'"{pattern}" leaves this folder', hint="a pattern is relative to the folder that you are in")
    if not literal and pattern.startswith("!"):
        raise UsageError(f'"{pattern}": .gitattributes has no exceptions by "!"', hint="git kit untrack PATTERN")
    if pattern.endswith("/") or os.path.isdir(os.path.join(folder, pattern)):
        inside = os.path.normpath(pattern)
        hint = f"git kit track '{inside}/**'" if inside != "." else "name a suffix: '*.bin'"
        raise UsageError(f'"{pattern}" is a folder, and a pattern takes files', hint=hint)
    for name in NEVER:
        if _takes(pattern, name, literal=literal):
            raise UsageError(f'"{pattern}" takes in {name}, which must stay as it is', hint="name a suffix: '*.bin'")
    if pattern.rpartition("/")[2].startswith(".git"):
        raise UsageError(f'"{pattern}": what starts with .git is Git\'s own')
    return _escaped(pattern) if literal else pattern


def _takes(pattern: str, name: str, *, literal: bool) -> bool:
    """Whether ``pattern`` matches ``name`` in the folder of the ``.gitattributes`` (or, naming it, anywhere)."""
    last = pattern.rpartition("/")[2]
    if literal or last == name:
        return last == name
    while pattern.startswith(("/", "**/")):
        pattern = pattern.partition("/")[2]
    return "/" not in pattern and fnmatchcase(name, pattern)


def _escaped(name: str) -> str:
    """``name`` as a pattern that matches nothing else."""
    escaped = "".join(f"\\{char}" if char in "\\*?[" else char for char in name)
    return f"\\{escaped}" if escaped.startswith("!") else escaped


def _is_attributes(path: bytes) -> bool:
    return path.rpartition(b"/")[2] == attributes.FILE.encode()


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise InvalidFile(f"cannot read {path}: {error.strerror}") from error
