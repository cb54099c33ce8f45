"""What is wrong with a worktree's files: the Kitfile, tracked files that are not pointers in Git, missing content."""

import os
from collections.abc import Sequence

from gitkit.core.paths import show_path, show_word
from gitkit.core.pointer import parse
from gitkit.core.remote import Remote
from gitkit.errors import KitError
from gitkit.git import attributes, objects
from gitkit.setup.finding import Finding, Place
from gitkit.setup.kitfile import check_kitfile, find_kitfile
from gitkit.sync.checkout import still_pointers
from gitkit.sync.parallel import each
from gitkit.sync.pointers import content_in_index, in_index, in_tree, needs_of
from gitkit.sync.staged import pattern_of
from gitkit.sync.uncovered import not_staged, uncovered

_NAMED = 5
_SEARCHED = 100
"""How many commits of a file are searched for its last good pointer."""


def kitfile(place: Place) -> list[Finding]:
    """Whether the Kitfile is valid and what it names is there."""
    repository = place.repository
    path = find_kitfile(repository.root)
    if path is None:
        return [Finding("Kitfile", True, "there is none; a release needs one: git kit kitfile write")]
    try:
        check_kitfile(path, root=repository.root)
    except KitError as error:
        return [Finding("Kitfile", False, error.message, error.hint or "edit it, then: git kit kitfile check")]
    return [Finding("Kitfile", True, "valid")]


def pointers(place: Place) -> list[Finding]:
    """Tracked paths that Git holds as content."""
    found = content_in_index(place.repository.git)
    findings = [_damaged(place, path) for path in found.damaged]
    if found.plain:
        text = f"{_names(found.plain)}: tracked, but Git holds content instead of a pointer"
        findings.insert(0, Finding("pointers", False, text, f"git add --renormalize {_arguments(place, found.plain)}"))
    return findings or [Finding("pointers", True, f"{found.tracked} tracked")]


def _damaged(place: Place, path: bytes) -> Finding:
    git = place.repository.git
    for oid in git.text("rev-list", f"--max-count={_SEARCHED}", "HEAD", "--", path).split():
        raw = objects.read_file(git, oid, os.fsdecode(path))
        if raw is not None and parse(raw) is not None:
            fix = f"git restore --source={oid[:12]} --staged --worktree {_arguments(place, [path])}"
            break
    else:
        fix = f"put the content there again, then: git add {_arguments(place, [path])}"
    return Finding("pointers", False, f"{show_path(path)}: a damaged pointer, which Git holds as content", fix)


def covered(place: Place) -> list[Finding]:
    """Pointers that Git's own attributes do not cover: in a clone they are plain text that nobody asks about."""
    git = place.repository.git
    found = uncovered(git, objects.list_index(git))
    here = attributes.tracked(git, found)
    waiting = [path for path in found if path in here]
    others = [path for path in found if path not in here]
    findings = []
    if waiting:
        text = f"{_names(waiting)}: a pointer in Git, but the attribute that covers it is not in Git"
        fix = f"git add {_arguments(place, not_staged(git, waiting))}"
        findings.append(Finding("attributes", False, text, fix))
    if others:
        text = f"{_names(others)}: a pointer in Git that no attribute covers; where that is meant, set -filter"
        findings.append(Finding("attributes", False, text, f"{_git_at_root(place)} kit track {pattern_of(others)}"))
    return findings


def content(place: Place) -> list[Finding]:
    """Pointers that stand in the worktree in place of their content."""
    repository, store = place.repository, place.store
    waiting: list[bytes] = []
    missing: list[bytes] = []
    for file in still_pointers(repository, in_index(repository.git)):
        held = store.holds(file.pointer.digest, file.pointer.size)
        (waiting if held else missing).append(file.path)
    findings = []
    if waiting:
        text = f"{_names(waiting)}: a pointer here, and the store has the content"
        findings.append(Finding("content", False, text, "git kit checkout"))
    if missing:
        text = f"{_names(missing)}: a pointer here, and the content is not in the store"
        findings.append(Finding("content", False, text, "git kit pull"))
    return findings or [Finding("content", True, "all here")]


def pushed(place: Place, remote: Remote) -> list[Finding]:
    """Whether the remote holds what the pushed commit of this branch names: a push without the hook leaves it out."""
    git = place.repository.git
    upstream = git.ask("rev-parse", "-q", "--verify", "@{push}^{commit}")
    if upstream is None:
        return []
    needs = [need for need in needs_of(in_tree(git, upstream)) if not need.lfs]
    there = each(lambda need: remote.has_blob(need.digest), needs, limit=8)
    lost = [need.path for need, present in zip(needs, there, strict=True) if not present]
    if not lost:
        return []
    text = f"{_names(lost)}: pushed, but {remote.url} does not hold the content"
    return [Finding("remote", False, text, "git kit push --all")]


def _git_at_root(place: Place) -> str:
    """Patterns are relative to the folder in which they are tracked."""
    above = os.path.relpath(place.repository.root, place.cwd)
    return "git" if above == "." else f"git -C {show_word(above)}"


def _names(paths: Sequence[bytes]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(show_path(path) for path in paths[:_NAMED]) + more


def _arguments(place: Place, paths: Sequence[bytes]) -> str:
    """Paths for a command that is typed where we are; the whole worktree where they are many."""
    if len(paths) > _NAMED:
        return ":/"
    names = [os.path.relpath(place.repository.path(path), os.fsencode(place.cwd)) for path in paths]
    return f"-- {' '.join(map(show_word, names))}"
