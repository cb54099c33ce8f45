"""Digests have one form."""

import hashlib

import pytest

from gitkit.core import digest

HEX = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"


def test_digest_of_bytes_is_their_sha256_with_its_name() -> None:
    assert digest.digest_of(b"hello\n") == f"sha256:{HEX}"


def test_digest_of_nothing_is_the_empty_constant() -> None:
    assert digest.digest_of(b"") == digest.EMPTY


def test_is_digest_with_the_one_form_is_true() -> None:
    assert digest.is_digest(f"sha256:{HEX}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEX,
        f"SHA256:{HEX}",
        f"sha256:{HEX.upper()}",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0",
        f"sha256:{HEX}\n",
        f" sha256:{HEX}",
        f"sha256-{HEX}",
        f"sha256:{HEX[:-1]}g",
        f"sha256:{HEX[:-1]}\u0663",
        f"sha512:{hashlib.sha512(b'').hexdigest()}",
        f"sha256:{'../' * 21}.",
    ],
)
def test_is_digest_with_any_other_form_is_false(text: str) -> None:
    assert not digest.is_digest(text)


def test_short_digest_is_twelve_hex_digits() -> None:
    assert digest.short(f"sha256:{HEX}") == "5891b5b522d5"
