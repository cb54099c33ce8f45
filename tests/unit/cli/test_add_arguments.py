"""What `git kit add` understands of what `git add` takes; the rest is `git add`'s."""

import pytest

from gitkit.cli.add import parse
from gitkit.sync.add import Request


def request(arguments: str, *pathspecs: str, **flags: bool) -> Request:
    known = {"tracked_only": False, "ignored_too": False, "verbose": False, **flags}
    return Request(arguments=tuple(arguments.split()), pathspecs=list(pathspecs), environ={}, **known)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (".", request(".", ".")),
        ("a b", request("a b", "a", "b")),
        ("-A", request("-A")),
        ("--all d", request("--all d", "d")),
        ("-u", request("-u", tracked_only=True)),
        ("-fv d -- -x", request("-fv d -- -x", "d", "-x", ignored_too=True, verbose=True)),
        (
            "--force --verbose --update a",
            request("--force --verbose --update a", "a", tracked_only=True, ignored_too=True, verbose=True),
        ),
        ("a -v", request("a -v", "a", verbose=True)),
        ("--ignore-removal .", request("--ignore-removal .", ".")),
        ("--ignore-errors -", request("--ignore-errors -", "-")),
        ("-- --patch", request("-- --patch", "--patch")),
    ],
)
def test_parse_what_we_understand(arguments: str, expected: Request) -> None:
    assert parse(tuple(arguments.split()), {}) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        *("", "-v", "-f", "-n .", "-p", "-i", "-e", "-N a", "-vn .", "--refresh a", "--renormalize .", "--upd"),
        *(
            "--pathspec-from-file=x",
            "--sparse .",
            "--no-such-option",
            "--intent-to-add a",
            "--dry-run .",
            "--chmod=+x a",
        ),
    ],
)
def test_parse_anything_else_is_for_git(arguments: str) -> None:
    assert parse(tuple(arguments.split()), {}) is None
