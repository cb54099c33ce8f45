"""What a commit would put into Git that belongs into the store."""

import os
from collections.abc import Iterable
from typing import NamedTuple

from gitkit.core.paths import show_word
from gitkit.core.pointer import MAX_SIZE
from gitkit.git import attributes, objects
from gitkit.git.run import Git
from gitkit.sync.pointers import is_clean
from gitkit.sync.uncovered import uncovered


class Staged(NamedTuple):
    """Tracked paths staged as content; untracked ones above the limit with their size in bytes; ``uncovered``
    pointers.
    """

    content: list[bytes]
    large: list[tuple[bytes, int]]
    uncovered: list[bytes]


def pattern_of(paths: Iterable[bytes]) -> str:
    """What `git kit track` should be told for these files: their suffixes, else their paths."""
    names = list(paths)
    suffixes = {os.path.splitext(os.fsdecode(path))[1] for path in names}
    if all(suffixes):
        return " ".join(show_word(f"*{suffix}") for suffix in sorted(suffixes))
    return " ".join(map(show_word, names))


def check_staged(git: Git, max_plain_size: int) -> Staged:
    """Look at what the index adds to HEAD. One pass over the changed paths, whatever the size of the repository."""
    entries = objects.list_staged(git)
    if not entries:
        return Staged([], [], [])
    # The worktree's attributes count as well: a pattern that is not staged yet was meant for this file, too.
    paths = [entry.path for entry in entries]
    tracked = attributes.tracked(git, paths, cached=True) | attributes.tracked(git, paths)
    sizes = objects.sizes(git, dict.fromkeys(entry.oid for entry in entries))
    small = objects.read_small(git, [entry.oid for entry in entries if entry.path in tracked], MAX_SIZE)
    content = [entry.path for entry in entries if entry.path in tracked and not is_clean(small.get(entry.oid, b"-"))]
    large = [
        (entry.path, sizes[entry.oid])
        for entry in entries
        if entry.path not in tracked and sizes.get(entry.oid, 0) > max_plain_size
    ]
    return Staged(content, large, uncovered(git, entries))
