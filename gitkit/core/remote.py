"""What a remote can do. A registry over HTTP and an OCI layout folder both do exactly this.

Nothing asks which, but `gitkit.sync.fetch`: waiting for a folder is not worth threads.
"""

from collections.abc import Callable
from typing import BinaryIO, Protocol

from gitkit.errors import NotFound, Unsupported


class BlobReader(Protocol):
    """A blob's bytes, in order."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` with up to its length; 0 only at the end.

        Raises:
            NetworkError: the connection broke or the body was shorter than announced; opening again at the offset
                that was reached may work.
        """
        ...

    def close(self) -> None: ...


class Remote(Protocol):
    """A place that holds blobs and manifests under one repository name. Safe to share between threads."""

    @property
    def url(self) -> str:
        """As a person would type it; never holds credentials."""
        ...

    def has_blob(self, digest: str) -> bool:
        """Whether the blob is there."""
        ...

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> BlobReader:
        """The blob's bytes from offset ``start``. The caller verifies the digest.

        ``stop`` tells that the bytes from there on are not going to be read, so that they need not travel; whether
        they can be read all the same is open.

        Raises:
            NotFound, Denied, NetworkError
        """
        ...

    def put_blob(self, digest: str, size: int, open_source: Callable[[], BinaryIO]) -> None:
        """Store the blob; does nothing where it is there already. ``open_source`` may be called again on a retry.

        Raises:
            Corrupt: the source's bytes do not have this digest. Nothing is stored.
            Denied, NetworkError
        """
        ...

    def mount_blob(self, digest: str, source: str) -> bool:
        """Take the blob over from the remote ``source`` (its ``url``), without its bytes travelling through here.

        True: it is there now. False: it has to be put, which does nothing where it is there already.

        Raises:
            NetworkError
        """
        ...

    def resolve(self, tag: str) -> str | None:
        """The digest that ``tag`` names, or None. Moves no manifest body."""
        ...

    def get_manifest(self, reference: str) -> bytes:
        """The exact bytes of the manifest under a tag or digest; verified when ``reference`` is a digest.

        Raises:
            NotFound, Corrupt, Denied, NetworkError
        """
        ...

    def put_manifest(self, manifest: bytes, *, tag: str | None = None) -> str:
        """Store an image manifest, under ``tag`` where one is given (it moves if it exists); returns its digest.

        What the manifest names must be there already.
        """
        ...

    def tags(self) -> list[str]:
        """All tags, sorted; empty when the repository does not exist yet."""
        ...

    def delete_tag(self, tag: str) -> None:
        """Remove ``tag`` alone: its manifest, and every other tag of that, stay.

        Raises:
            NotFound: there is no such tag.
            Unsupported: nothing can be deleted here.
            Denied, NetworkError
        """
        ...


class ReadOnly:
    """The half of a ``Remote`` that writes, for sources that cannot. ``url`` and the half that reads are the subclass's
    own; a source of single blobs overrides ``open_blob`` alone."""

    url: str

    def has_blob(self, digest: str) -> bool:
        return False

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> BlobReader:
        raise NotFound(f"{self.url} does not hold {digest}")

    def resolve(self, tag: str) -> str | None:
        return None

    def get_manifest(self, reference: str) -> bytes:
        raise NotFound(f"{self.url} has no {reference}")

    def tags(self) -> list[str]:
        return []

    def put_blob(self, digest: str, size: int, open_source: Callable[[], BinaryIO]) -> None:
        raise self._refusal()

    def mount_blob(self, digest: str, source: str) -> bool:
        raise self._refusal()

    def put_manifest(self, manifest: bytes, *, tag: str | None = None) -> str:
        raise self._refusal()

    def delete_tag(self, tag: str) -> None:
        raise self._refusal()

    def _refusal(self) -> Unsupported:
        return Unsupported(f"{self.url} can only be read")
