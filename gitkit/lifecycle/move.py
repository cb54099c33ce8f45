"""Moving an environment: one commit, one atomic push, then the registry's tag, then the local branch.

Git is the truth and moves first. Killed after that, the registry's tag is behind; promoting the same version again, or
any later move, repairs it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gitkit.core.digest import short
from gitkit.core.events import Sink, Warned
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, KitError, NotFound, PartlyDone
from gitkit.git import objects, refs
from gitkit.git.run import GitError
from gitkit.lifecycle import environments
from gitkit.lifecycle.environments import DIGEST, ENV, EVENT, REASON, VERSION, Place, State
from gitkit.modelkit.build import Kit
from gitkit.sync.parallel import each


class Moved(NamedTuple):
    """``commit`` is the new commit of the branch, None where it did not move; ``tag_moved`` is about the registry."""

    environment: str
    kit: Kit
    before: str | None
    commit: str | None
    tag_moved: bool


def write_commit(place: Place, state: State, kit: Kit, *, event: str, reason: str | None) -> str:
    """The environment's next commit: the version's tree, after the previous commit and the version's own."""
    git = place.repository.git
    trailers = {ENV: state.name, VERSION: kit.version, DIGEST: kit.digest, EVENT: event, REASON: reason}
    lines = [f"{key}: {' '.join(value.split())}" for key, value in trailers.items() if value]
    subject = f"{state.name}: {event} {kit.version}"
    parents = [state.tip, kit.commit] if state.tip is not None else [kit.commit]
    return objects.write_commit(
        git,
        tree=git.text("rev-parse", f"{kit.commit}^{{tree}}"),
        parents=list(dict.fromkeys(parents)),
        message=f"{subject}\n\n" + "\n".join(lines) + "\n",
    )


def publish(place: Place, state: State, commit: str | None, *, tag: str | None = None) -> None:
    """Move the environment's branch to ``commit``, which continues it; ``tag`` goes to the Git remote along with it.

    Without ``commit`` only the tag goes.

    Raises:
        Conflict: somebody else moved it first; the message names who, and to what. Without a Git remote also: the
            branch is checked out with changes that would be lost.
    """
    git = place.repository.git
    if place.git_remote is None:
        if commit is not None:
            _publish_here(place, state, commit)
        return
    try:
        refs.push_branch(git, place.git_remote, commit, state.branch, tag=tag)
    except Conflict as error:
        raise _lost_race(place, state) from error


def _publish_here(place: Place, state: State, commit: str) -> None:
    """Without a Git remote the local branch is the truth: it moves together with its worktree, or not at all."""
    git = place.repository.git
    folder = refs.checked_out(git).get(state.branch)
    if folder is None:
        refs.move_local(git, state.branch, commit, state.tip)
    elif (reason := _fast_forward(place, folder, commit)) is not None:
        raise Conflict(
            f"{state.branch} is checked out in {folder}, which cannot follow: {reason}",
            hint="commit or stash the changes there, then run the command again",
        )


def _fast_forward(place: Place, folder: str, commit: str) -> str | None:
    """Bring a worktree and its branch to ``commit``; why that is not possible, or None when it is done."""
    try:
        place.repository.git.elsewhere(folder).act("merge", "--ff-only", "-q", commit)
    except GitError as error:
        return error.stderr.splitlines()[0] if error.stderr else "git merge refused"
    return None


def _lost_race(place: Place, state: State) -> Conflict:
    tips = environments.ask(place, [state.branch]).tips
    environment = place.config.environment(state.name)
    now = environments.read(place, state.name, environment, tips.get(state.branch))
    hint = "look at it, then run the command again"
    if now.current is None or not now.current.by:
        return Conflict(f"somebody else moved {state.name} first", hint=hint)
    return Conflict(f"{now.current.by} moved {state.name} to {now.current.version} first", hint=hint)


def retag(place: Place, remote: Remote, state: State, kit: Kit, commit: str | None) -> bool:
    """Point the registry's tag of the environment at the kit; False where it already did.

    Somebody may have moved the environment after us, and their tag may have come before ours: then theirs is put back.

    Raises:
        PartlyDone: Git has moved, the tag has not.
    """
    try:
        moved = remote.resolve(state.name) != kit.digest
        if moved:
            remote.put_manifest(kit.manifest, tag=state.name)
        if moved and place.git_remote is not None and commit is not None:
            _yield_to_later(place, remote, state, commit)
    except KitError as error:
        raise PartlyDone(
            f"{state.name} is on {kit.version} in Git, but the tag on {remote.url} could not be moved: {error.message}",
            hint=f"when that is mended: git kit promote {kit.version} {state.name}",
        ) from error
    return moved


def _yield_to_later(place: Place, remote: Remote, state: State, commit: str) -> None:
    tip = environments.ask(place, [state.branch]).tips.get(state.branch)
    if tip is None or tip == commit:
        return
    now = environments.read(place, state.name, place.config.environment(state.name), tip).current
    if now is not None and now.digest is not None and now.at != commit:
        remote.put_manifest(remote.get_manifest(now.digest), tag=state.name)


def follow(place: Place, branch: str, commit: str, emit: Sink) -> None:
    """Bring the local branch, and the worktree that has it checked out, to ``commit`` where nothing is lost by it."""
    git = place.repository.git
    local = refs.branch_oid(git, branch)
    folder = refs.checked_out(git).get(branch)
    if folder is None:
        if local is not None and local != commit and refs.is_ancestor(git, local, commit):
            refs.move_local(git, branch, commit, local)
        return
    if (reason := _fast_forward(place, folder, commit)) is not None:
        emit(Warned(f"the worktree {folder} stays as it is: {reason}"))


def require_released(remote: Remote, kit: Kit) -> None:
    """The remote must hold the whole kit, under its version's name, before anything may move.

    Raises:
        NotFound: it was never released, or content is missing there.
        Conflict: the name holds another kit.
    """
    there = remote.resolve(kit.version)
    if there is None:
        raise NotFound(f"{kit.version} was never released to {remote.url}", hint=f"git kit release {kit.version}")
    if there != kit.digest:
        raise Conflict(
            f"{remote.url} has {short(there)} under {kit.version}, but its commit gives {short(kit.digest)}",
            hint=f"git kit verify {kit.version}",
        )
    missing = missing_content(remote, kit)
    if missing:
        lines = "\n".join(f"  {path}" for path in missing[:5])
        raise NotFound(f"the kit of {kit.version} on {remote.url} is incomplete:\n{lines}", hint="git kit push --all")


def missing_content(remote: Remote, kit: Kit) -> Sequence[str]:
    """Paths of the kit whose content the remote does not hold."""
    there = each(lambda layer: remote.has_blob(layer.digest), kit.layers, limit=8)
    return [layer.path for layer, present in zip(kit.layers, there, strict=True) if not present]
