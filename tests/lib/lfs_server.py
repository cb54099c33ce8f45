"""A Git LFS server in memory (git-lfs ``docs/api``), which the real git-lfs can push to, too, and which can be told to
fail: its faults are those of ``tests.lib.registries``.

Objects are given by this server or, with ``store_url``, by another one that holds the same ``objects``.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.lib.registries import FaultRegistry
from tests.lib.registry_server import Answer, Call

PATH = "/acme/llm.git/info/lfs"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_TYPE = {"Content-Type": "application/vnd.git-lfs+json"}


@dataclass
class MemoryLfs:
    """``objects`` by oid. ``login`` is what a Basic login must be; ``action`` is added to each action.

    ``wanted`` are headers that a request for an object must bring, as a store that hands out signed URLs wants them.
    ``refusals`` are errors of single objects, by oid. ``batches`` holds every batch request.
    """

    url: str
    objects: dict[str, bytes] = field(default_factory=dict)
    login: tuple[str, str] | None = None
    store_url: str | None = None
    store_is_open: bool = False
    action: dict[str, Any] = field(default_factory=dict)
    wanted: dict[str, str] = field(default_factory=dict)
    refusals: dict[str, dict[str, Any]] = field(default_factory=dict)
    entry: dict[str, Any] = field(default_factory=dict)
    batches: list[dict[str, Any]] = field(default_factory=list)
    max_objects: int = 1000

    def answer(self, call: Call) -> Answer:
        path = call.path.partition("?")[0]
        store = path.startswith("/store/")
        if not (store and self.store_is_open) and not self._is_known(call.headers):
            headers = {**_TYPE, "LFS-Authenticate": 'Basic realm="lfs"'}
            return _problem(401, "credentials needed", headers)
        if store:
            return self._object(call, path.rpartition("/")[2])
        if call.method == "POST" and path == f"{PATH}/objects/batch":
            return self._batch(json.loads(call.body))
        return _problem(404, "there is nothing here")

    def _is_known(self, headers: Mapping[str, str]) -> bool:
        if self.login is None:
            return True
        wanted = base64.b64encode(":".join(self.login).encode()).decode()
        return headers.get("Authorization") == f"Basic {wanted}"

    def _batch(self, request: dict[str, Any]) -> Answer:
        if len(request["objects"]) > self.max_objects:
            return _problem(413, "too many objects")
        self.batches.append(request)
        entries = [self._entry(request["operation"], wanted) for wanted in request["objects"]]
        return Answer(status=200, headers=dict(_TYPE), body=json.dumps({"objects": entries}).encode())

    def _entry(self, operation: str, wanted: dict[str, Any]) -> dict[str, Any]:
        oid, entry = wanted["oid"], {"oid": wanted["oid"], "size": wanted["size"], **self.entry}
        if oid in self.refusals:
            return {**entry, "error": self.refusals[oid]}
        if operation == "download" and oid not in self.objects:
            return {**entry, "error": {"code": 404, "message": "no such object"}}
        if operation == "upload" and oid in self.objects:
            return entry
        action = {"href": f"{self.store_url or self.url}/store/{oid}", **self.action}
        return {**entry, "actions": {operation: action}}

    def _object(self, call: Call, oid: str) -> Answer:
        if any(call.headers.get(name) != value for name, value in self.wanted.items()):
            return _problem(403, "the signature is missing")
        if call.method == "PUT":
            if hashlib.sha256(call.body).hexdigest() != oid:
                return _problem(422, "other content")
            self.objects[oid] = call.body
            return Answer(status=200)
        if oid not in self.objects:
            return _problem(404, "no such object")
        data = self.objects[oid]
        found = _RANGE.fullmatch(call.headers.get("Range") or "")
        if found is None:
            return Answer(status=200, body=data)
        start, end = int(found[1]), int(found[2] or len(data) - 1)
        if start >= len(data):
            return Answer(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        part = data[start : end + 1]
        return Answer(
            status=206, headers={"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(data)}"}, body=part
        )


class LfsServer(FaultRegistry):
    """``MemoryLfs`` on a loopback port. ``lfs_url`` is that of its API, ``git_url`` what a Git remote would say."""

    def __init__(self, *, tls: tuple[str, str] | None = None) -> None:
        super().__init__(tls=tls)
        self.lfs = MemoryLfs(self.url)
        self.registry = self.lfs  # type: ignore[assignment]
        self.lfs_url = self.url + PATH
        self.git_url = self.lfs_url.removesuffix("/info/lfs")

    def add_object(self, data: bytes) -> str:
        """Put content on the server; returns its digest."""
        oid = hashlib.sha256(data).hexdigest()
        self.lfs.objects[oid] = data
        return f"sha256:{oid}"


def pointer_to(data: bytes) -> bytes:
    """The Git LFS pointer to ``data``."""
    oid = hashlib.sha256(data).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n".encode()


def _problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=dict(headers or _TYPE), body=json.dumps({"message": message}).encode())
