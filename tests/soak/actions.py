"""What somebody does in a clone: each action is a command, or a change of files by hand."""

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.lib import soundness
from tests.soak.world import PATHS, Place, World

Command = Sequence[str] | None
Action = Callable[[World, Place, random.Random], Command]

SPOILED = (b"", b"garbage" * 999)


def _git(*args: str) -> Action:
    return lambda *_: ["git", *args]


def _kit(*args: str) -> Action:
    return lambda *_: ["git-kit", *args]


def _write(world: World, place: Place, rng: random.Random) -> Command:
    for path in rng.sample(PATHS, rng.randrange(1, 4)):
        target = place.repo.path / path
        target.unlink(missing_ok=True)  # a hard link to the store is read-only, and not for writing
        place.repo.write(path, world.content(), mode=rng.choice((0o644, 0o644, 0o755)))
    return None


def _delete(world: World, place: Place, rng: random.Random) -> Command:
    (place.repo.path / rng.choice(PATHS)).unlink(missing_ok=True)
    return None


def _touch(world: World, place: Place, rng: random.Random) -> Command:
    for path in PATHS:
        if (place.repo.path / path).exists():
            os.utime(place.repo.path / path)
    return None


def _spoil_cache(world: World, place: Place, rng: random.Random) -> Command:
    path = soundness.common_dir(place.repo) / "kit" / "state.db"
    if path.exists():
        path.write_bytes(rng.choice(SPOILED))
    return None


def _forget_published(world: World, place: Place, rng: random.Random) -> Command:
    """Delete some blobs that the remote has: they are to come back when they are needed."""
    published = soundness.held_by(world.bare.path / "kit")
    for store in soundness.stores(place.repo):
        for digest in sorted(soundness.held_by(store) & published):
            if rng.random() < 0.5:
                Path(store, "blobs", "sha256", digest[7:]).unlink(missing_ok=True)
    return None


def _branch(world: World, place: Place, rng: random.Random) -> Command:
    return ["git", "checkout", "--quiet", "-B", f"{place.name}-{rng.randrange(3)}"]


def _on_a_branch(*words: str) -> Action:
    """A command about one of the branches that there are."""

    def action(world: World, place: Place, rng: random.Random) -> Command:
        names = place.repo.out("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes").splitlines()
        name = rng.choice([name for name in names if not name.endswith("HEAD") and "/" in name] or ["main"])
        return [word.replace("BRANCH", name) for word in words]

    return action


ACTIONS: Sequence[tuple[int, Action]] = (
    (12, _write),
    (2, _delete),
    (2, _touch),
    (1, _spoil_cache),
    (2, _forget_published),
    (5, _git("add", "--all")),
    (5, _kit("add", "--all")),
    (8, _git("commit", "--quiet", "--all", "--message", "change")),
    (2, _branch),
    (4, _on_a_branch("git", "checkout", "--quiet", "--detach", "BRANCH")),
    (4, _on_a_branch("git", "checkout", "--quiet", "--force", "--detach", "BRANCH")),
    (6, _on_a_branch("git", "restore", "--source", "BRANCH", "--", ".")),
    (2, _on_a_branch("git", "checkout", "BRANCH", "--", ".")),
    (2, _git("restore", ".")),
    (3, _git("reset", "--quiet", "--hard")),
    (2, _git("reset", "--quiet", "--hard", "HEAD~1")),
    (2, _git("reset", "--quiet", "HEAD~1")),
    (2, _git("stash", "--quiet")),
    (2, _git("stash", "pop", "--quiet")),
    (2, _on_a_branch("git", "merge", "--quiet", "--no-edit", "BRANCH")),
    (2, _on_a_branch("git", "rebase", "--quiet", "BRANCH")),
    (2, _on_a_branch("git", "cherry-pick", "BRANCH")),
    (5, _git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/main")),
    (2, _git("push", "--quiet", "--all", "--force", "origin")),
    (3, _git("fetch", "--quiet")),
    (2, _git("status", "--short")),
    (1, _git("gc", "--quiet")),
    (4, _kit("pull")),
    (2, _kit("fetch")),
    (3, _kit("checkout")),
    (3, _kit("prune", "--grace", "0")),
    (2, _kit("prune", "--grace", "0", "--expire-now")),
    (2, _kit("fsck")),
    (2, _kit("fsck", "--repair")),
    (2, _kit("dedup")),
    (1, _kit("status")),
)
"""With how often each is chosen."""


def choose(rng: random.Random) -> Action:
    """One of the actions."""
    weights, actions = zip(*ACTIONS, strict=True)
    return rng.choices(actions, weights)[0]
