"""Blobs on their way to and from a registry that cuts, stalls, and answers something else."""

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.errors import Corrupt, KitError, NetworkError, NotFound, Unsupported
from gitkit.registry.client import Registry
from gitkit.registry.messages import TransportOptions
from tests.lib.registries import (
    REPOSITORY,
    Access,
    Fault,
    FaultRegistry,
    RealRegistry,
    connect,
    read_all,
)
from tests.lib.registry_samples import (
    ALICE,
    BLOBS,
    DATA,
    DIGEST,
    UPLOADS,
    CountedSource,
    source,
    stored,
)

pytest_plugins = ["tests.lib.registry_fixtures"]


# -- downloads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 1, len(DATA) - 1, len(DATA)])
def test_open_blob_from_any_offset_gives_the_rest(fault_registry: FaultRegistry, start: int) -> None:
    fault_registry.add_blob(REPOSITORY, DATA)
    with connect(fault_registry.host) as remote:
        assert read_all(remote.open_blob(DIGEST, len(DATA), start=start)) == DATA[start:]


def test_open_blob_empty_blob_is_asked_for(fault_registry: FaultRegistry) -> None:
    digest = fault_registry.add_blob(REPOSITORY, b"")
    with connect(fault_registry.host) as remote:
        assert read_all(remote.open_blob(digest, 0)) == b""
        with pytest.raises(NotFound):
            remote.open_blob(DIGEST, 0)


@pytest.mark.parametrize("reset", [False, True])
def test_cut_download_is_a_network_error_and_goes_on_from_the_offset(
    fault_registry: FaultRegistry, reset: bool
) -> None:
    fault_registry.add_blob(REPOSITORY, DATA)
    fault_registry.add(Fault(method="GET", path=BLOBS, cut_body_after=200_000, reset=reset))
    with connect(fault_registry.host) as remote:
        got = bytearray()
        with pytest.raises(NetworkError):
            _read_into(got, remote, 0)
        assert 0 < len(got) <= 200_000
        _read_into(got, remote, len(got))
    assert got == DATA
    assert fault_registry.seen("GET", BLOBS)[1].headers.get("Range") is not None


def _read_into(got: bytearray, remote: Registry, start: int) -> None:
    reader = remote.open_blob(DIGEST, len(DATA), start=start)
    block = bytearray(10_000)
    try:
        while count := reader.readinto(memoryview(block)):
            got += block[:count]
    finally:
        reader.close()


def test_stalled_download_is_a_network_error(fault_registry: FaultRegistry) -> None:
    fault_registry.add_blob(REPOSITORY, DATA)
    fault_registry.add(Fault(method="GET", path=BLOBS, pause_after=1000))
    options = TransportOptions(stall_timeout_s=0.2)
    with connect(fault_registry.host, options=options) as remote, pytest.raises(NetworkError, match="in time"):
        read_all(remote.open_blob(DIGEST, len(DATA)))


def test_open_blob_where_ranges_are_ignored_skips_to_the_offset(fault_registry: FaultRegistry) -> None:
    fault_registry.add_blob(REPOSITORY, DATA)
    fault_registry.add(Fault(method="GET", path=BLOBS, ignore_range=True))
    with connect(fault_registry.host) as remote:
        assert read_all(remote.open_blob(DIGEST, len(DATA), start=500_001)) == DATA[500_001:]


@pytest.mark.parametrize(
    ("content_range", "kind"),
    [
        (None, NetworkError),
        ("bytes 0-9/768", NetworkError),
        (f"bytes 11-{len(DATA) - 1}/{len(DATA)}", NetworkError),
        (f"bytes 10-{len(DATA) - 1}/{len(DATA) + 1}", Corrupt),
        (f"bytes 10-{len(DATA)}/*", Corrupt),
    ],
)
def test_open_blob_answered_by_another_range_is_refused(
    fault_registry: FaultRegistry, content_range: str | None, kind: type[KitError]
) -> None:
    headers = {} if content_range is None else {"Content-Range": content_range}
    fault_registry.add(Fault(method="GET", path=BLOBS, status=206, headers=headers, body=DATA[10:]))
    with connect(fault_registry.host) as remote, pytest.raises(kind):
        remote.open_blob(DIGEST, len(DATA), start=10)


def test_open_blob_answered_by_a_shorter_range_ends_in_a_network_error(fault_registry: FaultRegistry) -> None:
    headers = {"Content-Range": f"bytes 10-99/{len(DATA)}"}
    fault_registry.add(Fault(method="GET", path=BLOBS, status=206, headers=headers, body=DATA[10:100]))
    with connect(fault_registry.host) as remote:
        reader = remote.open_blob(DIGEST, len(DATA), start=10)
        block = memoryview(bytearray(1000))
        assert reader.readinto(block) == 90
        with pytest.raises(NetworkError, match="early"):
            reader.readinto(block)
        reader.close()


@pytest.mark.parametrize(("size", "start"), [(len(DATA) - 1, 0), (len(DATA) + 1, 0), (len(DATA) + 1, len(DATA))])
def test_open_blob_of_another_size_is_corrupt(fault_registry: FaultRegistry, size: int, start: int) -> None:
    fault_registry.add_blob(REPOSITORY, DATA)
    with connect(fault_registry.host) as remote, pytest.raises(Corrupt, match=str(len(DATA))):
        remote.open_blob(DIGEST, size, start=start)


def test_body_of_unannounced_length_is_checked_at_its_end(fault_registry: FaultRegistry) -> None:
    for body in (DATA, DATA + b"x", DATA[:-1]):
        fault_registry.add(Fault(method="GET", path=BLOBS, status=200, body=body, without=("Content-Length",)))
    with connect(fault_registry.host) as remote:
        assert read_all(remote.open_blob(DIGEST, len(DATA))) == DATA
        with pytest.raises(Corrupt, match="more bytes"):
            read_all(remote.open_blob(DIGEST, len(DATA)))
        with pytest.raises(NetworkError, match="1 bytes early"):
            read_all(remote.open_blob(DIGEST, len(DATA)))


# -- uploads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"x", DATA, b"y" * (1 << 20), b"z" * ((2 << 20) + 1)])
@pytest.mark.parametrize("absolute", [False, True])
def test_put_blob_is_one_post_and_one_streamed_put(fault_registry: FaultRegistry, data: bytes, absolute: bool) -> None:
    fault_registry.registry.absolute_locations = absolute
    with connect(fault_registry.host) as remote:
        remote.put_blob(digest_of(data), len(data), source(data))
    assert stored(fault_registry) == {digest_of(data): data}
    assert [call.method for call in fault_registry.requests] == ["HEAD", "POST", "PUT"]
    put = fault_registry.requests[2]
    assert put.headers.get("Content-Type") == "application/octet-stream"
    assert put.headers.get("Content-Length") == str(len(data))
    assert put.headers.get("Transfer-Encoding") is None
    assert "_state=0&digest=sha256%3A" in put.path


def test_put_blob_that_is_there_opens_no_source(fault_registry: FaultRegistry) -> None:
    fault_registry.add_blob(REPOSITORY, DATA)
    opened = CountedSource()
    with connect(fault_registry.host) as remote:
        remote.put_blob(DIGEST, len(DATA), opened)
    assert (opened.opened, [call.method for call in fault_registry.requests]) == ([], ["HEAD"])


@pytest.mark.parametrize("data", [DATA[:-1] + b"\0", DATA[:-1], DATA + b"x", b"", DATA[:-1] + b"\0" + DATA])
def test_put_blob_whose_source_is_something_else_is_corrupt_and_stores_nothing(
    fault_registry: FaultRegistry, data: bytes
) -> None:
    with connect(fault_registry.host) as remote:
        with pytest.raises(Corrupt):
            remote.put_blob(DIGEST, len(DATA), source(data))
        assert len(fault_registry.seen("POST")) == 1
        remote.put_blob(DIGEST, len(DATA), source())
    assert stored(fault_registry) == {DIGEST: DATA}


@pytest.mark.parametrize("more", [b"x", b"x" * (3 << 20)])
def test_put_blob_whose_source_grew_is_corrupt_and_stores_not_even_its_beginning(more: bytes) -> None:
    data = b"k" * (1 << 20)
    with FaultRegistry() as registry, connect(registry.host) as remote, pytest.raises(Corrupt):
        remote.put_blob(digest_of(data), len(data), source(data + more))
    assert stored(registry) == {}  # the server has ended, so it had every byte that was sent


def test_put_blob_whose_source_changed_is_corrupt_where_the_registry_does_not_check(
    fault_registry: FaultRegistry,
) -> None:
    fault_registry.add(Fault(method="PUT", path=UPLOADS, status=201))
    with connect(fault_registry.host) as remote, pytest.raises(Corrupt, match="other content"):
        remote.put_blob(DIGEST, len(DATA), source(DATA[:-1] + b"\0"))


def test_put_blob_that_arrives_changed_is_corrupt(fault_registry: FaultRegistry) -> None:
    body = b'{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match"}]}'
    fault_registry.add(Fault(method="PUT", path=UPLOADS, status=400, body=body))
    with connect(fault_registry.host) as remote, pytest.raises(Corrupt, match="DIGEST_INVALID"):
        remote.put_blob(DIGEST, len(DATA), source())


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="PUT", path=UPLOADS, cut_upload_after=100_000, reset=True),
        Fault(method="PUT", path=UPLOADS, cut_upload_after=100_000),
        Fault(method="PUT", path=UPLOADS, status=503),
        Fault(method="PUT", path=UPLOADS, status=404, body=b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}'),
        Fault(method="PUT", path=UPLOADS, status=416, body=b""),
        Fault(method="POST", path=UPLOADS, status=502),
    ],
    ids=["reset", "cut", "unavailable", "session lost", "out of order", "no session"],
)
def test_put_blob_that_fails_once_begins_anew(fault_registry: FaultRegistry, fault: Fault) -> None:
    fault_registry.add(fault)
    opened, waits = CountedSource(), list[float]()
    with connect(fault_registry.host, waits=waits) as remote:
        remote.put_blob(DIGEST, len(DATA), opened)
    assert stored(fault_registry) == {DIGEST: DATA}
    assert waits == [0.5]
    assert len(fault_registry.seen("POST")) == 2
    assert len({call.path for call in fault_registry.seen("PUT")}) == len(opened.opened)
    assert opened.all_closed()


def test_put_blob_whose_answer_was_lost_is_not_sent_twice(fault_registry: FaultRegistry) -> None:
    fault_registry.add(Fault(method="PUT", path=UPLOADS, headers={"Content-Length": "9"}, cut_body_after=0))
    with connect(fault_registry.host) as remote:
        remote.put_blob(DIGEST, len(DATA), source())
    assert stored(fault_registry) == {DIGEST: DATA}
    assert len(fault_registry.seen("PUT")) == 1


def test_put_blob_that_is_too_large_for_the_registry_is_unsupported(fault_registry: FaultRegistry) -> None:
    fault_registry.add(Fault(method="PUT", path=UPLOADS, status=413, body=b"<html>"))
    with connect(fault_registry.host) as remote, pytest.raises(Unsupported, match="answered 413"):
        remote.put_blob(DIGEST, len(DATA), source())


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="POST", path=UPLOADS, without=("Location",)),
        Fault(method="POST", path=UPLOADS, status=201, headers={"Location": "/x"}),
        Fault(method="POST", path=UPLOADS, headers={"Location": "http://[::1/"}),
    ],
    ids=["no location", "no session", "malformed location"],
)
def test_put_blob_without_a_place_to_send_it_is_a_network_error(fault_registry: FaultRegistry, fault: Fault) -> None:
    fault_registry.add(fault)
    with connect(fault_registry.host) as remote, pytest.raises(NetworkError):
        remote.put_blob(DIGEST, len(DATA), source())
    assert fault_registry.seen("PUT") == []


def test_put_blob_to_a_location_on_another_host_goes_there_without_authorization() -> None:
    with (
        FaultRegistry(access=Access(mode="basic")) as registry,
        FaultRegistry() as other,
        connect(registry.host, login=ALICE) as remote,
    ):
        remote.check_login()
        other.repository(REPOSITORY).uploads["theirs"] = bytearray()
        location = f"{other.url}/v2/{REPOSITORY}/blobs/uploads/theirs?_state=0"
        registry.add(Fault(method="POST", path=UPLOADS, status=202, headers={"Location": location}))
        remote.put_blob(DIGEST, len(DATA), source())
        assert stored(other) == {DIGEST: DATA}
        assert other.seen("PUT")[0].headers.get("Authorization") is None


class BrokenFile(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(5, "Input/output error")


def test_put_blob_whose_source_cannot_be_read_is_no_network_error(fault_registry: FaultRegistry) -> None:
    with connect(fault_registry.host) as remote, pytest.raises(KitError, match="Input/output error") as caught:
        remote.put_blob(DIGEST, len(DATA), BrokenFile)
    assert type(caught.value) is KitError
    assert len(fault_registry.seen("POST")) == 1


def test_put_blob_whose_source_cannot_be_opened_is_no_network_error(
    fault_registry: FaultRegistry, tmp_path: Path
) -> None:
    with connect(fault_registry.host) as remote, pytest.raises(KitError, match="No such file") as caught:
        remote.put_blob(DIGEST, len(DATA), lambda: (tmp_path / "gone").open("rb"))
    assert type(caught.value) is KitError


UPLOADER = """
import io, sys
from tests.lib.registries import connect
data = b"k" * (8 << 20)
with connect(sys.argv[1]) as remote:
    remote.put_blob(sys.argv[2], len(data), lambda: io.BytesIO(data))
"""


def test_put_blob_killed_in_the_middle_leaves_nothing_and_can_be_done_again(fault_registry: FaultRegistry) -> None:
    data = b"k" * (8 << 20)
    fault = fault_registry.add(Fault(method="PUT", path=UPLOADS, pause_after=1 << 20))
    client = subprocess.Popen([sys.executable, "-c", UPLOADER, fault_registry.host, digest_of(data)])
    assert fault.reached.wait(timeout=60)
    client.kill()
    client.wait()
    fault.resume.set()
    assert stored(fault_registry) == {}
    with connect(fault_registry.host) as remote:
        remote.put_blob(digest_of(data), len(data), source(data))
    assert list(stored(fault_registry)) == [digest_of(data)]


# -- memory ------------------------------------------------------------------------------------------------------------


MEASURED = """
import hashlib, resource, sys
from tests.lib.registries import connect
host, path, size, digest = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
block = memoryview(bytearray(1 << 20))
with connect(host) as remote:
    remote.tags()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    remote.put_blob(digest, size, lambda: open(path, "rb"))
    reader, hasher = remote.open_blob(digest, size), hashlib.sha256()
    while count := reader.readinto(block):
        hasher.update(block[:count])
    reader.close()
    assert "sha256:" + hasher.hexdigest() == digest
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.real_registry
def test_transfer_of_a_large_blob_needs_little_memory(real_registry: RealRegistry, tmp_path: Path) -> None:
    size = 256 << 20
    with open(tmp_path / "sparse", "w+b") as file:
        file.truncate(size)
        digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, real_registry.host, str(tmp_path / "sparse"), str(size), digest],
        check=True,
        capture_output=True,
        text=True,
    )
    growth_kib = int(done.stdout)
    assert growth_kib < 64 * 1024
