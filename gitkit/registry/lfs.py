"""A Git LFS server, read only: the batch API and the transfer "basic" (git-lfs ``docs/api``).

Our login goes to the server's own origin; what the server adds for one download goes to that download's URL; a redirect
to another host gets neither. Safe between threads; close it.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gitkit.core.login import Logins
from gitkit.core.remote import BlobReader, ReadOnly
from gitkit.errors import Denied, KitError, NotFound, Unsupported
from gitkit.registry.address import origin, redacted
from gitkit.registry.downloads import open_blob
from gitkit.registry.lfs_batch import MAX_OBJECTS, MEDIA_TYPE, Action, Answer, parse_answer, problem, request_body
from gitkit.registry.lfs_login import LfsLogin, basic
from gitkit.registry.messages import Reply, Request, TransportOptions
from gitkit.registry.problems import Transient
from gitkit.registry.transport import Response, Transport

_MAX_ANSWER = 16 << 20
_GUESSED_HINT = (
    "this address is a guess: Git LFS asks over ssh, which git kit does not; name the server: git config lfs.url URL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LfsAddress:
    """``url`` of the API, without user info. ``authorization`` and ``headers`` go to its origin alone.

    ``guessed``: Git LFS itself would ask over ssh where the server is.
    """

    url: str
    user: str = ""
    password: str = ""
    authorization: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    guessed: bool = False

    def __repr__(self) -> str:
        return f"LfsAddress({redacted(self.url)!r})"


class LfsServer(ReadOnly):
    """The server at ``address``. Nothing is sent before the first question.

    Raises:
        Unsupported: the URL is not one of HTTP.
        InvalidFile: a proxy or CA file in ``options`` cannot be used.
    """

    def __init__(
        self,
        address: LfsAddress,
        logins: Logins,
        *,
        options: TransportOptions | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.url = redacted(address.url)
        self._options = options or TransportOptions()
        self._api = _Api(address, logins, self._options)
        self._clock = clock
        self._guessed = address.guessed
        self._lock = threading.Lock()
        self._expected: dict[str, int] = {}
        self._answers: dict[str, Answer] = {}
        self._failure: KitError | None = None

    def close(self) -> None:
        """Close idle connections; the object stays usable."""
        self._api.close()

    def expect(self, blobs: Iterable[tuple[str, int]]) -> None:
        """Digests and sizes that are going to be opened: the server is asked for many at once."""
        self._expected.update(blobs)

    def has_blob(self, digest: str) -> bool:
        """Whether the server gives this blob, which must have been expected: it asks for the size, too.

        Raises:
            Denied, NetworkError
        """
        size = self._expected.get(digest)
        if size is None:
            return False
        try:
            self._action(digest, size)
        except NotFound:
            return False
        return True

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> BlobReader:
        """See ``gitkit.core.remote``.

        Raises:
            NotFound, Denied, NetworkError
            Corrupt: the server's object does not have ``size`` bytes.
            KitError: the server refuses this object for a reason of its own.
        """
        known = self._answers.get(digest)
        action = self._action(digest, size)
        try:
            return self._open(action, digest, size, start, stop)
        except (Denied, NotFound):
            if action is not known:
                raise
        # An older answer may have ended without having said when: signed URLs do.
        return self._open(self._action(digest, size, refused=action), digest, size, start, stop)

    def _open(self, action: Action, digest: str, size: int, start: int, stop: int | None) -> BlobReader:
        host = _Download(self._api, action)
        return open_blob(host, action.href, (), digest=digest, size=size, start=start, stop=stop)

    def _action(self, digest: str, size: int, *, refused: Action | None = None) -> Action:
        self._expected[digest] = size
        answer = self._options.retry.run(lambda: self._answer(digest, size, refused))
        if isinstance(answer, KitError):
            raise answer
        return answer

    def _answer(self, digest: str, size: int, refused: Action | None) -> Answer:
        """
        Raises:
            Transient: this one object may be given at the next try.
        """
        with self._lock:
            answer = self._answers.get(digest)
            if answer is None or answer is refused or self._has_ended(answer):
                self._ask(digest, size)
                answer = self._failure or self._answers[digest]
            if isinstance(answer, Transient) and answer is not self._failure:
                del self._answers[digest]
                raise answer
            return answer

    def _has_ended(self, answer: Answer) -> bool:
        return isinstance(answer, Action) and answer.until is not None and answer.until <= self._clock()

    def _ask(self, digest: str, size: int) -> None:
        """Ask for one blob, and in the same request for others that are expected."""
        if self._failure is not None:
            return
        others = [blob for blob in list(self._expected.items()) if blob[0] not in self._answers and blob[0] != digest]
        try:
            self._batch([(digest, size), *others[: MAX_OBJECTS - 1]])
        except KitError as error:
            if self._guessed:
                error.hint = _GUESSED_HINT
            self._failure = error  # of the server as a whole: no other question will fare better

    def _batch(self, blobs: Sequence[tuple[str, int]]) -> None:
        reply = self._api.batch(request_body(blobs))
        if reply.status == 413 and len(blobs) > 1:
            half = len(blobs) // 2
            self._batch(blobs[:half])
            self._batch(blobs[half:])
            return
        if reply.status != 200:
            raise problem("ask for Git LFS objects", reply.url, reply.status, reply.body)
        self._answers.update(parse_answer(reply.body, blobs, url=reply.url, now=self._clock()))


class _Api:
    """Requests to the server's origin with our login, and to other hosts without."""

    def __init__(self, address: LfsAddress, logins: Logins, options: TransportOptions) -> None:
        try:
            self._origin = origin(address.url)
        except ValueError as error:
            raise Unsupported(
                f"{redacted(address.url)} is not the URL of a Git LFS server", hint="git config lfs.url URL"
            ) from error
        given = basic(address.user, address.password) if address.password else address.authorization
        self._address = address
        self._login = LfsLogin(address.url, address.user, given, logins)
        self._retry = options.retry
        self._transport = Transport(scheme=self._origin.scheme, options=options)

    def close(self) -> None:
        self._transport.close()

    def batch(self, body: bytes) -> Reply:
        headers = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE}
        request = Request(
            method="POST",
            url=f"{self._address.url}/objects/batch",
            doing="ask for Git LFS objects",
            headers=headers,
            body=body,
        )
        return self._retry.run(lambda: self._authorized(request).whole(_MAX_ANSWER))

    def open(self, request: Request, *, ours: bool) -> Response:
        """One answer, asked for again while that can help; with ``ours`` under our login, at the server's origin."""
        send = self._authorized if ours and self._owns(request.url) else self._transport.exchange
        return self._retry.run(lambda: send(request))

    def _authorized(self, request: Request) -> Response:
        private = {**dict(self._address.headers), **request.private}
        while True:
            header = self._login.header()
            response = self._transport.exchange(replace(request, authorization=header, private=private))
            # A host that the server redirects to must not ask for our login.
            if response.status != 401 or not self._owns(response.url):
                if response.status < 400:
                    self._login.accepted(header)
                return response
            response.close()
            self._login.refused(header)

    def _owns(self, url: str) -> bool:
        try:
            return origin(url) == self._origin
        except ValueError:
            return False


class _Download:
    """The host of one download, for ``gitkit.registry.downloads``."""

    def __init__(self, api: _Api, action: Action) -> None:
        self._api = api
        self._action = action

    def request(self, method: str, path: str, doing: str, *, headers: Mapping[str, str] | None = None) -> Request:
        return Request(method=method, url=path, doing=doing, headers=headers or {}, private=self._action.headers)

    def open(self, request: Request, scopes: tuple[str, ...]) -> Response:
        return self._api.open(request, ours=not self._action.has_login and not self._action.authenticated)

    def problem(self, reply: Reply, doing: str) -> KitError:
        return problem(doing, reply.url, reply.status, reply.body)
