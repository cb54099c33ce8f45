"""A repository with a long life: ten thousand versions, thousands of events, made in seconds by `git fast-import`.

Branch ``dev`` has a commit and an annotated tag for each version; ``staging`` and ``prod`` and the journal look as git
kit writes them. Digests are made up, since no kit is built: whatever builds one does not fit here.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gitkit.core.config import parse_config
from gitkit.core.digest import digest_of
from gitkit.core.journal import Actor, Event, Point
from tests.lib.configs import ENVIRONMENTS as CONFIG
from tests.lib.repos import Repo, init

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
ADA = Actor("Ada Tester", "ada@example.com")
START = 1_700_000_000
_POLICIES = {name: parse_config(CONFIG.encode()).policy_of(name) for name in ("staging", "prod")}


def pointer(seed: int) -> bytes:
    """A pointer to content that nobody has."""
    return f"version git-kit/1\noid {digest_of(str(seed).encode())}\nsize {1000 + seed}\n".encode()


def digest(version: str) -> str:
    """The made-up digest of a version's kit."""
    return digest_of(version.encode())


@dataclass
class Life:
    """What `git fast-import` is to read. ``versions`` come first, then events: each releases or moves a version."""

    lines: list[bytes] = field(default_factory=list)
    commits: dict[str, str] = field(default_factory=dict)
    last: Event | None = None
    journal: str | None = None
    tips: dict[str, str] = field(default_factory=dict)
    running: dict[str, Point] = field(default_factory=dict)
    trees: dict[str, str] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    time: int = START

    def commit(self, branch: str, tree: str, parents: list[str], message: str, files: bytes) -> str:
        """A commit on ``branch``; returns its oid, which Git computes in the same way."""
        who = f"{ADA.name} <{ADA.email}> {self.time} +0000"
        text = message.encode()
        head = f"tree {tree}\n" + "".join(f"parent {parent}\n" for parent in parents)
        body = f"{head}author {who}\ncommitter {who}\n\n".encode() + text
        self.lines += [
            f"commit refs/heads/{branch}\nmark :{len(self.marks) + 1}\n".encode(),
            f"author {who}\ncommitter {who}\ndata {len(text)}\n".encode() + text + b"\n",
            *(f"{'merge' if number else 'from'} :{self.marks[oid]}\n".encode() for number, oid in enumerate(parents)),
            files + b"\n",
        ]
        oid = hashlib.sha1(b"commit %d\0" % len(body) + body, usedforsecurity=False).hexdigest()
        self.marks[oid] = len(self.marks) + 1
        return oid

    def version(self, name: str, seed: int, parent: str | None) -> str:
        """The next version on ``dev``: a new model, the same data."""
        files = {
            ".gitkit.toml": CONFIG.encode(),
            "Kitfile": KITFILE,
            "data.csv": pointer(0),
            "model.bin": pointer(seed),
        }
        blobs = b"".join(
            b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data) for path, data in files.items()
        )
        oid = self.commit("dev", _tree(files), [parent] if parent else [], f"{name}\n", blobs)
        who = f"{ADA.name} <{ADA.email}> {self.time} +0000"
        self.lines.append(f"tag {name}\nfrom :{self.marks[oid]}\ntagger {who}\ndata {len(name)}\n{name}\n".encode())
        self.commits[name], self.trees[oid] = oid, _tree(files)
        return oid

    def event(self, kind: str, version: str, environment: str | None = None) -> None:
        """One event, and what it does to the environment's branch."""
        point = Point(version, digest(version), self.commits[version])
        moves = kind in ("promote", "rollback")
        event = Event(
            kind=kind,
            time=self.time * 1_000_000 + 1,
            actor=ADA,
            environment=environment,
            before=self.running.get(environment or "") if moves else None,
            after=point,
            tip=self.tips.get(environment or ""),
            policy=_POLICIES.get(environment or ""),
            policy_commit=self.tips.get(environment or ""),
            gates=({"gate": "from", "outcome": "passed", "reason": "ran in dev"},) if kind == "promote" else (),
        ).chained(self.last)
        parents = [self.journal] if self.journal else []
        self.journal = self.commit("kit/journal", EMPTY_TREE, parents, event.text(), b"")
        self.last = event
        if moves and environment is not None:
            self._move(event, environment, point)

    def _move(self, event: Event, environment: str, point: Point) -> None:
        tip = self.tips.get(environment)
        message = (
            f"{environment}: {event.kind} {point.version}\n\nKit-Env: {environment}\nKit-Version: {point.version}\n"
            f"Kit-Digest: {point.digest}\nKit-Event: {event.kind}\nKit-Journal: {self.journal}\n"
        )
        files = f"M 040000 {self.trees[point.commit]} \n".encode()
        parents = [tip, point.commit] if tip else [point.commit]
        self.tips[environment] = self.commit(environment, self.trees[point.commit], parents, message, files)
        self.running[environment] = point


KITFILE = b"model: {path: model.bin}\ndatasets: [{name: eval, path: data.csv}]\n"


def _tree(files: dict[str, bytes]) -> str:
    body = b""
    for path, data in sorted(files.items()):
        oid = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).digest()
        body += b"100644 %s\0" % path.encode() + oid
    return hashlib.sha1(b"tree %d\0" % len(body) + body, usedforsecurity=False).hexdigest()


def names(count: int) -> Iterator[str]:
    """``v0.0.0``, ``v0.0.1``, ..."""
    return (f"v{number // 100}.{number % 100}.0" for number in range(count))


def make(folder: Path, environ: dict[str, str], *, tags: int, events: int) -> Repo:
    """``folder/bare.git``, ``folder/registry`` (an image layout that knows the tags) and the clone ``folder/clone``."""
    life = Life()
    parent = None
    for number, name in enumerate(names(tags)):
        parent = life.version(name, number + 1, parent)
        life.time += 60
    versions = list(life.commits)
    for number in range(events):
        version = versions[tags - 1 - (events - 1 - number) // 4]
        kind, where = [("release", None), ("approve", "prod"), ("promote", "staging"), ("promote", "prod")][number % 4]
        life.event(kind, version, where)
        life.time += 60
    bare = init(folder / "bare.git", environ, "--bare")
    bare.git("fast-import", "--quiet", stdin=b"".join(life.lines))
    assert bare.out("rev-parse", "kit/journal") == life.journal
    bare.git("symbolic-ref", "HEAD", "refs/heads/dev")
    bare.git("pack-refs", "--all")
    clone = bare.clone(folder / "clone")
    clone.git("config", "kit.url", f"oci-layout:{folder / 'registry'}")
    _registry(folder / "registry", {**{name: digest(name) for name in versions}, **_tags(life)})
    return clone


def _tags(life: Life) -> dict[str, str]:
    return {"dev": digest(list(life.commits)[-1]), **{name: point.digest for name, point in life.running.items()}}


def _registry(folder: Path, tags: dict[str, str]) -> None:
    folder.mkdir()
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    entries = [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest_,
            "size": 1000,
            "annotations": {"org.opencontainers.image.ref.name": tag},
        }
        for tag, digest_ in tags.items()
    ]
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
    (folder / "index.json").write_text(json.dumps(index, separators=(",", ":")))
