"""Setting the remote: in ``.gitkit.toml`` for everyone, in the clone's own Git configuration for this clone alone."""

import itertools
import json
import os
import re

from gitkit.core.reference import LayoutUrl, RemoteUrl
from gitkit.errors import InvalidFile
from gitkit.git.replace import replace_file
from gitkit.git.repository import Repository

FILE = ".gitkit.toml"

_TABLE = re.compile(rb"^[ \t]*\[")
_REMOTE_TABLE = re.compile(rb"^[ \t]*\[[ \t]*remote[ \t]*\][ \t]*(#.*)?\r?\n?$")
_URL = re.compile(rb"""^([ \t]*url[ \t]*=[ \t]*)("[^"\n]*"|'[^'\n]*')""")


def set_remote(repository: Repository, url: RemoteUrl, *, local: bool) -> list[str]:
    """Write ``url`` to ``.gitkit.toml``, or with ``local`` to this clone's configuration; returns where it is now.

    A folder outside of the worktree goes to both: a repository that is cloned may not name a place to write to outside
    of itself, so each clone says so for itself.

    Raises:
        InvalidFile: ``.gitkit.toml`` is not valid, or says it in a way that cannot be changed without rewriting more.
    """
    written = []
    if not local:
        path = os.path.join(repository.root, FILE)
        text = _read(path)
        replace_file(path, with_remote_url(text, str(url)))
        written.append(FILE)
    if isinstance(url, LayoutUrl) and _ignore(repository, url.path):
        written.append(".gitignore")
    if local or (isinstance(url, LayoutUrl) and _is_outside(repository.root, url.path)):
        repository.git.run("config", "--local", "kit.url", str(url))
        written.append("git config kit.url")
    elif repository.git.ask("config", "--local", "--get-all", "kit.url") is not None:
        # It would stay in force over what was just written.
        repository.git.run("config", "--local", "--unset-all", "kit.url")
    return written


def _ignore(repository: Repository, path: str) -> bool:
    """Keep `git add .` from putting a remote's blobs into Git, where its folder is in the worktree."""
    root = repository.worktree
    if root is None or _is_outside(root, path):
        return False
    inside = os.path.relpath(os.path.join(root, path), root)
    if inside.split("/")[0] == ".git" or repository.git.ask("check-ignore", "-q", f"{inside}/") is not None:
        return False
    name = os.path.join(root, ".gitignore")
    text = _read(name)
    gap = b"" if not text or text.endswith(b"\n") else b"\n"
    replace_file(name, text + gap + b"/" + os.fsencode(inside) + b"/\n")
    return True


def with_remote_url(text: bytes, url: str) -> bytes:
    """``text`` of a ``.gitkit.toml`` with this ``[remote] url``; everything else stays byte for byte.

    Raises:
        InvalidFile: as ``set_remote``.
    """
    from gitkit.core.config import parse_config

    before = parse_config(text)
    new = _edited(text, url)
    try:
        after = parse_config(new)
    except InvalidFile:
        after = None
    expected = before.model_copy(update={"remote": before.remote.model_copy(update={"url": url})})
    if after != expected:
        raise InvalidFile(f"cannot change the url in {FILE} safely", hint=f'edit it: in [remote], url = "{url}"')
    return new


def _edited(text: bytes, url: str) -> bytes:
    value = json.dumps(url, ensure_ascii=False).encode("utf-8", "surrogateescape")
    lines = text.splitlines(keepends=True)
    start = next((number for number, line in enumerate(lines) if _REMOTE_TABLE.match(line)), None)
    end = b"\r\n" if b"\r\n" in text else b"\n"
    if start is None:
        gap = b"" if not text else end if text.endswith(b"\n") else end + end
        return text + gap + b"[remote]" + end + b"url = " + value + end
    for number in range(start + 1, len(lines)):
        if _TABLE.match(lines[number]):
            break
        if _URL.match(lines[number]):
            lines[number] = _URL.sub(lambda match: match[1] + value, lines[number], count=1)
            return b"".join(lines)
    if not lines[start].endswith(b"\n"):
        lines[start] += end
    comments = itertools.takewhile(lambda line: line.lstrip().startswith(b"#"), lines[start + 1 :])
    lines.insert(start + 1 + len(list(comments)), b"url = " + value + end)
    return b"".join(lines)


def _is_outside(root: str, path: str) -> bool:
    real = os.path.realpath(root)
    return os.path.commonpath([real, os.path.realpath(os.path.join(root, path))]) != real


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise InvalidFile(f"cannot read {path}: {error.strerror}") from error
