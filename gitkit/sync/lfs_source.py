"""Opens what Git LFS would download from: a server, or the repository that a local Git remote is."""

import os
from collections.abc import Mapping

from gitkit.git.credential import GitCredentials
from gitkit.git.http import read_http
from gitkit.git.lfs import find_source, objects_folders
from gitkit.git.lfs_url import LocalRepository, Server
from gitkit.git.repository import Repository, discover
from gitkit.store.lfs_objects import LfsObjects
from gitkit.sync.lfs import LfsSource


def open_source(
    repository: Repository, remote: str | None, config: bytes | None, environ: Mapping[str, str]
) -> LfsSource:
    """Where the content of Git LFS pointers is for the Git remote ``remote``. Opening it asks nothing.

    ``config`` is the text of ``.lfsconfig``; ``environ`` names proxies and certificates.

    Raises:
        NotFound, Unsupported, Denied, InvalidFile: as ``gitkit.git.lfs.find_source``.
    """
    place, own = find_source(repository, remote, config)
    if isinstance(place, LocalRepository):
        return _local(repository, place.path)
    return _server(repository, place, own, environ)


def _local(repository: Repository, path: str) -> LfsObjects:
    # A remote's path is relative to the worktree's root, as for Git.
    folder = os.path.join(repository.root, os.path.expanduser(path))
    objects, *_ = objects_folders(discover(repository.git.elsewhere(folder)))
    return LfsObjects(objects)


def _server(repository: Repository, place: Server, own: bool, environ: Mapping[str, str]) -> LfsSource:
    from gitkit.registry.lfs import LfsAddress, LfsServer
    from gitkit.registry.messages import TransportOptions, proxies_of

    http = read_http(repository.git, place.url)
    proxies = proxies_of(environ)
    if http.proxy is not None:
        proxies |= {"http": http.proxy, "https": http.proxy}
    address = LfsAddress(
        url=place.url,
        user=place.user,
        password=place.password,
        # What is configured for every host is not meant for one that a cloned repository has chosen.
        authorization=http.authorization if own else None,
        headers=http.headers if own else (),
        guessed=place.guessed,
    )
    options = TransportOptions(proxies=proxies, ca_file=environ.get("GIT_SSL_CAINFO") or http.ca_file)
    return LfsServer(address, GitCredentials(repository.git), options=options)
