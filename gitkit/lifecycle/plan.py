"""What a move would change in files: from one kit to another, by path and digest."""

from typing import NamedTuple

from gitkit.modelkit.build import Kit


class Changes(NamedTuple):
    """Paths, sorted; ``same`` is a number of files. ``bytes_to_move``: of content that the old kit has nowhere."""

    added: list[str]
    changed: list[str]
    removed: list[str]
    same: int
    bytes_to_move: int


def changes(before: Kit | None, after: Kit) -> Changes:
    """From ``before`` (None: nothing) to ``after``."""
    old = {file.path: file.digest for file in before.files} if before is not None else {}
    new = {file.path: file.digest for file in after.files}
    known = set(old.values())
    to_move = {file.digest: file.size for file in after.files if file.digest not in known}
    return Changes(
        added=sorted(new.keys() - old.keys()),
        changed=sorted(path for path in new.keys() & old.keys() if new[path] != old[path]),
        removed=sorted(old.keys() - new.keys()),
        same=sum(1 for path in new.keys() & old.keys() if new[path] == old[path]),
        bytes_to_move=sum(to_move.values()),
    )
