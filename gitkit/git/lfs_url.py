"""From the URL of a Git remote to that of its Git LFS server, as Git LFS derives it. Pure functions.

Rules: git-lfs ``docs/api/server-discovery.md``. Where Git LFS would ask over ssh (`git-lfs-authenticate`), which git
kit never does, this is the HTTPS server that it falls back to.
"""

from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

_SSH = frozenset({"ssh", "git+ssh", "ssh+git"})


class Server(NamedTuple):
    """``url`` without user info, which is apart; ``guessed`` from an ssh or git URL."""

    url: str
    user: str = ""
    password: str = ""
    guessed: bool = False

    def __repr__(self) -> str:
        return f"Server({self.url!r})"


class LocalRepository(NamedTuple):
    """A Git repository on this machine."""

    path: str


def of_remote(url: str, *, git_protocol: str = "https") -> Server | LocalRepository | None:
    """Where Git LFS looks for the content of the Git remote at ``url``; None where no rule leads to a server.

    ``git_protocol`` is what ``git://`` becomes (``lfs.gitprotocol``).
    """
    place = _place(url, git_protocol)
    if not isinstance(place, Server):
        return place
    bare = place.url.rstrip("/")
    return place._replace(url=f"{bare}/info/lfs" if bare.endswith(".git") else f"{bare}.git/info/lfs")


def of_setting(url: str) -> Server | LocalRepository | None:
    """The server that ``lfs.url`` or ``remote.NAME.lfsurl`` names: taken as it is, unless it means ssh."""
    place = _place(url, "https")
    if isinstance(place, Server):
        return of_remote(url) if place.guessed else place._replace(url=place.url.rstrip("/"))
    return place


def _place(url: str, git_protocol: str) -> Server | LocalRepository | None:
    scheme, separator, rest = url.partition("://")
    if any(ord(char) < 33 or ord(char) == 127 for char in url if separator):
        return None
    if not separator:
        return _without_scheme(url)
    if scheme == "file":
        return LocalRepository(unquote(rest))
    if scheme not in ("http", "https", "git", *_SSH):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host:
        return None
    if scheme in ("http", "https"):
        bare = urlunsplit((scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        return Server(bare, unquote(parts.username or ""), unquote(parts.password or ""))
    shown = f"[{host}]" if ":" in host else host
    if scheme == "git":
        return Server(f"{git_protocol}://{shown}{f':{port}' if port else ''}{parts.path}", guessed=True)
    return Server(f"https://{shown}{parts.path}", guessed=True)  # the port is that of ssh


def _without_scheme(url: str) -> Server | LocalRepository | None:
    # Git reads host:path as ssh unless a slash comes before the colon, and name::address as a remote helper.
    head, colon, path = url.partition("]:") if url.rpartition("@")[2].startswith("[") else url.partition(":")
    if not colon or "/" in head:
        return LocalRepository(url)
    if path.startswith(":"):
        return None
    host = head.rpartition("@")[2] + colon[:-1]
    return Server(f"https://{host}/{path.lstrip('/')}", guessed=True) if host else None
