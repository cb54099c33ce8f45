"""What DVC writes, read: every form of it, and nothing that leads out of the worktree."""

import json

import pytest

from gitkit.errors import InvalidFile
from gitkit.migrate.dvc_files import (
    Folder,
    Hash,
    Listed,
    Refused,
    Wanted,
    parse_dvc,
    parse_list,
    parse_lock,
    without_line,
)

MD5 = "0123456789abcdef" * 2


def outs(text: str, path: bytes = b"data/x.dvc") -> list[object]:
    return list(parse_dvc(text.encode(), path).outs)


def test_file_of_dvc_3_is_a_file_beside_it() -> None:
    text = f"outs:\n- md5: {MD5}\n  size: 12\n  hash: md5\n  path: x\n"
    assert outs(text) == [Wanted(b"data/x", Hash(MD5, False), 12, False)]


def test_file_of_dvc_2_may_be_hashed_with_other_line_ends() -> None:
    text = f"outs:\n- md5: {MD5}\n  size: 12\n  isexec: true\n  path: x\n"
    assert outs(text) == [Wanted(b"data/x", Hash(MD5, True), 12, True)]


def test_md5_of_digits_alone_stays_text() -> None:
    digits = "12345678901234567890123456789012"
    assert outs(f"outs:\n- {{md5: {digits}, path: x}}\n") == [Wanted(b"data/x", Hash(digits, True), None, False)]


def test_folder_is_known_by_its_list() -> None:
    text = f"wdir: ../models\nouts:\n- md5: {MD5}.dir\n  size: 12\n  nfiles: 2\n  hash: md5\n  path: set\n"
    assert outs(text) == [Folder(b"models/set", Hash(MD5, False))]


def test_folder_with_cloud_versions_lists_its_files_itself() -> None:
    text = f"outs:\n- path: set\n  files:\n  - {{relpath: a/b, md5: {MD5}, size: 3}}\n"
    assert outs(text) == [Listed(b"data/set", [Wanted(b"data/set/a/b", Hash(MD5, False), 3, False)])]
    text = "outs:\n- path: set\n  files:\n  - {relpath: a/b, size: 3}\n"
    assert outs(text) == [Refused(b"data/set/a/b", "has no MD5")]


def test_source_of_an_import_is_remembered() -> None:
    text = f"deps:\n- path: m.bin\n  repo: {{url: https://example.com/r}}\nouts:\n- {{md5: {MD5}, path: x}}\n"
    assert parse_dvc(text.encode(), b"x.dvc").origin == "https://example.com/r: m.bin"
    text = f"deps:\n- path: https://example.com/f\nouts:\n- {{md5: {MD5}, path: x}}\n"
    assert parse_dvc(text.encode(), b"x.dvc").origin == "https://example.com/f"


@pytest.mark.parametrize(
    "path",
    ["../../x", "/etc/passwd", "a/../../../x", "s3://bucket/x", ".", "../.git/config", "../.GIT/hooks/x", "a\\0b"],
)
def test_path_that_is_none_of_the_worktree_is_refused(path: str) -> None:
    quoted = json.dumps(path).replace("\\\\0", "\\0")
    (out,) = outs(f"outs:\n- {{md5: {MD5}, path: {quoted}}}\n", b"data/x.dvc")
    assert isinstance(out, Refused) or (path == "." and out == Wanted(b"data", Hash(MD5, True), None, False))


@pytest.mark.parametrize(
    "fields",
    ["path: x", "path: x, md5: 12", "path: x, md5: ../../x", f"path: x, etag: {MD5}", f"md5: {MD5}", "path: [1]"],
)
def test_out_without_path_or_md5_is_refused(fields: str) -> None:
    (out,) = outs(f"outs:\n- {{{fields}}}\n")
    assert isinstance(out, Refused)


def test_out_that_git_holds_itself_is_refused() -> None:
    (out,) = outs(f"outs:\n- {{md5: {MD5}, path: x, cache: false}}\n")
    assert out == Refused(b"data/x", "is not in DVC's cache: Git holds it itself")


@pytest.mark.parametrize("text", ["", "outs: 1\n", "- a\n", "outs: [\n", "stages: {}\n"])
def test_text_that_is_no_file_of_dvc_is_invalid(text: str) -> None:
    with pytest.raises(InvalidFile):
        parse_dvc(text.encode(), b"x.dvc")


def test_list_of_a_folder_names_files_below_it() -> None:
    entries = [{"md5": MD5, "relpath": "a"}, {"md5": MD5, "relpath": "b/é"}, {"md5": MD5, "relpath": "../x"}]
    entries += [{"md5": "x", "relpath": "c"}, {"md5": MD5, "relpath": "/d"}, {"md5": f"{MD5}.dir", "relpath": "e"}]
    found = parse_list(json.dumps(entries).encode(), Folder(b"data/set", Hash(MD5, False)))
    assert [type(one) for one in found] == [Wanted, Wanted, Refused, Refused, Refused, Refused]
    assert [one.path for one in found[:2]] == [b"data/set/a", "data/set/b/é".encode()]


@pytest.mark.parametrize("data", [b"", b"{}x", b"[1]", b'[{"md5": 1}]', b'{"a": 1}', b"[" * 100_000])
def test_list_that_is_none_is_invalid(data: bytes) -> None:
    with pytest.raises(InvalidFile):
        parse_list(data, Folder(b"data", Hash(MD5, False)))


def test_lock_names_the_outputs_of_its_pipeline() -> None:
    text = f"schema: '2.0'\nstages:\n  a:\n    outs:\n    - {{path: out/x, md5: {MD5}}}\n  b:\n    cmd: x\n"
    assert parse_lock(text.encode(), b"sub/dvc.lock") == [b"sub/out/x"]


def test_line_of_dvc_goes_from_gitignore_and_no_other() -> None:
    text = b"/a\r\n*.tmp\n/a[1]\n/a\\[1\\]\n/ab\na\n/a"
    assert without_line(text, b"a") == b"*.tmp\n/a[1]\n/a\\[1\\]\n/ab\na\n"
    assert without_line(text, b"a[1]") == b"/a\r\n*.tmp\n/ab\na\n/a"
