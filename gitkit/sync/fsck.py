"""Is everything what it says it is? The store's blobs against their digests, the pointers of HEAD and of the index."""

from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

from gitkit.core import pointer as pointers
from gitkit.core.events import Advanced, Finished, Sink, Started, ignore
from gitkit.errors import KitError
from gitkit.git import attributes, objects
from gitkit.git.run import Git
from gitkit.store.ingest import copy_hashed
from gitkit.store.layout import ImageLayout
from gitkit.sync.pointers import Need, in_index, in_tree, needs_of, unique


class Checked(NamedTuple):
    """``corrupt`` digests; tracked paths that Git holds as content; needed content that the store does not hold."""

    blobs: int
    size: int
    corrupt: list[str]
    should_be_pointers: list[bytes]
    damaged_pointers: list[bytes]
    missing: list[Need]
    leftovers: int


def fsck(git: Git, store: ImageLayout, *, dry_run: bool = False, transfers: int = 2, emit: Sink = ignore) -> Checked:
    """Check the store and the pointers of HEAD and index.

    A corrupt blob is put aside, so that the next `git kit pull` or `git add` brings the right one; ``dry_run`` leaves
    it where it is.
    """
    blobs = sorted(store.blobs())
    corrupt = _corrupt(store, blobs, transfers, emit)
    if not dry_run:
        for digest in corrupt:
            store.quarantine(digest)
    gone = set(corrupt)
    needs = unique([*needs_of(in_index(git)), *(needs_of(in_tree(git, "HEAD")) if has_head(git) else [])])
    missing = [need for need in needs if need.digest in gone or not store.holds(need.digest, need.size)]
    content, damaged = _content_under_filter(git)
    leftovers = 0 if dry_run else store.sweep()
    return Checked(len(blobs), sum(size for _, size in blobs), corrupt, content, damaged, missing, leftovers)


def has_head(git: Git) -> bool:
    """Whether there is a commit yet."""
    return git.ask("rev-parse", "-q", "--verify", "HEAD^{commit}") is not None


def _corrupt(store: ImageLayout, blobs: Sequence[tuple[str, int]], transfers: int, emit: Sink) -> list[str]:
    if not blobs:
        return []
    from concurrent.futures import ThreadPoolExecutor

    def check(blob: tuple[str, int]) -> bool:
        digest, size = blob
        try:
            with closing(store.open_blob(digest, size)) as source:
                found, _ = copy_hashed(source, None)
        except KitError:
            return False
        emit(Advanced(size))
        return found == digest

    emit(Started("checking", len(blobs), sum(size for _, size in blobs)))
    with ThreadPoolExecutor(transfers) as pool:
        verdicts = list(pool.map(check, blobs))
    emit(Finished())
    return [digest for (digest, _), good in zip(blobs, verdicts, strict=True) if not good]


def _content_under_filter(git: Git) -> tuple[list[bytes], list[bytes]]:
    """Tracked paths of the index that hold content: all of them, and those that look like a damaged pointer."""
    entries = [entry for entry in objects.list_index(git) if entry.mode.startswith("100")]
    tracked = attributes.tracked(git, [entry.path for entry in entries])
    entries = [entry for entry in entries if entry.path in tracked]
    small = objects.read_small(git, [entry.oid for entry in entries], pointers.MAX_SIZE)
    content = [entry for entry in entries if not _is_clean(small.get(entry.oid))]
    damaged = [entry.path for entry in content if pointers.resembles(small.get(entry.oid, b""))]
    return [entry.path for entry in content], damaged


def _is_clean(raw: bytes | None) -> bool:
    return raw is not None and (raw == b"" or pointers.parse(raw) is not None)
