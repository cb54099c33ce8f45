"""Packet lines on two file descriptors: Git's long-running filter protocol, version 2 (gitattributes(5)).

Git writes a whole request and only then reads, so nothing may be answered before a request's content has been read.
"""

import fcntl
import io
import os

from gitkit.core import pktline
from gitkit.errors import KitError

TYPE_CHECKING = False
if TYPE_CHECKING:  # the handshake waits for no import
    import hashlib

    from gitkit.store.ingest import Source

_GULP = 1 << 20


class ProtocolError(KitError):
    """Git does not speak the protocol that we know; the process ends."""


class Requests:
    """What Git sends, read in gulps of 1 MiB."""

    def __init__(self, fd: int) -> None:
        _enlarge(fd)
        self._file = io.BufferedReader(io.FileIO(fd, closefd=False), _GULP)

    def section(self) -> list[bytes] | None:
        """Text lines up to a flush packet, without their line ends; None at the end of input.

        Raises:
            ProtocolError: the input ends or breaks inside a section.
        """
        lines: list[bytes] = []
        while True:
            header = self._file.read(4)
            if not header and not lines:
                return None
            length = _length(header)
            if length is None:
                return lines
            lines.append(self._exactly(length).removesuffix(b"\n"))

    def content(self) -> "Content":
        """The content of the current request. It must be read to its end before the next section."""
        return Content(self._file)

    def _exactly(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) != length:
            raise ProtocolError("Git closed the pipe inside a packet")
        return data


class Content:
    """The payloads up to a flush packet, as one stream."""

    def __init__(self, file: "io.BufferedReader[io.FileIO]") -> None:
        self._file = file
        self._left = 0
        self._ended = False

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer``; less than its length only at the end."""
        filled = 0
        while filled < len(buffer) and not self._ended:
            if self._left == 0:
                length = _length(self._file.read(4))
                if length is None:
                    self._ended = True
                    break
                self._left = length
            count = self._file.readinto(buffer[filled : filled + self._left])
            if not count:
                raise ProtocolError("Git closed the pipe inside a file")
            self._left -= count
            filled += count
        return filled

    def read(self, limit: int) -> bytes:
        """At most ``limit`` bytes; less only at the end."""
        buffer = bytearray(limit)
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def drain(self) -> None:
        """Read what is left and forget it."""
        if not self._ended:
            buffer = memoryview(bytearray(_GULP))
            while self.readinto(buffer):
                pass


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
        body = pktline.packet(data) if data else b""
        self._write(pktline.text_packets([b"status=success"]) + body + pktline.FLUSH + pktline.FLUSH)

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
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]


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


def _length(header: bytes) -> int | None:
    try:
        return pktline.payload_length(header)
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
