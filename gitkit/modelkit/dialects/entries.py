"""The Kitfile inside of a kit: JSON that any tool may have written, so its shape is checked before it is used.

Keys that are not known survive: a newer KitOps may have more of them (unlike in a Kitfile that a person writes, where
an unknown key is a mistake; see ``gitkit.core.kitfile``).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gitkit.core.digest import is_digest, short
from gitkit.errors import InvalidFile
from gitkit.modelkit.names import is_unicode, safe_path

LISTS = ("code", "datasets", "docs", "prompts", "mcpServers")
"""The sections of a Kitfile that are lists, in the order of a kit's layers."""

_MAX_DEPTH = 64


class KitEntry(NamedTuple):
    """One thing that the Kitfile names and the kit holds. ``path`` is clean; "" is the root."""

    section: str
    name: str | None
    path: str
    digest: str | None
    diff_id: str | None


def checked_kitfile(value: object, what: str) -> dict[str, Any]:
    """``value``, if it has the shape of a Kitfile.

    Raises:
        InvalidFile: it has not; or it is too deep, or holds what no text file can.
    """
    check_json(value, what)
    if not isinstance(value, dict) or not isinstance(value.get("package") or {}, dict):
        raise InvalidFile(f"{what} is not a Kitfile")
    model = value.get("model") or {}
    if not isinstance(model, dict):
        raise InvalidFile(f"{what} is not a Kitfile: its model is not an object")
    for section, items in (("parts", model.get("parts")), *((name, value.get(name)) for name in LISTS)):
        if not isinstance(items or [], list) or not all(isinstance(item, dict) for item in items or []):
            raise InvalidFile(f"{what} is not a Kitfile: its {section} are not a list of objects")
    return value


def check_json(value: object, what: str) -> None:
    """Bounded depth, numbers that JSON has, text that UTF-8 has: whatever is done with ``value`` next is safe.

    Raises:
        InvalidFile: it is otherwise.
    """
    level: list[object] = [value]
    for _ in range(_MAX_DEPTH):
        for item in level:
            if isinstance(item, float) and not math.isfinite(item):
                raise InvalidFile(f"{what} holds a number that JSON has no form for")
            if isinstance(item, str) and not is_unicode(item):
                raise InvalidFile(f"{what} holds text that is not Unicode")
        level = [inner for item in level for inner in _inner(item)]
        if not level:
            return
    raise InvalidFile(f"{what} is nested too deep")


def _inner(item: object) -> Sequence[object]:
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    return item if isinstance(item, list) else ()


def entries_of(kitfile: Mapping[str, Any], what: str) -> list[KitEntry]:
    """Everything that has a path of its own, in the order of a kit's layers: not another kit, nor data elsewhere.

    Raises:
        InvalidFile: a value is of the wrong type, or a path is not safe.
    """
    return [entry for section, item in _items(kitfile) if (entry := _entry(section, item, what)) is not None]


def reference_of(kitfile: Mapping[str, Any]) -> str | None:
    """The other kit that the model comes from, as the Kitfile names it."""
    path = (kitfile.get("model") or {}).get("path")
    return path if isinstance(path, str) and _is_reference(path) else None


def remote_datasets(kitfile: Mapping[str, Any]) -> list[str]:
    """Where data lies that the kit names and does not hold."""
    places = [item.get("remotePath") for item in kitfile.get("datasets") or () if not item.get("digest")]
    return [place for place in places if isinstance(place, str) and place]


def owner(entries: Sequence[KitEntry], path: str) -> KitEntry | None:
    """The entry with the longest path that leads to ``path``."""
    by_path = {entry.path: entry for entry in entries}
    while path not in by_path and path:
        path = path.rpartition("/")[0]
    return by_path.get(path)


def _items(kitfile: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    model = kitfile.get("model") or {}
    if model.get("path"):
        yield "model", model
    for part in model.get("parts") or ():
        yield "parts", part
    for section in LISTS:
        for item in kitfile.get(section) or ():
            yield section, item


def _entry(section: str, item: Mapping[str, Any], what: str) -> KitEntry | None:
    path, digest = _text(item, "path", what), _digest(item, "digest", what)
    if digest is None and (not path or item.get("remotePath") or (section == "model" and _is_reference(path))):
        return None
    clean = safe_path(path, f"{what}'s {section} entry") if path else ""
    return KitEntry(section, _text(item, "name", what), clean, digest, _digest(item, "diffId", what))


def _text(item: Mapping[str, Any], key: str, what: str) -> str | None:
    value = item.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidFile(f"{what} has a {key} that is not text")
    return value or None


def _digest(item: Mapping[str, Any], key: str, what: str) -> str | None:
    value = _text(item, key, what)
    if value is not None and not is_digest(value):
        raise InvalidFile(f"{what} has a {key} that is not a digest")
    return value


def _is_reference(path: str | None) -> bool:
    if not path or ("@" not in path and ":" not in path):
        return False
    from gitkit.core.kitfile import is_kit_reference  # loads pydantic, and few kits need it

    return is_kit_reference(path)


def assign(entries: Sequence[KitEntry], layers: Sequence[tuple[str, str | None]], what: str) -> list[KitEntry | None]:
    """For each of ``layers`` (digest, and path where the layer tells one) the entry that it belongs to, by digest.

    Two entries may hold the same bytes: then the path decides, and else the order.

    Raises:
        InvalidFile: an entry's digest is in none of the layers.
    """
    waiting: dict[str, list[KitEntry]] = {}
    for entry in entries:
        if entry.digest is not None:
            waiting.setdefault(entry.digest, []).append(entry)
    there = {digest for digest, _ in layers}
    missing = next((digest for digest in waiting if digest not in there), None)
    if missing is not None:
        raise InvalidFile(f"{what} names the layer {short(missing)}, which its manifest does not have")
    found: list[KitEntry | None] = []
    for digest, path in layers:
        candidates = waiting.get(digest, [])
        if not candidates:
            found.append(None)
            continue
        entry = next((each for each in candidates if each.path == path), candidates[0])
        if len(candidates) > 1:
            candidates.remove(entry)
        found.append(entry)
    return found
