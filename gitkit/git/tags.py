"""Release tags: which Git tags are versions, and what they point to."""

import fnmatch
import re
from typing import NamedTuple

from gitkit.core.reference import is_tag
from gitkit.errors import NotFound, Unsupported
from gitkit.git.run import Git


class Tag(NamedTuple):
    """``commit`` is what the tag leads to; ``time`` its committer date in seconds since 1970; ``by`` its author."""

    name: str
    commit: str
    time: int
    by: str


def release_tags(git: Git, pattern: str) -> list[Tag]:
    """All tags whose name matches ``pattern`` and that lead to a commit; oldest commit first. One git process."""
    fields = "%(refname:strip=2)%00%(objectname)%00%(objecttype)%00%(committerdate:unix)%00%(authorname)"
    peeled = "%00%(*objectname)%00%(*objecttype)%00%(*committerdate:unix)%00%(*authorname)"
    tags = []
    for line in git.text("for-each-ref", f"--format={fields}{peeled}", "refs/tags").split("\n"):
        if not line:
            continue
        name, *fields_of = line.split("\0")
        oid, kind, time, by = fields_of[4:] if fields_of[1] == "tag" else fields_of[:4]
        if kind == "commit" and fnmatch.fnmatchcase(name, pattern):
            tags.append(Tag(name, oid, int(time), by))
    return sorted(tags, key=lambda tag: (tag.time, _precedence(tag.name)))


def _precedence(name: str) -> tuple[object, ...]:
    """Order of versions on commits of the same second: by numbers, and ``v1-rc1`` before ``v1`` (semver.org, 11)."""
    version, dash, candidate = name.partition("-")

    def parts(text: str) -> tuple[tuple[int, int, str], ...]:
        return tuple(
            (0, int(word), "") if word.isdigit() else (1, 0, word) for word in re.findall(r"[0-9]+|[^0-9]+", text)
        )

    return parts(version), not dash, parts(candidate), name


def release_commit(git: Git, name: str, pattern: str) -> str:
    """The commit of the release tag ``name``.

    Raises:
        NotFound: there is no such tag.
        Unsupported: it is a tag, but not one that names a version.
    """
    oid = git.ask("rev-parse", "-q", "--verify", "--end-of-options", f"refs/tags/{name}^{{commit}}")
    if oid is None:
        if git.ask("rev-parse", "-q", "--verify", "--end-of-options", f"{name}^{{commit}}") is not None:
            raise Unsupported(f'"{name}" is not a tag', hint=f"make one: git tag -a VERSION {name}")
        raise NotFound(f'there is no tag "{name}"', hint=f"list the versions: git tag -l '{pattern}'")
    if not fnmatch.fnmatchcase(name, pattern):
        raise Unsupported(
            f'"{name}" is not a release tag: .gitkit.toml says that versions match "{pattern}"',
            hint="change [kit] tags there, or build it as a commit: --rev",
        )
    if not is_tag(name):
        raise Unsupported(
            f'a registry cannot hold the version "{name}"', hint="use only letters, digits, dot, dash and underscore"
        )
    return oid
