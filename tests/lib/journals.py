"""Journals for tests: read and written by plumbing, as somebody would who knows the format and means harm.

``write`` makes commits of any messages. ``rechained`` recomputes sequence, previous and id, so that a chain that was
tampered with fits together again.
"""

import hashlib
import shutil
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from gitkit.cli.env import lifecycle_place
from gitkit.context import Context
from gitkit.core.journal import Actor, Event, parse_event
from gitkit.lifecycle.audit.findings import Audit
from gitkit.lifecycle.audit.verify import verify
from gitkit.store.layout import ImageLayout
from tests.lib.lifecycle_world import World
from tests.lib.repos import Repo

JOURNAL = "kit/journal"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class Raw(NamedTuple):
    """A commit of the journal to be: author and committer are one person, at ``seconds`` since 1970."""

    message: str
    actor: Actor
    seconds: int
    tree: str = EMPTY_TREE
    second_parent: str | None = None
    sign: bool = False

    @property
    def event(self) -> Event:
        return parse_event(self.message)


def raw(event: Event) -> Raw:
    """The commit that git kit would make of an event that is chained."""
    return Raw(event.text(), event.actor, event.seconds)


def read(repo: Repo, tip: str) -> list[Raw]:
    """The journal up to ``tip``, oldest first."""
    out = repo.git("log", "-z", "--first-parent", "--reverse", "--format=%an%x00%ae%x00%at%x00%B%x01", tip).stdout
    fields = (record.removesuffix("\x01").split("\0", 3) for record in out.split("\x01\0") if record)
    return [Raw(message, Actor(name, email), int(seconds)) for name, email, seconds, message in fields]


def rechained(raws: Iterable[Raw], first: Event | None = None) -> list[Raw]:
    """The same events, one behind the other."""
    chain: list[Raw] = []
    before = first
    for one in raws:
        before = replace(one.event, sequence=0).chained(before)
        chain.append(one._replace(message=before.text()))
    return chain


def write(repo: Repo, raws: Sequence[Raw], *, parent: str | None = None) -> str:
    """Commits of ``raws``, one behind the other; returns the last one's oid. No branch moves."""
    _store(repo, "tree", b"")
    for one in raws:
        parents = [oid for oid in (parent, one.second_parent) if oid is not None]
        parent = _signed(repo, one, parents) if one.sign else _store(repo, "commit", _bytes_of(one, parents))
    assert parent is not None
    return parent


def _bytes_of(one: Raw, parents: Sequence[str]) -> bytes:
    who = f"{one.actor.name} <{one.actor.email}> {one.seconds} +0000"
    head = f"tree {one.tree}\n" + "".join(f"parent {oid}\n" for oid in parents)
    return f"{head}author {who}\ncommitter {who}\n\n{one.message}".encode()


def _store(repo: Repo, kind: str, data: bytes) -> str:
    """An object, written where Git keeps those that are not packed; returns its oid."""
    whole = f"{kind} {len(data)}\0".encode() + data
    oid = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    path = repo.path / ".git" / "objects" / oid[:2] / oid[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(whole))
    return oid


def _signed(repo: Repo, one: Raw, parents: Sequence[str]) -> str:
    """As git makes it, by the key of the person's own configuration."""
    extra = {}
    for role in ("AUTHOR", "COMMITTER"):
        extra |= {f"GIT_{role}_NAME": one.actor.name, f"GIT_{role}_EMAIL": one.actor.email}
        extra[f"GIT_{role}_DATE"] = f"@{one.seconds} +0000"
    options = [word for oid in parents for word in ("-p", oid)]
    done = repo.git("commit-tree", "-S", *options, one.tree, stdin=one.message.encode(), extra=extra)
    return done.stdout.strip()


def copied(template: Path, folder: Path, environ: dict[str, str]) -> World:
    """A copy of a world, for one test, or to build another one on."""
    shutil.copy(template / "home" / ".gitconfig", environ["GIT_CONFIG_GLOBAL"])
    for name in ("bare.git", "author"):
        shutil.copytree(template / name, folder / name, symlinks=True)
    bare, author = Repo(folder / "bare.git", environ), Repo(folder / "author", environ)
    return World(folder=folder, bare=bare, author=author, registry=ImageLayout(str(bare.path / "kit")))


def audit(repo: Repo, *, offline: bool = False, full: bool = False) -> Audit:
    """What verify finds, without a process of its own."""
    context = Context(repo.environ, str(repo.path))
    return verify(lifecycle_place(context), lambda: context.lifecycle_remote, offline=offline, full=full)


def force(repo: Repo, oid: str | None, branch: str = JOURNAL) -> None:
    """Push ``oid`` over whatever the branch of the remote was; None deletes it."""
    repo.git("push", "--quiet", "--force", "--no-verify", "origin", f"{oid or ''}:refs/heads/{branch}")


def forge(repo: Repo, event: Event, *, sign: bool = False, **commit: str) -> str:
    """Append an event, and the commit of its environment where it moves one, as a client does that asks for no rule.

    ``commit`` overrides ``tree`` or ``message`` of the environment's commit. Returns the event's oid.
    """
    repo.git("fetch", "--quiet", "origin")
    tip = repo.out("rev-parse", f"refs/remotes/origin/{JOURNAL}")
    chained = replace(event, sequence=0).chained(read(repo, tip)[-1].event)
    oid = write(repo, [raw(chained)._replace(sign=sign)], parent=tip)
    specs = [f"{oid}:refs/heads/{JOURNAL}"]
    if chained.kind in ("promote", "rollback") and chained.after is not None:
        specs.append(f"{_commit_of(repo, chained, oid, **commit)}:refs/heads/{chained.environment}")
    repo.git("push", "--quiet", "--no-verify", "--atomic", "origin", *specs)
    return oid


def _commit_of(repo: Repo, event: Event, oid: str, *, tree: str | None = None, message: str | None = None) -> str:
    assert event.after is not None and event.environment is not None
    parents = [parent for parent in (event.tip, event.after.commit) if parent is not None]
    text = message or message_of(event.environment, event, oid)
    files = tree or repo.out("rev-parse", f"{parents[-1]}^{{tree}}")
    second = parents[1] if len(parents) > 1 else None
    return write(repo, [Raw(text, event.actor, event.seconds, files, second)], parent=parents[0])


def message_of(name: str, event: Event, oid: str) -> str:
    """What the commit of an environment says of its event."""
    assert event.after is not None
    lines = {"Kit-Env": name, "Kit-Version": event.after.version, "Kit-Digest": event.after.digest}
    lines |= {"Kit-Event": event.kind, "Kit-Journal": oid}
    lines |= {"Kit-Reason": event.reason} if event.reason else {}
    return f"{name}: {event.kind} {event.after.version}\n\n" + "".join(f"{k}: {v}\n" for k, v in lines.items())
