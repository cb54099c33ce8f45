"""Is everything what it says it is? The store's blobs against their digests, files of the worktrees against damaged
blobs, the pointers of HEAD and of the index.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import NamedTuple

from gitkit.core.events import Advanced, Finished, Sink, Started, ignore
from gitkit.errors import Corrupt, KitError, NotFound
from gitkit.git import index_swap
from gitkit.git.repository import Repository
from gitkit.git.run import Git
from gitkit.store.ingest import Source, copy_hashed
from gitkit.store.layout import ImageLayout
from gitkit.sync import damage
from gitkit.sync.damage import DamagedFile
from gitkit.sync.parallel import each
from gitkit.sync.pointers import Need, TrackedContent, content_in_index, in_index, in_tree_alone, needs_of, unique


class Unread(NamedTuple):
    """A blob that may well be sound, and why it could not be read."""

    digest: str
    reason: str


class Checked(NamedTuple):
    """``corrupt`` digests; tracked files that Git holds as content; needed content that the store does not hold.

    ``files`` were checked out from a damaged blob. ``replaced`` damaged blobs and ``leftovers`` were deleted.
    """

    blobs: int
    size: int
    corrupt: list[str]
    unread: list[Unread]
    content: TrackedContent
    missing: list[Need]
    files: list[DamagedFile]
    replaced: int
    leftovers: int


def fsck(repository: Repository, store: ImageLayout, *, dry_run: bool = False, emit: Sink = ignore) -> Checked:
    """Check the store and the pointers of HEAD and index. Each blob is read once, on as many cores as there are.

    A corrupt blob is put aside, so that the next `git kit pull` or `git add` brings the right one; ``dry_run`` leaves
    it where it is, and one that cannot be read stays there anyway.
    """
    git = repository.git
    needs = unique([*needs_of(in_index(git)), *(needs_of(in_tree_alone(git, "HEAD")) if has_head(git) else [])])
    blobs = sorted(store.blobs())
    corrupt, unread = _check(store, blobs, emit)
    if not dry_run:
        for digest in corrupt:
            store.quarantine(digest)
    gone = set(corrupt)
    missing = [need for need in needs if need.digest in gone or not store.has(need.digest, need.size)]
    content = content_in_index(git)
    files = damage.find(repository, store, corrupt)
    good = {digest for digest, _ in blobs} - gone - {it.digest for it in unread}
    replaced = 0 if dry_run else _forget_replaced(store, good - {it.file.pointer.digest for it in files})
    leftovers = 0 if dry_run else store.sweep() + index_swap.sweep(index_swap.path_of(git))
    size = sum(size for _, size in blobs)
    return Checked(len(blobs), size, corrupt, unread, content, missing, files, replaced, leftovers)


def _forget_replaced(store: ImageLayout, good: set[str]) -> int:
    """Delete the damaged blobs that were put aside and whose right content came; returns how many."""
    replaced = [digest for digest in store.quarantined() if digest in good]
    for digest in replaced:
        store.forget_corrupt(digest)
    return len(replaced)


def has_head(git: Git) -> bool:
    """Whether there is a commit yet."""
    return git.ask("rev-parse", "-q", "--verify", "HEAD^{commit}") is not None


def _check(store: ImageLayout, blobs: Sequence[tuple[str, int]], emit: Sink) -> tuple[list[str], list[Unread]]:
    """Digests of damaged blobs, and the blobs that nothing can be said of."""
    if not blobs:
        return [], []

    def problem(blob: tuple[str, int]) -> str | Unread | None:
        digest, size = blob
        try:
            with closing(store.open_blob(digest, size)) as source:
                found, _ = copy_hashed(_Counting(source, lambda count: emit(Advanced(count))), None)
        except NotFound:
            return None  # pruned since it was listed
        except Corrupt:
            return digest
        except KitError as error:
            return Unread(digest, error.message)
        except OSError as error:
            return Unread(digest, f"{error.strerror}")
        return None if found == digest else digest

    size = sum(size for _, size in blobs)
    emit(Started("checking", len(blobs), size, noun="blob"))
    found = each(problem, blobs, limit=os.cpu_count() or 1)
    emit(Finished("checked", len(blobs), size, noun="blob"))
    return [it for it in found if isinstance(it, str)], [it for it in found if isinstance(it, Unread)]


class _Counting:
    def __init__(self, source: Source, count: Callable[[int], None]) -> None:
        self._source = source
        self._count = count

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._source.readinto(buffer) or 0
        self._count(count)
        return count
