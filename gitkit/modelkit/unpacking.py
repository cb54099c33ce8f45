"""Doing what a plan says: the jobs of an unpack in several threads, and what to do about files that are there already.

Order for each file: written beside its place, verified, flushed to disk, compared with what is there, renamed.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Literal, NamedTuple, TypeVar

from gitkit.core.digest import digest_of, short
from gitkit.core.events import Advanced, Finished, Sink, Started
from gitkit.core.oci import Descriptor
from gitkit.core.paths import show_path
from gitkit.errors import Conflict, KitError
from gitkit.modelkit.extract import Extracted, Staged, extract, extract_known, extract_one
from gitkit.modelkit.names import Names
from gitkit.modelkit.packed import open_layer
from gitkit.modelkit.plan import Job
from gitkit.modelkit.streams import Ranges, Steady
from gitkit.modelkit.target import Found, Target
from gitkit.store.ingest import write_all
from gitkit.sync.parallel import each

KITFILE = "Kitfile"

_SHOWN = 10
_PATIENCE_S = 2.0
"""How long other threads may take to notice that one has failed."""

T = TypeVar("T")
R = TypeVar("R")


class UnpackedFile(NamedTuple):
    """``path`` in the folder. ``kept``: it was there and equal; ``replaced``: it was there and something else."""

    path: str
    size: int
    state: Literal["written", "kept", "replaced"]


class _Verdict(NamedTuple):
    """What is where a file should be: nothing, the ``same``, something ``other``, or what can never be replaced."""

    kind: Literal["new", "same", "other", "wall"]
    found: Found | None


class Stopped(Exception):
    """Another thread failed, so this one need not go on."""


class Run:
    """One unpack into ``target``. After an error nothing more of it is done."""

    def __init__(self, target: Target, names: Names, overwrite: bool, transfers: int, emit: Sink) -> None:
        self.left_out: list[str] = []
        self._target = target
        self._names = names
        self._overwrite = overwrite
        self._transfers = transfers
        self._emit = emit
        self._idle = threading.Condition()
        self._running = 0
        self._failure: BaseException | None = None
        self._verdicts: dict[str, _Verdict] = {}

    def prepare(self, jobs: Sequence[Job], kitfile: bytes | None) -> None:
        """Look at what is in the folder already.

        Raises:
            Conflict: a file that is known by now is in the way.
        """
        wanted = [(job.file.path, job.file.layer) for job in jobs if job.is_file]
        if kitfile is not None and KITFILE not in self._names:
            layer = Descriptor(media_type="", digest=digest_of(kitfile), size=len(kitfile))
            wanted.append((KITFILE, layer))
        found = self._in_parallel(lambda item: self._verdict(item[0], item[1].size, lambda: item[1].digest), wanted)
        self._verdicts = {path: verdict for (path, _), verdict in zip(wanted, found, strict=True)}
        self._refuse(self._verdicts)

    def do(self, jobs: Sequence[Job]) -> list[UnpackedFile]:
        """Do all jobs, tar layers first: only they may still meet a conflict."""
        missing = [job for job in jobs if not job.is_file or self._verdicts[job.file.path].kind != "same"]
        missing.sort(key=lambda job: (job.is_file, -job.file.layer.size))
        done: dict[int, list[UnpackedFile]] = {}
        if missing:
            self._emit(Started("unpacking", len(missing), sum(_size(job) for job in missing)))
            for part in (False, True):
                some = [job for job in missing if job.is_file is part]
                results = self._in_parallel(self._one, some)
                done |= {id(job): result for job, result in zip(some, results, strict=True)}
            written = [file for files in done.values() for file in files if file.state != "kept"]
            self._emit(Finished("unpacked", len(written), sum(file.size for file in written)))
        return [file for job in jobs for file in (done[id(job)] if id(job) in done else [self._kept(job)])]

    def write(self, path: str, data: bytes) -> UnpackedFile:
        """Write a small file that ``prepare`` knows."""
        verdict = self._verdicts[path]
        if verdict.kind == "same":
            return UnpackedFile(path, len(data), "kept")
        with self._target.draft(0o644) as draft:
            write_all(draft.fd, memoryview(data))
            os.fsync(draft.fd)
        return self._publish(Staged(path, draft.name, len(data)), verdict)

    # -- one job -----------------------------------------------------------------------------------------------------

    def _one(self, job: Job) -> list[UnpackedFile]:
        with _named(job):
            if job.is_file:
                return [self._copy(job)]
            if job.known is not None:
                return self._single(job, job.known)
            extracted = self._extract(job)
            self.left_out += extracted.left_out
            return self._publish_all(extracted)

    def _copy(self, job: Job) -> UnpackedFile:
        file = job.file
        with self._target.draft(file.mode) as draft:
            job.source.copy(file.layer, draft.fd, self._progress)
            os.fsync(draft.fd)
        return self._publish(Staged(file.path, draft.name, file.layer.size), self._verdicts[file.path])

    def _single(self, job: Job, known: Mapping[str, str]) -> list[UnpackedFile]:
        """Files of a tar whose digests are known: what is there is not read again."""
        found = {path: self._target.look(path) for path in known}
        there = {
            path: UnpackedFile(path, seen.size, "kept")
            for path, seen in found.items()
            if seen is not None and seen.kind == "file" and self._target.digest(path) == known[path]
        }
        wanted = {path: digest for path, digest in known.items() if path not in there}
        if not wanted:
            return list(there.values())
        with closing(Ranges(job.source.place(job.file.layer), job.file.layer, self._progress)) as ranges:
            extracted = extract_known(ranges, job.file, self._target, self._names, wanted)
        return [*there.values(), *self._publish_all(extracted)]

    def _extract(self, job: Job) -> Extracted:
        file, place = job.file, job.source.place(job.file.layer)
        with closing(Steady(place, file.layer, self._progress)) as stream:
            layer = open_layer(stream, file)
            if file.packing == "raw":
                return extract_one(layer, file, self._target)
            return extract(layer, file, self._target, self._names, job.wanted)

    def _publish_all(self, extracted: Extracted) -> list[UnpackedFile]:
        verdicts = {
            staged.path: self._verdict(staged.path, staged.size, partial(self._digest, staged))
            for staged in extracted.files
        }
        self._refuse(verdicts)
        for folder in extracted.folders:
            self._target.make_folder(folder)
        for staged in extracted.files:  # before the flush: the disk need not hold what is not going to be there
            if verdicts[staged.path].kind == "same":
                self._target.drop(staged.draft)
        self._target.flush([staged.draft for staged in extracted.files if verdicts[staged.path].kind != "same"])
        return [self._publish(staged, verdicts[staged.path]) for staged in extracted.files]

    def _publish(self, staged: Staged, verdict: _Verdict) -> UnpackedFile:
        if verdict.kind == "same":
            return UnpackedFile(staged.path, staged.size, "kept")
        self._target.publish(staged.draft, staged.path, verdict.found)
        return UnpackedFile(staged.path, staged.size, "written" if verdict.kind == "new" else "replaced")

    def _kept(self, job: Job) -> UnpackedFile:
        return UnpackedFile(job.file.path, job.file.layer.size, "kept")

    # -- what is there already ---------------------------------------------------------------------------------------

    def _digest(self, staged: Staged) -> str:
        return staged.digest or self._target.draft_digest(staged.draft)

    def _verdict(self, path: str, size: int, digest: Callable[[], str]) -> _Verdict:
        found = self._target.look(path)
        if found is None:
            return _Verdict("new", None)
        if found.kind == "wall":
            return _Verdict("wall", found)
        same = found.kind == "file" and found.size == size and self._target.digest(path) == digest()
        return _Verdict("same" if same else "other", found)

    def _refuse(self, verdicts: Mapping[str, _Verdict]) -> None:
        walls = [path for path, verdict in verdicts.items() if verdict.kind == "wall"]
        if walls:
            raise Conflict(
                f"in {self._target.path} folders or links are in the way of {_listed(walls)}",
                hint="move them away, or unpack into another folder: --dir",
            )
        others = [path for path, verdict in verdicts.items() if verdict.kind == "other"]
        if others and not self._overwrite:
            raise Conflict(
                f"{self._target.path} has other content already in {_listed(others)}",
                hint="--overwrite replaces it; or unpack into another folder: --dir",
            )

    # -- threads -----------------------------------------------------------------------------------------------------

    def _progress(self, count: int) -> None:
        if self._failure is not None:
            raise Stopped
        self._emit(Advanced(count))

    def _in_parallel(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """``work`` of all ``items``, in their order. When one fails the others stop, and its error is raised."""

        def one(item: T) -> R:
            with self._at_work():
                return work(item)

        try:
            return each(one, items, limit=self._transfers)
        except BaseException as error:
            with self._idle:
                self._failure = self._failure or error
                # Threads that a stalled connection holds keep their drafts, which the next unpack sweeps.
                self._target.abandoned = not self._idle.wait_for(lambda: self._running == 0, timeout=_PATIENCE_S)
            raise self._failure from self._failure.__cause__

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._idle:
            if self._failure is not None:
                raise Stopped
            self._running += 1
        try:
            yield
        except BaseException as error:
            with self._idle:
                self._failure = self._failure or error
            raise
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()


@contextmanager
def _named(job: Job) -> Iterator[None]:
    """Errors that say which file of the kit they are about."""
    try:
        yield
    except (Conflict, Stopped):
        raise
    except KitError as error:
        name = show_path(job.file.path) if job.file.path else f"layer {short(job.file.layer.digest)}"
        raise type(error)(f"{name}: {error.message}", hint=error.hint) from error


def _size(job: Job) -> int:
    """Bytes that the job reads; how many single files have is not known yet."""
    return job.file.layer.size if job.known is None else 0


def _listed(paths: Sequence[str]) -> str:
    lines = "".join(f"\n  {show_path(path)}" for path in paths[:_SHOWN])
    more = f"\n  and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{len(paths)} {'file' if len(paths) == 1 else 'files'}:{lines}{more}"
