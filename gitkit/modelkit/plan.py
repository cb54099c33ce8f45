"""What an unpack has to do: which layers of which kits, and how much of each."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from gitkit.core.digest import short
from gitkit.core.remote import Remote
from gitkit.errors import InvalidFile, Unsupported
from gitkit.modelkit.artifact import Artifact, ArtifactFile
from gitkit.modelkit.blob_source import BlobSource
from gitkit.modelkit.dialects.entries import KitEntry, entries_of, owner, reference_of
from gitkit.modelkit.filters import MODEL, Filter, Selection
from gitkit.modelkit.names import Names, is_of_git, show_name

MAX_CHAIN = 10
"""How many kits may take their model from each other, one after the other (KitOps' limit)."""

_SMALL_LAYER = 1 << 20
"""Layers up to this size are read whole: the headers of a tar cost several requests."""

Resolve = Callable[[str], tuple[Remote, Artifact]]
"""Finds the kit that a Kitfile names as its model, from the text there."""


class Job(NamedTuple):
    """One layer. ``wanted`` tells which of a tar's files are (None: all). ``known`` holds the digests of exactly those,
    where each is known: then the rest of the layer need not be read."""

    file: ArtifactFile
    source: BlobSource
    wanted: Callable[[str], bool] | None = None
    known: Mapping[str, str] | None = None

    @property
    def is_file(self) -> bool:
        """Whether the layer is the file, byte for byte."""
        return self.file.packing == "raw" and self.file.compression is None


def plan(
    artifact: Artifact, source: BlobSource, filters: Sequence[Filter], known: Mapping[str, str], resolve: Resolve | None
) -> list[Job]:
    """The jobs for what ``filters`` want: a parent's before those of the kit that names it as its model.

    ``known`` are digests of files by path, from elsewhere than the kit.

    Raises:
        InvalidFile: kits name each other in a circle, or too many do.
        Unsupported: the model is in another kit and ``resolve`` is None.
        NotFound, Denied, NetworkError, Corrupt: as ``resolve`` does.
    """
    jobs: list[Job] = []
    if Selection(filters).model:
        for parent, place in _parents(artifact, resolve):
            jobs += _jobs(parent, BlobSource(place, source.store), [MODEL], {})
    return jobs + _jobs(artifact, source, filters, known)


def _parents(artifact: Artifact, resolve: Resolve | None) -> list[tuple[Artifact, Remote]]:
    """The kits that the model comes from, the farthest first."""
    found: list[tuple[Artifact, Remote]] = []
    seen = {artifact.digest}
    while (reference := reference_of(artifact.kitfile)) is not None:
        if resolve is None:
            raise Unsupported(f"the model is in another kit, {show_name(reference)}")
        if len(found) == MAX_CHAIN:
            raise InvalidFile(f"more than {MAX_CHAIN} kits take their model from each other")
        remote, artifact = resolve(reference)
        if artifact.digest in seen:
            raise InvalidFile(f"kits take their model from each other in a circle: {show_name(reference)}")
        seen.add(artifact.digest)
        found.insert(0, (artifact, remote))
    return found


def _jobs(artifact: Artifact, source: BlobSource, filters: Sequence[Filter], known: Mapping[str, str]) -> list[Job]:
    selection = Selection(filters, artifact.files, model_name=_model_name(artifact))
    entries = entries_of(artifact.kitfile, short(artifact.digest))
    digests = {**known, **artifact.known}
    jobs = []
    for file in artifact.files:
        if selection.whole(file):
            jobs.append(Job(file, source))
        elif selection.some(file):
            job = _partial(Job(file, source, _wanted(file, selection, entries)), digests)
            if job is not None:
                jobs.append(job)
    return jobs


def _model_name(artifact: Artifact) -> str | None:
    name = (artifact.kitfile.get("model") or {}).get("name")
    return name if isinstance(name, str) else None


def _wanted(file: ArtifactFile, selection: Selection, entries: Sequence[KitEntry]) -> Callable[[str], bool]:
    def wanted(path: str) -> bool:
        if file.section:
            return selection.wants(path, file.section, file.name)
        entry = owner(entries, path)
        return entry is not None and selection.wants(path, entry.section, entry.name)

    return wanted


def _partial(job: Job, digests: Mapping[str, str]) -> Job | None:
    """``job`` for a part of a tar; None where the digests that are known tell that nothing in it is wanted."""
    file, wanted = job.file, job.wanted
    if file.compression is not None or file.layer.size <= _SMALL_LAYER or wanted is None:
        return job
    prefix = f"{file.path}/" if file.path else ""
    inside = {path for path in digests if path == file.path or path.startswith(prefix)}
    if not inside:
        return job
    known = {path: digests[path] for path in inside if wanted(path)}
    return job._replace(known=known) if known else None


def claim_files(jobs: Sequence[Job], names: Names) -> tuple[list[Job], list[str]]:
    """Claim the paths that are known before any layer is read; returns the jobs that may be done, and the paths that
    are left out because Git's own files are there.

    Raises:
        InvalidFile: two files have one path.
    """
    allowed, left_out = [], []
    for job in jobs:
        if job.file.packing == "raw" and is_of_git(job.file.path):
            left_out.append(job.file.path)
            continue
        if job.file.packing == "raw":
            names.claim(job.file.path)
        allowed.append(job)
    return allowed, left_out
