"""Branches and tags from old commits to new ones: all at once, and so that it can be undone.

What a ref was is kept as ``refs/kit/migrate/<number>/<its name without refs/>``, made in the same transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gitkit.errors import Conflict
from gitkit.git.run import Git, GitError
from gitkit.migrate import texts
from gitkit.migrate.pack import Pack
from gitkit.migrate.reader import Reader
from gitkit.migrate.scope import LOCAL

KEPT = "refs/kit/migrate"
HEAD = "HEAD"


class Ref(NamedTuple):
    """``kind`` is the type of the object that it names."""

    name: str
    oid: str
    kind: str


class Moved(NamedTuple):
    """A ref and the oids of what it named and names: those of the tag objects where they are annotated tags."""

    ref: str
    old: str
    new: str


class Moves(NamedTuple):
    """``unsigned`` are the names of tags that lose their signature."""

    moved: list[Moved]
    unsigned: list[str]


def local_refs(git: Git) -> list[Ref]:
    """All local branches and tags, and HEAD where it is on no branch."""
    lines = git.text("for-each-ref", "--format=%(refname) %(objectname) %(objecttype) %(symref)", *LOCAL).split("\n")
    rows = [line.split(" ") for line in lines if line]
    found = [Ref(*row[:3]) for row in rows if not row[3]]
    if git.ask("symbolic-ref", "-q", HEAD) is None:
        found.append(Ref(HEAD, git.text("rev-parse", HEAD), "commit"))
    return found


def follow(refs: Iterable[Ref], reader: Reader, pack: Pack, renamed: Mapping[str, str]) -> Moves:
    """Where each of ``refs`` goes whose commit was renamed. New tag objects go to ``pack``."""
    tags = _Tags(reader, pack, renamed)
    moves = Moves([], [])
    for ref in refs:
        new = tags.target(ref.oid, ref.kind)
        if new != ref.oid:
            moves.moved.append(Moved(ref.name, ref.oid, new))
            if not tags.unsigned.isdisjoint(tags.chain(ref.oid, ref.kind)):
                moves.unsigned.append(ref.name.removeprefix("refs/tags/"))
    return moves


class _Tags:
    """Annotated tags, each rewritten once; a tag may name another one."""

    def __init__(self, reader: Reader, pack: Pack, renamed: Mapping[str, str]) -> None:
        self.unsigned: set[str] = set()
        self._reader = reader
        self._pack = pack
        self._renamed = renamed
        self._new: dict[str, str] = {}

    def target(self, oid: str, kind: str) -> str:
        if kind != "tag":
            return self._renamed.get(oid, oid)
        if oid not in self._new:
            data = self._reader.read(oid)
            old = texts.tag_target(data)
            new = self.target(*old)
            if new == old[0]:
                self._new[oid] = oid
            else:
                rewritten = texts.rewrite_tag(data, new)
                self._new[oid] = self._pack.add(b"tag", rewritten.data)
                if rewritten.unsigned:
                    self.unsigned.add(oid)
        return self._new[oid]

    def chain(self, oid: str, kind: str) -> list[str]:
        """The tag objects on the way from ``oid`` to what it is about."""
        found = []
        while kind == "tag":
            found.append(oid)
            oid, kind = texts.tag_target(self._reader.read(oid))
        return found


def move(git: Git, moved: Sequence[Moved], message: str) -> str:
    """Move all refs, or none; returns the name below which their old values are kept.

    Raises:
        Conflict: one is elsewhere by now.
    """
    kept = f"{KEPT}/{last_kept(git) + 1}"
    lines = [b"start\0"]
    for ref, old, new in moved:
        if ref == HEAD:
            lines.append(b"option no-deref\0")
        lines.append(b"update %s\0%s\0%s\0" % (ref.encode("utf-8", "surrogateescape"), new.encode(), old.encode()))
        name = f"{kept}/{ref.removeprefix('refs/')}".encode("utf-8", "surrogateescape")
        lines.append(b"create %s\0%s\0" % (name, old.encode()))
    try:
        git.run("update-ref", "-z", "--stdin", "-m", message, stdin=b"".join([*lines, b"prepare\0", b"commit\0"]))
    except GitError as error:
        raise Conflict(
            f"a branch or tag cannot be moved, so none was: {error.stderr}", hint="run the command again"
        ) from error
    return kept


def last_kept(git: Git) -> int:
    """The number of the last move; 0 where there was none."""
    names = git.text("for-each-ref", "--format=%(refname)", KEPT).split("\n")
    numbers = [name.removeprefix(f"{KEPT}/").partition("/")[0] for name in names if name]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def kept_commits(git: Git, ref: str) -> set[str]:
    """The commits of ``ref`` before each of its moves."""
    shown = "--format=%(objectname) %(*objectname)"
    return set(git.text("for-each-ref", shown, f"{KEPT}/*/{ref.removeprefix('refs/')}").split())


def kept_head(git: Git) -> str | None:
    """The commit of the current branch before the last move; None where that did not move it."""
    head = git.ask("symbolic-ref", "-q", HEAD) or HEAD
    return git.ask("rev-parse", "-q", "--verify", f"{KEPT}/{last_kept(git)}/{head.removeprefix('refs/')}^{{commit}}")
