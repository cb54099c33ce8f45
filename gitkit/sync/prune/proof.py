"""What remotes are shown to keep: a keep-manifest there names the blob, and the remote says, now, that it has it.

One without the other is no proof. A registry deletes what no manifest names, sooner or later; and what a manifest names
may be gone all the same.
"""

import os
from collections.abc import Iterable, Sequence

from gitkit.core.events import Advanced, Finished, Sink, Started
from gitkit.core.remote import Remote
from gitkit.errors import NotFound
from gitkit.store.keepcache import KeepCache
from gitkit.store.layout import ImageLayout
from gitkit.sync import keep
from gitkit.sync.parallel import each
from gitkit.sync.prune.needs import Clone

_QUESTIONS = 16
"""How many blobs a remote is asked about at a time."""


class Proofs:
    """Asks the remotes of clones about blobs of ``store``, whose sizes in bytes are ``sizes``."""

    def __init__(self, store: ImageLayout, sizes: dict[str, int], emit: Sink) -> None:
        self._store = store
        self._sizes = sizes
        self._emit = emit

    def of(self, clone: Clone, digests: Iterable[str]) -> set[str]:
        """Those of ``digests`` that the clone's remote keeps; none where it has no remote.

        Raises:
            Denied, NetworkError: the remote does not answer.
        """
        wanted = sorted(set(digests))
        if not wanted:
            return set()
        try:
            remote = clone.open_remote()
        except NotFound:
            return set()
        if _is_same_place(remote, self._store):
            return set()
        known = keep.known(remote, KeepCache(clone.store))
        return self._ask(remote, [digest for digest in wanted if digest in known])

    def _ask(self, remote: Remote, digests: Sequence[str]) -> set[str]:
        if not digests:
            return set()
        total = sum(self._sizes[digest] for digest in digests)

        def ask(digest: str) -> bool:
            size = self._sizes[digest]
            # A folder can be looked at more closely than a registry: a file may have been cut short.
            answer = remote.has(digest, size) if isinstance(remote, ImageLayout) else remote.has_blob(digest)
            self._emit(Advanced(size))
            return answer

        self._emit(Started("asking the remote about", len(digests), total))
        answers = each(ask, digests, limit=_QUESTIONS)
        self._emit(Finished("asked the remote about", len(digests), total))
        return {digest for digest, there in zip(digests, answers, strict=True) if there}


def _is_same_place(remote: Remote, store: ImageLayout) -> bool:
    """Whether ``remote`` is a folder whose blobs are those of ``store``: then it has nothing once we delete it."""
    if not isinstance(remote, ImageLayout):
        return False
    folders = [os.path.join(layout.pool, "blobs", "sha256") for layout in (remote, store)]
    return all(map(os.path.isdir, folders)) and os.path.samefile(*folders)
