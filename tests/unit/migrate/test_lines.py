"""Lines of ``.gitattributes`` in a rewritten history."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitkit.migrate.lines import KIT, deciding, macros_of, track_paths, track_patterns, untrack, verdict

BIN = b"*.bin filter=kit diff=kit merge=kit -text\n"
NOT = b"!filter !diff !merge !text\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", BIN),
        (b"# note", b"# note\n" + BIN),
        (b"*.txt text\r\n", b"*.txt text\r\n" + BIN.replace(b"\n", b"\r\n")),
        (BIN + b"*.txt text\n", BIN + b"*.txt text\n"),
        (BIN + b"*.gguf filter=kit\n", BIN + b"*.gguf filter=kit\n"),
        (b"*.bin filter=kit\n", b"*.bin filter=kit\n"),
        (BIN + b"a.bin -filter\n", b"a.bin -filter\n" + BIN),
        (b"*.bin filter=lfs\n", b"*.bin filter=lfs\n" + BIN),
        (b"*.bin filter=kit\n*.bin !filter\n", b"*.bin filter=kit\n*.bin !filter\n" + BIN),
    ],
)
def test_track_patterns_adds_a_line_unless_one_is_in_force(before: bytes, after: bytes) -> None:
    assert track_patterns(before, ["*.bin"], []) == after
    assert track_patterns(after, ["*.bin"], []) == after


def test_track_patterns_says_exceptions_behind_the_pattern() -> None:
    text = track_patterns(b"", ["*.bin"], ["small/**"])
    assert text == BIN + b"small/** " + NOT
    assert track_patterns(text, ["*.bin"], ["small/**"]) == text
    assert verdict(deciding(text, {}), b"small/a.bin") == b""
    assert verdict(deciding(text, {}), b"a.bin") == KIT


def test_track_paths_adds_only_what_is_not_tracked() -> None:
    text = track_paths(BIN, [b"a.bin", b"we[ird] *.dat", b"line\nend", b"\xff"])
    added = text[len(BIN) :].splitlines()
    assert [line.split(b" filter")[0] for line in added] == [b'"/we\\\\[ird] \\\\*.dat"', b'"/line\\nend"', b"/\xff"]
    assert track_paths(text, [b"a.bin", b"we[ird] *.dat", b"line\nend", b"\xff"]) == text


@pytest.mark.parametrize(
    ("before", "patterns", "paths", "after"),
    [
        (BIN, ["*.bin"], [b"a.bin"], b""),
        (b"# x\n" + BIN + b"*.txt text\n", ["*.bin"], [b"a.bin"], b"# x\n*.txt text\n"),
        (BIN, ["a.bin"], [b"a.bin"], BIN + b"a.bin " + NOT),
        (BIN + b"a.bin " + NOT, ["a.bin"], [b"a.bin"], BIN + b"a.bin " + NOT),
        (b"/d/a.bin filter=kit\n/d/b.bin filter=kit\n", ["*.bin"], [b"d/a.bin"], b"/d/b.bin filter=kit\n"),
        (b'"/a b.bin" filter=kit\n', ["*.bin"], [b"a b.bin"], b""),
        (b"*.bin filter=lfs diff=lfs merge=lfs -text\n", ["*.bin"], [b"a.bin"], b""),
        (b"*.bin filter=other\n", ["*.bin"], [b"a.bin"], b"*.bin filter=other\n"),
        (BIN + b"small/** " + NOT, ["*.bin"], [], b""),
        (BIN + b"*.dat filter=kit\nsmall/** " + NOT, ["*.bin"], [], b"*.dat filter=kit\nsmall/** " + NOT),
        (b"[attr]big filter=kit\n*.bin big\n", ["*.bin"], [b"a.bin"], b"[attr]big filter=kit\n*.bin big\n*.bin " + NOT),
    ],
)
def test_untrack_leaves_no_exported_file_under_a_filter(
    before: bytes, patterns: list[str], paths: list[bytes], after: bytes
) -> None:
    assert untrack(before, patterns, paths, []) == after
    assert untrack(after, patterns, paths, []) == after


@pytest.mark.parametrize("name", ["kit", "lfs"])
def test_untrack_keeps_the_filter_of_files_that_stay_pointers(name: str) -> None:
    line = f"*.bin filter={name} diff={name} merge={name} -text\n".encode()
    text = untrack(line, ["*.bin"], [b"a.bin"], [b"keep/b.bin", b"never.dat"])
    assert text == b"/keep/b.bin" + line.removeprefix(b"*.bin")


@given(
    st.lists(
        st.sampled_from([b"# x\n", b"*.txt text\n", b"a/* -diff\n", b"\n", b"*.dat filter=kit -text\n"]), max_size=4
    ),
    st.lists(st.sampled_from(["*.bin", "a/**", "x y.bin"]), min_size=1, unique=True),
)
def test_untrack_takes_back_what_track_patterns_added(lines: list[bytes], patterns: list[str]) -> None:
    text = b"".join(lines)
    assert untrack(track_patterns(text, patterns, ["none/**"]), patterns, [], []) in (
        text,
        text + b"none/** " + NOT,  # where another line tracks something, an exception may still be one
    )


def test_macros_of_the_root_count_below_it() -> None:
    macros = macros_of(b"[attr]plain -filter\n[attr]big filter=kit -text\n[attr]both big plain\n[attr]other -diff\n")
    assert macros == {b"plain": b"", b"big": b"kit", b"both": b""}
    assert verdict(deciding(b"* big\na plain\nb other\n", macros), b"a") == b""
    assert verdict(deciding(b"* big\na plain\nb other\n", macros), b"b") == KIT
    assert verdict(deciding(b"* big\n", {}), b"a") is None
