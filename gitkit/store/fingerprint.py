"""Fingerprints of content that passes by: xxh3, 128 bits, of its first MiB and of all of it.

They are fast (some 10 GB/s) and prove nothing against somebody who wants two contents to look alike: they only recall
what was computed for the same path and length.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import xxhash

HEAD = 1 << 20
"""Bytes that ``head`` covers. Content that is not longer has no fingerprint: hashing it costs nothing."""


class Fingerprint:
    """Fed with all bytes in order; the first piece must be the first ``HEAD`` bytes or more."""

    def __init__(self) -> None:
        self._whole: xxhash.xxh3_128 | None = None
        self.head = b""
        self.count = 0

    def update(self, data: "memoryview | bytearray | bytes", /) -> None:
        """Take the next bytes."""
        if self._whole is None:
            import xxhash

            self._whole = xxhash.xxh3_128()
            self.head = head_of(data)
        self._whole.update(data)
        self.count += len(data)

    @property
    def whole(self) -> bytes:
        """Of what was fed so far."""
        return self._whole.digest() if self._whole is not None else b""


def head_of(data: "memoryview | bytearray | bytes") -> bytes:
    """The fingerprint of the first MiB of ``data``."""
    import xxhash

    return xxhash.xxh3_128(memoryview(data)[:HEAD]).digest()
