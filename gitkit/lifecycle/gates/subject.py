"""What a gate looks at, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from gitkit.core.events import Sink, ignore
from gitkit.git.repository import Repository

if TYPE_CHECKING:
    from gitkit.modelkit.build import Kit
    from gitkit.modelkit.content import Content

Outcome = Literal["passed", "failed", "unevaluated", "waived"]


class Verdict(NamedTuple):
    """What became of one rule. ``evidence`` are small JSON facts that go into the journal with it.

    ``unevaluated`` says that nobody knows, which is not a pass. ``waived``: not passed, and a permitted person took the
    responsibility.
    """

    gate: str
    outcome: Outcome
    reason: str
    evidence: Mapping[str, Any] = {}

    @property
    def lets_through(self) -> bool:
        return self.outcome in ("passed", "waived")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A version that wants into an environment.

    ``kit`` is built from the version's commit; ``content`` reads its files wherever they are. ``released`` is the
    digest that the remote has under the version's name. ``baseline`` is the commit of the version that the environment
    runs, None where it runs nothing. ``policy_rev`` is the revision whose files the policy counts on (allowed signers):
    the environment's own branch, never the candidate; empty for the index. ``allow_commands`` is this clone's own word.
    """

    repository: Repository
    environment: str
    kit: "Kit"
    content: "Content"
    released: str | None
    baseline: str | None
    policy_rev: str
    allow_commands: bool
    emit: Sink = ignore
