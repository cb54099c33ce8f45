"""Content that the store has lost or that is damaged there, from wherever it still is right.

From near to far: the trash, earlier stores and neighbours of the clone; files of any worktree; the remote. Every byte
is verified on its way. Files that were checked out from a damaged blob get the right content last.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from gitkit.core.events import Sink, ignore
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt, KitError, NotFound
from gitkit.git import objects, worktree
from gitkit.git.places import Place
from gitkit.git.repository import Repository
from gitkit.store.hashcache import HashCache
from gitkit.store.layout import ImageLayout
from gitkit.sync import damage, fetch, pointers
from gitkit.sync.damage import DamagedFile
from gitkit.sync.fetch import Failure
from gitkit.sync.pointers import Need

NEAR = "trash or another store"
WORKTREE = "worktree"
REMOTE = "remote"


class Mended(NamedTuple):
    """Content that is in the store again, and where it came from."""

    need: Need
    source: str


class Repaired(NamedTuple):
    """``files`` of worktrees have their right content again, ``damaged`` ones have not."""

    mended: list[Mended]
    failed: list[Failure]
    files: list[DamagedFile]
    damaged: list[DamagedFile]


def repair(
    repository: Repository,
    store: ImageLayout,
    missing: Sequence[Need],
    corrupt: Sequence[str],
    files: Sequence[DamagedFile],
    open_remote: Callable[[bool], Remote],
    cache: HashCache,
    *,
    transfers: int = 4,
    hard_links: bool = False,
    emit: Sink = ignore,
) -> Repaired:
    """Bring ``missing`` content, and what the damaged blobs ``corrupt`` held, into the store, then into ``files``.
    Idempotent.

    ``open_remote`` is told whether Git LFS pointers name the content.
    """
    wanted, failed = _wanted(repository, missing, corrupt)
    mended = []
    for source, bring in ((NEAR, _from_near), (WORKTREE, _from_worktrees)):
        done = set(bring(repository, store, wanted))
        mended += [Mended(need, source) for need in wanted if need.digest in done]
        wanted = [need for need in wanted if need.digest not in done]
    if wanted:
        downloaded, problems = _from_remote(store, open_remote, wanted, transfers, emit)
        mended += [Mended(need, REMOTE) for need in downloaded]
        failed += problems
    right = damage.restore(repository, store, cache, files, hard_links=hard_links)
    damaged = [it for it in files if it not in right]
    # While a file has the bytes of a damaged blob, that is what tells of it.
    done = {it.need.digest for it in mended} | {it.file.pointer.digest for it in right}
    for digest in done - {it.file.pointer.digest for it in damaged}:
        store.forget_corrupt(digest)
    return Repaired(mended, failed, right, damaged)


def _wanted(
    repository: Repository, missing: Sequence[Need], corrupt: Sequence[str]
) -> tuple[list[Need], list[Failure]]:
    """What to look for. Of a damaged blob only Git knows the right size: by a pointer anywhere in its history."""
    known = {need.digest: need for need in missing}
    others = [digest for digest in corrupt if digest not in known]
    if others:
        commits = objects.all_commits(repository.git)
        history = {need.digest: need for need in pointers.in_range(repository.git, commits, [], remote=None, lfs=True)}
        known.update({digest: history[digest] for digest in others if digest in history})
    unknown = [Need(digest, 0, b"") for digest in others if digest not in known]
    return list(known.values()), [Failure(need, NotFound("nothing in Git names it")) for need in unknown]


def _from_near(repository: Repository, store: ImageLayout, needs: Sequence[Need]) -> Iterator[str]:
    return (need.digest for need in needs if store.holds(need.digest, need.size))


def _from_worktrees(repository: Repository, store: ImageLayout, needs: Sequence[Need]) -> Iterator[str]:
    if not needs:
        return
    wanted = {need.digest: need for need in needs}
    for place in damage.all_places(repository):
        for file in pointers.in_index(place.git) if place.folder is not None else []:
            need = wanted.get(file.pointer.digest)
            if need is not None and _take(place, file.path, store, need):
                del wanted[need.digest]
                yield need.digest


def _take(place: Place, path: bytes, store: ImageLayout, need: Need) -> bool:
    fd = worktree.open_regular(place.folder, path) if place.folder is not None else None
    if fd is None:
        return False
    with open(fd, "rb", buffering=0) as source:
        if os.fstat(fd).st_size == need.size:
            with suppress(Corrupt):  # changed since it was checked out
                store.put_blob(need.digest, need.size, lambda: source)
                return True
    return False


def _from_remote(
    store: ImageLayout, open_remote: Callable[[bool], Remote], needs: Sequence[Need], transfers: int, emit: Sink
) -> tuple[list[Need], list[Failure]]:
    try:
        result = fetch.fetch_each(store, open_remote, needs, transfers=transfers, emit=emit)
    except KitError as error:
        return [], [Failure(need, error) for need in needs]
    return [*result.here, *result.downloaded], result.failed
