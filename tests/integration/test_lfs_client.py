"""The client of Git LFS servers against one that fails in every known way: logins, ended answers, cuts, redirects."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor  # noqa: TID253

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.login import Login
from gitkit.errors import Corrupt, Denied, KitError, NetworkError, NotFound, Unsupported
from gitkit.registry.lfs import LfsAddress
from gitkit.registry.lfs import LfsServer as Client
from gitkit.registry.messages import TransportOptions
from gitkit.registry.retry import RetryPolicy
from tests.lib.lfs_server import LfsServer
from tests.lib.registries import Fault, read_all

DATA = bytes(range(256)) * 1000
DIGEST = digest_of(DATA)
SIZE = len(DATA)


class KnownLogins:
    """Hands out ``logins`` one after the other; remembers what it is told about them."""

    def __init__(self, *logins: tuple[str, str]) -> None:
        self._left = list(logins)
        self.asked: list[tuple[str, str]] = []
        self.told: list[tuple[str, str]] = []

    def fill(self, url: str, user: str) -> Login | None:
        self.asked.append((url, user))
        return Login(*self._left.pop(0), b"answer") if self._left else None

    def approve(self, login: Login) -> None:
        self.told.append(("approve", login.password))

    def reject(self, login: Login) -> None:
        self.told.append(("reject", login.password))


@pytest.fixture
def server() -> Iterator[LfsServer]:
    with LfsServer() as server:
        server.add_object(DATA)
        yield server


@pytest.fixture
def other() -> Iterator[LfsServer]:
    """Another host, which anybody may download from."""
    with LfsServer() as server:
        server.add_object(DATA)
        yield server


Connect = Callable[..., Client]


@pytest.fixture
def connect(server: LfsServer) -> Iterator[Connect]:
    """A client of ``server`` that never sleeps."""
    clients = []

    def make(logins: KnownLogins | None = None, *, waits: list[float] | None = None, **more: object) -> Client:
        clock = more.pop("clock", None)
        retry = RetryPolicy(sleep=(waits if waits is not None else []).append, jitter=lambda: 1.0)
        address = LfsAddress(url=server.lfs_url, **more)  # type: ignore[arg-type]
        options = TransportOptions(retry=retry, stall_timeout_s=20)
        given = {} if clock is None else {"clock": clock}
        client = Client(address, logins or KnownLogins(), options=options, **given)  # type: ignore[arg-type]
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


# -- what is asked -------------------------------------------------------------------------------------------------


def test_blob_is_read_whole_and_from_an_offset(server: LfsServer, connect: Connect) -> None:
    client = connect()
    assert read_all(client.open_blob(DIGEST, SIZE)) == DATA
    assert read_all(client.open_blob(DIGEST, SIZE, start=1000)) == DATA[1000:]
    assert len(server.lfs.batches) == 1, "an answer is good until it ends"


def test_expected_blobs_are_asked_for_in_one_request(server: LfsServer, connect: Connect) -> None:
    blobs = [bytes([number]) * 10 for number in range(30)]
    digests = [server.add_object(blob) for blob in blobs]
    client = connect()
    client.expect((digest, 10) for digest in digests)
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda digest: read_all(client.open_blob(digest, 10)), digests))
    assert read == blobs
    assert [len(batch["objects"]) for batch in server.lfs.batches] == [30]


def test_many_expected_blobs_are_asked_for_by_the_hundred(server: LfsServer, connect: Connect) -> None:
    digests = [server.add_object(b"%d" % (1000 + number)) for number in range(250)]
    client = connect()
    client.expect((digest, 4) for digest in digests)
    assert all(client.has_blob(digest) for digest in digests)
    assert [len(batch["objects"]) for batch in server.lfs.batches] == [100, 100, 50]


def test_request_that_is_too_large_for_the_server_is_divided(server: LfsServer, connect: Connect) -> None:
    server.lfs.max_objects = 3
    digests = [server.add_object(b"%d" % (10 + number)) for number in range(10)]
    client = connect()
    client.expect((digest, 2) for digest in digests)
    assert [read_all(client.open_blob(digest, 2)) for digest in digests] == [b"%d" % number for number in range(10, 20)]


def test_blob_that_was_not_expected_is_not_asked_about(server: LfsServer, connect: Connect) -> None:
    assert not connect().has_blob(DIGEST)
    assert server.requests == []


def test_absent_object_is_not_found_and_leaves_the_others(server: LfsServer, connect: Connect) -> None:
    client = connect()
    client.expect([(digest_of(b"absent"), 6), (DIGEST, SIZE)])
    with pytest.raises(NotFound):
        client.open_blob(digest_of(b"absent"), 6)
    assert read_all(client.open_blob(DIGEST, SIZE)) == DATA


def test_object_that_the_server_refuses_leaves_the_others(server: LfsServer, connect: Connect) -> None:
    refused = server.add_object(b"refused")
    server.lfs.refusals[refused.removeprefix("sha256:")] = {"code": 403, "message": "not for you"}
    client = connect()
    client.expect([(refused, 7), (DIGEST, SIZE)])
    with pytest.raises(KitError, match="not for you") as caught:
        client.open_blob(refused, 7)
    assert not isinstance(caught.value, Denied | NetworkError), "fetch gives up altogether at these"
    assert read_all(client.open_blob(DIGEST, SIZE)) == DATA


def test_object_that_is_not_ready_is_asked_for_again(server: LfsServer, connect: Connect) -> None:
    oid = DIGEST.removeprefix("sha256:")
    server.lfs.refusals[oid] = {"code": 503, "message": "later"}
    server.add(Fault(method="POST", path="batch", times=2))
    server.add(Fault(method="POST", path="batch", call=server.lfs.refusals.clear))
    assert read_all(connect().open_blob(DIGEST, SIZE)) == DATA
    assert len(server.lfs.batches) == 3


def test_server_of_another_kind_is_named_once_and_not_asked_again(server: LfsServer, connect: Connect) -> None:
    server.add(Fault(method="POST", path="batch", status=200, body=b"<html>", times=None))
    client = connect()
    for _ in range(2):
        with pytest.raises(NetworkError, match="no Git LFS server"):
            client.open_blob(DIGEST, SIZE)
    assert len(server.requests) == 1


def test_guessed_server_that_is_none_leads_to_the_setting(server: LfsServer, connect: Connect) -> None:
    server.add(Fault(method="POST", path="batch", status=404))
    with pytest.raises(NotFound) as caught:
        connect(guessed=True).open_blob(DIGEST, SIZE)
    assert caught.value.hint is not None and "ssh" in caught.value.hint and "lfs.url" in caught.value.hint


def test_url_that_is_not_one_of_http_is_unsupported() -> None:
    with pytest.raises(Unsupported):
        Client(LfsAddress(url="s3://bucket"), KnownLogins())


# -- logins --------------------------------------------------------------------------------------------------------


def test_login_is_only_asked_for_when_the_server_wants_one_and_then_approved(
    server: LfsServer, connect: Connect
) -> None:
    server.lfs.login = ("ada", "pass")
    logins = KnownLogins(("ada", "pass"))
    client = connect(logins, user="ada")
    assert read_all(client.open_blob(DIGEST, SIZE)) == DATA
    assert logins.asked == [(server.lfs_url, "ada")]
    assert logins.told == [("approve", "pass")]


def test_server_that_wants_no_login_is_given_none(server: LfsServer, connect: Connect) -> None:
    logins = KnownLogins(("ada", "pass"))
    read_all(connect(logins).open_blob(DIGEST, SIZE))
    assert logins.asked == []
    assert all("authorization" not in call.headers for call in server.requests)


def test_wrong_login_is_rejected_and_the_next_one_tried(server: LfsServer, connect: Connect) -> None:
    server.lfs.login = ("ada", "pass")
    logins = KnownLogins(("ada", "old"), ("ada", "pass"))
    assert read_all(connect(logins).open_blob(DIGEST, SIZE)) == DATA
    assert logins.told == [("reject", "old"), ("approve", "pass")]


def test_wrong_logins_end_after_three(server: LfsServer, connect: Connect) -> None:
    server.lfs.login = ("ada", "pass")
    logins = KnownLogins(*(("ada", f"wrong {number}") for number in range(9)))
    client = connect(logins)
    for _ in range(2):
        with pytest.raises(Denied, match="does not accept the login") as caught:
            client.open_blob(DIGEST, SIZE)
        assert "wrong" not in f"{caught.value.message} {caught.value.hint}"
    assert len(logins.asked) == 3


def test_no_login_at_all_is_denied(server: LfsServer, connect: Connect) -> None:
    server.lfs.login = ("ada", "pass")
    with pytest.raises(Denied, match="wants a login"):
        connect().open_blob(DIGEST, SIZE)


@pytest.mark.parametrize(
    "given", [{"user": "ada", "password": "pass"}, {"authorization": "Basic YWRhOnBhc3M="}], ids=["url", "extraHeader"]
)
def test_login_of_the_configuration_is_sent_at_once(server: LfsServer, connect: Connect, given: dict[str, str]) -> None:
    server.lfs.login = ("ada", "pass")
    logins = KnownLogins()
    assert read_all(connect(logins, **given).open_blob(DIGEST, SIZE)) == DATA
    assert logins.asked == []
    assert len(server.requests) == 2


def test_many_threads_ask_for_a_login_once(server: LfsServer, connect: Connect) -> None:
    server.lfs.login = ("ada", "pass")
    logins = KnownLogins(("ada", "pass"))
    client = connect(logins)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda _: read_all(client.open_blob(DIGEST, SIZE)), range(16)))
    assert set(read) == {DATA}
    assert len(logins.asked) == 1 and logins.told == [("approve", "pass")]


def test_login_and_headers_stay_with_the_server_when_another_host_has_the_objects(
    server: LfsServer, other: LfsServer, connect: Connect
) -> None:
    server.lfs.login = ("ada", "pass")
    server.lfs.store_url = other.url
    client = connect(KnownLogins(("ada", "pass")), headers=(("X-Tenant", "acme"),))
    assert read_all(client.open_blob(DIGEST, SIZE)) == DATA
    (call,) = other.seen("GET")
    assert "authorization" not in call.headers and "x-tenant" not in call.headers
    assert all(call.headers["x-tenant"] == "acme" for call in server.seen("POST"))


def test_other_host_that_wants_a_login_does_not_get_ours(server: LfsServer, other: LfsServer, connect: Connect) -> None:
    server.lfs.login = other.lfs.login = ("ada", "pass")
    server.lfs.store_url = other.url
    logins = KnownLogins(("ada", "pass"), ("ada", "pass"))
    with pytest.raises(Denied):
        connect(logins).open_blob(DIGEST, SIZE)
    assert len(logins.asked) == 1
    assert all("authorization" not in call.headers for call in other.requests)


def test_headers_of_an_action_go_to_its_address_and_not_along_with_a_redirect(
    server: LfsServer, other: LfsServer, connect: Connect
) -> None:
    server.lfs.action = {"header": {"Authorization": "RemoteAuth secret", "X-Amz-Key": "secret"}}
    server.lfs.wanted = {"Authorization": "RemoteAuth secret", "X-Amz-Key": "secret"}
    server.add(Fault(method="GET", path="/store/", redirect_to=other.url))
    assert read_all(connect().open_blob(DIGEST, SIZE)) == DATA
    (first,) = server.seen("GET")
    (second,) = other.seen("GET")
    assert first.headers["authorization"] == "RemoteAuth secret" and first.headers["x-amz-key"] == "secret"
    assert "authorization" not in second.headers and "x-amz-key" not in second.headers


def test_login_does_not_follow_a_redirect_to_another_host(
    server: LfsServer, other: LfsServer, connect: Connect
) -> None:
    server.lfs.login = ("ada", "pass")
    server.add(Fault(method="GET", path="/store/", redirect_to=other.url))
    assert read_all(connect(user="ada", password="pass").open_blob(DIGEST, SIZE)) == DATA
    assert "authorization" in server.seen("GET")[0].headers
    assert "authorization" not in other.seen("GET")[0].headers


def test_action_that_needs_no_login_is_sent_none(server: LfsServer, connect: Connect) -> None:
    server.lfs.login = ("ada", "pass")
    server.lfs.store_is_open = True
    server.lfs.entry = {"authenticated": True}
    assert read_all(connect(user="ada", password="pass").open_blob(DIGEST, SIZE)) == DATA
    assert "authorization" not in server.seen("GET")[0].headers


# -- answers that end ----------------------------------------------------------------------------------------------


def test_ended_answer_is_asked_for_again_and_an_open_one_is_not(server: LfsServer, connect: Connect) -> None:
    now = [1000.0]
    server.lfs.action = {"expires_in": 60}
    client = connect(clock=lambda: now[0])
    for moment, batches in ((1000.0, 1), (1059.0, 1), (1060.0, 2), (1061.0, 2)):
        now[0] = moment
        assert read_all(client.open_blob(DIGEST, SIZE)) == DATA
        assert len(server.lfs.batches) == batches


def test_address_that_ended_without_a_word_is_asked_for_again(server: LfsServer, connect: Connect) -> None:
    client = connect()
    client.expect([(DIGEST, SIZE)])
    assert client.has_blob(DIGEST)
    server.add(Fault(method="GET", path="/store/", status=403))
    assert read_all(client.open_blob(DIGEST, SIZE)) == DATA
    assert len(server.lfs.batches) == 2


def test_address_that_is_refused_at_once_is_not_asked_for_again(server: LfsServer, connect: Connect) -> None:
    server.add(Fault(method="GET", path="/store/", status=403, times=None))
    with pytest.raises(Denied):
        connect().open_blob(DIGEST, SIZE)
    assert len(server.lfs.batches) == 1


# -- what breaks ---------------------------------------------------------------------------------------------------


def test_busy_server_is_asked_again_when_it_said(server: LfsServer, connect: Connect) -> None:
    waits: list[float] = []
    server.add(Fault(method="POST", path="batch", status=429, headers={"Retry-After": "7"}))
    server.add(Fault(method="GET", path="/store/", status=503, headers={"Retry-After": "3"}))
    assert read_all(connect(waits=waits).open_blob(DIGEST, SIZE)) == DATA
    assert waits == [7.0, 3.0]


def test_quota_that_is_used_up_is_told(server: LfsServer, connect: Connect) -> None:
    body = json.dumps({"message": "over its data quota"}).encode()
    server.add(Fault(method="POST", path="batch", status=509, body=body))
    with pytest.raises(NetworkError, match="over its data quota") as caught:
        connect().open_blob(DIGEST, SIZE)
    assert caught.value.hint == "its quota is used up"


def test_cut_download_tells_so_and_goes_on_from_where_it_was(server: LfsServer, connect: Connect) -> None:
    server.add(Fault(method="GET", path="/store/", cut_body_after=100_000))
    client = connect()
    reader = client.open_blob(DIGEST, SIZE)
    got = bytearray()
    block = memoryview(bytearray(1 << 16))
    with pytest.raises(NetworkError):
        while count := reader.readinto(block):
            got += block[:count]
    reader.close()
    assert bytes(got) == DATA[: len(got)]
    assert read_all(client.open_blob(DIGEST, SIZE, start=len(got))) == DATA[len(got) :]
    assert server.seen("GET")[1].headers["range"] == f"bytes={len(got)}-"


def test_server_without_ranges_is_read_past_what_is_there(server: LfsServer, connect: Connect) -> None:
    server.add(Fault(method="GET", path="/store/", ignore_range=True))
    assert read_all(connect().open_blob(DIGEST, SIZE, start=123)) == DATA[123:]


def test_object_of_another_size_is_corrupt(server: LfsServer, connect: Connect) -> None:
    server.lfs.objects[DIGEST.removeprefix("sha256:")] = DATA[:-1]
    with pytest.raises(Corrupt):
        connect().open_blob(DIGEST, SIZE)


def test_question_of_one_thread_answers_those_that_wait(server: LfsServer, connect: Connect) -> None:
    digests = [server.add_object(b"%d" % number) for number in range(10)]
    fault = server.add(Fault(method="POST", path="batch", pause_after=0))
    client = connect()
    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(client.open_blob, digests[0], 1)
        assert fault.reached.wait(20)
        client.expect((digest, 1) for digest in digests[1:])
        rest = [pool.submit(lambda digest=digest: read_all(client.open_blob(digest, 1))) for digest in digests[1:]]
        fault.resume.set()
        assert read_all(first.result()) == b"0"
        assert [future.result() for future in rest] == [b"%d" % number for number in range(1, 10)]
    assert [len(batch["objects"]) for batch in server.lfs.batches] == [1, 9]
