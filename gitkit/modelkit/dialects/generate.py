"""A Kitfile for a kit that carries none: what its layers and config tell (KitOps' ``modelpack`` reader does the same).

The first weights are the model, further ones and configuration its parts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gitkit.modelkit.artifact import ArtifactFile
from gitkit.modelkit.dialects.entries import LISTS


def kitfile_from(
    files: Sequence[ArtifactFile], *, package: Mapping[str, Any] | None = None, model: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The Kitfile that names ``files``, keys in KitOps' order; ``package`` and ``model`` are what else is known.

    Empty values are left out.
    """
    out: dict[str, Any] = {"manifestVersion": "1.0.0", "package": _filled(package or {})}
    main = next((file for file in files if file.section == "model"), None)
    parts = [_entry(file) for file in files if file.section == "parts"]
    if main is not None or parts:
        entry = _entry(main) if main is not None else {}
        digests = {key: entry.pop(key) for key in ("digest", "diffId") if key in entry}
        out["model"] = {**_filled(model or {}), **entry, **({"parts": parts} if parts else {}), **digests}
    for section in LISTS:
        entries = [_entry(file) for file in files if file.section == section]
        if entries:
            out[section] = entries
    return out


def _entry(file: ArtifactFile) -> dict[str, Any]:
    values = {"name": file.name, "path": file.path or ".", "digest": file.layer.digest, "diffId": file.diff_id}
    return _filled(values)


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}
