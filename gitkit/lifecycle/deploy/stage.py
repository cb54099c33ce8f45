"""Building a release: files that an earlier release holds are linked, the others unpacked, all of it verified.

The folder gets its name when the disk holds everything in it, so a release is whole or not there. What an interrupted
process had finished of the same kit is kept, and read again before it counts.
"""

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from gitkit.core.events import Sink, ignore
from gitkit.core.paths import show_path
from gitkit.errors import InvalidFile, KitError, NetworkError
from gitkit.lifecycle.deploy.disk import flush, scan, write_beside
from gitkit.lifecycle.deploy.links import Links
from gitkit.lifecycle.deploy.releases import RECORD, Folder, Record, ReleaseFile
from gitkit.lifecycle.deploy.wanted import OpenKit, Wanted
from gitkit.modelkit.artifact import ArtifactFile
from gitkit.modelkit.kitfile_text import kitfile_text
from gitkit.modelkit.names import is_of_git
from gitkit.modelkit.unpack import unpack
from gitkit.modelkit.unpacking import KITFILE
from gitkit.store.ingest import copy_hashed

_READ_ONLY = 0o555
_DRAFT = ".kit-release.new"


class Amount(NamedTuple):
    """Files and their bytes."""

    files: int = 0
    bytes: int = 0


NOTHING = Amount()


class Staged(NamedTuple):
    """A release that has its name and that nothing leads to yet.

    ``linked``: shared with an earlier release; ``copied``: from this machine; ``downloaded``; ``kept``: from an attempt
    that was interrupted.
    """

    name: str
    record: Record
    linked: Amount
    copied: Amount
    downloaded: Amount
    kept: Amount


def stage(folder: Folder, wanted: Wanted, kit: OpenKit, links: Links, *, emit: Sink = ignore) -> Staged:
    """Build a release of ``kit``.

    Raises:
        InvalidFile: the kit holds what no kit may, or a file that has the name of our record.
        Corrupt: content is not what its digest says.
        NotFound, Denied, NetworkError, Unsupported
        KitError: the disk is full, or fails. Nothing stays then; a broken connection leaves the files that came whole.
    """
    _refuse_our_name(file.path for file in kit.artifact.files)
    path = folder.begin(wanted.digest)
    try:
        staged = _Build(path, wanted, kit, links).run(folder.free_name(wanted.digest), emit)
        folder.finish(path, staged.name)
    except (NetworkError, KeyboardInterrupt):
        raise
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return staged


def _refuse_our_name(paths: Iterable[str]) -> None:
    for path in paths:
        if path.partition("/")[0].casefold() in (RECORD, _DRAFT):
            raise InvalidFile(
                f"the kit holds {show_path(path)}, a name that git kit needs for its own record",
                hint="release a version without it",
            )


class _Build:
    """One release that is built in the folder ``path``."""

    def __init__(self, path: str, wanted: Wanted, kit: OpenKit, links: Links) -> None:
        self._path = path
        self._wanted = wanted
        self._kit = kit
        self._links = links
        self._kitfile = kit.origin.kitfile or kitfile_text(kit.artifact.kitfile)
        self._plain = {file.path: file for file in kit.artifact.files if _is_plain(file)}
        self._here = _here(kit)

    def run(self, name: str, emit: Sink) -> Staged:
        first = self._link_plain()
        states = self._unpack(first, emit)
        self._check({*states, *first}, first)
        files = [self._seal(path) for path in sorted({*states, *first})]
        linked = {*first, *(file.path for file in files if file.path not in first and self._share(file))}
        files = [self._again(file) if file.path in linked else file for file in files]
        wanted = self._wanted
        record = Record(
            environment=wanted.environment,
            version=wanted.version,
            digest=wanted.digest,
            commit=wanted.commit,
            event=wanted.event,
            files=files,
        )
        write_beside(os.path.join(self._path, _DRAFT), os.path.join(self._path, RECORD), record.to_json(), 0o444)
        flush(self._path)
        kinds = {
            file.path: "linked" if file.path in linked else self._kind(file.path, states[file.path]) for file in files
        }
        amounts = {
            kind: _sum(file for file in files if kinds[file.path] == kind)
            for kind in ("linked", "copied", "downloaded", "kept")
        }
        return Staged(name=name, record=record, **amounts)

    # -- files in ----------------------------------------------------------------------------------------------------

    def _link_plain(self) -> dict[str, int]:
        """Link files that are layers themselves, so that they are not even opened; returns their inodes."""
        linked = {}
        for path, file in self._plain.items():
            source = self._links.find(file.layer.digest, executable=bool(file.mode & 0o100))
            if source is None or is_of_git(path) or path == KITFILE:  # unpack must know that the kit has a Kitfile
                continue
            if (inode := self._link(source, path)) is not None:
                linked[path] = inode
        return linked

    def _link(self, source: str, path: str) -> int | None:
        """Give the file ``source`` the name ``path``; None where that cannot be, or something else is there."""
        target = os.path.join(self._path, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with suppress(OSError):  # somebody else's file, another file system, too many names: then it is unpacked
            with suppress(FileExistsError):
                os.link(source, target, follow_symlinks=False)
            found = os.lstat(target)
            if os.path.samestat(os.lstat(source), found):
                return found.st_ino
        return None

    def _unpack(self, linked: Mapping[str, int], emit: Sink) -> dict[str, str]:
        """Unpack all that is not linked; how each file came to its place, by path."""
        artifact = self._kit.artifact
        rest = tuple(file for file in artifact.files if not _is_plain(file) or file.path not in linked)
        result = unpack(
            replace(artifact, files=rest),
            self._kit.source,
            self._path,
            overwrite=True,  # what is there is of an attempt that was interrupted
            kitfile=self._kitfile,
            known=self._kit.origin.digests,
            resolve=self._kit.resolve,
            transfers=self._kit.transfers,
            emit=emit,
        )
        _refuse_our_name(file.path for file in result.files)
        return {file.path: file.state for file in result.files}

    def _check(self, paths: set[str], linked: Mapping[str, int]) -> None:
        """Nothing else is in the folder, and nothing took the place of a link."""
        found = scan(self._path)
        for path in found.keys() - paths - {RECORD}:
            os.unlink(os.path.join(self._path, path))  # of an attempt whose kit was read in another way
        twice = [path for path, inode in linked.items() if path not in found or found[path].st_ino != inode]
        if twice or not paths <= found.keys():
            raise InvalidFile(f"the kit holds {show_path(min(twice or paths - found.keys()))} twice")

    def _share(self, file: ReleaseFile) -> bool:
        """Put a link in the place of a file that an earlier release has, too, as was not known before: from a tar."""
        source = self._links.find(file.digest, executable=file.is_executable)
        if source is None:
            return False
        beside, target = (os.path.join(self._path, name) for name in (_DRAFT, file.path))
        if os.path.samestat(os.lstat(source), os.lstat(target)):  # of an earlier attempt; rename(2) would do nothing
            return True
        try:
            os.link(source, beside, follow_symlinks=False)
        except OSError:
            return False
        os.rename(beside, target)
        return True

    # -- what is recorded --------------------------------------------------------------------------------------------

    def _seal(self, path: str) -> ReleaseFile:
        """Make a file read-only; what is recorded of it."""
        fd = os.open(os.path.join(self._path, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb", buffering=0) as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise KitError(f"{show_path(path)} was changed meanwhile", hint="run the command again")
            mode = stat.S_IMODE(found.st_mode) & _READ_ONLY
            if mode != stat.S_IMODE(found.st_mode):
                os.fchmod(fd, mode)
            digest = self._plain[path].layer.digest if path in self._plain else copy_hashed(file, None)[0]
        return ReleaseFile(path, found.st_size, digest, found.st_mtime_ns, mode, found.st_ino)

    def _again(self, file: ReleaseFile) -> ReleaseFile:
        """What is recorded of a file that is another one's link now."""
        found = os.lstat(os.path.join(self._path, file.path))
        return file._replace(mtime_ns=found.st_mtime_ns, mode=stat.S_IMODE(found.st_mode), inode=found.st_ino)

    def _kind(self, path: str, state: str) -> str:
        if state == "kept":
            return state
        return "copied" if self._here.get(path, self._here[""]) else "downloaded"


def _is_plain(file: ArtifactFile) -> bool:
    return file.packing == "raw" and file.compression is None


def _here(kit: OpenKit) -> dict[str, bool]:
    """Whether a file's content is on this machine, by path; "" stands for all files that are in tars."""
    here = {file.path: kit.source.is_here(file.layer) for file in kit.artifact.files if file.packing == "raw"}
    tars = all(kit.source.is_here(file.layer) for file in kit.artifact.files if file.packing == "tar")
    return {KITFILE: True, **here, "": tars}


def _sum(files: Iterable[ReleaseFile]) -> Amount:
    sizes = [file.size for file in files]
    return Amount(len(sizes), sum(sizes))
