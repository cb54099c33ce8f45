"""What transport takes and gives, as values: options, requests, whole answers. Importing this loads no network code."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gitkit.registry.retry import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOptions:
    """How to reach the network. ``proxies`` maps ``http``, ``https`` and ``no_proxy``, as the variables are named.

    ``ca_file`` is trusted besides the system's authorities. ``stall_timeout_s`` is how long nothing may arrive (or be
    taken by the other side), not how long a transfer may last.
    """

    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: str | None = None
    connect_timeout_s: float = 10.0
    stall_timeout_s: float = 60.0
    connections: int = 32
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to send. ``doing`` names it in messages, to follow "cannot"; a streamed ``body`` can be sent once only.

    ``private`` are headers that go where ``authorization`` goes: to the origin of ``url`` alone. ``answer_timeout_s``
    replaces the stall timeout while waiting for the answer.
    """

    method: str
    url: str
    doing: str
    headers: Mapping[str, str] = field(default_factory=dict)
    authorization: str | None = field(default=None, repr=False)
    private: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | Iterator[bytes] | None = field(default=None, repr=False)
    answer_timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer whose body was read whole. ``headers`` ignore case; ``url`` is where redirects ended."""

    status: int
    headers: Mapping[str, str]
    url: str
    body: bytes


def proxies_of(environ: Mapping[str, str]) -> dict[str, str]:
    """What ``http_proxy``, ``https_proxy`` and ``no_proxy`` say, in lower or upper case; lower case comes first."""
    named = {key: environ.get(f"{key}_proxy") or environ.get(f"{key.upper()}_PROXY") for key in ("http", "https")}
    named["no_proxy"] = environ.get("no_proxy") or environ.get("NO_PROXY")
    return {key: value for key, value in named.items() if value}
