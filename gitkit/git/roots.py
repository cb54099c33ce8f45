"""Where a clone's work hangs on: everything that leads to commits and objects which somebody may still want.

Reads Git alone. Every failure is raised: whoever deletes by this must not take silence for "nothing".
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gitkit.git.places import Place
from gitkit.git.run import Git

_NAMES = (
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "REBASE_HEAD",
    "BISECT_HEAD",
    "BISECT_EXPECTED_REV",
    "BISECT_START",
    "AUTO_MERGE",
    "MERGE_AUTOSTASH",
)
"""Files in which Git keeps what a merge, rebase, cherry-pick, revert or bisect that is not finished goes back to."""

_FOLDERS = ("rebase-merge", "rebase-apply", "sequencer")
_OWN_REFS = ("refs/bisect/", "refs/rewritten/", "refs/worktree/")
"""Refs that each worktree has for itself (gitglossary(7), "per-worktree ref")."""

_AUTOSTASH = re.compile(r"(?:^|/)(?:MERGE_AUTOSTASH|autostash)$")
_HEX = re.compile(rb"\b[0-9a-f]{7,64}\b")
_NAMED = "%(refname)%00%(objectname)%00%(*objectname)"
_DATED = "%(committerdate:unix)%00%(*committerdate:unix)%00%(taggerdate:unix)"


class Ref(NamedTuple):
    """``oid`` is what it leads to, through an annotated tag. ``time`` is the latest of the commit's and the tag's
    dates, in seconds since 1970; None where there is none.
    """

    name: str
    oid: str
    time: int | None

    @property
    def is_unfinished(self) -> bool:
        """Whether a bisect or rebase keeps it until its end, or one worktree has it for itself."""
        return self.name.startswith(_OWN_REFS)

    @property
    def is_remote(self) -> bool:
        """Whether it says where a Git remote stands, as opposed to work of this clone."""
        return self.name.startswith(("refs/remotes/", "refs/prefetch/"))


class Unfinished(NamedTuple):
    """What a merge and its like left: ``oids`` that it names, those of them that are ``stashes``, the ``texts`` itself
    (patches that wait to be applied are among them)."""

    oids: list[str]
    stashes: list[str]
    texts: list[bytes]


def refs(places: Sequence[Place]) -> list[Ref]:
    """All refs of the repository, with those that a linked worktree has for itself.

    Raises:
        GitError: one of them is broken.
    """
    found = _refs(places[0].git)
    for place in places[1:]:
        found += _refs(place.git, *_OWN_REFS)
    return found


def stashes(git: Git, known: Iterable[Ref]) -> list[str]:
    """The commits of all stashes, latest first."""
    if all(ref.name != "refs/stash" for ref in known):
        return []
    return git.text("rev-list", "--walk-reflogs", "refs/stash", "--").split()


def unfinished(place: Place) -> Unfinished:
    """The state of a merge, rebase, cherry-pick, revert, bisect or `git am` in one worktree. One git process."""
    words: dict[str, None] = dict.fromkeys(_NAMES)
    autostashes: list[str] = []
    texts = []
    for path in _files(place.git_dir):
        with open(path, "rb") as file:
            text = file.read()
        found = [word.decode() for word in _HEX.findall(text)]
        words.update(dict.fromkeys(found))
        if _AUTOSTASH.search(path):
            autostashes += found
        texts.append(text)
    oids = place.resolve(words)
    return Unfinished(oids, [oid for oid in autostashes if oid in set(oids)], texts)


def fetched(git_dir: str) -> list[bytes]:
    """The oids in FETCH_HEAD."""
    try:
        with open(os.path.join(git_dir, "FETCH_HEAD"), "rb") as file:
            return [line.split(b"\t", 1)[0] for line in file]
    except FileNotFoundError:
        return []


def _refs(git: Git, *prefixes: str) -> list[Ref]:
    found = []
    for line in git.run("for-each-ref", f"--format={_NAMED}%00{_DATED}", *prefixes).split(b"\n")[:-1]:
        name, oid, peeled, *times = line.decode("utf-8", "surrogateescape").split("\0")
        found.append(Ref(name, peeled or oid, max((int(time) for time in times if time), default=None)))
    return found


def _files(git_dir: str) -> Iterator[str]:
    for name in _NAMES:
        path = os.path.join(git_dir, name)
        if os.path.isfile(path):
            yield path
    for folder in _FOLDERS:
        for parent, _, names in os.walk(os.path.join(git_dir, folder), onerror=_unreadable):
            yield from (os.path.join(parent, name) for name in sorted(names))


def _unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
