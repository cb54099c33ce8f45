"""Lines of ``.gitattributes`` in a history: what they say about the filter, and how they change with the files.

Bytes in, bytes out. All other lines stay byte for byte, and so do a file's line ends.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gitkit.git import attributes
from gitkit.git.attributes import Rule, rules
from gitkit.migrate.patterns import compile_pattern, exact, is_literal

KIT = b"kit"
MANAGED = (KIT, b"lfs")
"""Filters whose files Git holds as pointers."""

_MACRO = b"[attr]"
_NEGATED = b"!filter !diff !merge !text"
_LFS = b"filter=lfs diff=lfs merge=lfs -text"

Macros = Mapping[bytes, bytes]
"""The filter that each macro sets; empty for one that takes it away."""


class Deciding(NamedTuple):
    """A line that says something about the filter: which one, or none at all (empty)."""

    pattern: bytes
    matches: re.Pattern[bytes]
    filter: bytes


def macros_of(text: bytes) -> dict[bytes, bytes]:
    """The macros of the root's ``.gitattributes`` that concern the filter; no other one may define any."""
    found: dict[bytes, bytes] = {}
    for rule in rules(text):
        if rule.pattern.startswith(_MACRO) and (said := _filter_of(rule.values, found)) is not None:
            found[rule.pattern.removeprefix(_MACRO)] = said
    return found


def deciding(text: bytes, macros: Macros) -> list[Deciding]:
    """The lines of ``text`` that concern the filter, in their order."""
    found = []
    for rule in rules(text):
        said = _filter_of(rule.values, macros)
        if said is not None and rule.pattern and not rule.pattern.startswith((b"!", _MACRO)):
            found.append(Deciding(rule.pattern, compile_pattern(rule.pattern), said))
    return found


def verdict(lines: Sequence[Deciding], path: bytes) -> bytes | None:
    """What ``lines`` say about ``path``, relative to their folder: the last that matches counts."""
    return next((line.filter for line in reversed(lines) if line.matches.fullmatch(path)), None)


# -- to pointers -----------------------------------------------------------------------------------------------------


def track_patterns(text: bytes, include: Sequence[str], exclude: Sequence[str]) -> bytes:
    """``text`` with lines that put ``include`` under the filter, but for ``exclude``. Idempotent."""
    wanted = [*(_line(pattern) for pattern in include), *(_line(pattern, _NEGATED) for pattern in exclude)]
    ours = [(os.fsencode(pattern), KIT) for pattern in include] + [(os.fsencode(pattern), b"") for pattern in exclude]
    found = [(line.pattern, line.filter) for line in deciding(text, macros_of(text))]
    if set(ours) <= set(found):
        since = found[min(found.index(one) for one in ours) :]
        if all(one in ours or one[1] == KIT for one in since):
            return text
    kept = [rule for rule in rules(text) if not (set(_ours(rule)) & set(ours))]
    return _appended(b"".join(rule.line for rule in kept), wanted)


def track_paths(text: bytes, paths: Sequence[bytes]) -> bytes:
    """``text`` with a line for each of ``paths`` that is not under the filter by it. Idempotent."""
    lines = deciding(text, macros_of(text))
    return _appended(text, [_line(exact(path)) for path in paths if verdict(lines, path) != KIT])


# -- to content ------------------------------------------------------------------------------------------------------


def untrack(text: bytes, patterns: Sequence[str], paths: Sequence[bytes], kept: Sequence[bytes]) -> bytes:
    """``text`` without the lines that put exactly ``patterns``, or one of ``paths``, under a filter for pointers.

    Where others still do, lines are added that say the opposite; and for ``kept``, which are pointers and stay some,
    lines that say the same as before. Exceptions of `track_patterns` from what is gone go as well. Idempotent.
    """
    named, gone = {os.fsencode(pattern) for pattern in patterns}, set(paths)
    before = deciding(text, macros_of(text))
    lines = [rule for rule in rules(text) if not _is_dropped(rule, named, gone)]
    text = b"".join(rule.line for rule in _without_vain(lines))
    if any(name in MANAGED for name in _verdicts(text, paths).values()):
        text = _appended(text, [_line(pattern, _NEGATED) for pattern in patterns])
    still = [path for path, name in _verdicts(text, paths).items() if name in MANAGED]
    text = _appended(text, [_line(exact(path), _NEGATED) for path in still])
    after = _verdicts(text, kept)
    wanted = {path: name for path in kept if (name := verdict(before, path)) in MANAGED and after[path] != name}
    return _appended(text, [_line(exact(path), _LFS if name == b"lfs" else None) for path, name in wanted.items()])


def _verdicts(text: bytes, paths: Sequence[bytes]) -> dict[bytes, bytes | None]:
    lines = deciding(text, macros_of(text)) if paths else []
    return {path: verdict(lines, path) for path in paths}


def _is_dropped(rule: Rule, named: set[bytes], paths: set[bytes]) -> bool:
    if _filter_of(rule.values, {}) not in MANAGED:
        return False
    if rule.pattern in named:
        return True
    return is_literal(rule.pattern) and _unescaped(rule.pattern) in paths


def _without_vain(lines: Sequence[Rule]) -> list[Rule]:
    """``lines`` without exceptions from what no line says any more."""
    kept: list[Rule] = []
    for rule in lines:
        vain = b" ".join(rule.values) == _NEGATED and not any(_filter_of(other.values, {}) for other in kept)
        if not vain:
            kept.append(rule)
    return kept


# -- both ------------------------------------------------------------------------------------------------------------


def _filter_of(values: Sequence[bytes], macros: Macros) -> bytes | None:
    """The filter that the attributes of a line set; empty where they take it away, None where they do not name it."""
    said: bytes | None = None
    for value in values:
        if value.startswith(b"filter="):
            said = value.removeprefix(b"filter=")
        elif value in (b"filter", b"-filter", b"!filter"):
            said = b""
        else:
            said = macros.get(value, said)
    return said


def _ours(rule: Rule) -> list[tuple[bytes, bytes]]:
    """What a line is in the eyes of ``track_patterns``, where it is of the form that git kit writes."""
    said = b" ".join(rule.values)
    if said == attributes.ATTRIBUTES.encode():
        return [(rule.pattern, KIT)]
    return [(rule.pattern, b"")] if said == _NEGATED else []


def _line(pattern: str, values: bytes | None = None) -> bytes:
    line = attributes.with_pattern(b"", pattern)
    return line if values is None else line.removesuffix(attributes.ATTRIBUTES.encode() + b"\n") + values + b"\n"


def _appended(text: bytes, lines: Sequence[bytes]) -> bytes:
    if not lines:
        return text
    end = b"\r\n" if b"\r\n" in text else b"\n"
    if text and not text.endswith(b"\n"):
        text += end
    return text + b"".join(line.removesuffix(b"\n") + end for line in lines)


def _unescaped(pattern: bytes) -> bytes:
    return re.sub(rb"\\(.)", rb"\1", pattern.removeprefix(b"/"), flags=re.DOTALL)
