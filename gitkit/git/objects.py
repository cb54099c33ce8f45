"""Reading Git's objects and writing commits, through `git cat-file --batch` and friends.

git itself is the only reader: it opens every repository (partial clone, SHA-256, reftable) at the speed that a kit
needs (``docs/decisions/0002-git-binary-for-objects.md``).
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO, NamedTuple

from gitkit.errors import Corrupt, NotFound
from gitkit.git.run import Git, GitError


class TreeEntry(NamedTuple):
    """A file of a tree or of the index: ``mode`` as Git prints it (``100644``), ``path`` from the root."""

    path: bytes
    mode: str
    oid: str


class Commit(NamedTuple):
    """``time`` is the committer date in seconds since 1970, UTC."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    time: int
    author: str
    message: str


def list_tree(git: Git, rev: str) -> list[TreeEntry]:
    """Every file of a commit or tree, in path order; symbolic links and submodules included."""
    entries = []
    for record in git.run("ls-tree", "-r", "-z", "--full-tree", rev).split(b"\0")[:-1]:
        head, _, path = record.partition(b"\t")
        mode, _, oid = head.decode().split(" ")
        entries.append(TreeEntry(path, mode, oid))
    return entries


def list_index(git: Git) -> list[TreeEntry]:
    """Every file of the index that the worktree should have, in path order: no unmerged ones, none outside of a sparse
    checkout.
    """
    entries = []
    for record in git.run("ls-files", "-s", "-t", "-z", "--full-name").split(b"\0")[:-1]:
        head, _, path = record.partition(b"\t")
        state, mode, oid, stage = head.decode().split(" ")
        if stage == "0" and state != "S":
            entries.append(TreeEntry(path, mode, oid))
    return entries


def list_tree_alone(git: Git, rev: str) -> list[TreeEntry]:
    """Files of a commit that the index has not, or has otherwise; what is outside of a sparse checkout is in the index.

    A partial clone has the objects of all others only if it ever needed them.
    """
    known = set()
    for record in git.run("ls-files", "-s", "-z", "--full-name").split(b"\0")[:-1]:
        head, _, path = record.partition(b"\t")
        _, oid, stage = head.decode().split(" ")
        if stage == "0":
            known.add((path, oid))
    return [entry for entry in list_tree(git, rev) if (entry.path, entry.oid) not in known]


def sizes(git: Git, oids: Iterable[str]) -> dict[str, int]:
    """Size in bytes of each object that exists. One git process for all."""
    names = "".join(f"{oid}\n" for oid in oids).encode()
    if not names:
        return {}
    found = {}
    for line in git.run("cat-file", "--batch-check", "--buffer", stdin=names).decode().splitlines():
        words = line.split(" ")
        if len(words) == 3:
            found[words[0]] = int(words[2])
    return found


def read_small(git: Git, oids: Iterable[str], limit: int) -> dict[str, bytes]:
    """The content of each object that exists and has at most ``limit`` bytes. Two git processes for all."""
    small = [oid for oid, size in sizes(git, dict.fromkeys(oids)).items() if size <= limit]
    if not small:
        return {}
    out = git.gather("cat-file", "--batch", "--buffer", stdin="".join(f"{oid}\n" for oid in small).encode())
    contents = {}
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        words = out[at:end].decode().split(" ")
        if len(words) != 3:
            raise Corrupt(f"Git object {words[0]} is gone", hint="git fsck")
        size = int(words[2])
        contents[words[0]] = out[end + 1 : end + 1 + size]
        at = end + size + 2
    return contents


def read_file(git: Git, rev: str, path: str) -> bytes | None:
    """A small file of a commit (``rev`` may be empty for the index), or None where it has none."""
    try:
        return git.run("cat-file", "blob", f"{rev}:{path}")
    except GitError:
        return None


def read_commit(git: Git, rev: str) -> Commit:
    """A commit; tags are followed.

    Raises:
        GitError: ``rev`` is not one.
    """
    out = git.run(
        "log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%H%x00%T%x00%P%x00%ct%x00%an%x00%B", rev, "--"
    )
    return _commit(out)


def history(git: Git, rev: str, *, limit: int | None = None) -> Iterator[Commit]:
    """First-parent history from ``rev`` back, newest first."""
    args = [
        "log",
        "-z",
        "--first-parent",
        "--no-show-signature",
        "--encoding=UTF-8",
        "--format=%H%x00%T%x00%P%x00%ct%x00%an%x00%B%x01",
    ]
    if limit is not None:
        args.append(f"-{limit}")
    for record in git.run(*args, rev, "--").split(b"\x01\0"):
        if record:
            yield _commit(record.removesuffix(b"\x01"))


def _commit(record: bytes) -> Commit:
    oid, tree, parents, time, author, message = record.decode("utf-8", "surrogateescape").split("\0", 5)
    return Commit(oid, tree, tuple(parents.split()), int(time), author, message.rstrip("\n"))


def write_commit(git: Git, *, tree: str, parents: Sequence[str], message: str) -> str:
    """A commit object; returns its oid. Signed when the person's Git signs commits."""
    sign = ["-S"] if signs(git) else []
    # A person's i18n.commitEncoding would have readers take the message for another text.
    args = ["-c", "i18n.commitEncoding=UTF-8", "commit-tree", *sign, tree]
    for parent in parents:
        args += ["-p", parent]
    return git.run(*args, stdin=message.encode("utf-8", "surrogateescape")).decode().strip()


def signs(git: Git) -> bool:
    """Whether the person's Git signs commits."""
    return git.ask("config", "--type=bool", "commit.gpgsign") == "true"


def trailers(message: str) -> dict[str, str]:
    """The last paragraph's ``Key: value`` lines (git-interpret-trailers(1), without folding); later ones win."""
    paragraph = message.rstrip().rpartition("\n\n")[2]
    found = {}
    for line in paragraph.splitlines():
        key, colon, value = line.partition(": ")
        if colon and key and key.replace("-", "").isalnum():
            found[key] = value.strip()
    return found


def candidate_blobs(
    git: Git, include: Sequence[str], exclude: Sequence[str], *, remote: str | None, limit: int
) -> list[tuple[str, bytes]]:
    """Git blobs of at most ``limit`` bytes that ``include`` needs and ``exclude`` does not, with one path each.

    One `git rev-list` for all refs. ``remote`` also excludes what its remote-tracking refs hold. Objects that are named
    in ``exclude`` and do not exist here are ignored.
    """
    args = ["rev-list", "--objects", "--ignore-missing"]
    args += [f"--filter=combine:object:type=blob+blob:limit={limit + 1}", "--filter-provided-objects", "--stdin"]
    if remote is not None:
        args += ["--not", f"--remotes={remote}"]
    revs = [*include, *(f"^{oid}" for oid in exclude)]
    out = git.run(*args, stdin="".join(f"{rev}\n" for rev in revs).encode())
    found = []
    for line in out.split(b"\n")[:-1]:
        oid, _, path = line.partition(b" ")
        found.append((oid.decode(), path))
    return found


def list_staged(git: Git) -> list[TreeEntry]:
    """Regular files that the index adds to HEAD or changes."""
    head = git.ask("rev-parse", "-q", "--verify", "HEAD^{tree}")
    if head is None:
        head = git.run("hash-object", "-t", "tree", "--stdin", stdin=b"").decode().strip()
    fields = git.run("diff-index", "--cached", "--raw", "-z", "--no-renames", "--diff-filter=d", head).split(b"\0")
    entries = []
    for head_field, path in zip(fields[0::2], fields[1::2], strict=False):
        words = head_field.decode().split(" ")
        if words[1].startswith("100"):
            entries.append(TreeEntry(path, words[1], words[3]))
    return entries


def resolve(git: Git, rev: str) -> str:
    """The oid of the commit that ``rev`` names; tags are followed.

    Raises:
        NotFound: there is no such commit.
    """
    oid = git.ask("rev-parse", "-q", "--verify", "--end-of-options", f"{rev}^{{commit}}")
    if oid is None:
        raise NotFound(f'"{rev}" is not a commit, branch or tag here', hint="list them: git branch -a; git tag")
    return oid


class BlobSource:
    """One object's bytes inside of the output of `git cat-file --batch`."""

    def __init__(self, out: BinaryIO, size: int) -> None:
        self._out = out
        self._left = size

    def readinto(self, buffer: memoryview, /) -> int:
        data = self._out.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)

    def finish(self) -> None:
        """Skip what was not read, and the line end that follows."""
        while self._left and self.readinto(memoryview(bytearray(min(self._left, 1 << 20)))):
            pass
        self._out.read(1)


def each_blob(git: Git, oids: Sequence[str]) -> Iterator[tuple[str, BlobSource]]:
    """The content of each Git blob, in order, as a stream. One git process; constant memory for blobs of any size.

    Raises:
        Corrupt: an object is missing.
    """
    if not oids:
        return
    with git.pipe("cat-file", "--batch", "--buffer") as (names, out):
        # A thread feeds the names, since git stops reading them while its own output waits for us.
        feeder = threading.Thread(target=_feed, args=(names, oids), daemon=True)
        feeder.start()
        for oid in oids:
            words = out.readline().split()
            if len(words) != 3:
                raise Corrupt(f"Git object {oid} is missing", hint="git fsck")
            source = BlobSource(out, int(words[2]))
            yield oid, source
            source.finish()
        feeder.join()


def _feed(names: BinaryIO, oids: Sequence[str]) -> None:
    with suppress(BrokenPipeError, ValueError):
        names.write("".join(f"{oid}\n" for oid in oids).encode())
        names.close()


def all_commits(git: Git) -> list[str]:
    """The oids of all branches, remote-tracking branches and tags that lead to a commit."""
    lines = git.text("for-each-ref", "--format=%(objecttype) %(*objecttype) %(objectname)").split("\n")
    return [line.split(" ")[-1] for line in lines if "commit" in line.split(" ")[:2]]
