"""What a model hub tells about one of its repositories, and how its files are read."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from gitkit.core.remote import BlobReader, Remote


class HubFile(NamedTuple):
    """``digest`` is known where the hub keeps the file as a large one (Git LFS); ``oid`` is Git's, by SHA-1.

    ``path`` is as the hub says it: nobody has checked it.
    """

    path: str
    size: int
    oid: str
    digest: str | None


class HubRepository(Remote, Protocol):
    """One commit of a repository on a hub. As a ``Remote`` it gives its large files by digest, and takes nothing."""

    @property
    def commit(self) -> str:
        """The commit's oid."""
        ...

    @property
    def license(self) -> str | None:
        """SPDX identifier, or what the author wrote."""
        ...

    @property
    def files(self) -> Sequence[HubFile]:
        """All files, in no order."""
        ...

    def open_file(self, file: HubFile, *, start: int = 0) -> BlobReader:
        """The bytes of one of ``files`` from offset ``start``. The caller verifies them.

        Raises:
            NotFound, Denied, NetworkError
            Corrupt: it has another size.
        """
        ...
