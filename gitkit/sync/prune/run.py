"""Pruning a store.

A blob leaves when no clone that uses the store needs it, when it was not stored or found again within the last hour,
and when the remote of each clone whose history names it is shown to keep it. It goes to the trash, from where it comes
back by itself when it is needed after all. What the trash has held for long enough is judged once more in the same way,
and deleted.

Order: find out what is needed, ask the remotes, move, look again at what is needed. Killed anywhere, every blob is in
the store or in the trash.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from gitkit.core.events import Sink, ignore
from gitkit.errors import KitError
from gitkit.store.layout import ImageLayout
from gitkit.store.lock import locked
from gitkit.store.trash import Thrown, Trash, days_ago
from gitkit.sync.prune.judge import NO_PROOF, OTHER_CLONE, UNKNOWN, UNNAMED, judge, look, needs_of_all, without_proof
from gitkit.sync.prune.needs import GIT_REASONS, Clone
from gitkit.sync.prune.proof import Proofs

FRESH = "stored lately"
_REASONS = (*GIT_REASONS, OTHER_CLONE, FRESH, NO_PROOF, UNNAMED, UNKNOWN)


class Blob(NamedTuple):
    """``size`` in bytes."""

    digest: str
    size: int


class Rules(NamedTuple):
    """``unreachable``: what nothing names may go without being on the remote. Blobs are deleted ``trash_days`` after
    they went to the trash, with ``expire_now`` at once. For ``grace_s`` seconds a blob counts as new.
    """

    trash_days: int = 14
    expire_now: bool = False
    unreachable: bool = False
    grace_s: float = 3600.0
    dry_run: bool = False


class Pruned(NamedTuple):
    """``moved`` to the trash, ``restored`` from it, ``deleted`` for good, ``kept`` by reason, ``in_trash`` at the end.

    With ``dry_run``, what would have been.
    """

    moved: list[Blob]
    restored: list[Blob]
    deleted: list[Blob]
    kept: dict[str, list[Blob]]
    in_trash: list[Blob]


class _Plan(NamedTuple):
    going: list[Blob]
    kept: dict[str, list[Blob]]
    restore: list[Thrown]
    delete: set[Thrown]


def prune(find: Callable[[], Sequence[Clone]], store: ImageLayout, rules: Rules, *, emit: Sink = ignore) -> Pruned:
    """Prune ``store``. ``find`` gives all clones that use it, the one at work first.

    Raises:
        NotFound: the clone at work has no remote.
        NetworkError, Denied: a remote does not answer.
        Locked: another prune is at work.
        KitError: what is needed cannot be found out. In all these cases nothing has moved.
    """
    find()[0].open_remote()  # without one nothing can be shown
    if not os.path.isdir(store.pool):
        return Pruned([], [], [], {}, [])
    try:
        with locked(os.path.join(store.pool, "prune.lock")):
            return _Run(find, store, rules, emit).run()
    except OSError as error:
        raise KitError(f"cannot prune {error.filename or store.pool}: {error.strerror}") from error


class _Run:
    def __init__(self, find: Callable[[], Sequence[Clone]], store: ImageLayout, rules: Rules, emit: Sink) -> None:
        self._find = find
        self._store = store
        self._rules = rules
        self._emit = emit
        self._trash = Trash(store.pool)
        self._unused_since = time.time() - rules.grace_s

    def run(self) -> Pruned:
        plan = self._plan(self._find())
        if self._rules.dry_run:
            return self._foreseen(plan)
        restored = [_blob(item) for item in plan.restore if self._trash.take_back(item.digest)]
        moved, returned, needed = self._move(plan)
        gone = {blob.digest for blob in moved} if self._rules.expire_now else set()
        doomed = [item for item in self._trash.blobs() if item in plan.delete or item.digest in gone]
        doomed = [item for item in doomed if item.digest not in needed or self._store.has(item.digest, item.size)]
        deleted = [_blob(item) for item in doomed if self._trash.delete(item, unused_since=self._unused_since)]
        plan.kept[FRESH].extend(returned)
        return Pruned(moved, restored, deleted, plan.kept, [_blob(item) for item in self._trash.blobs()])

    def _foreseen(self, plan: _Plan) -> Pruned:
        leave = {item.path for item in (*plan.delete, *plan.restore)}
        stay = [_blob(item) for item in self._trash.blobs() if item.path not in leave]
        deleted = [_blob(item) for item in plan.delete]
        restored = [_blob(item) for item in plan.restore]
        if self._rules.expire_now:
            return Pruned(plan.going, restored, [*deleted, *plan.going], plan.kept, stay)
        return Pruned(plan.going, restored, deleted, plan.kept, [*stay, *plan.going])

    def _plan(self, clones: Sequence[Clone]) -> _Plan:
        blobs = [Blob(digest, size) for digest, size in self._store.blobs()]
        thrown = list(self._trash.blobs())
        sizes = dict([*((item.digest, item.size) for item in thrown), *blobs])
        looked = look(clones, frozenset(sizes.values()))
        fresh = self._fresh(blob.digest for blob in blobs)
        expired = [item for item in thrown if self._is_expired(item)]
        asked = {blob.digest for blob in blobs if blob.digest not in fresh} | {item.digest for item in expired}
        proofs = Proofs(self._store, sizes, self._emit)
        reasons = judge(looked, asked, proofs, unreachable=self._rules.unreachable)
        reasons = {**dict.fromkeys(fresh - reasons.keys(), FRESH), **reasons}
        kept: dict[str, list[Blob]] = {reason: [] for reason in _REASONS}
        for blob in blobs:
            if blob.digest in reasons:
                kept[reasons[blob.digest]].append(blob)
        going = [blob for blob in blobs if blob.digest not in reasons]
        here = {blob.digest for blob in blobs}
        needed = without_proof(looked)
        back = [item for item in thrown if item.digest not in here and item.digest in needed]
        back += [item for item in expired if item.digest not in {*here, *needed} and _comes_back(item, reasons)]
        doomed = {item for item in expired if reasons.get(item.digest) != UNKNOWN} - set(back)
        return _Plan(going, kept, back, doomed)

    def _move(self, plan: _Plan) -> tuple[list[Blob], list[Blob], set[str]]:
        """Throw blobs away; returns those that are gone, those that stayed or came back, and all that is needed now."""
        try:
            thrown = {
                blob.digest for blob in plan.going if self._trash.throw(blob.digest, unused_since=self._unused_since)
            }
            # What was added, staged or built while we looked may name what we have moved.
            sizes = frozenset([*(blob.size for blob in plan.going), *(item.size for item in plan.delete)])
            needed = needs_of_all(self._find(), sizes).keys() if thrown or plan.delete else set[str]()
        except BaseException:
            for blob in plan.going:
                self._trash.take_back(blob.digest)
            raise
        for digest in thrown & needed:
            self._trash.take_back(digest)
        moved = [blob for blob in plan.going if blob.digest in thrown - needed]
        return moved, [blob for blob in plan.going if blob.digest not in thrown - needed], set(needed)

    def _fresh(self, digests: Iterable[str]) -> set[str]:
        """Blobs that were stored or claimed lately; so was what cannot be looked at."""
        found = set()
        for digest in digests:
            try:
                if os.stat(self._store.blob_path(digest)).st_ctime <= self._unused_since:
                    continue
            except OSError:
                pass
            found.add(digest)
        return found

    def _is_expired(self, item: Thrown) -> bool:
        return self._rules.expire_now or item.day <= days_ago(self._rules.trash_days)


def _comes_back(item: Thrown, reasons: dict[str, str]) -> bool:
    """Whether something names the blob and the remote no longer keeps it. What nothing named went there on request."""
    return reasons.get(item.digest, UNNAMED) not in (UNNAMED, UNKNOWN)


def _blob(item: Thrown) -> Blob:
    return Blob(item.digest, item.size)
