"""What a registry's refusal means to a person: HTTP status and error document -> ``KitError``.

Error documents: distribution specification 1.1, "Error Codes". Pure functions.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

from gitkit.errors import Conflict, Corrupt, Denied, InvalidFile, KitError, NetworkError, NotFound, Unsupported
from gitkit.registry.address import redacted

MAX_ERROR_BODY = 64 * 1024
# 500 too: distribution 2.8 answers it to a GET while somebody else commits the same blob.
TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504})
_MAX_TEXT = 300


class Transient(NetworkError):
    """A failure that may be gone at the next try, ``retry_after_s`` from now where the server said so."""

    def __init__(self, message: str, *, hint: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class RegistryError(NamedTuple):
    """One entry of an error document; ``code`` may be empty."""

    code: str
    message: str


_BY_CODE: dict[str, Callable[[str], KitError]] = {
    "DIGEST_INVALID": lambda text: Corrupt(text, hint="the bytes changed on their way; try again"),
    "SIZE_INVALID": Corrupt,
    "BLOB_UNKNOWN": NotFound,
    "MANIFEST_UNKNOWN": NotFound,
    "MANIFEST_BLOB_UNKNOWN": lambda text: NotFound(text, hint="push the blobs that the manifest names first"),
    "NAME_UNKNOWN": NotFound,
    "NAME_INVALID": InvalidFile,
    "MANIFEST_INVALID": InvalidFile,
    "TAG_INVALID": InvalidFile,
    "UNSUPPORTED": Unsupported,
}

_BY_STATUS: dict[int, Callable[[str], KitError]] = {
    404: NotFound,
    405: Unsupported,
    409: Conflict,
    412: Conflict,
    413: lambda text: Unsupported(text, hint="the registry, or a proxy before it, limits the size of a request"),
    415: Unsupported,
    501: Unsupported,
}


def registry_errors(body: bytes) -> tuple[RegistryError, ...]:
    """The entries of an error document, or none where ``body`` is something else. Never raises."""
    try:
        entries = json.loads(body)["errors"]
        return tuple(RegistryError(one_line(entry.get("code")), one_line(entry.get("message"))) for entry in entries)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ()


def is_half_written(status: int, body: bytes) -> bool:
    """Whether a manifest was refused only because somebody else commits a blob that it names at this moment.

    distribution 2.8 rewrites the blob's link then, in place; who reads it half written is told both at once that the
    digest is invalid and that the blob is unknown.
    """
    return status == 400 and {"DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN"} <= {it.code for it in registry_errors(body)}


def describe(doing: str, url: str, status: int, body: bytes) -> str:
    """``cannot <doing>: <redacted url> answered <status>`` and the registry's own words."""
    said = "; ".join(": ".join(part for part in error if part) for error in registry_errors(body))
    return f"cannot {doing}: {redacted(url)} answered {status}" + (f" ({said})" if said else "")


def problem(doing: str, url: str, status: int, body: bytes, *, login_host: str) -> KitError:
    """The error that an answer of ``status`` stands for.

    Args:
        doing: what was attempted, to follow "cannot".
        login_host: as a person would give it to ``git kit login``; empty where logging in cannot help.
    """
    text = describe(doing, url, status, body)
    codes = [error.code for error in registry_errors(body)]
    if status in (401, 403) or "DENIED" in codes or "UNAUTHORIZED" in codes:
        return Denied(text, hint=f"git kit login {login_host}" if login_host else None)
    if status < 500:
        for code in codes:
            if code in _BY_CODE:
                return _BY_CODE[code](text)
    return _BY_STATUS.get(status, NetworkError)(text)


def one_line(value: object) -> str:
    """A server's words, one line, no control characters: they end up on a terminal."""
    words = " ".join(str(value or "").split())
    return "".join(char for char in words if char.isprintable())[:_MAX_TEXT]
