import pytest

from gitkit.registry.auth import Challenge, parse_challenges


def test_parse_challenges_bearer_with_commas_and_spaces_in_quotes_keeps_them() -> None:
    header = 'Bearer realm="https://auth.example/token",service="a registry, ours",scope="repository:a/b:pull,push"'
    assert parse_challenges(header) == [
        Challenge(
            "bearer",
            {
                "realm": "https://auth.example/token",
                "service": "a registry, ours",
                "scope": "repository:a/b:pull,push",
            },
        )
    ]


def test_parse_challenges_two_in_one_header_are_told_apart() -> None:
    header = 'Basic realm="x, y", Bearer realm="https://auth.example/token" , service=plain'
    assert parse_challenges(header) == [
        Challenge("basic", {"realm": "x, y"}),
        Challenge("bearer", {"realm": "https://auth.example/token", "service": "plain"}),
    ]


@pytest.mark.parametrize(
    ("header", "parameters"),
    [
        (r'Bearer realm="a \"quoted\" \\ name"', {"realm": r'a "quoted" \ name'}),
        ("BEARER Realm = https://host/token , SERVICE= x", {"realm": "https://host/token", "service": "x"}),
        ('Bearer realm=""', {"realm": ""}),
        ("Bearer", {}),
    ],
)
def test_parse_challenges_spelling_is_read_as_rfc_9110_says(header: str, parameters: dict[str, str]) -> None:
    assert parse_challenges(header) == [Challenge("bearer", parameters)]


def test_parse_challenges_token68_does_not_hide_the_next_challenge() -> None:
    assert Challenge("basic", {"realm": "x"}) in parse_challenges('Negotiate YWJjZA==, Basic realm="x"')


@pytest.mark.parametrize("header", ["", ",,,", '="', 'Bearer realm="never closed', "Bearer realm=\x00"])
def test_parse_challenges_garbage_gives_no_parameters(header: str) -> None:
    assert all(
        "realm" not in challenge.parameters or challenge.parameters["realm"] == "\x00"
        for challenge in parse_challenges(header)
    )


def test_parse_challenges_long_garbage_ends_quickly() -> None:
    assert parse_challenges("a=" * 50_000) == []
