"""Which commits this clone has brought to which remote, content and all. Only a cache: safe to delete.

Git's remote-tracking branches say what the Git remote has; they prove nothing about the remote of the blobs, which may
be another one since yesterday, or may have been passed by with `--no-verify`.
"""

import hashlib
import os

from gitkit.store.layout import ImageLayout

_KEPT = 500


class Pushed:
    """The commits that were proven complete on the remote called ``url``."""

    def __init__(self, store: ImageLayout, url: str) -> None:
        name = hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._path = os.path.join(store.path, "pushed", name)

    def load(self) -> list[str]:
        """Oids, oldest first."""
        try:
            with open(self._path, encoding="ascii") as file:
                return file.read().split()
        except (OSError, UnicodeDecodeError):
            return []

    def add(self, oids: list[str]) -> None:
        """Remember more commits. A cache that cannot be written is no error."""
        kept = list(dict.fromkeys([*self.load(), *oids]))[-_KEPT:]
        beside = f"{self._path}.{os.getpid()}"
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            with open(beside, "w", encoding="ascii") as file:
                file.write("".join(f"{oid}\n" for oid in kept))
            os.replace(beside, self._path)
        except OSError:
            return
