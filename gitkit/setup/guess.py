"""A Kitfile guessed from the names and sizes of files: a start that a person reads and mends.

Follows what `kit init` of KitOps does (``pkg/lib/kitfile/generate``), except that nothing is ever put under `code: .`,
which would take in every file that comes later. Pure: no file is opened. Each path ends up in one entry at most.
"""

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_SUFFIXES = {  # by what they are when they hold no weights
    "metadata": "json yaml yml xml txt model",
    "docs": "md adoc rst html pdf",
    "datasets": "tar zip parquet csv tsv jsonl arrow",
}
_PROMPTS = frozenset({"agents.md", "skill.md", "claude.md"})
_CODE_FILES = frozenset({"requirements.txt", "constraints.txt", "cmakelists.txt", "package.json", "package-lock.json"})
_LICENSES = ("license", "licence", "copying", "notice")

_CODE_FOLDERS = frozenset({"src", "pkg", "lib", "build", "scripts"})
_DATA_FOLDERS = frozenset({"data", "dataset", "datasets", "eval", "evals", "evaluation"})
_IGNORED = frozenset({"kitfile", "jenkinsfile", "thumbs.db", "desktop.ini", "__pycache__", "node_modules"})
_FORMATS = {".safetensors": "safetensors", ".gguf": "gguf", ".onnx": "onnx", ".pt": "pytorch", ".pth": "pytorch"}

_PLAIN_YAML = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./+@ -]*(?<! )")
_YAML_NULL = frozenset({"null", "Null", "NULL"})


class _Item(NamedTuple):
    """A file or folder: ``kind`` is a section of the Kitfile, or ``metadata``."""

    kind: str
    path: str
    size: int


def guess_kitfile(files: Sequence[tuple[str, int]], *, name: str, license: str | None) -> str:
    """A Kitfile (YAML) for ``files``: paths from the root with their content's size in bytes. Their order is no matter.

    ``license`` (SPDX) goes to the model, else to the only dataset, else to the only code entry, else to the package.
    """
    kept = sorted((path, size) for path, size in files if not _is_ignored(path))
    items = list(_sorted_out(kept, ""))
    of = {kind: [item for item in items if item.kind == kind] for kind in ("code", "datasets", "docs", "prompts")}
    weights = [item for item in items if item.kind == "model"]
    metadata = [item for item in items if item.kind == "metadata"]
    main = _main(weights)
    if main is None:
        of["datasets"] = sorted(of["datasets"] + metadata, key=lambda item: item.path)
    holder = _license_holder(main, of)
    text = [
        'manifestVersion: "1.0.0"',
        "package:",
        *_pairs(2, name=name, license=license if holder == "package" else None),
    ]
    if main is not None:
        text += ["model:", *_pairs(2, name=name, path=_file(main.path), license=license, format=_format(main.path))]
        parts = sorted(item.path for item in [*weights, *metadata] if item is not main)
        text += _list(2, "parts", ({"path": path} for path in parts))
    for kind, section in of.items():
        own = license if holder == kind else None
        text += _list(0, kind, (_entry(kind, item.path, own) for item in section))
    return "\n".join(text) + "\n"


def detect_license(text: str) -> str | None:
    """The SPDX identifier of a licence that says who it is; None for any other."""
    words = " ".join(text.lower().split())
    if "apache license" in words and "version 2.0" in words:
        return "Apache-2.0"
    if "mozilla public license" in words and "2.0" in words:
        return "MPL-2.0"
    if "gnu general public license version 3" in words[:300]:
        return "GPL-3.0"
    if "permission is hereby granted, free of charge, to any person obtaining a copy" in words:
        return "MIT"
    if "redistribution and use in source and binary forms" in words:
        return "BSD-3-Clause" if "neither the name" in words else "BSD-2-Clause"
    return None


def is_license_file(path: str) -> bool:
    """Whether a file at the root holds the licence, by its name."""
    return posixpath.splitext(path)[0].lower() in _LICENSES[:3]


# -- sorting out -----------------------------------------------------------------------------------------------------


def _is_ignored(path: str) -> bool:
    # A dot hides .git*, .github and other CI folders, .gitkit.toml and editors' files. A Kitfile's text is UTF-8.
    parts = path.lower().split("/")
    hidden = any(part.startswith(".") or part in _IGNORED for part in parts)
    return hidden or any(0xD800 <= ord(char) <= 0xDFFF for char in path)


def _sorted_out(files: Sequence[tuple[str, int]], folder: str) -> Iterator[_Item]:
    """Items for all ``files``, which lie below ``folder`` (empty, or with a slash at its end)."""
    groups: dict[str, list[tuple[str, int]]] = {}
    for path, size in files:
        groups.setdefault(folder + path[len(folder) :].split("/")[0], []).append((path, size))
    for path, inner in groups.items():
        if inner[0][0] == path:
            yield _Item(_kind(path), path, inner[0][1])
        elif kind := _folder_kind(path, [name for name, _ in inner]):
            yield _Item(kind, path, sum(size for _, size in inner))
        else:
            yield from _sorted_out(inner, f"{path}/")


def _folder_kind(path: str, files: Sequence[str]) -> str | None:
    """The section for a whole folder; None where its files go to several."""
    name = posixpath.basename(path).lower()
    kinds = {_kind(file) for file in files} - {"metadata"}
    if any(file.lower() == f"{path.lower()}/skill.md" for file in files):
        return "prompts"
    if not kinds:
        return "datasets" if name in _DATA_FOLDERS else None
    if "model" in kinds:
        return None
    if "datasets" not in kinds and name in _CODE_FOLDERS:
        return "code"
    if "datasets" not in kinds and name in ("docs", "doc"):
        return "docs"
    return kinds.pop() if len(kinds) == 1 else None


def _kind(path: str) -> str:
    from gitkit.core.kitfile import WEIGHT_SUFFIXES

    name = posixpath.basename(path).lower()
    stem, suffix = posixpath.splitext(name)
    if name in _PROMPTS or ".prompt" in name:
        return "prompts"
    if stem.startswith("readme") or stem in _LICENSES:
        return "docs"
    if name in _CODE_FILES:
        return "code"
    if suffix in WEIGHT_SUFFIXES:
        return "model"
    return next((kind for kind, suffixes in _SUFFIXES.items() if suffix[1:] in suffixes.split()), "code")


def _main(weights: Sequence[_Item]) -> _Item | None:
    """The model among ``weights``: the biggest where it stands out, else the first (of shards of equal size)."""
    if not weights:
        return None
    biggest = max(weights, key=lambda item: item.size)
    mean = sum(item.size for item in weights) / len(weights)
    return biggest if biggest.size > 1.5 * mean else weights[0]


def _license_holder(main: _Item | None, of: dict[str, list[_Item]]) -> str:
    if main is not None:
        return "model"
    return next((kind for kind in ("datasets", "code") if len(of[kind]) == 1), "package")


# -- YAML ------------------------------------------------------------------------------------------------------------


def _entry(kind: str, path: str, license: str | None) -> dict[str, str | None]:
    stem = posixpath.splitext(posixpath.basename(path))[0]
    if kind == "docs":
        what = "Readme file" if stem.lower().startswith("readme") else None
        return {"path": path, "description": "License file" if stem.lower() in _LICENSES else what}
    return {"name": stem if kind == "datasets" else None, "path": path, "license": license}


def _file(path: str) -> str:
    # KitOps takes a model's path with a colon or an at sign for the name of another kit, unless a dot comes first.
    return f"./{path}" if ":" in path or "@" in path else path


def _format(path: str) -> str | None:
    return _FORMATS.get(posixpath.splitext(path)[1].lower())


def _pairs(indent: int, **values: str | None) -> list[str]:
    return [f"{' ' * indent}{key}: {_scalar(value)}" for key, value in values.items() if value is not None]


def _list(indent: int, key: str, entries: Iterable[dict[str, str | None]]) -> list[str]:
    lines = []
    for entry in entries:
        first, *rest = _pairs(indent + 4, **entry)
        lines += [f"{first[: indent + 2]}- {first[indent + 4 :]}", *rest]
    return [f"{' ' * indent}{key}:", *lines] if lines else []


def _scalar(text: str) -> str:
    if _PLAIN_YAML.fullmatch(text) and text not in _YAML_NULL:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)
