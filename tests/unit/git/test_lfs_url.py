"""Where Git LFS's server is for a Git remote, by the rules of git-lfs ``docs/api/server-discovery.md``."""

import pytest

from gitkit.git.lfs_url import LocalRepository, Server, of_remote, of_setting


@pytest.mark.parametrize(
    ("remote", "server"),
    [
        ("https://git.example.com/foo/bar", "https://git.example.com/foo/bar.git/info/lfs"),
        ("https://git.example.com/foo/bar.git", "https://git.example.com/foo/bar.git/info/lfs"),
        ("https://git.example.com/foo/bar.git/", "https://git.example.com/foo/bar.git/info/lfs"),
        ("http://git.example.com:8080/foo/bar", "http://git.example.com:8080/foo/bar.git/info/lfs"),
        ("https://[::1]:8443/bar", "https://[::1]:8443/bar.git/info/lfs"),
    ],
)
def test_server_of_an_http_remote_lies_below_it(remote: str, server: str) -> None:
    assert of_remote(remote) == Server(server)


@pytest.mark.parametrize(
    ("remote", "server"),
    [
        ("git@git.example.com:foo/bar.git", "https://git.example.com/foo/bar.git/info/lfs"),
        ("git.example.com:/foo/bar", "https://git.example.com/foo/bar.git/info/lfs"),
        ("git@[fe80::1]:foo/bar.git", "https://[fe80::1]/foo/bar.git/info/lfs"),
        ("ssh://git@git.example.com/foo/bar.git", "https://git.example.com/foo/bar.git/info/lfs"),
        ("ssh://git@git.example.com:2222/foo/bar.git", "https://git.example.com/foo/bar.git/info/lfs"),
        ("git+ssh://git.example.com/bar", "https://git.example.com/bar.git/info/lfs"),
        ("git://git.example.com/foo/bar.git", "https://git.example.com/foo/bar.git/info/lfs"),
    ],
)
def test_server_of_an_ssh_remote_is_guessed_to_be_its_host_over_https(remote: str, server: str) -> None:
    assert of_remote(remote) == Server(server, guessed=True)


def test_git_remote_is_asked_over_http_where_that_is_configured() -> None:
    assert of_remote("git://host/bar", git_protocol="http") == Server("http://host/bar.git/info/lfs", guessed=True)


def test_user_and_password_are_apart_from_the_url_and_not_shown() -> None:
    server = of_remote("https://ada:p%40ss@git.example.com/bar")
    assert server == Server("https://git.example.com/bar.git/info/lfs", "ada", "p@ss")
    assert "p@ss" not in repr(server)


@pytest.mark.parametrize(
    ("remote", "path"),
    [
        ("/srv/bar.git", "/srv/bar.git"),
        ("../bar", "../bar"),
        ("./a:b", "./a:b"),
        ("file:///srv/my%20bar.git", "/srv/my bar.git"),
    ],
)
def test_remote_on_this_machine_is_a_folder(remote: str, path: str) -> None:
    assert of_remote(remote) == LocalRepository(path)


@pytest.mark.parametrize(
    "remote", ["s3://bucket/bar", "ext::sh -c x", "https://", "https://host:port/x", "https://a b/x", "ssh://a\nb/c"]
)
def test_remote_that_no_rule_knows_leads_nowhere(remote: str) -> None:
    assert of_remote(remote) is None


@pytest.mark.parametrize(
    ("value", "server"),
    [
        ("https://lfs.example.com/acme/", Server("https://lfs.example.com/acme")),
        ("ssh://git@host/foo/bar.git", Server("https://host/foo/bar.git/info/lfs", guessed=True)),
        ("git@host:foo/bar", Server("https://host/foo/bar.git/info/lfs", guessed=True)),
    ],
)
def test_setting_is_taken_as_it_is_unless_it_means_ssh(value: str, server: Server) -> None:
    assert of_setting(value) == server
