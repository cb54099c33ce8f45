"""Where the registry client goes and what it shows there: redirects, logins, TLS, proxies."""

import json
import socket
import subprocess
import threading
import traceback
from contextlib import suppress
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.errors import Denied, InvalidFile, KitError, NetworkError, NotFound
from gitkit.registry.client import Registry
from gitkit.registry.credentials import Credential
from gitkit.registry.endpoint import Endpoint
from gitkit.registry.messages import TransportOptions
from tests.lib.registries import (
    PASSWORD,
    REPOSITORY,
    USER,
    Access,
    Fault,
    FaultRegistry,
    connect,
    read_all,
)
from tests.lib.registry_samples import ALICE, BLOBS, DATA, DIGEST, UPLOADS, CountedSource, source, stored

pytest_plugins = ["tests.lib.registry_fixtures"]


# -- redirects ---------------------------------------------------------------------------------------------------------


def test_redirect_to_another_host_keeps_the_range_and_drops_the_authorization() -> None:
    with (
        FaultRegistry(access=Access(mode="basic")) as registry,
        FaultRegistry() as storage,
        connect(registry.host, login=ALICE) as remote,
    ):
        storage.add_blob(REPOSITORY, DATA)
        remote.check_login()
        registry.add(Fault(method="GET", path=BLOBS, redirect_to=storage.url))
        assert read_all(remote.open_blob(DIGEST, len(DATA), start=7)) == DATA[7:]
        assert registry.seen("GET", BLOBS)[0].headers.get("Authorization", "").startswith("Basic ")
        assert [call.headers.get("Authorization") for call in storage.requests] == [None]
        assert [call.headers.get("Range") for call in storage.requests] == ["bytes=7-"]


def test_redirect_through_another_host_and_back_does_not_get_the_authorization_again() -> None:
    with (
        FaultRegistry(access=Access(mode="basic")) as registry,
        FaultRegistry() as other,
        connect(registry.host, login=ALICE) as remote,
    ):
        remote.check_login()
        registry.add(Fault(method="GET", path=BLOBS, redirect_to=other.url))
        other.add(Fault(method="GET", path=BLOBS, redirect_to=f"{registry.url}/back"))
        registry.add(Fault(method="GET", path="^/back", status=404))
        with pytest.raises(NotFound):
            remote.open_blob(DIGEST, len(DATA))
        assert registry.seen("GET", "^/back")[0].headers.get("Authorization") is None


def test_redirect_within_the_registry_keeps_the_authorization() -> None:
    with FaultRegistry(access=Access(mode="basic")) as registry, connect(registry.host, login=ALICE) as remote:
        registry.add_blob(REPOSITORY, DATA)
        remote.check_login()
        location = f"/v2/{REPOSITORY}/blobs/{DIGEST}?again"
        registry.add(Fault(method="HEAD", path=BLOBS, status=307, headers={"Location": location}))
        assert remote.has_blob(DIGEST)


def test_challenge_of_a_redirect_target_is_not_answered() -> None:
    with (
        FaultRegistry(access=Access(mode="basic")) as registry,
        FaultRegistry(access=Access(mode="bearer")) as thief,
        connect(registry.host, login=ALICE) as remote,
    ):
        remote.check_login()
        registry.add(Fault(method="GET", path=BLOBS, redirect_to=thief.url))
        with pytest.raises(Denied) as caught:
            remote.open_blob(DIGEST, len(DATA))
        assert caught.value.hint is None
        assert [call.path for call in thief.requests] == [f"/v2/{REPOSITORY}/blobs/{DIGEST}"]


def test_redirects_without_end_are_a_network_error(fault_registry: FaultRegistry) -> None:
    fault_registry.add(Fault(method="GET", path=BLOBS, times=None, redirect_to=fault_registry.url))
    with connect(fault_registry.host) as remote, pytest.raises(NetworkError, match="more than 10 times"):
        remote.open_blob(DIGEST, len(DATA))
    assert len(fault_registry.requests) == 11


@pytest.mark.parametrize("location", ["ftp://host/blob", "http://[::1/", "http://host:port/", "file:///etc/passwd"])
def test_redirect_to_no_http_url_is_a_network_error(fault_registry: FaultRegistry, location: str) -> None:
    fault_registry.add(Fault(method="GET", path=BLOBS, status=302, headers={"Location": location}))
    with connect(fault_registry.host) as remote, pytest.raises(NetworkError):
        remote.open_blob(DIGEST, len(DATA))


def test_redirected_upload_is_not_sent_elsewhere(fault_registry: FaultRegistry) -> None:
    with FaultRegistry() as other, connect(fault_registry.host) as remote:
        fault_registry.add(Fault(method="PUT", path=UPLOADS, times=None, redirect_to=other.url))
        with pytest.raises(NetworkError, match="answered 307"):
            remote.put_blob(DIGEST, len(DATA), source())
        assert other.requests == []


# -- logins ------------------------------------------------------------------------------------------------------------


def test_many_threads_at_an_expired_token_share_one_new_one() -> None:
    with FaultRegistry(access=Access(mode="bearer")) as registry, connect(registry.host, login=ALICE) as remote:
        blobs = [bytes([number]) * 1000 for number in range(16)]
        remote.has_blob(DIGEST)
        start = threading.Barrier(len(blobs))
        failures: list[BaseException] = []

        def put(blob: bytes) -> None:
            try:
                start.wait()
                remote.put_blob(digest_of(blob), len(blob), source(blob))
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=put, args=(blob,)) for blob in blobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert sorted(stored(registry)) == sorted(digest_of(blob) for blob in blobs)
        assert registry.registry.tokens_issued == 2  # one to pull, one to push


def test_token_that_ends_in_the_middle_of_a_download_is_renewed() -> None:
    with FaultRegistry(access=Access(mode="bearer")) as registry, connect(registry.host, login=ALICE) as remote:
        registry.add_blob(REPOSITORY, DATA)
        first = read_all(remote.open_blob(DIGEST, len(DATA)), limit=300_000)
        registry.registry.expire_tokens()
        rest = read_all(remote.open_blob(DIGEST, len(DATA), start=len(first)))
        assert first + rest == DATA
        assert registry.registry.tokens_issued == 2


def test_token_that_ends_in_the_middle_of_an_upload_is_renewed_and_the_upload_begins_anew() -> None:
    with FaultRegistry(access=Access(mode="bearer")) as registry, connect(registry.host, login=ALICE) as remote:
        opened = CountedSource()
        registry.add(Fault(method="PUT", path=UPLOADS, call=registry.registry.expire_tokens))
        remote.put_blob(DIGEST, len(DATA), opened)
        assert stored(registry) == {DIGEST: DATA}
        assert len({call.path for call in registry.seen("PUT", UPLOADS)}) == 2
        assert (len(opened.opened), opened.all_closed()) == (2, True)


def test_token_that_is_never_accepted_is_denied_after_one_renewal() -> None:
    with FaultRegistry(access=Access(mode="bearer")) as registry, connect(registry.host, login=ALICE) as remote:
        registry.add(Fault(method="PUT", path=UPLOADS, times=None, call=registry.registry.expire_tokens))
        with pytest.raises(Denied, match="answered 401"):
            remote.put_blob(DIGEST, len(DATA), source())
        assert len(registry.seen("PUT", UPLOADS)) == 2


def test_token_server_without_expires_in_is_taken_for_a_minute() -> None:
    access = Access(mode="bearer", expires_in=None)
    with FaultRegistry(access=access) as registry, connect(registry.host, login=ALICE) as remote:
        remote.has_blob(DIGEST)
        remote.has_blob(DIGEST)
        assert registry.registry.tokens_issued == 1


def test_public_repository_is_read_without_a_login_and_not_written() -> None:
    with FaultRegistry(access=Access(mode="bearer", anonymous_pull=True)) as registry, connect(registry.host) as remote:
        registry.add_blob(REPOSITORY, DATA)
        assert remote.has_blob(DIGEST)
        with pytest.raises(Denied):
            remote.put_blob(digest_of(b"new"), 3, source(b"new"))


@pytest.mark.parametrize("post_status", [None, 404, 405])
def test_identity_token_gets_a_registry_token_by_post_or_get(post_status: int | None) -> None:
    access = Access(mode="bearer", identity_token="identity", username="<token>", password="identity")
    with (
        FaultRegistry(access=access) as registry,
        connect(registry.host, login=Credential(identity_token="identity")) as remote,
    ):
        if post_status is not None:
            registry.add(Fault(method="POST", path="/token", status=post_status))
        remote.put_blob(DIGEST, len(DATA), source())
        assert stored(registry) == {DIGEST: DATA}


@pytest.mark.parametrize("mode", ["basic", "bearer"])
def test_wrong_password_is_denied_and_never_shown(mode: str) -> None:
    wrong = "hunter" + "2"  # tracebacks show this source
    with (
        FaultRegistry(access=Access(mode=mode)) as registry,  # type: ignore[arg-type]
        connect(registry.host, login=Credential(username=USER, password=wrong)) as remote,
        pytest.raises(Denied) as caught,
    ):
        remote.check_login()
    assert caught.value.hint == f"git kit login {registry.host}"
    assert wrong not in "".join(traceback.format_exception(caught.value)) + repr(remote) + remote.url


def test_token_server_elsewhere_without_tls_gets_no_password() -> None:
    # The address is reserved for documentation: had the client tried it, the error would be of the network.
    access = Access(mode="bearer", realm="http://198.51.100.1/token")
    with (
        FaultRegistry(access=access) as registry,
        connect(registry.host, login=ALICE) as remote,
        pytest.raises(Denied, match="without TLS"),
    ):
        remote.has_blob(DIGEST)


def test_token_server_that_redirects_a_post_elsewhere_does_not_pass_the_identity_on() -> None:
    access = Access(mode="bearer", identity_token="identity")
    with (
        FaultRegistry(access=access) as registry,
        FaultRegistry() as thief,
        connect(registry.host, login=Credential(identity_token="identity")) as remote,
    ):
        registry.add(Fault(method="POST", path="/token", redirect_to=thief.url))
        with pytest.raises(KitError):
            remote.has_blob(DIGEST)
        assert thief.requests == []


def test_check_login_accepts_good_credentials_and_open_registries() -> None:
    for access in (Access(), Access(mode="basic"), Access(mode="bearer")):
        with FaultRegistry(access=access) as registry, connect(registry.host, login=ALICE) as remote:
            remote.check_login()


def test_check_login_at_something_else_is_a_network_error(fault_registry: FaultRegistry) -> None:
    fault_registry.add(Fault(method="GET", path="^/v2/$", status=404, body=b"<html>"))
    endpoint = Endpoint(fault_registry.host, scheme="http")
    with pytest.raises(NetworkError, match="not an OCI registry"):
        endpoint.check_login()
    endpoint.close()


# -- TLS and proxies ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    paths = str(folder / "cert.pem"), str(folder / "key.pem")
    made = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    made += ["-days", "2", "-subj", "/CN=tests", "-addext", "subjectAltName=IP:127.0.0.1"]
    made += ["-out", paths[0], "-keyout", paths[1]]
    subprocess.run(made, check=True, capture_output=True)
    return paths


def test_tls_with_an_authority_that_is_trusted_works(certificate: tuple[str, str]) -> None:
    options = TransportOptions(ca_file=certificate[0])
    with FaultRegistry(tls=certificate) as registry:
        with connect(registry.host, scheme="https", options=options) as remote:
            remote.put_blob(DIGEST, len(DATA), source())
            assert read_all(remote.open_blob(DIGEST, len(DATA))) == DATA
        assert stored(registry) == {DIGEST: DATA}


def test_tls_with_an_unknown_authority_is_a_network_error_at_once(certificate: tuple[str, str]) -> None:
    waits: list[float] = []
    with FaultRegistry(tls=certificate) as registry, connect(registry.host, scheme="https", waits=waits) as remote:
        with pytest.raises(NetworkError, match="no secure connection") as caught:
            remote.has_blob(DIGEST)
        assert caught.value.hint is not None
        assert "authority" in caught.value.hint
        assert (registry.requests, waits) == ([], [])


def test_tls_at_a_plain_registry_hints_at_plain_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_in_http, args=(server,))
        thread.start()
        host = f"127.0.0.1:{server.getsockname()[1]}"
        with connect(host, scheme="https") as remote, pytest.raises(NetworkError) as caught:
            remote.has_blob(DIGEST)
        thread.join()
    assert caught.value.hint is not None
    assert "oci+http://" in caught.value.hint


def _answer_in_http(server: socket.socket) -> None:
    """What Go's plain servers do with a TLS greeting; ours would wait for the end of a request line."""
    connection, _ = server.accept()
    with connection, suppress(ConnectionError):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
        while connection.recv(4096):
            pass


def test_tls_registry_that_leads_to_plain_http_is_refused(certificate: tuple[str, str]) -> None:
    options = TransportOptions(ca_file=certificate[0])
    with FaultRegistry(tls=certificate) as registry, FaultRegistry() as plain:
        plain.add_blob(REPOSITORY, DATA)
        with connect(registry.host, scheme="https", options=options) as remote:
            registry.add(Fault(method="GET", path=BLOBS, redirect_to=plain.url))
            registry.add(Fault(method="POST", path=UPLOADS, status=202, headers={"Location": f"{plain.url}/upload"}))
            with pytest.raises(NetworkError, match="from https to http:"):
                remote.open_blob(DIGEST, len(DATA))
            with pytest.raises(NetworkError, match="from https to http:"):
                remote.put_blob(DIGEST, len(DATA), source())
        assert plain.requests == []


def test_ca_file_that_is_none_is_an_invalid_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for path in (tmp_path / "ca.pem", tmp_path / "gone.pem"):
        with pytest.raises(InvalidFile, match=str(path)):
            Registry("ghcr.io", "a", options=TransportOptions(ca_file=str(path)))


def test_proxy_is_used_with_its_own_login(fault_registry: FaultRegistry) -> None:
    fault_registry.add_blob(REPOSITORY, DATA)
    proxy = fault_registry.url.replace("http://", "http://proxy-user:proxy-pw@")
    with connect("registry.invalid:5000", options=TransportOptions(proxies={"http": proxy})) as remote:
        assert read_all(remote.open_blob(DIGEST, len(DATA), start=9)) == DATA[9:]
    (call,) = fault_registry.requests
    assert call.path == f"http://registry.invalid:5000/v2/{REPOSITORY}/blobs/{DIGEST}"
    assert call.headers.get("Proxy-Authorization") == "Basic cHJveHktdXNlcjpwcm94eS1wdw=="


def test_proxy_is_not_used_for_loopback(fault_registry: FaultRegistry) -> None:
    options = TransportOptions(proxies={"http": "http://proxy.invalid:3128"})
    with connect(fault_registry.host, options=options) as remote:
        assert remote.has_blob(DIGEST) is False


def test_proxy_setting_that_is_no_url_is_an_invalid_file_without_its_password() -> None:
    with pytest.raises(InvalidFile) as caught:
        Registry("ghcr.io", "a", options=TransportOptions(proxies={"https": "socks5://u:secret@host"}))
    assert "secret" not in caught.value.message


def test_from_environ_uses_dockers_login(tmp_path: Path) -> None:
    with FaultRegistry(access=Access(mode="bearer")) as registry:
        config = {"auths": {registry.host: {"username": USER, "password": PASSWORD}}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        environ = {"DOCKER_CONFIG": str(tmp_path), "http_proxy": "http://proxy.invalid:3128"}
        with Registry.from_environ(registry.host, REPOSITORY, scheme="http", environ=environ) as remote:
            remote.put_blob(DIGEST, len(DATA), source())
        assert stored(registry) == {DIGEST: DATA}
