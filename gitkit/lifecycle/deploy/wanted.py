"""What an environment is to run, from Git, and the kit of it, from the store or the remote."""

from collections.abc import Callable
from typing import NamedTuple

from gitkit.core.digest import short
from gitkit.core.events import Sink, Warned, ignore
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt, KitError, NetworkError, NotFound
from gitkit.git.run import Git
from gitkit.lifecycle import environments
from gitkit.lifecycle.environments import Place
from gitkit.modelkit.artifact import Artifact
from gitkit.modelkit.blob_source import BlobSource
from gitkit.modelkit.origin import Origin, origin_of
from gitkit.modelkit.plan import Resolve
from gitkit.modelkit.read import read_artifact
from gitkit.store.layout import ImageLayout


class Wanted(NamedTuple):
    """``event`` is the commit by which the environment came to the version, ``commit`` the version's own."""

    environment: str
    version: str
    digest: str
    commit: str
    event: str


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
        NetworkError: the Git remote cannot be reached.
    """
    branch = place.config.environment(name).branch
    tip = environments.ask(place, [branch]).tips.get(branch)
    environment = environments.policy(place, name, tip).environment(name)
    state = environments.read(place, name, environment, tip)
    run = state.current
    if run is None:
        raise NotFound(f"nothing runs in {name} yet", hint=f"git kit promote VERSION {name}")
    if state.moved_by_hand:
        emit(Warned(f"somebody committed to {state.branch} by hand: {run.version} is what git kit brought in last"))
    digest = run.digest or _released(sources, run.version)
    return Wanted(name, run.version, digest, run.commit, run.at)


def _released(sources: Sources, version: str) -> str:
    """The digest of a version that no commit of ours records: the registry's tag, else what this clone released."""
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
        Corrupt: it says that it is another version than the environment does.
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
    for key, said, expected in (
        ("version", artifact.version, wanted.version),
        ("commit", artifact.commit, wanted.commit),
    ):
        if said is not None and said != expected:
            what = f"the kit {short(wanted.digest)} is of the {key} {said}, and {wanted.environment} runs {expected}"
            raise Corrupt(what, hint=f"git kit env show {wanted.environment}")
    origin = origin_of(sources.git, artifact)
    return OpenKit(artifact, BlobSource(remote, sources.store), origin, sources.resolve, transfers)


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
