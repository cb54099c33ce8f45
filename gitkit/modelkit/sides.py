"""What `git kit diff` compares: a commit or a kit, as files with digests, and a way to look into them."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gitkit.core.oci import Descriptor
from gitkit.core.remote import Remote
from gitkit.core.tensors import Facts
from gitkit.errors import KitError
from gitkit.git import objects
from gitkit.git.run import Git
from gitkit.modelkit.artifact import Artifact
from gitkit.modelkit.blobs import MAX_SIZE, read_blob
from gitkit.modelkit.files import KitSource
from gitkit.modelkit.streams import Ranges
from gitkit.store.layout import ImageLayout

_HEADER_BUDGET = 16 << 20
"""A header that is longer than this many bytes is not compared."""


class SideFile(NamedTuple):
    """One file, or one packed layer. ``oid`` is the Git blob that holds it, where Git does."""

    path: str
    section: str
    digest: str
    size: int
    oid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two things that are compared. ``place`` finds who holds a digest of a given size."""

    title: str
    commit: str | None
    kitfile: Mapping[str, Any]
    files: Mapping[str, SideFile]
    git: Git | None
    place: Callable[[str, int], Remote | None] = field(repr=False)

    def facts(self, file: SideFile) -> Facts | None:
        """What the header of a weights file says; None where there is no such header or it cannot be had."""
        from gitkit.core import gguf, safetensors

        place = self.place(file.digest, file.size)
        if place is None or not file.path.endswith((".safetensors", ".gguf")):
            return None
        try:
            with closing(Ranges(place, _descriptor(file), _nothing)) as ranges:
                if file.path.endswith(".gguf"):
                    return gguf.read_facts(ranges.read_at, file.size, budget=_HEADER_BUDGET)
                return safetensors.read_facts(ranges.read_at, file.size)
        except KitError:
            return None

    def small(self, file: SideFile) -> bytes | None:
        """The bytes of a small file; None where it is large or cannot be had."""
        if file.size > MAX_SIZE:
            return None
        if file.oid is not None and self.git is not None:
            return objects.read_small(self.git, [file.oid], MAX_SIZE).get(file.oid)
        place = self.place(file.digest, file.size)
        try:
            return read_blob(place, _descriptor(file)) if place is not None else None
        except KitError:
            return None


def of_commit(
    title: str, source: KitSource, kitfile: Mapping[str, Any], git: Git, store: ImageLayout, remote: Remote | None
) -> Side:
    """A commit's kit as it would be built."""
    files = {
        layer.path: SideFile(layer.path, _section(layer.section), layer.digest, layer.size, layer.oid)
        for layer in source.files
    }
    return Side(
        title=title, commit=source.commit.oid, kitfile=kitfile, files=files, git=git, place=_places(store, remote)
    )


def of_artifact(title: str, artifact: Artifact, store: ImageLayout | None, remote: Remote) -> Side:
    """A kit as it lies somewhere. A packed layer counts as one file."""
    files = {}
    for file in artifact.files:
        path = file.path if file.packing == "raw" else f"{file.path or '.'}/ (packed)"
        files[path] = SideFile(path, _section(file.section), file.layer.digest, file.layer.size)
    return Side(
        title=title,
        commit=artifact.commit,
        kitfile=artifact.kitfile,
        files=files,
        git=None,
        place=_places(store, remote),
    )


def _section(section: str) -> str:
    """A model that is a folder has parts in the kit that the commit's Kitfile does not name: all of it is the model."""
    return "model" if section == "parts" else section


def _places(store: ImageLayout | None, remote: Remote | None) -> Callable[[str, int], Remote | None]:
    def place(digest: str, size: int) -> Remote | None:
        return store if store is not None and store.holds(digest, size) else remote

    return place


def _descriptor(file: SideFile) -> Descriptor:
    return Descriptor(media_type="application/octet-stream", digest=file.digest, size=file.size)


def _nothing(count: int) -> None:
    """Header bytes are too few to show."""
