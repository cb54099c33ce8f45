"""From the layers of a kit to drafts of its files. Nothing here gives a file its name: see ``gitkit.modelkit.unpack``.

**What is verified by what.** A layer that is read to its end is compared with its digest in the manifest; only then
may its drafts be used, all of them or none. A file in an uncompressed tar can also be read alone, by its range, but the
layer's digest says nothing of a part: this is only done where the file's own digest is known, from the kit's Kitfile
or from the commit that the kit names, and compared with that. Where no digest is known the whole layer is read.

Refused in any case: names that are not safe (``gitkit.modelkit.names``), links, devices, two files of one name, and
compressed data that grows beyond measure (``gitkit.modelkit.packed``).
"""

import posixpath
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gitkit.core import gotar
from gitkit.core.digest import short
from gitkit.core.gotar import Entry
from gitkit.core.paths import show_path
from gitkit.errors import Corrupt, InvalidFile, Unsupported
from gitkit.modelkit.artifact import ArtifactFile
from gitkit.modelkit.names import Names, is_of_git, safe_path, show_name
from gitkit.modelkit.packed import Layer
from gitkit.modelkit.streams import Ranges
from gitkit.modelkit.target import Target
from gitkit.store.ingest import BLOCK, write_all

_WHITEOUT = ".wh."


class Staged(NamedTuple):
    """A file that waits under ``draft`` for its ``path``. ``digest`` where it is known already."""

    path: str
    draft: str
    size: int
    digest: str | None = None


class Extracted(NamedTuple):
    """What came out of a layer. ``left_out``: paths of ``.git``, which no kit may write."""

    files: list[Staged]
    folders: list[str]
    left_out: list[str]


def extract(
    layer: Layer, file: ArtifactFile, target: Target, names: Names, wanted: Callable[[str], bool] | None
) -> Extracted:
    """Stage the files of a tar layer that are ``wanted`` (all for None), and read it to its end.

    Raises:
        Corrupt: the layer is not what its digest says, or no tar. Its drafts must not be used.
        InvalidFile: it holds what no kit may.
        Unsupported
    """
    found = Extracted([], [], [])

    def read_at(offset: int, size: int) -> bytes:
        layer.copy(offset - layer.position, None)
        return layer.read(size)

    for entry in gotar.entries(read_at):
        path = member_path(file, entry)
        if path is None:
            continue
        if is_of_git(path):
            found.left_out.append(path)
        elif entry.kind == "dir":
            names.claim_folder(path)
            if wanted is None:
                found.folders.append(path)
        elif wanted is None or wanted(path):
            names.claim(path)
            _check_room(file, entry)
            with target.draft(entry.mode) as draft:
                layer.copy(entry.size, draft.fd)
            found.files.append(Staged(path, draft.name, entry.size))
    layer.finish()
    return found


def extract_known(
    ranges: Ranges, file: ArtifactFile, target: Target, names: Names, wanted: Mapping[str, str]
) -> Extracted:
    """Stage those files of an uncompressed tar layer whose digests are in ``wanted``, by reading no others.

    Raises:
        Corrupt: a file does not have its digest, or is not in the layer.
        InvalidFile, Unsupported: as for ``extract``.
    """
    found = Extracted([], [], [])
    for entry in gotar.entries(ranges.read_at):
        path = member_path(file, entry)
        if path is None or entry.kind == "dir" or path not in wanted:
            continue
        names.claim(path)
        _check_room(file, entry)
        with target.draft(entry.mode) as draft:
            digest = ranges.copy(entry.offset, entry.size, draft.fd)
        if digest != wanted[path]:
            raise Corrupt(f"{show_path(path)} should be {wanted[path]} and is {digest} in the layer")
        found.files.append(Staged(path, draft.name, entry.size, digest))
        if len(found.files) == len(wanted):
            return found
    missing = min(wanted.keys() - {staged.path for staged in found.files})
    raise Corrupt(f"{show_path(missing)} is not in the layer {short(file.layer.digest)}")


def extract_one(layer: Layer, file: ArtifactFile, target: Target) -> Extracted:
    """Stage the one file that a compressed raw layer holds.

    Raises:
        Corrupt: the layer is not what its digest says.
    """
    size = 0
    with target.draft(file.mode) as draft:
        while data := layer.read(BLOCK):
            write_all(draft.fd, memoryview(data))
            size += len(data)
    layer.finish()
    return Extracted([Staged(file.path, draft.name, size, file.diff_id)], [], [])


def member_path(file: ArtifactFile, entry: Entry) -> str | None:
    """Where an entry of a tar layer belongs, from the kit's root; None where it is of no kit's file.

    Raises:
        InvalidFile: its name is not safe, or it is neither a file nor a folder.
    """
    what = f"a file in the layer {short(file.layer.digest)}"
    path = safe_path(entry.name, what)
    if file.strip:
        if not f"{path}/".startswith(file.strip):
            return None
        path = path[len(file.strip) :]
        if posixpath.basename(path).startswith(_WHITEOUT):
            raise Unsupported(f"{what} takes away what another layer holds: {show_name(path)}")
    if entry.kind not in ("file", "dir"):
        raise InvalidFile(
            f"{what} is a {entry.kind}: {show_name(entry.name)}", hint="a kit holds files and folders alone"
        )
    if not path and entry.kind == "file":
        raise InvalidFile(f"{what} has no name")
    return posixpath.join(file.inside, path) if path else None


def _check_room(file: ArtifactFile, entry: Entry) -> None:
    if file.compression is None and entry.offset + entry.size > file.layer.size:
        raise Corrupt(f"{show_name(entry.name)} would be larger than the layer that it is in")
