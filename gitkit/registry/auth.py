"""Who we are to one registry host: anonymous, Basic or Bearer.

Follows the distribution project's token specification (auth/token.md, auth/oauth.md) and RFC 9110 section 11.
Credentials go to the registry itself or to the token server ("realm") that it names, and to that one over TLS unless
the registry itself is reached over plain HTTP. Safe to share between threads.
"""

import base64
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from gitkit.core.oci import parse_document
from gitkit.errors import Denied, InvalidFile, NetworkError
from gitkit.registry.address import is_loopback, origin, redacted
from gitkit.registry.credentials import Credential
from gitkit.registry.messages import Reply, Request
from gitkit.registry.problems import problem

DEFAULT_LIFETIME_S = 60.0
CLIENT_ID = "git-kit"
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"[\s,]*({_WORD})(?=\s|,|$)")
_PARAMETER = re.compile(rf'[\s,]*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')

Exchange = Callable[[Request], Reply]
"""Sends a request, with retries, and reads its answer up to ``MAX_ERROR_BODY`` bytes or more."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of a ``WWW-Authenticate`` header. Scheme and parameter names are in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> list[Challenge]:
    """The challenges in ``header``, several headers joined by commas; stops at what it cannot read. Never raises."""
    challenges: list[Challenge] = []
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            position = parameter.end()
            name, quoted, bare = parameter.groups()
            parameters[name.lower()] = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        challenges.append(Challenge(scheme[1].lower(), parameters))
    return challenges


@dataclass(frozen=True, slots=True)
class _Token:
    header: str = field(repr=False)
    renew_at: float


class Authenticator:
    """The ``Authorization`` headers for one registry.

    ``base`` is the registry's URL, ``login_host`` its name for people; ``credential`` is asked once, when the registry
    wants to know who we are.
    """

    def __init__(
        self,
        *,
        base: str,
        login_host: str,
        credential: Callable[[], Credential | None],
        exchange: Exchange,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base = base
        self._hint = f"git kit login {login_host}"
        self._login_host = login_host
        self._find = credential
        self._exchange = exchange
        self._clock = clock
        self._lock = threading.Lock()
        self._challenge: Challenge | None = None
        self._credential: Credential | None = None
        self._tokens: dict[frozenset[str], _Token] = {}
        self._asked: dict[frozenset[str], frozenset[str]] = {}

    def authorization(self, scopes: Iterable[str]) -> str | None:
        """The header for a request that needs ``scopes``; None until the registry has asked for one.

        Raises:
            Denied: the token server refuses the credentials.
            NetworkError
        """
        with self._lock:
            return self._header(frozenset(scopes))

    def learn(self, www_authenticate: str, scopes: Iterable[str], *, refused: str | None) -> None:
        """Take in the challenge of a 401 that answered a request with the header ``refused``.

        After this ``authorization`` returns another header, unless another thread has already seen to it.

        Raises:
            Denied: there is nothing better to offer.
        """
        wanted = frozenset(scopes)
        with self._lock:
            challenge = _best(parse_challenges(www_authenticate))
            if challenge is None:
                raise Denied(f"{self._login_host} asks for a kind of login that git kit does not know", hint=self._hint)
            if self._challenge is None:
                self._credential = self._find()
            self._challenge = challenge
            self._asked[wanted] = wanted | frozenset(challenge.parameters.get("scope", "").split())
            self._tokens = {key: token for key, token in self._tokens.items() if token.header != refused}
            if challenge.scheme == "basic" or (self._credential and self._credential.registry_token):
                self._check_fixed(refused, wanted)

    def _check_fixed(self, refused: str | None, scopes: frozenset[str]) -> None:
        header = self._header(scopes)
        if header is None:
            raise Denied(f"{self._login_host} wants a login", hint=self._hint)
        if header == refused:
            raise Denied(f"{self._login_host} does not accept the stored credentials", hint=self._hint)

    def _header(self, scopes: frozenset[str]) -> str | None:
        if self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            return _basic(self._credential) if self._credential and self._credential.password else None
        if self._credential and self._credential.registry_token:
            return f"Bearer {self._printable(self._credential.registry_token)}"
        token = self._tokens.get(scopes)
        if token is None or self._clock() >= token.renew_at:
            token = self._fetch(self._challenge, self._asked.get(scopes, scopes))
            self._tokens[scopes] = token
        return token.header

    def _fetch(self, challenge: Challenge, scopes: frozenset[str]) -> _Token:
        asked_at = self._clock()
        reply = self._ask(challenge, sorted(scopes))
        if reply.status in (400, 401, 403) and self._credential is not None:
            raise Denied(f"{self._login_host} does not accept the stored credentials", hint=self._hint)
        if reply.status != 200:
            raise problem("log in", reply.url, reply.status, reply.body, login_host=self._login_host)
        return self._parse(reply, asked_at)

    def _ask(self, challenge: Challenge, scopes: list[str]) -> Reply:
        realm = self._realm(challenge)
        service = challenge.parameters.get("service", "")
        if self._credential and self._credential.identity_token:
            reply = self._exchange(_refresh_request(realm, service, scopes, self._credential))
            if reply.status not in (404, 405):
                return reply
        query = [("service", service)] if service else []
        query += [("scope", scope) for scope in scopes]
        separator = "&" if "?" in realm else "?"
        url = realm + (separator + urlencode(query, quote_via=quote) if query else "")
        authorization = _basic(self._credential) if self._credential else None
        return self._exchange(Request(method="GET", url=url, doing="log in", authorization=authorization))

    def _realm(self, challenge: Challenge) -> str:
        realm = challenge.parameters["realm"]
        try:
            target, registry = origin(realm), origin(self._base)
        except ValueError as error:
            raise NetworkError(f"{self._login_host} names a token server that is no URL") from error
        # Plain HTTP to this machine is implicit (`oci://localhost`), so it is no consent to send a secret elsewhere so.
        plain_ok = registry.scheme == "http" and (is_loopback(target.host) or not is_loopback(registry.host))
        if target.scheme != "https" and not plain_ok:
            raise Denied(f"{self._login_host} names a token server without TLS: {redacted(realm)}")
        return realm

    def _parse(self, reply: Reply, asked_at: float) -> _Token:
        try:
            document = parse_document(reply.body, "the token server's answer")
        except InvalidFile as error:
            raise NetworkError(f"cannot log in: {error.message}") from error
        text = document.get("token") or document.get("access_token")
        if not isinstance(text, str):
            raise NetworkError(f"cannot log in: {redacted(reply.url)} answered without a token")
        lifetime_s = _lifetime_s(document)
        # Early enough that a request sent now is still accepted, and never later than half of a short life.
        return _Token(f"Bearer {self._printable(text)}", asked_at + lifetime_s - min(10.0, lifetime_s / 2))

    def _printable(self, token: str) -> str:
        # http.client would put the value into its exception.
        if not token.isascii() or not token.isprintable():
            raise NetworkError(f"cannot log in: the token for {self._login_host} is not a header value")
        return token


def _best(challenges: list[Challenge]) -> Challenge | None:
    bearer = [one for one in challenges if one.scheme == "bearer" and one.parameters.get("realm")]
    basic = [one for one in challenges if one.scheme == "basic"]
    return next(iter(bearer + basic), None)


def _basic(credential: Credential) -> str:
    # A registry that knows identity tokens but has no OAuth2 endpoint takes them as the password of this user.
    secret = credential.password or credential.identity_token
    user = credential.username if credential.password else credential.username or "<token>"
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode("ascii")


def _refresh_request(realm: str, service: str, scopes: list[str], credential: Credential) -> Request:
    form = {
        "grant_type": "refresh_token",
        "service": service,
        "client_id": CLIENT_ID,
        "scope": " ".join(scopes),
        "refresh_token": credential.identity_token,
    }
    return Request(
        method="POST",
        url=realm,
        doing="log in",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=urlencode(form).encode("ascii"),
    )


def _lifetime_s(document: Mapping[str, Any]) -> float:
    value = document.get("expires_in")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10**9:
        return DEFAULT_LIFETIME_S
    return float(value)
