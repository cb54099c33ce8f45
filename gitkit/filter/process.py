"""What the long-running filter answers: clean, smudge, and which delayed files are ready.

A file that fails gets ``status=error`` for itself only. Standard output belongs to Git; people read standard error.
"""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core import pointer as pointers
from gitkit.core.digest import digest_of
from gitkit.core.paths import show_lines, show_message, show_path, show_text
from gitkit.core.pktline import MAX_PAYLOAD
from gitkit.core.pointer import Pointer
from gitkit.errors import Conflict, Denied, KitError, NetworkError, NotFound
from gitkit.filter.protocol import Answers, Content, ProtocolError, Requests

if TYPE_CHECKING:
    from concurrent.futures import Future

    from gitkit.filter.clean import Place
    from gitkit.filter.materialise import Materialiser
    from gitkit.filter.smudge import Downloads, Surroundings

_SHOWN = 5
_DAMAGED = "its blob in the store is damaged\nhint: git kit fsck --repair"


class _Delayed(NamedTuple):
    pointer: Pointer
    raw: bytes
    future: "Future[KitError | None]"


class Session:
    """One run of git: its requests are answered in turn."""

    def __init__(self, requests: Requests, answers: Answers, look_around: Callable[[], "Surroundings"]) -> None:
        self._requests = requests
        self._answers = answers
        self._look_around = look_around
        self._around: Surroundings | None = None
        self._downloads: Downloads | None = None
        self._delayed: dict[bytes, _Delayed] = {}
        self._announced: set[bytes] = set()
        self._arrived: SimpleQueue[bytes] = SimpleQueue()
        self._missing: list[tuple[bytes, KitError | None]] = []
        self._not_pointers: list[bytes] = []
        self._conflicts: list[bytes] = []
        self._only_shown: bool | None = None
        self._streaming = False
        self._failed = False
        self._until_end = ExitStack()
        self._materialiser: Materialiser | None = None

    def answer_one(self) -> bool:
        """Read and answer one request; False when Git has no more."""
        lines = self._requests.section()
        if lines is None:
            return False
        fields = dict(line.partition(b"=")[::2] for line in lines)
        command = fields.get(b"command", b"")
        if command == b"list_available_blobs":
            self._list_available()
            return True
        content = self._requests.content()
        path = fields.get(b"pathname", b"")
        try:
            if command == b"clean":
                self._clean(path, content)
            elif command == b"smudge":
                self._smudge(path, content, fields)
            else:
                raise KitError(f"Git asks for {command.decode('utf-8', 'replace')}, which git kit does not know")
        except (ProtocolError, BrokenPipeError):
            raise
        except KitError as error:
            content.drain()
            hint = f"\nhint: {show_message(error.hint)}" if error.hint else ""
            self._fail(f"{show_path(path)}: {show_message(error.message)}{hint}")
        except (OSError, MemoryError, RecursionError) as error:
            if self._streaming:
                # Git reads content now: no status can be told any more, only that we are gone.
                raise ProtocolError(f"{show_path(path)}: {error}") from error
            content.drain()
            self._fail(f"{show_path(path)}: {type(error).__name__}: {error}")
        return True

    # -- clean -----------------------------------------------------------------------------------------------------

    def _clean(self, path: bytes, content: Content) -> None:
        from gitkit.filter.clean import Place, clean

        around = self._surroundings()
        place = Place(around.repository.worktree, path, around.cache, around.settings.trust_fingerprint)
        try:
            answer = clean(content, around.store, place)
        except (ProtocolError, Conflict):
            raise
        except KitError:
            seen = self._seen(place)
            if seen is None:
                raise
            answer = seen
        content.drain()
        self._answers.small(answer)
        around.store.get_ready()  # Git is busy with the answer

    @staticmethod
    def _seen(place: "Place") -> bytes | None:
        """What there is to tell `git status` about a file that cannot be stored: on a full disk it is to work, too."""
        from gitkit.filter.clean import look_at
        from gitkit.git import caller

        found = caller.find()
        return look_at(place) if found is not None and caller.only_compares(found) else None

    # -- smudge ----------------------------------------------------------------------------------------------------

    def _smudge(self, path: bytes, content: Content, fields: dict[bytes, bytes]) -> None:
        delayed = self._delayed.pop(path, None)
        if delayed is not None:
            self._announced.discard(path)  # the same git process may delay it again: cherry-pick of several commits
            content.drain()
            self._finish(path, delayed.pointer, delayed.raw, delayed.future.result(), in_worktree=True)
            return
        head = content.read(pointers.MAX_SIZE + 1)
        pointer = pointers.parse(head)
        # Git offers to wait where it writes the worktree, and not for `git archive` and the like. `git apply` writes it
        # without an offer, and is the one that names no blob.
        git_waits = fields.get(b"can-delay") == b"1"
        in_worktree = git_waits or b"blob" not in fields
        if not head and in_worktree:
            self._leave_pointer(path, head, in_worktree)  # an empty file is its own pointer
            return
        if pointer is None:
            self._pass_through(path, head, content)
            return
        content.drain()
        around = self._surroundings()
        if pointer.lfs:
            around.cache.keep_pointer(path, pointer.digest, head)
        is_unwanted = around.skip or around.declines(path, pointer)
        if is_unwanted or (not in_worktree and b"treeish" not in fields and self._is_compared(path)):
            self._leave_pointer(path, head, in_worktree)
        elif pointer.size <= MAX_PAYLOAD and (data := around.store.read_small(pointer.digest, pointer.size)):
            self._answers.small(data)
            if in_worktree:
                self._materialising().inlined(path, head, pointer.digest)
        elif git_waits and self._can_wait(pointer):
            self._answers.small(head)
            self._materialising().add(path, pointer, head, fields.get(b"blob", b"").decode(), _treeish(fields))
        elif around.store.holds(pointer.digest, pointer.size):
            self._finish(path, pointer, head, None, in_worktree=in_worktree)
        elif git_waits and around.settings.materialize != "inline":
            download = self._started_downloads().start(pointer, _treeish(fields))
            self._delayed[path] = _Delayed(pointer, head, download)
            download.add_done_callback(lambda _: self._arrived.put(path))
            self._answers.lines(b"status=delayed")
        else:
            error = self._started_downloads().fetch(pointer, _treeish(fields))
            self._finish(path, pointer, head, error, in_worktree=in_worktree)

    def _is_compared(self, path: bytes) -> bool:
        """Whether Git wants the file for nothing but `git kit textconv`, which reads the pointer as well."""
        from gitkit.git import caller

        if self._only_shown is None:
            found = caller.find()
            self._only_shown = found is not None and caller.only_shows(found)
        return self._only_shown and caller.compares_by_textconv(self._surroundings().repository.git, path)

    def _can_wait(self, pointer: Pointer) -> bool:
        """Whether the file may be filled in when Git is done. Where its absence is an error, Git must be told now."""
        from gitkit.filter.materialise import LARGE

        around = self._surroundings()
        if pointer.size <= LARGE or around.settings.materialize != "after":
            return False
        return not around.strict or around.store.holds(pointer.digest, pointer.size)

    def _finish(self, path: bytes, pointer: Pointer, raw: bytes, error: KitError | None, *, in_worktree: bool) -> None:
        """Answer with the content, or with the pointer where there is none."""
        around = self._surroundings()
        if error is None and around.store.holds(pointer.digest, pointer.size):
            self._send(path, pointer)
            if in_worktree:
                self._materialising().inlined(path, raw, pointer.digest)
        elif around.strict:
            raise error or KitError("its content is missing")
        else:
            self._missing.append((path, error))
            self._leave_pointer(path, raw, in_worktree)

    def _leave_pointer(self, path: bytes, raw: bytes, in_worktree: bool) -> None:
        self._answers.small(raw)
        if in_worktree:
            self._materialising().inlined(path, raw, digest_of(raw))

    def _send(self, path: bytes, pointer: Pointer) -> None:
        import hashlib

        source = self._surroundings().store.open_blob(pointer.digest, pointer.size)
        if pointer.size <= MAX_PAYLOAD:
            with source:
                data = source.readall()
            if digest_of(data) == pointer.digest:
                self._answers.small(data)
            else:
                self._fail(f"{show_path(path)}: {_DAMAGED}")
            return
        try:
            hasher = hashlib.sha256()
            self._answers.lines(b"status=success")
            self._streaming = True
            self._answers.stream(source, observe=hasher)
            self._streaming = False
        finally:
            source.close()
        if f"sha256:{hasher.hexdigest()}" == pointer.digest:
            self._answers.lines()
        else:
            self._fail(f"{show_path(path)}: {_DAMAGED}")

    def _pass_through(self, path: bytes, head: bytes, content: Content) -> None:
        """Content that is no pointer: it comes back unchanged, after all of it has been read."""
        import tempfile

        from gitkit.filter.clean import Prefixed

        if head:
            (self._conflicts if pointers.has_conflict(head) else self._not_pointers).append(path)
        rest = Prefixed(head, content)
        with tempfile.SpooledTemporaryFile(max_size=4 << 20) as spool:
            block = memoryview(bytearray(1 << 20))
            while count := rest.readinto(block):
                spool.write(block[:count])
            spool.seek(0)
            self._answers.lines(b"status=success")
            self._streaming = True
            self._answers.stream(spool)
            self._streaming = False
            self._answers.lines()

    def _list_available(self) -> None:
        ready: list[bytes] = []
        if len(self._announced) < len(self._delayed):
            ready.append(self._arrived.get())
            while not self._arrived.empty():
                ready.append(self._arrived.get())
        self._announced.update(ready)
        self._answers.lines(*(b"pathname=" + path for path in ready))
        self._answers.lines(b"status=success")

    # -- the end ---------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Git has no more to ask: fill in what it left to us, and make sure that all is on disk."""
        with self._until_end:
            if self._materialiser is not None and self._has_git_given_up():
                self._missing += [(path, None) for path in self._materialiser.pending]
            elif self._materialiser is not None:
                self._missing += self._materialiser.finish()
        self._summarise()

    def _has_git_given_up(self) -> bool:
        """Whether Git is dying: then it waits for us with its index.lock in place, and there will be no new index."""
        from gitkit.git import caller

        return self._failed or caller.has_open(os.path.join(self._surroundings().repository.git_dir, "index.lock"))

    def _fail(self, text: str) -> None:
        """Answer that this file cannot be had, and tell the person why."""
        self._failed = True
        _tell(f"git kit: {text}")
        self._answers.lines(b"status=error")

    def _materialising(self) -> "Materialiser":
        if self._materialiser is None:
            from gitkit.filter.materialise import Materialiser

            self._materialiser = Materialiser(self._surroundings(), self._started_downloads)
        return self._materialiser

    # -- the clone -------------------------------------------------------------------------------------------------

    def _surroundings(self) -> "Surroundings":
        if self._around is None:
            self._around = self._look_around()
            self._until_end.enter_context(self._around.store.batch())
        return self._around

    def _started_downloads(self) -> "Downloads":
        if self._downloads is None:
            from gitkit.filter.smudge import Downloads

            self._downloads = Downloads(self._surroundings())
        return self._downloads

    def _summarise(self) -> None:
        """Tell the person, once, what stayed a pointer and what should have been one; put missing hooks in."""
        if self._around is not None and (told := self._around.install_hooks()) is not None:
            _tell(told)
        if self._missing:
            reasons = {error.message for _, error in self._missing if error is not None}
            because = f" ({show_text(reasons.pop())})" if len(reasons) == 1 else ""
            kind = "a pointer" if len(self._missing) == 1 else "pointers"
            _tell(f"git kit: {_count(self._missing)} still {kind}, without content{because}:")
            ordered = sorted(self._missing, key=lambda item: item[0])  # delayed files come in any order
            _list([_reasoned(path, None if because else error) for path, error in ordered])
            elsewhere = (NotFound, NetworkError, Denied)  # for these, pulling is the next thing to do
            errors = [error for _, error in self._missing if error is not None and not isinstance(error, elsewhere)]
            hints = {error.hint for error in errors if error.hint}
            _tell(f"hint: {hints.pop() if len(hints) == 1 else 'git kit pull'}")
        if self._conflicts:
            from gitkit.filter.clean import CONFLICT_HINT

            _tell("git kit: two versions of a large file were merged as text, which cannot work:")
            _list([show_path(path) for path in self._conflicts])
            _tell(f"hint: {CONFLICT_HINT}")
        if self._not_pointers:
            # Text that a merge left between conflict markers is for the person to edit, and no mistake.
            entries = self._surroundings().repository.git.ask("ls-files", "--unmerged", "-z") or ""
            unmerged = {os.fsencode(entry.partition("\t")[2]) for entry in entries.split("\0")}
            self._not_pointers = [path for path in self._not_pointers if path not in unmerged]
        if self._not_pointers:
            _tell(f"git kit: {_count(self._not_pointers)} tracked, but stored in Git as content:")
            _list([show_path(path) for path in self._not_pointers])
            _tell("hint: git add --renormalize . && git commit")


def _treeish(fields: dict[bytes, bytes]) -> str | None:
    """The tree that is being checked out, where Git tells."""
    return fields[b"treeish"].decode() if b"treeish" in fields else None


def _count(items: list[object] | list[bytes] | list[tuple[bytes, KitError | None]]) -> str:
    return "1 file is" if len(items) == 1 else f"{len(items)} files are"


def _reasoned(path: bytes, error: KitError | None) -> str:
    return f"{show_path(path)}: {show_text(error.message)}" if error is not None else show_path(path)


def _list(lines: list[str]) -> None:
    for line in lines[:_SHOWN]:
        _tell(f"  {line}")
    if len(lines) > _SHOWN:
        _tell(f"  and {len(lines) - _SHOWN} more")


def _tell(text: str) -> None:
    print(show_lines(text), file=sys.stderr, flush=True)
