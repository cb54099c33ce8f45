"""What Git LFS keeps and configures in a clone, read and never written.

Its objects: ``lfs/objects/aa/bb/<oid>`` in the common git directory (``lfs.storage``), and in those of alternates. Its
server: git-lfs ``docs/api/server-discovery.md``. Of ``.lfsconfig``, which comes with a clone, only the server's URL is
taken, and only one that is reached over HTTP.
"""

import os
from typing import NamedTuple

from gitkit.errors import Denied, InvalidFile, NotFound, Unsupported
from gitkit.git.alternates import borrowed
from gitkit.git.lfs_url import LocalRepository, Server, of_remote, of_setting
from gitkit.git.repository import Repository
from gitkit.git.run import Git, GitError

CONFIG_FILE = ".lfsconfig"
_HINT = "git config lfs.url URL"


class Settings(NamedTuple):
    """``own`` of this clone's configuration, ``given`` by the repository: keys in lower case (but for names)."""

    own: dict[str, str]
    given: dict[str, str]

    def find(self, key: str) -> tuple[str, bool] | None:
        """The value that counts, and whether it is this clone's own."""
        if key in self.own:
            return self.own[key], True
        return (self.given[key], False) if key in self.given else None


class Source(NamedTuple):
    """Where content is that is not here. ``own``: this clone, and not only the repository, leads there."""

    place: Server | LocalRepository
    own: bool


def objects_folders(repository: Repository) -> list[str]:
    """The clone's own folder of Git LFS objects, then those beside its alternates. They need not exist."""
    storage = repository.git.ask("config", "--type=path", "lfs.storage") or "lfs"
    own = os.path.join(repository.common_dir, storage, "objects")
    alternates = borrowed(os.path.join(repository.common_dir, "objects"), "")
    return [own, *(os.path.join(os.path.dirname(path), "lfs", "objects") for path in alternates)]


def find_source(repository: Repository, remote: str | None, config: bytes | None) -> Source:
    """Where Git LFS would download from. ``config`` is the text of ``.lfsconfig``; ``remote`` a Git remote's name.

    Order: ``lfs.url``, ``remote.NAME.lfsurl``, then the remote's own URL; this clone's setting before the repository's.

    Raises:
        NotFound: there is no remote.
        Unsupported: no rule leads from its URL to a server.
        Denied: the repository names a place that is not reached over HTTP.
        InvalidFile: ``.lfsconfig`` cannot be read.
    """
    git = repository.git
    settings = Settings(_own(git), _given(git, config))
    for key in ("lfs.url", *([f"remote.{remote}.lfsurl"] if remote else [])):
        if (found := settings.find(key)) is not None:
            return _set(git, key, *found)
    url = git.ask("remote", "get-url", remote) if remote else None
    if not url:
        raise NotFound("there is no Git remote to get the content of Git LFS pointers from", hint=_HINT)
    protocol, _ = settings.find("lfs.gitprotocol") or ("https", True)
    place = of_remote(url, git_protocol="http" if protocol == "http" else "https")
    if place is None:
        raise Unsupported(f"no Git LFS server can be derived from the URL of the remote {remote}", hint=_HINT)
    return Source(place, own=True)


def _set(git: Git, key: str, value: str, own: bool) -> Source:
    url = git.ask("ls-remote", "--get-url", "--", value) if "://" in value else value  # url.BASE.insteadOf
    place = of_setting(url or value)
    where = "git config" if own else CONFIG_FILE
    if place is None:
        raise Unsupported(f"{key} in {where} leads to no Git LFS server that git kit can reach", hint=_HINT)
    if not own and not isinstance(place, Server):
        # A cloned repository must not make us read files of this machine.
        raise Denied(f"{key} in {CONFIG_FILE} is not a URL of an HTTP server", hint=f"if you trust it: {_HINT}")
    return Source(place, own)


def _own(git: Git) -> dict[str, str]:
    pattern = r"^(lfs\.(url|gitprotocol)|remote\..*\.lfsurl)$"
    return _parsed(git.ask("config", "--null", "--get-regexp", pattern) or "")


def _given(git: Git, text: bytes | None) -> dict[str, str]:
    if not text:
        return {}
    try:
        # Git would follow what a file on standard input includes.
        listed = git.run("config", "--file", "-", "--no-includes", "--null", "--list", stdin=text)
    except GitError as error:
        raise InvalidFile(f"{CONFIG_FILE} is no configuration file", hint="git config -f .lfsconfig -l") from error
    found = _parsed(listed.decode("utf-8", "surrogateescape"))
    return {key: value for key, value in found.items() if _is_safe(key)}


def _is_safe(key: str) -> bool:
    return key in ("lfs.url", "lfs.gitprotocol") or (key.startswith("remote.") and key.endswith(".lfsurl"))


def _parsed(listed: str) -> dict[str, str]:
    pairs = (record.partition("\n")[::2] for record in listed.split("\0"))
    return {key: value for key, value in pairs if value}
