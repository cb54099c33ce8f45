"""`git kit add`: what `git add` does, without a pipe through the filter for each file.

Files that Git would only hand to the filter are stored here, in parallel; their pointers and index entries, stat data
included, are put into a draft of the index. Then `git add` itself runs on the draft, for everything else and for every
error: it finds those files unchanged. The draft becomes the index where `git add` would have written one, so killed
anywhere, and where anything fails, the index is what it was.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from gitkit.core.events import Finished, Sink, Started, ignore
from gitkit.git import changes, draft, packs
from gitkit.git.changes import NO_FILE, Change
from gitkit.git.index import Written
from gitkit.git.repository import Repository
from gitkit.git.run import Git
from gitkit.store.hashcache import HashCache
from gitkit.store.layout import ImageLayout
from gitkit.sync.intake import Taken, find, is_same, take_in

_FILES = ("100644", "100755")


class Request(NamedTuple):
    """``arguments`` are those of `git add`, and the rest is what they say; ``environ`` is what they mean it in."""

    arguments: Sequence[str]
    pathspecs: Sequence[str]
    tracked_only: bool
    ignored_too: bool
    verbose: bool
    environ: Mapping[str, str]


class Added(NamedTuple):
    """What `git add` would have said, and its exit status."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def is_kept(self) -> bool:
        """Whether the index was changed: not all errors of `git add` are in the way of the other files."""
        return self.status in (0, 1)


class _Entry(NamedTuple):
    before: Change
    mode: str
    oid: str
    taken: Taken

    @property
    def is_new(self) -> bool:
        return (self.before.mode, self.before.oid) != (self.mode, self.oid)


def add(
    repository: Repository,
    git: Git,
    store: ImageLayout,
    cache: HashCache,
    request: Request,
    *,
    threads: int,
    trust: bool = True,
    emit: Sink = ignore,
) -> Added | None:
    """Do what ``request`` says; ``git`` runs in the person's folder. None where only `git add` can do it.

    Raises:
        Locked: another process holds the index.
        KitError: the store cannot be written.
    """
    rules = changes.read_rules(git)
    root = repository.worktree
    if root is None or rules.is_sparse or not rules.has_filter:
        return None
    found, gone = _candidates(repository, git, request, rules)
    files = find(root, found)
    if not files:
        return None
    draft.refuse_locked(repository)
    emit(Started("adding", len(files), sum(file.stat.st_size for file in files)))
    taken = take_in(root, store, cache, files, threads=threads, trust=trust, emit=emit)
    if not taken:
        return None
    entries = _entries(repository.git, [(found[file.path], file) for file in taken], rules)
    added = draft.change_index(repository, lambda path: _change(repository, git, path, request, entries))
    if added.is_kept:
        new = [entry.taken for entry in entries if entry.is_new]
        emit(Finished("added", len(new), sum(file.stat.st_size for file in new)))
        if request.verbose:
            return added._replace(stdout=_told(entries, gone) + added.stdout)
    return added


def _candidates(
    repository: Repository, git: Git, request: Request, rules: changes.Rules
) -> tuple[dict[bytes, Change], list[bytes]]:
    """What we may add by ourselves, by path; and the index entries that have no file."""
    if not request.pathspecs:
        git = git.at(repository.root)  # `git add` without paths means all of the worktree, wherever it runs
    looked = changes.tracked_changes(git, request.pathspecs, request.environ)
    if looked is None:
        return {}, []
    unmerged = set(looked.unmerged)
    found = [file for file in looked.changed if file.mode in (*_FILES, NO_FILE) and file.path not in unmerged]
    # Where case does not count, a new file may be an old one by another name: git knows which.
    if not request.tracked_only and not rules.ignores_case:
        others = changes.untracked(git, request.pathspecs, request.environ, ignored_too=request.ignored_too)
        found += [file for file in others or () if file.path not in unmerged]
    ours = changes.only_filtered(
        repository.git, [file.path for file in found], converts_line_ends=rules.converts_line_ends
    )
    return {file.path: file for file in found if file.path in ours}, looked.gone


def _entries(git: Git, files: Sequence[tuple[Change, Taken]], rules: changes.Rules) -> list[_Entry]:
    """The index entries of ``files``, whose blobs Git has when this returns."""
    hash_name = packs.object_format(git)
    entries = []
    for before, taken in files:
        entries.append(_Entry(before, _mode(before, taken.stat, rules), packs.oid_of(taken.raw, hash_name), taken))
    packs.write_blobs(git, [entry.taken.raw for entry in entries if entry.oid != entry.before.oid], hash_name)
    return entries


def _mode(before: Change, stat: os.stat_result, rules: changes.Rules) -> str:
    if not rules.trusts_file_mode:
        return before.mode if before.mode in _FILES else "100644"
    return "100755" if stat.st_mode & 0o100 else "100644"


def _change(
    repository: Repository, git: Git, path: str, request: Request, entries: Sequence[_Entry]
) -> tuple[bool, Added]:
    """Change the draft at ``path``; whether it is to be kept."""
    drafted = draft.with_index(repository, path)
    lines = [b"%s %s 0\t%s\0" % (entry.mode.encode(), entry.oid.encode(), entry.taken.path) for entry in entries]
    # Hooks that follow the index are for `git add`.
    drafted.git.run("-c", "core.hooksPath=/dev/null", "update-index", "-z", "--index-info", stdin=b"".join(lines))
    draft.set_stats(drafted, path, _settled(repository.root, entries, os.stat(path).st_mtime_ns))
    done = git.attempt("add", *request.arguments, extra={**request.environ, "GIT_INDEX_FILE": path})
    added = Added(done.returncode, done.stdout, done.stderr)
    return added.is_kept, added


def _settled(root: str, entries: Sequence[_Entry], now_ns: int) -> dict[bytes, Written]:
    """Those entries whose file is what was read. Git compares whole seconds: others it has to look at itself."""
    by_path = {entry.taken.path: entry for entry in entries}
    settled = {}
    for path, stat in find(root, by_path):
        entry = by_path[path]
        if stat.st_mtime_ns // 10**9 < now_ns // 10**9 and is_same(stat, entry.taken.stat):
            settled[path] = Written(entry.oid, entry.taken.stat)
    return settled


def _told(entries: Sequence[_Entry], gone: Sequence[bytes]) -> bytes:
    """What `git add --verbose` says about ``entries``, and about those of ``gone`` whose place they took."""
    files = {entry.taken.path for entry in entries}
    folders = {folder for path in files for folder in _folders(path)}
    removed = [path for path in gone if path in folders or any(folder in files for folder in _folders(path))]
    lines = [b"remove '%s'\n" % path for path in removed]
    lines += [b"add '%s'\n" % entry.taken.path for entry in entries if entry.is_new]
    return b"".join(lines)


def _folders(path: bytes) -> Iterator[bytes]:
    """``a`` and ``a/b`` of ``a/b/c``."""
    at = path.find(b"/")
    while at >= 0:
        yield path[:at]
        at = path.find(b"/", at + 1)
