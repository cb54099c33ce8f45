"""``.kitignore``: every row was checked against moby's patternmatcher 0.6, which KitOps uses."""

import pytest

from gitkit.core.ignore import parse_ignore
from gitkit.errors import InvalidFile


@pytest.mark.parametrize(
    ("pattern", "ignored", "kept"),
    [
        ("a", ["a", "a/b", "a/b/c"], ["b", "b/a", "ab", "A"]),
        ("a/b", ["a/b", "a/b/c"], ["a", "b", "x/a/b"]),
        ("/a", ["a", "a/b"], ["b/a"]),
        ("a/", ["a", "a/b"], ["b/a"]),
        ("./a//b/../c", ["a/c"], ["a/b", "a/b/c", "c"]),
        ("../a", [], ["a", "../b"]),
        (".", [], ["a"]),
        ("/", [], ["a"]),
        ("*", ["a", "a/b", ".a"], []),
        ("*.log", ["a.log", ".log", "a.log/b"], ["b/a.log", "a.logs"]),
        ("a/*", ["a/b", "a/b/c"], ["a", "b"]),
        ("a?c", ["abc", "aéc"], ["ac", "a/c", "abbc"]),
        ("**", ["a", "a/b"], []),
        ("**/a", ["a", "b/a", "b/c/a", "b/a/c"], ["ba", "b/ca"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a"]),
        ("a/**/b", ["a/b", "a/c/b", "a/c/d/b"], ["ab", "a/cb", "a"]),
        ("**/*.log", ["a.log", "b/a.log"], ["b/a.txt"]),
        ("**.log", ["a.log", "b/a.log"], ["a.txt"]),
        ("**a*", ["a", "ab", "b/ab"], ["ba", "b/ca"]),
        ("a**b", ["ab", "ac/b"], ["acb", "a"]),
        ("a**", ["a", "abc", "ab/c"], ["b/a"]),
        ("[a-c]x", ["ax", "bx", "cx"], ["dx", "x"]),
        ("[^a]x", ["bx"], ["ax"]),
        ("[a^]x", ["ax", "^x"], ["bx"]),
        ("[!a]x", ["ax", "!x"], ["bx"]),
        ("[a&&b]x", ["ax", "&x", "bx"], ["cx"]),
        ("[[a]x", ["[x", "ax"], ["bx"]),
        ("[\\]a]x", ["]x", "ax"], ["bx"]),
        ("[\\-a]x", ["-x", "ax"], ["bx"]),
        ("a]", ["a]"], ["a"]),
        ("\\*", ["*"], ["a"]),
        ("\\!a", ["!a"], ["a"]),
        ("\\#a", ["#a"], ["a"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a+(b)|{c}$^", ["a+(b)|{c}$^"], ["aab"]),
        ("  a  ", ["a"], ["  a  "]),
        ("a b", ["a b"], ["a"]),
        (" #a", ["#a"], ["a"]),
        ("é", ["é"], ["e"]),
    ],
)
def test_pattern_ignores_what_moby_ignores(pattern: str, ignored: list[str], kept: list[str]) -> None:
    is_ignored = parse_ignore(pattern)
    assert [path for path in (*ignored, *kept) if is_ignored(path)] == ignored


@pytest.mark.parametrize(
    ("text", "ignored", "kept"),
    [
        ("", [], ["a"]),
        ("# a\n#b\n\n   \n", [], ["a", "b", "#b"]),
        ("\ufeffa", ["a"], ["\ufeffa"]),
        ("a\r\nb\r\n", ["a", "b"], ["c"]),
        ("a\x0bb", ["a\x0bb"], ["a", "b"]),
        ("*\n!a", ["b", "b/a"], ["a", "a/b"]),
        ("!a\n*", ["a", "b"], []),
        ("*\n! /a ", ["b"], ["a"]),
        ("a\n!a/b\na/b/c", ["a", "a/x", "a/b/c"], ["a/b", "a/b/d"]),
        ("*\n!!a", ["a"], ["!a"]),
        ("**\n!**/*.md", ["a", "b/a"], ["a.md", "b/a.md"]),
    ],
)
def test_lines_together_the_last_match_wins(text: str, ignored: list[str], kept: list[str]) -> None:
    is_ignored = parse_ignore(text)
    assert [path for path in (*ignored, *kept) if is_ignored(path)] == ignored


@pytest.mark.parametrize("text", ["", "!Kitfile\n!.kitignore"])
def test_kitfile_and_kitignore_at_the_root_are_always_ignored(text: str) -> None:
    is_ignored = parse_ignore(text)
    assert all(is_ignored(name) for name in ("Kitfile", "kitfile", ".kitfile", ".kitignore"))
    assert not is_ignored("sub/Kitfile")


@pytest.mark.parametrize("line", ["[", "[a", "[]", "[]a]", "[a-]", "[-a]", "[z-a]", "a\\", "[a\\", "!", "! ", "![z-a]"])
def test_line_that_is_no_pattern_is_invalid_and_named(line: str) -> None:
    with pytest.raises(InvalidFile, match=r"^\.kitignore line 2: .* is not a pattern: "):
        parse_ignore(f"a\n{line}\nb")
