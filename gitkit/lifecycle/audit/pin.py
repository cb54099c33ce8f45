"""What this clone remembers: the journal that it has seen last, and the one that it has verified.

Both are local refs, which nobody else can write and nothing pushes. They are moved by compare-and-swap.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

from gitkit.core.journal import BRANCH
from gitkit.git import refs
from gitkit.git.repository import Repository
from gitkit.git.run import Git
from gitkit.lifecycle.audit.findings import Finding
from gitkit.lifecycle.journal import SEEN
from gitkit.lifecycle.trust import VERIFIED

_FORMAT = 1
_PUT_BACK = f"{SEEN}:refs/heads/{BRANCH}"


class Pins(NamedTuple):
    """The commits as they were before anybody was asked: what is seen later may be newer, never older."""

    seen: str | None
    verified: str | None


def read_pins(git: Git) -> Pins:
    """What this clone remembers."""
    lines = git.text("for-each-ref", "--format=%(refname) %(objectname)", SEEN, VERIFIED).split("\n")
    found = dict(line.split(" ") for line in lines if line)
    return Pins(found.get(SEEN), found.get(VERIFIED))


def check_seen(git: Git, seen: str | None, tip: str | None) -> list[Finding]:
    """Whether the journal at ``tip`` continues the one that this clone has seen."""
    if seen is None or seen == tip:
        return []
    if tip is None:
        return [Finding("truncated", "the journal is gone; this clone has seen it", commit=seen, put_back=_PUT_BACK)]
    if refs.is_ancestor(git, seen, tip):
        return []
    lost = _count(git, tip, seen)
    if refs.is_ancestor(git, tip, seen):
        text = f"the last {lost} that this clone has seen are gone"
        return [Finding("truncated", text, commit=seen, put_back=_PUT_BACK)]
    text = f"it was written anew: {lost} that this clone has seen are not in it, {_count(git, seen, tip)} are others"
    return [Finding("forked", text, commit=tip, put_back=_PUT_BACK)]


def _count(git: Git, older: str, newer: str) -> str:
    count = int(git.text("rev-list", "--count", newer, f"^{older}"))
    return f"{count} event{'' if count == 1 else 's'}"


def remember(git: Git, ref: str, new: str, old: str | None) -> None:
    """Move a pin from ``old``; another process that was faster has seen as much as we have."""
    if new != old:
        git.ask("update-ref", "-m", "git kit audit verify", ref, new, old or "0" * len(new))


# -- the checkpoint ----------------------------------------------------------------------------------------------------


def trusted_digest(parts: Sequence[bytes | None]) -> str:
    """What an audit was made against, beside the journal itself: another one makes a checkpoint worthless."""
    text = json.dumps([_FORMAT, *(part.hex() if part is not None else None for part in parts)])
    return hashlib.sha256(text.encode()).hexdigest()


def checkpoint(repository: Repository, pins: Pins, oids: Sequence[str], trusted: str) -> int:
    """How many of ``oids`` (the journal, oldest first) an earlier audit has checked in full."""
    if pins.verified is None or pins.verified not in oids:
        return 0
    try:
        with open(_path(repository), encoding="utf-8") as file:
            saved = json.load(file)
    except (OSError, ValueError):
        return 0
    if saved != _saved(pins.verified, trusted):
        return 0
    return oids.index(pins.verified) + 1


def save_checkpoint(repository: Repository, pins: Pins, tip: str, trusted: str) -> None:
    """Remember that the journal up to ``tip`` is sound. Killed in between, the next audit checks everything."""
    if pins.verified == tip and checkpoint(repository, pins, [tip], trusted):
        return
    path = _path(repository)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(path), prefix="audit-", delete=False) as file:
        json.dump(_saved(tip, trusted), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)
    remember(repository.git, VERIFIED, tip, pins.verified)


def _saved(tip: str, trusted: str) -> dict[str, object]:
    return {"v": _FORMAT, "tip": tip, "against": trusted}


def _path(repository: Repository) -> str:
    return os.path.join(repository.common_dir, "kit", "audit.json")
