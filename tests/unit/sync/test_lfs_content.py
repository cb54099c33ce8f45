"""Content of Git LFS pointers: which place is asked, in which order, and what is fetched from where."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.remote import Remote
from gitkit.errors import KitError, NotFound, Unsupported
from gitkit.store.layout import ImageLayout
from gitkit.store.lfs_objects import LfsObjects
from gitkit.sync.fetch import fetch_each
from gitkit.sync.lfs import LfsContent
from gitkit.sync.pointers import Need
from tests.lib.registries import read_all

DATA = b"content\n"
DIGEST, SIZE = digest_of(DATA), len(DATA)


class Place:
    """A folder of Git LFS objects."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.objects = LfsObjects(str(path))

    def put(self, data: bytes, content: bytes | None = None) -> Path:
        oid = digest_of(data).removeprefix("sha256:")
        path = self.path / oid[:2] / oid[2:4] / oid
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if content is None else content)
        return path


@pytest.fixture
def store(tmp_path: Path) -> ImageLayout:
    return ImageLayout(str(tmp_path / "store"))


@pytest.fixture
def own(tmp_path: Path) -> Place:
    return Place(tmp_path / "own")


@pytest.fixture
def borrowed(tmp_path: Path) -> Place:
    return Place(tmp_path / "borrowed")


@pytest.fixture
def server(tmp_path: Path) -> Place:
    return Place(tmp_path / "server")


@pytest.fixture
def kit(tmp_path: Path) -> ImageLayout:
    return ImageLayout(str(tmp_path / "kit"))


@pytest.fixture
def content(own: Place, borrowed: Place, server: Place, kit: ImageLayout) -> LfsContent:
    return LfsContent(own.objects, [borrowed.objects], lambda: server.objects, lambda: kit)


def failing(error: KitError) -> Callable[[], LfsObjects]:
    def open_server() -> LfsObjects:
        raise error

    return open_server


def test_own_object_is_linked_and_a_borrowed_one_copied(
    content: LfsContent, store: ImageLayout, own: Place, borrowed: Place
) -> None:
    mine, theirs = own.put(DATA), borrowed.put(b"theirs\n")
    assert content.take(store, DIGEST, SIZE)
    assert content.take(store, digest_of(b"theirs\n"), 7)
    assert Path(store.blob_path(DIGEST)).samefile(mine)
    assert not Path(store.blob_path(digest_of(b"theirs\n"))).samefile(theirs)


def test_damaged_object_is_not_taken_and_the_next_place_is(
    content: LfsContent, store: ImageLayout, own: Place, borrowed: Place
) -> None:
    own.put(DATA, DATA.upper())
    assert not content.take(store, DIGEST, SIZE)
    assert not store.has_blob(DIGEST)
    borrowed.put(DATA)
    assert content.take(store, DIGEST, SIZE)
    assert read_all(store.open_blob(DIGEST, SIZE)) == DATA


def test_remote_of_git_kit_is_asked_after_the_server(content: LfsContent, server: Place, kit: ImageLayout) -> None:
    with pytest.raises(NotFound, match="server"):
        content.open_blob(DIGEST, SIZE)
    kit.add_bytes(DATA)
    assert read_all(content.open_blob(DIGEST, SIZE)) == DATA
    assert content.has_blob(DIGEST)
    server.put(DATA)
    Path(kit.blob_path(DIGEST)).unlink()
    assert read_all(content.open_blob(DIGEST, SIZE)) == DATA


def test_error_of_the_server_is_told_unless_git_kit_has_it(own: Place, kit: ImageLayout) -> None:
    content = LfsContent(own.objects, [], failing(Unsupported("no server")), lambda: kit)
    for _ in range(2):
        with pytest.raises(Unsupported, match="no server"):
            content.open_blob(DIGEST, SIZE)
        with pytest.raises(Unsupported, match="no server"):
            content.has_blob(DIGEST)
    kit.add_bytes(DATA)
    assert content.has_blob(DIGEST)
    assert read_all(content.open_blob(DIGEST, SIZE)) == DATA


def test_each_kind_of_need_is_fetched_from_its_own_place(
    content: LfsContent, store: ImageLayout, server: Place, kit: ImageLayout
) -> None:
    kit.add_bytes(b"of git kit\n")
    server.put(DATA)
    server.put(b"of git kit too\n")
    needs = [
        Need(digest_of(b"of git kit\n"), 11, b"a"),
        Need(digest_of(b"of git kit too\n"), 15, b"b"),
        Need(DIGEST, SIZE, b"c", lfs=True),
    ]
    result = fetch_each(store, lambda lfs: content if lfs else kit, needs)
    assert [need.path for need in result.downloaded] == [b"a", b"c"]
    assert [failure.need.path for failure in result.failed] == [b"b"], "the server is not asked for it"


def test_place_that_nothing_is_wanted_of_is_not_opened(store: ImageLayout, content: LfsContent, server: Place) -> None:
    server.put(DATA)
    opened: list[bool] = []

    def open_remote(lfs: bool) -> Remote:
        opened.append(lfs)
        return content

    need = Need(DIGEST, SIZE, b"c", lfs=True)
    assert fetch_each(store, open_remote, [need]).downloaded == [need]
    assert fetch_each(store, open_remote, [need]).here == [need]
    assert opened == [True]


def test_missing_remote_fails_only_what_needs_it(store: ImageLayout, content: LfsContent, server: Place) -> None:
    server.put(DATA)
    own, lfs = Need(digest_of(b"x"), 1, b"a"), Need(DIGEST, SIZE, b"c", lfs=True)

    def open_remote(is_lfs: bool) -> Remote:
        if is_lfs:
            return content
        raise NotFound("no remote is configured")

    result = fetch_each(store, open_remote, [own, lfs])
    assert result.downloaded == [lfs]
    assert [(failure.need, failure.error.message) for failure in result.failed] == [(own, "no remote is configured")]
    with pytest.raises(NotFound, match="no remote is configured"):
        fetch_each(store, open_remote, [own])
