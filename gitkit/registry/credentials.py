"""Stored registry logins, shared with docker, oras, skopeo and podman.

Reads ``$DOCKER_CONFIG/config.json`` (else ``~/.docker/config.json``), then ``$XDG_RUNTIME_DIR/containers/auth.json``;
in each ``credHelpers[host]``, then ``credsStore``, then ``auths[host]``. Writes the first file only. The environment is
passed in. Formats: docker/cli ``cli/config/types/authconfig.go``, containers-auth.json(5).
"""

import base64
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gitkit.core.oci import parse_document
from gitkit.errors import InvalidFile, KitError
from gitkit.registry import credential_helpers
from gitkit.registry.address import is_docker_hub

_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_IDENTITY_USER = "<token>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A login: user name and password, or an identity (OAuth2 refresh) token, or a registry (bearer) token."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)


class CredentialSource(Protocol):
    """Where a registry client looks for a login."""

    def find(self, host: str) -> Credential | None:
        """The login for ``host`` (``name[:port]``), or None."""
        ...


@dataclass(frozen=True, slots=True)
class Given:
    """One login, whatever the host: what a person has just typed."""

    credential: Credential

    def find(self, host: str) -> Credential | None:
        return self.credential


class DockerCredentials:
    """The logins that docker's configuration holds, read anew at each call.

    ``environ`` gives HOME, DOCKER_CONFIG, XDG_RUNTIME_DIR and PATH, and is what helpers run with.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def find(self, host: str) -> Credential | None:
        """The login for ``host``, or None.

        Raises:
            InvalidFile: a configuration file is malformed.
            Denied: a helper fails.
        """
        found = (self._find_in(_Config.read(path), host) for path in self._readable_paths())
        return next((credential for credential in found if credential is not None), None)

    def store(self, host: str, username: str, password: str) -> str:
        """Keep a login; returns where: the helper's or the file's name. Other entries stay as they are.

        Raises:
            InvalidFile, Denied: as for ``find``.
        """
        config = _Config.read(self._path())
        server = _server(host)
        helper = config.helper(host)
        if helper is not None:
            credential_helpers.store(helper, server, username, password, self._environ)
            config.put_auth(host, {})
            place = f"docker-credential-{helper}"
        else:
            secret = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
            config.put_auth(host, {"auth": secret})
            place = config.path
        config.write()
        return place

    def erase(self, host: str) -> bool:
        """Forget the login for ``host``; whether there was one.

        Raises:
            InvalidFile, Denied: as for ``find``.
        """
        config = _Config.read(self._path())
        helper = config.helper(host)
        erased = helper is not None and credential_helpers.erase(helper, _server(host), self._environ)
        if config.drop_auth(host):
            config.write()
            return True
        return erased

    def _find_in(self, config: "_Config", host: str) -> Credential | None:
        helper = config.helper(host)
        if helper is not None:
            held = credential_helpers.get(helper, _server(host), self._environ)
            if held is not None:
                return _credential(*held)
        return config.credential(host)

    def _path(self) -> str:
        folder = self._environ.get("DOCKER_CONFIG")
        if not folder and self._environ.get("HOME"):
            folder = os.path.join(self._environ["HOME"], ".docker")
        if not folder:
            raise InvalidFile("there is no place for logins", hint="set HOME or DOCKER_CONFIG")
        return os.path.join(folder, "config.json")

    def _readable_paths(self) -> Iterator[str]:
        if self._environ.get("DOCKER_CONFIG") or self._environ.get("HOME"):
            yield self._path()
        if runtime := self._environ.get("XDG_RUNTIME_DIR"):
            yield os.path.join(runtime, "containers", "auth.json")


class _Config:
    """One configuration file. Keys that git kit does not know survive a read and a write."""

    def __init__(self, path: str, document: dict[str, Any]) -> None:
        self.path = path
        self._document = document

    @classmethod
    def read(cls, path: str) -> "_Config":
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return cls(path, {})
        except OSError as error:
            raise InvalidFile(f"{path} cannot be read: {error.strerror}") from error
        return cls(path, parse_document(data, path) if data.strip() else {})

    def helper(self, host: str) -> str | None:
        """The helper in charge of ``host``."""
        by_host = self._table("credHelpers")
        name = next((by_host[key] for key in _keys(by_host, host)), None) or self._document.get("credsStore")
        if name is not None and not isinstance(name, str):
            raise InvalidFile(f"{self.path}: credHelpers and credsStore must hold names")
        return name or None

    def credential(self, host: str) -> Credential | None:
        """The login that the file itself holds for ``host``."""
        auths = self._table("auths")
        for key in _keys(auths, host):
            entry = auths[key]
            if not isinstance(entry, dict) or not all(isinstance(entry.get(name, ""), str) for name in _AUTH_FIELDS):
                raise InvalidFile(f"{self.path}: auths[{key!r}] is not a login")
            credential = self._entry(key, entry)
            if credential is not None:
                return credential
        return None

    def _entry(self, key: str, entry: dict[str, str]) -> Credential | None:
        user, password = entry.get("username", ""), entry.get("password", "")
        if entry.get("auth"):
            user, password = self._decoded(key, entry["auth"])
        identity, registry = entry.get("identitytoken", ""), entry.get("registrytoken", "")
        if identity or registry:
            return Credential(username=user, identity_token=identity, registry_token=registry)
        return _credential(user, password) if password else None

    def _decoded(self, key: str, text: str) -> tuple[str, str]:
        try:
            user, colon, password = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
        except ValueError:
            raise InvalidFile(f"{self.path}: auths[{key!r}].auth is not base64 text") from None  # the cause quotes it
        if not colon:
            raise InvalidFile(f"{self.path}: auths[{key!r}].auth is not user:password")
        return user, password.strip("\0")

    def put_auth(self, host: str, entry: dict[str, str]) -> None:
        self.drop_auth(host)
        self._document["auths"] = {**self._table("auths"), _server(host): entry}

    def drop_auth(self, host: str) -> bool:
        """Forget every spelling of ``host``."""
        auths = self._table("auths")
        names = list(_keys(auths, host))
        for name in names:
            del auths[name]
        return bool(names)

    def write(self) -> None:
        """Replace the file in one step, readable for its owner only.

        Raises:
            KitError: the folder cannot be written.
        """
        path = os.path.realpath(self.path)  # a link into a folder of dotfiles stays a link
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            _replace(path, json.dumps(self._document, indent="\t", ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            raise KitError(f"{self.path} cannot be written: {error.strerror}") from error

    def _table(self, name: str) -> dict[str, Any]:
        value = self._document.get(name) or {}
        if not isinstance(value, dict):
            raise InvalidFile(f"{self.path}: {name} must be an object")
        return value


_AUTH_FIELDS = ("auth", "username", "password", "identitytoken", "registrytoken")


def _credential(user: str, secret: str) -> Credential:
    if user == _IDENTITY_USER:
        return Credential(identity_token=secret)
    return Credential(username=user, password=secret)


def _server(host: str) -> str:
    """The key that docker uses for ``host``, in its files and for helpers."""
    return _DOCKER_HUB_KEY if is_docker_hub(host) else host


def _keys(table: Mapping[str, object], host: str) -> Iterator[str]:
    """The keys of ``table`` that mean ``host``, docker's own spelling first."""
    server = _server(host)
    if server in table:
        yield server
    yield from (key for key in table if key != server and _means(key, host))


def _means(key: str, host: str) -> bool:
    """Whether ``key`` is another spelling of ``host``: with a scheme, or with the API's version as its path."""
    name, _, path = key.removeprefix("https://").removeprefix("http://").partition("/")
    if path.strip("/") not in ("", "v1", "v2"):
        return False
    return name == host or (is_docker_hub(name) and is_docker_hub(host))


def _replace(path: str, data: bytes) -> None:
    handle, beside = tempfile.mkstemp(prefix=".config-", dir=os.path.dirname(path))  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
