"""Who we are to one Git LFS server: nobody, until it asks; then what Git's credential helpers say."""

import base64
import threading
from urllib.parse import urlsplit

from gitkit.core.login import Login, Logins
from gitkit.errors import Denied

_TRIES = 3
"""As many logins are offered: a helper may hold an old one, and a person may mistype."""


class LfsLogin:
    """The ``Authorization`` header for the server at ``url``. Safe to share between threads.

    ``given`` is a header that the configuration holds, and is tried first. ``logins`` is asked when the server refuses.
    """

    def __init__(self, url: str, user: str, given: str | None, logins: Logins) -> None:
        self._url = url
        self._user = user
        self._logins = logins
        self._lock = threading.Lock()
        self._header = given
        self._login: Login | None = None
        self._approved = False
        self._offered = 0
        self._denied: Denied | None = None

    def header(self) -> str | None:
        """What to send; None until the server has asked.

        Raises:
            Denied: all that there is was refused.
        """
        with self._lock:
            if self._denied is not None:
                raise self._denied
            return self._header

    def accepted(self, header: str | None) -> None:
        """The server took ``header``: a login that Git gave may be kept."""
        with self._lock:
            if self._login is not None and header == self._header and not self._approved:
                self._approved = True
                self._logins.approve(self._login)

    def refused(self, header: str | None) -> None:
        """The server refused ``header``. After this there is another one, unless another thread has seen to it before.

        Raises:
            Denied: there is nothing better to offer.
        """
        with self._lock:
            if self._denied is not None:
                raise self._denied
            if header == self._header:
                self._header = self._next()

    def _next(self) -> str:
        if self._login is not None:
            self._logins.reject(self._login)
        login = self._logins.fill(self._url, self._user) if self._offered < _TRIES else None
        if login is None or login == self._login:
            self._denied = self._denial()
            raise self._denied
        self._offered += 1
        self._login, self._approved = login, False
        return basic(login.user, login.password)

    def _denial(self) -> Denied:
        host = urlsplit(self._url).netloc
        what = "does not accept the login" if self._header is not None else "wants a login"
        return Denied(
            f"the Git LFS server {host} {what}",
            hint="log in as for git clone over HTTPS: gitcredentials(7) tells how Git keeps logins",
        )


def basic(user: str, password: str) -> str:
    """A header for a user name and password (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogateescape")).decode("ascii")
