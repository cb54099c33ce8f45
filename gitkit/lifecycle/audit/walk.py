"""Reading commits for an audit: what cannot be read is told with the rest, and stops nothing."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gitkit.core.journal import ID, SEQUENCE, Event, parse_event
from gitkit.errors import Corrupt
from gitkit.git.repository import Repository
from gitkit.git.run import Git
from gitkit.lifecycle.ledger import Entry

# Raw bytes of names and message: a commit's own `encoding` header must not change what is compared.
_READ = ("-z", "--no-show-signature", "--encoding=none")
_FORMAT = "--format=%H%x00%T%x00%P%x00%at%x00%ct%x00%an%x00%ae%x00%cn%x00%ce%x00%B%x01"
_PIECE = 1 << 16


class Read(NamedTuple):
    """A commit. ``authored`` and ``committed`` are seconds since 1970, UTC."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    authored: int
    committed: int
    author: tuple[str, str]
    committer: tuple[str, str]
    message: str

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]


def people(commit: Read) -> str:
    """Its author, and its committer where that is somebody else."""
    author, committer = (f"{name} <{address}>" for name, address in (commit.author, commit.committer))
    return author if author == committer else f"{author}, committed by {committer}"


class Link(NamedTuple):
    """A commit of the journal: ``event``, or why it is none (``problem``); ``sequence`` and ``id`` as it claims."""

    commit: Read
    event: Event | None
    problem: str | None
    sequence: int | None
    id: str | None


class Journal(NamedTuple):
    """``links`` from the first commit to the tip, along first parents. ``aside`` is how many other commits were merged.

    ``shallow`` are commits whose parents a shallow clone leaves out.
    """

    tip: str | None
    links: Sequence[Link]
    aside: int
    shallow: frozenset[str]

    @property
    def cut(self) -> bool:
        """Whether its beginning is left out in a shallow clone."""
        return bool(self.links) and self.links[0].commit.oid in self.shallow

    @property
    def entries(self) -> list[Entry]:
        """The events, oldest first."""
        return [Entry(link.commit.oid, link.event) for link in self.links if link.event is not None]


def log(git: Git, *args: str) -> Iterator[Read]:
    """The commits that `git log` with ``args`` gives, in its order.

    Raises:
        GitError: git cannot read them.
    """
    yield from map(_read, _records([git.run("log", *_READ, _FORMAT, *args)]))


def _records(pieces: Iterable[bytes]) -> Iterator[bytes]:
    left = b""
    for piece in pieces:
        *records, left = (left + piece).split(b"\x01\0")
        yield from records
    if left:
        yield left.removesuffix(b"\x01")


def _read(record: bytes) -> Read:
    oid, tree, parents, authored, committed, *people, message = record.decode("utf-8", "replace").split("\0", 9)
    author, address, committer, other = people
    times = int(authored or 0), int(committed or 0)
    return Read(oid, tree, tuple(parents.split()), *times, (author, address), (committer, other), message)


def read_journal(repository: Repository, tip: str | None) -> Journal:
    """All commits up to ``tip``. One git process, which goes on while the first ones are looked at.

    Raises:
        Corrupt: git cannot read them all.
    """
    if tip is None:
        return Journal(None, [], 0, _shallow(repository))
    with repository.git.pipe("log", *_READ, _FORMAT, tip, "--") as (_, out):
        records = _records(iter(lambda: out.read(_PIECE), b""))
        found = {commit.oid: _link(commit) for commit in map(_read, records)}
    row = []
    at: str | None = tip
    while at is not None and at in found:
        row.append(found[at])
        at = next(iter(found[at].commit.parents), None)
    if at is not None:
        raise Corrupt(f"the journal's commit {at[:12]} cannot be read", hint="git fsck")
    row.reverse()
    return Journal(tip, row, len(found) - len(row), _shallow(repository))


def _shallow(repository: Repository) -> frozenset[str]:
    """Where a shallow clone ends."""
    try:
        with open(os.path.join(repository.common_dir, "shallow"), encoding="ascii") as file:
            return frozenset(file.read().split())
    except FileNotFoundError:
        return frozenset()


def _link(commit: Read) -> Link:
    try:
        event = parse_event(commit.message)
    except Corrupt as error:
        return Link(commit, None, error.message, *_claimed(commit.message))
    return Link(commit, event, None, event.sequence, event.id)


def _claimed(message: str) -> tuple[int | None, str | None]:
    """The place and the id that a damaged event still claims, so that its neighbours can be checked."""
    sequence = re.search(rf"^{SEQUENCE}([0-9]{{1,18}})$", message, re.MULTILINE)
    name = re.search(rf"^{ID}([0-9a-f]{{32}})$", message, re.MULTILINE)
    return int(sequence[1]) if sequence else None, name[1] if name else None
