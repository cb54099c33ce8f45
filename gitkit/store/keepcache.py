"""Keep-manifests that were seen on a remote, by tag. Only a cache: safe to delete, and checked when it is read."""

import os

from gitkit.store.layout import ImageLayout


class KeepCache:
    """Files under ``keep/`` in the store."""

    def __init__(self, store: ImageLayout) -> None:
        self._store = store
        self._path = os.path.join(store.path, "keep")

    def load(self, tag: str) -> bytes | None:
        """The manifest under ``tag``, or None."""
        try:
            with open(os.path.join(self._path, tag), "rb") as file:
                return file.read()
        except OSError:
            return None

    def save(self, tag: str, manifest: bytes) -> None:
        """Remember a manifest. A cache that cannot be written is no error."""
        name = os.path.join(self._path, tag)
        beside = f"{name}.{os.getpid()}"
        try:
            os.makedirs(self._path, exist_ok=True)
            with open(beside, "wb") as file:
                file.write(manifest)
            os.replace(beside, name)
        except OSError:
            return
