"""Where the bytes of a kit's layers come from: the clone's store where it holds them, else the kit's own place."""

import fcntl
import os
from typing import NamedTuple

from gitkit.core.digest import short
from gitkit.core.events import Advanced, Event, Sink
from gitkit.core.oci import Descriptor
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt
from gitkit.modelkit.streams import Progress, hash_blob
from gitkit.store.ingest import Source, copy_hashed
from gitkit.store.layout import ImageLayout
from gitkit.sync.fetch import download

_FICLONE = 0x40049409
"""``ioctl_ficlone(2)``; the module fcntl names it from Python 3.12 on."""


class BlobSource(NamedTuple):
    """``store`` is the clone's; with ``keep`` files that it does not hold are downloaded into it first."""

    remote: Remote
    store: ImageLayout | None = None
    keep: bool = False

    def place(self, layer: Descriptor) -> Remote:
        """Where to read ``layer``: the store holds it, or the remote may."""
        return self.store if self.store is not None and self.store.holds(layer.digest, layer.size) else self.remote

    def is_here(self, layer: Descriptor) -> bool:
        """Whether reading ``layer`` costs no network."""
        return isinstance(self.place(layer), ImageLayout)

    def copy(self, layer: Descriptor, fd: int, progress: Progress) -> None:
        """Write a whole blob to ``fd``, which is empty, and verify what was written. Shares blocks where disks can.

        Raises:
            Corrupt: it is not what its digest says.
            NotFound, Denied, NetworkError
        """
        place = self.place(layer)
        if self.store is not None and self.keep and not isinstance(place, ImageLayout):
            download(self.store, place, layer.digest, layer.size, emit=_counting(progress))
            place, progress = self.store, _nothing
        if isinstance(place, ImageLayout) and _clone(place, layer, fd):
            _verify(layer, fd, progress)
        else:
            hash_blob(place, layer, progress, fd)


def _counting(progress: Progress) -> Sink:
    def handle(event: Event) -> None:
        if isinstance(event, Advanced):
            progress(event.bytes)

    return handle


def _nothing(count: int) -> None:
    pass


def _clone(place: ImageLayout, layer: Descriptor, fd: int) -> bool:
    """Whether ``fd`` shares the blob's blocks now."""
    try:
        source = os.open(place.blob_path(layer.digest), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False  # reading it tells why
    try:
        fcntl.ioctl(fd, _FICLONE, source)
    except OSError:
        return False
    finally:
        os.close(source)
    return True


def _verify(layer: Descriptor, fd: int, progress: Progress) -> None:
    os.lseek(fd, 0, os.SEEK_SET)
    with open(fd, "rb", buffering=0, closefd=False) as file:
        digest, size = copy_hashed(_Told(file, progress), None)
    if (digest, size) != (layer.digest, layer.size):
        raise Corrupt(f"the blob {short(layer.digest)} in the store is damaged", hint="git kit fsck --repair")


class _Told:
    def __init__(self, source: Source, progress: Progress) -> None:
        self._source = source
        self._progress = progress

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._source.readinto(buffer) or 0
        self._progress(count)
        return count
