"""Packs of new objects: what git reads from them is what was put in."""

import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitkit.errors import KitError
from gitkit.git.run import Git
from gitkit.migrate.pack import Base, Pack, difference
from tests.lib.repos import Repo, init, some_bytes

TEXT = st.binary(max_size=40)


def applied(base: bytes, delta: bytes) -> bytes:
    """What a reader makes of a difference (gitformat-pack(5), "Deltified representation")."""

    def varint(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            value |= (delta[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if not delta[at - 1] & 0x80:
                return value, at

    (base_size, at), out = varint(0), b""
    size, at = varint(at)
    assert base_size == len(base)
    while at < len(delta):
        code, at = delta[at], at + 1
        if not code & 0x80:
            out, at = out + delta[at : at + code], at + code
            continue
        values = []
        for bits in ((0, 1, 2, 3), (4, 5, 6)):
            value = 0
            for number, bit in enumerate(bits):
                if code >> bit & 1:
                    value, at = value | delta[at] << 8 * number, at + 1
            values.append(value)
        out += base[values[0] : values[0] + values[1]]
    assert len(out) == size
    return out


@given(TEXT, TEXT, TEXT, TEXT)
def test_difference_makes_the_new_of_the_old(start: bytes, old: bytes, new: bytes, end: bytes) -> None:
    base, data = start + old + end, start + new + end
    assert applied(base, difference(base, data)) == data


def test_difference_of_large_texts_copies_in_several_steps() -> None:
    base = bytes(40 << 20)
    data = base + b"new" * 100
    assert applied(base, difference(base, data)) == data
    assert len(difference(base, data)) < 400


@pytest.mark.parametrize("hash_name", ["sha1", "sha256"])
def test_objects_of_a_pack_can_be_read_by_git(tmp_path: Path, environ: dict[str, str], hash_name: str) -> None:
    repo = init(tmp_path / "repo", environ, f"--object-format={hash_name}")
    texts = [some_bytes(5000, seed=1)]
    for number in range(70):
        texts.append(texts[-1][: 40 * number] + b"%d" % number + texts[-1][40 * number :])
    with tempfile.TemporaryFile() as draft:
        pack = Pack(hash_name, draft)
        oids = [pack.add(b"blob", texts[0])]
        for before, text in pairwise(texts):
            oids.append(pack.add(b"blob", text, Base(oids[-1], before)))
        assert pack.add(b"blob", texts[3]) == oids[3]
        size = draft.tell()
        pack.store(Git(str(repo.path), environ))
    assert size < 15_000
    assert [repo.blob(oid) for oid in oids] == texts
    assert repo.out("fsck", "--no-dangling") == ""


def test_pack_without_a_draft_only_names_objects(repo: Repo) -> None:
    pack = Pack("sha1", None)
    assert pack.add(b"blob", b"hello\n") == repo.git("hash-object", "--stdin", stdin=b"hello\n").stdout.strip()
    pack.store(Git(str(repo.path), repo.environ))
    assert repo.out("count-objects").startswith("0 objects")


def test_pack_that_git_cannot_write_is_an_error(tmp_path: Path, environ: dict[str, str]) -> None:
    with tempfile.TemporaryFile() as draft:
        pack = Pack("sha1", draft)
        pack.add(b"blob", b"hello\n")
        with pytest.raises(KitError, match="index-pack"):
            pack.store(Git(str(tmp_path), {**environ, "GIT_DIR": str(tmp_path / "none")}))


def test_draft_of_a_pack_is_what_git_index_pack_takes(tmp_path: Path, environ: dict[str, str]) -> None:
    """Every kind of object, in one pack."""
    repo = init(tmp_path / "repo", environ)
    with tempfile.TemporaryFile() as draft:
        pack = Pack("sha1", draft)
        blob = pack.add(b"blob", b"x" * 1000)
        tree = pack.add(b"tree", b"100644 x\0" + bytes.fromhex(blob))
        commit = pack.add(b"commit", f"tree {tree}\nauthor A <> 1 +0000\ncommitter A <> 1 +0000\n\nx\n".encode())
        tag = pack.add(b"tag", f"object {commit}\ntype commit\ntag v1\ntagger A <> 1 +0000\n\nx\n".encode())
        pack.store(Git(str(repo.path), environ))
    argv = ["git", "cat-file", "--batch-check=%(objecttype)"]
    names = "\n".join([blob, tree, commit, tag])
    done = subprocess.run(argv, input=names, cwd=repo.path, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["blob", "tree", "commit", "tag"]
    repo.git("update-ref", "refs/tags/v1", tag)
    assert repo.out("fsck", "--strict", "--no-dangling") == ""
