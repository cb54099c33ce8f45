"""Which files ``-I`` and ``-X`` mean."""

import os
import subprocess
from pathlib import Path

import pytest

from gitkit.core.selection import Selection, from_root, matches, parse_list

PATHS = [
    *("top.bin", "models/a.bin", "models/deep/b.bin", "deep/c.bin", "data/models/d.bin", "data/x.csv", "a b.bin"),
    *("x.bin/inside", "a[1].bin", "a1.bin", "dir/a[1].bin", "new\nline.bin", "*.bin", "comma,name.bin", "-d/e"),
]


def taken(pattern: str) -> set[str]:
    return {path for path in PATHS if matches(pattern, os.fsencode(path))}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (".", set(PATHS)),
        ("./", set(PATHS)),
        ("*", set(PATHS)),
        ("**", set(PATHS)),
        ("top.bin", {"top.bin"}),
        ("./top.bin", {"top.bin"}),
        ("models", {"models/a.bin", "models/deep/b.bin", "data/models/d.bin"}),
        ("models/", {"models/a.bin", "models/deep/b.bin", "data/models/d.bin"}),
        ("/models", {"models/a.bin", "models/deep/b.bin"}),
        ("./models//", {"models/a.bin", "models/deep/b.bin"}),
        ("models/*", {"models/a.bin", "models/deep/b.bin"}),
        ("models/*.bin", {"models/a.bin"}),
        ("models/**/b.bin", {"models/deep/b.bin"}),
        ("**/deep", {"models/deep/b.bin", "deep/c.bin"}),
        ("m*s", {"models/a.bin", "models/deep/b.bin", "data/models/d.bin"}),
        ("*.csv", {"data/x.csv"}),
        ("d*.bin", {"data/models/d.bin"}),
        ("a?b.bin", {"a b.bin"}),
        ("a[1].bin", {"a1.bin", "a[1].bin", "dir/a[1].bin"}),
        ("a\\[1].bin", {"a[1].bin", "dir/a[1].bin"}),
        ("new*", {"new\nline.bin"}),
        ("comma\\,name.bin", {"comma,name.bin"}),
        ("[a", set()),
        ("models/../top.bin", {"top.bin"}),
        ("../top.bin", set()),
        ("TOP.bin", set()),
    ],
)
def test_pattern_takes(pattern: str, expected: set[str]) -> None:
    assert taken(pattern) == expected


def test_pattern_from_root_takes_one_path_or_folder() -> None:
    assert taken(from_root("models")) == {"models/a.bin", "models/deep/b.bin"}
    assert taken(from_root("a[1].bin")) == {"a[1].bin", "a1.bin"}
    assert taken(from_root(".")) == set(PATHS)
    assert taken(from_root("../x")) == set()


@pytest.mark.parametrize(
    "pattern", ["*.bin", "models", "models/*", "/deep", "**/deep/**", "d*/**/*.bin", "a[!b]*", "x.bin"]
)
def test_pattern_takes_what_git_ignores_by_it(pattern: str, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".git/info/exclude").write_text(f"{pattern}\n")
    asked = "\0".join(PATHS).encode()
    argv = ["git", "check-ignore", "--no-index", "-z", "--stdin"]
    done = subprocess.run(argv, cwd=tmp_path, input=asked, capture_output=True, check=False)
    assert taken(pattern) == set(done.stdout.decode().split("\0")[:-1])


def test_selection_excludes_after_it_includes() -> None:
    selection = Selection(("models", "*.csv"), ("deep",))
    assert [path for path in PATHS if selection.takes(os.fsencode(path))] == [
        "models/a.bin",
        "data/models/d.bin",
        "data/x.csv",
    ]
    assert all(Selection().takes(os.fsencode(path)) for path in PATHS)


def test_selection_takes_names_that_are_not_utf8() -> None:
    assert matches("*.bin", b"\xff.bin")
    assert matches(os.fsdecode(b"\xff.bin"), b"d/\xff.bin")


@pytest.mark.parametrize(
    ("text", "patterns"),
    [("", ()), ("a", ("a",)), ("a,b/*", ("a", "b/*")), (" a , ,b ", ("a", "b")), ("a\\,b,c", ("a\\,b", "c"))],
)
def test_parse_list_splits_at_commas(text: str, patterns: tuple[str, ...]) -> None:
    assert parse_list(text) == patterns
