"""Trees of many commits at once: each is read once, with one git process for each level of folders."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from gitkit.errors import Corrupt
from gitkit.git.objects import TreeEntry
from gitkit.git.run import Git

_FOLDER = "40000"


class Child(NamedTuple):
    """One name in a folder. ``mode`` as the object has it, ``40000`` for folders."""

    mode: str
    name: bytes
    oid: str


class Trees:
    """``roots``: the tree of each commit. What the same folder holds is told once, however many commits have it."""

    def __init__(self, roots: Mapping[str, str], folders: Mapping[str, list[Child]]) -> None:
        self.roots = roots
        self._folders = folders
        self._flat: dict[str, list[TreeEntry]] = {}

    def files(self, commit: str) -> list[TreeEntry]:
        """All files of a commit; links and submodules included."""
        return self._files(self.roots[commit])

    def blobs(self) -> Iterator[str]:
        """Every regular file of any commit, each oid once."""
        found = {child.oid for folder in self._folders.values() for child in folder if child.mode.startswith("100")}
        return iter(sorted(found))

    def _files(self, tree: str) -> list[TreeEntry]:
        if tree not in self._flat:
            files = []
            for mode, name, oid in self._folders[tree]:
                if mode == _FOLDER:
                    files += [file._replace(path=name + b"/" + file.path) for file in self._files(oid)]
                else:
                    files.append(TreeEntry(name, mode, oid))
            self._flat[tree] = files
        return self._flat[tree]


def read_trees(git: Git, commits: Iterable[str]) -> Trees:
    """The trees of ``commits`` (oids).

    Raises:
        Corrupt: a commit or tree is missing.
    """
    wanted = list(dict.fromkeys(commits))
    found = list(_read(git, [f"{commit}^{{tree}}" for commit in wanted]))
    roots = {commit: oid for commit, (oid, _) in zip(wanted, found, strict=True)}
    folders = {oid: _children(data, len(oid) // 2) for oid, data in found}
    level = set(folders)
    while level:
        below = {child.oid for oid in level for child in folders[oid] if child.mode == _FOLDER} - folders.keys()
        folders.update((oid, _children(data, len(oid) // 2)) for oid, data in _read(git, sorted(below)))
        level = below
    return Trees(roots, folders)


def _read(git: Git, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """Oid and content of each object, in order. One git process."""
    if not names:
        return
    out = git.run("cat-file", "--batch", "--buffer", stdin="".join(f"{name}\n" for name in names).encode())
    at = 0
    for name in names:
        end = out.index(b"\n", at)
        words = out[at:end].decode().split(" ")
        if len(words) != 3:
            raise Corrupt(f"Git object {name} is missing", hint="git fsck")
        size = int(words[2])
        yield words[0], out[end + 1 : end + 1 + size]
        at = end + size + 2


def _children(tree: bytes, width: int) -> list[Child]:
    """A tree object: ``mode SP name NUL oid``, again and again; an oid has ``width`` bytes."""
    children = []
    at = 0
    while at < len(tree):
        space = tree.index(b" ", at)
        end = tree.index(b"\0", space)
        children.append(Child(tree[at:space].decode(), tree[space + 1 : end], tree[end + 1 : end + 1 + width].hex()))
        at = end + 1 + width
    return children
