"""Digests: always ``sha256:<64 lowercase hex>``, the only algorithm that pointers and kits use."""

import hashlib

PREFIX = "sha256:"
_HEX = frozenset("0123456789abcdef")

EMPTY = PREFIX + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def is_digest(text: str) -> bool:
    """Whether ``text`` is a digest in the one form that git kit accepts."""
    return len(text) == 71 and text.startswith(PREFIX) and _HEX.issuperset(text[7:])


def digest_of(data: "bytes | memoryview") -> str:
    """The digest of ``data``."""
    return PREFIX + hashlib.sha256(data).hexdigest()


def short(digest: str) -> str:
    """Twelve hex digits, for people."""
    return digest.removeprefix(PREFIX)[:12]
