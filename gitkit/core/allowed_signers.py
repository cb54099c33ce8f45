"""OpenSSH's file of allowed signers: which address may sign with which key (ssh-keygen(1), "ALLOWED SIGNERS").

A line with an address alone is nothing to OpenSSH, which skips it: here it names a person who signs with gpg.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

_LINE = re.compile(r'("[^"]*"|[^\s"]+)\s*(.*)')
_KEY = re.compile(r"(?:^|\s)(?:(?:sk-)?(?:ssh|ecdsa)-[A-Za-z0-9@.-]+)\s+([A-Za-z0-9+/]+={0,2})(?:\s|$)")


class Allowed(NamedTuple):
    """One line. ``principals`` are patterns; ``key`` is ``SHA256:...`` as OpenSSH shows it, None for an address alone.

    ``limited`` where the line holds for a time only, or for what a certificate authority signed.
    """

    principals: tuple[str, ...]
    key: str | None
    limited: bool


def parse_signers(text: bytes) -> list[Allowed]:
    """The lines that say something. Never raises: what OpenSSH skips is skipped."""
    lines = (line.strip() for line in text.decode("utf-8", "replace").splitlines())
    found = (_parse(line) for line in lines if line and not line.startswith("#"))
    return [allowed for allowed in found if allowed is not None]


def _parse(line: str) -> Allowed | None:
    words = _LINE.fullmatch(line)
    if words is None:
        return None
    principals, rest = tuple(words[1].strip('"').split(",")), words[2]
    if not rest:
        return Allowed(principals, None, False)
    key = _KEY.search(rest)
    if key is None:
        return None
    options = rest[: key.start()].lower()
    limited = any(option in options for option in ("valid-before", "valid-after", "cert-authority"))
    fingerprint = _fingerprint(key[1])
    return Allowed(principals, fingerprint, limited) if fingerprint is not None else None


def _fingerprint(key: str) -> str | None:
    try:
        digest = hashlib.sha256(base64.b64decode(key, validate=True)).digest()
    except binascii.Error:
        return None
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def names(principals: Sequence[str], address: str) -> bool:
    """Whether patterns (``*``, ``?``, ``!`` for all but) name ``address``; without regard to case."""
    matched = False
    for pattern in principals:
        wanted = pattern.removeprefix("!")
        if _matches(wanted, address):
            if pattern.startswith("!"):
                return False
            matched = True
    return matched


def _matches(pattern: str, address: str) -> bool:
    parts = {"*": ".*", "?": "."}
    expression = "".join(parts.get(char) or re.escape(char) for char in re.sub(r"\*+", "*", pattern))
    return re.fullmatch(expression, address, re.IGNORECASE | re.DOTALL) is not None


def may_sign(lines: Sequence[Allowed], address: str, *, key: str, principal: str) -> bool:
    """Whether ``address`` may have made a good ssh signature by ``key``.

    Git checks the key and names the first ``principal`` of the line that it found, which may be a pattern or one of
    several. A line that is ``limited`` counts only where it may be that one, whose limits were met.
    """
    of_key = [line for line in lines if line.key == key]
    if not of_key:  # a certificate: the line has its authority's key
        return principal.lower() == address.lower()
    return any(
        names(line.principals, address) and not (line.limited and principal not in line.principals) for line in of_key
    )


def names_for_gpg(lines: Sequence[Allowed], address: str) -> bool:
    """Whether the file names ``address`` at all, in a line without limits: gpg's own keyring knows the key."""
    return any(names(line.principals, address) and not line.limited for line in lines)
