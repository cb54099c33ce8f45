"""What a move would change: files from one kit to another, by path and digest, and the rules of the environment."""

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from gitkit.core.config import Config
    from gitkit.modelkit.build import Kit


class Changes(NamedTuple):
    """Paths, sorted; ``same`` is a number of files. ``bytes_to_move``: of content that the old kit has nowhere."""

    added: list[str]
    changed: list[str]
    removed: list[str]
    same: int
    bytes_to_move: int


def changes(before: "Kit | None", after: "Kit") -> Changes:
    """From ``before`` (None: nothing) to ``after``."""
    old = {file.path: file.digest for file in before.files} if before is not None else {}
    new = {file.path: file.digest for file in after.files}
    known = set(old.values())
    to_move = {file.digest: file.size for file in after.files if file.digest not in known}
    return Changes(
        added=sorted(new.keys() - old.keys()),
        changed=sorted(path for path in new.keys() & old.keys() if new[path] != old[path]),
        removed=sorted(old.keys() - new.keys()),
        same=sum(1 for path in new.keys() & old.keys() if new[path] == old[path]),
        bytes_to_move=sum(to_move.values()),
    )


class PolicyChanges(NamedTuple):
    """Names of rules and gates that a version's own policy asks for no longer, newly, or otherwise."""

    dropped: list[str]
    added: list[str]
    changed: list[str]

    def __str__(self) -> str:
        parts = (("without ", self.dropped), ("with ", self.added), ("with other ", self.changed))
        return ", ".join(word + ", ".join(names) for word, names in parts if names)


def policy_changes(before: "Config", after: "Config | None", name: str) -> PolicyChanges | None:
    """How the policy of the environment ``name`` would change; None where it stays the same."""
    old = _rules(before, name)
    if after is None or name not in after.environments:
        return PolicyChanges(dropped=list(old), added=[], changed=[])
    if before.policy_of(name) == after.policy_of(name):
        return None
    new = _rules(after, name)
    return PolicyChanges(
        dropped=[rule for rule in old if rule not in new],
        added=[rule for rule in new if rule not in old],
        changed=[rule for rule in new if rule in old and new[rule] != old[rule]],
    )


def _rules(config: "Config", name: str) -> dict[str, Any]:
    environment = config.environment(name)
    rules = {
        "branch": environment.branch,
        "auto": environment.auto,
        "from": environment.sources,
        "soak": environment.soak,
        "approvals": environment.approvals,
        "windows": environment.windows,
        **{gate: config.gate(gate) for gate in environment.gates},
        "override": environment.override,
        "groups": config.groups,
        "journal": config.journal,
    }
    return {rule: asked for rule, asked in rules.items() if asked}
