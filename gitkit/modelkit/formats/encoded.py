"""What every format makes of a commit."""

from collections.abc import Sequence
from typing import NamedTuple

from gitkit.modelkit.files import KitFile
from gitkit.modelkit.tarlayers import Recipe


class Layer(NamedTuple):
    """One layer: ``size`` in bytes, ``path`` of the file or folder in it (or what to call it, where it holds several).

    ``source`` is what its bytes are: those of a file, or a tar that is made of files.
    """

    path: str
    digest: str
    size: int
    source: KitFile | Recipe


class Encoded(NamedTuple):
    """Two documents, the layers in the manifest's order, and the files that the layers hold."""

    manifest: bytes
    config: bytes
    layers: Sequence[Layer]
    files: Sequence[KitFile]
