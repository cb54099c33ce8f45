"""`git credential`: the logins that Git itself uses over HTTP (git-credential(1), gitcredentials(7)).

Secrets travel through pipes only, and what a helper prints never becomes part of a message.
"""

from urllib.parse import urlsplit

from gitkit.core.login import Login
from gitkit.git.run import Git, GitError


class GitCredentials:
    """The logins of ``git``'s configuration and helpers. Holds none itself."""

    def __init__(self, git: Git) -> None:
        self._git = git

    def fill(self, url: str, user: str) -> Login | None:
        """See ``gitkit.core.login``. Git drops the path unless ``credential.useHttpPath`` says otherwise."""
        answer = self._ask("fill", _description(url, user))
        if answer is None:
            return None
        fields = dict(line.partition("=")[::2] for line in answer.decode("utf-8", "surrogateescape").splitlines())
        name, password = fields.get("username"), fields.get("password")
        return Login(name, password, answer) if name is not None and password else None

    def approve(self, login: Login) -> None:
        """See ``gitkit.core.login``."""
        self._ask("approve", login.answer)

    def reject(self, login: Login) -> None:
        """See ``gitkit.core.login``."""
        self._ask("reject", login.answer)

    def _ask(self, action: str, description: bytes) -> bytes | None:
        try:
            return self._git.run("credential", action, stdin=description)
        except GitError:
            return None  # nobody to ask, or a helper that fails: to the caller both mean that there is no login


def _description(url: str, user: str) -> bytes:
    parts = urlsplit(url)
    fields = {
        "protocol": parts.scheme,
        "host": parts.netloc.rpartition("@")[2],
        "path": parts.path.strip("/"),
        "username": user,
    }
    lines = [f"{key}={value}\n" for key, value in fields.items() if value]
    if any("\0" in line or line.count("\n") > 1 or "\r" in line for line in lines):
        raise ValueError("a URL holds no line ends")
    return ("".join(lines) + "\n").encode("utf-8", "surrogateescape")
