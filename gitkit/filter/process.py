"""What the long-running filter answers: clean, smudge, and which delayed files are ready.

A file that fails gets ``status=error`` for itself only. Standard output belongs to Git; people read standard error.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core import pointer as pointers
from gitkit.core.paths import show_path
from gitkit.core.pointer import Pointer
from gitkit.errors import KitError
from gitkit.filter.protocol import Answers, Content, ProtocolError, Requests

if TYPE_CHECKING:
    from concurrent.futures import Future

    from gitkit.filter.smudge import Downloads, Surroundings

_SHOWN = 5


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
        self._missing: list[tuple[bytes, KitError | None]] = []
        self._not_pointers: list[bytes] = []
        self._conflicts: list[bytes] = []
        self._streaming = False

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
            _tell(f"git kit: {show_path(path)}: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))
            self._answers.lines(b"status=error")
        except (OSError, MemoryError, RecursionError) as error:
            if self._streaming:
                # Git reads content now: no status can be told any more, only that we are gone.
                raise ProtocolError(f"{show_path(path)}: {error}") from error
            content.drain()
            _tell(f"git kit: {show_path(path)}: {type(error).__name__}: {error}")
            self._answers.lines(b"status=error")
        return True

    # -- clean -----------------------------------------------------------------------------------------------------

    def _clean(self, path: bytes, content: Content) -> None:
        from gitkit.filter.clean import clean

        answer = clean(content, self._surroundings().store)
        content.drain()
        self._answers.small(answer)

    # -- smudge ----------------------------------------------------------------------------------------------------

    def _smudge(self, path: bytes, content: Content, fields: dict[bytes, bytes]) -> None:
        delayed = self._delayed.pop(path, None)
        if delayed is not None:
            self._announced.discard(path)  # the same git process may delay it again: cherry-pick of several commits
            content.drain()
            self._finish(path, delayed.pointer, delayed.raw, delayed.future.result())
            return
        head = content.read(pointers.MAX_SIZE + 1)
        pointer = pointers.parse(head)
        if pointer is None:
            self._pass_through(path, head, content)
            return
        content.drain()
        around = self._surroundings()
        if around.skip:
            self._answers.small(head)
        elif around.store.holds(pointer.digest, pointer.size):
            self._finish(path, pointer, head, None)
        else:
            self._smudge_absent(path, pointer, head, fields)

    def _smudge_absent(self, path: bytes, pointer: Pointer, raw: bytes, fields: dict[bytes, bytes]) -> None:
        treeish = fields[b"treeish"].decode() if b"treeish" in fields else None
        downloads = self._started_downloads()
        if fields.get(b"can-delay") == b"1":
            self._delayed[path] = _Delayed(pointer, raw, downloads.start(pointer, treeish))
            self._answers.lines(b"status=delayed")
        else:
            self._finish(path, pointer, raw, downloads.fetch(pointer, treeish))

    def _finish(self, path: bytes, pointer: Pointer, raw: bytes, error: KitError | None) -> None:
        """Answer with the content, or with the pointer where there is none."""
        around = self._surroundings()
        if error is None and around.store.holds(pointer.digest, pointer.size):
            self._send(path, pointer)
        elif around.strict:
            raise error or KitError("its content is missing")
        else:
            self._missing.append((path, error))
            self._answers.small(raw)

    def _send(self, path: bytes, pointer: Pointer) -> None:
        import hashlib

        source = self._surroundings().store.open_blob(pointer.digest, pointer.size)
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
            _tell(
                f"git kit: {show_path(path)}: its blob in the store is damaged\nhint: git kit fsck, then git kit pull"
            )
            self._answers.lines(b"status=error")

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
        from concurrent.futures import FIRST_COMPLETED, wait

        waiting = {path: entry.future for path, entry in self._delayed.items() if path not in self._announced}
        ready: list[bytes] = []
        if waiting:
            wait(waiting.values(), return_when=FIRST_COMPLETED)
            ready = [path for path, future in waiting.items() if future.done()]
        self._announced.update(ready)
        self._answers.lines(*(b"pathname=" + path for path in ready))
        self._answers.lines(b"status=success")

    # -- the clone -------------------------------------------------------------------------------------------------

    def _surroundings(self) -> "Surroundings":
        if self._around is None:
            self._around = self._look_around()
        return self._around

    def _started_downloads(self) -> "Downloads":
        if self._downloads is None:
            from gitkit.filter.smudge import Downloads

            self._downloads = Downloads(self._surroundings())
        return self._downloads

    def summarise(self) -> None:
        """Tell the person, once, what stayed a pointer and what should have been one; put missing hooks in."""
        if self._around is not None and (told := self._around.install_hooks()) is not None:
            _tell(told)
        if self._missing:
            reasons = {error.message for _, error in self._missing if error is not None}
            because = f" ({reasons.pop()})" if len(reasons) == 1 else ""
            _tell(f"git kit: {_count(self._missing)} still pointers, without content{because}:")
            ordered = sorted(self._missing, key=lambda item: item[0])  # delayed files come in any order
            _list([_reasoned(path, None if because else error) for path, error in ordered])
            _tell("hint: git kit pull")
        if self._conflicts:
            from gitkit.filter.clean import CONFLICT_HINT

            _tell("git kit: two versions of a large file were merged as text, which cannot work:")
            _list([show_path(path) for path in self._conflicts])
            _tell(f"hint: {CONFLICT_HINT}")
        if self._not_pointers:
            _tell(f"git kit: {_count(self._not_pointers)} tracked, but stored in Git as content:")
            _list([show_path(path) for path in self._not_pointers])
            _tell("hint: git add --renormalize . && git commit")


def _count(items: list[object] | list[bytes] | list[tuple[bytes, KitError | None]]) -> str:
    return "1 file is" if len(items) == 1 else f"{len(items)} files are"


def _reasoned(path: bytes, error: KitError | None) -> str:
    return f"{show_path(path)}: {error.message}" if error is not None else show_path(path)


def _list(lines: list[str]) -> None:
    for line in lines[:_SHOWN]:
        _tell(f"  {line}")
    if len(lines) > _SHOWN:
        _tell(f"  and {len(lines) - _SHOWN} more")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
