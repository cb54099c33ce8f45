"""Rollback: an environment goes back to a version that ran there, by a new commit with the old tree."""

from gitkit.core.events import Sink, ignore
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, Corrupt
from gitkit.lifecycle import environments, move
from gitkit.lifecycle.environments import Place, Run
from gitkit.lifecycle.move import Moved
from gitkit.lifecycle.promote import refuse_foreign_commits
from gitkit.modelkit.build import Kit


def rollback(
    place: Place, remote: Remote, name: str, *, to: str | None = None, reason: str | None = None, emit: Sink = ignore
) -> Moved:
    """Bring the environment ``name`` back to ``to``, or to what ran before the current version.

    The version is taken from the commit that ran, not from where its tag is now; it is proven complete on the remote
    before anything moves. History only grows.

    Raises:
        InvalidFile: no such environment.
        NotFound: the version never ran there, or the remote does not hold it (any more).
        Corrupt: what the recorded commit gives is not what ran.
        Conflict: the version runs already, or somebody else moved the environment.
        PartlyDone: Git moved and the registry's tag did not.
    """
    branch = place.config.environment(name).branch
    tips = environments.ask(place, [branch]).tips
    environment = environments.policy(place, name, tips.get(branch)).environment(name)
    state = environments.read(place, name, environment, tips.get(branch))
    if environment.sources:
        refuse_foreign_commits(place, state)
    target = state.before_current() if to is None else state.run_of(to)
    current = state.current
    if current is not None and current.version == target.version:
        raise Conflict(f"{name} runs {target.version} already", hint=f"git kit env show {name}")
    kit = _proven(place, target)
    move.require_released(remote, kit)
    commit = move.write_commit(place, state, kit, event="rollback", reason=reason)
    move.publish(place, state, commit)
    try:
        tagged = move.retag(place, remote, state, kit, commit)
    finally:
        move.follow(place, environment.branch, commit, emit)
    return Moved(name, kit, current.version if current else None, commit, tagged)


def _proven(place: Place, target: Run) -> Kit:
    kit = place.build(target.commit, target.version)
    if target.digest is not None and kit.digest != target.digest:
        raise Corrupt(f"commit {target.commit[:12]} gives {kit.digest}, but {target.digest} is what ran")
    return kit
