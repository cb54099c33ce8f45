"""Where a request goes: origins, loopback, Docker Hub's names, and URLs that are safe to show. Pure functions."""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from gitkit.core import reference
from gitkit.errors import NetworkError, UsageError

DOCKER_HUB = "docker.io"
_DOCKER_HUB_API = "registry-1.docker.io"
_DOCKER_HUB_NAMES = (DOCKER_HUB, "index.docker.io", _DOCKER_HUB_API)

_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """What credentials are bound to."""

    scheme: str
    host: str
    port: int


def origin(url: str) -> Origin:
    """The origin of an absolute http(s) URL.

    Raises:
        ValueError: not such a URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("not an absolute http(s) URL")
    return Origin(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme])


def joined(url: str, location: str) -> str:
    """Where ``location``, relative or not, leads from ``url``.

    Raises:
        NetworkError: a server made it up.
    """
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise NetworkError(f"{redacted(url)} leads to a URL that is none") from error


def redacted(url: str) -> str:
    """``url`` for people: without user info, query and fragment, which may hold secrets (signed URLs do)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a malformed URL"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def check_place(host: str, repository: str = "name") -> None:
    """Refuse a host that could turn into a path or user info, and a repository that no registry takes.

    Raises:
        UsageError
    """
    place = reference.parse_remote(f"oci://{host}/{repository}")
    if not isinstance(place, reference.RegistryUrl) or place.host != host:
        raise UsageError(f"{host!r} is not a registry's host")


def is_docker_hub(host: str) -> bool:
    return host in _DOCKER_HUB_NAMES


def api_host(host: str) -> str:
    """The host that serves the API of ``host``."""
    return _DOCKER_HUB_API if is_docker_hub(host) else host


def api_repository(host: str, repository: str) -> str:
    """The name under which ``host`` knows ``repository``: Docker Hub's own images live in ``library/``."""
    return f"library/{repository}" if is_docker_hub(host) and "/" not in repository else repository


def is_loopback(name: str) -> bool:
    """Whether a host name, without port and brackets, is this machine."""
    return reference.is_loopback(f"[{name}]" if ":" in name else name)


def bypasses_proxy(target: Origin, no_proxy: str) -> bool:
    """Whether requests to ``target`` go out directly.

    ``no_proxy`` is a comma-separated list of domains (with their subdomains), ``host:port`` or ``*``. Loopback is never
    sent to a proxy, as in Go's ``http.ProxyFromEnvironment``.
    """
    if is_loopback(target.host):
        return True
    return any(_covers(entry, target) for entry in _entries(no_proxy))


def _entries(no_proxy: str) -> Iterable[str]:
    return (entry for entry in re.split(r"[,\s]+", no_proxy.lower()) if entry)


def _covers(entry: str, target: Origin) -> bool:
    if entry == "*":
        return True
    name, _, port = entry.rpartition(":") if re.search(r"[^:]:\d+$", entry) else (entry, "", "")
    if port and int(port) != target.port:
        return False
    domain = name.removeprefix("*").lstrip(".").strip("[]")
    return target.host == domain or target.host.endswith(f".{domain}")
