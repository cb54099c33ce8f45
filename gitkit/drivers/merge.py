"""Merging two versions of a file that is a pointer to Git: text by lines, anything else by choosing a side.

Git hands over what it stores: pointers, or content that was committed before the file was tracked. It stores what is
in our side's file afterwards without asking the filter, so that is a pointer again where the merge is clean. Nothing
is fetched. May be repeated; a merge that is killed is a conflict for Git.
"""

import codecs
import hashlib
import io
import os
from contextlib import suppress
from typing import Literal, NamedTuple

from gitkit.core.digest import EMPTY, PREFIX
from gitkit.core.pointer import MAX_SIZE, Pointer, parse
from gitkit.errors import Corrupt, KitError
from gitkit.git.run import Git, GitError
from gitkit.store.layout import ImageLayout

MAX_TEXT = 64 << 20
"""Longer files, in bytes, are not merged as text."""

_BLOCK = 1 << 20
_MOST_CONFLICTS = 127  # what `git merge-file` exits with is their number, up to this


class Files(NamedTuple):
    """Paths of the three versions; ``ours`` receives the result."""

    base: str
    ours: str
    theirs: str


class Merged(NamedTuple):
    """``clean``: nothing is left to do. ``edited``: our side holds both sides' lines between conflict markers.

    ``kept``: our side stays as it is, as the two cannot be merged: ``why``, and whether content is ``missing``.
    """

    outcome: Literal["clean", "edited", "kept"]
    why: str = ""
    missing: bool = False


class _Version(NamedTuple):
    """``raw`` is the pointer, or the file that Git itself holds; ``content`` where the bytes are, or None: not here."""

    path: str
    raw: bytes | None
    digest: str
    size: int
    content: str | None


def merge(files: Files, store: ImageLayout, git: Git, *, marker_size: int) -> Merged:
    """Merge ``theirs`` into ``ours``. Conflict markers are ``marker_size`` characters long.

    Raises:
        Corrupt: content in the store is damaged.
        KitError: a file cannot be read or written.
    """
    try:
        base, ours, theirs = (_version(path, store) for path in files)
        return _merge(base, ours, theirs, store, git, marker_size)
    except OSError as error:
        raise KitError(f"cannot merge: {error.strerror}") from error


def _merge(base: _Version, ours: _Version, theirs: _Version, store: ImageLayout, git: Git, marker_size: int) -> Merged:
    if theirs.digest in (ours.digest, base.digest):
        return Merged("clean")
    if ours.digest == base.digest:
        _restore(theirs, ours.path)
        return Merged("clean")
    versions = (base, ours, theirs)
    if any(version.size > MAX_TEXT for version in versions):
        return Merged("kept", "it is too large to be merged as text")
    if any(version.content is None for version in versions):
        return Merged("kept", "not all of its content is here", missing=True)
    if not all(_is_text(version) for version in versions):
        return Merged("kept", "it is not text")
    try:
        return _merge_text(base, ours, theirs, store, git, marker_size)
    except BaseException:
        with suppress(OSError):
            _restore(ours, ours.path)
        raise


def _version(path: str, store: ImageLayout) -> _Version:
    with open(path, "rb") as file:
        head = file.read(MAX_SIZE + 1)
        pointer = parse(head)
        if pointer is None:
            file.seek(0)
            digest = PREFIX + hashlib.file_digest(file, "sha256").hexdigest()
            return _Version(path, None, digest, os.fstat(file.fileno()).st_size, path)
    here = store.holds(pointer.digest, pointer.size)
    content = store.blob_path(pointer.digest) if here else None
    return _Version(path, head, pointer.digest, pointer.size, content)


def _is_text(version: _Version) -> bool:
    """Whether the content is UTF-8 without NUL.

    Raises:
        Corrupt: it is, but not what its digest says.
    """
    if version.content is None:
        return False
    decoder = codecs.getincrementaldecoder("utf-8")()
    hasher = hashlib.sha256()
    with open(version.content, "rb") as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
            if b"\0" in block or not _decodes(decoder, block):
                return False
    if PREFIX + hasher.hexdigest() != version.digest:
        raise Corrupt(f"the blob {version.digest} in the store is damaged", hint="git kit fsck --repair")
    return _decodes(decoder, b"", final=True)


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _merge_text(
    base: _Version, ours: _Version, theirs: _Version, store: ImageLayout, git: Git, marker_size: int
) -> Merged:
    """`git merge-file` works in our side's own file, whose place Git takes the result from."""
    _copy(ours.content, ours.path)
    names = [word for name in ("ours", "base", "theirs") for word in ("-L", name)]
    paths = [os.path.abspath(path) for path in (ours.path, base.content or "", theirs.content or "")]
    try:
        git.run("merge-file", "--quiet", f"--marker-size={marker_size}", *names, "--", *paths)
    except GitError as error:
        if 0 < error.status <= _MOST_CONFLICTS:
            return Merged("edited")
        raise
    if ours.raw is None and theirs.raw is None:
        return Merged("clean")  # Git holds both sides as content: the file is not tracked, or not yet
    with io.FileIO(ours.path) as result:
        digest, size = store.add(result)
    _write(ours.path, b"" if digest == EMPTY else Pointer(digest, size).encode())
    return Merged("clean")


def _restore(version: _Version, path: str) -> None:
    """Have in ``path`` what Git holds for ``version``."""
    if version.raw is not None:
        _write(path, version.raw)
    else:
        _copy(version.content, path)


def _copy(content: str | None, path: str) -> None:
    import shutil

    if content is not None and content != path:
        with open(content, "rb") as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target, _BLOCK)


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
