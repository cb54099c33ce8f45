"""The registry client: refusals, tries, manifests and tags, against failures and against Debian's docker-registry."""

import socket
from collections.abc import Callable

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.oci import EMPTY_BLOB, EMPTY_DESCRIPTOR, INDEX, to_json
from gitkit.errors import Corrupt, Denied, InvalidFile, NetworkError, NotFound, Unsupported, UsageError
from gitkit.registry.client import Registry
from gitkit.registry.credentials import Credential
from tests.lib.registries import (
    REPOSITORY,
    USER,
    Access,
    Fault,
    FaultRegistry,
    RealRegistry,
    connect,
    read_all,
)
from tests.lib.registry_samples import ALICE, BLOBS, DATA, DIGEST, MANIFESTS, manifest_of, source, stored

pytest_plugins = ["tests.lib.registry_fixtures"]


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_has_blob_without_the_login_it_needs_is_denied_with_a_hint() -> None:
    with FaultRegistry(access=Access(mode="basic")) as registry, connect(registry.host) as remote:
        with pytest.raises(Denied) as caught:
            remote.has_blob(DIGEST)
        assert caught.value.hint == f"git kit login {registry.host}"


def test_open_blob_forbidden_is_denied_in_the_registrys_words(fault_registry: FaultRegistry) -> None:
    body = b'{"errors":[{"code":"DENIED","message":"your plan does not include this"}]}'
    fault_registry.add(Fault(method="GET", path=BLOBS, status=403, body=body))
    with connect(fault_registry.host) as remote, pytest.raises(Denied) as caught:
        remote.open_blob(DIGEST, len(DATA))
    assert "answered 403 (DENIED: your plan does not include this)" in caught.value.message
    assert caught.value.hint == f"git kit login {fault_registry.host}"
    assert len(fault_registry.requests) == 1


def test_missing_things_are_told_apart_from_failures(fault_registry: FaultRegistry) -> None:
    with connect(fault_registry.host) as remote:
        assert remote.has_blob(DIGEST) is False
        assert remote.resolve("v1") is None
        assert remote.tags() == []
        with pytest.raises(NotFound):
            remote.open_blob(DIGEST, len(DATA))
        with pytest.raises(NotFound):
            remote.get_manifest("v1")
        with pytest.raises(NotFound):
            remote.get_manifest(DIGEST)


@pytest.mark.parametrize(
    "ask",
    [
        lambda remote: remote.has_blob(DIGEST),
        lambda remote: remote.resolve("v1"),
        lambda remote: remote.get_manifest("v1"),
        lambda remote: remote.tags(),
        lambda remote: remote.open_blob(DIGEST, 1),
        lambda remote: remote.put_blob(DIGEST, len(DATA), source()),
        lambda remote: remote.put_manifest(manifest_of(), tag="v1"),
        lambda remote: remote.check_login(),
    ],
)
@pytest.mark.parametrize(("status", "tries"), [(500, 5), (507, 1), (418, 1)])
def test_server_error_is_a_network_error_and_repeated_where_it_may_pass(
    fault_registry: FaultRegistry, ask: Callable[[Registry], object], status: int, tries: int
) -> None:
    for method in ("GET", "HEAD", "PUT", "POST"):
        fault_registry.add(Fault(method=method, path="", times=None, status=status))
    with connect(fault_registry.host) as remote, pytest.raises(NetworkError, match=f"answered {status}"):
        ask(remote)
    assert len(fault_registry.requests) == tries


@pytest.mark.parametrize("name", ["../../etc", "v1/../v2", "", "a b", "sha256:short", "x" * 129])
def test_name_that_is_no_tag_is_refused_before_anything_is_sent(fault_registry: FaultRegistry, name: str) -> None:
    with connect(fault_registry.host) as remote:
        for ask in (remote.resolve, remote.get_manifest, lambda tag: remote.put_manifest(manifest_of(), tag=tag)):
            with pytest.raises(UsageError):
                ask(name)
    assert fault_registry.requests == []


@pytest.mark.parametrize(
    ("host", "repository"),
    [
        ("user:pw@host", "a"),
        ("host/path", "a"),
        ("host", "UPPER"),
        ("host", "a//b"),
        ("host", "../x"),
        ("host:99999", "a"),
    ],
)
def test_place_that_cannot_be_is_refused(host: str, repository: str) -> None:
    with pytest.raises(UsageError):
        Registry(host, repository)


def test_url_is_what_a_person_would_type() -> None:
    for host, scheme, expected in [
        ("ghcr.io", "https", "oci://ghcr.io/acme/llm"),
        ("127.0.0.1:5000", "http", "oci://127.0.0.1:5000/acme/llm"),
        ("registry.lan:5000", "http", "oci+http://registry.lan:5000/acme/llm"),
    ]:
        with Registry(host, "acme/llm", scheme=scheme) as remote:
            assert remote.url == expected


# -- tries -------------------------------------------------------------------------------------------------------------


def test_throttled_request_waits_as_long_as_it_is_told(fault_registry: FaultRegistry) -> None:
    fault_registry.add_blob(REPOSITORY, DATA)
    fault_registry.add(Fault(method="HEAD", path=BLOBS, status=429, headers={"Retry-After": "7"}))
    fault_registry.add(Fault(method="HEAD", path=BLOBS, status=429, headers={"Retry-After": "86400"}))
    waits: list[float] = []
    with connect(fault_registry.host, waits=waits) as remote:
        assert remote.has_blob(DIGEST)
    assert waits == [7.0, 60.0]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_unavailable_registry_that_recovers_is_waited_for(fault_registry: FaultRegistry, status: int) -> None:
    fault_registry.add_blob(REPOSITORY, DATA)
    fault_registry.add(Fault(method="GET", path=BLOBS, status=status, times=2))
    waits: list[float] = []
    with connect(fault_registry.host, waits=waits) as remote:
        assert read_all(remote.open_blob(DIGEST, len(DATA))) == DATA
    assert waits == [0.5, 1.0]


def test_unavailable_registry_that_stays_so_is_a_network_error_after_five_tries(fault_registry: FaultRegistry) -> None:
    body = b'{"errors":[{"code":"UNAVAILABLE","message":"maintenance until noon"}]}'
    fault_registry.add(Fault(method="GET", path=MANIFESTS, status=503, body=body, times=None))
    waits: list[float] = []
    said = r"answered 503 \(UNAVAILABLE: maintenance until noon\)"
    with connect(fault_registry.host, waits=waits) as remote, pytest.raises(NetworkError, match=said):
        remote.get_manifest("v1")
    assert (len(fault_registry.requests), waits) == (5, [0.5, 1.0, 2.0, 4.0])


def test_connection_that_breaks_before_the_answer_is_tried_again(fault_registry: FaultRegistry) -> None:
    manifest = manifest_of()
    stored(fault_registry)[EMPTY_DESCRIPTOR.digest] = EMPTY_BLOB
    with connect(fault_registry.host) as remote:
        remote.put_manifest(manifest, tag="v1")
        fault_registry.add(Fault(method="GET", path=MANIFESTS, cut_body_after=5, reset=True))
        fault_registry.add(Fault(method="GET", path=MANIFESTS, cut_body_after=5))
        assert remote.get_manifest("v1") == manifest
    assert len(fault_registry.seen("GET", MANIFESTS)) == 3


def test_refused_connection_is_a_network_error_with_a_hint() -> None:
    waits: list[float] = []
    with socket.socket() as bound:  # bound and not listening: nobody else can have the port
        bound.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{bound.getsockname()[1]}"
        with connect(host, waits=waits) as remote, pytest.raises(NetworkError, match="takes no connection") as caught:
            remote.has_blob(DIGEST)
    assert caught.value.hint is not None
    assert len(waits) == 4


def test_requests_one_after_the_other_share_a_connection(fault_registry: FaultRegistry) -> None:
    with connect(fault_registry.host) as remote:
        remote.has_blob(DIGEST)
        remote.put_blob(DIGEST, len(DATA), source())
        read_all(remote.open_blob(DIGEST, len(DATA)))
        remote.resolve("v1")
        remote.tags()
    assert len({call.port for call in fault_registry.requests}) == 1
    assert {call.headers.get("User-Agent") for call in fault_registry.requests} == {"git-kit/0.1.0"}


# -- manifests and tags ------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(fault_registry: FaultRegistry) -> FaultRegistry:
    """Holds what ``manifest_of()`` and ``manifest_of(DATA)`` name."""
    fault_registry.add_blob(REPOSITORY, EMPTY_BLOB)
    fault_registry.add_blob(REPOSITORY, DATA)
    return fault_registry


def test_put_manifest_sends_the_exact_bytes_under_their_own_media_type(filled: FaultRegistry) -> None:
    index = to_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
    plain = b'{ "schemaVersion":2, "config":%s, "layers":[] }\n' % to_json(EMPTY_DESCRIPTOR.as_json())
    with connect(filled.host) as remote:
        assert remote.put_manifest(index, tag="index") == digest_of(index)
        assert remote.put_manifest(plain) == digest_of(plain)
        assert remote.get_manifest(digest_of(plain)) == plain
        assert remote.get_manifest("index") == index
    assert [call.headers.get("Content-Type") for call in filled.seen("PUT")] == [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
    ]
    assert filled.seen("PUT")[1].path.endswith(digest_of(plain))
    assert filled.repository(REPOSITORY).tags == {"index": digest_of(index)}


def test_put_manifest_moves_a_tag(filled: FaultRegistry) -> None:
    with connect(filled.host) as remote:
        remote.put_manifest(manifest_of(), tag="latest")
        second = remote.put_manifest(manifest_of(DATA), tag="latest")
        assert remote.resolve("latest") == second


def test_put_manifest_that_names_a_missing_blob_is_not_found(fault_registry: FaultRegistry) -> None:
    with connect(fault_registry.host) as remote, pytest.raises(NotFound, match="MANIFEST_BLOB_UNKNOWN"):
        remote.put_manifest(manifest_of(DATA), tag="v1")


def test_put_manifest_while_somebody_else_commits_a_blob_of_it_is_tried_again(filled: FaultRegistry) -> None:
    errors = [{"code": code, "message": "x"} for code in ("DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN")]
    filled.add(Fault(method="PUT", path=MANIFESTS, status=400, body=to_json({"errors": errors})))
    with connect(filled.host) as remote:
        digest = remote.put_manifest(manifest_of(DATA), tag="v1")
        assert remote.resolve("v1") == digest
    assert len(filled.seen("PUT")) == 2


def test_put_manifest_larger_than_registries_take_is_unsupported_and_not_sent(fault_registry: FaultRegistry) -> None:
    with connect(fault_registry.host) as remote, pytest.raises(Unsupported):
        remote.put_manifest(b'{"annotations":{"a":"%s"}}' % (b"x" * (4 << 20)))
    assert fault_registry.requests == []


@pytest.mark.parametrize("manifest", [b"not json", b"[]", b'{"mediaType":"a\\r\\nb"}', b'{"mediaType":7}'])
def test_put_manifest_that_is_none_is_an_invalid_file(fault_registry: FaultRegistry, manifest: bytes) -> None:
    with connect(fault_registry.host) as remote, pytest.raises(InvalidFile):
        remote.put_manifest(manifest)
    assert fault_registry.requests == []


def test_put_manifest_that_was_stored_changed_is_corrupt(filled: FaultRegistry) -> None:
    filled.add(Fault(method="PUT", path=MANIFESTS, headers={"Docker-Content-Digest": DIGEST}))
    with connect(filled.host) as remote, pytest.raises(Corrupt):
        remote.put_manifest(manifest_of(), tag="v1")


def test_get_manifest_whose_bytes_are_wrong_is_corrupt(filled: FaultRegistry) -> None:
    with connect(filled.host) as remote:
        digest = remote.put_manifest(manifest_of(), tag="v1")
        for reference in (digest, "v1"):
            filled.add(Fault(method="GET", path=MANIFESTS, wrong_bytes=True))
            with pytest.raises(Corrupt):
                remote.get_manifest(reference)
        filled.add(Fault(method="GET", path=MANIFESTS, wrong_bytes=True, without=("Docker-Content-Digest",)))
        with pytest.raises(Corrupt):
            remote.get_manifest(digest)


def test_get_manifest_by_tag_without_announced_digest_is_taken_as_it_is(filled: FaultRegistry) -> None:
    with connect(filled.host) as remote:
        remote.put_manifest(manifest_of(), tag="v1")
        filled.add(Fault(method="GET", path=MANIFESTS, without=("Docker-Content-Digest",)))
        assert remote.get_manifest("v1") == manifest_of()


def test_get_manifest_without_end_is_an_invalid_file(fault_registry: FaultRegistry) -> None:
    fault_registry.add(Fault(method="GET", path=MANIFESTS, status=200, body=b"x" * ((4 << 20) + 1)))
    fault_registry.add(Fault(method="GET", path=MANIFESTS, status=200, body=b"x" * (4 << 20)))
    with connect(fault_registry.host) as remote:
        with pytest.raises(InvalidFile, match="larger"):
            remote.get_manifest("v1")
        assert len(remote.get_manifest("v1")) == 4 << 20


@pytest.mark.parametrize("header", [None, "sha512:abc", "nonsense"])
def test_resolve_without_usable_digest_header_reads_the_manifest(filled: FaultRegistry, header: str | None) -> None:
    with connect(filled.host) as remote:
        digest = remote.put_manifest(manifest_of(DATA), tag="v1")
        headers = {} if header is None else {"Docker-Content-Digest": header}
        filled.add(Fault(method="HEAD", path=MANIFESTS, without=("Docker-Content-Digest",), headers=headers))
        assert remote.resolve("v1") == digest
        assert remote.resolve("v1") == digest
    assert len(filled.seen("GET", MANIFESTS)) == 1


def test_tags_follow_every_page_and_are_sorted(filled: FaultRegistry) -> None:
    names = [f"v{number}" for number in range(25)]
    with connect(filled.host) as remote:
        for name in reversed(names):
            remote.put_manifest(manifest_of(), tag=name)
        filled.registry.page_size = 4
        assert remote.tags() == sorted(names)
    assert len(filled.seen("GET", "tags/list")) == 7


def test_tags_that_go_on_at_another_host_are_a_network_error(filled: FaultRegistry) -> None:
    with FaultRegistry() as other, connect(filled.host) as remote:
        remote.put_manifest(manifest_of(), tag="v1")
        link = f'<{other.url}/v2/{REPOSITORY}/tags/list?last=v1>; rel="next"'
        filled.add(Fault(method="GET", path="tags/list", headers={"Link": link}))
        with pytest.raises(NetworkError, match="another host"):
            remote.tags()
        assert other.requests == []


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"tags":"v1"}', b'{"tags":[1]}'])
def test_tags_that_are_no_list_are_a_network_error(fault_registry: FaultRegistry, body: bytes) -> None:
    fault_registry.add(Fault(method="GET", path="tags/list", status=200, body=body))
    with connect(fault_registry.host) as remote, pytest.raises(NetworkError):
        remote.tags()


def test_tags_null_is_an_empty_list(fault_registry: FaultRegistry) -> None:
    fault_registry.add(Fault(method="GET", path="tags/list", status=200, body=b'{"name":"a","tags":null}'))
    with connect(fault_registry.host) as remote:
        assert remote.tags() == []


# -- docker-registry ---------------------------------------------------------------------------------------------------


def _push_and_read(remote: Registry) -> None:
    remote.check_login()
    assert remote.tags() == []
    assert remote.has_blob(DIGEST) is False
    for blob in (DATA, EMPTY_BLOB, b""):
        remote.put_blob(digest_of(blob), len(blob), source(blob))
        assert remote.has_blob(digest_of(blob))
    assert read_all(remote.open_blob(DIGEST, len(DATA))) == DATA
    assert read_all(remote.open_blob(DIGEST, len(DATA), start=100_001)) == DATA[100_001:]
    with pytest.raises(Corrupt):
        remote.put_blob(digest_of(b"other"), 5, source(b"OTHER"))
    assert remote.has_blob(digest_of(b"OTHER")) is False
    digest = remote.put_manifest(manifest_of(DATA), tag="v1")
    remote.put_manifest(manifest_of(DATA), tag="a-second-name")
    assert remote.resolve("v1") == digest == digest_of(manifest_of(DATA))
    assert remote.get_manifest("v1") == remote.get_manifest(digest) == manifest_of(DATA)
    assert remote.tags() == ["a-second-name", "v1"]
    with pytest.raises(NotFound):
        remote.put_manifest(manifest_of(b"never pushed"), tag="v2")


@pytest.mark.real_registry
def test_docker_registry_takes_and_gives_everything(real_registry: RealRegistry) -> None:
    with connect(real_registry.host) as remote:
        _push_and_read(remote)


@pytest.mark.real_registry
def test_docker_registry_with_login_takes_and_gives_everything(real_registry_with_login: RealRegistry) -> None:
    with connect(real_registry_with_login.host, login=ALICE) as remote:
        _push_and_read(remote)


@pytest.mark.real_registry
def test_docker_registry_with_login_refuses_others(real_registry_with_login: RealRegistry) -> None:
    for login in (None, Credential(username=USER, password="wrong")):
        with connect(real_registry_with_login.host, login=login) as remote:
            with pytest.raises(Denied):
                remote.check_login()
            with pytest.raises(Denied):
                remote.put_blob(DIGEST, len(DATA), source())
