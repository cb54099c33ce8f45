"""One blob on its way to a registry. Distribution specification 1.1, "Pushing a blob monolithically": POST, then PUT.

One streamed PUT is what every registry takes (some limit or refuse chunks), and after a failure a new session is the
only thing that works everywhere: distribution 2.8 loses an upload that was cut.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import BinaryIO
from urllib.parse import quote

from gitkit.core.digest import PREFIX, short
from gitkit.core.reference import RegistryUrl, parse_remote
from gitkit.errors import Corrupt, Denied, KitError, NetworkError, UsageError
from gitkit.registry.address import api_host, api_repository, joined
from gitkit.registry.endpoint import Endpoint
from gitkit.registry.messages import Reply
from gitkit.registry.problems import MAX_ERROR_BODY, Transient, describe, registry_errors
from gitkit.registry.transport import CHUNK, Response

_SESSION_LOST = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"})
_COMMIT_RATE = 50 * 1024 * 1024
_MAX_COMMIT_S = 900.0


def mount(endpoint: Endpoint, repository: str, scopes: tuple[str, ...], *, digest: str, source: str) -> bool:
    """Have the registry take a blob over from its repository at ``source``, a URL; whether it did ("Mounting a blob").

    Registries that do not, or where we may not read ``source``, open an upload session (which is cancelled) or refuse.
    ``scopes`` are those for a push.

    Raises:
        NetworkError
    """
    name = _here(endpoint.host, source)
    if name is None:
        return False
    doing = f"mount blob {short(digest)}"
    scopes = (*scopes, f"repository:{name}:pull")
    query = f"mount={quote(digest, safe='')}&from={quote(name, safe='')}"
    request = endpoint.request("POST", f"/v2/{repository}/blobs/uploads/?{query}", doing)
    try:
        reply = endpoint.call(request, scopes)
    except Denied:
        return False
    location = reply.headers.get("Location")
    if reply.status == 202 and location:
        # An answer that says the session is gone would be as good; whatever goes wrong, it expires by itself.
        with suppress(KitError):
            endpoint.call(endpoint.request("DELETE", joined(reply.url, location), doing), scopes)
    if reply.status in (201, 202, 400, 401, 403, 404, 405):
        return reply.status == 201
    raise endpoint.problem(reply, doing)


def _here(host: str, source: str) -> str | None:
    """The repository that ``source`` names, if ``host`` serves it."""
    try:
        place = parse_remote(source)
    except UsageError:
        return None
    if not isinstance(place, RegistryUrl) or api_host(place.host) != api_host(host):
        return None
    return api_repository(place.host, place.repository)


class Upload:
    """Stores one blob under ``repository`` unless it is there. ``run`` holds no more than two chunks in memory."""

    def __init__(
        self,
        endpoint: Endpoint,
        repository: str,
        scopes: tuple[str, ...],
        *,
        digest: str,
        size: int,
        open_source: Callable[[], BinaryIO],
    ) -> None:
        self._endpoint = endpoint
        self._blob = f"/v2/{repository}/blobs/{digest}"
        self._sessions = f"/v2/{repository}/blobs/uploads/"
        self._scopes = scopes
        self._digest = digest
        self._size = size
        self._open_source = open_source
        self._doing = f"upload blob {short(digest)}"

    def run(self) -> None:
        """Upload; each try looks first whether the blob is there, and has its own session and source.

        Raises:
            Corrupt: the source does not have the digest, or the registry received other bytes.
            KitError: the source cannot be read.
            Denied, NetworkError, Unsupported
        """
        self._endpoint.retry(self._try)

    def _try(self) -> None:
        response = self._endpoint.authorized(self._scopes, self._attempt)
        reply = response.whole(MAX_ERROR_BODY)
        if reply.status not in (200, 201, 204):
            raise self._problem(reply)

    def _attempt(self, authorization: str | None) -> Response:
        """HEAD, POST and PUT under one authorization: the first answer that ends the attempt."""
        there = self._endpoint.send(self._endpoint.request("HEAD", self._blob, self._doing), authorization)
        if there.status != 404:
            return there
        there.close()
        session = self._endpoint.send(self._endpoint.request("POST", self._sessions, self._doing), authorization)
        if session.status != 202:
            if session.status < 300:
                session.close()
                raise NetworkError(f"cannot {self._doing}: the registry opened no upload session")
            return session
        with session:
            location = session.headers.get("Location")
        if not location:
            raise NetworkError(f"cannot {self._doing}: the registry does not say where to send it")
        return self._put(joined(session.url, location), authorization)

    def _put(self, location: str, authorization: str | None) -> Response:
        separator = "&" if "?" in location else "?"
        with self._opened() as source:
            request = self._endpoint.request(
                "PUT",
                f"{location}{separator}digest={quote(self._digest, safe='')}",
                self._doing,
                # Without this type distribution 2.8 parses the body as a form.
                headers={"Content-Type": "application/octet-stream", "Content-Length": str(self._size)},
                body=self._checked(source),
                answer_timeout_s=self._answer_timeout_s(),
            )
            return self._endpoint.send(request, authorization)

    def _checked(self, source: BinaryIO) -> Iterator[bytes]:
        """The source's bytes, never more than were announced.

        The last chunk is held back until all are known to have the digest: that a source which changed is not stored
        does not depend on what the registry checks.
        """
        hasher = hashlib.sha256()
        count, held = 0, b""
        while chunk := self._read(source):
            hasher.update(chunk)
            count += len(chunk)
            if count > self._size:
                raise Corrupt(f"cannot {self._doing}: its source has more than {self._size} bytes")
            if held:
                yield held
            held = chunk
        if count != self._size:
            raise Corrupt(f"cannot {self._doing}: its source has {count} bytes, not {self._size}")
        if PREFIX + hasher.hexdigest() != self._digest:
            raise Corrupt(f"cannot {self._doing}: its source has other content")
        if held:
            yield held

    def _opened(self) -> BinaryIO:
        try:
            return self._open_source()
        except OSError as error:
            raise self._unreadable(error) from error

    def _read(self, source: BinaryIO) -> bytes:
        try:
            return source.read(CHUNK)
        except OSError as error:  # urllib3 would take it for a network failure
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> KitError:
        return KitError(f"cannot {self._doing}: its source cannot be read: {error.strerror or error}")

    def _answer_timeout_s(self) -> float:
        # Before it answers, a registry may copy the blob within its storage, at some 50 MiB/s in the worst case.
        return max(self._endpoint.stall_timeout_s, min(self._size / _COMMIT_RATE, _MAX_COMMIT_S))

    def _problem(self, reply: Reply) -> KitError:
        codes = {error.code for error in registry_errors(reply.body)}
        if codes & _SESSION_LOST or (reply.status == 416 and self._endpoint.owns(reply.url)):
            return Transient(describe(self._doing, reply.url, reply.status, reply.body))
        return self._endpoint.problem(reply, self._doing)
