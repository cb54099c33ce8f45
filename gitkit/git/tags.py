"""Release tags: which Git tags are versions, and what they point to."""

import fnmatch
import re
from collections.abc import Generator
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


def contained(git: Git, tip: str, pattern: str) -> Generator[Tag, None, None]:
    """The release tags that ``tip`` contains, newest commit first, as git log orders them: by date, and on one line of
    history never before what was made on top of it.

    Lazy: whoever wants the newest alone waits for no more. Two git processes.
    """
    named = _by_oid(git)
    if not named:
        return
    form = "--format=%H%x00%ct%x00%an"
    with git.pipe("log", "--no-show-signature", "--encoding=UTF-8", form, tip, "--") as (_, out):
        for line in out:
            oid, _, rest = line.decode("utf-8", "surrogateescape").rstrip("\n").partition("\0")
            names = [name for name in named.get(oid, ()) if fnmatch.fnmatchcase(name, pattern)]
            if names:
                time, _, by = rest.partition("\0")
                yield from (Tag(name, oid, int(time), by) for name in sorted(names, key=_precedence, reverse=True))


def _by_oid(git: Git) -> dict[str, list[str]]:
    """Names of tags by what they lead to. Opens no object where Git's packed refs say it."""
    found: dict[str, str] = {}
    for line in (git.ask("show-ref", "--tags", "--dereference") or "").splitlines():
        oid, _, ref = line.partition(" refs/tags/")
        found[ref.removesuffix("^{}")] = oid  # what a tag object leads to is in the line behind it
    named: dict[str, list[str]] = {}
    for name, oid in found.items():
        named.setdefault(oid, []).append(name)
    return named


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
        raise NotFound(f'there is no tag "{name}"', hint=_where_tags_are(git, pattern))
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


def _where_tags_are(git: Git, pattern: str) -> str:
    listing = f"list the versions: git tag -l '{pattern}'"
    return f"{listing}; to bring those of the Git remote: git fetch --tags" if git.ask("remote") else listing
