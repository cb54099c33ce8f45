"""From Git LFS to git kit with no history rewritten: attributes, this clone's set-up, and the content that it holds.

Git keeps the Git LFS pointers that it has; each becomes one of git kit when its file changes. Doing it again changes
nothing; killed anywhere, doing it again finishes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gitkit.core.events import Advanced, Finished, Sink, Started, ignore
from gitkit.core.pointer import MAX_SIZE, parse
from gitkit.errors import Corrupt, NotFound, Unsupported
from gitkit.git import attributes, lfs, objects
from gitkit.git.repository import Repository
from gitkit.migrate import lfs_attributes
from gitkit.migrate.lfs_attributes import AttributesFile
from gitkit.setup.install import Installed, ensure
from gitkit.store.hashcache import HashCache
from gitkit.store.layout import ImageLayout
from gitkit.store.lfs_objects import LfsObjects
from gitkit.sync.checkout import still_pointers
from gitkit.sync.parallel import each
from gitkit.sync.pointers import PointerFile


class Taken(NamedTuple):
    """Objects of Git LFS. ``linked`` into the store, ``bytes`` in all; ``here`` in it before.

    ``left`` cannot be linked (another disk, another owner): they are copied when they are needed.
    """

    linked: int
    bytes: int
    here: int
    left: int
    damaged: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """``files`` were (or would be) switched. ``elsewhere`` are paths that other attributes keep under Git LFS.

    ``pointers`` are the Git LFS pointers of the index; ``missing`` those of them whose content is not on this machine.
    ``installed`` is None for a dry run.
    """

    files: Sequence[AttributesFile]
    elsewhere: list[bytes]
    taken: Taken
    pointers: Sequence[PointerFile]
    missing: Sequence[PointerFile]
    installed: Installed | None


def migrate(
    repository: Repository,
    store: ImageLayout,
    cache: HashCache,
    *,
    dry_run: bool = False,
    transfers: int = 4,
    emit: Sink = ignore,
) -> Migrated:
    """Switch this clone and its attribute files over, and stage the latter. Idempotent.

    Raises:
        NotFound: Git LFS is not used here.
        Conflict: the worktree has changes that are in no commit.
        Unsupported: there is no worktree, or a link is in the way.
        KitError: as ``gitkit.setup.install.ensure``, or a file cannot be written.
    """
    if repository.worktree is None:
        raise Unsupported("this is a bare repository: switch a clone of it over, and push")
    files = lfs_attributes.find(repository)
    if files:
        lfs_attributes.refuse_changes(repository)
    pointers = _pointers(repository)
    own = LfsObjects(lfs.objects_folders(repository)[0])
    if not (files or pointers or _under_lfs(repository) or any(True for _ in own.objects())):
        raise NotFound("Git LFS is not used here: no line of .gitattributes has filter=lfs")
    # The filter first: without it Git would store large files as they are.
    installed = None if dry_run else ensure(repository)
    taken = _look(store, own) if dry_run else _take(store, own, transfers, emit)
    if not dry_run:
        for file in pointers:
            cache.keep_pointer(file.path, file.pointer.digest, file.raw)
        lfs_attributes.write(repository, files)
    pending = still_pointers(repository, pointers)
    return Migrated(
        files=files,
        elsewhere=[] if dry_run else sorted(_under_lfs(repository)),
        taken=taken,
        pointers=pointers,
        missing=[file for file in pending if not _is_here(store, own, file)],
        installed=installed,
    )


def _pointers(repository: Repository) -> list[PointerFile]:
    """The Git LFS pointers of the index that Git LFS or git kit is in charge of."""
    git = repository.git
    entries = [entry for entry in objects.list_index(git) if entry.mode.startswith("100")]
    paths = [entry.path for entry in entries]
    filtered = attributes.tracked(git, paths) | lfs_attributes.under_lfs(git, paths)
    small = objects.read_small(git, [entry.oid for entry in entries if entry.path in filtered], MAX_SIZE)
    found = []
    for entry in entries:
        raw = small.get(entry.oid, b"") if entry.path in filtered else b""
        pointer = parse(raw)
        if pointer is not None and pointer.lfs:
            found.append(PointerFile(entry.path, entry.mode, entry.oid, pointer, raw))
    return found


def _under_lfs(repository: Repository) -> set[bytes]:
    entries = objects.list_index(repository.git)
    return lfs_attributes.under_lfs(repository.git, [entry.path for entry in entries if entry.mode.startswith("100")])


def _is_here(store: ImageLayout, own: LfsObjects, file: PointerFile) -> bool:
    digest, size = file.pointer.digest, file.pointer.size
    return store.holds(digest, size) or own.file_of(digest, size) is not None


def _look(store: ImageLayout, own: LfsObjects) -> Taken:
    """What would be taken, as far as that can be told without reading it."""
    absent = [size for digest, size in own.objects() if not store.holds(digest, size)]
    return Taken(len(absent), sum(absent), sum(1 for _ in own.objects()) - len(absent), 0, [])


def _take(store: ImageLayout, own: LfsObjects, transfers: int, emit: Sink) -> Taken:
    """Link all objects into the store, each verified."""
    every = sorted(own.objects())
    absent = [(digest, size) for digest, size in every if not store.holds(digest, size)]
    if not absent:
        return Taken(0, 0, len(every), 0, [])

    def take(blob: tuple[str, int]) -> str:
        digest, size = blob
        path = own.file_of(digest, size)
        try:
            state = "linked" if path is not None and store.adopt(path, digest, size) else "left"
        except Corrupt:
            state = "damaged"
        emit(Advanced(size))
        return state

    emit(Started("taking over", len(absent), sum(size for _, size in absent)))
    with store.batch():
        states = each(take, absent, limit=transfers)
    linked = [size for (_, size), state in zip(absent, states, strict=True) if state == "linked"]
    emit(Finished("took over", len(linked), sum(linked)))
    damaged = [digest for (digest, _), state in zip(absent, states, strict=True) if state == "damaged"]
    return Taken(len(linked), sum(linked), len(every) - len(absent), states.count("left"), damaged)
