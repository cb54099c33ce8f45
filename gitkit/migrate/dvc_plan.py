"""What DVC tracks in a worktree, as far as git kit can take it over."""

import os
from dataclasses import dataclass, field

from gitkit.core.paths import show_path
from gitkit.errors import KitError
from gitkit.git import worktree
from gitkit.git.repository import Repository
from gitkit.migrate.dvc_cache import DvcCache
from gitkit.migrate.dvc_files import DvcFile, Folder, Listed, Refused, Wanted, parse_dvc, parse_lock
from gitkit.migrate.patterns import exact
from gitkit.setup.track import NEVER

_MAX_FILE = 64 << 20
_SUFFIX = b".dvc"
_LOCK, _PIPELINE = b"dvc.lock", b"dvc.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """One ``*.dvc`` and what it names. ``unlisted`` are folders whose list the cache does not have; ``patterns`` put
    all of it under the filter.
    """

    file: DvcFile
    wanted: list[Wanted] = field(default_factory=list)
    unlisted: list[Folder] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    patterns: list[str] = field(default_factory=list)
    outs: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """``pipelines`` are ``dvc.yaml`` files and ``outputs`` what their locks name; both stay. ``broken`` are files of
    DVC that cannot be read.
    """

    tracked: list[Tracked]
    pipelines: list[bytes]
    outputs: list[bytes]
    broken: list[Refused]


def find(repository: Repository, root: str, cache: DvcCache) -> Found:
    """Read all files of DVC that Git knows or does not ignore. Changes nothing."""
    out = repository.git.run("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--full-name")
    paths = sorted(set(out.split(b"\0")) - {b""})
    found = Found(tracked=[], pipelines=[], outputs=[], broken=[])
    for path in paths:
        name = path.rpartition(b"/")[2]
        try:
            if name.endswith(_SUFFIX) and name != _SUFFIX and (text := _read(root, path)) is not None:
                found.tracked.append(_expanded(parse_dvc(text, path), cache))
            elif name == _LOCK and (text := _read(root, path)) is not None:
                found.outputs.extend(parse_lock(text, path))
            elif name == _PIPELINE:
                found.pipelines.append(path)
        except KitError as error:
            found.broken.append(Refused(path, error.message))
    return found


def _expanded(file: DvcFile, cache: DvcCache) -> Tracked:
    tracked = Tracked(file=file)
    for out in file.outs:
        if isinstance(out, Refused):
            tracked.refused.append(out)
            continue
        tracked.outs.append(out.path)
        tracked.patterns.append(exact(out.path) if isinstance(out, Wanted) else f"{exact(out.path)}/**")
        for one in _files(out, cache, tracked):
            if isinstance(one, Wanted) and _is_readable(one.path):
                tracked.refused.append(Refused(one.path, "has a name that must stay readable for Git"))
            elif isinstance(one, Wanted):
                tracked.wanted.append(one)
            else:
                tracked.refused.append(one)
    return tracked


def _files(out: Wanted | Folder | Listed, cache: DvcCache, tracked: Tracked) -> list[Wanted | Refused]:
    if isinstance(out, Wanted):
        return [out]
    if isinstance(out, Listed):
        return list(out.files)
    try:
        listed = cache.list_of(out)
    except KitError as error:
        return [Refused(out.path, error.message)]
    if listed is None:
        tracked.unlisted.append(out)
    return listed or []


def _is_readable(path: bytes) -> bool:
    name = os.fsdecode(path.rpartition(b"/")[2])
    return name.startswith(".git") or name in NEVER


def _read(root: str, path: bytes) -> bytes | None:
    """A small file of the worktree; None where there is none.

    Raises:
        KitError: it is far too large to be what its name says.
    """
    fd = worktree.open_regular(root, path)
    if fd is None:
        return None
    with open(fd, "rb") as file:
        data = file.read(_MAX_FILE + 1)
    if len(data) > _MAX_FILE:
        raise KitError(f"{show_path(path)} is too large for a file of DVC")
    return data
