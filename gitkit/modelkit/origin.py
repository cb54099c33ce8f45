"""What the commit that a kit names tells about it, where this clone has that commit."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gitkit.errors import KitError
from gitkit.git import objects
from gitkit.git.run import Git
from gitkit.modelkit.artifact import Artifact
from gitkit.modelkit.build import build
from gitkit.modelkit.files import read_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """``kitfile``: the author's bytes. ``digests``: of the files that the commit puts into a kit, by path."""

    kitfile: bytes | None = None
    digests: Mapping[str, str] = field(default_factory=dict)


def origin_of(git: Git, artifact: Artifact, *, kitfile: bool = True) -> Origin:
    """What the commit tells; nothing where it is not here, or cannot be read as a kit's source.

    The author's Kitfile (only with ``kitfile``) is given where the commit, built again, gives exactly this kit. The
    digests hold for whatever the kit is: bytes that have them are the bytes of the commit that the kit names. They are
    of use for tar layers alone, so only looked up where there is one.
    """
    commit, version = artifact.commit, artifact.version
    if commit is None or version is None or not _is_here(git, commit):
        return Origin()
    try:
        if any(file.packing == "tar" for file in artifact.files):
            return Origin(digests={layer.path: layer.digest for layer in read_source(git, commit).files})
        equal = kitfile and build(git, commit, version=version).digest == artifact.digest
    except KitError:
        return Origin()
    return Origin(kitfile=_kitfile(git, commit) if equal else None)


def _is_here(git: Git, commit: str) -> bool:
    oid = commit.isascii() and commit.isalnum() and len(commit) in (40, 64)
    return oid and git.ask("cat-file", "-e", f"{commit}^{{commit}}") is not None


def _kitfile(git: Git, commit: str) -> bytes | None:
    from gitkit.core.kitfile import NAMES

    return next((text for name in NAMES if (text := objects.read_file(git, commit, name)) is not None), None)
