"""What comes into Git from outside: which files, and whether each is content there or a pointer.

Whoever made the files must not configure anything here. So what Git, git kit, or a forge that takes a push reads by
itself is left out (``left_out``), and the ``.gitattributes`` lines are our own (``patterns_for``).
"""

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gitkit.modelkit.names import is_of_git

KITFILES = ("Kitfile", "kitfile", ".kitfile")
_EVERYWHERE = (".git", ".lfsconfig", ".kitignore")
_AT_THE_ROOT = frozenset({"jenkinsfile", "azure-pipelines.yml", "azure-pipelines.yaml", "bitbucket-pipelines.yml"})


class Incoming(NamedTuple):
    """A file that is to be in Git. ``path`` is safe, from the root of what is imported; ``size`` in bytes.

    With ``pointer`` it is one whatever its size: weights, and what a hub keeps as large.
    """

    path: str
    digest: str
    size: int
    executable: bool = False
    pointer: bool = False


class Intake(NamedTuple):
    """All of an import. ``origin`` names what it is, for the commit's trailer: a place, ``@`` and what it held."""

    origin: str
    kitfile: bytes
    files: Sequence[Incoming]


def left_out(path: str, *, at_root: bool) -> bool:
    """Whether the file may not come in. ``at_root``: it is imported to the repository's root."""
    parts = path.lower().split("/")
    if is_of_git(path) or any(part.startswith(_EVERYWHERE) for part in parts):
        return True
    if len(parts) == 1 and path in KITFILES:
        return True  # it has its own way in
    # A dot at the root: .github, .circleci, .travis.yml, .pre-commit-config.yaml and whatever comes next.
    return at_root and (parts[0].startswith(".") or (len(parts) == 1 and parts[0] in _AT_THE_ROOT))


def is_weights(path: str) -> bool:
    """Whether a file holds weights, by its suffix."""
    from gitkit.core.kitfile import WEIGHT_SUFFIXES

    return posixpath.splitext(path)[1].lower() in WEIGHT_SUFFIXES


def patterns_for(pointers: Iterable[str], others: Iterable[str]) -> list[str]:
    """Patterns for ``.gitattributes`` that take in ``pointers`` and none of ``others``; paths from that file's folder.

    Weights are tracked by their suffix, as people do it, unless ``others`` has it too; all else by its name.
    """
    kept = {posixpath.splitext(path)[1] for path in others}
    found: Mapping[str, None] = {}
    for path in pointers:
        suffix = posixpath.splitext(path)[1]
        by_suffix = is_weights(path) and suffix not in kept
        found = {**found, f"*{suffix}" if by_suffix else f"/{_escaped(path)}": None}
    return list(found)


def _escaped(path: str) -> str:
    return "".join(f"\\{char}" if char in "\\*?[" else char for char in path)
