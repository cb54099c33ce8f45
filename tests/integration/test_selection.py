"""Which files get their content: by -I, -X and paths; by ``kit.include`` and ``kit.exclude`` where none is given."""

from pathlib import Path

import pytest

from tests.lib.large_files import ATTRIBUTES, SKIP, digests_in, pointer_to, store_of
from tests.lib.repos import Repo, init, run, some_bytes

FILES = {
    path: some_bytes(100, seed=number) for number, path in enumerate(["top.bin", "a/x.bin", "a/y.bin", "b/a/z.bin"])
}
LARGE = some_bytes(2 << 20, seed=9)


@pytest.fixture
def origin(kit_repo: Repo, tmp_path: Path) -> Repo:
    """A bare repository that holds all content."""
    bare = init(tmp_path / "bare.git", kit_repo.environ, "--bare")
    kit_repo.commit(files={".gitattributes": ATTRIBUTES, "b/large.bin": LARGE, **FILES})
    kit_repo.git("push", "--quiet", str(bare.path), "main")
    return bare


@pytest.fixture
def lazy(origin: Repo, tmp_path: Path) -> Repo:
    """A clone of pointers alone."""
    run(["git", "clone", "--quiet", str(origin.path), "lazy"], cwd=tmp_path, environ={**origin.environ, **SKIP})
    return Repo(tmp_path / "lazy", origin.environ)


def filled(repo: Repo) -> list[str]:
    """Files whose content is in the worktree."""
    every = {**FILES, "b/large.bin": LARGE}
    assert all(repo.read(path) in (data, pointer_to(data)) for path, data in every.items())
    return sorted(path for path, data in every.items() if repo.read(path) == data)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-I", "top.bin,/a"], ["a/x.bin", "a/y.bin", "top.bin"]),
        (["-I", "top.bin", "-I", "z.bin"], ["b/a/z.bin", "top.bin"]),
        (["-I", "a"], ["a/x.bin", "a/y.bin", "b/a/z.bin"]),
        (["-X", "a, large.bin"], ["top.bin"]),
        (["b", "-X", "*.bin"], []),
        (["a"], ["a/x.bin", "a/y.bin"]),
        (["./top.bin", "a/y.bin"], ["a/y.bin", "top.bin"]),
    ],
)
def test_pull_brings_what_is_selected(lazy: Repo, options: list[str], expected: list[str]) -> None:
    lazy.kit("pull", *options)
    assert filled(lazy) == expected
    assert len(digests_in(store_of(lazy))) == len(expected)


def test_pull_in_a_folder_takes_paths_from_there_and_patterns_from_the_root(lazy: Repo) -> None:
    lazy.kit("pull", "a", cwd="b")
    assert filled(lazy) == ["b/a/z.bin"]
    lazy.kit("pull", "-I", "/a/x.bin", cwd="b")
    assert filled(lazy) == ["a/x.bin", "b/a/z.bin"]
    assert "no large file matches b/nothing" in lazy.kit("pull", "nothing", cwd="b", code=10).stderr


def test_pull_and_fetch_follow_the_settings_of_the_clone_until_told_otherwise(lazy: Repo) -> None:
    lazy.git("config", "kit.exclude", "b, y.bin")
    lazy.git("config", "kit.include", "*.bin")
    lazy.kit("fetch")
    assert len(digests_in(store_of(lazy))) == 2
    lazy.kit("pull")
    assert filled(lazy) == ["a/x.bin", "top.bin"]
    lazy.kit("pull", "b/a")
    assert filled(lazy) == ["a/x.bin", "b/a/z.bin", "top.bin"]
    lazy.kit("pull", "-I", "*")
    assert len(filled(lazy)) == 5


def test_checkout_of_what_is_here_already_asks_no_settings(lazy: Repo) -> None:
    lazy.git("config", "kit.exclude", "*")
    lazy.kit("fetch", "-I", "top.bin")
    lazy.kit("checkout")
    assert filled(lazy) == ["top.bin"]


@pytest.mark.parametrize("command", [["git", "clone"], ["git", "kit", "clone"]])
def test_clone_with_settings_downloads_nothing_else_and_says_nothing_of_it(
    origin: Repo, tmp_path: Path, command: list[str]
) -> None:
    settings = ["-c", "kit.exclude=a,large.bin"]
    done = run([*command, *settings, str(origin.path), "new"], cwd=tmp_path, environ=origin.environ)
    clone = Repo(tmp_path / "new", origin.environ)
    assert filled(clone) == ["top.bin"]
    assert "pointer" not in done.stderr
    assert clone.out("status", "--porcelain") == ""


def test_checkout_by_git_gives_content_that_is_here_though_it_is_excluded(lazy: Repo) -> None:
    lazy.kit("fetch", "-I", "top.bin,large.bin")
    lazy.git("config", "kit.exclude", "*")
    for path in ("top.bin", "b/large.bin", "a/x.bin"):
        (lazy.path / path).unlink()
    lazy.git("checkout", "--", ".")
    assert filled(lazy) == ["b/large.bin", "top.bin"]
