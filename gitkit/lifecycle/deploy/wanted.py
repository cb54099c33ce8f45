"""What an environment is to run, from Git, and the kit of it, from the store or the remote."""

from collections.abc import Callable
from typing import NamedTuple

from gitkit.core.digest import short
from gitkit.core.events import Sink, Warned, ignore
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt, KitError, NetworkError, NotFound
from gitkit.git.run import Git
from gitkit.lifecycle.environments import Place, Run
from gitkit.lifecycle.situation import Situation, look
from gitkit.modelkit.artifact import Artifact
from gitkit.modelkit.blob_source import BlobSource
from gitkit.modelkit.origin import Origin, origin_of
from gitkit.modelkit.plan import Resolve
from gitkit.modelkit.read import read_artifact
from gitkit.store.layout import ImageLayout


class Wanted(NamedTuple):
    """``event`` is the commit by which the environment came to the version, ``commit`` the version's own.
    ``is_recorded``: Git says which digest it is, on the environment's branch or in the journal.
    """

    environment: str
    version: str
    digest: str
    commit: str
    event: str
    is_recorded: bool = True


class Sources(NamedTuple):
    """Where kits come from. ``open_remote`` may fail where a kit is whole in the store: then nobody notices."""

    git: Git
    store: ImageLayout
    open_remote: Callable[[], Remote]
    resolve: Resolve | None = None


class OpenKit(NamedTuple):
    """A kit that is going to be unpacked. ``transfers`` is how many files at a time."""

    artifact: Artifact
    source: BlobSource
    origin: Origin = Origin()
    resolve: Resolve | None = None
    transfers: int = 4


def wanted(place: Place, sources: Sources, name: str, *, emit: Sink = ignore) -> Wanted:
    """What the environment ``name`` runs by now, as the Git remote says.

    Raises:
        InvalidFile: there is no such environment.
        NotFound: it runs nothing, or a version that was never released.
        Corrupt: the journal is damaged, was cut off or written anew; or it says that another commit was released.
        NetworkError: the Git remote cannot be reached.
    """
    place.config.environment(name)
    situation = look(place)
    state = situation.state(name)
    run = state.current
    if run is None:
        raise NotFound(f"nothing runs in {name} yet", hint=f"git kit promote VERSION {name}")
    if state.moved_by_hand:
        emit(Warned(f"somebody committed to {state.branch} by hand: {run.version} is what git kit brought in last"))
    digest = run.digest or _recorded(situation, name, run)
    found = digest or _tagged(sources, run.version)
    return Wanted(name, run.version, found, run.commit, run.at, digest is not None)


def _recorded(situation: Situation, name: str, run: Run) -> str | None:
    """The digest that the journal has for a version which no commit of the environment's branch records."""
    entry = situation.ledger_of(name).releases.get(run.version)
    point = entry.event.after if entry is not None else None
    if point is None:
        return None
    if point.commit != run.commit:
        what = f"{run.version} was released from the commit {point.commit[:12]}, and its tag is at {run.commit[:12]}"
        raise Corrupt(what, hint="git kit audit verify")
    return point.digest


def _tagged(sources: Sources, version: str) -> str:
    """The digest of a version that Git does not record: the registry's tag, else what this clone released."""
    try:
        remote = sources.open_remote()
        found = remote.resolve(version)
    except (NetworkError, NotFound):
        found = sources.store.resolve(version)
        if found is None:
            raise
        return found
    if found is None:
        raise NotFound(f"{version} was never released to {remote.url}", hint=f"git kit release {version}")
    return found


def open_kit(sources: Sources, wanted: Wanted, *, transfers: int = 4) -> OpenKit:
    """The kit, from the store where its manifest and config are there, else from the remote.

    Raises:
        NotFound: it is nowhere.
        Corrupt: it says that it is another version than the environment does, or nobody says that it is this one.
        InvalidFile, Denied, NetworkError
    """
    artifact = _from_store(sources.store, wanted.digest)
    try:
        remote: Remote = sources.open_remote()
    except KitError:
        if artifact is None:
            raise
        remote = sources.store
    if artifact is None:
        artifact = _from_remote(remote, wanted)
    _require_wanted(artifact, wanted)
    origin = origin_of(sources.git, artifact)
    return OpenKit(artifact, BlobSource(remote, sources.store), origin, sources.resolve, transfers)


def _require_wanted(artifact: Artifact, wanted: Wanted) -> None:
    """The kit is the version's: it says so, or Git does, and neither says anything else.

    Raises:
        Corrupt: it is not.
    """
    for key, said, expected in (
        ("version", artifact.version, wanted.version),
        ("commit", artifact.commit, wanted.commit),
    ):
        if said is None and not wanted.is_recorded:
            what = f"the registry's tag {wanted.version} is all that says what the kit {short(wanted.digest)} is"
            raise Corrupt(f"{what}: it names no {key}", hint=f"git kit release {wanted.version}")
        if said is not None and said != expected:
            what = f"the kit {short(wanted.digest)} is of the {key} {said}, and {wanted.environment} runs {expected}"
            raise Corrupt(what, hint=f"git kit env show {wanted.environment}")


def _from_remote(remote: Remote, wanted: Wanted) -> Artifact:
    try:
        return read_artifact(remote, wanted.digest)
    except NotFound as error:
        what = f"the kit of {wanted.version}, {short(wanted.digest)}, is not on {remote.url}"
        raise NotFound(what, hint=f"git kit release {wanted.version}") from error


def _from_store(store: ImageLayout, digest: str) -> Artifact | None:
    if not store.has_blob(digest):
        return None
    try:
        return read_artifact(store, digest)
    except (NotFound, Corrupt):
        return None  # the remote may have what is missing or damaged here
