"""Lines of ``.gitattributes``, each checked against what the real Git makes of it."""

import os

import pytest

from gitkit.errors import UsageError
from gitkit.git.attributes import ATTRIBUTES, patterns, tracked, with_pattern, without_pattern
from gitkit.git.run import Git
from tests.lib.repos import Repo

LINE = f" {ATTRIBUTES}\n".encode()

Row = tuple[str, bytes, list[str], list[str]]

# A pattern, how the line writes it, paths that it matches and paths that it does not.
PATTERNS: list[Row] = [
    ("*.bin", b"*.bin", ["a.bin", "d/a.bin"], ["a.bin2"]),
    ("/a", b"/a", ["a"], ["d/a"]),
    ("d/**", b"d/**", ["d/a", "d/e/a"], ["a", "e/d/a"]),
    ("my model.bin", b'"my model.bin"', ["my model.bin"], ["my", "model.bin"]),
    (" a ", b'" a "', [" a "], ["a"]),
    ("a\tb", b'"a\\tb"', ["a\tb"], ["a", "atb"]),
    ("a\nb", b'"a\\nb"', ["a\nb"], ["a", "anb"]),
    ("a\rb", b'"a\\rb"', ["a\rb"], ["a"]),
    ("a\x01\x0b\x7fb", b'"a\\001\\v\\177b"', ["a\x01\x0b\x7fb"], ["ab"]),
    ('"a"', b'"\\"a\\""', ['"a"'], ["a"]),
    ('a"b', b'"a\\"b"', ['a"b'], ["ab"]),
    ('"', b'"\\""', ['"'], [""]),
    ("#a", b'"#a"', ["#a"], ["a"]),
    ("a#b", b"a#b", ["a#b"], ["a"]),
    ("\\!a", b'"\\\\!a"', ["!a"], ["a"]),
    ("a!", b"a!", ["a!"], ["a"]),
    ("\\*", b'"\\\\*"', ["*"], ["a"]),
    ("\\t b", b'"\\\\t b"', ["t b"], ["\t b"]),
    ("a\\\\tb", b'"a\\\\\\\\tb"', ["a\\tb"], ["a\tb", "atb"]),
    ("[ab]c", b"[ab]c", ["ac", "bc"], ["[ab]c"]),
    ("[atr]x", b"[atr]x", ["ax"], ["[atr]x"]),
    ("-a", b"-a", ["-a"], ["a"]),
    ("modèle/日本*", "modèle/日本*".encode(), ["modèle/日本語"], ["modele/日本語"]),
    ("é x", b'"\xc3\xa9 x"', ["é x"], ["é"]),
    ("\ufeffa", b'"\xef\xbb\xbfa"', ["\ufeffa"], ["a"]),
    ("\udcff", b"\xff", ["\udcff"], ["ÿ"]),
]

# A file, and the patterns that it puts under the filter.
READ: list[tuple[bytes, list[str]]] = [
    (b"", []),
    (b"\n\n", []),
    (b"a", []),
    (b"a filter=lfs\n", []),
    (b"a filter=kit2 xfilter=kit -filter=kit\n", []),
    (b"# a filter=kit\n", []),
    (b"  # a filter=kit\n", []),
    (b"filter=kit\n", []),
    (b"a filter=kit", ["a"]),
    (b"a filter=kit\r\n", ["a"]),
    (b" \t a \t filter=kit \t\n", ["a"]),
    (b"a\rfilter=kit\n", ["a"]),
    (b"\xef\xbb\xbfa filter=kit\n", ["a"]),
    (b"b\n\xef\xbb\xbfa filter=kit\n", ["\ufeffa"]),
    (b"a filter=kit\nb\nc filter=kit -text\n", ["a", "c"]),
    (b"!a filter=kit\n", []),
    (b'"!a" filter=kit\n', []),
    (b"[attr]kit filter=kit\n", []),
    (b'"[attr]kit" filter=kit\n', []),
    (b'"a b" filter=kit\n', ["a b"]),
    (b'"a b"filter=kit\n', ["a b"]),
    (b'"\\303\\251" filter=kit\n', ["é"]),
    (b'"a filter=kit\n', ['"a']),
    (b'"a\\q" filter=kit\n', ['"a\\q"']),
    (b'"a\\400" filter=kit\n', ['"a\\400"']),
    (b'"" filter=kit\n', []),
    (b"a\\ filter=kit\n", ["a\\"]),
]


@pytest.fixture
def git(repo: Repo) -> Git:
    return Git(str(repo.path), repo.environ)


def _matched(repo: Repo, git: Git, text: bytes, paths: list[str]) -> list[str]:
    """Those of ``paths`` that Git puts under the filter where ``text`` is its ``.gitattributes``."""
    (repo.path / ".gitattributes").write_bytes(text)
    found = tracked(git, [os.fsencode(path) for path in paths])
    return [path for path in paths if os.fsencode(path) in found]


# -- writing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", PATTERNS, ids=[repr(row[0]) for row in PATTERNS])
def test_with_pattern_writes_a_line_that_git_reads_as_that_pattern(repo: Repo, git: Git, row: Row) -> None:
    pattern, written, matched, others = row
    text = with_pattern(b"", pattern)
    assert text == written + LINE
    paths = [path for path in (*matched, *others) if path]
    assert _matched(repo, git, text, paths) == matched


def test_with_pattern_sets_every_attribute_of_the_filter(repo: Repo) -> None:
    (repo.path / ".gitattributes").write_bytes(with_pattern(b"", "*.bin"))
    found = repo.out("check-attr", "-a", "a.bin").splitlines()
    assert found == ["a.bin: diff: kit", "a.bin: merge: kit", "a.bin: text: unset", "a.bin: filter: kit"]


@pytest.mark.parametrize("pattern", [row[0] for row in PATTERNS])
@pytest.mark.parametrize("text", [b"", b"a\n", b"x filter=lfs\n# c\n\n"])
def test_with_pattern_twice_is_as_once_and_without_pattern_undoes_it(pattern: str, text: bytes) -> None:
    once = with_pattern(text, pattern)
    assert patterns(once) == [pattern]
    assert with_pattern(once, pattern) == once
    assert without_pattern(once, pattern) == text


def test_with_pattern_of_all_odd_patterns_together_keeps_them_apart() -> None:
    text = b""
    for pattern, *_ in PATTERNS:
        text = with_pattern(text, pattern)
    assert patterns(text) == [pattern for pattern, *_ in PATTERNS]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (b"b -text", b"b -text\na" + LINE),
        (b"b -text\n", b"b -text\na" + LINE),
        (b"b -text\r\n", b"b -text\r\na" + LINE.replace(b"\n", b"\r\n")),
        (b"b\r\nc", b"b\r\nc\r\na" + LINE.replace(b"\n", b"\r\n")),
        (b"a filter=kit", b"a filter=kit"),
        (b"a filter=lfs\n", b"a filter=lfs\na" + LINE),
    ],
)
def test_with_pattern_keeps_the_file_and_its_line_ends(text: bytes, result: bytes) -> None:
    assert with_pattern(text, "a") == result


@pytest.mark.parametrize("pattern", ["", "!a", "!", "[attr]a", "a\0b"])
def test_with_pattern_of_what_git_takes_for_none_is_a_usage_error(pattern: str) -> None:
    with pytest.raises(UsageError):
        with_pattern(b"", pattern)


def test_with_pattern_that_excludes_tells_how_to_name_such_a_file() -> None:
    with pytest.raises(UsageError) as caught:
        with_pattern(b"", "!a")
    assert caught.value.hint == "for names that begin with !: \\!a"


@pytest.mark.parametrize(
    ("text", "pattern", "result"),
    [
        (b"a filter=kit\n", "a", b""),
        (b"b\r\na filter=kit\r\n\r\nc", "a", b"b\r\n\r\nc"),
        (b"b\na filter=kit", "a", b"b\n"),
        (b"a filter=kit\nb\n a -text filter=kit\n", "a", b"b\n"),
        (b"a filter=lfs\n#a filter=kit\n", "a", b"a filter=lfs\n#a filter=kit\n"),
        (b'"a b" filter=kit\na filter=kit\n', "a b", b"a filter=kit\n"),
        (b"a\x0b\x0c\xff\r-x\n", "a", b"a\x0b\x0c\xff\r-x\n"),
        (b"[attr]a filter=kit\n", "[attr]a", b"[attr]a filter=kit\n"),
        (b"\n\n", "", b"\n\n"),
    ],
)
def test_without_pattern_removes_its_lines_and_keeps_all_others(text: bytes, pattern: str, result: bytes) -> None:
    assert without_pattern(text, pattern) == result


# -- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "found"), READ)
def test_patterns_of_a_file_are_those_that_git_sees(repo: Repo, git: Git, text: bytes, found: list[str]) -> None:
    assert patterns(text) == found
    plain = [pattern for pattern in found if "\\" not in pattern]  # as a path: nothing in it is special
    assert _matched(repo, git, text, [*plain, "!a", "#", "kit", "zzz"]) == plain


# -- which paths are under the filter ------------------------------------------------------------------------------


def test_tracked_without_paths_starts_no_git() -> None:
    assert tracked(Git("/nonexistent", {}), []) == set()


def test_tracked_of_many_paths_is_one_answer(repo: Repo, git: Git) -> None:
    (repo.path / ".gitattributes").write_bytes(with_pattern(b"", "*.bin"))
    paths = [b"d%d/f.%s" % (number, b"bin" if number % 2 else b"txt") for number in range(20_000)]
    assert tracked(git, paths) == set(paths[1::2])


def test_tracked_cached_reads_the_attributes_of_the_index(repo: Repo, git: Git) -> None:
    (repo.path / ".gitattributes").write_bytes(with_pattern(b"", "*.bin"))
    repo.git("add", ".gitattributes")
    (repo.path / ".gitattributes").write_bytes(b"")
    assert tracked(git, [b"a.bin"]) == set()
    assert tracked(git, [b"a.bin"], cached=True) == {b"a.bin"}


def test_tracked_with_another_filter_is_not(repo: Repo, git: Git) -> None:
    (repo.path / ".gitattributes").write_bytes(b"*.bin filter=lfs\n*.dat -filter\n*.pkl filter\n*.x filter=kit\n")
    assert tracked(git, [b"a.bin", b"a.dat", b"a.pkl", b"a.x"]) == {b"a.x"}
