"""A repository on the Hugging Face hub: its listing through their library, its files through our own transport.

Files are read by ``downloads.open_blob``: in constant memory, from any offset, with retries; the token goes to the hub
and never to the host that it redirects large files to. Safe between threads; close it.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from gitkit.core.digest import PREFIX, is_digest
from gitkit.core.hub import HubFile
from gitkit.core.paths import show_path
from gitkit.core.remote import BlobReader, ReadOnly
from gitkit.errors import Denied, InvalidFile, KitError, NetworkError, NotFound, Unsupported, UsageError
from gitkit.registry.downloads import open_blob
from gitkit.registry.endpoint import Endpoint
from gitkit.registry.messages import Reply, Request, TransportOptions, proxies_of
from gitkit.registry.problems import TRANSIENT_STATUSES, Transient, describe
from gitkit.registry.retry import parse_retry_after
from gitkit.registry.transport import Response

T = TypeVar("T")

ENDPOINT = "https://huggingface.co"
_NAME = re.compile(r"(?:(datasets|spaces)/)?([\w.-]+/)?[\w.-]+", re.ASCII)
_SPDX = {
    "apache-2.0": "Apache-2.0",
    "mit": "MIT",
    "bsd-3-clause": "BSD-3-Clause",
    "gpl-3.0": "GPL-3.0",
    "mpl-2.0": "MPL-2.0",
    "cc-by-4.0": "CC-BY-4.0",
    "cc0-1.0": "CC0-1.0",
}
"""The hub writes identifiers in lower case; those that are no SPDX identifier stay as they are."""


class HubRepository(ReadOnly):
    """``name`` (``ORG/NAME``, with ``datasets/`` before it for a data set) at ``revision``, as it is now.

    ``environ``: ``HF_ENDPOINT``, ``HF_TOKEN`` (else the token that the hub's own tools stored) and the proxies.

    Raises:
        UsageError: no repository can have this name.
        Unsupported: the library is not installed.
        NotFound: no such repository or revision.
        Denied: a token is missing, or its owner may not read this.
        NetworkError
    """

    def __init__(self, name: str, revision: str | None, environ: Mapping[str, str]) -> None:
        found = _NAME.fullmatch(name)
        if found is None or ".." in name:
            raise UsageError(f'"{name}" is no repository of the hub', hint="write hf:ORG/NAME or hf:ORG/NAME@REVISION")
        self.url = f"hf:{name}"
        self._kind = (found[1] or "models").removesuffix("s")
        self._name = name.removeprefix(f"{found[1]}/")
        self._base = (environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")
        library = _library()
        self._endpoint = _HubEndpoint(self._base, environ, environ.get("HF_TOKEN") or library.get_token())
        api = library.HfApi(endpoint=self._base, token=self._endpoint.token or False)
        info = self._ask(lambda: api.repo_info(self._name, revision=revision, repo_type=self._kind, timeout=60.0))
        self.commit = _commit(info.sha, self.url)
        card: Any = getattr(info, "card_data", None)
        self.license = _license(card.get("license") if card is not None else None)
        self.files: Sequence[HubFile] = self._ask(lambda: self._list(api))
        self._paths = {file.digest: file for file in self.files if file.digest is not None}

    def close(self) -> None:
        self._endpoint.close()

    def open_blob(self, digest: str, size: int, *, start: int = 0, stop: int | None = None) -> BlobReader:
        """A large file by its digest; see ``gitkit.core.remote``."""
        if digest not in self._paths:
            raise NotFound(f"{self.url} does not hold {digest}")
        return self._open(self._paths[digest], size, start)

    def open_file(self, file: HubFile, *, start: int = 0) -> BlobReader:
        """See ``gitkit.core.hub``."""
        return self._open(file, file.size, start)

    def _open(self, file: HubFile, size: int, start: int) -> BlobReader:
        folder = "" if self._kind == "model" else f"{self._kind}s/"
        url = f"{self._base}/{folder}{self._name}/resolve/{self.commit}/{quote(file.path)}"
        return open_blob(self._endpoint, url, (), digest=file.digest or file.path, size=size, start=start)

    def _list(self, api: Any) -> list[HubFile]:
        entries = api.list_repo_tree(self._name, recursive=True, revision=self.commit, repo_type=self._kind)
        return [_file(entry, self.url) for entry in entries if hasattr(entry, "blob_id")]

    def _ask(self, question: Callable[[], T]) -> T:
        """What the library answers, its errors translated; asked again where that can help."""

        def once() -> T:
            try:
                return question()
            except KitError:
                raise
            except Exception as error:  # the library's HTTP client, and so its errors, differ from version to version
                raise _translated(error, self.url) from error

        return self._endpoint.retry(once)


class _HubEndpoint(Endpoint):
    """The hub's host. Its token is not asked for by a challenge."""

    def __init__(self, base: str, environ: Mapping[str, str], token: str | None) -> None:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError("HF_ENDPOINT is not a URL", hint=f"for example: {ENDPOINT}")
        super().__init__(parts.netloc, scheme=parts.scheme, options=TransportOptions(proxies=proxies_of(environ)))
        self.token = token

    def open(self, request: Request, scopes: object) -> Response:
        authorization = f"Bearer {self.token}" if self.token else None
        return self.retry(lambda: self.send(request, authorization))

    def problem(self, reply: Reply, doing: str) -> KitError:
        text = describe(doing, reply.url, reply.status, b"")
        if reply.status in (401, 403):
            return Denied(text, hint=_TOKEN_HINT)
        return NotFound(text) if reply.status == 404 else NetworkError(text)


_TOKEN_HINT = "make a token at https://huggingface.co/settings/tokens and set HF_TOKEN, or run: hf auth login"  # noqa: S105


def _library() -> Any:
    try:
        import huggingface_hub  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise Unsupported(
            "importing from the Hugging Face hub needs its library", hint="pip install 'git-kit[hf]'"
        ) from error
    return huggingface_hub


def _commit(sha: object, url: str) -> str:
    if not isinstance(sha, str) or not re.fullmatch(r"[0-9a-f]{40,64}", sha):
        raise NetworkError(f"the hub does not say which commit {url} is at")
    return sha


def _license(value: object) -> str | None:
    return _SPDX.get(value, value) if isinstance(value, str) and value.isprintable() else None


def _file(entry: Any, url: str) -> HubFile:
    """
    Raises:
        InvalidFile: the hub says what cannot be.
    """
    path, size, lfs = entry.path, entry.size, entry.lfs
    digest = None
    if lfs is not None:
        size, digest = lfs.size, f"{PREFIX}{lfs.sha256}"
    if not isinstance(path, str) or not isinstance(size, int) or size < 0 or not isinstance(entry.blob_id, str):
        raise InvalidFile(f"the hub's list of the files of {url} is not one")
    if digest is not None and not is_digest(digest):
        raise InvalidFile(f"the hub gives no SHA-256 for {show_path(path)} of {url}")
    return HubFile(path, size, entry.blob_id, digest)


def _translated(error: Exception, url: str) -> KitError:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    doing = f"read {url}"
    if type(error).__name__ == "HFValidationError":
        return UsageError(_first_line(error), hint="write hf:ORG/NAME or hf:ORG/NAME@REVISION")
    if not isinstance(status, int):
        return NetworkError(
            f"cannot {doing}: {_first_line(error)}", hint="check the network, and HF_ENDPOINT if it is set"
        )
    text = f"cannot {doing}: the hub answered {status}"
    name = type(error).__name__
    if name == "GatedRepoError":
        return Denied(f"{text}: its authors want you to accept their terms", hint=f"visit its page, then {_TOKEN_HINT}")
    if status in (401, 403):
        return Denied(f"{text}: it does not exist, or is not for everybody", hint=_TOKEN_HINT)
    if status == 404:
        what = "it has no such revision" if name == "RevisionNotFoundError" else "there is no such repository"
        return NotFound(f"{text}: {what}", hint=None if name == "RevisionNotFoundError" else _TOKEN_HINT)
    if status in TRANSIENT_STATUSES:
        wanted = parse_retry_after(response.headers.get("Retry-After"), time.time()) if response is not None else None
        return Transient(text, retry_after_s=wanted)
    return NetworkError(text)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
