"""``http.*`` of Git's configuration for one URL (git-config(1)): what a server is reached with besides a login."""

from typing import NamedTuple

from gitkit.git.run import Git


class HttpSettings(NamedTuple):
    """``authorization`` and ``headers`` are of ``http.extraHeader`` (of several with one URL, the last)."""

    authorization: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    ca_file: str | None = None
    proxy: str | None = None

    def __repr__(self) -> str:
        return f"HttpSettings(ca_file={self.ca_file!r})"


def read_http(git: Git, url: str) -> HttpSettings:
    """The settings that apply to ``url``. One git process."""
    listed = git.ask("config", "--null", "--get-urlmatch", "http", url) or ""
    values = dict(record.partition("\n")[::2] for record in listed.split("\0"))
    name, colon, value = (part.strip() for part in values.get("http.extraheader", "").partition(":"))
    is_login = name.lower() == "authorization"
    return HttpSettings(
        authorization=value if colon and is_login else None,
        headers=((name, value),) if colon and not is_login else (),
        ca_file=values.get("http.sslcainfo") or None,
        proxy=values.get("http.proxy") or None,
    )
