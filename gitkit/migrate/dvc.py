"""`git kit migrate dvc`: files that DVC tracks become pointers in Git's index; DVC's cache stays as it is.

Order: content into the store, ``.gitattributes``, index, files of the worktree that are missing, and last what DVC
wrote about them. Killed anywhere, doing it again finishes it; done twice, it is as done once.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from gitkit.core.events import Finished, Sink, Started, ignore
from gitkit.core.pointer import MAX_SIZE, parse
from gitkit.errors import NotFound, Unsupported
from gitkit.git import attributes, objects
from gitkit.git.repository import Repository
from gitkit.migrate import dvc_plan
from gitkit.migrate.dvc_cache import DvcCache
from gitkit.migrate.dvc_files import Refused, Wanted
from gitkit.migrate.dvc_plan import Found, Tracked
from gitkit.migrate.dvc_stage import Entry, fill, forget, stage, unlink
from gitkit.migrate.dvc_take import FILE, OTHER, Taken, look, take
from gitkit.setup.track import track
from gitkit.store.layout import ImageLayout
from gitkit.sync.parallel import each


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """``taken`` is staged (in a dry run: would be), ``held`` was before. ``missing`` is in neither worktree nor cache,
    ``refused`` cannot be taken over. ``removed`` are the ``*.dvc`` files that have gone, ``origins`` says of some where
    DVC had them from.
    """

    taken: list[tuple[Wanted, int]]
    held: list[Wanted]
    missing: list[bytes]
    refused: list[Refused]
    removed: list[bytes]
    origins: list[tuple[bytes, str]]
    patterns: list[str]
    pipelines: list[bytes]
    outputs: list[bytes]


def migrate_dvc(
    repository: Repository,
    store: ImageLayout,
    cache: DvcCache,
    *,
    dry_run: bool,
    transfers: int = 4,
    emit: Sink = ignore,
) -> Migrated:
    """Take over what can be; the rest is in the result, and its ``*.dvc`` files stay.

    Raises:
        Unsupported: this is a bare repository.
        NotFound: DVC is not used here.
        Locked: another process holds the index.
        KitError: the store or the index cannot be written.
    """
    root = repository.worktree
    if root is None:
        raise Unsupported("this is a bare repository: it has no files of DVC")
    found = dvc_plan.find(repository, root, cache)
    if not found.tracked and not found.broken and not os.path.isdir(os.path.join(root, ".dvc")):
        raise NotFound("DVC is not used here: there is no folder .dvc, and no *.dvc file")
    held, refused = _known(repository, found.tracked)
    wanted = [one for tracked in found.tracked for one in tracked.wanted if one.path not in held]
    wanted = [one for one in wanted if one.path not in refused]
    results = _looked(root, cache, wanted) if dry_run else _taken(root, store, cache, wanted, transfers, emit)
    taken = [one for one in results if isinstance(one, Taken)]
    done = _Done(
        found=found,
        held=held,
        taken=taken,
        refused=[*refused.values(), *(one for one in results if isinstance(one, Refused))],
        missing=[one.path for one, result in zip(wanted, results, strict=True) if result is None],
    )
    patterns = _patterns(repository, done)
    complete = [tracked for tracked in found.tracked if done.is_complete(tracked)]
    if not dry_run:
        _write(repository, root, store, done, patterns, complete, transfers)
    return done.result(patterns, complete)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    found: Found
    held: dict[bytes, Entry]
    taken: list[Taken]
    refused: list[Refused]
    missing: list[bytes]

    def is_complete(self, tracked: Tracked) -> bool:
        """Whether all that a ``*.dvc`` names is in Git's index, or will be."""
        if tracked.refused or tracked.unlisted:
            return False
        here = self.held.keys() | {one.wanted.path for one in self.taken}
        return all(one.path in here for one in tracked.wanted)

    def result(self, patterns: list[str], complete: Sequence[Tracked]) -> Migrated:
        every = self.found.tracked
        wanted = {one.path: one for tracked in every for one in tracked.wanted}
        unlisted = [folder.path for tracked in every for folder in tracked.unlisted]
        refused = [one for tracked in every for one in tracked.refused]
        return Migrated(
            taken=[(one.wanted, one.size) for one in self.taken],
            held=[wanted[path] for path in sorted(self.held)],
            missing=[*unlisted, *self.missing],
            refused=[*self.found.broken, *refused, *self.refused],
            removed=[tracked.file.path for tracked in complete],
            origins=[(one.file.path, one.file.origin) for one in complete if one.file.origin is not None],
            patterns=patterns,
            pipelines=self.found.pipelines,
            outputs=self.found.outputs,
        )


# -- looking ---------------------------------------------------------------------------------------------------------


def _known(repository: Repository, tracked: Sequence[Tracked]) -> tuple[dict[bytes, Entry], dict[bytes, Refused]]:
    """Paths that Git holds as pointers already (or as empty files), and those that it holds as content."""
    wanted = {one.path for one in (file for it in tracked for file in it.wanted)}
    entries = [entry for entry in objects.list_index(repository.git) if entry.path in wanted]
    small = objects.read_small(repository.git, [entry.oid for entry in entries], MAX_SIZE)
    held: dict[bytes, Entry] = {}
    refused = {}
    for entry in entries:
        raw = small.get(entry.oid)
        if raw is not None and (raw == b"" or parse(raw) is not None):
            held[entry.path] = Entry(entry.path, entry.mode, entry.oid, raw)
        else:
            refused[entry.path] = Refused(entry.path, "is in Git as content")
    return held, refused


def _looked(root: str, cache: DvcCache, wanted: Sequence[Wanted]) -> list[Taken | Refused | None]:
    """What a dry run expects of ``_taken``: nothing is read."""
    found: list[Taken | Refused | None] = []
    for one in wanted:
        here, cached = look(root, cache, one), cache.file_of(one.hash)
        if here is OTHER:
            found.append(Refused(one.path, "something else is in its place"))
        elif here is FILE or cached is not None:
            size = one.size if one.size is not None else os.stat(cached).st_size if cached is not None else 0
            found.append(Taken(one, b"", size, one.is_executable, None))
        else:
            found.append(None)
    return found


def _taken(
    root: str, store: ImageLayout, cache: DvcCache, wanted: Sequence[Wanted], transfers: int, emit: Sink
) -> list[Taken | Refused | None]:
    if not wanted:
        return []
    work: Callable[[Wanted], Taken | Refused | None] = partial(_take_one, root, store, cache, emit)
    emit(Started("taking over", len(wanted), sum(one.size or 0 for one in wanted)))
    with store.batch():
        results = each(work, wanted, limit=transfers)
    done = [one for one in results if isinstance(one, Taken)]
    emit(Finished("took over", len(done), sum(one.size for one in done)))
    return results


def _take_one(root: str, store: ImageLayout, cache: DvcCache, emit: Sink, one: Wanted) -> Taken | Refused | None:
    return take(root, store, cache, one, emit)


def _patterns(repository: Repository, done: _Done) -> list[str]:
    """What has to be tracked so that the filter applies to all that is taken."""
    paths = {one.wanted.path for one in done.taken}
    loose = paths - attributes.tracked(repository.git, paths)
    found = []
    for tracked in done.found.tracked:
        for out, pattern in zip(tracked.outs, tracked.patterns, strict=True):
            if any(path == out or path.startswith(out + b"/") for path in loose):
                # With a slash inside it is a path already; with one in front it may be one of this machine.
                name = pattern.removeprefix("/")
                found.append(name if "/" in name or os.path.lexists(pattern) else pattern)
    return found


def _write(
    repository: Repository,
    root: str,
    store: ImageLayout,
    done: _Done,
    patterns: Sequence[str],
    complete: Sequence[Tracked],
    transfers: int,
) -> None:
    if patterns:
        track(repository, root, patterns, literal=False, dry_run=False)
        repository.git.run("add", "--", attributes.FILE)
    staged = stage(repository, done.taken) if done.taken else []
    for one in done.taken:
        if one.is_linked:
            unlink(root, one.wanted.path)
    fill(repository, store, [*done.held.values(), *staged], transfers)
    for tracked in complete:
        forget(repository, root, tracked)
