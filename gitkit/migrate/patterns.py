"""Which files of a history a migration is about: patterns of gitattributes(5), over paths from the root.

A pattern without a slash takes names in any folder, one with a slash takes whole paths; ``**`` stands for any folders.
Each is a regular expression over bytes (``gitkit.core.wildmatch``), as a history has more paths than git could be asked
about.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gitkit.core.wildmatch import translate
from gitkit.errors import UsageError
from gitkit.git.run import Git
from gitkit.setup.track import NEVER

_NOTHING = re.compile(rb"(?!)")
_SPECIAL = b"\\*?["


def compile_pattern(pattern: bytes) -> re.Pattern[bytes]:
    """What ``pattern`` matches, for ``fullmatch`` on a path. Git takes a broken one for one that matches nothing."""
    if pattern.endswith(b"/") or not pattern:
        return _NOTHING  # folders have no attributes
    anchored = b"/" in pattern
    body = translate(pattern.removeprefix(b"/"), anchored=anchored)
    if body is None:
        return _NOTHING
    return re.compile(body if anchored else rb"(?:.*/)?" + body, re.DOTALL)


def is_literal(pattern: bytes) -> bool:
    """Whether ``pattern`` takes one path at most, as what ``exact`` writes does."""
    return b"/" in pattern and not re.search(rb"(?<!\\)(?:\\\\)*[*?\[]", pattern)


def exact(path: bytes) -> str:
    """The pattern, for the ``.gitattributes`` of the folder that ``path`` starts in, that matches nothing else."""
    escaped = b"".join(b"\\" + bytes([byte]) if byte in _SPECIAL else bytes([byte]) for byte in path)
    return os.fsdecode(b"/" + escaped)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Files whose path matches one of ``include`` (any, when empty) and none of ``exclude``; of more than ``above``
    bytes where that is not None. With ``paths`` only these.

    Raises:
        UsageError: a pattern is none, or takes in what has to stay readable.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    above: int | None = None
    paths: frozenset[bytes] | None = None

    def __post_init__(self) -> None:
        for pattern in (*self.include, *self.exclude):
            _check(pattern)

    @property
    def by_pattern(self) -> bool:
        """Whether the patterns alone say which files are meant, so that they can be written down as they are."""
        return bool(self.include) and self.above is None and self.paths is None

    def includes(self, path: bytes) -> bool:
        """Whether ``path`` is meant, but for ``exclude``."""
        if self.paths is not None:
            return path in self.paths
        return (not self.include or self._included.fullmatch(path) is not None) and not _is_readable(path)

    def takes(self, path: bytes) -> bool:
        """Whether ``path`` is meant."""
        return self.includes(path) and not self._excluded.fullmatch(path)

    @cached_property
    def _included(self) -> re.Pattern[bytes]:
        return _any(self.include)

    @cached_property
    def _excluded(self) -> re.Pattern[bytes]:
        return _any(self.exclude)


def refuse_readable(patterns: Sequence[str]) -> None:
    """Refuse patterns that would put under the filter what Git or git kit must be able to read.

    Raises:
        UsageError
    """
    for pattern in patterns:
        taken = [name for name in NEVER if compile_pattern(os.fsencode(pattern)).fullmatch(name.encode())]
        if taken:
            raise UsageError(
                f'"{pattern}" takes in {taken[0]}, which must stay as it is', hint="name a suffix: '*.bin'"
            )


def refuse_folders(git: Git, commit: str, patterns: Sequence[str]) -> None:
    """Refuse patterns that are the name of a folder of ``commit``: they would take nothing that is in it.

    Raises:
        UsageError
    """
    names = [pattern for pattern in patterns if not any(char in pattern for char in "\\*?[")]
    if not names:
        return
    folders = git.run("ls-tree", "-d", "-r", "-t", "-z", "--full-tree", "--name-only", commit).split(b"\0")[:-1]
    for name in names:
        matches = compile_pattern(os.fsencode(name))
        found = next((folder for folder in folders if matches.fullmatch(folder)), None)
        if found is not None:
            raise UsageError(
                f'"{name}" is a folder, and a pattern takes files', hint=f"for all in it: '{os.fsdecode(found)}/**'"
            )


def _is_readable(path: bytes) -> bool:
    name = path.rpartition(b"/")[2]
    return name.startswith(b".git") or os.fsdecode(name) in NEVER


def _check(pattern: str) -> None:
    if not pattern or "\0" in pattern:
        raise UsageError("an empty pattern names nothing")
    if pattern.startswith("!"):
        raise UsageError(f'"{pattern}": what is not meant is named by --exclude', hint=f"--exclude '{pattern[1:]}'")
    if pattern.endswith("/"):
        raise UsageError(f'"{pattern}" is a folder, and a pattern takes files', hint=f"'{pattern}**'")


def _any(patterns: Sequence[str]) -> re.Pattern[bytes]:
    if not patterns:
        return _NOTHING
    compiled = [compile_pattern(os.fsencode(pattern)) for pattern in patterns]
    return re.compile(b"|".join(b"(?:%s)" % pattern.pattern for pattern in compiled), re.DOTALL)


# -- wildmatch -------------------------------------------------------------------------------------------------------
