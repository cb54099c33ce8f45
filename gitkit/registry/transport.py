"""One HTTP exchange: pools, TLS, proxies, timeouts, redirects. The only module that knows urllib3.

Two promises about secrets: ``Authorization`` and request bodies go to the origin (scheme, host, port) they were meant
for and nowhere else, and an https registry is never left for plain http. Safe to share between threads.
"""

import socket
import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

# gitkit.registry is only imported once the network is needed, and nothing else in it imports urllib3.
import urllib3  # noqa: TID253
from urllib3 import exceptions  # noqa: TID253
from urllib3.connection import HTTPConnection  # noqa: TID253

from gitkit import __version__
from gitkit.errors import InvalidFile, NetworkError
from gitkit.registry.address import Origin, bypasses_proxy, joined, origin, redacted
from gitkit.registry.messages import Reply, Request, TransportOptions
from gitkit.registry.problems import MAX_ERROR_BODY, TRANSIENT_STATUSES, Transient, describe
from gitkit.registry.retry import parse_retry_after

CHUNK = 1024 * 1024
"""Bytes read or sent at once: at 64 KiB a download costs five times the CPU."""

MAX_REDIRECTS = 10
_DRAIN = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})
_SOCKET_OPTIONS = [
    *HTTPConnection.default_socket_options,  # TCP_NODELAY
    # A registry may need minutes to commit a large upload, silently: this keeps firewalls from dropping it.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
]


class Response:
    """An answer whose body is still to be read. Close it; what is left of a long body costs the connection."""

    def __init__(self, raw: urllib3.BaseHTTPResponse, url: str, doing: str) -> None:
        self.status: int = raw.status
        self.headers: Mapping[str, str] = raw.headers
        self.url = url
        self._raw = raw
        self._doing = doing

    def readinto(self, buffer: memoryview) -> int:
        """Fill ``buffer`` with up to 1 MiB; 0 only at the end.

        Raises:
            NetworkError: the connection broke, stalled, or ended before the announced length.
        """
        data = self._read(min(len(buffer), CHUNK))
        buffer[: len(data)] = data
        return len(data)

    def read(self, limit: int) -> bytes:
        """The body, cut after ``limit`` bytes.

        Raises:
            NetworkError: as for ``readinto``.
        """
        parts = []
        while limit > 0 and (data := self._read(min(limit, CHUNK))):
            parts.append(data)
            limit -= len(data)
        return b"".join(parts)

    def whole(self, limit: int) -> Reply:
        """The answer with its body up to ``limit`` bytes; closes it."""
        with self:
            return Reply(status=self.status, headers=self.headers, url=self.url, body=self.read(limit))

    def close(self) -> None:
        left = getattr(self._raw, "length_remaining", None)
        if left is not None and left <= _DRAIN:
            self._raw.drain_conn()  # the connection can be used again
        self._raw.close()
        self._raw.release_conn()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _read(self, size: int) -> bytes:
        # Not urllib3's readinto(): it decodes through a queue of buffers and takes six times as long.
        try:
            return self._raw.read(size, decode_content=False) if size else b""
        except exceptions.HTTPError as error:
            raise _broken(self._doing, self.url, error) from error


class Transport:
    """Exchanges with one registry and with the hosts it redirects to.

    ``scheme`` is the registry's own: with ``https`` nothing is ever sent over plain http.

    Raises:
        InvalidFile: a proxy or the CA file cannot be used.
    """

    def __init__(self, *, scheme: str, options: TransportOptions) -> None:
        self._tls_only = scheme == "https"
        self._options = options
        # One context for all connections: urllib3 would load the system's certificates anew for each.
        tls = _tls_context(options.ca_file) if self._tls_only or options.ca_file else None
        self._direct = urllib3.PoolManager(**_pool_options(options, tls))
        self._proxied = {
            scheme: _proxy_pools(url, _pool_options(options, tls))
            for scheme, url in options.proxies.items()
            if scheme in ("http", "https") and url
        }

    def close(self) -> None:
        for pools in (self._direct, *self._proxied.values()):
            pools.clear()

    def exchange(self, request: Request) -> Response:
        """Send once, follow redirects, and return whatever the answer is.

        Raises:
            Transient: no answer, or one of ``TRANSIENT_STATUSES``.
            NetworkError: certificate not trusted, redirects that lead nowhere or out of TLS.
        """
        url, private = request.url, dict(request.private)
        if request.authorization is not None:
            private["Authorization"] = request.authorization
        for _ in range(MAX_REDIRECTS + 1):
            response = self._send(request, url, private)
            target = _redirect_target(request, response)
            if target is None:
                return self._settled(request, response)
            response.close()
            if not _same_origin(target, url):
                private = {}
            url = target
        raise NetworkError(f"cannot {request.doing}: {redacted(request.url)} redirects more than {MAX_REDIRECTS} times")

    def _send(self, request: Request, url: str, private: Mapping[str, str]) -> Response:
        target = self._checked_origin(request.doing, url)
        headers = {"User-Agent": f"git-kit/{__version__}", **request.headers, **private}
        try:
            raw = self._pools(target).request(
                request.method,
                url,
                headers=headers,
                body=request.body,
                timeout=self._timeout(request),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except exceptions.HTTPError as error:
            raise _broken(request.doing, url, error) from error
        return Response(raw, url, request.doing)

    def _settled(self, request: Request, response: Response) -> Response:
        if response.status not in TRANSIENT_STATUSES:
            return response
        reply = response.whole(MAX_ERROR_BODY)
        raise Transient(
            describe(request.doing, reply.url, reply.status, reply.body),
            retry_after_s=parse_retry_after(reply.headers.get("Retry-After"), time.time()),
        )

    def _checked_origin(self, doing: str, url: str) -> Origin:
        try:
            target = origin(url)
        except ValueError as error:
            raise NetworkError(f"cannot {doing}: the registry names a URL that is none") from error
        if self._tls_only and target.scheme != "https":
            raise NetworkError(
                f"cannot {doing}: the registry leads from https to {redacted(url)}",
                hint="a proxy before the registry must tell it that clients use https (X-Forwarded-Proto)",
            )
        return target

    def _pools(self, target: Origin) -> urllib3.PoolManager:
        proxied = self._proxied.get(target.scheme)
        if proxied is None or bypasses_proxy(target, self._options.proxies.get("no_proxy", "")):
            return self._direct
        return proxied

    def _timeout(self, request: Request) -> urllib3.Timeout:
        # urllib3 sends a body under the *connect* timeout. By then the connection mostly exists, so bodies get the
        # longer one: a slow uplink may need more than ten seconds for a chunk.
        options = self._options
        return urllib3.Timeout(
            connect=options.connect_timeout_s if request.body is None else options.stall_timeout_s,
            read=request.answer_timeout_s or options.stall_timeout_s,
        )


def _pool_options(options: TransportOptions, tls: ssl.SSLContext | None) -> dict[str, Any]:
    return {
        "maxsize": options.connections,
        "blocksize": CHUNK,
        "socket_options": _SOCKET_OPTIONS,
        "ssl_context": tls,
    }


def _proxy_pools(url: str, pool_options: dict[str, Any]) -> urllib3.ProxyManager:
    try:
        parsed = urllib3.util.parse_url(url if "://" in url else f"http://{url}")
        headers = urllib3.make_headers(proxy_basic_auth=parsed.auth) if parsed.auth else None
        return urllib3.ProxyManager(parsed._replace(auth=None).url, proxy_headers=headers, **pool_options)
    except (exceptions.HTTPError, ValueError) as error:
        # Not the URL itself: it may hold a password.
        raise InvalidFile("the proxy setting is not an http:// or https:// URL") from error


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        if ca_file is not None:
            context.load_verify_locations(ca_file)
    except OSError as error:
        raise InvalidFile(f"{ca_file}: no certificates can be read from it: {error.strerror or error}") from error
    return context


def _redirect_target(request: Request, response: Response) -> str | None:
    """Where to go on, or None where ``response`` is the answer. A body is only sent again to the same origin."""
    location = response.headers.get("Location")
    if response.status not in _REDIRECTS or not location:
        return None
    target = joined(response.url, location)
    if request.method in ("GET", "HEAD"):
        return target
    resendable = response.status in _KEEPS_METHOD and isinstance(request.body, bytes | None)
    return target if resendable and _same_origin(target, response.url) else None


def _same_origin(url: str, other: str) -> bool:
    try:
        return origin(url) == origin(other)
    except ValueError:
        return False


def _broken(doing: str, url: str, error: exceptions.HTTPError) -> NetworkError:
    """A failed exchange in words. Certificates and malformed URLs do not get better by trying again."""
    where = redacted(url)
    hint = _tls_hint(str(error)) if isinstance(error, exceptions.SSLError) else None
    if hint is not None:
        return NetworkError(f"cannot {doing}: no secure connection to {where}: {error}", hint=hint)
    if isinstance(error, exceptions.LocationValueError):
        return NetworkError(f"cannot {doing}: {where} is not a URL that can be reached")
    if isinstance(error, exceptions.ProxyError):
        return Transient(f"cannot {doing}: the proxy does not lead to {where}", hint="check the proxy settings")
    if isinstance(error, exceptions.NameResolutionError):
        return Transient(
            f"cannot {doing}: there is no host of the name in {where}", hint="check the name and the network"
        )
    if isinstance(error, exceptions.NewConnectionError):
        return Transient(
            f"cannot {doing}: {where} takes no connection", hint="check the address and port, and whether it runs"
        )
    if isinstance(error, exceptions.TimeoutError):
        return Transient(f"cannot {doing}: {where} does not answer in time")
    return Transient(f"cannot {doing}: the connection to {where} broke: {_cause(error)}")


def _tls_hint(text: str) -> str | None:
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text:
        return "the registry seems to speak plain HTTP: oci+http://"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "add the registry's certificate authority to the ones this machine trusts"
    return None


def _cause(error: exceptions.HTTPError) -> str:
    inner = error.args[-1] if error.args else error
    return getattr(inner, "strerror", None) or str(inner)
