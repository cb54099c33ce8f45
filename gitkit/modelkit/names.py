"""The names that a kit gives to its files: which of them may become files on a disk.

A kit comes from anywhere, so nothing in a name is trusted. What is refused is refused on every file system: a kit
that unpacks here unpacks on a disk that ignores case, too.
"""

import threading
import unicodedata

from gitkit.core.paths import show_path
from gitkit.errors import InvalidFile

MAX_FILES = 1_000_000
"""More files (and folders) than this are not unpacked: each takes room on the disk that no size tells."""

_MAX_NAME = 255
_MAX_PATH = 4096
_MAX_DEPTH = 128
_IGNORABLE = dict.fromkeys((*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF))
"""What HFS+ ignores in a name; Git protects ``.git`` against these as well (``core.protectHFS``)."""


def safe_path(text: str, what: str) -> str:
    """``text`` as a clean relative path with slashes; "" where it is the kit's own root (``.``).

    Raises:
        InvalidFile: it is empty, absolute, leads out of the folder, or is no name that a disk can hold. ``what`` says
            whose name it is.
    """
    problem = _problem(text)
    if problem is not None:
        raise InvalidFile(f"{what} has the path {show_name(text)}, which {problem}", hint="the kit cannot be trusted")
    return "/".join(part for part in text.split("/") if part not in ("", "."))


def _problem(text: str) -> str | None:
    if not text:
        return "is empty"
    if "\0" in text:
        return "holds a NUL"
    if not is_unicode(text):
        return "is not UTF-8"
    if text.startswith("/"):
        return "is absolute"
    parts = text.split("/")
    if ".." in parts:
        return "leads out of its folder"
    if len(text) > _MAX_PATH or len(parts) > _MAX_DEPTH or any(len(part.encode()) > _MAX_NAME for part in parts):
        return "is too long"
    return None


def is_unicode(text: str) -> bool:
    """Whether ``text`` has UTF-8 bytes. JSON may hold half a surrogate pair, a tar any bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def show_name(text: str) -> str:
    """A name of any origin for people: short, and nothing in it acts on a terminal."""
    short = text if len(text) <= 200 else f"{text[:199]}…"
    return show_path(short.encode("utf-8", "surrogatepass"))


def is_of_git(path: str) -> bool:
    """Whether a part of ``path`` is ``.git``, or is taken for it by a file system (Git's ``verify_path``).

    Files there would be run as hooks or read as configuration, where the target is a repository.
    """
    return any(_is_git(part) for part in path.split("/"))


def _is_git(part: str) -> bool:
    name = part.translate(_IGNORABLE).casefold().partition(":")[0].rstrip(". ")
    return name in (".git", "git~1")


class Names:
    """All paths that are going to be written, each claimed once. Safe between threads."""

    def __init__(self, *, limit: int = MAX_FILES) -> None:
        self._limit = limit
        self._lock = threading.RLock()
        self._folders: set[str] = set()
        self._files: set[str] = set()
        self._spelled: dict[str, str] = {}

    def __contains__(self, path: str) -> bool:
        return _folded(path) in self._spelled

    def claim(self, path: str) -> None:
        """Take ``path``, which is safe, for a file.

        Raises:
            InvalidFile: it is taken: by a file, by a folder, or by a name that some disks take for the same.
        """
        with self._lock:
            self.claim_folder(path.rpartition("/")[0])
            if path in self._files:
                raise InvalidFile(f"the kit holds {show_path(path)} twice")
            if path in self._folders:
                raise InvalidFile(f"the kit holds {show_path(path)} as a file and as a folder")
            self._spell(path)
            self._files.add(path)

    def claim_folder(self, path: str) -> None:
        """Take ``path`` for a folder, with those above it; it may be one already.

        Raises:
            InvalidFile: as for ``claim``.
        """
        if not path or path in self._folders:
            return
        with self._lock:
            self.claim_folder(path.rpartition("/")[0])
            if path in self._files:
                raise InvalidFile(f"the kit holds {show_path(path)} as a file and as a folder")
            self._spell(path)
            self._folders.add(path)

    def _spell(self, path: str) -> None:
        other = self._spelled.setdefault(_folded(path), path)
        if other != path:
            raise InvalidFile(f"the kit holds {show_path(other)} and {show_path(path)}, which many disks take for one")
        if len(self._spelled) > self._limit:
            raise InvalidFile(f"the kit holds more than {self._limit} files and folders")


def _folded(path: str) -> str:
    """What is equal for names that a case-insensitive, normalising disk takes for the same."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())
