"""What a file is, whether it or its pointer is looked at."""

import os
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.pointer import Pointer
from gitkit.drivers.textconv import MAX_TEXT, Clone, Description, describe
from gitkit.errors import NotFound, UsageError
from gitkit.store.layout import ImageLayout
from tests.unit.drivers.test_facts import safetensors_file

MODEL = safetensors_file({"w": ("F32", [2], 8)})


@pytest.fixture
def store(tmp_path: Path) -> ImageLayout:
    return ImageLayout(str(tmp_path / "store"))


def _describe(path: Path, store: ImageLayout | None = None, known: str | None = None) -> Description:
    return describe(str(path), Clone(lambda: store, lambda _: known, lambda *_: None))


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _pointer(path: Path, data: bytes) -> Path:
    return _written(path, Pointer(digest_of(data), len(data)).encode())


def test_pointer_and_content_give_the_same_description(tmp_path: Path, store: ImageLayout) -> None:
    store.add_bytes(MODEL)
    content = _describe(_written(tmp_path / "m.bin", MODEL), store)
    assert content == _describe(_pointer(tmp_path / "p.bin", MODEL), store)
    assert (content.size, content.digest) == (len(MODEL), digest_of(MODEL))
    assert content.facts is not None
    assert content.facts.kind == "safetensors"


@pytest.mark.parametrize("with_store", [True, False])
def test_pointer_to_content_that_is_not_here_has_size_and_digest(
    tmp_path: Path, store: ImageLayout, with_store: bool
) -> None:
    found = _describe(_pointer(tmp_path / "m", MODEL), store if with_store else None)
    assert found == Description(len(MODEL), digest_of(MODEL), None)


def test_text_is_there_whole_and_binary_is_not(tmp_path: Path) -> None:
    for data, kind, text in [
        (b"a,b\r\n\xc3\xa9\n", "text", "a,b\r\né\n"),
        (b"", "text", ""),
        (b"a\0b", "binary", None),
        (b"\xff\xfe", "binary", None),
        (b"x" * MAX_TEXT, "text", "x" * MAX_TEXT),
        (b"x" * (MAX_TEXT + 1), "binary", None),
    ]:
        found = _describe(_written(tmp_path / "file", data))
        assert found.facts is not None
        assert (found.facts.kind, found.text) == (kind, text)


def test_digest_that_is_known_of_a_large_file_is_not_computed(tmp_path: Path) -> None:
    known = "sha256:" + "0" * 64
    assert _describe(_written(tmp_path / "large", bytes(1 << 20)), known=known).digest == known
    assert _describe(_written(tmp_path / "small", b"small"), known=known).digest == digest_of(b"small")


def test_digest_that_was_computed_of_a_large_file_is_kept(tmp_path: Path) -> None:
    kept: list[tuple[object, ...]] = []
    clone = Clone(lambda: None, lambda _: None, lambda *found: kept.append(found))
    large = _written(tmp_path / "large", bytes(1 << 20))
    describe(str(large), clone)
    describe(str(_written(tmp_path / "small", b"small")), clone)
    assert kept == [(str(large), digest_of(bytes(1 << 20)), large.stat())]


def test_header_of_a_large_file_is_read_and_no_more(tmp_path: Path) -> None:
    header = safetensors_file({"w": ("U8", [1 << 40], 0)})
    path = _written(tmp_path / "m.safetensors", header.replace(b"[0, 0]", b"[0, 1099511627776]".ljust(6)))
    data = path.read_bytes()
    path.write_bytes((len(data) - 8).to_bytes(8, "little") + data[8:])
    os.truncate(path, len(data) + (1 << 40))  # sparse: reading it whole would take minutes
    found = _describe(path, known="sha256:" + "1" * 64)
    assert found.facts is not None
    assert [fact.name for fact in found.facts.facts if fact.label == "tensor"] == ["w"]


def test_damaged_blob_of_a_pointer_is_as_good_as_none(tmp_path: Path, store: ImageLayout) -> None:
    digest = store.add_bytes(MODEL)
    Path(store.blob_path(digest)).chmod(0o644)
    Path(store.blob_path(digest)).write_bytes(b"short")
    assert _describe(_pointer(tmp_path / "m", MODEL), store).facts is None


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        _describe(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    for name in ("", "pipe"):
        with pytest.raises(UsageError):
            _describe(tmp_path / name)
