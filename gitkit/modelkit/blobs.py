"""Small blobs of a remote, whole and verified."""

from contextlib import closing

from gitkit.core.digest import digest_of
from gitkit.core.oci import Descriptor
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt

MAX_SIZE = 4 << 20
"""Configs are read into memory; nothing that a kit's reader needs is larger."""


def read_blob(remote: Remote, descriptor: Descriptor) -> bytes:
    """The bytes of a blob of at most ``MAX_SIZE`` bytes.

    Raises:
        Corrupt: it is larger, or not what its digest says.
        NotFound, Denied, NetworkError
    """
    if descriptor.size > MAX_SIZE:
        raise Corrupt(f"{descriptor.digest} claims {descriptor.size} bytes, which is too much for a config")
    data = bytearray(descriptor.size)
    filled = 0
    with closing(remote.open_blob(descriptor.digest, descriptor.size)) as source:
        while filled < len(data) and (count := source.readinto(memoryview(data)[filled:])):
            filled += count
    if digest_of(bytes(data[:filled])) != descriptor.digest:
        raise Corrupt(f"{descriptor.digest} on {remote.url} holds other bytes")
    return bytes(data)
