"""What the registry tests send and receive."""

import io
from collections.abc import Callable
from typing import BinaryIO

from gitkit.core.digest import digest_of
from gitkit.core.oci import EMPTY_DESCRIPTOR, Descriptor, Manifest
from gitkit.registry.credentials import Credential
from tests.lib.registries import PASSWORD, REPOSITORY, USER, FaultRegistry

ALICE = Credential(username=USER, password=PASSWORD)
DATA = b"".join(number.to_bytes(4, "big") for number in range(192 * 1024))
"""768 KiB in which every place is another: a wrong offset cannot go unnoticed."""
DIGEST = digest_of(DATA)
BLOBS, UPLOADS, MANIFESTS = r"/blobs/sha256:", r"/blobs/uploads/", r"/manifests/"


def source(data: bytes = DATA) -> Callable[[], BinaryIO]:
    """An ``open_source`` for ``put_blob``."""
    return lambda: io.BytesIO(data)


class CountedSource:
    """Opens ``DATA`` and remembers every file it opened."""

    def __init__(self) -> None:
        self.opened: list[io.BytesIO] = []

    def __call__(self) -> BinaryIO:
        self.opened.append(io.BytesIO(DATA))
        return self.opened[-1]

    def all_closed(self) -> bool:
        return all(file.closed for file in self.opened)


def manifest_of(*blobs: bytes) -> bytes:
    """A manifest with one layer a blob and the empty config."""
    layers = [Descriptor(media_type="application/x.test", digest=digest_of(blob), size=len(blob)) for blob in blobs]
    return Manifest(config=EMPTY_DESCRIPTOR, layers=layers, artifact_type="application/x.test").encode()


def stored(registry: FaultRegistry) -> dict[str, bytes]:
    """The blobs that arrived in ``REPOSITORY``."""
    return registry.repository(REPOSITORY).blobs
