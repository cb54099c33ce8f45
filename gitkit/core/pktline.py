"""Git's packet lines: four hex digits of length (header included), then the payload.

Format: gitprotocol-common(5) and ``Documentation/technical/long-running-process-protocol`` in Git's source.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # the filter's handshake waits for no import
    from collections.abc import Iterable

MAX_PAYLOAD = 65516
"""Largest payload of one packet in bytes: 65520 less the header."""

FLUSH = b"0000"
_HEX = frozenset(b"0123456789abcdefABCDEF")


def packet(payload: bytes) -> bytes:
    """One packet. ``payload`` holds 1 to ``MAX_PAYLOAD`` bytes."""
    return b"%04x" % (len(payload) + 4) + payload


def text_packets(lines: "Iterable[bytes]") -> bytes:
    """Each line as a packet that ends in LF, then a flush packet."""
    return b"".join(packet(line + b"\n") for line in lines) + FLUSH


def payload_length(header: bytes) -> int | None:
    """Bytes that follow ``header`` (four bytes), or None for a flush packet.

    Raises:
        ValueError: not a packet header, or one of the lengths 1 to 4, which the filter protocol does not use.
    """
    if len(header) != 4 or not _HEX.issuperset(header):  # int() would also take signs, spaces, "0x" and "_"
        raise ValueError(f"{header!r} is not a packet header")
    length = int(header, 16)
    if length == 0:
        return None
    if length <= 4 or length - 4 > MAX_PAYLOAD:
        raise ValueError(f"packet length {length} is out of range")
    return length - 4
