"""A login as Git's credential helpers hand it out."""

from typing import NamedTuple, Protocol


class Login(NamedTuple):
    """``answer`` is all that Git said, to be handed back to it as it is."""

    user: str
    password: str
    answer: bytes

    def __repr__(self) -> str:
        return f"Login(user={self.user!r})"  # it may end up in a log


class Logins(Protocol):
    """Where logins come from. Safe to share between threads."""

    def fill(self, url: str, user: str) -> Login | None:
        """The login for the host (and path, where Git is set up so) of ``url``; ``user`` may be empty. May ask the
        person. None where there is none.
        """
        ...

    def approve(self, login: Login) -> None:
        """The host took it: Git may keep it."""
        ...

    def reject(self, login: Login) -> None:
        """The host refused it: Git forgets it."""
        ...
