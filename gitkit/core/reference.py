"""Names of places: remotes (``oci://host/repository``, ``oci-layout:PATH``) and what is in them (tag or digest).

Grammar: OCI distribution specification 1.1, "Pull". Parsing needs no network.
"""

import re
from typing import NamedTuple

from gitkit.core.digest import is_digest
from gitkit.errors import UsageError

_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?")
_LOOPBACK = re.compile(r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?")

# All up to the last "@" that starts no digest: people paste passwords that hold "/" and "@", and forget the scheme.
_SECRET = re.compile(r"(://|^(?!oci-layout:|[\w+.-]*://)(?=[^/@]*:)).*@(?!sha256:)", re.DOTALL)

_NOT_IN_REFS = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{")

_FORMS = "write oci://HOST[:PORT]/REPOSITORY or oci-layout:PATH"


class RegistryUrl(NamedTuple):
    """A repository in a registry. ``scheme`` is how it is reached: https, or http for loopback and ``oci+http``."""

    host: str
    repository: str
    scheme: str

    def __str__(self) -> str:
        plain = self.scheme == "http" and not _LOOPBACK.fullmatch(self.host)
        return f"{'oci+http' if plain else 'oci'}://{self.host}/{self.repository}"


class LayoutUrl(NamedTuple):
    """An OCI image layout folder; a relative path is relative to the repository's root."""

    path: str

    def __str__(self) -> str:
        return f"oci-layout:{self.path}"


RemoteUrl = RegistryUrl | LayoutUrl


def parse_remote(text: str) -> RemoteUrl:
    """The remote that ``text`` names.

    Raises:
        UsageError: it names none; the message never repeats a password.
    """
    if text.startswith("oci-layout:"):
        path = text.removeprefix("oci-layout:")
        if not path or "\0" in path:
            raise UsageError("the remote oci-layout: names no folder", hint=_FORMS)
        return LayoutUrl(path)
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in ("oci", "oci+http"):
        hint = f"for a registry: oci://{redacted(rest)}" if scheme in ("docker", "http", "https") else _FORMS
        raise UsageError(f'"{redacted(text)}" is not a remote', hint=hint)
    host, slash, repository = rest.partition("/")
    if redacted(text) != text:
        raise UsageError("a remote's URL holds no user or password", hint="use: git kit login HOST")
    if not _is_host(host) or not slash or not _REPOSITORY.fullmatch(repository) or len(repository) > 255:
        raise UsageError(f'"{redacted(text)}" is not a remote', hint=_remote_hint(repository))
    return RegistryUrl(host, repository, "http" if scheme == "oci+http" or is_loopback(host) else "https")


def _is_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    return found is not None and (found["port"] is None or 0 < int(found["port"]) < 65536)


def _remote_hint(repository: str) -> str:
    if repository != repository.lower() and _REPOSITORY.fullmatch(repository.lower()):
        return "a repository's name is in lower case"
    if ":" in repository or "@" in repository:
        return "a remote has no tag and no digest: git kit names its kits itself"
    return _FORMS


def is_loopback(host: str) -> bool:
    """Whether ``host[:port]`` is this machine, where plain HTTP is no risk."""
    return _LOOPBACK.fullmatch(host) is not None


def is_tag(text: str) -> bool:
    """Whether a registry accepts ``text`` as a tag."""
    return _TAG.fullmatch(text) is not None


def is_branch(text: str) -> bool:
    """Whether ``text`` can be a branch (git-check-ref-format(1)), written without ``refs/heads/``."""
    parts = text.split("/")
    return (
        not text.startswith(("-", "refs/"))
        and text not in ("@", "HEAD")
        and not _NOT_IN_REFS.search(text)
        and not text.endswith(".")
        and all(part and not part.startswith(".") and not part.endswith(".lock") for part in parts)
    )


def redacted(url: str) -> str:
    """``url`` without the user and password that it may hold, also where they are written wrongly."""
    return _SECRET.sub(r"\1", url)


class Reference(NamedTuple):
    """A manifest: ``remote`` is None where the repository's own remote is meant; ``name`` is a tag or digest."""

    remote: RemoteUrl | None
    name: str


def parse_reference(text: str) -> Reference:
    """``TAG``, ``sha256:...`` or ``oci://host/repository(:TAG|@DIGEST)`` or ``oci-layout:PATH(:TAG|@DIGEST)``.

    Raises:
        UsageError: it is none of these.
    """
    if is_digest(text) or is_tag(text):
        return Reference(None, text)
    base, at, digest = text.rpartition("@")
    if at and is_digest(digest):
        tag_at = base.rfind(":")
        if base.startswith("oci") and tag_at > base.rfind("/") and "://" in base and is_tag(base[tag_at + 1 :]):
            base = base[:tag_at]
        return Reference(parse_remote(base), digest)
    base, colon, tag = text.rpartition(":")
    if colon and is_tag(tag) and base not in ("oci-layout", "oci", "oci+http"):
        return Reference(parse_remote(base), tag)
    raise UsageError(f'"{redacted(text)}" names no kit', hint="write TAG, sha256:DIGEST or oci://HOST/REPOSITORY:TAG")
