"""What every ``gitkit.core.remote.Remote`` does, whether it is a folder or a registry.

To add an implementation: a function that yields an empty remote, and its name in ``IMPLEMENTATIONS``. A remote here
must be empty, must not exist yet where that makes a difference, and is used from several threads.
"""

import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.oci import EMPTY_BLOB, EMPTY_DESCRIPTOR, Descriptor, Manifest
from gitkit.core.remote import Remote
from gitkit.errors import Corrupt, KitError, NotFound
from gitkit.registry.client import Registry
from gitkit.store.layout import ImageLayout
from tests.lib.registries import REPOSITORY, FaultRegistry, connect, read_all

pytest_plugins = ["tests.lib.registry_fixtures"]

DATA = b"".join(number.to_bytes(4, "big") for number in range(320_000))
DIGEST = digest_of(DATA)


def _layout(request: pytest.FixtureRequest) -> Iterator[Remote]:
    folder: Path = request.getfixturevalue("tmp_path")
    yield ImageLayout(str(folder / "layout"))


def _fault_registry(request: pytest.FixtureRequest) -> Iterator[Remote]:
    registry: FaultRegistry = request.getfixturevalue("fault_registry")
    with connect(registry.host) as remote:
        yield remote


def _real_registry(request: pytest.FixtureRequest) -> Iterator[Remote]:
    # With the waits that people get: docker-registry answers 500 while two clients commit the same blob.
    with Registry(request.getfixturevalue("real_registry").host, REPOSITORY, scheme="http") as remote:
        yield remote


IMPLEMENTATIONS = [
    pytest.param(_layout, id="layout"),
    pytest.param(_fault_registry, id="fault-registry"),
    pytest.param(_real_registry, id="docker-registry", marks=pytest.mark.real_registry),
]


@pytest.fixture(params=IMPLEMENTATIONS)
def remote(request: pytest.FixtureRequest) -> Iterator[Remote]:
    yield from request.param(request)


def source(data: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(data)


def put(remote: Remote, data: bytes) -> str:
    remote.put_blob(digest_of(data), len(data), source(data))
    return digest_of(data)


def put_manifest(remote: Remote, *layers: bytes, tag: str | None = None) -> tuple[str, bytes]:
    """Store a manifest and what it names; its digest and bytes."""
    for blob in (EMPTY_BLOB, *layers):
        put(remote, blob)
    described = [Descriptor(media_type="application/x.test", digest=digest_of(blob), size=len(blob)) for blob in layers]
    manifest = Manifest(config=EMPTY_DESCRIPTOR, layers=described, artifact_type="application/x.test").encode()
    return remote.put_manifest(manifest, tag=tag), manifest


def test_url_is_text_without_credentials(remote: Remote) -> None:
    assert remote.url.startswith("oci")
    assert "@" not in remote.url


def test_new_remote_is_empty(remote: Remote) -> None:
    assert remote.has_blob(DIGEST) is False
    assert remote.tags() == []
    assert remote.resolve("v1") is None
    with pytest.raises(NotFound):
        remote.open_blob(DIGEST, len(DATA))
    with pytest.raises(NotFound):
        remote.get_manifest("v1")
    with pytest.raises(NotFound):
        remote.get_manifest(DIGEST)


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=["empty", "byte", "large"])
def test_blob_that_was_put_is_there_and_reads_the_same(remote: Remote, data: bytes) -> None:
    digest = put(remote, data)
    assert remote.has_blob(digest) is True
    assert read_all(remote.open_blob(digest, len(data))) == data


@pytest.mark.parametrize("start", [0, 1, 65_536, len(DATA) - 1, len(DATA)])
def test_blob_reads_from_any_offset(remote: Remote, start: int) -> None:
    digest = put(remote, DATA)
    assert read_all(remote.open_blob(digest, len(DATA), start=start)) == DATA[start:]


def test_blob_reader_can_be_closed_before_its_end(remote: Remote) -> None:
    digest = put(remote, DATA)
    first = read_all(remote.open_blob(digest, len(DATA)), limit=100_000)
    assert first + read_all(remote.open_blob(digest, len(DATA), start=len(first))) == DATA


def test_blob_reader_fills_buffers_of_any_size(remote: Remote) -> None:
    digest = put(remote, DATA)
    reader = remote.open_blob(digest, len(DATA))
    got, block = bytearray(), bytearray(1)
    while count := reader.readinto(memoryview(block)):
        got += block[:count]
        block = bytearray(len(block) * 3 + 1)
    assert reader.readinto(memoryview(block)) == 0
    reader.close()
    assert got == DATA


def test_blob_opened_with_another_size_is_corrupt(remote: Remote) -> None:
    digest = put(remote, DATA)
    with pytest.raises(Corrupt):
        remote.open_blob(digest, len(DATA) + 1)


def test_blob_put_again_does_not_read_its_source(remote: Remote) -> None:
    digest = put(remote, DATA)

    def unexpected() -> BinaryIO:
        raise AssertionError("opened")

    remote.put_blob(digest, len(DATA), unexpected)
    assert read_all(remote.open_blob(digest, len(DATA))) == DATA


@pytest.mark.parametrize(
    "data", [DATA[:-1] + b"\0", DATA[:-1], DATA + b"x", b""], ids=["changed", "short", "long", "empty"]
)
def test_blob_with_other_bytes_is_corrupt_and_not_stored(remote: Remote, data: bytes) -> None:
    with pytest.raises(Corrupt):
        remote.put_blob(DIGEST, len(DATA), source(data))
    assert remote.has_blob(DIGEST) is False
    assert remote.has_blob(digest_of(data)) is False


def test_blob_source_is_closed(remote: Remote) -> None:
    opened: list[io.BytesIO] = []

    def source() -> BinaryIO:
        opened.append(io.BytesIO(DATA))
        return opened[-1]

    remote.put_blob(DIGEST, len(DATA), source)
    assert [file.closed for file in opened] == [True]


def test_blob_source_that_cannot_be_read_is_an_error_that_is_not_repeated(remote: Remote) -> None:
    opened: list[int] = []

    def gone() -> BinaryIO:
        opened.append(1)
        raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(KitError):
        remote.put_blob(DIGEST, len(DATA), gone)
    assert opened == [1]


@pytest.mark.parametrize("digest", ["", "sha256:" + "A" * 64, "sha256:../../x", "sha512:" + "0" * 128])
def test_name_that_is_no_digest_is_refused(remote: Remote, digest: str) -> None:
    with pytest.raises(KitError):
        remote.has_blob(digest)
    with pytest.raises(KitError):
        remote.open_blob(digest, 1)
    with pytest.raises(KitError):
        remote.put_blob(digest, 1, source(b"x"))
    with pytest.raises(KitError):
        remote.mount_blob(digest, remote.url)


def test_manifest_reads_back_exactly_by_digest_and_tag(remote: Remote) -> None:
    digest, manifest = put_manifest(remote, DATA, tag="v1.0.0-rc.1_x")
    assert digest == digest_of(manifest)
    assert remote.get_manifest(digest) == manifest
    assert remote.get_manifest("v1.0.0-rc.1_x") == manifest
    assert remote.resolve("v1.0.0-rc.1_x") == digest


def test_manifest_without_a_tag_is_there_by_digest_alone(remote: Remote) -> None:
    digest, manifest = put_manifest(remote, DATA)
    assert remote.get_manifest(digest) == manifest
    assert remote.tags() == []


def test_manifest_put_twice_is_the_same(remote: Remote) -> None:
    first = put_manifest(remote, DATA, tag="v1")
    assert put_manifest(remote, DATA, tag="v1") == first
    assert put_manifest(remote, DATA) == first
    assert remote.tags() == ["v1"]


def test_tag_moves_and_the_old_manifest_stays(remote: Remote) -> None:
    first, manifest = put_manifest(remote, tag="latest")
    second, _ = put_manifest(remote, DATA, tag="latest")
    assert first != second
    assert remote.resolve("latest") == second
    assert remote.get_manifest(first) == manifest
    assert remote.tags() == ["latest"]


def test_tags_are_all_names_sorted(remote: Remote) -> None:
    names = ["v2", "V1", "v10", "_hidden", "kit.objects-0123", "v1"]
    for name in names:
        put_manifest(remote, tag=name)
    assert remote.tags() == sorted(names)


def test_deleted_tag_is_gone_and_its_manifest_and_other_tags_stay(remote: Remote) -> None:
    digest, manifest = put_manifest(remote, DATA, tag="v1")
    put_manifest(remote, DATA, tag="prod")
    other, _ = put_manifest(remote, tag="v2")
    remote.delete_tag("v1")
    assert remote.tags() == ["prod", "v2"]
    assert remote.resolve("v1") is None
    assert (remote.resolve("prod"), remote.resolve("v2")) == (digest, other)
    assert remote.get_manifest("prod") == manifest
    assert read_all(remote.open_blob(DIGEST, len(DATA))) == DATA


def test_last_tag_of_a_manifest_deleted_leaves_the_manifest_by_digest(remote: Remote) -> None:
    digest, manifest = put_manifest(remote, DATA, tag="only")
    remote.delete_tag("only")
    assert remote.tags() == []
    assert remote.get_manifest(digest) == manifest


def test_tag_that_is_not_there_deleted_is_not_found_and_changes_nothing(remote: Remote) -> None:
    with pytest.raises(NotFound):
        remote.delete_tag("v1")
    put_manifest(remote, DATA, tag="v2")
    with pytest.raises(NotFound):
        remote.delete_tag("v1")
    assert remote.tags() == ["v2"]


def test_deleted_tag_can_be_given_again_and_deleted_again(remote: Remote) -> None:
    for _ in range(2):
        digest, _ = put_manifest(remote, DATA, tag="v1")
        assert remote.resolve("v1") == digest
        remote.delete_tag("v1")
        assert remote.resolve("v1") is None


def test_blob_that_is_there_mounted_from_the_same_place_stays_the_same(remote: Remote) -> None:
    digest = put(remote, DATA)
    assert remote.mount_blob(digest, remote.url) is True
    assert read_all(remote.open_blob(digest, len(DATA))) == DATA


@pytest.mark.parametrize("source_url", ["oci://registry.example.com/acme/llm", "oci-layout:elsewhere", "the store"])
def test_blob_mounted_from_elsewhere_is_not_there_and_can_be_put(remote: Remote, source_url: str) -> None:
    assert remote.mount_blob(DIGEST, source_url) is False
    assert remote.has_blob(DIGEST) is False
    put(remote, DATA)
    assert remote.has_blob(DIGEST) is True


def test_blobs_put_from_many_threads_are_all_there(remote: Remote) -> None:
    blobs = [bytes([number]) * (100_000 + number) for number in range(8)] * 2  # each one twice, at the same time
    start, failures = threading.Barrier(len(blobs)), list[BaseException]()

    def work(blob: bytes) -> None:
        try:
            start.wait()
            put(remote, blob)
            assert read_all(remote.open_blob(digest_of(blob), len(blob))) == blob
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(blob,)) for blob in blobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
