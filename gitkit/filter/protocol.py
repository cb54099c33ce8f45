"""Packet lines on two file descriptors: Git's long-running filter protocol, version 2 (gitattributes(5)).

Git writes a whole request and only then reads, so nothing may be answered before a request's content has been read.
"""

import fcntl
import os

from gitkit.core import pktline
from gitkit.errors import KitError

TYPE_CHECKING = False
if TYPE_CHECKING:  # the handshake waits for no import
    import hashlib

    from gitkit.store.ingest import Source

_GULP = 1 << 20
_SIP = 64 << 10
_SUCCESS = pktline.text_packets([b"status=success"])
_END = pktline.FLUSH + pktline.FLUSH
_LENGTHS: dict[bytes, int] = {}
"""Packet headers that were read before, and what they say."""


class ProtocolError(KitError):
    """Git does not speak the protocol that we know; the process ends."""


class Requests:
    """What Git sends, read in gulps of up to 1 MiB."""

    def __init__(self, fd: int) -> None:
        _enlarge(fd)
        self._fd = fd
        self.data = b""
        """What was read last; from ``at`` on it is still to be looked at."""
        self.at = 0
        self._gulp = _SIP

    def section(self) -> list[bytes] | None:
        """Text lines up to a flush packet, without their line ends; None at the end of input.

        Raises:
            ProtocolError: the input ends or breaks inside a section.
        """
        lines: list[bytes] = []
        while True:
            if not lines and self.at == len(self.data) and not self.more():
                return None
            length = self.header()
            if length == 0:
                return lines
            while len(self.data) - self.at < length:
                if not self.more():
                    raise ProtocolError("Git closed the pipe inside a packet")
            end = self.at + length
            lines.append(self.data[self.at : end].removesuffix(b"\n"))
            self.at = end

    def content(self) -> "Content":
        """The content of the current request. It must be read to its end before the next section."""
        return Content(self)

    def header(self) -> int:
        """The length of the next packet's payload; 0 for a flush packet.

        Raises:
            ProtocolError: there is no packet.
        """
        header = self.data[self.at : self.at + 4]
        while len(header) < 4 and self.more():
            header = self.data[self.at : self.at + 4]
        length = _LENGTHS.get(header)
        if length is None:
            length = _LENGTHS[header] = _length(header)
        self.at += 4
        return length

    def more(self) -> bool:
        """Read; False at the end of input."""
        read = os.read(self._fd, self._gulp)
        if len(read) == self._gulp:
            self._gulp = _GULP  # not from the start: it costs time to set up, and most requests are small
        self.data = self.data[self.at :] + read
        self.at = 0
        return bool(read)


class Content:
    """The payloads up to a flush packet, as one stream."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._left = 0
        self._ended = False

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer``; less than its length only at the end."""
        filled = 0
        while filled < len(buffer) and (count := self._available()):
            count = min(count, len(buffer) - filled)
            at = self._requests.at
            buffer[filled : filled + count] = memoryview(self._requests.data)[at : at + count]
            self._took(count)
            filled += count
        return filled

    def read(self, limit: int) -> bytes:
        """At most ``limit`` bytes; less only at the end."""
        pieces = []
        while limit and (count := self._available()):
            count = min(count, limit)
            at = self._requests.at
            pieces.append(self._requests.data[at : at + count])
            self._took(count)
            limit -= count
        return b"".join(pieces)

    def drain(self) -> None:
        """Read what is left and forget it."""
        while count := self._available():
            self._took(count)

    def _available(self) -> int:
        """How much of the content can be taken without reading; 0 only at the end."""
        requests = self._requests
        if self._left == 0 and not self._ended:
            self._left = requests.header()
            self._ended = self._left == 0
        if self._left and requests.at == len(requests.data) and not requests.more():
            raise ProtocolError("Git closed the pipe inside a file")
        return min(self._left, len(requests.data) - requests.at)

    def _took(self, count: int) -> None:
        self._requests.at += count
        self._left -= count


class Answers:
    """What Git reads."""

    _PACKETS = 16

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._room: memoryview | None = None

    def lines(self, *lines: bytes) -> None:
        """A section of text lines."""
        self._write(pktline.text_packets(lines))

    def small(self, data: bytes) -> None:
        """A whole successful answer that fits one packet."""
        header = b"%04x" % (len(data) + 4) if data else b""
        self._write(b"".join((_SUCCESS, header, data, _END)))

    def stream(self, source: "Source", *, observe: "hashlib._Hash | None" = None) -> None:
        """The content section: all of ``source``, shown to ``observe`` on its way. The caller sends the statuses."""
        width = pktline.MAX_PAYLOAD + 4
        if self._room is None:
            self._room = memoryview(bytearray(self._PACKETS * width))
        buffer = self._room
        ended = False
        while not ended:
            end = 0
            for _ in range(self._PACKETS):
                count = source.readinto(buffer[end + 4 : end + width])
                if not count:
                    ended = True
                    break
                if observe is not None:
                    observe.update(buffer[end + 4 : end + 4 + count])
                buffer[end : end + 4] = b"%04x" % (count + 4)
                end += count + 4
            self._write(buffer[:end])
        self._write(pktline.FLUSH)

    def _write(self, data: bytes | memoryview) -> None:
        written = os.write(self._fd, data)
        while written < len(data):
            written += os.write(self._fd, memoryview(data)[written:])


def shake_hands(requests: Requests, answers: Answers) -> None:
    """Agree on version 2 and on what both sides can do.

    Raises:
        ProtocolError: Git offers another protocol.
    """
    welcome = requests.section()
    if welcome is None or welcome[:1] != [b"git-filter-client"] or b"version=2" not in welcome:
        raise ProtocolError(
            "git kit filter-process is started by Git, not by hand", hint="use: git kit clean, git kit smudge"
        )
    answers.lines(b"git-filter-server", b"version=2")
    offered = requests.section() or []
    ours = (b"capability=clean", b"capability=smudge", b"capability=delay")
    answers.lines(*(capability for capability in ours if capability in offered))


def _length(header: bytes) -> int:
    try:
        return pktline.payload_length(header) or 0
    except ValueError as error:
        raise ProtocolError(f"Git sent {header!r} where a packet begins") from error


def _enlarge(fd: int) -> None:
    # A bigger pipe saves context switches; where it cannot be had the filter is only slower.
    setting = getattr(fcntl, "F_SETPIPE_SZ", None)
    if setting is not None:
        try:
            fcntl.fcntl(fd, setting, _GULP)
        except OSError:
            return
