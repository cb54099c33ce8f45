"""Which of Git LFS's settings counts, and what a cloned repository may say; its folders of objects."""

from pathlib import Path

import pytest

from gitkit.errors import Denied, InvalidFile, NotFound, Unsupported
from gitkit.git.lfs import Source, find_source, objects_folders
from gitkit.git.lfs_url import LocalRepository, Server
from gitkit.git.repository import Repository, discover
from gitkit.git.run import Git
from tests.lib.repos import Repo


@pytest.fixture
def repository(repo: Repo) -> Repository:
    repo.git("remote", "add", "origin", "https://git.example.com/acme/llm.git")
    return discover(Git(str(repo.path), repo.environ))


def _lfsconfig(url: str, key: str = "lfs") -> bytes:
    return f"[{key}]\n\t{'url' if key == 'lfs' else 'lfsurl'} = {url}\n".encode()


def _url(found: Source) -> str:
    assert isinstance(found.place, Server)
    return found.place.url


def test_source_without_settings_is_derived_from_the_remote(repository: Repository) -> None:
    found = find_source(repository, "origin", None)
    assert found == Source(Server("https://git.example.com/acme/llm.git/info/lfs"), own=True)


def test_settings_count_in_the_order_of_git_lfs(repo: Repo, repository: Repository) -> None:
    both = _lfsconfig("https://given/all") + _lfsconfig("https://given/one", 'remote "origin"')
    only = _lfsconfig("https://given/one", 'remote "origin"')
    assert (_url(find_source(repository, "origin", only)), find_source(repository, "origin", only).own) == (
        "https://given/one",
        False,
    )
    repo.git("config", "remote.origin.lfsurl", "https://own/one")
    assert _url(find_source(repository, "origin", only)) == "https://own/one"
    assert _url(find_source(repository, "origin", both)) == "https://given/all"
    repo.git("config", "lfs.url", "https://own/all")
    assert find_source(repository, "origin", both) == Source(Server("https://own/all"), own=True)


def test_setting_of_another_remote_does_not_count(repository: Repository) -> None:
    found = find_source(repository, "origin", _lfsconfig("https://given/one", 'remote "upstream"'))
    assert _url(found) == "https://git.example.com/acme/llm.git/info/lfs"


def test_setting_without_any_remote_is_enough(repo: Repo) -> None:
    repository = discover(Git(str(repo.path), repo.environ))
    assert _url(find_source(repository, None, _lfsconfig("https://given/all"))) == "https://given/all"
    with pytest.raises(NotFound):
        find_source(repository, None, None)


def test_shortened_url_is_written_out_as_git_does(repo: Repo, repository: Repository) -> None:
    repo.git("config", "url.https://git.example.com/.insteadOf", "ex://")
    assert _url(find_source(repository, "origin", _lfsconfig("ex://lfs"))) == "https://git.example.com/lfs"
    repo.git("remote", "set-url", "origin", "ex://other")
    assert _url(find_source(repository, "origin", None)) == "https://git.example.com/other.git/info/lfs"


@pytest.mark.parametrize("url", ["/etc", "file:///etc", "../elsewhere"])
def test_repository_cannot_lead_to_a_folder_of_this_machine(repo: Repo, repository: Repository, url: str) -> None:
    with pytest.raises(Denied) as caught:
        find_source(repository, "origin", _lfsconfig(url))
    assert caught.value.hint is not None and "git config lfs.url" in caught.value.hint
    repo.git("config", "lfs.url", url)
    assert isinstance(find_source(repository, "origin", None).place, LocalRepository)


def test_repositorys_file_is_read_without_what_it_includes(repository: Repository, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("[lfs]\n\turl = https://included/\n")
    text = f"[include]\n\tpath = {secret}\n".encode() + _lfsconfig("https://given/all")
    assert _url(find_source(repository, "origin", text)) == "https://given/all"


def test_repositorys_file_with_unsafe_keys_changes_nothing_else(repository: Repository) -> None:
    text = b'[lfs]\n\tstorage = /tmp/x\n[remote "origin"]\n\turl = https://evil/\n[core]\n\tsshCommand = touch x\n'
    found = find_source(repository, "origin", text)
    assert _url(found) == "https://git.example.com/acme/llm.git/info/lfs"
    assert objects_folders(repository)[0].startswith(repository.common_dir)


def test_repositorys_file_that_is_broken_is_named(repository: Repository) -> None:
    with pytest.raises(InvalidFile, match=r"\.lfsconfig"):
        find_source(repository, "origin", b"[lfs\n")


def test_remote_without_a_rule_is_unsupported_and_leads_to_the_setting(repo: Repo, repository: Repository) -> None:
    repo.git("remote", "set-url", "origin", "s3://bucket/llm")
    with pytest.raises(Unsupported) as caught:
        find_source(repository, "origin", None)
    assert caught.value.hint == "git config lfs.url URL"


def test_objects_lie_in_the_common_folder_also_for_a_linked_worktree(
    repo: Repo, repository: Repository, tmp_path: Path
) -> None:
    repo.commit()
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = discover(Git(str(tmp_path / "linked"), repo.environ))
    assert objects_folders(linked) == [str(repo.path / ".git" / "lfs" / "objects")]


@pytest.mark.parametrize("storage", ["elsewhere", "/srv/lfs"])
def test_objects_lie_where_lfs_storage_says(repo: Repo, repository: Repository, storage: str) -> None:
    repo.git("config", "lfs.storage", storage)
    assert objects_folders(repository) == [str(repo.path / ".git" / storage / "objects")]


def test_objects_of_a_borrowed_repository_come_second(repo: Repo, tmp_path: Path) -> None:
    repo.commit()
    clone = repo.clone(tmp_path / "clone", "--shared")
    assert objects_folders(discover(Git(str(clone.path), clone.environ))) == [
        str(clone.path / ".git" / "lfs" / "objects"),
        str(repo.path / ".git" / "lfs" / "objects"),
    ]
