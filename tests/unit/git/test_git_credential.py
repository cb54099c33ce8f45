"""Logins through `git credential` and headers of `http.*`, with Git's own `store` helper."""

from pathlib import Path

import pytest

from gitkit.git.credential import GitCredentials
from gitkit.git.http import HttpSettings, read_http
from gitkit.git.run import Git
from tests.lib.repos import Repo

URL = "https://git.example.com/acme/llm.git/info/lfs"


@pytest.fixture
def stored(repo: Repo, tmp_path: Path) -> Path:
    """The file of Git's `store` helper."""
    path = tmp_path / "stored"
    path.touch()
    repo.git("config", "credential.helper", f"store --file={path}")
    return path


@pytest.fixture
def credentials(repo: Repo) -> GitCredentials:
    return GitCredentials(Git(str(repo.path), repo.environ))


def test_fill_finds_the_login_of_the_host(stored: Path, credentials: GitCredentials) -> None:
    stored.write_text("https://ada:p%40ss@git.example.com\nhttps://eve:other@other.example.com\n")
    login = credentials.fill(URL, "")
    assert login is not None and (login.user, login.password) == ("ada", "p@ss")
    assert "p@ss" not in repr(login)


def test_fill_asks_for_the_user_of_the_url(stored: Path, credentials: GitCredentials) -> None:
    stored.write_text("https://ada:a@git.example.com\nhttps://eve:e@git.example.com\n")
    login = credentials.fill(URL, "eve")
    assert login is not None and login.password == "e"


def test_fill_asks_with_the_port_and_for_the_path_where_git_does(
    repo: Repo, stored: Path, credentials: GitCredentials
) -> None:
    stored.write_text("https://ada:a@git.example.com:8443/acme/llm.git/info/lfs\n")
    assert credentials.fill(URL, "") is None
    url = URL.replace(".com/", ".com:8443/")
    login = credentials.fill(url, "")
    assert login is not None and login.password == "a"
    repo.git("config", "credential.useHttpPath", "true")
    assert credentials.fill(url, "") is not None
    assert credentials.fill(url.replace("llm", "other"), "") is None


@pytest.mark.usefixtures("stored")
def test_fill_without_a_login_and_a_terminal_is_none(credentials: GitCredentials) -> None:
    assert credentials.fill(URL, "") is None


def test_approved_login_is_kept_and_rejected_one_forgotten(
    repo: Repo, stored: Path, credentials: GitCredentials, tmp_path: Path
) -> None:
    helper = tmp_path / "helper"
    helper.write_text("#!/bin/sh\n[ \"$1\" = get ] && printf 'username=ada\\npassword=secret\\n'\n")
    helper.chmod(0o755)
    repo.git("config", "--add", "credential.helper", str(helper))
    login = credentials.fill(URL, "")
    assert login is not None
    credentials.approve(login)
    assert stored.read_text() == "https://ada:secret@git.example.com\n"
    credentials.reject(login)
    assert stored.read_text() == ""


def test_url_with_a_line_end_reaches_no_helper(credentials: GitCredentials) -> None:
    with pytest.raises(ValueError, match="line ends"):
        credentials.fill("https://git.example.com/a", "ada\nhost=evil")


def test_http_settings_are_those_of_the_url(repo: Repo) -> None:
    git = Git(str(repo.path), repo.environ)
    assert read_http(git, URL) == HttpSettings()
    repo.git("config", "http.https://git.example.com/.extraHeader", "AUTHORIZATION: basic c2VjcmV0")
    repo.git("config", "http.sslCAInfo", "/srv/ca.pem")
    repo.git("config", "http.proxy", "http://proxy:3128")
    found = read_http(git, URL)
    assert found == HttpSettings(authorization="basic c2VjcmV0", ca_file="/srv/ca.pem", proxy="http://proxy:3128")
    assert "c2VjcmV0" not in repr(found)
    assert read_http(git, "https://other.example.com/").authorization is None


def test_http_header_that_is_no_login_is_a_header(repo: Repo) -> None:
    repo.git("config", "http.extraHeader", "X-Tenant: acme")
    assert read_http(Git(str(repo.path), repo.environ), URL).headers == (("X-Tenant", "acme"),)
