"""Switching lines of ``.gitattributes`` from Git LFS: what changes, and that nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitkit.git.attributes import ATTRIBUTES
from gitkit.migrate.lfs_lines import Dropped, switched

KIT = ATTRIBUTES.encode()
LFS = b"filter=lfs diff=lfs merge=lfs -text"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"*.bin " + LFS, b"*.bin " + KIT),
        (b"*.bin\t" + LFS + b" \r\n", b"*.bin\t" + KIT + b" \r\n"),
        (b"  *.bin filter=lfs\n", b"  *.bin " + KIT + b"\n"),
        (b"*.bin -text merge=lfs diff=lfs filter=lfs\n", b"*.bin " + KIT + b"\n"),
        (b'"my \\"file\\".bin" ' + LFS + b"\n", b'"my \\"file\\".bin" ' + KIT + b"\n"),
        (b"a[[:space:]]b.bin " + LFS + b"\n", b"a[[:space:]]b.bin " + KIT + b"\n"),
        (b"[attr]large " + LFS + b"\n", b"[attr]large " + KIT + b"\n"),
        (b"\xef\xbb\xbf*.bin " + LFS + b"\n", b"\xef\xbb\xbf*.bin " + KIT + b"\n"),
        (b"\xff*.bin " + LFS + b"\n", b"\xff*.bin " + KIT + b"\n"),
        (b"*.bin  " + LFS + b"  export-ignore\n", b"*.bin  " + KIT + b"  export-ignore\n"),
        (b"*.bin filter=lfs diff=numpy -text\n", b"*.bin filter=kit merge=kit -text diff=numpy\n"),
        (b"*.bin filter=lfs -merge -text\n", b"*.bin filter=kit diff=kit -text -merge\n"),
        (b"*.bin filter=lfs binary\n", b"*.bin filter=kit -text binary\n"),
    ],
)
def test_line_of_git_lfs_becomes_one_of_git_kit(line: bytes, expected: bytes) -> None:
    found = switched(line)
    assert found.text == expected
    assert found.patterns and not found.dropped


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"# *.bin " + LFS + b"\n",
        b"  # *.bin filter=lfs\r\n\r\n",
        b"*.txt text eol=lf\n*.md diff=lfs\n",
        b"filter=lfs -text\n",
        b"*.bin filter=lfs2\n*.bin -filter\n*.bin !filter\n",
        b"*.bin " + KIT + b" lockable",
    ],
)
def test_other_lines_stay_byte_for_byte(text: bytes) -> None:
    assert switched(text) == (text, [], [])


@pytest.mark.parametrize(
    ("attributes", "lost"),
    [
        (b"filter=lfs diff=lfs merge=lfs -text lockable", ["lockable"]),
        (b"filter=lfs text=auto eol=crlf", ["text=auto", "eol=crlf"]),
        (b"!text filter=lfs -crlf", ["!text", "-crlf"]),
    ],
)
def test_attributes_that_cannot_stay_are_told(attributes: bytes, lost: list[str]) -> None:
    found = switched(b"*.bin " + attributes + b"\n")
    assert found.text == b"*.bin " + KIT + b"\n"
    assert found.dropped == [Dropped("*.bin", attribute) for attribute in lost]


def test_patterns_are_told_in_their_order() -> None:
    text = b"*.bin " + LFS + b"\n# here\n*.txt text\nmodels/** " + LFS + b" lockable\n"
    assert switched(text).patterns == ["*.bin", "models/**"]


WORDS = st.sampled_from([b"filter=lfs", b"diff=lfs", b"merge=lfs", b"-text", b"text", b"lockable", b"a=b", b"-diff"])
LINES = st.one_of(
    st.binary(max_size=30),
    st.tuples(st.sampled_from([b"*.bin", b'"a b"', b"#x", b""]), st.lists(WORDS)).map(
        lambda line: b" ".join([line[0], *line[1]])
    ),
)


@given(st.lists(LINES))
def test_switching_twice_is_switching_once_and_leaves_nothing_to_git_lfs(lines: list[bytes]) -> None:
    text = b"\n".join(lines)
    once = switched(text)
    assert switched(once.text) == (once.text, [], [])
    assert once.text.count(b"\n") == text.count(b"\n")
    assert (once.text == text) == (not once.patterns)
    assert once.text.count(b"filter=kit") >= len(once.patterns)
