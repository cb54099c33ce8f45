"""Pointers: the rules and the table of ``docs/pointer.md``, and what Git LFS itself writes."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.pointer import MAX_SIZE, Pointer, parse, resembles
from tests.golden.make import DIGEST, pointers_rejected, stored

PAGE = (Path(__file__).parents[3] / "docs" / "pointer.md").read_text(encoding="utf-8")
PLAIN = Pointer(DIGEST, 6)
ACCEPTED = stored("pointer/accepted")
LFS = stored("pointer/lfs")
REJECTED = stored("pointer/rejected")

_ROW = re.compile(r"\| `(?P<bytes>[^`]*)` \| (?P<kind>[^|]*[^| ]) \|[^|]*\|")
_KINDS = {"pointer": (True, False), "Git LFS pointer": (True, True), "content": (False, False)}


def _documented() -> list[tuple[bytes, str]]:
    """The table's bytes and what it says they are."""
    section = PAGE.partition("## Accepted and rejected")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [(_expanded(found["bytes"]), found["kind"]) for row in rows if (found := _ROW.fullmatch(row))]


def _expanded(text: str) -> bytes:
    text = text.replace("$d", DIGEST)
    return re.sub(rb"\\(n|r|t|x..)", lambda found: _escape(found[1]), text.encode())


def _escape(code: bytes) -> bytes:
    return {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(code) or bytes.fromhex(code[1:].decode())


# -- the documented format -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "kind"), _documented())
def test_parse_of_each_documented_case_is_what_the_page_says(data: bytes, kind: str) -> None:
    found = parse(data)
    assert (found is not None, found is not None and found.lfs) == _KINDS[kind]


def test_documented_cases_are_the_golden_files() -> None:
    in_words = {ACCEPTED["size-1024"], REJECTED["1-size-1025"], REJECTED["9-empty"]}
    golden = {*ACCEPTED.values(), *LFS.values(), *REJECTED.values()}
    assert {data for data, _ in _documented()} == golden - in_words


def test_example_at_the_top_of_the_page_is_the_golden_pointer() -> None:
    assert PAGE.split("```\n")[1].encode() == ACCEPTED["plain"]


def test_recipe_of_the_page_in_a_shell_prints_the_pointer(tmp_path: Path) -> None:
    recipe = PAGE.partition("```sh\n")[2].partition("```")[0]
    done = subprocess.run(["sh", "-eu", "-c", recipe], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout == ACCEPTED["plain"]
    assert (tmp_path / "model.bin").read_bytes() == b"hello\n"


def test_size_and_names_of_the_example_are_as_the_page_says(tmp_path: Path) -> None:
    file = tmp_path / "pointer"
    file.write_bytes(ACCEPTED["plain"])
    oid = subprocess.run(
        ["git", "hash-object", "--no-filters", file], capture_output=True, check=True, text=True
    ).stdout
    assert f"has {len(ACCEPTED['plain'])} bytes" in PAGE
    assert digest_of(ACCEPTED["plain"]).removeprefix("sha256:") in PAGE
    assert oid.strip() in PAGE


# -- golden bytes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "pointer"),
    [
        ("plain", PLAIN),
        ("largest-content", Pointer(DIGEST, 9223372036854775807)),
        ("further-keys", Pointer(DIGEST, 6, (("a", "1"), ("b.c-d", "2")))),
        ("value-with-space", Pointer(DIGEST, 6, (("note", "two words"),))),
        ("value-utf8", Pointer(DIGEST, 6, (("note", "é"),))),
    ],
)
def test_golden_pointer_parsed_has_its_values_and_encodes_to_the_same_bytes(name: str, pointer: Pointer) -> None:
    assert parse(ACCEPTED[name]) == pointer
    assert pointer.encode() == ACCEPTED[name]


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_accepted_golden_file_encodes_to_itself(name: str) -> None:
    found = parse(ACCEPTED[name])
    assert found is not None
    assert found.encode() == ACCEPTED[name]


@pytest.mark.parametrize("name", sorted(REJECTED))
def test_rejected_golden_file_is_content(name: str) -> None:
    assert parse(REJECTED[name]) is None


def test_plain_golden_pointer_is_spelled_out_here_too() -> None:
    assert ACCEPTED["plain"] == (
        b"version git-kit/1\noid sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\nsize 6\n"
    )


# -- limits --------------------------------------------------------------------------------------------------------


def test_parse_at_the_size_limit_accepts_and_one_byte_more_rejects() -> None:
    at_limit, over = ACCEPTED["size-1024"], REJECTED["1-size-1025"]
    assert (len(at_limit), len(over)) == (MAX_SIZE, MAX_SIZE + 1) == (1024, 1025)
    assert parse(at_limit) is not None
    assert parse(over) is None


@pytest.mark.parametrize("code", [code for code in (*range(32), 127) if code != 10])
def test_parse_with_an_ascii_control_character_in_a_value_rejects(code: int) -> None:
    assert parse(PLAIN.encode() + b"note a" + bytes([code]) + b"b\n") is None


@pytest.mark.parametrize("char", ["\u00a0", "\u0085", "\u2028", "\u200b", "\ufeff", "\U0001fae8", "\U0010ffff"])
def test_parse_with_any_character_beyond_ascii_in_a_value_accepts_on_every_python(char: str) -> None:
    pointer = Pointer(DIGEST, 6, (("note", f"a{char}b"),))
    assert parse(pointer.encode()) == pointer


@pytest.mark.parametrize("size", ["", "1_0", "\u0661", "1.0", "1e3", "0x6", " 6", "6 ", "-6", "9" * 20])
def test_parse_with_a_size_that_is_no_plain_number_rejects(size: str) -> None:
    assert parse(f"version git-kit/1\noid {DIGEST}\nsize {size}\n".encode()) is None


@pytest.mark.parametrize("extra", ["version git-kit/1", f"oid {DIGEST}"])
def test_parse_with_a_reserved_key_among_further_keys_rejects(extra: str) -> None:
    assert parse(PLAIN.encode() + f"{extra}\n".encode()) is None


@pytest.mark.parametrize("data", [b"", b"\n", b"version git-kit/1\n", b"version git-kit/1\n\n", b"\0" * 100])
def test_parse_of_a_fragment_rejects(data: bytes) -> None:
    assert parse(data) is None


def test_further_lines_of_a_pointer_survive_parse_and_encode_in_their_order() -> None:
    data = PLAIN.encode() + b"- dash\n. dot\n0 zero\na a b  c \nz =\n"
    found = parse(data)
    assert found is not None
    assert [key for key, _ in found.extra] == ["-", ".", "0", "a", "z"]
    assert dict(found.extra)["a"] == "a b  c "
    assert found.encode() == data


# -- Git LFS -------------------------------------------------------------------------------------------------------


def test_lfs_pointer_parsed_is_marked_and_encodes_as_our_own() -> None:
    found = parse(LFS["plain"])
    assert found == Pointer(DIGEST, 6, lfs=True)
    assert found is not None
    assert found.encode() == PLAIN.encode()


@pytest.mark.parametrize(
    "lines",
    [
        f"ext-0-foo {DIGEST}\noid {DIGEST}\nsize 6\n",
        f"oid {DIGEST}\nsize 6\nz extra\n",
        f"size 6\noid {DIGEST}\n",
        f"oid {DIGEST}\nsize 0\n",
        f"oid {DIGEST}\nsize 6",
        f"oid {DIGEST}\r\nsize 6\r\n",
        f"oid {DIGEST.upper()}\nsize 6\n",
    ],
)
def test_lfs_pointer_that_is_not_canonical_is_content(lines: str) -> None:
    assert parse(f"version https://git-lfs.github.com/spec/v1\n{lines}".encode()) is None


@pytest.mark.parametrize("version", ["https://hawser.github.com/spec/v1", "http://git-media.io/v/2"])
def test_lfs_pointer_of_an_older_version_is_content(version: str) -> None:
    assert parse(f"version {version}\noid {DIGEST}\nsize 6\n".encode()) is None


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not on PATH")
def test_lfs_pointer_that_git_lfs_writes_names_the_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40
    (tmp_path / "file").write_bytes(content)
    written = subprocess.run(
        ["git-lfs", "pointer", "--file=file"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    assert parse(written) == Pointer(digest_of(content), len(content), lfs=True)


# -- what resembles a pointer --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in sorted(REJECTED) if name not in ("4-version-last", "9-empty")])
def test_resembles_with_a_damaged_pointer_is_true(name: str) -> None:
    assert resembles(REJECTED[name])


@pytest.mark.parametrize("data", [*ACCEPTED.values(), *LFS.values()])
def test_resembles_with_a_pointer_is_false(data: bytes) -> None:
    assert not resembles(data)


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"x" * 5000, b"the version git-kit/1\n", pointers_rejected()["4-version-last"]]
)
def test_resembles_with_other_content_is_false(data: bytes) -> None:
    assert not resembles(data)


def test_resembles_with_an_lfs_pointer_that_has_extensions_is_true() -> None:
    assert resembles(f"version https://git-lfs.github.com/spec/v1\next-0-x {DIGEST}\noid {DIGEST}\nsize 6\n".encode())
