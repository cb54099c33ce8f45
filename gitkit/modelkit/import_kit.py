"""A kit of any format, in a registry or folder, becomes files of this repository.

A layer that is a file becomes a pointer to the blob that it is; it does not come here. What is in a tar has no digest
of its own, so tars are read, and their files go to the store.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from gitkit.core import gotar
from gitkit.core.digest import is_digest
from gitkit.core.events import Advanced, Finished, Sink, Started
from gitkit.core.gotar import Entry
from gitkit.core.paths import show_path
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt, KitError
from gitkit.modelkit.artifact import Artifact, ArtifactFile
from gitkit.modelkit.bring import Brought, bring
from gitkit.modelkit.build import build
from gitkit.modelkit.content import Content
from gitkit.modelkit.destination import Destination, check
from gitkit.modelkit.extract import member_path
from gitkit.modelkit.formats.options import recognise
from gitkit.modelkit.intake import Incoming, Intake, is_weights, left_out
from gitkit.modelkit.kitfile_text import kitfile_text
from gitkit.modelkit.names import Names
from gitkit.modelkit.origin import origin_of
from gitkit.modelkit.packed import Layer, open_layer
from gitkit.modelkit.read import read_artifact
from gitkit.modelkit.streams import Steady
from gitkit.store.layout import ImageLayout


class Imported(NamedTuple):
    """``left_out`` are paths of the kit that may not come in; ``origin`` is what the commit's trailer says."""

    artifact: Artifact
    origin: str
    brought: Brought
    left_out: Sequence[str]


def import_kit(place: Destination, source: Remote, name: str) -> Imported:
    """Commit what the kit ``name`` (tag or digest) at ``source`` holds.

    Raises:
        As ``read_artifact`` and ``bring.bring``.
    """
    artifact = read_artifact(source, name)
    tag = "" if is_digest(name) else f":{name}"
    origin = f"{source.url}{tag}@{artifact.digest}"
    at_root = not place.folder
    raw = [file for file in artifact.files if _is_file(file)]
    check(place, [file.path for file in raw if not left_out(file.path, at_root=at_root)])
    files = [*map(_incoming, raw), *_read_layers(place.store, source, artifact, place.emit)]
    kept = [file for file in files if not left_out(file.path, at_root=at_root)]
    kitfile = origin_of(place.repository.git, artifact).kitfile or kitfile_text(artifact.kitfile)
    brought = bring(place, source, Intake(origin, kitfile, kept))
    return Imported(artifact, origin, brought, sorted({file.path for file in files} - {file.path for file in kept}))


def _is_file(file: ArtifactFile) -> bool:
    """Whether the layer's blob is the file itself."""
    return file.packing == "raw" and file.compression is None


def _incoming(file: ArtifactFile) -> Incoming:
    weights = file.section == "model" or is_weights(file.path)
    return Incoming(file.path, file.layer.digest, file.layer.size, file.mode == 0o755, weights)


# -- layers that have to be read -------------------------------------------------------------------------------------


def _read_layers(store: ImageLayout, source: Remote, artifact: Artifact, emit: Sink) -> list[Incoming]:
    """The files of all other layers, which are in the store after this.

    Raises:
        Corrupt: a layer is not what its digest says.
        InvalidFile: a name is not safe, or there twice.
    """
    layers = [file for file in artifact.files if not _is_file(file)]
    if not layers:
        return []
    names = Names()
    for file in artifact.files:
        if file.packing == "raw":
            names.claim(file.path)
    emit(Started("reading", len(layers), sum(file.layer.size for file in layers)))
    found = [incoming for file in layers for incoming in _read_layer(store, source, file, names, emit)]
    emit(Finished("read", len(layers), sum(file.layer.size for file in layers)))
    return found


def _read_layer(store: ImageLayout, source: Remote, file: ArtifactFile, names: Names, emit: Sink) -> list[Incoming]:
    with closing(Steady(source, file.layer, lambda count: emit(Advanced(count)))) as reader:
        layer = open_layer(reader, file)
        found = [_whole(store, layer, file)] if file.packing == "raw" else list(_members(store, layer, file, names))
        layer.finish()  # what is stored by now is what its own digest says, whatever becomes of the layer
    return found


def _whole(store: ImageLayout, layer: Layer, file: ArtifactFile) -> Incoming:
    digest, size = store.add(_Inside(layer, None))
    return _incoming(file)._replace(digest=digest, size=size)


def _members(store: ImageLayout, layer: Layer, file: ArtifactFile, names: Names) -> Iterator[Incoming]:
    def read_at(offset: int, size: int) -> bytes:
        layer.copy(offset - layer.position, None)
        return layer.read(size)

    for entry in gotar.entries(read_at):
        path = member_path(file, entry)
        if path is None:
            continue
        if entry.kind == "dir":
            names.claim_folder(path)
        else:
            names.claim(path)
            yield _member(store, layer, file, path, entry)


def _member(store: ImageLayout, layer: Layer, file: ArtifactFile, path: str, entry: Entry) -> Incoming:
    digest, size = store.add(_Inside(layer, entry.size))
    if size != entry.size:
        raise Corrupt(f"{show_path(path)} is cut short in its layer")
    weights = is_weights(path) or (file.section == "model" and path == file.path)
    return Incoming(path, digest, size, bool(entry.mode & 0o100), weights)


class _Inside:
    """The next ``left`` bytes of a layer (None: all) as a source."""

    def __init__(self, layer: Layer, left: int | None) -> None:
        self._layer = layer
        self._left = left

    def readinto(self, buffer: memoryview, /) -> int:
        data = self._layer.read(len(buffer) if self._left is None else min(len(buffer), self._left))
        buffer[: len(data)] = data
        if self._left is not None:
            self._left -= len(data)
        return len(data)


# -- what the commit gives -------------------------------------------------------------------------------------------


class Rebuilt(NamedTuple):
    """The kit of the new commit beside the imported one. ``problem``: why there is none.

    ``equal`` files have the same bytes in it, ``missing`` ones are not in it. ``layers`` are the digests of imported
    layers that it has too when it is built in the same format; None where that would need content that is not here.
    """

    equal: Sequence[str]
    missing: Sequence[str]
    layers: Sequence[str] | None
    problem: str | None


def rebuild(place: Destination, imported: Imported, commit: str) -> Rebuilt:
    """Build the kit of ``commit`` and compare. Uses no network."""
    files = [*imported.brought.pointers, *imported.brought.plain]
    try:
        kit = build(place.repository.git, commit, version=commit[:12])
    except KitError as error:
        return Rebuilt([], [], None, error.message)
    there = {file.path: file.digest for file in kit.files}
    return Rebuilt(
        equal=[file.path for file in files if there.get(file.path) == file.digest],
        missing=[file.path for file in files if file.path not in there],
        layers=_equal_layers(place, imported.artifact, commit),
        problem=None,
    )


def _equal_layers(place: Destination, artifact: Artifact, commit: str) -> list[str] | None:
    git = place.repository.git
    try:
        options = recognise(artifact.manifest, "the kit")
        kit = build(git, commit, version=commit[:12], options=options, content=Content(git, place.store))
    except KitError:
        return None
    there = {layer.digest for layer in kit.layers}
    return [layer.digest for layer in artifact.manifest.layers if layer.digest in there]
