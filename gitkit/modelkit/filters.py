"""Which part of a kit is wanted: ``TYPE[,TYPE][:NAME[,NAME]]`` as KitOps has it, and further down to single files.

A NAME is an entry's name, a path of the Kitfile (a folder takes what is in it), or a pattern for the paths of files:
``*`` and ``?`` stay within a name, ``**`` does not. What has no slash and is no entry's name is looked for in all
folders.
"""

import fnmatch
import posixpath
from collections.abc import Sequence
from typing import NamedTuple

from gitkit.core.problems import nearest
from gitkit.errors import UsageError
from gitkit.modelkit.artifact import ArtifactFile

KITFILE = "kitfile"

_TYPES = {
    KITFILE: (KITFILE,),
    "model": ("model", "parts"),
    "datasets": ("datasets",),
    "code": ("code",),
    "docs": ("docs",),
    "prompts": ("prompts",),
    "mcpservers": ("mcpServers",),
}


class Filter(NamedTuple):
    """One ``--filter``. Without ``names`` everything in ``sections`` is wanted."""

    text: str
    sections: frozenset[str]
    names: tuple[str, ...]


def parse_filter(text: str) -> Filter:
    """The filter that ``text`` says.

    Raises:
        UsageError: it is none.
    """
    types, colon, rest = text.partition(":")
    sections: set[str] = set()
    for word in types.split(","):
        name = word.strip().lower()
        if name not in _TYPES:
            guess = nearest(name, tuple(_TYPES))
            hint = f"did you mean {guess}?" if guess else f"the types are {', '.join(_TYPES)}"
            raise UsageError(f'"{word}" in the filter "{text}" is not a part of a kit', hint=hint)
        sections.update(_TYPES[name])
    names = tuple(name for name in rest.split(",") if name)
    if colon and not names:
        raise UsageError(f'the filter "{text}" names nothing after the colon')
    return Filter(text, frozenset(sections), names)


MODEL = Filter("model", frozenset(_TYPES["model"]), ())
"""What is taken from a kit that another one names as its model."""


class Selection:
    """What ``filters`` want of the kit that holds ``files``: what any of them wants, everything where there are none.

    ``model_name`` is what parts without a name go by, too.
    """

    def __init__(
        self, filters: Sequence[Filter], files: Sequence[ArtifactFile] = (), *, model_name: str | None = None
    ) -> None:
        self._filters = filters
        self._model_name = model_name
        self._entries = {model_name, *(file.name for file in files)}

    @property
    def everything(self) -> bool:
        return not self._filters

    @property
    def kitfile(self) -> bool:
        """Whether the Kitfile is wanted."""
        return self.everything or any(KITFILE in each.sections for each in self._filters)

    @property
    def model(self) -> bool:
        """Whether anything of the model may be wanted."""
        return self.everything or any("model" in each.sections for each in self._filters)

    def whole(self, file: ArtifactFile) -> bool:
        """Whether all that the layer holds is wanted."""
        return self.everything or any(
            file.section in each.sections and (not each.names or any(self._names(name, file) for name in each.names))
            for each in self._filters
        )

    def some(self, file: ArtifactFile) -> bool:
        """Whether a part of what the layer holds may be wanted. Knows no path in the layer but the entry's."""
        return self.whole(file) or any(
            _may_hold(file, each) and (not each.names or any(self._may_lead(name, file.path) for name in each.names))
            for each in self._filters
        )

    def wants(self, path: str, section: str, name: str | None) -> bool:
        """Whether the file at ``path`` in a layer is wanted, which belongs to the entry ``name`` of ``section``."""
        return self.everything or any(
            section in each.sections
            and (not each.names or any(wanted == name or self._matches(wanted, path) for wanted in each.names))
            for each in self._filters
        )

    def _names(self, name: str, file: ArtifactFile) -> bool:
        own = file.name or (self._model_name if file.section == "parts" else None)
        if name == own:
            return True
        return _is_above(_clean(name), file.path) or (file.packing == "raw" and self._matches(name, file.path))

    def _matches(self, name: str, path: str) -> bool:
        if _is_above(_clean(name), path):
            return True
        if "/" not in name:
            return name not in self._entries and fnmatch.fnmatchcase(posixpath.basename(path), name)
        return _glob(_clean(name).split("/"), path.split("/"))

    def _may_lead(self, name: str, path: str) -> bool:
        """Whether ``name`` may match something at or below ``path``."""
        clean = _clean(name)
        if not path or _is_above(clean, path):
            return True
        if "/" not in name:
            return name not in self._entries
        for pattern, part in zip(clean.split("/"), path.split("/"), strict=False):
            if pattern == "**":
                return True
            if not fnmatch.fnmatchcase(part, pattern):
                return False
        return True


def _may_hold(file: ArtifactFile, wanted: Filter) -> bool:
    if file.packing == "raw":
        return False
    return file.section in wanted.sections or (file.section == "" and wanted.sections != {KITFILE})


def _clean(name: str) -> str:
    path = posixpath.normpath(name)
    return "" if path == "." else path


def _is_above(folder: str, path: str) -> bool:
    return folder in ("", path) or path.startswith(f"{folder}/")


def _glob(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_glob(pattern[1:], parts[skip:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _glob(pattern[1:], parts[1:])
