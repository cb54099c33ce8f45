"""One registry host: authorised requests, tried again where that can help, answers turned into errors."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from gitkit.errors import KitError, NetworkError, UsageError
from gitkit.registry.address import api_host, check_place, joined, origin
from gitkit.registry.auth import Authenticator
from gitkit.registry.credentials import Credential, CredentialSource
from gitkit.registry.messages import Reply, Request, TransportOptions
from gitkit.registry.problems import MAX_ERROR_BODY, Transient, describe, is_half_written, problem
from gitkit.registry.transport import Response, Transport

T = TypeVar("T")
_MAX_TOKEN_ANSWER = 1024 * 1024


class Endpoint:
    """The API of ``host`` (``name[:port]``). Safe to share between threads; close it.

    ``scheme`` is ``https``, or ``http`` where a person asked for it. ``credentials`` is asked once, and only when the
    registry wants a login.

    Raises:
        UsageError: ``host`` is no host.
        InvalidFile: a proxy or CA file in ``options`` cannot be used.
    """

    def __init__(
        self,
        host: str,
        *,
        scheme: str = "https",
        credentials: CredentialSource | None = None,
        options: TransportOptions | None = None,
    ) -> None:
        if scheme not in ("http", "https"):
            raise ValueError(f"scheme {scheme!r}")
        check_place(host)
        self.host = host
        self.scheme = scheme
        self._base = f"{scheme}://{api_host(host)}"
        try:
            self._origin = origin(self._base)
        except ValueError as error:
            raise UsageError(f"{host!r} is not a registry's host") from error
        self._credentials = credentials
        options = options or TransportOptions()
        self._transport = Transport(scheme=scheme, options=options)
        self._retry = options.retry
        self.stall_timeout_s = options.stall_timeout_s
        self._auth = Authenticator(
            base=self._base, login_host=host, credential=self._credential, exchange=self._ask_token_server
        )

    def close(self) -> None:
        self._transport.close()

    def request(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
        answer_timeout_s: float | None = None,
    ) -> Request:
        """A request to ``path``, which may be a URL."""
        return Request(
            method=method,
            url=joined(self._base, path),
            doing=doing,
            headers=headers or {},
            body=body,
            answer_timeout_s=answer_timeout_s,
        )

    def call(self, request: Request, scopes: Iterable[str], *, limit: int = MAX_ERROR_BODY) -> Reply:
        """The answer to ``request`` with its body, cut after ``limit`` bytes. Tried again while it can help.

        Raises:
            Denied: no credentials, or they are refused.
            NetworkError
        """
        wanted = tuple(scopes)

        def once() -> Reply:
            reply = self._open_once(request, wanted).whole(limit)
            if is_half_written(reply.status, reply.body):
                raise Transient(describe(request.doing, reply.url, reply.status, reply.body))
            return reply

        return self.retry(once)

    def open(self, request: Request, scopes: Iterable[str]) -> Response:
        """As ``call``, with the body still to be read. Close it."""
        wanted = tuple(scopes)
        return self.retry(lambda: self._open_once(request, wanted))

    def retry(self, action: Callable[[], T]) -> T:
        return self._retry.run(action)

    def authorized(self, scopes: Iterable[str], attempt: Callable[[str | None], Response]) -> Response:
        """What ``attempt(authorization)`` returns; called again where the registry refuses, once for want of an
        authorization and once for one that has ended.

        Raises:
            Denied: there is no other authorization to offer.
            NetworkError
        """
        wanted = tuple(scopes)
        renewed = False
        while True:
            authorization = self._auth.authorization(wanted)
            response = attempt(authorization)
            challenge = response.headers.get("WWW-Authenticate")
            # Only this registry's own challenge is answered: a host that it redirects to must not ask for our login.
            if response.status != 401 or renewed or not challenge or not self.owns(response.url):
                return response
            response.close()
            self._auth.learn(challenge, wanted, refused=authorization)
            renewed = authorization is not None

    def send(self, request: Request, authorization: str | None) -> Response:
        """One exchange, no second try. ``authorization`` is only sent to this registry itself."""
        if authorization is not None and self.owns(request.url):
            request = replace(request, authorization=authorization)
        return self._transport.exchange(request)

    def owns(self, url: str) -> bool:
        """Whether ``url`` is this registry's."""
        try:
            return origin(url) == self._origin
        except ValueError:
            return False

    def problem(self, reply: Reply, doing: str) -> KitError:
        """The error that ``reply`` stands for."""
        return problem(doing, reply.url, reply.status, reply.body, login_host=self.host if self.owns(reply.url) else "")

    def check_login(self) -> None:
        """Ask the registry whether it accepts us.

        Raises:
            Denied: it does not.
            NetworkError: it cannot be reached, or is not a registry.
        """
        doing = f"log in to {self.host}"
        reply = self.call(self.request("GET", "/v2/", doing), ())
        if reply.status == 404:
            raise NetworkError(f"cannot {doing}: it is not an OCI registry")
        if reply.status != 200:
            raise self.problem(reply, doing)

    def _open_once(self, request: Request, scopes: tuple[str, ...]) -> Response:
        return self.authorized(scopes, lambda authorization: self.send(request, authorization))

    def _credential(self) -> Credential | None:
        return self._credentials.find(self.host) if self._credentials is not None else None

    def _ask_token_server(self, request: Request) -> Reply:
        return self.retry(lambda: self._transport.exchange(request).whole(_MAX_TOKEN_ANSWER))
