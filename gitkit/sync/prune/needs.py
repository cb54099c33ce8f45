"""What a clone still needs in its store, and what its history names at all.

Whatever fails here is raised: a blob is not unneeded because we could not look.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from gitkit.core.pointer import MAX_SIZE, Pointer, parse
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt, KitError
from gitkit.git import objects, reach, roots
from gitkit.git.places import Place, places
from gitkit.git.run import Git
from gitkit.store.layout import ImageLayout
from gitkit.sync.pointers import Need
from gitkit.sync.prune import manifests, worktree

HEAD = "checked out"
INDEX = "index"
WORKTREE = "worktree"
RECENT = "recent branches and tags"
STASH = "stash"
UNFINISHED = "unfinished merge or rebase"
BEFORE = "ORIG_HEAD"
REFLOG = "reflog"
UNPUSHED = "not pushed"
KITS = "kits in the store"
GIT_REASONS = (HEAD, INDEX, WORKTREE, RECENT, STASH, UNFINISHED, BEFORE, REFLOG, UNPUSHED, KITS)
"""Why a blob is needed. The first one that holds is told."""

_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}\b")
_DAY_S = 86400


class Clone(NamedTuple):
    """A clone that uses the store. ``main`` is the folder of its main worktree, where it is known; ``recall`` says what
    is known of the content of a file with certain stat data.
    """

    common_dir: str
    main: str | None
    git: Git
    store: ImageLayout
    git_remote: str | None
    recent_days: int
    open_remote: Callable[[], Remote]
    recall: Callable[[os.stat_result], str | None]


class Needed(NamedTuple):
    """``reasons`` by digest. ``roots`` are revisions that Git's own refs and logs do not lead to. Where Git cannot say
    what is needed ``is_blind`` is true, and nothing counts as unneeded.
    """

    reasons: dict[str, str]
    roots: list[str]
    is_blind: bool


class Named(NamedTuple):
    """``needs``: all content that Git or a kit of the clone names, by digest. ``is_whole`` is False where history is
    not all here: then there is more.
    """

    needs: dict[str, Need]
    is_whole: bool


def needed(clone: Clone, sizes: frozenset[int]) -> Needed:
    """What ``clone`` needs; ``sizes`` are those of the blobs that are asked about.

    Raises:
        KitError: anything of the clone cannot be read.
    """
    try:
        return _needed(clone, sizes)
    except OSError as error:
        raise KitError(f"cannot read {error.filename or clone.common_dir}: {error.strerror}") from error


def named(clone: Clone, needed: Needed) -> Named:
    """All that the history of ``clone`` names, reflogs and indexes included.

    Raises:
        KitError: anything of the clone cannot be read.
    """
    git = clone.git.inside(clone.common_dir)
    revs = [*needed.roots, *_fetched(git, clone.common_dir)]
    reached = reach.in_history(git, revs, MAX_SIZE, everything=True)
    partial = reach.is_partial(git)
    _check_whole(clone, partial, reached.is_whole)
    found = {
        pointer.digest: Need(pointer.digest, pointer.size, reached.blobs[oid])
        for oid, pointer in _pointers(git, reached.blobs).items()
    }
    return Named(found, not partial)


def _needed(clone: Clone, sizes: frozenset[int]) -> Needed:
    git = clone.git.inside(clone.common_dir)
    found = places(clone.git, clone.common_dir, clone.main)
    refs = roots.refs(found)
    heads = [head for place in found if (head := place.head(ref.name for ref in refs)) is not None]
    stashes = roots.stashes(git, refs)
    by_reason: dict[str, set[str]] = {reason: set() for reason in GIT_REASONS}
    marks = dict.fromkeys(heads, HEAD)
    _mark(marks, _recent(refs, clone.recent_days), RECENT)
    _mark(marks, _with_parents(git, stashes), STASH)
    _mark(marks, (ref.oid for ref in refs if ref.is_unfinished), UNFINISHED)
    for place in found:
        _mark(marks, _unfinished(git, place, by_reason[UNFINISHED]), UNFINISHED)
        _mark(marks, place.resolve([BEFORE]), BEFORE)
        by_reason[WORKTREE].update(worktree.changed(place, sizes, clone.recall))
    tips = [*heads, *stashes, *(ref.oid for ref in refs if not ref.is_remote)]
    is_blind = _sort(clone, git, marks, tips, by_reason)
    by_reason[KITS].update(manifests.kept_for_others(clone.store))
    reasons = {digest: reason for reason in reversed(GIT_REASONS) for digest in by_reason[reason]}
    return Needed(reasons, list(marks), is_blind)


def _sort(clone: Clone, git: Git, marks: dict[str, str], tips: list[str], by_reason: dict[str, set[str]]) -> bool:
    """Put what Git's objects name into ``by_reason``; whether too much is missing to tell."""
    at = reach.at_commits(git, marks, MAX_SIZE)
    index = reach.in_index(git, MAX_SIZE)
    unpushed = reach.in_history(git, tips, MAX_SIZE, beyond=clone.git_remote)
    partial = reach.is_partial(git)
    _check_whole(clone, partial, at.is_whole and index.is_whole and unpushed.is_whole)
    for oid, pointer in _pointers(git, [*at.roots, *index.blobs, *unpushed.blobs]).items():
        if oid in at.roots:
            by_reason[marks.get(oid) or marks.get(at.roots[oid], REFLOG)].add(pointer.digest)
        if oid in index.blobs:
            by_reason[INDEX].add(pointer.digest)
        if oid in unpushed.blobs:
            by_reason[UNPUSHED].add(pointer.digest)
    return partial and not at.is_whole and not reach.has_all_trees(git, marks)


def _mark(marks: dict[str, str], revs: Iterable[str], reason: str) -> None:
    for rev in revs:
        marks.setdefault(rev, reason)


def _recent(refs: Iterable[roots.Ref], days: int) -> Iterator[str]:
    since = time.time() - days * _DAY_S
    named = (ref for ref in refs if ref.name != "refs/stash" and not ref.is_unfinished)
    return (ref.oid for ref in named if ref.time is None or ref.time >= since)


def _with_parents(git: Git, stashes: list[str]) -> list[str]:
    """Stashes, and the commits in which they keep the index and untracked files."""
    if not stashes:
        return []
    lines = "".join(f"{oid}\n" for oid in stashes).encode()
    return git.run("rev-list", "--no-walk=unsorted", "--parents", "--stdin", stdin=lines).decode().split()


def _unfinished(git: Git, place: Place, digests: set[str]) -> list[str]:
    state = roots.unfinished(place)
    for text in state.texts:
        digests.update(match.decode() for match in _DIGEST.findall(text))
    return [*state.oids, *_with_parents(git, state.stashes)]


def _fetched(git: Git, common_dir: str) -> list[str]:
    # Not needed by itself, but what it names is not unknown to Git either.
    place = Place(common_dir, None, git)
    return place.resolve(oid.decode("ascii", "replace") for oid in roots.fetched(common_dir))


def _pointers(git: Git, oids: Iterable[str]) -> dict[str, Pointer]:
    contents = objects.read_small(git, dict.fromkeys(oids), MAX_SIZE)
    return {oid: pointer for oid, raw in contents.items() if (pointer := parse(raw)) is not None}


def _check_whole(clone: Clone, partial: bool, is_whole: bool) -> None:
    if not is_whole and not partial:
        raise Corrupt(f"Git objects are missing in {clone.common_dir}", hint="git fsck")
