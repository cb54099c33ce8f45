"""An OCI registry in memory: what ``FaultRegistry`` answers while no fault is in the way.

Distribution specification 1.1 (blobs with ranges, POST/PUT/PATCH uploads, mount, manifests, tags, deletion; referrers
answer 404), and the token protocol of the distribution project. As strict as docker-registry 2.8 where that matters to
clients: an upload's Location works once, a manifest is only given to who accepts its type, DELETE wants a digest.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs, urlsplit

_ROUTE = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>blobs/uploads|blobs|manifests|tags|referrers)/(?P<reference>[^/]*)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_SERVICE = "registry, for tests"
"""With a comma and a space, which a client may only find inside of quotes."""


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request as it arrived. ``headers`` ignore case; ``path`` includes the query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    port: int = 0
    """The client's: the same for the requests of one connection."""

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)

    def first(self, name: str) -> str | None:
        return next(iter(self.query.get(name, [])), None)


@dataclass(kw_only=True)
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Contents:
    """What one repository holds."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)


@dataclass(kw_only=True)
class Access:
    """Who may do what. With ``bearer`` everything needs a token; ``anonymous_pull`` gives everybody one to read."""

    mode: Literal["anonymous", "basic", "bearer"] = "anonymous"
    username: str = "alice"
    password: str = "s3cret"
    identity_token: str | None = None
    anonymous_pull: bool = False
    expires_in: int | None = 300
    """What the token server announces; tokens really end by ``MemoryRegistry.expire_tokens``."""
    realm: str | None = None
    """The token server's URL, if it is not this registry's own ``/token``."""


def error(status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    body = json.dumps({"errors": [{"code": code, "message": message or code.lower(), "detail": None}]}).encode()
    return Answer(status=status, headers={"Content-Type": "application/json", **(headers or {})}, body=body)


class MemoryRegistry:
    """Answers calls. One lock: slow, simple, and safe between the server's threads."""

    def __init__(self, base_url: str, access: Access) -> None:
        self.base_url = base_url
        self.access = access
        self.repositories: dict[str, Contents] = {}
        self.absolute_locations = False
        self.page_size = 1000
        self.tokens_issued = 0
        self._tokens: dict[str, frozenset[str]] = {}
        self._uploads_started = 0
        self._lock = threading.RLock()

    def repository(self, name: str) -> Contents:
        return self.repositories.setdefault(name, Contents())

    def expire_tokens(self) -> None:
        """From now on every token given out so far is refused."""
        self._tokens.clear()

    def answer(self, call: Call) -> Answer:
        with self._lock:
            path = urlsplit(call.path).path
            if path == "/token":
                return self._token(call)
            route = _ROUTE.fullmatch(path)
            refusal = self._refusal(call, route["name"] if route else "")
            if refusal is not None:
                return refusal
            if path == "/v2/":
                return Answer(status=200, headers={"Content-Type": "application/json"}, body=b"{}")
            if route is None:
                return error(404, "UNSUPPORTED")
            return self._route(call, route["name"], route["kind"], route["reference"])

    def _route(self, call: Call, name: str, kind: str, reference: str) -> Answer:
        method = "GET" if call.method == "HEAD" else call.method
        handlers = {
            ("GET", "blobs"): self._get_blob,
            ("DELETE", "blobs"): self._delete_blob,
            ("POST", "blobs/uploads"): self._start_upload,
            ("GET", "blobs/uploads"): self._upload_status,
            ("PATCH", "blobs/uploads"): self._append_upload,
            ("PUT", "blobs/uploads"): self._finish_upload,
            ("DELETE", "blobs/uploads"): self._cancel_upload,
            ("GET", "manifests"): self._get_manifest,
            ("PUT", "manifests"): self._put_manifest,
            ("DELETE", "manifests"): self._delete_manifest,
            ("GET", "tags"): self._list_tags,
        }
        handler = handlers.get((method, kind))
        return handler(call, name, reference) if handler else error(404, "UNSUPPORTED")

    # -- blobs -----------------------------------------------------------------------------------------------------

    def _get_blob(self, call: Call, name: str, digest: str) -> Answer:
        data = self.repository(name).blobs.get(digest)
        if data is None:
            return error(404, "BLOB_UNKNOWN")
        headers = {
            "Content-Type": "application/octet-stream",
            "Docker-Content-Digest": digest,
            "Accept-Ranges": "bytes",
        }
        wanted = _RANGE.fullmatch(call.headers.get("Range") or "")
        if wanted is None:
            return Answer(status=200, headers=headers, body=data)
        start, end = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
        if start >= len(data):
            return Answer(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
        return Answer(status=206, headers=headers, body=data[start : end + 1])

    def _delete_blob(self, call: Call, name: str, digest: str) -> Answer:
        found = self.repository(name).blobs.pop(digest, None)
        return error(404, "BLOB_UNKNOWN") if found is None else Answer(status=202)

    # -- uploads ---------------------------------------------------------------------------------------------------

    def _start_upload(self, call: Call, name: str, reference: str) -> Answer:
        mount, source = call.first("mount"), call.first("from")
        if mount and source and mount in self.repository(source).blobs:
            self.repository(name).blobs[mount] = self.repository(source).blobs[mount]
            return self._stored(name, mount)
        self._uploads_started += 1
        upload = f"upload-{self._uploads_started}"
        self.repository(name).uploads[upload] = bytearray()
        return self._session(202, name, upload)

    def _session(self, status: int, name: str, upload: str) -> Answer:
        """Where to go on: a Location that is only good for the present state of the upload."""
        size = len(self.repository(name).uploads[upload])
        base = self.base_url if self.absolute_locations else ""
        location = f"{base}/v2/{name}/blobs/uploads/{upload}?_state={size}"
        return Answer(status=status, headers={"Location": location, "Range": f"0-{max(size - 1, 0)}"})

    def _stored(self, name: str, digest: str) -> Answer:
        return Answer(status=201, headers={"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest})

    def _lost(self, call: Call, name: str, upload: str) -> Answer | None:
        """The refusal of a Location that is unknown or stale."""
        data = self.repository(name).uploads.get(upload)
        if data is None:
            return error(404, "BLOB_UPLOAD_UNKNOWN")
        return error(404, "BLOB_UPLOAD_INVALID") if call.first("_state") != str(len(data)) else None

    def _upload_status(self, call: Call, name: str, upload: str) -> Answer:
        return self._lost(call, name, upload) or self._session(204, name, upload)

    def _append_upload(self, call: Call, name: str, upload: str) -> Answer:
        lost = self._lost(call, name, upload)
        if lost is not None:
            return lost
        self.repository(name).uploads[upload] += call.body
        return self._session(202, name, upload)

    def _finish_upload(self, call: Call, name: str, upload: str) -> Answer:
        lost = self._lost(call, name, upload)
        if lost is not None:
            return lost
        if call.headers.get("Content-Type", "application/octet-stream") != "application/octet-stream":
            return error(400, "DIGEST_INVALID", "the body was parsed as a form")
        data = bytes(self.repository(name).uploads.pop(upload) + call.body)
        if call.first("digest") != digest_of(data):
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.repository(name).blobs[digest_of(data)] = data
        return self._stored(name, digest_of(data))

    def _cancel_upload(self, call: Call, name: str, upload: str) -> Answer:
        found = self.repository(name).uploads.pop(upload, None)
        return error(404, "BLOB_UPLOAD_UNKNOWN") if found is None else Answer(status=204)

    # -- manifests -------------------------------------------------------------------------------------------------

    def _get_manifest(self, call: Call, name: str, reference: str) -> Answer:
        contents = self.repository(name)
        digest = contents.tags.get(reference, reference)
        if digest not in contents.manifests:
            return error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media_type, data = contents.manifests[digest]
        if media_type not in (call.headers.get("Accept") or ""):
            return error(404, "MANIFEST_UNKNOWN", "manifest found, but accept header does not support its type")
        return Answer(status=200, headers={"Content-Type": media_type, "Docker-Content-Digest": digest}, body=data)

    def _put_manifest(self, call: Call, name: str, reference: str) -> Answer:
        contents, digest = self.repository(name), digest_of(call.body)
        if len(call.body) > 4 * 1024 * 1024:
            return error(413, "MANIFEST_INVALID", "manifest too large")
        try:
            missing = self._missing(contents, json.loads(call.body))
        except (ValueError, LookupError, TypeError, AttributeError):
            return error(400, "MANIFEST_INVALID")
        if missing:
            return error(400, "MANIFEST_BLOB_UNKNOWN", f"blob unknown to registry: {missing[0]}")
        if reference.startswith("sha256:") and reference != digest:
            return error(400, "DIGEST_INVALID")
        contents.manifests[digest] = (call.headers.get("Content-Type", ""), call.body)
        if not reference.startswith("sha256:"):
            contents.tags[reference] = digest
        return Answer(
            status=201, headers={"Location": f"/v2/{name}/manifests/{digest}", "Docker-Content-Digest": digest}
        )

    def _missing(self, contents: Contents, document: Mapping[str, object]) -> list[str]:
        if "manifests" in document:
            return [entry["digest"] for entry in document["manifests"] if entry["digest"] not in contents.manifests]
        named = [document["config"], *document["layers"]]
        return [entry["digest"] for entry in named if entry["digest"] not in contents.blobs]

    def _delete_manifest(self, call: Call, name: str, reference: str) -> Answer:
        contents = self.repository(name)
        if not reference.startswith("sha256:"):
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        if contents.manifests.pop(reference, None) is None:
            return error(404, "MANIFEST_UNKNOWN")
        contents.tags = {tag: digest for tag, digest in contents.tags.items() if digest != reference}
        return Answer(status=202)

    def _list_tags(self, call: Call, name: str, reference: str) -> Answer:
        if name not in self.repositories:
            return error(404, "NAME_UNKNOWN", "repository name not known to registry")
        last, count = call.first("last") or "", min(int(call.first("n") or self.page_size), self.page_size)
        names = sorted(tag for tag in self.repository(name).tags if tag > last)
        headers = {"Content-Type": "application/json"}
        if len(names) > count:
            headers["Link"] = f'</v2/{name}/tags/list?n={count}&last={names[count - 1]}>; rel="next"'
        return Answer(status=200, headers=headers, body=json.dumps({"name": name, "tags": names[:count]}).encode())

    # -- access ----------------------------------------------------------------------------------------------------

    def _refusal(self, call: Call, name: str) -> Answer | None:
        if self.access.mode == "anonymous":
            return None
        given = call.headers.get("Authorization") or ""
        if self.access.mode == "basic":
            challenge = 'Basic realm="tests, and only tests"'
            return None if self._is_user(given) else error(401, "UNAUTHORIZED", "", {"WWW-Authenticate": challenge})
        needed = self._needed(call, name)
        held = self._tokens.get(given.removeprefix("Bearer "))
        if held is not None and needed <= held:
            return None
        return error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": self._challenge(needed)})

    def _needed(self, call: Call, name: str) -> frozenset[str]:
        if not name:
            return frozenset()
        actions = ("pull",) if call.method in ("GET", "HEAD") else ("pull", "push")
        needed = {f"repository:{name}:{action}" for action in actions}
        if call.first("mount") and call.first("from"):
            needed.add(f"repository:{call.first('from')}:pull")
        return frozenset(needed)

    def _challenge(self, needed: frozenset[str]) -> str:
        realm = self.access.realm or f"{self.base_url}/token"
        actions = ",".join(sorted(scope.rpartition(":")[2] for scope in needed))
        scope = f',scope="{next(iter(needed)).rpartition(":")[0]}:{actions}"' if needed else ""
        return f'Bearer realm="{realm}",service="{_SERVICE}"{scope}'

    def _is_user(self, authorization: str) -> bool:
        expected = base64.b64encode(f"{self.access.username}:{self.access.password}".encode()).decode()
        return authorization == f"Basic {expected}"

    def _token(self, call: Call) -> Answer:
        """GET with Basic or nobody, or POST with the identity token (auth/token.md, auth/oauth.md)."""
        form = parse_qs(call.body.decode()) if call.method == "POST" else call.query
        if form.get("service") != [_SERVICE]:
            return error(400, "UNSUPPORTED", "wrong service")
        given = call.headers.get("Authorization")
        if call.method == "POST":
            known = form.get("refresh_token") == [self.access.identity_token]
        else:
            known = given is not None and self._is_user(given)
        if not known and (given is not None or call.method == "POST" or not self.access.anonymous_pull):
            return error(401, "UNAUTHORIZED", "incorrect username or password")
        scopes = [scope for text in form.get("scope", []) for scope in text.split(" ")]
        key = "access_token" if call.method == "POST" else "token"
        return self._issue(frozenset(_granted(scopes, push=known)), key)

    def _issue(self, scopes: frozenset[str], key: str) -> Answer:
        self.tokens_issued += 1
        token = f"token-{self.tokens_issued}"
        self._tokens[token] = scopes
        document: dict[str, object] = {key: token}
        if self.access.expires_in is not None:
            document["expires_in"] = self.access.expires_in
        return Answer(status=200, headers={"Content-Type": "application/json"}, body=json.dumps(document).encode())


def _granted(scopes: list[str], *, push: bool) -> list[str]:
    split = [scope.rpartition(":") for scope in scopes]
    asked = [(name, action) for name, _, actions in split for action in actions.split(",")]
    return [f"{name}:{action}" for name, action in asked if push or action == "pull"]
