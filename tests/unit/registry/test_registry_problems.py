import json

import pytest

from gitkit.errors import Conflict, Corrupt, Denied, InvalidFile, KitError, NetworkError, NotFound, Unsupported
from gitkit.registry.problems import problem, registry_errors

URL = "https://user:pw@registry.example/v2/a/blobs/x?signature=secret"


def document(code: str, message: str = "words") -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, document("UNAUTHORIZED"), Denied),
        (403, b"", Denied),
        (404, document("DENIED"), Denied),
        (404, b"<html>", NotFound),
        (404, document("NAME_UNKNOWN"), NotFound),
        (400, document("MANIFEST_BLOB_UNKNOWN"), NotFound),
        (400, document("DIGEST_INVALID"), Corrupt),
        (400, document("MANIFEST_INVALID"), InvalidFile),
        (400, b"?", NetworkError),
        (405, document("UNSUPPORTED"), Unsupported),
        (409, b"", Conflict),
        (412, b"", Conflict),
        (413, b"<html>", Unsupported),
        (429, document("TOOMANYREQUESTS"), NetworkError),
        (500, document("UNKNOWN"), NetworkError),
        (503, document("BLOB_UNKNOWN"), NetworkError),
    ],
)
def test_problem_status_and_code_choose_the_kind(status: int, body: bytes, kind: type[KitError]) -> None:
    assert type(problem("read it", URL, status, body, login_host="h")) is kind


def test_problem_message_says_what_where_and_the_registrys_words() -> None:
    error = problem("read blob abc", URL, 404, document("BLOB_UNKNOWN", "blob unknown"), login_host="h")
    assert error.message == (
        "cannot read blob abc: https://registry.example/v2/a/blobs/x answered 404 (BLOB_UNKNOWN: blob unknown)"
    )


def test_problem_denied_hints_at_the_login_where_that_can_help() -> None:
    assert problem("read", URL, 403, b"", login_host="registry.example").hint == "git kit login registry.example"
    assert problem("read", URL, 403, b"", login_host="").hint is None


def test_registry_errors_lose_control_characters_and_length() -> None:
    (error,) = registry_errors(document("X", "a\x1b[31m\r\nred" + "x" * 5000))
    assert error.message.startswith("a[31m red")
    assert len(error.message) == 300


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"errors": 5}', b'{"errors": [5]}', b"\xff", b"[" * 100_000])
def test_registry_errors_of_something_else_are_none(body: bytes) -> None:
    assert registry_errors(body) == ()
