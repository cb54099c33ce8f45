"""What every move of an environment needs: a version that is whole on the remote, and the registry's tag behind it.

Git is the truth and moves first. Killed after that, the registry's tag is behind; promoting the same version again,
`git kit env sync`, or any later move repairs it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gitkit.core.digest import digest_of, short
from gitkit.core.events import Sink, Warned
from gitkit.core.journal import Point
from gitkit.core.remote import Remote
from gitkit.errors import Conflict, KitError, NotFound, PartlyDone
from gitkit.git import objects, refs
from gitkit.lifecycle import environments
from gitkit.lifecycle.environments import Place, Run, State
from gitkit.lifecycle.gates.subject import Verdict
from gitkit.lifecycle.ledger import Entry
from gitkit.lifecycle.record import fast_forward
from gitkit.lifecycle.situation import Situation
from gitkit.modelkit.build import Kit
from gitkit.sync.parallel import each


class Moved(NamedTuple):
    """``commit`` is the new commit of the branch, None where it did not move; ``tag_moved`` is about the registry.

    ``entry`` is the event, where there is one.
    """

    environment: str
    kit: Kit
    before: str | None
    commit: str | None
    tag_moved: bool
    entry: Entry | None = None
    verdicts: Sequence[Verdict] = ()


def point_of(place: Place, kit: Kit) -> Point:
    """A kit as the journal names it."""
    return Point(kit.version, kit.digest, kit.commit, tag_oid(place, kit.version))


def point_of_run(place: Place, run: Run | None) -> Point | None:
    """What ran, as the journal names it."""
    if run is None:
        return None
    digest = run.digest or place.build(run.commit, run.version).digest
    return Point(run.version, digest, run.commit)


def tag_oid(place: Place, version: str) -> str | None:
    """What the version's Git tag is here: the tag object where it has one."""
    return place.repository.git.ask("rev-parse", "-q", "--verify", f"refs/tags/{version}")


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
            hint=f"when that is mended: git kit env sync {state.name}",
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
            refs.move_all(git, {branch: (commit, local)})
        return
    if (reason := fast_forward(place, folder, commit)) is not None:
        emit(Warned(f"the worktree {folder} stays as it is: {reason}"))


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


def require_in_step(situation: Situation, name: str) -> None:
    """The environment's branch must be where the journal's last event about it took it.

    Raises:
        Conflict: somebody committed to it by hand, set it back, deleted it, or looks at another branch.
    """
    state, last = situation.state(name), situation.ledger.last_move(name)
    if state.managed:
        refuse_foreign_commits(situation.place, state)
    if last is None or (not state.managed and state.tip is not None):
        return
    if state.current is None or state.current.entry != last.oid:
        raise Conflict(
            f"{state.branch} is not where the journal has {name}:"
            f" it lacks the {last.event.subject()} of {last.event.actor.name}",
            hint=f"to put it back: git kit env sync {name}; what happened: git kit audit verify",
        )


def content_of(kit: Kit) -> str:
    """``sha256:<hex>`` for all files of a kit, by path and digest: the same for the same files under any version."""
    lines = sorted(f"{file.digest} {file.mode:o} {file.path}\n" for file in kit.files)
    return digest_of("".join(lines).encode("utf-8", "surrogateescape"))


def require_released(remote: Remote, kit: Kit) -> None:
    """The remote must hold the whole kit, under its version's name, before anything may move.

    Raises:
        NotFound: it was never released, or content is missing there.
        Conflict: the name holds another kit.
    """
    require_named(remote, kit)
    missing = missing_content(remote, kit)
    if missing:
        lines = "\n".join(f"  {path}" for path in missing[:5])
        raise NotFound(f"the kit of {kit.version} on {remote.url} is incomplete:\n{lines}", hint="git kit push --all")


def require_named(remote: Remote, kit: Kit) -> None:
    """The remote must have the kit under its version's name.

    Raises:
        NotFound: it was never released.
        Conflict: the name holds another kit.
    """
    there = remote.resolve(kit.version)
    if there is None:
        if not remote.tags():
            text = f"there are no kits at all on {remote.url}"
            raise NotFound(f"{text}: is it the right one, is its disk there?", hint=f"git kit release {kit.version}")
        raise NotFound(f"{kit.version} was never released to {remote.url}", hint=f"git kit release {kit.version}")
    if there != kit.digest:
        raise Conflict(
            f"{remote.url} has {short(there)} under {kit.version}, but its commit gives {short(kit.digest)}",
            hint=f"git kit verify {kit.version}",
        )


def missing_content(remote: Remote, kit: Kit) -> Sequence[str]:
    """Paths of the kit whose content the remote does not hold."""
    there = each(lambda layer: remote.has_blob(layer.digest), kit.layers, limit=8)
    return [layer.path for layer, present in zip(kit.layers, there, strict=True) if not present]
