"""Journals for tests: read and written by plumbing, as somebody would who knows the format and means harm; large ones.

``write`` makes commits of any messages. ``rechained`` recomputes sequence, previous and id, so that a chain that was
tampered with fits together again. ``generate`` makes a repository with thousands of events and tags.
"""

import hashlib
import json
import shutil
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from gitkit.cli.env import lifecycle_place
from gitkit.context import Context
from gitkit.core.journal import Actor, Event, Point, parse_event
from gitkit.lifecycle.audit.findings import Audit
from gitkit.lifecycle.audit.verify import verify
from gitkit.store.layout import ImageLayout
from tests.lib.lifecycle_world import World
from tests.lib.repos import Repo, clean_environ, init

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


# -- a large one -------------------------------------------------------------------------------------------------------

_CONFIG = """\
[environments.dev]
branch = "dev"
[environments.staging]
branch = "staging"
from = ["dev"]
[environments.prod]
branch = "prod"
from = ["staging"]
"""
_WHO = Actor("Ada Tester", "ada@example.com")
_START = 1_767_225_600


class _Objects:
    """Commits and tags whose oids are computed, so that one can name another; written by one `git fast-import`."""

    def __init__(self, tree: str, tip: str) -> None:
        self.tree = tree
        self.tips = {"dev": tip}
        self.stream: list[bytes] = [b"feature done\n"]
        self._marks: dict[str, str] = {}

    def commit(self, branch: str, message: str, seconds: int, parents: Sequence[str], tree: str | None = None) -> str:
        """A commit at the tip of ``branch``; returns its oid."""
        tree = tree or self.tree
        who = f"{_WHO.name} <{_WHO.email}> {seconds} +0000"
        head = f"tree {tree}\n" + "".join(f"parent {oid}\n" for oid in parents)
        oid = _oid("commit", f"{head}author {who}\ncommitter {who}\n\n{message}")
        ours, others = (parents[0], parents[1:]) if parents else (None, ())
        self._marks[oid] = mark = f":{len(self._marks) + 1}"
        lines = f"commit refs/heads/{branch}\nmark {mark}\nauthor {who}\ncommitter {who}\n"
        lines += f"data {len(message.encode())}\n{message}\n"
        lines += f"from {self._name(ours)}\n" if ours is not None else ""
        lines += "".join(f"merge {self._name(other)}\n" for other in others)
        lines += f"M 040000 {tree} \n" if tree != EMPTY_TREE else "deleteall\n"
        self.stream.append(lines.encode())
        self.tips[branch] = oid
        return oid

    def _name(self, oid: str) -> str:
        """What `git fast-import` calls a commit: those that it is making have no oid for it yet."""
        return self._marks.get(oid, oid)

    def tag(self, name: str, commit: str, seconds: int) -> str:
        """An annotated tag; returns its oid."""
        who = f"{_WHO.name} <{_WHO.email}> {seconds} +0000"
        self.stream.append(
            f"tag {name}\nfrom {self._name(commit)}\ntagger {who}\ndata {len(name) + 1}\n{name}\n\n".encode()
        )
        return _oid("tag", f"object {commit}\ntype commit\ntag {name}\ntagger {who}\n\n{name}\n")


def generate(folder: Path, *, events: int, tags: int) -> Repo:
    """A bare repository in ``folder`` and a clone of it, which is returned: versions that were released and promoted to
    staging and then to prod, one after the other, until there are ``events``; and ``tags`` versions in all.
    """
    environ = clean_environ(folder / "home")
    work = init(folder / "work", environ)
    work.git("checkout", "--quiet", "-b", "dev")
    tip = work.commit("first", {".gitkit.toml": _CONFIG, "Kitfile": "model: {path: m}\n", "m": "m"})
    objects = _Objects(work.out("rev-parse", f"{tip}^{{tree}}"), tip)
    digests = dict(_history(objects, events, tags))
    work.git("fast-import", "--quiet", "--force", stdin=b"".join(objects.stream) + b"done\n")
    assert {name: work.out("rev-parse", name) for name in objects.tips} == objects.tips
    work.clone(folder / "bare.git", "--bare")
    _write_layout(folder / "bare.git" / "kit", digests)
    Repo(folder, environ).git("clone", "--quiet", "bare.git", "clone")
    return Repo(folder / "clone", environ)


def _history(objects: _Objects, events: int, tags: int) -> Iterator[tuple[str, str]]:
    """Versions, their events, and the registry's tags with their digests."""
    before: Event | None = None
    points: dict[str, Point] = {}
    count = 0
    for number in range(tags):
        version, seconds = f"v{number}", _START + 60 * number
        commit = objects.commit("dev", f"{version}\n", seconds, [objects.tips["dev"]])
        point = Point(version, f"sha256:{number:064x}", commit, objects.tag(version, commit, seconds))
        for kind, name in (("release", None), ("promote", "staging"), ("promote", "prod")):
            if count == events:
                break
            event = _event(kind, name, seconds, objects, points, point).chained(before)
            previous = [objects.tips[JOURNAL]] if before is not None else []
            entry = objects.commit(JOURNAL, event.text(), seconds, previous, EMPTY_TREE)
            if name is not None:
                _move(objects, name, event, entry)
                points[name] = point
            before, count = event, count + 1
            yield name or version, point.digest


def _event(
    kind: str, name: str | None, seconds: int, objects: _Objects, points: dict[str, Point], point: Point
) -> Event:
    tip = objects.tips.get(name or "")
    return Event(
        kind=kind,
        time=seconds * 1_000_000,
        actor=_WHO,
        environment=name,
        before=points[name]._replace(tag=None) if name in points else None,
        after=point,
        tip=tip,
        policy=_policy(name) if name is not None else None,
        policy_commit=tip,
        gates=({"gate": "from", "outcome": "passed", "reason": "ran there"},) if name is not None else (),
    )


def _policy(name: str) -> str:
    from gitkit.core.config import parse_config

    return parse_config(_CONFIG.encode()).policy_of(name)


def _move(objects: _Objects, name: str, event: Event, entry: str) -> None:
    assert event.after is not None
    parents = [oid for oid in (event.tip, event.after.commit) if oid is not None]
    objects.commit(name, message_of(name, event, entry), event.seconds, parents)


def _write_layout(folder: Path, digests: dict[str, str]) -> None:
    """An OCI layout that has nothing but tags."""
    folder.mkdir()
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    manifests = [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": 2,
            "annotations": {"org.opencontainers.image.ref.name": name},
        }
        for name, digest in digests.items()
    ]
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))


def _oid(kind: str, text: str) -> str:
    data = text.encode()
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()
