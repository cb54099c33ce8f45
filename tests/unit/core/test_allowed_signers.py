"""OpenSSH's file of allowed signers, as far as it says who may sign."""

import pytest

from gitkit.core.allowed_signers import may_sign, names, names_for_gpg, parse_signers

ADA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFNVlwGS1jbTL8tH1bzb3pQ7hYkBhwYpyf8Q6lyEBBQl"
BOB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB1mEPUqf0rRcIvAG9yFcUeAn8AlNFSTbVZbFcBN8ogB"


def key_of(line: str) -> str:
    [allowed] = parse_signers(line.encode())
    assert allowed.key is not None
    return allowed.key


def test_key_is_the_fingerprint_that_openssh_shows() -> None:
    # ssh-keygen -l -f KEY says the same.
    assert key_of(f"ada@example.com {ADA}") == "SHA256:2Nq9J/P3Yh1fXx5pX6a5wRHUuuAxzsrN0zKrdxcNFFs"


@pytest.mark.parametrize(
    ("line", "principals", "limited"),
    [
        (f"ada@example.com {ADA}", ("ada@example.com",), False),
        (f"ada@example.com\t{ADA} a comment\r", ("ada@example.com",), False),
        (f"a@x,*@y,!b@y {ADA}", ("a@x", "*@y", "!b@y"), False),
        (f'"Ada L <a@x>" {ADA}', ("Ada L <a@x>",), False),
        (f'a@x namespaces="git" {ADA}', ("a@x",), False),
        (f'a@x namespaces="git",valid-before="20300101" {ADA}', ("a@x",), True),
        (f"a@x cert-authority {ADA}", ("a@x",), True),
        ("a@x", ("a@x",), False),
    ],
)
def test_line_is_principals_options_and_key(line: str, principals: tuple[str, ...], limited: bool) -> None:
    [found] = parse_signers(line.encode())
    assert (found.principals, found.limited) == (principals, limited)
    assert found.key in (None, key_of(f"ada@example.com {ADA}"))


@pytest.mark.parametrize(
    "line", ["", "  ", "# a@x", "a@x junk", "a@x ssh-ed25519", "a@x ssh-ed25519 A", '"a@x', "\xff \0"]
)
def test_line_that_says_nothing_is_skipped(line: str) -> None:
    assert parse_signers(f"{line}\nb@x {BOB}\n".encode("latin-1"))[-1].principals == ("b@x",)
    assert len(parse_signers(line.encode("latin-1"))) == 0


@pytest.mark.parametrize(
    ("patterns", "address", "named"),
    [
        ("ada@example.com", "ada@example.com", True),
        ("ada@example.com", "ADA@Example.com", True),
        ("ada@example.com", "ada@example.com.evil", False),
        ("ada@example.com", "adaXexample.com", False),
        ("*@corp.com", "bob@corp.com", True),
        ("*@corp.com", "bob@corp.com.evil", False),
        ("?@x", "a@x", True),
        ("?@x", "ab@x", False),
        ("[ab]@x", "a@x", False),
        ("*@corp.com,!mal@corp.com", "mal@corp.com", False),
        ("!mal@corp.com,*@corp.com", "bob@corp.com", True),
        ("!mal@corp.com", "bob@corp.com", False),
        ("*", "", True),
    ],
)
def test_patterns_name_an_address_as_openssh_does(patterns: str, address: str, named: bool) -> None:
    assert names(patterns.split(","), address) is named


def test_ssh_signature_is_of_whoever_a_line_with_its_key_names() -> None:
    lines = parse_signers(f"ada@x,*@corp {ADA}\nlate@x {ADA}\nbob@x {BOB}\n".encode())
    key = key_of(f"a {ADA}")
    for address in ("ada@x", "any@corp", "late@x"):
        assert may_sign(lines, address, key=key, principal="ada@x")
    assert not may_sign(lines, "bob@x", key=key, principal="ada@x")


def test_line_with_limits_counts_only_where_git_went_by_it() -> None:
    lines = parse_signers(f'old@x valid-before="20200101" {ADA}\nada@x {ADA}\n'.encode())
    key = key_of(f"a {ADA}")
    assert not may_sign(lines, "old@x", key=key, principal="ada@x")
    assert may_sign(lines, "old@x", key=key, principal="old@x")


def test_certificate_is_of_its_principal() -> None:
    lines = parse_signers(f"*@corp cert-authority {ADA}".encode())
    assert may_sign(lines, "bob@corp", key="SHA256:other", principal="bob@corp")
    assert not may_sign(lines, "ada@corp", key="SHA256:other", principal="bob@corp")


def test_gpg_needs_an_address_that_stands_in_the_file() -> None:
    lines = parse_signers(
        f'gpg@x\nada@x {ADA}\nold@x valid-before="20200101" {BOB}\n*@corp cert-authority {BOB}'.encode()
    )
    assert [names_for_gpg(lines, who) for who in ("gpg@x", "ada@x", "old@x", "a@corp", "")] == [
        True,
        True,
        *[False] * 3,
    ]
