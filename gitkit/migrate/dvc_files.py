"""What DVC writes about files that it tracks: ``*.dvc`` and ``dvc.lock`` (YAML), and the lists of its folders (JSON).

Bytes in, values out. Paths in them are somebody else's: each is made to be one of the worktree, or refused.
"""

import json
import posixpath
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from gitkit.errors import InvalidFile

_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
_TYPED = frozenset({"size", "cache", "isexec"})
_HASHES = ("md5", "md5-dos2unix")


class Hash(NamedTuple):
    """An MD5 in hex. With ``unix`` DVC may have hashed a text with the line ends of Unix (before its version 3)."""

    md5: str
    unix: bool


class Wanted(NamedTuple):
    """A file that DVC tracks; ``path`` from the root of the worktree, ``size`` in bytes where DVC wrote it."""

    path: bytes
    hash: Hash
    size: int | None
    is_executable: bool


class Folder(NamedTuple):
    """A folder that DVC tracks, by the hash of the list of its files."""

    path: bytes
    hash: Hash


class Listed(NamedTuple):
    """A folder whose files the ``*.dvc`` lists itself (cloud versioning)."""

    path: bytes
    files: list[Wanted]


class Refused(NamedTuple):
    """Something that DVC tracks and git kit cannot take over, and why."""

    path: bytes
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DvcFile:
    """A ``*.dvc`` at ``path``. ``origin``: where DVC would get its content again (`dvc import`), or None."""

    path: bytes
    outs: list[Wanted | Folder | Listed | Refused]
    origin: str | None


def parse_dvc(text: bytes, path: bytes) -> DvcFile:
    """The ``*.dvc`` with this ``text``.

    Raises:
        InvalidFile: it is not one.
    """
    document = _document(text, path)
    outs = document.get("outs")
    if not isinstance(outs, list):
        raise InvalidFile(f"{_name(path)} has no outs: it is not a file of DVC")
    folder = posixpath.join(posixpath.dirname(_name(path)), str(document.get("wdir") or ""))
    return DvcFile(path=path, outs=[_out(out, folder, path) for out in outs], origin=_origin(document))


def parse_lock(text: bytes, path: bytes) -> list[bytes]:
    """The outputs of a pipeline, from its ``dvc.lock`` at ``path``; what cannot be understood is left out."""
    stages = _document(text, path).get("stages")
    folder = posixpath.dirname(_name(path))
    found = []
    for stage in stages.values() if isinstance(stages, dict) else ():
        outs = stage.get("outs") if isinstance(stage, dict) else None
        for out in outs if isinstance(outs, list) else ():
            if isinstance(out, dict) and isinstance(out.get("path"), str):
                found.append(_bytes(posixpath.normpath(posixpath.join(folder, out["path"]))))
    return found


def parse_list(data: bytes, folder: Folder) -> list[Wanted | Refused]:
    """The files of ``folder``, from the list that its hash names.

    Raises:
        InvalidFile: it is no list.
    """
    try:
        entries = json.loads(data)
        pairs = [(str(entry["relpath"]), str(entry["md5"])) for entry in entries]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidFile(f"the list of {_name(folder.path)} in DVC's cache is damaged") from error
    return [_inside(folder.path, name, md5, folder.hash.unix, None) for name, md5 in pairs]


def without_line(text: bytes, name: bytes) -> bytes:
    """A ``.gitignore`` without the line that DVC wrote for ``name`` in its folder."""
    lines = {b"/" + name, b"/" + re.sub(rb"([\[\]!*#?])", rb"\\\1", name)}
    return b"".join(line for line in text.splitlines(keepends=True) if line.rstrip(b"\r\n") not in lines)


def _document(text: bytes, path: bytes) -> dict[str, Any]:
    from gitkit.core.yaml import parse_yaml

    return parse_yaml(text, file=_name(path), typed=_TYPED)[0]


def _origin(document: dict[str, Any]) -> str | None:
    """The source of `dvc import` and `dvc import-url`."""
    deps = document.get("deps")
    for dep in deps if isinstance(deps, list) else ():
        if isinstance(dep, dict):
            repo = dep.get("repo")
            url = repo.get("url") if isinstance(repo, dict) else None
            return ": ".join(str(word) for word in (url, dep.get("path")) if word) or None
    return None


def _out(out: Any, folder: str, file: bytes) -> Wanted | Folder | Listed | Refused:
    if not isinstance(out, dict) or not isinstance(out.get("path"), str):
        return Refused(file, "has an out without a path")
    path = _safe(folder, out["path"])
    if path is None:
        return Refused(_bytes(out["path"]), "is outside of the worktree")
    if out.get("cache") is False:
        return Refused(path, "is not in DVC's cache: Git holds it itself")
    if isinstance(out.get("files"), list):
        return _versioned(path, out["files"])
    kind, md5 = out.get("hash", "md5-dos2unix"), str(out.get("md5", ""))
    if kind not in _HASHES or not _MD5.fullmatch(md5):
        return Refused(path, "has no MD5 in its .dvc file")
    named = Hash(md5.removesuffix(".dir"), kind != "md5")
    if md5.endswith(".dir"):
        return Folder(path, named)
    size = out.get("size")
    return Wanted(path, named, size if isinstance(size, int) else None, out.get("isexec") is True)


def _versioned(path: bytes, files: list[Any]) -> Listed | Refused:
    found = []
    for file in files:
        if not isinstance(file, dict) or not isinstance(file.get("relpath"), str):
            return Refused(path, "has a file without a path")
        one = _inside(path, file["relpath"], str(file.get("md5", "")), False, file.get("size"))
        if isinstance(one, Refused):
            return one
        found.append(one)
    return Listed(path, found)


def _inside(folder: bytes, name: str, md5: str, unix: bool, size: Any) -> Wanted | Refused:
    path = _safe(_name(folder), name)
    if path is None or not path.startswith(folder + b"/"):
        return Refused(folder + b"/" + _bytes(name), "is outside of its folder")
    if not _MD5.fullmatch(md5) or md5.endswith(".dir"):
        return Refused(path, "has no MD5")
    return Wanted(path, Hash(md5, unix), size if isinstance(size, int) else None, False)


def _safe(folder: str, path: str) -> bytes | None:
    """``path`` from the root; None where it leaves the worktree, is Git's own or no path at all."""
    joined = posixpath.normpath(posixpath.join(folder, path))
    parts = joined.split("/")
    if "://" in path or "\0" in path or posixpath.isabs(path) or joined in (".", "") or ".." in parts:
        return None
    if any(part.lower() == ".git" for part in parts):
        return None
    return _bytes(joined)


def _name(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
