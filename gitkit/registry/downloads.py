"""A blob's bytes, from any offset. Distribution specification 1.1, "Pulling blobs"."""

import re
from collections.abc import Mapping
from typing import Protocol

from gitkit.core.digest import short
from gitkit.errors import Corrupt, KitError, NetworkError
from gitkit.registry.messages import Reply, Request
from gitkit.registry.problems import MAX_ERROR_BODY, Transient
from gitkit.registry.transport import CHUNK, Response

_CONTENT_RANGE = re.compile(r"bytes\s+(\d+)-(\d+)/(\d+|\*)")
_UNSATISFIED = re.compile(r"bytes\s+\*/(\d+)")


class Host(Protocol):
    """Where blobs are asked for; see ``gitkit.registry.endpoint.Endpoint``."""

    def request(self, method: str, path: str, doing: str, *, headers: Mapping[str, str] | None = None) -> Request: ...

    def open(self, request: Request, scopes: tuple[str, ...]) -> Response: ...

    def problem(self, reply: Reply, doing: str) -> KitError: ...


class BlobBody:
    """A ``BlobReader`` over an answer that holds the last ``left`` bytes of a blob."""

    def __init__(self, response: Response, left: int, doing: str) -> None:
        self._response = response
        self._left = left
        self._doing = doing

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` with up to 1 MiB; 0 only at the end.

        Raises:
            NetworkError: the connection broke or the body ended early.
            Corrupt: the body is longer than the blob.
        """
        if self._left == 0:
            self._check_end()
            return 0
        count = self._response.readinto(buffer[: self._left])
        if count == 0 and len(buffer) > 0:
            raise Transient(f"cannot {self._doing}: it ended {self._left} bytes early")
        self._left -= count
        return count

    def skip(self, count: int) -> None:
        """Read and drop ``count`` bytes."""
        buffer = memoryview(bytearray(min(count, CHUNK)))
        while count > 0:
            count -= self.readinto(buffer[: min(count, CHUNK)])

    def close(self) -> None:
        self._response.close()

    def _check_end(self) -> None:
        if self._response.readinto(memoryview(bytearray(1))):
            raise Corrupt(f"cannot {self._doing}: the registry sends more bytes than it has")


class NoBody:
    """A ``BlobReader`` at the end of its blob."""

    def readinto(self, _buffer: memoryview, /) -> int:
        return 0

    def close(self) -> None:
        pass


def open_blob(
    endpoint: Host,
    path: str,
    scopes: tuple[str, ...],
    *,
    digest: str,
    size: int,
    start: int,
    stop: int | None = None,
) -> BlobBody | NoBody:
    """The bytes of the blob at ``path`` from ``start`` to ``stop``, by one request that is not repeated once answered.

    Raises:
        NotFound, Denied, NetworkError
        Corrupt: the registry's blob is not ``size`` bytes long.
    """
    stop = size if stop is None else min(stop, size)
    if not 0 <= start <= stop:
        raise ValueError(f"bytes {start} to {stop} of {size}")
    if start == stop and size > 0:
        return NoBody()
    doing = f"read blob {short(digest)}"
    headers = {"Range": f"bytes={start}-{stop - 1 if stop < size else ''}"} if start or stop < size else {}
    response = endpoint.open(endpoint.request("GET", path, doing, headers=headers), scopes)
    try:
        return _body(endpoint, response, doing, size, start, stop)
    except BaseException:
        response.close()
        raise


def _body(endpoint: Host, response: Response, doing: str, size: int, start: int, stop: int) -> BlobBody:
    if response.status == 206 and (start or stop < size):
        left = _check_range(response, doing, size, start, stop)
        return BlobBody(response, left, doing)
    if response.status == 200:
        _check_length(response, doing, size)
        body = BlobBody(response, size, doing)
        body.skip(start)  # the registry does not do ranges
        return body
    if response.status == 416:
        held = _UNSATISFIED.fullmatch(response.headers.get("Content-Range", "").strip())
        said = f"has {held[1]}" if held else f"has no more than {start}"
        raise Corrupt(f"cannot {doing}: it should have {size} bytes, the registry {said}")
    raise endpoint.problem(response.whole(MAX_ERROR_BODY), doing)


def _check_range(response: Response, doing: str, size: int, start: int, stop: int) -> int:
    """Bytes from ``start`` to ``stop``, of which the answer may hold fewer (then it ends early) or more."""
    given = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if given is None or int(given[1]) != start:
        raise NetworkError(f"cannot {doing}: asked for the bytes from {start}, the registry sends others")
    if given[3] not in ("*", str(size)) or int(given[2]) >= size:
        raise Corrupt(f"cannot {doing}: it should have {size} bytes, the registry has {given[3]}")
    return max(stop, int(given[2]) + 1) - start


def _check_length(response: Response, doing: str, size: int) -> None:
    length = response.headers.get("Content-Length")
    if length is not None and length.strip() != str(size):
        raise Corrupt(f"cannot {doing}: it should have {size} bytes, the registry has {length.strip()}")
