"""The content-addressed folder, on real files: what is there is whole, whoever writes, dies or damages."""

import errno
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.oci import EMPTY_BLOB, EMPTY_DESCRIPTOR, REF_NAME, Manifest
from gitkit.errors import Corrupt, Denied, InvalidFile, KitError, NetworkError, NotFound
from gitkit.store.ingest import BLOCK
from gitkit.store.layout import ImageLayout
from tests.lib.repos import some_bytes

DATA = some_bytes(3 * BLOCK + 5)
DIGEST = digest_of(DATA)
OTHER = digest_of(b"other")
MANIFEST = Manifest(config=EMPTY_DESCRIPTOR, layers=(), artifact_type="application/vnd.example+json").encode()
NOBODY = 65534


@pytest.fixture
def layout(tmp_path: Path) -> ImageLayout:
    return ImageLayout(str(tmp_path / "kit"))


class Source(io.BytesIO):
    """Bytes that end in ``error`` where one is given, as a connection that breaks does."""

    def __init__(self, data: bytes, error: Exception | None = None) -> None:
        super().__init__(data)
        self._error = error

    def readinto(self, buffer: Any, /) -> int:
        count = super().readinto(buffer)
        if count == 0 and self._error is not None:
            raise self._error
        return count


class Server:
    """Gives the bytes of one blob from any offset; after ``gives`` bytes the connection breaks, if that is set."""

    def __init__(self, data: bytes = DATA, gives: int | None = None) -> None:
        self.opened: list[int] = []
        self._data = data
        self._gives = gives

    def __call__(self, start: int) -> Source:
        self.opened.append(start)
        if self._gives is None:
            return Source(self._data[start:])
        return Source(self._data[start : start + self._gives], NetworkError("the connection broke"))


def _files(layout: ImageLayout, folder: str) -> list[str]:
    path = Path(layout.path, folder)
    return sorted(entry.name for entry in path.iterdir()) if path.exists() else []


def _content(layout: ImageLayout, digest: str) -> bytes:
    return Path(layout.blob_path(digest)).read_bytes()


def _index(layout: ImageLayout) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(layout.path, "index.json").read_bytes())
    return found


def _damage(layout: ImageLayout, digest: str, data: bytes) -> None:
    path = Path(layout.blob_path(digest))
    path.unlink()
    path.write_bytes(data)


# -- blobs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"hello", DATA], ids=["empty", "small", "large"])
def test_add_of_bytes_stores_them_under_their_digest(layout: ImageLayout, data: bytes) -> None:
    assert layout.add(io.BytesIO(data)) == (digest_of(data), len(data))
    assert _content(layout, digest_of(data)) == data
    assert layout.has_blob(digest_of(data))
    assert layout.holds(digest_of(data), len(data))
    assert _files(layout, "tmp") == []


def test_add_makes_a_valid_image_layout(layout: ImageLayout) -> None:
    assert not layout.exists()
    layout.add(io.BytesIO(b"hello"))
    assert layout.exists()
    assert Path(layout.path, "oci-layout").read_bytes() == b'{"imageLayoutVersion":"1.0.0"}'
    assert _index(layout) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [],
    }


def test_layout_that_was_never_written_has_nothing_and_makes_no_folder(layout: ImageLayout) -> None:
    assert (list(layout.blobs()), layout.tags(), layout.resolve("v1"), layout.sweep()) == ([], [], None, 0)
    assert not layout.has_blob(DIGEST)
    assert not layout.holds(DIGEST, 5)
    for read in (lambda: layout.open_blob(DIGEST, 5), lambda: layout.get_manifest("v1")):
        with pytest.raises(NotFound):
            read()
    assert not Path(layout.path).exists()


def test_stored_blob_is_read_only(layout: ImageLayout) -> None:
    digest, _ = layout.add(io.BytesIO(b"hello"))
    assert stat.S_IMODE(os.stat(layout.blob_path(digest)).st_mode) & 0o222 == 0


def test_add_of_what_is_there_leaves_the_file_alone(layout: ImageLayout) -> None:
    layout.add(io.BytesIO(DATA))
    before = os.stat(layout.blob_path(DIGEST)).st_ino
    layout.add(io.BytesIO(DATA))
    layout.put_blob(DIGEST, len(DATA), lambda: io.BytesIO(DATA))
    assert os.stat(layout.blob_path(DIGEST)).st_ino == before


def test_add_of_a_source_that_breaks_leaves_nothing(layout: ImageLayout) -> None:
    with pytest.raises(NetworkError):
        layout.add(Source(DATA, NetworkError("broke")))
    assert (list(layout.blobs()), _files(layout, "tmp")) == ([], [])


def test_add_bytes_stores_them(layout: ImageLayout) -> None:
    assert layout.add_bytes(b"other") == OTHER
    assert _content(layout, OTHER) == b"other"


def test_add_bytes_in_a_batch_is_as_without_one_and_leaves_nothing_open(layout: ImageLayout) -> None:
    layout.add_bytes(b"first")
    open_before = sorted(os.listdir("/proc/self/fd"))
    with layout.batch():
        for content in (b"other", DATA, b"other", b"more"):
            layout.add_bytes(content)
            layout.get_ready()
    assert sorted(os.listdir("/proc/self/fd")) == open_before
    assert _files(layout, "tmp") == []
    assert {digest for digest, _ in layout.blobs()} == {digest_of(b"first"), OTHER, DIGEST, digest_of(b"more")}
    for digest, size in layout.blobs():
        assert layout.is_sealed(digest, size)
        assert stat.S_IMODE(os.stat(layout.blob_path(digest)).st_mode) & 0o222 == 0


def test_read_small_gives_the_blob_only_where_it_is_whole_and_right(layout: ImageLayout) -> None:
    assert layout.read_small(OTHER, 5) is None
    layout.add_bytes(b"other")
    assert layout.read_small(OTHER, 5) == b"other"
    assert layout.read_small(OTHER, 4) is None
    _damage(layout, OTHER, b"wrong")
    assert layout.read_small(OTHER, 5) is None


def test_open_blob_from_an_offset_gives_the_rest(layout: ImageLayout) -> None:
    layout.add(io.BytesIO(b"hello"))
    buffer = bytearray(10)
    reader = layout.open_blob(digest_of(b"hello"), 5, start=2)
    assert (reader.readinto(memoryview(buffer)), bytes(buffer[:3])) == (3, b"llo")
    assert reader.readinto(memoryview(buffer)) == 0
    reader.close()


def test_open_blob_that_is_not_there_is_not_found(layout: ImageLayout) -> None:
    layout.add(io.BytesIO(b"hello"))
    with pytest.raises(NotFound, match=f"oci-layout:.* does not hold {DIGEST}"):
        layout.open_blob(DIGEST, 5)


def test_read_from_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    away = ImageLayout(str(tmp_path / "away"))
    for read in (lambda: away.open_blob(DIGEST, 5), lambda: away.get_manifest("v1")):
        with pytest.raises(NotFound, match=r"there is no folder .*away"):
            read()


def test_open_blob_that_was_truncated_is_corrupt_with_a_hint(layout: ImageLayout) -> None:
    layout.add(io.BytesIO(DATA))
    _damage(layout, DIGEST, DATA[:100])
    assert not layout.holds(DIGEST, len(DATA))
    with pytest.raises(Corrupt, match=f"has 100 bytes in .*, not {len(DATA)}") as caught:
        layout.open_blob(DIGEST, len(DATA))
    assert caught.value.hint == "git kit fsck"


@pytest.mark.parametrize(
    "store",
    [
        lambda layout: layout.add(io.BytesIO(DATA)),
        lambda layout: layout.add_bytes(DATA),
        lambda layout: layout.put_blob(DIGEST, len(DATA), lambda: io.BytesIO(DATA)),
        lambda layout: layout.receive(DIGEST, len(DATA), Server()),
    ],
    ids=["add", "add_bytes", "put_blob", "receive"],
)
def test_truncated_blob_stored_again_is_whole(layout: ImageLayout, store: Callable[[ImageLayout], object]) -> None:
    layout.add(io.BytesIO(DATA))
    _damage(layout, DIGEST, DATA[:100])
    store(layout)
    assert _content(layout, DIGEST) == DATA


@pytest.mark.parametrize("digest", ["", "sha256:", DIGEST.upper(), "sha512:" + "a" * 128, "sha256:../../../evil"])
def test_anything_but_a_digest_is_corrupt_and_touches_no_file(layout: ImageLayout, digest: str) -> None:
    for use in (
        layout.blob_path,
        layout.has_blob,
        lambda name: layout.holds(name, 0),
        lambda name: layout.open_blob(name, 0),
        lambda name: layout.put_blob(name, 0, io.BytesIO),
        lambda name: layout.receive(name, 0, Server()),
        layout.quarantine,
    ):
        with pytest.raises(Corrupt, match="is not a digest"):
            use(digest)
    assert [path.name for path in Path(layout.path).parent.rglob("*evil*")] == []


def test_blobs_lists_digests_and_sizes_and_nothing_foreign(layout: ImageLayout) -> None:
    layout.add(io.BytesIO(b"other"))
    layout.add(io.BytesIO(DATA))
    folder = Path(layout.path, "blobs", "sha256")
    (folder / "README").write_text("not a blob")
    (folder / ("a" * 64)).mkdir()
    (folder / ("b" * 64)).symlink_to(OTHER.removeprefix("sha256:"))
    assert dict(layout.blobs()) == {OTHER: 5, DIGEST: len(DATA)}


def test_blobs_while_one_is_deleted_lists_all_others(layout: ImageLayout) -> None:
    added = {layout.add_bytes(b"%d" % number) for number in range(10)}
    listing = layout.blobs()
    first, _ = next(listing)
    gone = sorted(added - {first})[0]
    os.unlink(layout.blob_path(gone))
    assert {first} | {digest for digest, _ in listing} == added - {gone}


def test_quarantine_moves_the_blob_away(layout: ImageLayout) -> None:
    layout.add_bytes(b"other")
    layout.quarantine(OTHER)
    assert not layout.has_blob(OTHER)
    assert Path(layout.path, "corrupt", OTHER.removeprefix("sha256:")).read_bytes() == b"other"
    layout.quarantine(OTHER)


# -- put_blob ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"hello", DATA], ids=["empty", "small", "large"])
def test_put_blob_stores_the_source(layout: ImageLayout, data: bytes) -> None:
    layout.put_blob(digest_of(data), len(data), lambda: io.BytesIO(data))
    assert _content(layout, digest_of(data)) == data
    assert _files(layout, "tmp") == []


def test_put_blob_that_is_there_does_not_open_the_source(layout: ImageLayout) -> None:
    layout.add(io.BytesIO(DATA))
    opened: list[bool] = []

    def open_source() -> io.BytesIO:
        opened.append(True)
        return io.BytesIO(DATA)

    layout.put_blob(DIGEST, len(DATA), open_source)
    assert opened == []


@pytest.mark.parametrize(
    ("data", "size", "said"),
    [
        (DATA[:-1] + b"?", len(DATA), "content that should be"),
        (DATA[:-1], len(DATA), f"should have {len(DATA)} bytes and has {len(DATA) - 1}"),
        (DATA + b"x", len(DATA), f"should have {len(DATA)} bytes and has {len(DATA) + 1}"),
    ],
    ids=["changed", "too short", "too long"],
)
def test_put_blob_of_other_bytes_is_corrupt_and_leaves_nothing(
    layout: ImageLayout, data: bytes, size: int, said: str
) -> None:
    source = io.BytesIO(data)
    with pytest.raises(Corrupt, match=said):
        layout.put_blob(DIGEST, size, lambda: source)
    assert source.closed
    assert (list(layout.blobs()), _files(layout, "tmp")) == ([], [])


def test_put_blob_whose_source_cannot_be_opened_passes_its_error_on(layout: ImageLayout) -> None:
    def open_source() -> io.BytesIO:
        raise NotFound("gone")

    with pytest.raises(NotFound, match="gone"):
        layout.put_blob(DIGEST, len(DATA), open_source)
    assert _files(layout, "tmp") == []


# -- receive -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"hello", DATA], ids=["empty", "small", "large"])
def test_receive_downloads_the_blob(layout: ImageLayout, data: bytes) -> None:
    layout.receive(digest_of(data), len(data), Server(data))
    assert _content(layout, digest_of(data)) == data
    assert _files(layout, "tmp") == []


def test_receive_of_what_is_there_opens_nothing(layout: ImageLayout) -> None:
    layout.add(io.BytesIO(DATA))
    server = Server()
    layout.receive(DIGEST, len(DATA), server)
    assert (server.opened, _files(layout, "tmp")) == ([], [])


def test_receive_after_a_broken_connection_continues_where_it_broke(layout: ImageLayout) -> None:
    broken = Server(gives=2 * BLOCK)
    with pytest.raises(NetworkError):
        layout.receive(DIGEST, len(DATA), broken)
    assert not layout.has_blob(DIGEST)
    assert _files(layout, "tmp") == [f"{DIGEST.removeprefix('sha256:')}.part"]
    server = Server()
    layout.receive(DIGEST, len(DATA), server)
    assert (broken.opened, server.opened) == ([0], [2 * BLOCK])
    assert _content(layout, DIGEST) == DATA
    assert _files(layout, "tmp") == []


def test_receive_through_a_connection_that_breaks_at_every_block_arrives(layout: ImageLayout) -> None:
    server = Server(gives=BLOCK)
    for _ in range(3):
        with pytest.raises(NetworkError):
            layout.receive(DIGEST, len(DATA), server)
    last = Server()
    layout.receive(DIGEST, len(DATA), last)
    assert (server.opened, last.opened) == ([0, BLOCK, 2 * BLOCK], [3 * BLOCK])
    assert _content(layout, DIGEST) == DATA


@pytest.mark.parametrize("data", [DATA[:-1] + b"?", DATA[:-1], DATA + b"x"], ids=["changed", "too short", "too long"])
def test_receive_of_other_bytes_is_corrupt_and_starts_over_the_next_time(layout: ImageLayout, data: bytes) -> None:
    with pytest.raises(Corrupt):
        layout.receive(DIGEST, len(DATA), Server(data))
    assert not layout.has_blob(DIGEST)
    server = Server()
    layout.receive(DIGEST, len(DATA), server)
    assert server.opened == [0]
    assert _content(layout, DIGEST) == DATA


def test_receive_onto_a_damaged_beginning_is_corrupt_once_and_then_starts_over(layout: ImageLayout) -> None:
    part = _part(layout, b"x" * BLOCK)
    first = Server()
    with pytest.raises(Corrupt, match="content that should be"):
        layout.receive(DIGEST, len(DATA), first)
    assert part.stat().st_size == 0
    second = Server()
    layout.receive(DIGEST, len(DATA), second)
    assert (first.opened, second.opened) == ([BLOCK], [0])


def test_receive_onto_a_beginning_longer_than_the_blob_starts_over(layout: ImageLayout) -> None:
    _part(layout, DATA + b"more")
    server = Server()
    layout.receive(DIGEST, len(DATA), server)
    assert server.opened == [0]
    assert _content(layout, DIGEST) == DATA


def test_receive_onto_all_of_the_blob_opens_nothing(layout: ImageLayout) -> None:
    _part(layout, DATA)
    server = Server()
    layout.receive(DIGEST, len(DATA), server)
    assert server.opened == []
    assert _content(layout, DIGEST) == DATA


def test_receive_of_what_arrived_otherwise_deletes_the_beginning(layout: ImageLayout) -> None:
    _part(layout, DATA[:100])
    layout.add(io.BytesIO(DATA))
    layout.receive(DIGEST, len(DATA), Server())
    assert _files(layout, "tmp") == []


def _part(layout: ImageLayout, data: bytes) -> Path:
    """What an earlier download of ``DIGEST`` left."""
    layout.add_bytes(b"")
    path = Path(layout.path, "tmp", f"{DIGEST.removeprefix('sha256:')}.part")
    path.write_bytes(data)
    return path


# -- several at once -----------------------------------------------------------------------------------------------


def test_receive_in_two_threads_at_once_downloads_once(layout: ImageLayout) -> None:
    second_is_here = threading.Event()
    opened: list[int] = []

    class Slow(Source):
        def readinto(self, buffer: Any, /) -> int:
            assert second_is_here.wait(60)
            return super().readinto(buffer)

    def open_source(start: int) -> Source:
        opened.append(start)
        return Slow(DATA[start:])

    def second() -> None:
        second_is_here.set()
        ImageLayout(layout.path).receive(DIGEST, len(DATA), open_source)

    threads = [threading.Thread(target=layout.receive, args=(DIGEST, len(DATA), open_source))]
    threads.append(threading.Thread(target=second))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [0]
    assert _content(layout, DIGEST) == DATA
    assert _files(layout, "tmp") == []


RECEIVE = """
import sys
from gitkit.store.layout import ImageLayout
path, data, digest, size, log = sys.argv[1:]

def open_source(start):
    with open(log, "a") as file:
        file.write(f"{start}\\n")
    source = open(data, "rb", buffering=0)
    source.seek(start)
    return source

print("ready", flush=True)
sys.stdin.readline()
ImageLayout(path).receive(digest, int(size), open_source)
"""

STUCK = """
import sys
from gitkit.store.layout import ImageLayout

class Stuck:
    def __init__(self, data):
        self.data = data
    def readinto(self, buffer):
        count = min(len(buffer), len(self.data))
        if not count:
            print("stuck", flush=True)
            sys.stdin.read()
        buffer[:count] = self.data[:count]
        self.data = self.data[count:]
        return count
    def close(self):
        pass

how, path, data, digest, size = sys.argv[1:]
with open(data, "rb") as file:
    source = Stuck(file.read())
if how == "add":
    ImageLayout(path).add(source)
else:
    ImageLayout(path).receive(digest, int(size), lambda start: source)
"""

TAG = """
import sys
from gitkit.store.layout import ImageLayout
for number in range(10):
    ImageLayout(sys.argv[1]).put_manifest(b'{"a":"%s"}' % sys.argv[2].encode(), tag=f"{sys.argv[2]}-{number}")
"""


def _start(script: str, *args: object) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-c", script, *map(str, args)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _end(child: "subprocess.Popen[bytes]") -> None:
    _, said = child.communicate(b"\n")
    assert (child.returncode, said) == (0, b"")


def test_receive_in_several_processes_at_once_downloads_once(layout: ImageLayout, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    args = (layout.path, tmp_path / "data", DIGEST, len(DATA), tmp_path / "log")
    children = [_start(RECEIVE, *args) for _ in range(3)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
    for child in children:
        _end(child)
    assert (tmp_path / "log").read_text() == "0\n"
    assert _content(layout, DIGEST) == DATA


def test_add_in_several_threads_at_once_stores_one_whole_blob(layout: ImageLayout) -> None:
    start = threading.Barrier(4)
    found: list[tuple[str, int]] = []

    def add() -> None:
        start.wait(60)
        found.append(ImageLayout(layout.path).add(io.BytesIO(DATA)))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(DIGEST, len(DATA))] * 4
    assert _content(layout, DIGEST) == DATA
    assert _files(layout, "tmp") == []


def test_put_manifest_in_several_processes_at_once_loses_no_tag(layout: ImageLayout) -> None:
    for child in [_start(TAG, layout.path, name) for name in "abc"]:
        _end(child)
    assert layout.tags() == sorted(f"{name}-{number}" for name in "abc" for number in range(10))


# -- crashes -------------------------------------------------------------------------------------------------------


def _stuck(how: str, layout: ImageLayout, tmp_path: Path) -> "subprocess.Popen[bytes]":
    """A process that wrote three blocks of ``DATA`` and waits for more."""
    (tmp_path / "data").write_bytes(DATA[: 3 * BLOCK])
    child = _start(STUCK, how, layout.path, tmp_path / "data", DIGEST, len(DATA))
    assert child.stdout is not None
    assert child.stdout.readline() == b"stuck\n"
    return child


def test_sweep_deletes_what_a_killed_process_left_and_nothing_of_a_living_one(
    layout: ImageLayout, tmp_path: Path
) -> None:
    with _stuck("add", layout, tmp_path) as child:
        assert len(_files(layout, "tmp")) == 1
        assert layout.sweep() == 0
        assert len(_files(layout, "tmp")) == 1
        child.kill()
    assert list(layout.blobs()) == []
    assert layout.sweep() == 1
    assert _files(layout, "tmp") == []


def test_receive_after_a_process_was_killed_continues_its_download(layout: ImageLayout, tmp_path: Path) -> None:
    with _stuck("receive", layout, tmp_path) as child:
        child.kill()
    assert not layout.has_blob(DIGEST)
    assert layout.sweep() == 0
    server = Server()
    layout.receive(DIGEST, len(DATA), server)
    assert server.opened == [3 * BLOCK]
    assert _content(layout, DIGEST) == DATA


@pytest.mark.parametrize(("age_s", "swept"), [(0, 0), (80_000, 0), (90_000, 1)])
def test_sweep_keeps_a_partial_download_for_a_day(layout: ImageLayout, age_s: int, swept: int) -> None:
    part = _part(layout, DATA[:100])
    then = time.time() - age_s
    os.utime(part, (then, then))
    assert layout.sweep() == swept
    assert part.exists() == (swept == 0)


def test_sweep_leaves_a_folder_in_tmp_alone(layout: ImageLayout) -> None:
    layout.add_bytes(b"")
    Path(layout.path, "tmp", "folder").mkdir()
    assert layout.sweep() == 0
    assert _files(layout, "tmp") == ["folder"]


# -- manifests and tags --------------------------------------------------------------------------------------------


def test_put_manifest_under_a_tag_is_found_by_tag_and_digest(layout: ImageLayout) -> None:
    digest = layout.put_manifest(MANIFEST, tag="v1")
    assert digest == digest_of(MANIFEST)
    assert (layout.resolve("v1"), layout.tags()) == (digest, ["v1"])
    assert layout.get_manifest("v1") == layout.get_manifest(digest) == MANIFEST
    assert _index(layout)["manifests"] == [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": len(MANIFEST),
            "artifactType": "application/vnd.example+json",
            "annotations": {REF_NAME: "v1"},
        }
    ]


def test_put_manifest_under_a_tag_that_exists_moves_it_and_keeps_the_old_manifest(layout: ImageLayout) -> None:
    old, other = layout.put_manifest(MANIFEST, tag="v1"), layout.put_manifest(b'{"a":1}', tag="v2")
    new = layout.put_manifest(b'{"b":1}', tag="v1")
    assert (layout.resolve("v1"), layout.resolve("v2"), layout.tags()) == (new, other, ["v1", "v2"])
    assert layout.get_manifest(old) == MANIFEST


def test_put_manifest_twice_is_as_once(layout: ImageLayout) -> None:
    layout.put_manifest(MANIFEST, tag="v1")
    before = _index(layout)
    layout.put_manifest(MANIFEST, tag="v1")
    assert _index(layout) == before


@pytest.mark.parametrize("tags", [[None, "v1"], ["v1", None], [None, None], ["v1", "v1"]])
def test_put_manifest_with_and_without_a_tag_is_one_entry(layout: ImageLayout, tags: list[str | None]) -> None:
    for tag in tags:
        layout.put_manifest(MANIFEST, tag=tag)
    assert len(_index(layout)["manifests"]) == 1
    assert layout.tags() == [tag for tag in ["v1"] if tag in tags]


def test_put_manifest_under_two_tags_keeps_both_sorted(layout: ImageLayout) -> None:
    layout.put_manifest(MANIFEST, tag="b")
    layout.put_manifest(MANIFEST, tag="a")
    assert layout.tags() == ["a", "b"]
    assert layout.resolve("a") == layout.resolve("b") == digest_of(MANIFEST)


def test_put_manifest_that_is_not_json_is_invalid_and_stores_nothing(layout: ImageLayout) -> None:
    with pytest.raises(InvalidFile, match="the manifest is not JSON"):
        layout.put_manifest(b"{", tag="v1")
    assert (list(layout.blobs()), layout.tags()) == ([], [])


def test_get_manifest_of_an_unknown_tag_or_digest_is_not_found(layout: ImageLayout) -> None:
    layout.put_manifest(MANIFEST, tag="v1")
    for reference in ("v2", DIGEST):
        with pytest.raises(NotFound):
            layout.get_manifest(reference)


def test_get_manifest_that_was_damaged_is_corrupt(layout: ImageLayout) -> None:
    digest = layout.put_manifest(MANIFEST, tag="v1")
    _damage(layout, digest, MANIFEST[:-1])
    for reference in ("v1", digest):
        with pytest.raises(Corrupt, match=f"the manifest {digest} in .* is damaged") as caught:
            layout.get_manifest(reference)
        assert caught.value.hint == "git kit fsck"


def test_tag_whose_manifest_is_gone_is_not_found(layout: ImageLayout) -> None:
    digest = layout.put_manifest(MANIFEST, tag="v1")
    os.unlink(layout.blob_path(digest))
    with pytest.raises(NotFound):
        layout.get_manifest("v1")


DAMAGED = [
    b"",
    b"{",
    b"[]",
    b"{}",
    b'{"manifests":null}',
    b'{"manifests":{}}',
    b'{"manifests":[null]}',
    b'{"manifests":[{"size":1}]}',
    b'{"manifests":[{"digest":"sha256:../../x"}]}',
    b'{"manifests":[{"digest":5}]}',
    b"\0" * 100,
]


@pytest.mark.parametrize("data", DAMAGED)
def test_damaged_index_is_invalid_for_tags_and_changes_nothing_else(layout: ImageLayout, data: bytes) -> None:
    digest = layout.put_manifest(MANIFEST, tag="v1")
    index = Path(layout.path, "index.json")
    index.write_bytes(data)
    for use in (
        layout.tags,
        lambda: layout.resolve("v1"),
        lambda: layout.get_manifest("v1"),
        lambda: layout.put_manifest(b'{"a":1}', tag="v2"),
    ):
        with pytest.raises(InvalidFile, match=r"index\.json"):
            use()
    assert index.read_bytes() == data
    assert layout.get_manifest(digest) == MANIFEST
    assert layout.add_bytes(b"other") == OTHER


def test_index_of_another_tool_keeps_what_we_do_not_know(layout: ImageLayout) -> None:
    digest = layout.add_bytes(b"{}")
    entry = {"mediaType": "x", "digest": digest, "size": 2, "platform": {"os": "linux"}, "annotations": {"a": "b"}}
    odd = {"digest": digest, "annotations": None}
    index = {"schemaVersion": 2, "manifests": [entry, odd], "annotations": {"made": "elsewhere"}}
    Path(layout.path, "index.json").write_text(json.dumps(index))
    layout.put_manifest(MANIFEST, tag="v1")
    found = _index(layout)
    assert found["manifests"][:2] == [entry, odd]
    assert found["annotations"] == {"made": "elsewhere"}
    assert layout.tags() == ["v1"]


def test_layout_made_by_another_tool_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    (path / "blobs" / "sha256").mkdir(parents=True)
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (path / "index.json").write_text('{"schemaVersion": 2, "manifests": []}')
    (path / "blobs" / "sha256" / digest_of(MANIFEST).removeprefix("sha256:")).write_bytes(MANIFEST)
    layout = ImageLayout(str(path))
    layout.put_manifest(MANIFEST, tag="v1")
    assert layout.get_manifest("v1") == MANIFEST


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not on PATH")
def test_layout_of_ours_is_read_by_skopeo(layout: ImageLayout) -> None:
    layout.add_bytes(EMPTY_BLOB)
    layout.put_manifest(MANIFEST, tag="v1")
    argv = ["skopeo", "inspect", "--raw", f"oci:{layout.path}:v1"]
    assert subprocess.run(argv, capture_output=True, check=True).stdout == MANIFEST


def test_url_is_the_folder_unless_one_is_given(tmp_path: Path) -> None:
    assert ImageLayout("/srv/kits").url == "oci-layout:/srv/kits"
    assert ImageLayout("/srv/kits", url="the store").url == "the store"


# -- disks and permissions -----------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    options = ["-o", "size=2m"]
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", *options, "none", path], check=False).returncode:
        pytest.skip("a small file system can only be mounted by root, with the capability to mount")
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.fixture
def powerless() -> Iterator[Path]:
    """A folder of a user for whom permissions count; as root, the test runs with that user's rights."""
    path = Path(tempfile.mkdtemp())
    as_root = os.geteuid() == 0
    if as_root:
        os.chown(path, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield path
    finally:
        if as_root:
            os.seteuid(0)
        for folder, _, _ in os.walk(path):
            os.chmod(folder, 0o700)
        shutil.rmtree(path)


def test_add_on_a_full_disk_fails_with_a_hint_and_leaves_room_again(small_disk: Path) -> None:
    layout = ImageLayout(str(small_disk / "kit"))
    with pytest.raises(KitError, match=r"the disk that holds .* is full") as caught:
        layout.add(io.BytesIO(DATA))
    assert type(caught.value) is KitError
    assert caught.value.hint == "free some space and run the command again: nothing was lost"
    assert (list(layout.blobs()), _files(layout, "tmp")) == ([], [])
    assert layout.add_bytes(b"other") == OTHER


def test_receive_on_a_full_disk_keeps_what_it_has_and_continues(small_disk: Path) -> None:
    layout = ImageLayout(str(small_disk / "kit"))
    with pytest.raises(KitError, match="is full"):
        layout.receive(DIGEST, len(DATA), Server())
    have = os.stat(Path(layout.path, "tmp", f"{DIGEST.removeprefix('sha256:')}.part")).st_size
    assert 0 < have < len(DATA)
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    server = Server()
    layout.receive(DIGEST, len(DATA), server)
    assert server.opened == [have]
    assert _content(layout, DIGEST) == DATA


def test_put_manifest_on_a_full_disk_keeps_the_old_index(small_disk: Path) -> None:
    layout = ImageLayout(str(small_disk / "kit"))
    layout.put_manifest(MANIFEST, tag="v1")
    with (
        pytest.raises(OSError, match="No space left") as caught,
        open(small_disk / "filler", "wb", buffering=0) as file,
    ):
        while True:
            file.write(b"x" * 4096)
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(KitError, match="is full"):
        layout.put_manifest(MANIFEST, tag="v2")
    assert layout.tags() == ["v1"]


def test_write_to_a_read_only_disk_is_denied_and_reading_works(small_disk: Path) -> None:
    ImageLayout(str(small_disk / "kit")).put_manifest(MANIFEST, tag="v1")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    layout = ImageLayout(str(small_disk / "kit"))
    assert layout.get_manifest("v1") == MANIFEST
    for write in (
        lambda: layout.add_bytes(b"other"),
        lambda: layout.receive(DIGEST, len(DATA), Server()),
        lambda: layout.put_manifest(MANIFEST, tag="v2"),
        lambda: layout.quarantine(digest_of(MANIFEST)),
    ):
        with pytest.raises(Denied, match="Read-only file system"):
            write()


def test_write_to_a_folder_of_somebody_else_is_denied_with_a_hint(powerless: Path) -> None:
    folder = powerless / "locked"
    folder.mkdir(mode=0o555)
    layout = ImageLayout(str(folder / "kit"))
    for write in (
        lambda: layout.add(io.BytesIO(DATA)),
        lambda: layout.add_bytes(b"other"),
        lambda: layout.put_blob(DIGEST, len(DATA), lambda: io.BytesIO(DATA)),
        lambda: layout.receive(DIGEST, len(DATA), Server()),
        lambda: layout.put_manifest(MANIFEST, tag="v1"),
    ):
        with pytest.raises(Denied, match=r"cannot write .*: Permission denied") as caught:
            write()
        assert caught.value.hint == f"check who owns {layout.path}"


def test_read_of_a_blob_of_somebody_else_is_denied(powerless: Path) -> None:
    layout = ImageLayout(str(powerless / "kit"))
    layout.add_bytes(b"other")
    layout.put_manifest(MANIFEST, tag="v1")
    for path in (layout.blob_path(OTHER), layout.blob_path(digest_of(MANIFEST))):
        os.chmod(path, 0)
    for read in (lambda: layout.open_blob(OTHER, 5), lambda: layout.get_manifest("v1")):
        with pytest.raises(Denied, match="cannot read"):
            read()
    os.chmod(Path(layout.path, "index.json"), 0)
    with pytest.raises(Denied, match="cannot read"):
        layout.tags()


@pytest.mark.parametrize("name", ["kit", "kit/blobs", "kit/tmp"])
def test_write_where_a_file_is_in_the_way_fails_and_names_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("in the way")
    layout = ImageLayout(str(tmp_path / "kit"))
    for write in (lambda: layout.add_bytes(b"other"), lambda: layout.put_manifest(MANIFEST, tag="v1")):
        with pytest.raises(KitError, match=f"cannot write {tmp_path / 'kit'}"):
            write()
    assert (tmp_path / name).read_text() == "in the way"
