"""Git objects of a history, one after another, from one `git cat-file --batch-command`.

Not safe across threads. Memory is that of the largest tree, commit or tag; file content is streamed.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

from gitkit.errors import Corrupt
from gitkit.git.objects import BlobSource
from gitkit.git.run import Git

_AT_ONCE = 500
"""So many questions fit into a pipe (64 KiB), so that git has them all before anybody reads its answers."""

# What is packed as a whole is streamed by git from 4 MiB on (below, git has it in memory), through small windows.
_STREAMED = ("-c", "core.bigFileThreshold=4m", "-c", "core.packedGitWindowSize=16m", "-c", "core.packedGitLimit=64m")


class Reader:
    """Answers are in the order of the questions; each is read to its end before the next one is asked."""

    def __init__(self, questions: BinaryIO, answers: BinaryIO) -> None:
        self._questions = questions
        self._answers = answers

    def read(self, oid: str) -> bytes:
        """The whole of an object that is not a file.

        Raises:
            Corrupt: it is missing.
        """
        return self.read_all([oid])[0]

    def read_all(self, oids: Sequence[str]) -> list[bytes]:
        """The same for many, which costs much less than one after the other.

        Raises:
            Corrupt: one is missing.
        """
        found = []
        for start in range(0, len(oids), _AT_ONCE):
            some = oids[start : start + _AT_ONCE]
            self._ask("contents", some)
            for oid in some:
                found.append(self._answers.read(self._size(oid)))
                self._answers.read(1)
        return found

    @contextmanager
    def stream(self, oid: str) -> Iterator[BlobSource]:
        """The content of a Git blob.

        Raises:
            Corrupt: it is missing.
        """
        self._ask("contents", [oid])
        source = BlobSource(self._answers, self._size(oid))
        yield source
        source.finish()

    def sizes(self, oids: Iterable[str]) -> dict[str, int]:
        """The size in bytes of each object.

        Raises:
            Corrupt: one is missing.
        """
        wanted = list(oids)
        found = {}
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            self._ask("info", some)
            for oid in some:
                found[oid] = self._size(oid)
        return found

    def _ask(self, what: str, oids: Sequence[str]) -> None:
        with suppress(BrokenPipeError):  # git has ended: there will be no answer
            self._questions.write("".join([*(f"{what} {oid}\n" for oid in oids), "flush\n"]).encode())
            self._questions.flush()

    def _size(self, oid: str) -> int:
        words = self._answers.readline().split()
        if len(words) != 3:
            raise Corrupt(f"Git object {oid} is missing", hint="git fsck")
        return int(words[2])


@contextmanager
def opened(git: Git) -> Iterator[Reader]:
    """A reader for the repository of ``git``, until the block is left."""
    with git.pipe(*_STREAMED, "cat-file", "--batch-command", "--buffer") as (questions, answers):
        yield Reader(questions, answers)
