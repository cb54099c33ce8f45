"""Histories with everything in them that rewriting must not change."""

import subprocess
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tests.lib.repos import Repo, some_bytes

LARGE, OTHER, SMALL = some_bytes(30_000, seed=1), some_bytes(20_000, seed=2), some_bytes(300, seed=3)
PERSON = "Ada Tester <ada@example.com>"
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\nnot a real one\n-----END PGP SIGNATURE-----\n"


class Row(NamedTuple):
    """A file of a commit as Git has it."""

    mode: str
    oid: str


def raw(repo: Repo, kind: str, data: bytes) -> str:
    """Store an object just as it is."""
    argv = ["git", "hash-object", "-w", "--literally", "-t", kind, "--stdin"]
    done = subprocess.run(argv, input=data, cwd=repo.path, env=repo.environ, capture_output=True, check=True)
    return done.stdout.decode().strip()


def content(repo: Repo, name: str) -> bytes:
    """The bytes of any object."""
    return contents(repo, [name])[name]


def contents(repo: Repo, names: Iterable[str]) -> dict[str, bytes]:
    """The bytes of many objects, by the names that are given. One git for all."""
    wanted = list(dict.fromkeys(names))
    argv = ["git", "cat-file", "--batch"]
    lines = "".join(f"{name}\n" for name in wanted).encode()
    out = subprocess.run(argv, input=lines, cwd=repo.path, env=repo.environ, capture_output=True, check=True).stdout
    found, at = {}, 0
    for name in wanted:
        end = out.index(b"\n", at)
        size = int(out[at:end].split()[2])
        found[name], at = out[end + 1 : end + 1 + size], end + size + 2
    return found


def tree(repo: Repo, files: Mapping[bytes, tuple[str, bytes | str]]) -> str:
    """A tree of files given by path: mode, and content or (for submodules) oid."""
    index = repo.path / ".git" / "test-index"
    lines = b""
    for path, (mode, data) in files.items():
        oid = data if isinstance(data, str) else raw(repo, "blob", data)
        lines += mode.encode() + b" " + oid.encode() + b"\t" + path + b"\0"
    repo.git("update-index", "-z", "--index-info", stdin=lines, extra={"GIT_INDEX_FILE": str(index)})
    oid = repo.git("write-tree", extra={"GIT_INDEX_FILE": str(index)}).stdout.strip()
    index.unlink()
    return oid


def files_of(repo: Repo, rev: str) -> dict[bytes, Row]:
    """All files of a commit, by path."""
    argv = ["git", "ls-tree", "-r", "-z", "--full-tree", rev]
    out = subprocess.run(argv, cwd=repo.path, env=repo.environ, capture_output=True, check=True).stdout
    found = {}
    for record in out.split(b"\0")[:-1]:
        head, _, path = record.partition(b"\t")
        mode, _, oid = head.decode().split(" ")
        found[path] = Row(mode, oid)
    return found


def awkward(repo: Repo) -> None:
    """Branches ``main`` and ``side``, many tags, and a merge; see the comments. ``*.bin`` are the large files.

    The worktree is that of ``main``, whose files have names that a person can have.
    """
    submodule = "1" * len(raw(repo, "blob", b""))
    odd: dict[bytes, tuple[str, bytes | str]] = {
        b'a "quoted"\nname\t\\.bin': ("100644", LARGE),
        b"caf\xe9.bin": ("100644", OTHER),
        b"[x]*?.bin": ("100755", OTHER),
        b" lead.bin": ("100644", LARGE),
        b"deep/er/and.bin/file.txt": ("100644", b"a folder with the suffix\n"),
        b"link.bin": ("120000", b"deep"),
        b"empty.bin": ("100644", b""),
        b"lib": ("160000", submodule),
        b".gitmodules": ("100644", b'[submodule "lib"]\n\tpath = lib\n\turl = ./lib\n'),
        b"notes.txt": ("100644", LARGE),
    }
    clean: dict[bytes, tuple[str, bytes | str]] = {
        b"deep/model.bin": ("100644", LARGE),
        b"tool.bin": ("100755", OTHER),
        b"small.bin": ("100644", SMALL),
        b"link.bin": ("120000", b"deep/model.bin"),
        b"notes.txt": ("100644", b"notes\n"),
    }
    before = _commit(repo, tree(repo, {b"notes.txt": ("100644", b"first\n")}), [], "no large file yet\n")
    one = _commit(repo, tree(repo, odd), [before], "odd names\n\nand more\n", "1111111111 +0545")
    # A name that is not UTF-8, in a commit that says so, and headers that nobody knows.
    latin = b"encoding ISO-8859-1\nHG:extra some:thing\n"
    two = _commit(repo, tree(repo, {**odd, b"new.bin": ("100644", SMALL)}), [one], b"caf\xe9\n", extra=latin)
    signed = b"gpgsig " + SIGNATURE.encode().replace(b"\n", b"\n ").rstrip(b" ")
    three = _commit(repo, tree(repo, clean), [one], "signed\n", extra=signed)
    # Nothing changes in it, and its message ends with no line end.
    four = _commit(repo, tree(repo, clean), [three], "empty")
    # A tree with a mode that old Git wrote.
    old = raw(repo, "tree", b"100664 old.bin\0" + bytes.fromhex(raw(repo, "blob", LARGE)))
    five = _commit(repo, old, [two], "group writable\n", "1234567890 -1200")
    tag = f"object {five}\ntype commit\ntag of-merge\ntagger {PERSON} 1 +0000\n\nmerge me\n{SIGNATURE}"
    merged = b"mergetag " + tag.encode().replace(b"\n", b"\n ").rstrip(b" ")
    six = _commit(repo, tree(repo, clean), [four, five], "merge\n", extra=merged)
    repo.git("update-ref", "refs/heads/main", six)
    repo.git("update-ref", "refs/heads/side", five)
    repo.git("update-ref", "refs/tags/first", before)
    repo.git("update-ref", "refs/tags/light", one)
    repo.git("tag", "--annotate", "--message", "annotated", "annotated", two)
    repo.git("tag", "--annotate", "--message", "nested", "nested", "annotated")
    signed_tag = f"object {four}\ntype commit\ntag signed\ntagger {PERSON} 2 +0000\n\nsigned\n{SIGNATURE}"
    repo.git("update-ref", "refs/tags/signed", raw(repo, "tag", signed_tag.encode()))
    repo.git("update-ref", "refs/tags/blob", raw(repo, "blob", LARGE))
    repo.git("update-ref", "refs/tags/tree", tree(repo, clean))
    repo.git("reset", "--quiet", "--hard", "main")


def _commit(
    repo: Repo,
    tree: str,
    parents: list[str],
    message: str | bytes,
    date: str = "1700000000 +0100",
    extra: bytes = b"",
) -> str:
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines += [f"author {PERSON} {date}", f"committer Someone Else <> {date}"]
    text = message if isinstance(message, bytes) else message.encode()
    return raw(repo, "commit", "".join(f"{line}\n" for line in lines).encode() + extra + b"\n" + text)


def headers(data: bytes) -> list[bytes]:
    """The headers of a commit that do not name other objects, and its message as the last one."""
    head, _, message = data.partition(b"\n\n")
    lines = head.replace(b"\n ", b"\0").split(b"\n")
    return [line for line in lines if not line.startswith((b"tree ", b"parent "))] + [message]
