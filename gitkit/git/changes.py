"""What `git add` would read: files that differ from the index by their stat data, and files that it does not have.

Only git says so: nothing here looks at a file.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gitkit.git.run import Git

NO_FILE = "000000"
"""The mode of an index entry that is not there."""

_ATTRIBUTES = ("filter", "text", "crlf", "eol", "ident", "working-tree-encoding")
_FALSE = ("false", "no", "off", "0", "")


class Change(NamedTuple):
    """A file of the worktree, by its path from the root; ``mode`` and ``oid`` are those of its index entry."""

    path: bytes
    mode: str
    oid: str


class Looked(NamedTuple):
    """``gone`` are index entries without a file, ``unmerged`` those with several versions."""

    changed: list[Change]
    gone: list[bytes]
    unmerged: list[bytes]


class Rules(NamedTuple):
    """What in the configuration decides how `git add` looks at files."""

    trusts_file_mode: bool
    ignores_case: bool
    is_sparse: bool
    converts_line_ends: bool
    has_filter: bool


def read_rules(git: Git) -> Rules:
    """One git process."""
    pattern = r"^(core\.(filemode|ignorecase|sparsecheckout|autocrlf)|filter\.kit\.process)$"
    values: dict[str, str] = {}
    for record in (git.ask("config", "--null", "--get-regexp", pattern) or "").split("\0"):
        key, newline, value = record.partition("\n")
        values[key] = value if newline else "true"
    return Rules(
        trusts_file_mode=values.get("core.filemode", "true").lower() not in _FALSE,
        ignores_case=values.get("core.ignorecase", "").lower() not in _FALSE,
        is_sparse=values.get("core.sparsecheckout", "").lower() not in _FALSE,
        converts_line_ends=values.get("core.autocrlf", "").lower() not in _FALSE,
        has_filter=values.get("filter.kit.process", "") != "",
    )


def tracked_changes(git: Git, pathspecs: Sequence[str], environ: Mapping[str, str]) -> Looked | None:
    """Index entries whose file has other stat data than they say; None where git does not take the pathspecs.

    ``pathspecs`` are a person's own, relative to the folder of ``git``, and mean what they do there in ``environ``.
    """
    args = ["diff-files", "-z", "--raw", "--no-renames", "--ignore-submodules=all", "--", *pathspecs]
    done = git.attempt(*args, extra={"GIT_OPTIONAL_LOCKS": "0", **environ})
    if done.returncode != 0:
        return None
    found = Looked([], [], [])
    fields = done.stdout.split(b"\0")
    for head, path in zip(fields[0::2], fields[1::2], strict=False):
        old, _, oid, _, letter = head.decode().split(" ")
        if letter == "D":
            found.gone.append(path)
        elif letter == "U":
            found.unmerged.append(path)
        else:
            found.changed.append(Change(path, old.removeprefix(":"), oid))
    return found


def untracked(
    git: Git, pathspecs: Sequence[str], environ: Mapping[str, str], *, ignored_too: bool
) -> list[Change] | None:
    """Files that the index does not have, as ``tracked_changes``; none of repositories inside of this one."""
    args = ["ls-files", "--others", "-z", "--full-name", *([] if ignored_too else ["--exclude-standard"])]
    done = git.attempt(*args, "--", *pathspecs, extra={"GIT_OPTIONAL_LOCKS": "0", **environ})
    if done.returncode != 0:
        return None
    paths = done.stdout.split(b"\0")[:-1]
    return [Change(path, NO_FILE, "") for path in paths if not path.endswith(b"/")]


def only_filtered(git: Git, paths: Sequence[bytes], *, converts_line_ends: bool) -> set[bytes]:
    """Those of ``paths`` that Git stores as the filter answers, with no conversion besides. One git process."""
    if not paths:
        return set()
    out = git.run("check-attr", "-z", "--stdin", *_ATTRIBUTES, stdin=b"".join(path + b"\0" for path in paths))
    fields = out.split(b"\0")
    step = 3 * len(_ATTRIBUTES)
    columns = [fields[2 + 3 * number :: step] for number in range(len(_ATTRIBUTES))]
    found = set()
    for path, filter_, text, *line_ends, ident, encoding in zip(fields[0::step], *columns, strict=False):
        is_binary = text == b"unset" or (
            not converts_line_ends and text == b"unspecified" and line_ends == [b"unspecified"] * 2
        )
        if filter_ == b"kit" and is_binary and ident != b"set" and encoding == b"unspecified":
            found.add(path)
    return found
