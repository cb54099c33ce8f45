"""What an audit comes to: findings, one kind for each way to go wrong; what could not be checked; and remarks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from gitkit.lifecycle.ledger import Entry

Kind = Literal[
    "removed",
    "reordered",
    "repeated",
    "edited",
    "back-dated",
    "forked",
    "truncated",
    "signer",
    "unsigned",
    "signature",
    "branch",
    "tag",
    "registry",
    "policy",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Finding(NamedTuple):
    """Something that is not as it must be. ``event`` is its number in the journal, ``commit`` shows it.

    ``put_back`` is the refspec whose push, with force, brings a ref to where it must be, where that is known.
    """

    kind: Kind
    text: str
    event: int | None = None
    commit: str | None = None
    environment: str | None = None
    put_back: str | None = None


class Gap(NamedTuple):
    """Something that could not be checked here, which is not the same as sound."""

    text: str
    event: int | None = None
    environment: str | None = None


@dataclass(frozen=True, kw_only=True)
class Audit:
    """``events`` is how many the journal holds, ``since`` how many of them an earlier audit has checked in full.

    ``notes`` are facts that are no accusation, such as history from before the journal.
    """

    tip: str | None
    events: int
    since: int
    environments: Sequence[str]
    findings: Sequence[Finding]
    gaps: Sequence[Gap]
    notes: Sequence[str]

    @property
    def clean(self) -> bool:
        """Nothing was found, and nothing was left unchecked."""
        return not self.findings and not self.gaps


def about(kind: Kind, entry: Entry, text: str, put_back: str | None = None) -> Finding:
    """A finding about an event."""
    event = entry.event
    return Finding(kind, text, event.sequence, entry.oid, event.environment, put_back)
