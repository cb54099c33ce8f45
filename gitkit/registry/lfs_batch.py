"""The batch request of the Git LFS API and its answer (git-lfs ``docs/api/batch.md``). Pure: values in and out."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gitkit.core.digest import PREFIX, short
from gitkit.core.oci import parse_document
from gitkit.errors import Denied, InvalidFile, KitError, NetworkError, NotFound, Unsupported
from gitkit.registry.address import joined, redacted
from gitkit.registry.problems import TRANSIENT_STATUSES, Transient, one_line

MEDIA_TYPE = "application/vnd.git-lfs+json"
MAX_OBJECTS = 100
"""How many objects one request asks for, as Git LFS does."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PUSH_HINT = "from a clone that has the content: git lfs push --all REMOTE"
_NOT_TAKEN = frozenset({"host", "content-length", "transfer-encoding", "connection", "range", "accept-encoding"})
"""What a request says of itself, whatever the server would like it to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Where to download one object. ``headers`` go there and nowhere else.

    ``authenticated``: no login of ours is needed besides. ``until`` is in seconds since the epoch; None: open.
    """

    href: str
    headers: Mapping[str, str] = field(repr=False)
    authenticated: bool
    until: float | None

    @property
    def has_login(self) -> bool:
        return any(name.lower() == "authorization" for name in self.headers)


Answer = Action | KitError


def request_body(blobs: Sequence[tuple[str, int]]) -> bytes:
    """The request for digests and sizes (bytes)."""
    objects = [{"oid": digest.removeprefix(PREFIX), "size": size} for digest, size in blobs]
    body = {"operation": "download", "transfers": ["basic"], "objects": objects, "hash_algo": "sha256"}
    return json.dumps(body).encode()


def parse_answer(body: bytes, blobs: Sequence[tuple[str, int]], *, url: str, now: float) -> dict[str, Answer]:
    """What the server at ``url`` says of each of ``blobs``, by digest.

    Raises:
        NetworkError: it is no answer to the request.
        Unsupported: another transfer, or another kind of oid, than was asked for.
    """
    where = redacted(url)
    try:
        document = parse_document(body, "the answer")
    except InvalidFile as error:
        raise NetworkError(
            f"{where} is no Git LFS server: {error.message}", hint="check the URL: git config lfs.url URL"
        ) from error
    if document.get("transfer") not in (None, "", "basic") or document.get("hash_algo") not in (None, "", "sha256"):
        raise Unsupported(f"the Git LFS server {where} wants a kind of transfer that git kit does not know")
    listed = document.get("objects")
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise NetworkError(f"the Git LFS server {where} answers without a list of objects")
    by_oid = {str(entry.get("oid")): entry for entry in listed}
    return {
        digest: _answer(by_oid.get(digest.removeprefix(PREFIX), {}), digest, size, url=url, now=now)
        for digest, size in blobs
    }


def problem(doing: str, url: str, status: int, body: bytes) -> KitError:
    """The error that an answer of ``status`` to a whole request stands for."""
    said = _message(body)
    text = f"cannot {doing}: {redacted(url)} answered {status}" + (f" ({said})" if said else "")
    if status in (401, 403):
        return Denied(text, hint="check that your login for this host may read the repository: git ls-remote")
    if status == 404:
        return NotFound(text, hint="is Git LFS on there? Else name its server: git config lfs.url URL")
    if status == 422:
        return InvalidFile(text)
    if status in (406, 415, 501):
        return Unsupported(text)
    return NetworkError(text, hint="its quota is used up" if status in (507, 509) else None)


def _answer(entry: Mapping[str, Any], digest: str, size: int, *, url: str, now: float) -> Answer:
    where = redacted(url)
    error = entry.get("error")
    if isinstance(error, dict):
        return _refusal(error, digest, where)
    if entry.get("size") not in (None, 0, size):
        return NotFound(f"{where} has {short(digest)} with {entry.get('size')} bytes, not {size}")
    actions = entry.get("actions")
    action = actions.get("download") if isinstance(actions, dict) else None
    if not isinstance(action, dict) or not isinstance(action.get("href"), str):
        return NotFound(f"{where} does not hold {short(digest)}", hint=_PUSH_HINT)
    headers = action.get("header") or {}
    if not isinstance(headers, dict) or not all(_is_header(name, value) for name, value in headers.items()):
        return NetworkError(f"{where} wants headers for {short(digest)} that are none")
    return Action(
        href=joined(url, action["href"]),
        headers={name: value for name, value in headers.items() if name.lower() not in _NOT_TAKEN},
        authenticated=entry.get("authenticated") is True,
        until=_until(action, now),
    )


def _refusal(error: Mapping[str, Any], digest: str, where: str) -> KitError:
    given, said = error.get("code"), one_line(error.get("message"))
    code = given if isinstance(given, int) else 0
    text = f"{where} does not give {short(digest)}: {said or 'no reason given'} ({code})"
    if code in (404, 410):
        return NotFound(text, hint=_PUSH_HINT)
    if code == 422:
        return InvalidFile(text)
    if code in TRANSIENT_STATUSES:
        return Transient(text)
    return KitError(text)  # of this object alone: others may be given


def _is_header(name: object, value: object) -> bool:
    named = isinstance(name, str) and _HEADER_NAME.fullmatch(name) is not None
    return named and isinstance(value, str) and value.isprintable() and value.isascii()


def _until(action: Mapping[str, Any], now: float) -> float | None:
    seconds = action.get("expires_in")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < 10**9:
        return now + seconds
    at = action.get("expires_at")
    try:
        moment = datetime.fromisoformat(at).timestamp() if isinstance(at, str) else 0.0
    except (ValueError, OverflowError):
        return None
    return moment if moment > 0 else None  # servers in Go write the year 1 for "never"


def _message(body: bytes) -> str:
    try:
        return one_line(parse_document(body, "").get("message"))
    except InvalidFile:
        return ""
