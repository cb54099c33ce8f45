"""Which of thousands of events the table of environments depends on: only those are parsed.

What they come to (``Ledger``) is the same for what the table shows: holds, freezes, the last move of each environment,
and what let the version in that runs. The newest commit is parsed, too, and each that does not even look like an event;
whether the rest is sound is for `git kit audit verify` to say.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gitkit.core.journal import ID, MOVES
from gitkit.lifecycle import journal
from gitkit.lifecycle.environments import State
from gitkit.lifecycle.ledger import Entry

_ID = f"\n{ID}".encode()
_NEVER = frozenset({"approve", "reject", "gates", "deploy"})


class _Record(NamedTuple):
    """A commit of the journal, unparsed: its oid and the words of its first line."""

    oid: str
    words: Sequence[str]
    raw: bytes


def outline(log: bytes, states: Iterable[State]) -> list[Entry]:
    """The entries that matter for ``states``, oldest first; ``log`` is what ``journal.log`` gives.

    Raises:
        Corrupt: one of them is damaged, or a commit is no event.
    """
    chosen = [record.raw for record in _chosen(_newest_first(log), list(states))]
    return journal.parse(journal.SEPARATOR.join(reversed(chosen)), whole=False)


def _newest_first(log: bytes) -> Iterator[_Record]:
    for raw in reversed(log.split(journal.SEPARATOR)):
        if raw:
            oid, _, message = raw.split(b"\0", 2)
            yield _Record(oid.decode(), message.partition(b"\n")[0].decode("utf-8", "replace").split(" "), raw)


def _chosen(records: Iterator[_Record], states: Sequence[State]) -> Iterator[_Record]:
    running = {state.name: state.current.version for state in states if state.current is not None}
    recorded = {state.current.entry for state in states if state.current is not None}
    moved = set()
    for number, record in enumerate(records):
        kind, last = record.words[0], record.words[-1]
        if number == 0 or _ID not in record.raw:
            matters = True
        elif kind == "promote":
            matters = last not in moved or record.oid in recorded or record.words[1:2] == [running.get(last)]
        elif kind == "release":
            matters = last in running.values()
        else:
            matters = kind not in _NEVER  # what holds and freezes
        if matters:
            yield record
        if kind in MOVES:
            moved.add(last)
