"""The batch API: what is asked, and what each kind of answer means."""

import json
from typing import Any

import pytest

from gitkit.core.digest import digest_of
from gitkit.errors import Denied, InvalidFile, KitError, NetworkError, NotFound, Unsupported
from gitkit.registry.lfs_batch import Action, parse_answer, problem, request_body
from gitkit.registry.problems import Transient

URL = "https://git.example.com/acme/llm.git/info/lfs"
A, B = digest_of(b"a"), digest_of(b"bb")
OID = A.removeprefix("sha256:")
NOW = 1_700_000_000.0


def _parsed(document: object, blobs: list[tuple[str, int]] | None = None) -> dict[str, Any]:
    return parse_answer(json.dumps(document).encode(), blobs or [(A, 1)], url=URL, now=NOW)


def _answer(entry: dict[str, Any]) -> Any:
    return _parsed({"objects": [{"oid": OID, "size": 1, **entry}]})[A]


def _action(**more: Any) -> Any:
    return _answer({"actions": {"download": {"href": "https://store.example.com/a", **more}}})


def test_request_names_oids_without_algorithm_and_the_one_transfer_that_we_do() -> None:
    body = json.loads(request_body([(A, 1), (B, 2)]))
    assert body["operation"] == "download"
    assert body["transfers"] == ["basic"]
    assert body["hash_algo"] == "sha256"
    assert body["objects"] == [{"oid": OID, "size": 1}, {"oid": B.removeprefix("sha256:"), "size": 2}]


def test_action_keeps_address_and_headers_of_the_download() -> None:
    action = _action(header={"Authorization": "RemoteAuth x", "X-Key": "k"})
    assert action == Action(
        href="https://store.example.com/a",
        headers={"Authorization": "RemoteAuth x", "X-Key": "k"},
        authenticated=False,
        until=None,
    )
    assert action.has_login


def test_action_headers_that_describe_the_request_itself_are_left_out() -> None:
    assert _action(header={"Host": "x", "Range": "bytes=0-1", "content-length": "3", "X-Key": "k"}).headers == {
        "X-Key": "k"
    }


@pytest.mark.parametrize("header", [{"X-A": "a\r\nX-B: b"}, {"X A": "a"}, {"X-A": 3}, "X-A: a"])
def test_action_headers_that_are_none_are_refused(header: object) -> None:
    assert isinstance(_action(header=header), NetworkError)


def test_action_in_its_representation_shows_no_header() -> None:
    assert "secret" not in repr(_action(header={"Authorization": "secret"}))


@pytest.mark.parametrize(
    ("more", "until"),
    [
        ({"expires_in": 60}, NOW + 60),
        ({"expires_in": 0}, None),
        ({"expires_at": "2023-11-14T22:15:20Z"}, NOW + 120),
        ({"expires_at": "0001-01-01T00:00:00Z"}, None),
        ({"expires_at": "soon"}, None),
        ({"expires_in": -5, "expires_at": "2023-11-14T22:15:20Z"}, NOW + 120),
        ({}, None),
    ],
)
def test_action_ends_when_the_server_says(more: dict[str, Any], until: float | None) -> None:
    assert _action(**more).until == until


def test_relative_address_is_resolved_against_the_server() -> None:
    answer = _answer({"actions": {"download": {"href": "/store/a"}}})
    assert answer.href == "https://git.example.com/store/a"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (404, NotFound),
        (410, NotFound),
        (422, InvalidFile),
        (503, Transient),
        (403, KitError),
        ("x", KitError),
        ([], KitError),
    ],
)
def test_error_of_one_object_is_that_objects_alone(code: object, kind: type[KitError]) -> None:
    answer = _answer({"error": {"code": code, "message": "not\nthis one"}})
    assert type(answer) is kind
    assert "not this one" in answer.message


@pytest.mark.parametrize(
    "entry", [{}, {"actions": {}}, {"actions": {"upload": {"href": "x"}}}, {"actions": {"download": {}}}]
)
def test_object_without_a_download_is_not_there(entry: dict[str, Any]) -> None:
    assert isinstance(_answer(entry), NotFound)


def test_object_that_the_answer_leaves_out_is_not_there() -> None:
    answers = _parsed({"objects": []}, [(A, 1), (B, 2)])
    assert isinstance(answers[A], NotFound) and isinstance(answers[B], NotFound)


def test_object_of_another_size_is_not_there() -> None:
    assert isinstance(_answer({"size": 2, "actions": {"download": {"href": "https://x/"}}}), NotFound)


@pytest.mark.parametrize("document", [[], {"objects": {}}, {"objects": ["x"]}, {"message": "hello"}])
def test_answer_without_objects_is_no_answer(document: object) -> None:
    with pytest.raises(NetworkError):
        _parsed(document)


def test_login_page_instead_of_an_answer_leads_to_the_setting_of_the_url() -> None:
    with pytest.raises(NetworkError) as caught:
        parse_answer(b"<html>Sign in</html>", [(A, 1)], url=URL, now=NOW)
    assert caught.value.hint is not None and "lfs.url" in caught.value.hint


@pytest.mark.parametrize("more", [{"transfer": "tus"}, {"hash_algo": "sha512"}])
def test_transfer_that_was_not_asked_for_is_unsupported(more: dict[str, str]) -> None:
    with pytest.raises(Unsupported):
        _parsed({"objects": [], **more})


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Denied), (403, Denied), (404, NotFound), (422, InvalidFile), (501, Unsupported), (509, NetworkError)],
)
def test_refusal_of_the_whole_request_is_told_in_the_servers_words(status: int, kind: type[KitError]) -> None:
    error = problem("ask", f"{URL}?token=secret", status, b'{"message": "over the\\nlimit"}')
    assert type(error) is kind
    assert error.message == f"cannot ask: {URL} answered {status} (over the limit)"
