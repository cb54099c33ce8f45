"""SPDX licence expressions against a list of allowed licences (SPDX specification 2.3, annex D).

An expression is allowed when all sides of an AND are, or one side of an OR. Identifiers are compared without regard to
case. ``X+`` (or any later version) is allowed where ``X`` is: who takes it chooses the version. ``X WITH E`` is allowed
where ``X`` is, since an exception only adds permissions; the other way round, ``X`` is not allowed by ``X WITH E``.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

_MAX_LENGTH = 4096
_MAX_DEPTH = 32
_TOKEN = re.compile(r"\s*([()]|[^\s()]+)")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]*\+?")
_WORDS = {"AND", "OR", "WITH", "and", "or", "with"}


class Answer(NamedTuple):
    """``parts`` are the licences that decide: those that allow it, or those that are not allowed."""

    allowed: bool
    parts: tuple[str, ...]


def judge(text: str, allow: Iterable[str]) -> Answer:
    """Whether a licence is allowed. Text that is no SPDX expression is allowed only where it is listed itself."""
    listed = {_plain(entry) for entry in allow}
    if _plain(text) in listed:
        return Answer(True, (text.strip(),))
    try:
        return _Parser(text, listed).parse()
    except ValueError:
        return Answer(False, (text.strip(),))


def _plain(text: str) -> str:
    return " ".join(text.split()).lower()


class _Parser:
    def __init__(self, text: str, listed: set[str]) -> None:
        if len(text) > _MAX_LENGTH:
            raise ValueError("too long to be an expression")
        self._tokens = _TOKEN.findall(text)
        self._at = 0
        self._depth = 0
        self._listed = listed

    def parse(self) -> Answer:
        answer = self._either()
        if self._at != len(self._tokens):
            raise ValueError(f'"{self._tokens[self._at]}" is unexpected')
        return answer

    def _either(self) -> Answer:
        sides = [self._both()]
        while self._take("OR"):
            sides.append(self._both())
        good = [side for side in sides if side.allowed]
        return good[0] if good else Answer(False, tuple(part for side in sides for part in side.parts))

    def _both(self) -> Answer:
        sides = [self._one()]
        while self._take("AND"):
            sides.append(self._one())
        allowed = all(side.allowed for side in sides)
        return Answer(allowed, tuple(part for side in sides if side.allowed == allowed for part in side.parts))

    def _one(self) -> Answer:
        if self._take("("):
            self._depth += 1
            if self._depth > _MAX_DEPTH:
                raise ValueError("too deep")
            answer = self._either()
            self._depth -= 1
            if not self._take(")"):
                raise ValueError("a parenthesis is not closed")
            return answer
        licence = self._id()
        return self._licence(licence, self._id() if self._take("WITH") else None)

    def _licence(self, licence: str, exception: str | None) -> Answer:
        full = f"{licence} WITH {exception}" if exception else licence
        names = {_plain(full), licence.lower(), licence.removesuffix("+").lower()}
        return Answer(not names.isdisjoint(self._listed), (full,))

    def _take(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] in (word, word.lower()):
            self._at += 1
            return True
        return False

    def _id(self) -> str:
        token = self._tokens[self._at] if self._at < len(self._tokens) else ""
        if token in _WORDS or not _ID.fullmatch(token):
            raise ValueError(f'"{token}" is not a licence')
        self._at += 1
        return str(token)
