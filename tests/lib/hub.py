"""A model hub for tests: the part of the Hugging Face API that an import needs, and the host it keeps large files on.

``Hub`` is two servers on loopback ports, so two origins: ``hub`` answers the API and small files, and redirects to
``store`` for large ones. Both record every request. Nothing here waits by the clock.
"""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

Json = dict[str, Any]
Role = Literal["hub", "store"]

TOKEN = "hf_for_tests"
_API = re.compile(r"/api/(models|datasets)/(?P<name>[^/]+/[^/]+)(/(?P<what>revision|tree)/(?P<revision>[^/]+))?/?")
_FILE = re.compile(r"/(datasets/)?(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_RANGE = re.compile(r"bytes=(\d+)-")


def git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(kw_only=True)
class Seen:
    """A request as it arrived."""

    role: Role
    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(kw_only=True)
class Trouble:
    """What the next ``times`` requests to ``role`` get whose path matches: ``status`` with ``headers``, or the right
    answer, of which only ``cut_after`` bytes are sent before the connection ends."""

    role: Role
    path: str
    times: int = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None


class Hub:
    """A hub with one repository, ``name``. ``large`` are the paths that it keeps by SHA-256 (Git LFS).

    ``token``: who does not send it gets 401. ``tamper`` may change what the list of files says.
    """

    def __init__(self, name: str, files: Mapping[str, bytes], *, large: tuple[str, ...] = ()) -> None:
        self.name = name
        self.files = dict(files)
        self.large = set(large)
        self.commit = hashlib.sha1(repr(sorted(files)).encode(), usedforsecurity=False).hexdigest()
        self.revisions = {"main": self.commit, "v1.0": self.commit, self.commit: self.commit}
        self.license: str | None = "apache-2.0"
        self.token: str | None = None
        self.page_size = 1000
        self.tamper: Callable[[Json], Json] = lambda entry: entry
        self.stored = {sha256(data): data for path, data in self.files.items() if path in self.large}
        self.seen: list[Seen] = []
        self._troubles: list[Trouble] = []
        self._lock = threading.Lock()
        self._servers = {role: self._server(role) for role in ("hub", "store")}
        self.url = f"http://127.0.0.1:{self._servers['hub'].server_port}"
        self.store_url = f"http://127.0.0.1:{self._servers['store'].server_port}"

    def _server(self, role: str) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self, "role": role}))
        server.daemon_threads = True
        return server

    def __enter__(self) -> Self:
        self._threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            for server in self._servers.values()
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for server in self._servers.values():
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def add(self, trouble: Trouble) -> None:
        self._troubles.append(trouble)

    def requests(self, role: Role, path: str = "") -> list[Seen]:
        """The requests so far to ``role`` whose path matches the expression ``path``."""
        with self._lock:
            return [seen for seen in self.seen if seen.role == role and re.search(path, seen.path)]

    def arrive(self, seen: Seen) -> Trouble | None:
        """Record a request; the trouble that it meets."""
        with self._lock:
            self.seen.append(seen)
            for trouble in self._troubles:
                if trouble.times > 0 and trouble.role == seen.role and re.search(trouble.path, seen.path):
                    trouble.times -= 1
                    return trouble
        return None

    # -- answers: status, headers, body ----------------------------------------------------------------------------

    def answer(self, seen: Seen) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(seen.path)
        if seen.role == "store":
            return self._blob(parts.path.rpartition("/")[2], seen.headers)
        if self.token is not None and seen.headers.get("authorization") != f"Bearer {self.token}":
            return 401, {"X-Error-Message": "Invalid username or password."}, b""
        api, file = _API.fullmatch(parts.path), _FILE.fullmatch(parts.path)
        found = api or file
        if found is None or found["name"] != self.name:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        commit = self.revisions.get(unquote(found["revision"] or "main"))
        if commit is None:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        if api is not None:
            return self._tree(parse_qs(parts.query)) if api["what"] == "tree" else self._info(commit)
        return self._resolve(unquote(found["path"]), seen.headers)

    def _info(self, commit: str) -> tuple[int, dict[str, str], bytes]:
        card = {"license": self.license} if self.license else {}
        return _json({"id": self.name, "sha": commit, "siblings": [], "cardData": card, "tags": []})

    def _tree(self, query: Mapping[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        entries = [self.tamper(self._entry(path)) for path in self.files]
        folders = sorted({path.rpartition("/")[0] for path in self.files} - {""})
        entries += [{"type": "directory", "oid": "0" * 40, "size": 0, "path": path} for path in folders]
        start = int(query.get("cursor", ["0"])[0])
        status, headers, body = _json(entries[start : start + self.page_size])
        if start + self.page_size < len(entries):
            following = f"{self.url}/api/models/{self.name}/tree/{self.commit}?recursive=true&cursor="
            headers["Link"] = f'<{following}{start + self.page_size}>; rel="next"'
        return status, headers, body

    def _entry(self, path: str) -> Json:
        data = self.files[path]
        entry: Json = {"type": "file", "oid": git_oid(data), "size": len(data), "path": path}
        if path in self.large:
            entry["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 130}
        return entry

    def _resolve(self, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        if path not in self.files:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        if path in self.large:
            return 302, {"Location": f"{self.store_url}/{quote(path)}/{sha256(self.files[path])}"}, b""
        return _part(self.files[path], headers)

    def _blob(self, name: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        return _part(self.stored[name], headers) if name in self.stored else (404, {}, b"")


def _json(value: object) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _part(data: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
    wanted = _RANGE.fullmatch(headers.get("range", ""))
    if wanted is None:
        return 200, {}, data
    start = int(wanted[1])
    return 206, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}, data[start:]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: Hub
    role: Role

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(role=self.role, method=self.command, path=self.path, headers=headers)
        trouble = self.hub.arrive(seen)
        if trouble is not None and trouble.status is not None:
            status, extra, body = trouble.status, dict(trouble.headers), b""
        else:
            status, extra, body = self.hub.answer(seen)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = trouble.cut_after if trouble is not None else None
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.close_connection = True

    do_GET = do_HEAD = _serve

    def log_message(self, format: str, *args: Any) -> None:
        pass
