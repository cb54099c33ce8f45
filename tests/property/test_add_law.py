"""The law of `git kit add`: whatever the worktree is like, it leaves what `git add` leaves, and says what it says."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lib.repos import Repo, clean_environ, init, some_bytes

MIB = 1 << 20
POINTER = b"version git-kit/1\noid sha256:%s\nsize 12345\n" % (b"ab" * 32)
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 12345\n" % (b"cd" * 32)
CONFLICT = b"<<<<<<< ours\n" + POINTER + b"=======\n" + LFS_POINTER + b">>>>>>> theirs\n"
PAST = 1_700_000_000

FOLDERS = [b"", b"d", b"d/e", b"sp ace", b"d.bin"]
NAMES = [b"a.bin", b"b.bin", b"c.txt", b"x y.bin", b"new\nline.bin", b"\xff\xfe.bin", b"-dash.bin", b"*.bin", b"d.bin"]
ATTRIBUTES = [
    b"*.bin filter=kit -text\n",
    b"*.bin filter=kit diff=kit merge=kit -text\nb.bin -filter\n",
    b"[attr]large filter=kit -text\n*.bin large\nx* !filter\n",
    b"* filter=kit\n.gitattributes !filter\n",
    b"*.bin filter=kit text\n",
    b"*.bin filter=kit -text ident\n",
    b"a.bin filter=kit text=auto eol=lf\nb.bin filter=lfs\n",
]
NESTED = [b"*.bin !filter\n", b"a.bin filter=kit -text\n", b"*.txt filter=kit -text\n"]
SIZES = [0, 1, 127, 1024, 1025, 5000, 70_000, MIB - 1, MIB, 3 * MIB]
ARGUMENTS = [
    *(("add", "."), ("add", "-A"), ("add", "-u"), ("add", "-v", "."), ("add", "-f", "."), ("add", "-Av", "d")),
    *(("add", "*.bin"), ("add", "--", "-dash.bin"), ("add", ":/d"), ("add", ".", ":!d"), ("add", "a.bin", "missing")),
    *(("add", "--ignore-removal", "."), ("add", "ignored/a.bin", "."), ("add", ":(literal)*.bin"), ("add", "-N", ".")),
    *(
        ("add", "-n", "."),
        ("add", "-uv", "d"),
        ("add", "-A", "-u"),
        ("add",),
        ("add", "../b.bin"),
        ("add", "d/e/../.."),
    ),
    *(("add", "--chmod=+x", "a.bin"), ("add", "--no-such-option")),
]


class File(NamedTuple):
    """What becomes of a path: ``content``, a symbolic link to it, or nothing."""

    content: bytes
    kind: str = "file"

    def put(self, path: bytes, mtime: int | None) -> None:
        if self.kind == "gone":
            _clear(path)
            return
        _clear_way(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if self.kind == "link":
            os.symlink(self.content[:20].replace(b"\0", b"0") or b"nowhere", path)
            return
        with open(path, "wb") as file:
            file.write(self.content)
        os.chmod(path, 0o755 if self.kind == "program" else 0o644)
        if mtime is not None:
            os.utime(path, (mtime, mtime))


def _clear(path: bytes) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _clear_way(path: bytes) -> None:
    """Make room for ``path``: a file may be where its folder has to be."""
    _clear(path)
    folder = os.path.dirname(path)
    while folder and not os.path.isdir(folder):
        if os.path.lexists(folder):
            os.unlink(folder)
        folder = os.path.dirname(folder)


PATHS = st.builds(
    lambda folder, name: b"/".join(filter(None, (folder, name))), st.sampled_from(FOLDERS), st.sampled_from(NAMES)
)
CONTENTS = st.one_of(
    st.builds(some_bytes, st.sampled_from(SIZES), st.integers(0, 2)), st.sampled_from([POINTER, LFS_POINTER, CONFLICT])
)
FILES = st.builds(File, CONTENTS, st.sampled_from(["file", "file", "file", "program", "link"]))
ATTRIBUTE_FILES = {
    b".gitattributes": st.sampled_from(ATTRIBUTES).map(File),
    b"d/.gitattributes": st.sampled_from(NESTED).map(File),
}
BEFORE = st.fixed_dictionaries({b".gitattributes": ATTRIBUTE_FILES[b".gitattributes"]}, optional={}).flatmap(
    lambda fixed: st.dictionaries(PATHS, FILES, max_size=5).map(lambda files: {**fixed, **files})
)
CHANGES = st.dictionaries(PATHS, FILES | st.just(File(b"", "gone")), min_size=1, max_size=6).flatmap(
    lambda files: st.fixed_dictionaries({}, optional=ATTRIBUTE_FILES).map(lambda more: {**files, **more})
)


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Git runs git kit for this person; two files may be ignored."""
    folder = tmp_path_factory.mktemp("person")
    person = init(folder / "repo", clean_environ(folder / "home"))
    person.kit("install")
    ignored = person.write("ignored", "ignored/\nc.txt\n")
    person.git("config", "--global", "core.excludesFile", str(ignored))
    return person.environ


@contextmanager
def twins(environ: dict[str, str], before: dict[bytes, File], config: tuple[str, ...]) -> Iterator[list[Repo]]:
    """Two repositories with one commit each, which are equal."""
    with tempfile.TemporaryDirectory() as folder:
        repos = [init(Path(folder) / name, environ) for name in ("kit", "git")]
        for repo in repos:
            for setting in config:
                repo.git("config", *setting.split("="))
            for path, file in before.items():
                file.put(os.fsencode(repo.path) + b"/" + path, PAST)
            repo.git("add", "-A", code=None)
            repo.git("commit", "--quiet", "--allow-empty", "-m", "before", "--no-verify")
        yield repos


def outcome(repo: Repo, code: int, stdout: str, stderr: str) -> dict[str, object]:
    ours = ("added ", "error: git add failed", "hint: its message is above")
    said = [line.replace(str(repo.path), "HERE") for line in stderr.split("\n") if not line.startswith(ours) and line]
    return {
        "succeeded": code == 0,
        "said": sorted(said),
        # Where `git add` dies, what it has told until then came to nothing.
        "printed": sorted(stdout.split("\n")) if code == 0 else [],
        "tree": repo.git("write-tree", code=None).stdout,
        "staged": repo.git("ls-files", "-s", "-z").stdout,
        "status": repo.git("status", "--porcelain", "-z").stdout,
        "leftovers": [name for name in os.listdir(repo.path / ".git") if "git-kit" in name or name.endswith(".lock")],
    }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    before=BEFORE,
    changes=CHANGES,
    arguments=st.sampled_from(ARGUMENTS),
    folder=st.sampled_from([".", ".", "d"]),
    config=st.sampled_from([(), (), ("core.fileMode=false",), ("core.autocrlf=input",), ("add.ignoreErrors=true",)]),
    is_past=st.booleans(),
)
def test_kit_add_leaves_and_says_what_git_add_does(
    environ: dict[str, str],
    before: dict[bytes, File],
    changes: dict[bytes, File],
    arguments: tuple[str, ...],
    folder: str,
    config: tuple[str, ...],
    is_past: bool,
) -> None:
    with twins(environ, before, config) as repos:
        outcomes = []
        for repo, run in zip(repos, (repos[0].kit, repos[1].git), strict=True):
            for path, file in changes.items():
                file.put(os.fsencode(repo.path) + b"/" + path, PAST + 60 if is_past else None)
            (repo.path / "ignored").mkdir(exist_ok=True)
            (repo.path / "ignored/a.bin").write_bytes(b"ignored")
            where = folder if (repo.path / folder).is_dir() else "."
            done = run(*arguments, code=None, cwd=where)
            outcomes.append(outcome(repo, done.returncode, done.stdout, done.stderr))
        assert outcomes[0] == outcomes[1]
