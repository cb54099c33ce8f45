"""``filter.kit``, ``diff.kit`` and ``merge.kit`` in each scope of Git's configuration."""

from pathlib import Path

import pytest

from gitkit.errors import Denied, Locked, UsageError
from gitkit.git import filters
from gitkit.git.run import Git
from tests.lib.repos import Repo

ALL = {
    "filter.kit.clean": "git-kit clean -- %f",
    "filter.kit.smudge": "git-kit smudge -- %f",
    "filter.kit.process": "git-kit filter-process",
    "filter.kit.required": "true",
    "diff.kit.textconv": "git-kit textconv --",
    "merge.kit.name": "text by lines, other large files by choosing a side",
    "merge.kit.driver": "git-kit merge-driver -- %O %A %B %L %P",
    "merge.kit.recursive": "binary",
}


@pytest.fixture
def system_config(tmp_path: Path, repo: Repo) -> Path:
    """This machine's configuration file, for git in ``repo``."""
    path = tmp_path / "system.gitconfig"
    del repo.environ["GIT_CONFIG_NOSYSTEM"]
    repo.environ["GIT_CONFIG_SYSTEM"] = str(path)
    return path


def git_of(repo: Repo) -> Git:
    return Git(str(repo.path), repo.environ)


def set_in(repo: Repo, scope: str) -> dict[str, str]:
    lines = repo.git("config", f"--{scope}", "--get-regexp", r"^(filter|diff|merge)\.", code=None).stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines)


@pytest.mark.parametrize("scope", ["global", "local", "system", "worktree"])
def test_install_sets_all_keys_in_one_scope(repo: Repo, system_config: Path, scope: filters.Scope) -> None:
    repo.git("config", "extensions.worktreeConfig", "true")
    assert filters.install(git_of(repo), scope)
    assert set_in(repo, scope) == ALL
    assert {setting.scope for setting in filters.read(git_of(repo))} == {scope}
    assert filters.is_configured(git_of(repo))
    assert not filters.install(git_of(repo), scope)


@pytest.mark.parametrize("scope", ["global", "local", "worktree"])
def test_uninstall_leaves_the_file_as_it_was(repo: Repo, scope: filters.Scope) -> None:
    repo.git("config", "extensions.worktreeConfig", "true")
    repo.git("config", f"--{scope}", "filter.lfs.clean", "git-lfs clean -- %f")
    files = [Path(repo.environ["GIT_CONFIG_GLOBAL"]), repo.path / ".git/config", repo.path / ".git/config.worktree"]
    before = [path.read_bytes() for path in files if path.exists()]
    filters.install(git_of(repo), scope)
    assert filters.uninstall(git_of(repo), scope)
    assert [path.read_bytes() for path in files if path.exists()] == before
    assert not filters.uninstall(git_of(repo), scope)


def test_uninstall_in_one_scope_leaves_another(repo: Repo) -> None:
    filters.install(git_of(repo), "global")
    assert not filters.uninstall(git_of(repo), "local")
    assert set_in(repo, "global") == ALL


def test_install_over_stale_and_repeated_values_replaces_them(repo: Repo) -> None:
    repo.git("config", "filter.kit.process", "old-kit filter")
    repo.git("config", "--add", "filter.kit.process", "git-kit filter-process")
    repo.git("config", "filter.kit.required", "false")
    assert filters.install(git_of(repo), "local")
    assert repo.out("config", "--local", "--get-all", "filter.kit.process") == ALL["filter.kit.process"]
    assert set_in(repo, "local") == ALL


def test_is_configured_where_a_nearer_scope_overrides_is_false(repo: Repo) -> None:
    filters.install(git_of(repo), "global")
    repo.git("config", "filter.kit.process", "")
    assert not filters.is_configured(git_of(repo))
    setting = filters.in_force(git_of(repo))["filter.kit.process"]
    assert (setting.scope, setting.value) == ("local", "")


def test_is_configured_with_another_way_to_show_and_merge_is_true(repo: Repo) -> None:
    filters.install(git_of(repo), "global")
    repo.git("config", "diff.kit.textconv", "cat")
    repo.git("config", "merge.kit.driver", "exit 1")
    assert filters.is_configured(git_of(repo))
    repo.git("config", "--global", "--unset", "merge.kit.recursive")
    assert not filters.is_configured(git_of(repo))
    assert filters.wrong(filters.in_force(git_of(repo))) == ["merge.kit.recursive"]


def test_read_of_a_key_without_value_is_true(repo: Repo) -> None:
    config = repo.path / ".git/config"
    config.write_text(config.read_text() + '[filter "kit"]\n\trequired\n')
    assert [(found.key, found.value) for found in filters.read(git_of(repo))] == [("filter.kit.required", "true")]


def test_worktree_scope_without_the_extension_says_how_to_turn_it_on(repo: Repo) -> None:
    for change in (filters.install, filters.uninstall):
        with pytest.raises(UsageError) as caught:
            change(git_of(repo), "worktree")
        assert caught.value.hint == "git config extensions.worktreeConfig true"


def test_worktree_scope_reaches_one_worktree_only(repo: Repo, tmp_path: Path) -> None:
    repo.git("config", "extensions.worktreeConfig", "true")
    repo.git("commit", "--allow-empty", "-qm", "one")
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Repo(tmp_path / "linked", repo.environ)
    filters.install(git_of(linked), "worktree")
    assert filters.is_configured(git_of(linked))
    assert filters.read(git_of(repo)) == []


def test_install_into_a_file_that_cannot_be_written_is_denied(repo: Repo, tmp_path: Path) -> None:
    repo.environ["GIT_CONFIG_GLOBAL"] = str(tmp_path / "missing" / "gitconfig")
    with pytest.raises(Denied):
        filters.install(git_of(repo), "global")


def test_install_while_git_holds_the_lock_says_so(repo: Repo) -> None:
    repo.write(".git/config.lock", "")
    with pytest.raises(Locked):
        filters.install(git_of(repo), "local")
