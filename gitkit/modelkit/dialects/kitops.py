"""KitOps' own ModelKits, of every age: the config is the Kitfile.

From Kit 0.5 on each entry names its layer by digest, and names in a tar start at the kit's root. Before, the layers of
a type followed the order of the entries, and names in a tar started at the folder that the entry lies in. Source:
KitOps' ``unpack/core.go`` and ``unpack/legacy.go``.
"""

import posixpath
import re
from collections.abc import Sequence

from gitkit.core.oci import Descriptor
from gitkit.errors import InvalidFile
from gitkit.modelkit.artifact import ArtifactFile
from gitkit.modelkit.dialects.entries import KitEntry, checked_kitfile, entries_of
from gitkit.modelkit.dialects.layers import Documents, Encoding, View, by_digest, encoding, file_of, unknown_layer
from gitkit.modelkit.formats.modelpack import SUBTYPE

ARTIFACT = "application/vnd.kitops.modelkit.manifest.v1+json"
CONFIG = "application/vnd.kitops.modelkit.config.v1+json"

_LAYER = re.compile(r"application/vnd\.kitops\.modelkit\.(\w+)\.v1\.(\w+)(?:\+(\w+))?")
_SECTIONS = {
    "model": "model",
    "modelpart": "parts",
    "code": "code",
    "dataset": "datasets",
    "docs": "docs",
    "mcpb": "mcpServers",
}


def read(documents: Documents) -> View:
    """What a ModelKit holds.

    Raises:
        InvalidFile, Corrupt: config and manifest do not fit.
    """
    what = f"the config of {documents.name}"
    kitfile = checked_kitfile(dict(documents.config), what)
    entries = entries_of(kitfile, what)
    descriptors = documents.manifest.layers
    if any(entry.digest for entry in entries):
        return View("modelkit", kitfile, by_digest(descriptors, entries, what, _meaning), {})
    return View("modelkit", kitfile, _by_order(documents.name, descriptors, entries), {})


def _by_order(name: str, descriptors: Sequence[Descriptor], entries: Sequence[KitEntry]) -> list[ArtifactFile]:
    waiting: dict[str, list[KitEntry]] = {}
    for entry in entries:
        waiting.setdefault(entry.section, []).append(entry)
    files = []
    for layer in descriptors:
        section, how = _meaning(layer)
        if not waiting.get(section):
            raise InvalidFile(f"{name} has more layers of {section} than its config has entries")
        entry = waiting[section].pop(0)
        files.append(file_of(layer, section, how, entry=entry, inside=posixpath.dirname(entry.path)))
    left = [entry for rest in waiting.values() for entry in rest]
    if left:
        raise InvalidFile(f"{name} has fewer layers of {left[0].section} than its config has entries")
    return files


def _meaning(layer: Descriptor) -> tuple[str, Encoding]:
    found = _LAYER.fullmatch(layer.media_type)
    if found is None or found[1] not in _SECTIONS:
        raise unknown_layer(layer)
    section = "prompts" if layer.annotations.get(SUBTYPE) == "prompt" else _SECTIONS[found[1]]
    return section, encoding(found[2], found[3], layer)
