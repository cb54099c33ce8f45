"""The journey that is made in every kind of repository, and what it begins with.

Files of 0 B, 10 KiB and 1 MiB go through Git when they are checked out, those of 1 MiB + 1 and 3 MiB are filled in
after Git has done its work: every step meets both ways.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.lib.large_files import ATTRIBUTES, MIB, blob_in, drafts, pointer_to, read_by_status
from tests.lib.repos import Repo, init, some_bytes

MAIN = {
    "empty.bin": b"",
    "models/10k.bin": some_bytes(10 << 10, seed=1),
    "models/1m.bin": some_bytes(MIB, seed=2),
    "models/1m and 1.bin": some_bytes(MIB + 1, seed=3),
    "models/deep/3m.bin": some_bytes(3 * MIB, seed=4),
}
"""The large files of branch ``main``."""
SIDE = {
    **MAIN,
    "models/10k.bin": some_bytes(10 << 10, seed=5),
    "models/deep/3m.bin": some_bytes(3 * MIB, seed=6),
    "models/side.bin": some_bytes(MIB + 1, seed=7),
}
"""Those of branch ``side``: one more, and two with other content of the same length."""
PLAIN = {
    ".gitattributes": ATTRIBUTES,
    "Kitfile": "manifestVersion: 1.0.0\npackage: {name: m}\nmodel: {path: models/deep/3m.bin}\n",
    "README.md": "line one\nline two\n",
    "other/notes.txt": "notes\n",
}
NEW = {"models/deep/3m.bin": some_bytes(3 * MIB - 5, seed=8), "models/10k.bin": some_bytes(9 << 10, seed=9)}
"""What the journey commits."""


class Upstream(NamedTuple):
    """A bare repository with the branches ``main`` and ``side`` and the tag ``v1.0.0``, and the folder that holds the
    content of ``main`` and ``side``."""

    bare: Repo
    layout: Path

    def copy(self, folder: Path, environ: Mapping[str, str]) -> "Upstream":
        """The same, to be pushed to, below ``folder``."""
        shutil.copytree(self.bare.path.parent, folder, symlinks=True)
        return Upstream(Repo(folder / self.bare.path.name, environ), folder / self.layout.name)

    def trust(self, environ: Mapping[str, str]) -> None:
        """Have all repositories of the person of ``environ`` take and bring content from here."""
        Repo(self.bare.path, environ).git("config", "--global", "kit.url", f"oci-layout:{self.layout}")

    def clone(self, path: Path, environ: Mapping[str, str], *options: str) -> Repo:
        """A clone over Git's own transport, in which ``options`` such as ``--filter`` work."""
        Repo(self.bare.path, environ).git("clone", "--quiet", *options, f"file://{self.bare.path}", str(path))
        return Repo(path, environ)


def publish(folder: Path, environ: Mapping[str, str], object_format: str) -> Upstream:
    """Make the upstream repository that ``Upstream`` describes, below ``folder``."""
    bare = init(folder / "bare.git", environ, "--bare", f"--object-format={object_format}")
    bare.git("config", "uploadpack.allowFilter", "true")
    bare.git("config", "uploadpack.allowAnySHA1InWant", "true")
    author = init(folder / "author", environ, f"--object-format={object_format}")
    author.git("config", "kit.url", f"oci-layout:{folder / 'layout'}")
    author.git("remote", "add", "origin", str(bare.path))
    author.commit("before", {**PLAIN, "README.md": "line one\n"})
    author.commit("main", {**PLAIN, **MAIN})
    author.git("tag", "--annotate", "--message", "one", "v1.0.0")
    author.git("switch", "--quiet", "--create", "side")
    author.commit("side", SIDE)
    author.git("push", "--quiet", "origin", "main", "side", "v1.0.0")
    shutil.rmtree(author.path)
    return Upstream(bare, folder / "layout")


def assert_files(repo: Repo, expected: Mapping[str, bytes]) -> None:
    """The worktree has exactly ``expected`` as its ``*.bin`` files."""
    found = {str(path.relative_to(repo.path)): path for path in repo.path.rglob("*.bin")}
    assert sorted(found) == sorted(expected)
    wrong = [name for name, path in found.items() if path.read_bytes() != expected[name]]
    assert wrong == []


def assert_clean(repo: Repo) -> None:
    """`git status` has nothing to say and reads no large file to find that out."""
    assert read_by_status(repo) - {"empty.bin"} == set()


def travel(repo: Repo, upstream: Upstream, *, inside: str = "") -> None:
    """The journey, in a worktree of ``main`` that can push. ``inside``: all that it has begins with this."""
    main, side, new = (
        {path: data for path, data in files.items() if path.startswith(inside)} for files in (MAIN, SIDE, NEW)
    )
    assert_files(repo, main)
    assert_clean(repo)
    for path, data in new.items():
        repo.write(path, data)
    assert repo.out("status", "--porcelain").split("\n") == [f" M {path}" for path in sorted(new)]
    repo.git("commit", "--quiet", "--all", "--message", "new")
    for path, data in new.items():
        assert repo.blob(f"HEAD:{path}") == pointer_to(data)
    repo.git("push", "--quiet", "origin", "HEAD:refs/heads/new")
    assert all(blob_in(upstream.layout, data).read_bytes() == data for data in new.values())

    repo.git("switch", "--quiet", "--detach", "origin/side")
    assert_files(repo, side)
    assert_clean(repo)
    for path, data in new.items():
        repo.write(path, data[::-1])
    repo.git("stash", "--quiet")
    assert_files(repo, side)
    repo.git("stash", "pop", "--quiet")
    assert_files(repo, {**side, **{path: data[::-1] for path, data in new.items()}})
    repo.git("restore", ".")
    repo.git("switch", "--quiet", "--detach", "origin/new")
    assert_files(repo, {**main, **new})
    assert_clean(repo)
    assert_sound(repo)


def assert_sound(repo: Repo) -> None:
    """Git kit finds nothing wrong and nothing left over."""
    status = json.loads(repo.kit("status", "--json").stdout)
    assert [status[name] for name in ("staged", "changed", "missing", "unpushed")] == [[]] * 4
    checked = json.loads(repo.kit("fsck", "--json").stdout)
    assert [checked[name] for name in ("corrupt", "content", "damaged_pointers", "missing")] == [[]] * 4
    assert drafts(repo) == []
