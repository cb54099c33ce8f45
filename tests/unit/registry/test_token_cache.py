"""The authenticator against a token server that is a function, with a clock that is a number."""

import base64
import json
import threading
import traceback
from urllib.parse import parse_qs, urlsplit

import pytest

from gitkit.errors import Denied, KitError, NetworkError
from gitkit.registry.auth import Authenticator
from gitkit.registry.credentials import Credential
from gitkit.registry.messages import Reply, Request

BEARER = 'Bearer realm="https://auth.example/token",service="hub"'
PULL = ("repository:a/b:pull",)
PUSH = ("repository:a/b:pull,push",)
ALICE = Credential(username="alice", password="pass:word")


class TokenServer:
    """Gives out ``token-1``, ``token-2``, ... unless it is told to answer something else."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.document: dict[str, object] = {"expires_in": 300}
        self.answers: list[Reply] = []

    def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        if self.answers:
            return self.answers.pop(0)
        return reply(200, {"token": f"token-{len(self.asked)}", **self.document})


def reply(status: int, document: object) -> Reply:
    return Reply(status=status, headers={}, url="https://auth.example/token", body=json.dumps(document).encode())


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> TokenServer:
    return TokenServer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def authenticator(
    server: TokenServer, clock: Clock, credential: Credential | None = None, base: str = "https://registry.example"
) -> Authenticator:
    return Authenticator(
        base=base, login_host="registry.example", credential=lambda: credential, exchange=server, clock=clock
    )


def test_authorization_before_any_challenge_is_none_and_asks_nobody(server: TokenServer, clock: Clock) -> None:
    assert authenticator(server, clock, ALICE).authorization(PULL) is None
    assert server.asked == []


def test_authorization_after_bearer_challenge_is_fetched_once_per_scope_set(server: TokenServer, clock: Clock) -> None:
    auth = authenticator(server, clock, ALICE)
    auth.learn(BEARER, PULL, refused=None)
    headers = [auth.authorization(scopes) for scopes in (PULL, PULL, PUSH, PUSH, PULL)]
    assert headers == ["Bearer token-1", "Bearer token-1", "Bearer token-2", "Bearer token-2", "Bearer token-1"]


def test_token_request_names_service_and_every_scope(server: TokenServer, clock: Clock) -> None:
    auth = authenticator(server, clock)
    scopes = ("repository:a/b:pull,push", "repository:c:pull")
    auth.learn(BEARER, scopes, refused=None)
    auth.authorization(scopes)
    asked = urlsplit(server.asked[0].url)
    assert parse_qs(asked.query) == {"service": ["hub"], "scope": sorted(scopes)}
    assert (server.asked[0].method, asked.netloc, server.asked[0].authorization) == ("GET", "auth.example", None)


def test_token_request_asks_for_what_the_challenge_wants_as_well(server: TokenServer, clock: Clock) -> None:
    auth = authenticator(server, clock)
    auth.learn(f'{BEARER},scope="repository:proxy/a/b:pull other:x:y"', PULL, refused=None)
    auth.authorization(PULL)
    scopes = parse_qs(urlsplit(server.asked[0].url).query)["scope"]
    assert scopes == ["other:x:y", "repository:a/b:pull", "repository:proxy/a/b:pull"]


def test_token_request_carries_user_and_password_by_basic(server: TokenServer, clock: Clock) -> None:
    auth = authenticator(server, clock, ALICE)
    auth.learn(BEARER, PULL, refused=None)
    auth.authorization(PULL)
    assert server.asked[0].authorization == "Basic " + base64.b64encode(b"alice:pass:word").decode()


@pytest.mark.parametrize(
    ("document", "kept_s", "renewed_s"),
    [
        ({"expires_in": 300}, 289, 290),
        ({}, 49, 50),  # 60 s where the server does not say
        ({"expires_in": 0}, 49, 50),
        ({"expires_in": "300"}, 49, 50),
        ({"expires_in": True}, 49, 50),
        ({"expires_in": 4}, 1, 2),
    ],
)
def test_token_is_renewed_shortly_before_it_ends(
    server: TokenServer, clock: Clock, document: dict[str, object], kept_s: float, renewed_s: float
) -> None:
    server.document = document
    auth = authenticator(server, clock)
    auth.learn(BEARER, PULL, refused=None)
    auth.authorization(PULL)
    clock.now = 1000.0 + kept_s
    assert auth.authorization(PULL) == "Bearer token-1"
    clock.now = 1000.0 + renewed_s
    assert auth.authorization(PULL) == "Bearer token-2"


def test_learn_of_a_refused_token_replaces_it(server: TokenServer, clock: Clock) -> None:
    auth = authenticator(server, clock)
    auth.learn(BEARER, PULL, refused=None)
    first = auth.authorization(PULL)
    auth.learn(BEARER, PULL, refused=first)
    assert auth.authorization(PULL) == "Bearer token-2"


def test_learn_of_a_token_that_was_replaced_already_keeps_the_new_one(server: TokenServer, clock: Clock) -> None:
    auth = authenticator(server, clock)
    auth.learn(BEARER, PULL, refused=None)
    first = auth.authorization(PULL)
    auth.learn(BEARER, PULL, refused=first)
    second = auth.authorization(PULL)
    auth.learn(BEARER, PULL, refused=first)  # another thread had the old one in flight
    assert auth.authorization(PULL) == second


def test_authorization_from_many_threads_fetches_one_token(server: TokenServer, clock: Clock) -> None:
    auth = authenticator(server, clock)
    auth.learn(BEARER, PULL, refused=None)
    start, found = threading.Barrier(8), []

    def ask() -> None:
        start.wait()
        found.append(auth.authorization(PULL))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["Bearer token-1"] * 8


def test_access_token_key_is_accepted(server: TokenServer, clock: Clock) -> None:
    server.answers = [reply(200, {"access_token": "abc"})]
    auth = authenticator(server, clock)
    auth.learn(BEARER, PULL, refused=None)
    assert auth.authorization(PULL) == "Bearer abc"


@pytest.mark.parametrize("answer", [{}, {"token": 7}, {"token": ""}, ["token"], {"token": "a\r\nHost: evil"}])
def test_token_answer_without_usable_token_is_a_network_error(
    server: TokenServer, clock: Clock, answer: object
) -> None:
    server.answers = [reply(200, answer)]
    auth = authenticator(server, clock)
    auth.learn(BEARER, PULL, refused=None)
    with pytest.raises(NetworkError) as caught:
        auth.authorization(PULL)
    assert "evil" not in caught.value.message


def test_token_server_refusing_credentials_is_denied_without_showing_them(server: TokenServer, clock: Clock) -> None:
    server.answers = [reply(401, {"details": "incorrect username or password"})]
    auth = authenticator(server, clock, ALICE)
    auth.learn(BEARER, PULL, refused=None)
    with pytest.raises(Denied) as caught:
        auth.authorization(PULL)
    assert caught.value.hint == "git kit login registry.example"
    shown = "".join(traceback.format_exception(caught.value)) + repr(server.asked) + repr(ALICE)
    assert "pass:word" not in shown
    assert base64.b64encode(b"alice:pass:word").decode() not in shown


def test_identity_token_is_posted_as_refresh_token(server: TokenServer, clock: Clock) -> None:
    auth = authenticator(server, clock, Credential(identity_token="identity&1"))
    auth.learn(BEARER, PUSH, refused=None)
    assert auth.authorization(PUSH) == "Bearer token-1"
    request = server.asked[0]
    assert (request.method, request.url, request.authorization) == ("POST", "https://auth.example/token", None)
    assert isinstance(request.body, bytes)
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["refresh_token"],
        "service": ["hub"],
        "client_id": ["git-kit"],
        "scope": ["repository:a/b:pull,push"],
        "refresh_token": ["identity&1"],
    }
    assert "identity" not in repr(request)


@pytest.mark.parametrize("status", [404, 405])
def test_identity_token_where_post_is_unknown_falls_back_to_get(server: TokenServer, clock: Clock, status: int) -> None:
    server.answers = [reply(status, {})]
    auth = authenticator(server, clock, Credential(username="u", identity_token="identity"))
    auth.learn(BEARER, PULL, refused=None)
    assert auth.authorization(PULL) == "Bearer token-2"
    assert server.asked[1].method == "GET"
    assert server.asked[1].authorization == "Basic " + base64.b64encode(b"u:identity").decode()


def test_identity_token_that_has_ended_is_denied(server: TokenServer, clock: Clock) -> None:
    server.answers = [reply(400, {"error": "invalid_grant"})]
    auth = authenticator(server, clock, Credential(identity_token="identity"))
    auth.learn(BEARER, PULL, refused=None)
    with pytest.raises(Denied):
        auth.authorization(PULL)


def test_registry_token_is_used_as_it_is_and_denied_once_refused(server: TokenServer, clock: Clock) -> None:
    auth = authenticator(server, clock, Credential(registry_token="given"))
    auth.learn(BEARER, PULL, refused=None)
    assert auth.authorization(PULL) == "Bearer given"
    with pytest.raises(Denied):
        auth.learn(BEARER, PULL, refused="Bearer given")
    assert server.asked == []


def test_basic_challenge_uses_the_password_and_is_denied_once_refused(server: TokenServer, clock: Clock) -> None:
    auth = authenticator(server, clock, ALICE)
    auth.learn('Basic realm="x"', PULL, refused=None)
    header = auth.authorization(PULL)
    assert header == "Basic " + base64.b64encode(b"alice:pass:word").decode()
    with pytest.raises(Denied):
        auth.learn('Basic realm="x"', PULL, refused=header)


@pytest.mark.parametrize("challenge", ['Basic realm="x"', "Negotiate", "Bearer service=no-realm", ""])
def test_challenge_that_cannot_be_met_is_denied_with_a_hint(server: TokenServer, clock: Clock, challenge: str) -> None:
    with pytest.raises(Denied) as caught:
        authenticator(server, clock).learn(challenge, PULL, refused=None)
    assert caught.value.hint == "git kit login registry.example"


def test_bearer_is_preferred_to_basic(server: TokenServer, clock: Clock) -> None:
    auth = authenticator(server, clock, ALICE)
    auth.learn(f'Basic realm="x", {BEARER}', PULL, refused=None)
    assert auth.authorization(PULL) == "Bearer token-1"


@pytest.mark.parametrize(
    ("base", "realm"),
    [
        ("https://registry.example", "http://auth.example/token"),
        ("http://127.0.0.1:5000", "http://auth.example/token"),
        ("https://registry.example", "ftp://auth.example/token"),
        ("https://registry.example", "/token"),
    ],
)
def test_realm_without_tls_is_refused_before_anything_is_sent(
    server: TokenServer, clock: Clock, base: str, realm: str
) -> None:
    auth = authenticator(server, clock, ALICE, base)
    auth.learn(f'Bearer realm="{realm}"', PULL, refused=None)
    with pytest.raises(KitError):
        auth.authorization(PULL)
    assert server.asked == []


@pytest.mark.parametrize(
    ("base", "realm"),
    [
        ("http://127.0.0.1:5000", "http://localhost:5001/token"),
        ("http://registry.example", "http://auth.example/token"),
        ("http://127.0.0.1:5000", "https://auth.example/token"),
    ],
)
def test_realm_over_plain_http_is_accepted_where_the_registry_is_plain(
    server: TokenServer, clock: Clock, base: str, realm: str
) -> None:
    auth = authenticator(server, clock, ALICE, base)
    auth.learn(f'Bearer realm="{realm}"', PULL, refused=None)
    assert auth.authorization(PULL) == "Bearer token-1"
