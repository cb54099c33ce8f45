"""A deploy folder as it lies on the disk (``docs/deploy.md``).

::

    DIR/current                   a link to releases/NAME: the only thing that ever changes its meaning
    DIR/releases/NAME/            one kit's files, never changed; NAME is 12 hex digits of its digest, or those and -2
    DIR/releases/NAME/.kit-release.json
    DIR/.kit-deploy.json          what is under way, and what failed: see ``gitkit.lifecycle.deploy.state``
    DIR/.lock                     held by the process that works here

``releases/.new-*`` and ``.old-*`` are on their way in and out. Nothing but ``locked`` keeps processes apart: all that
writes here must be inside of it.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from gitkit.core.digest import PREFIX, is_digest
from gitkit.core.paths import is_inside
from gitkit.errors import Conflict, Locked, UsageError
from gitkit.lifecycle.deploy.disk import errors, write_beside
from gitkit.store.durable import sync_folder
from gitkit.store.lock import locked

RECORD = ".kit-release.json"
_RELEASES, _CURRENT, _LOCK = "releases", "current", ".lock"
_DRAFT = ".kit-deploy.new-"
_NAME = re.compile(r"[0-9a-f]{12}(-[1-9][0-9]{0,5})?")
_LEFT = re.compile(r"\.(new-[0-9a-f]{12}|old)-[0-9]+-[0-9a-f]{8}")


class ReleaseFile(NamedTuple):
    """A file as it was when its release was finished; ``mode`` are the permission bits."""

    path: str
    size: int
    digest: str
    mtime_ns: int
    mode: int
    inode: int

    @property
    def is_executable(self) -> bool:
        return bool(self.mode & 0o100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What ``.kit-release.json`` says. ``event`` is the oid of the commit by which the environment came to ``version``,
    ``commit`` that of the version itself."""

    environment: str
    version: str
    digest: str
    commit: str
    event: str
    files: Sequence[ReleaseFile]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def to_json(self) -> bytes:
        """The file's bytes, for people and for programs that read a release."""
        files = [
            {
                "path": file.path,
                "size": file.size,
                "sha256": file.digest.removeprefix(PREFIX),
                "mtime_ns": file.mtime_ns,
                "mode": f"{file.mode:04o}",
                "inode": file.inode,
            }
            for file in self.files
        ]
        head = {key: getattr(self, key) for key in ("environment", "version", "digest", "commit", "event")}
        return json.dumps({**head, "files": files}, indent=1, ensure_ascii=True).encode() + b"\n"


def parse_record(data: bytes) -> Record | None:
    """The record in ``data``; None where it is not one."""
    try:
        document = json.loads(data)
        files = [_file(entry) for entry in document["files"]]
        texts = {key: str(document[key]) for key in ("environment", "version", "digest", "commit", "event")}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    good = is_digest(texts["digest"]) and all(is_digest(file.digest) and is_inside(file.path) for file in files)
    return Record(**texts, files=files) if good else None


def _file(entry: dict[str, Any]) -> ReleaseFile:
    numbers = (int(entry[key]) for key in ("size", "mtime_ns", "inode"))
    size, mtime_ns, inode = numbers
    return ReleaseFile(str(entry["path"]), size, PREFIX + entry["sha256"], mtime_ns, int(entry["mode"], 8), inode)


class Folder:
    """The deploy folder at ``path``, which is absolute. It is made by ``locked``."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.releases = os.path.join(path, _RELEASES)

    def check(self, foreign: Sequence[str] = ()) -> None:
        """Refuse what cannot be a deploy folder, before anything is done; ``foreign`` are folders that none may be in.

        Raises:
            UsageError: it is no folder, or inside of one of ``foreign``.
            Conflict: what is there was not made by git kit.
        """
        for other in foreign:
            if os.path.commonpath([os.path.realpath(other), os.path.realpath(self.path)]) == os.path.realpath(other):
                raise UsageError(f"{self.path} is inside of the repository", hint="deploy to a folder outside of it")
        if os.path.lexists(self.path) and not os.path.isdir(self.path):
            raise UsageError(f"{self.path} is not a folder", hint="git kit deploy ENVIRONMENT DIR")
        if os.path.lexists(self.releases) and (os.path.islink(self.releases) or not os.path.isdir(self.releases)):
            raise Conflict(f"{self.releases} is not a folder", hint="deploy to another folder")
        self.current()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder where it is missing, and work in it alone.

        Raises:
            Locked: another process does.
            Denied, KitError: it cannot be made or written, also from the whole block.
        """
        with errors(self.path):
            os.makedirs(self.releases, exist_ok=True)
            with ExitStack() as stack:
                try:
                    stack.enter_context(locked(os.path.join(self.path, _LOCK), timeout_s=0.0))
                except Locked as error:
                    raise Locked(f"another process deploys to {self.path}", hint=error.hint) from error
                yield

    # -- what is there -----------------------------------------------------------------------------------------------

    def current(self) -> str | None:
        """The name of the release that ``current`` leads to, whether that is there or not; None without a link.

        Raises:
            Conflict: ``current`` is something else.
        """
        path = os.path.join(self.path, _CURRENT)
        try:
            folder, _, name = os.readlink(path).rpartition("/")
        except FileNotFoundError:
            return None
        except OSError:
            folder = name = ""
        if folder != _RELEASES or not _NAME.fullmatch(name):
            hint = "move it away, or deploy to another folder"
            raise Conflict(f"{path} is not a link that git kit made", hint=hint)
        return name

    def path_of(self, name: str) -> str:
        """Where a release is."""
        return os.path.join(self.releases, name)

    def names(self) -> list[str]:
        """Names of the releases that are there."""
        try:
            with os.scandir(self.releases) as entries:
                found = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        return sorted(name for name in found if _NAME.fullmatch(name))

    def record(self, name: str) -> Record | None:
        """What a release says about itself; None where it is not there, or says nothing sensible."""
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with open(os.open(os.path.join(self.path_of(name), RECORD), flags), "rb") as file:
                return parse_record(file.read())
        except OSError:
            return None

    def version_of(self, name: str) -> str:
        """A release for people: its version, or its name where it does not tell."""
        record = self.record(name)
        return record.version if record is not None else name

    def free_name(self, digest: str) -> str:
        """A name for another release of ``digest``."""
        first = digest.removeprefix(PREFIX)[:12]
        taken = set(os.listdir(self.releases))
        number = 1
        while (name := first if number == 1 else f"{first}-{number}") in taken:
            number += 1
        return name

    # -- changing ----------------------------------------------------------------------------------------------------

    def switch(self, name: str | None) -> None:
        """Let ``current`` lead to a release, or to none, in one step that the disk keeps."""
        path = os.path.join(self.path, _CURRENT)
        if name is None:
            with suppress(FileNotFoundError):
                os.unlink(path)
        else:
            beside = self._draft()
            os.symlink(f"{_RELEASES}/{name}", beside)
            os.rename(beside, path)
        sync_folder(self.path)

    def begin(self, digest: str) -> str:
        """A folder to build a release of ``digest`` in: an unfinished one, with the files that it has, if there is."""
        path = os.path.join(self.releases, _own(_mark(digest)))
        left = [name for name in os.listdir(self.releases) if name.startswith(_mark(digest)) and _LEFT.fullmatch(name)]
        if left:
            os.rename(os.path.join(self.releases, left[0]), path)
        else:
            os.mkdir(path)
        return path

    def finish(self, path: str, name: str) -> None:
        """Give a folder of ``begin``, whose content is on the disk, its name."""
        os.rename(path, self.path_of(name))
        sync_folder(self.releases)

    def remove(self, name: str) -> None:
        """Take a release away: it is gone as a whole before its files go."""
        beside = os.path.join(self.releases, _own(".old-"))
        os.rename(self.path_of(name), beside)
        shutil.rmtree(beside)

    def sweep(self, digest: str) -> int:
        """Delete what killed processes left, but for what ``begin`` can use for ``digest``; returns how many."""
        drafts = [name for name in os.listdir(self.path) if name.startswith(_DRAFT)]
        for name in drafts:
            os.unlink(os.path.join(self.path, name))
        left = [name for name in os.listdir(self.releases) if _LEFT.fullmatch(name)]
        left = [name for name in left if not name.startswith(_mark(digest))]
        for name in left:
            shutil.rmtree(os.path.join(self.releases, name))
        return len(drafts) + len(left)

    def write(self, name: str, data: bytes) -> None:
        """Replace a small file of the folder itself; the disk has it when this returns."""
        write_beside(self._draft(), os.path.join(self.path, name), data)

    def read(self, name: str) -> bytes | None:
        """A small file of the folder itself."""
        try:
            with open(os.path.join(self.path, name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def _draft(self) -> str:
        return os.path.join(self.path, _own(_DRAFT))


def _mark(digest: str) -> str:
    return f".new-{digest.removeprefix(PREFIX)[:12]}-"


def _own(prefix: str) -> str:
    return f"{prefix}{os.getpid()}-{os.urandom(4).hex()}"
