"""Patterns of a migration: what they match is what Git says of the same pattern in ``.gitattributes``."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitkit.errors import UsageError
from gitkit.git.attributes import with_pattern
from gitkit.migrate.patterns import Selection, compile_pattern, exact, is_literal, refuse_readable
from tests.lib.repos import Repo

PATHS = [
    *("a", "b", "ab", "a.bin", "x/a.bin", "x/y/a.bin", "x/ab", "a/x", "a/x/b", "a/b", "-", "x/-", "]", "a]", "[a]"),
    *("a*", "x/a?", "\\a", "a\\", "!a", "a b", " a", "a\tb", "A", "0", "x/0", "b/x/y", "é", "x/é", "^", "a-b"),
]
ATOMS = [
    *("a", "b", "x", "*", "**", "/", "?", "[a]", "[!a]", "[^b]", "[a-z]", "[]a]", "\\a", "\\*", ".bin", "[[:alpha:]]"),
    *("[[:digit:]x]", "[", "!", "-", "[a\\]]", "\\", "[--0]", "]", " ", "[[:bogus:]]", "[!]]", "***", "[z-a]", "é"),
]


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.bin", b"x/y/a.bin", True),
        ("*.bin", b"a.bin/b", False),
        ("/*.bin", b"x/a.bin", False),
        ("x/*.bin", b"x/y/a.bin", False),
        ("x/**/*.bin", b"x/a.bin", True),
        ("x/**", b"x/y/a.bin", True),
        ("**/y/*", b"x/y/a.bin", True),
        ("x**", b"x/a", False),
        ("models/", b"models/a", False),
        ("[a", b"[a", False),
        ("*", b"line\nend", True),
        ("caf?", b"caf\xe9", True),
    ],
)
def test_pattern_matches_whole_paths_as_gitattributes_do(pattern: str, path: bytes, expected: bool) -> None:
    assert (compile_pattern(pattern.encode()).fullmatch(path) is not None) is expected


def test_random_patterns_match_what_git_says(repo: Repo) -> None:
    lines: list[tuple[str, set[str]]] = []

    @settings(max_examples=60, deadline=None, database=None)
    @given(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=5).map("".join))
    def collect(pattern: str) -> None:
        # Git compares the addresses of two buffers to decide about stars that follow a name (before version 2.42).
        if pattern.strip() and not pattern.startswith(("!", "#")) and "a**" not in pattern.replace("***", "**"):
            taken = {path for path in PATHS if compile_pattern(pattern.encode()).fullmatch(path.encode())}
            lines.append((pattern, taken))

    collect()
    for number, (pattern, _) in enumerate(lines):
        line = with_pattern(b"", pattern).decode()
        repo.write(f"{number}/.gitattributes", line)
    names = "".join(f"{number}/{path}\0" for number in range(len(lines)) for path in PATHS).encode()
    fields = repo.git("check-attr", "-z", "--stdin", "filter", stdin=names).stdout.split("\0")
    found: dict[int, set[str]] = {number: set() for number in range(len(lines))}
    for name, value in zip(fields[0::3], fields[2::3], strict=False):
        number, _, path = name.partition("/")
        if value == "kit":
            found[int(number)].add(path)
    assert [(pattern, found[number]) for number, (pattern, _) in enumerate(lines)] == lines


@given(st.binary(min_size=1, max_size=12).filter(lambda path: b"\0" not in path and not path.startswith(b"/")))
def test_exact_pattern_matches_its_path_and_is_literal(path: bytes) -> None:
    pattern = exact(path).encode("utf-8", "surrogateescape")
    assert compile_pattern(pattern).fullmatch(path) or path.endswith(b"/")
    assert not compile_pattern(pattern).fullmatch(b"x/" + path)
    assert is_literal(pattern)


@pytest.mark.parametrize("pattern", ["*.bin", "a/b?", "a/[b]", "a/\\\\*", "plain"])
def test_pattern_that_may_take_several_paths_is_not_literal(pattern: str) -> None:
    assert not is_literal(pattern.encode())


def test_selection_takes_what_is_included_and_not_excluded() -> None:
    chosen = Selection(include=("*.bin", "data/**"), exclude=("data/small/*",))
    taken = [
        path for path in (b"a.bin", b"data/x", b"data/small/a.bin", b"a.txt", b"data/.gitignore") if chosen.takes(path)
    ]
    assert taken == [b"a.bin", b"data/x"]
    assert chosen.by_pattern and not Selection(include=("*.bin",), above=1).by_pattern


@pytest.mark.parametrize("pattern", ["*", ".*", "Kitfile", "**", "*.toml"])
def test_pattern_that_takes_in_what_must_stay_readable_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError):
        refuse_readable([pattern])


@pytest.mark.parametrize("pattern", ["", "!a", "models/", "a\0b"])
def test_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError):
        Selection(include=(pattern,))
