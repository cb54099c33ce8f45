"""Promotion: a released version into an environment, the same digest that was tested before."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gitkit.core.events import Sink, ignore
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, GateRefused, InvalidFile, KitError
from gitkit.git import objects, refs
from gitkit.git.tags import release_commit
from gitkit.lifecycle import environments, gates, move
from gitkit.lifecycle.environments import Place, Run, State
from gitkit.lifecycle.move import Moved
from gitkit.modelkit.build import Kit

if TYPE_CHECKING:
    from gitkit.core.config import Config, Environment


def promote(
    place: Place, remote: Remote, version: str, name: str, *, reason: str | None = None, emit: Sink = ignore
) -> Moved:
    """Bring ``version`` into the environment ``name``. Promoting what runs there already only repairs the registry.

    Raises:
        InvalidFile: no such environment.
        NotFound: no such version, or never released.
        GateRefused: it did not run where it must have run before, or a gate is not passed.
        Conflict: somebody else moved the environment, or committed to its branch by hand.
        PartlyDone: Git moved and the registry's tag did not.
    """
    git = place.repository.git
    if version in place.config.environments:
        raise InvalidFile(f'"{version}" is an environment, not a version', hint="git kit promote VERSION ENV")
    branch = place.config.environment(name).branch
    fresh = environments.ask(place, [e.branch for e in place.config.environments.values()], tag=version)
    tips = fresh.tips
    rules = environments.policy(place, name, tips.get(branch))
    environment = rules.environment(name)
    state = environments.read(place, name, environment, tips.get(branch))
    kit = place.build(release_commit(git, version, rules.kit.tags), version)
    _refuse_other_tag(place, version, fresh.tag)
    move.require_released(remote, kit)
    _require_source(place, rules, environment, kit, tips)
    gates.require(gates.evaluate(environment, kit, _EVALUATORS), name)
    before = state.current.version if state.current else None
    commit = _next_commit(place, state, environment, kit, reason)
    tag = version if fresh.tag is None else None
    if commit is not None or (tag is not None and place.git_remote is not None):
        move.publish(place, state, commit, tag=tag)
    try:
        tagged = move.retag(place, remote, state, kit, commit or state.tip)
    finally:
        move.follow(place, environment.branch, commit or state.tip or kit.commit, emit)
    return Moved(name, kit, before, commit, tagged)


_EVALUATORS: Mapping[str, gates.Evaluator] = {}
"""Gates by name."""


def _refuse_other_tag(place: Place, version: str, there: str | None) -> None:
    here = place.repository.git.text("rev-parse", f"refs/tags/{version}")
    if there is not None and there != here:
        raise Conflict(
            f"the tag {version} is not the same here and on {place.git_remote}",
            hint=f"take theirs: git fetch {place.git_remote} tag {version} --force",
        )


def _require_source(place: Place, rules: "Config", environment: "Environment", kit: Kit, tips: dict[str, str]) -> None:
    """The same digest must have run in one of the environments in ``from``."""
    if not environment.sources:
        return
    for name in environment.sources:
        source = rules.environment(name)
        tip = tips.get(source.branch) or environments.ask(place, [source.branch]).tips.get(source.branch)
        if tip is None:
            continue
        if not source.sources and refs.is_ancestor(place.repository.git, kit.commit, tip):
            return
        runs = environments.read(place, name, source, tip).runs
        if any(run.version == kit.version and run.digest == kit.digest and _is_genuine(place, run) for run in runs):
            return
    wanted = " or ".join(environment.sources)
    raise GateRefused(
        f"{kit.version} did not run in {wanted}", hint=f"git kit promote {kit.version} {environment.sources[0]}"
    )


def _is_genuine(place: Place, run: Run) -> bool:
    """Whether the commit that records ``run`` has the version's files, as git kit writes it."""
    git = place.repository.git
    return run.event == "commit" or git.ask("rev-parse", f"{run.at}^{{tree}}") == git.ask(
        "rev-parse", f"{run.commit}^{{tree}}"
    )


def _next_commit(place: Place, state: State, environment: "Environment", kit: Kit, reason: str | None) -> str | None:
    """Where the branch goes; None where it is there already."""
    git = place.repository.git
    if not environment.sources:
        return _fast_forward(place, state, kit, reason)
    refuse_foreign_commits(place, state)
    current = state.current
    if current is not None and current.version == kit.version and current.digest == kit.digest:
        return None
    if state.tip is not None and git.ask("cat-file", "-e", state.tip) is None:
        raise KitError(f"the tip of {state.branch} is not in this clone", hint="git fetch")
    return move.write_commit(place, state, kit, event="promote", reason=reason)


def _fast_forward(place: Place, state: State, kit: Kit, reason: str | None) -> str | None:
    git = place.repository.git
    current = state.current
    if state.tip is None or (state.tip != kit.commit and refs.is_ancestor(git, state.tip, kit.commit)):
        return kit.commit
    if current is not None and current.at == state.tip and current.event != "commit":
        # The tip is a rollback (or what came after one): only a commit of ours leads from there to another version.
        return (
            None
            if current.version == kit.version
            else move.write_commit(place, state, kit, event="promote", reason=reason)
        )
    if refs.is_ancestor(git, kit.commit, state.tip):
        if current is None or current.version == kit.version:
            return None
        raise Conflict(
            f"{state.name} follows {state.branch}, which is at {current.version} already",
            hint=f"to go back: git kit rollback {state.name} --to {kit.version}",
        )
    raise Conflict(
        f"{state.branch} and {kit.version} have diverged: {state.name} follows its branch",
        hint=f"merge {kit.version} into {state.branch} and push it",
    )


def refuse_foreign_commits(place: Place, state: State) -> None:
    """Only git kit writes the branch of an environment with ``from``.

    Raises:
        Conflict: somebody committed to it after git kit did.
    """
    if not state.moved_by_hand or state.tip is None:
        return
    commit = objects.read_commit(place.repository.git, state.tip)
    subject = commit.message.splitlines()[0] if commit.message else ""
    lease = f"--force-with-lease {place.git_remote or '.'} {state.runs[0].at[:12]}:{state.branch}"
    raise Conflict(
        f'{commit.author} moved {state.branch} by hand ({commit.oid[:12]} "{subject}")',
        hint=f"put it back: git push {lease}",
    )
