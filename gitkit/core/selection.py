"""Which files a person wants the content of: ``-I`` and ``-X``, ``kit.include`` and ``kit.exclude``.

Patterns are those of gitignore(5), without ``!``: one without a slash takes names in any folder, one with a slash paths
from the root, ``**`` any folders; what takes a folder takes all that is in it. A name with special characters also
means itself. Several are separated by commas, as Git LFS has it; ``\\,`` is a comma.
"""

import functools
import os
import posixpath
from typing import NamedTuple


class Selection(NamedTuple):
    """Files that match one of ``include`` (all, when there is none) and none of ``exclude``."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, path: bytes) -> bool:
        """Whether the file at ``path``, from the root of the worktree, is wanted."""
        if any(matches(pattern, path) for pattern in self.exclude):
            return False
        return not self.include or any(matches(pattern, path) for pattern in self.include)


def parse_list(text: str) -> tuple[str, ...]:
    """The patterns of a comma-separated list."""
    import re

    return tuple(pattern for one in re.split(r"(?<!\\),", text) if (pattern := one.strip()))


def from_root(path: str) -> str:
    """A pattern for exactly ``path`` (from the root of the worktree), or for what is in that folder."""
    return f"/{path}"


def matches(pattern: str, path: bytes) -> bool:
    """Whether ``pattern`` takes the file at ``path``."""
    return bool(_compiled(pattern)(path))


@functools.lru_cache
def _compiled(pattern: str) -> "functools.partial[object]":
    import re

    from gitkit.core.wildmatch import translate

    is_from_root = pattern.startswith(("/", "./"))
    body = os.fsencode(posixpath.normpath(pattern.lstrip("/")))
    anchored = is_from_root or b"/" in body
    options = [translate(body, anchored=anchored), re.escape(body), b".*" if body == b"." else None]
    expression = b"(?:%s)(?:/.*)?" % b"|".join(option for option in options if option is not None)
    compiled = re.compile(expression if anchored else b"(?:.*/)?" + expression, re.DOTALL)
    return functools.partial(compiled.fullmatch)
