"""What doctor finds, and that the command it names mends it."""

import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gitkit.cli.doctor import place_of
from gitkit.context import Context
from gitkit.core.pointer import Pointer
from gitkit.setup.doctor import examine
from gitkit.setup.finding import Finding, Machine
from tests.lib.large_files import lfs_pointer_to, pointer_to
from tests.lib.repos import Repo, clean_environ, init, run, some_bytes

CONTENT = some_bytes(5_000)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home and a repository in which nothing is wrong: made once, copied for each test."""
    folder = tmp_path_factory.mktemp("healthy")
    environ = clean_environ(folder / "home")
    bare = init(folder / "bare.git", environ, "--bare")
    repo = init(folder / "repo", environ)
    repo.kit("install")
    repo.git("remote", "add", "origin", str(bare.path))
    repo.kit("init")
    repo.kit("track", "*.bin")
    repo.commit(files={"a b.bin": CONTENT})
    return folder


@pytest.fixture
def healthy(template: Path, tmp_path: Path) -> Repo:
    """A repository in which nothing is wrong."""
    shutil.copytree(template / "repo", tmp_path / "repo", symlinks=True)
    environ = clean_environ(tmp_path / "home")
    shutil.copy(template / "home/.gitconfig", tmp_path / "home/.gitconfig")
    return Repo(tmp_path / "repo", environ)


def findings(repo: Repo, folder: str = "") -> dict[str, Finding]:
    """By name of the check; the last where there are several."""
    context = Context(repo.environ, os.path.join(repo.path, folder).rstrip("/"))
    return {
        found.name: found
        for found in examine(Machine(git=context.git, search_path=repo.environ["PATH"]), place_of(context))
    }


def wrong(repo: Repo, folder: str = "") -> dict[str, str | None]:
    return {name: found.fix for name, found in findings(repo, folder).items() if not found.ok}


def mend(repo: Repo, command: str, cwd: str = ".") -> None:
    run(shlex.split(command), cwd=repo.path / cwd, environ=repo.environ)


def test_healthy_repository_has_nothing_wrong(healthy: Repo) -> None:
    found = findings(healthy)
    assert {name: finding.text for name, finding in found.items() if not finding.ok} == {}
    assert list(found) == [
        "git",
        "git-kit",
        "filter",
        "hooks",
        ".gitkit.toml",
        "remote",
        "store",
        "Kitfile",
        "pointers",
        "content",
    ]


def test_outside_of_a_repository_only_the_machine_is_examined(tmp_path: Path, environ: dict[str, str]) -> None:
    found = examine(Machine(git=Context(environ, str(tmp_path)).git, search_path=""), None)
    assert [(finding.name, finding.ok) for finding in found] == [("git", True), ("git-kit", False), ("filter", False)]


def spoil_filter(repo: Repo) -> None:
    repo.git("config", "filter.kit.process", "old-program")


def spoil_filter_everywhere(repo: Repo) -> None:
    repo.git("config", "--global", "--remove-section", "filter.kit")


def spoil_filter_requirement(repo: Repo) -> None:
    repo.git("config", "--global", "--unset", "filter.kit.required")


def spoil_hook(repo: Repo) -> None:
    (repo.path / ".git/hooks/pre-push").chmod(0o644)
    (repo.path / ".git/hooks/pre-commit").unlink()


def spoil_local_hook(repo: Repo) -> None:
    repo.git("config", "--global", "--remove-section", "filter.kit")
    repo.kit("install", "--local")
    spoil_hook(repo)


def spoil_hooks_path(repo: Repo) -> None:
    repo.git("config", "core.hooksPath", "/dev/null")


def spoil_store_index(repo: Repo) -> None:
    repo.write(".git/kit/index.json", "{}")


def spoil_store_version(repo: Repo) -> None:
    repo.write(".git/kit/oci-layout", "not JSON")


def spoil_index(repo: Repo) -> None:
    oid = repo.git("hash-object", "-w", "--stdin", stdin=CONTENT).stdout.strip()
    repo.git("update-index", "--cacheinfo", f"100644,{oid},a b.bin")


def spoil_pointer(repo: Repo) -> None:
    oid = repo.git("hash-object", "-w", "--stdin", stdin=repo.blob(":a b.bin") + b"x").stdout.strip()
    repo.git("update-index", "--cacheinfo", f"100644,{oid},a b.bin")


def spoil_worktree(repo: Repo) -> None:
    repo.write("a b.bin", repo.blob(":a b.bin"))


@pytest.mark.parametrize(
    ("spoil", "name", "fix"),
    [
        (spoil_filter, "filter", "git kit install --local"),
        (spoil_filter_everywhere, "filter", "git kit install"),
        (spoil_filter_requirement, "filter", "git kit install"),
        (spoil_hook, "hooks", "git kit install"),
        (spoil_local_hook, "hooks", "git kit install --local"),
        (spoil_hooks_path, "hooks", "git config --unset-all core.hooksPath"),
        (spoil_index, "pointers", "git add --renormalize -- 'a b.bin'"),
        (spoil_worktree, "content", "git kit checkout"),
    ],
)
def test_what_is_spoilt_is_found_and_its_command_mends_it(
    healthy: Repo, spoil: Callable[[Repo], None], name: str, fix: str
) -> None:
    spoil(healthy)
    assert wrong(healthy) == {name: fix}
    mend(healthy, fix)
    assert wrong(healthy) == {}


@pytest.mark.parametrize(("spoil", "file"), [(spoil_store_index, "index.json"), (spoil_store_version, "oci-layout")])
def test_spoilt_store_document_is_moved_away(healthy: Repo, spoil: Callable[[Repo], None], file: str) -> None:
    spoil(healthy)
    fix = wrong(healthy)["store"]
    path = healthy.path / ".git/kit" / file
    assert fix == f"mv {path} {path}.damaged"
    mend(healthy, fix)
    assert wrong(healthy) == {}


def test_damaged_pointer_is_restored_from_the_last_good_commit(healthy: Repo) -> None:
    good = healthy.blob(":a b.bin")
    spoil_pointer(healthy)
    healthy.git("commit", "-qm", "damage", "--no-verify")
    fix = wrong(healthy)["pointers"]
    assert fix == f"git restore --source={healthy.out('rev-parse', 'HEAD^')[:12]} --staged --worktree -- 'a b.bin'"
    mend(healthy, fix)
    assert healthy.blob(":a b.bin") == good
    assert wrong(healthy) == {}


def test_fix_in_a_folder_names_paths_from_there(healthy: Repo) -> None:
    (healthy.path / "sub").mkdir()
    spoil_index(healthy)
    fix = wrong(healthy, "sub")["pointers"]
    assert fix == "git add --renormalize -- '../a b.bin'"
    mend(healthy, fix, cwd="sub")
    assert wrong(healthy) == {}


def test_many_files_are_mended_by_one_command(healthy: Repo) -> None:
    for number in range(7):
        oid = healthy.git("hash-object", "-w", "--stdin", stdin=some_bytes(2_000, number)).stdout.strip()
        healthy.git("update-index", "--add", "--cacheinfo", f"100644,{oid},{number}.bin")
        healthy.write(f"{number}.bin", some_bytes(2_000, number))
    found = findings(healthy)["pointers"]
    assert found.text.startswith("0.bin, 1.bin, 2.bin, 3.bin, 4.bin and 2 more")
    assert found.fix is not None
    mend(healthy, found.fix)
    assert wrong(healthy) == {}


def test_content_that_nobody_has_is_to_be_pulled(healthy: Repo) -> None:
    pointer = Pointer("sha256:" + "b" * 64, 7).encode()
    healthy.write("b.bin", pointer)
    healthy.git("add", "b.bin")
    assert wrong(healthy) == {"content": "git kit pull"}


def stage_pointer(repo: Repo, path: str, text: bytes = pointer_to(CONTENT)) -> None:
    """A pointer to content that the store has, whether attributes cover it or not."""
    oid = repo.git("hash-object", "-w", "--stdin", stdin=text).stdout.strip()
    repo.git("update-index", "--add", "--cacheinfo", f"100644,{oid},{path}")
    repo.write(path, text)


def test_pointer_whose_attribute_is_not_in_git_is_mended_by_its_file(healthy: Repo) -> None:
    stage_pointer(healthy, "sub/w.gguf")
    healthy.kit("track", "*.gguf", cwd="sub")
    found = findings(healthy, "sub")["attributes"]
    assert found.text == "sub/w.gguf: a pointer in Git, but the attribute that covers it is not in Git"
    assert found.fix == "git add -- .gitattributes"
    mend(healthy, found.fix, "sub")
    assert wrong(healthy) == {"content": "git kit checkout"}


def test_pointer_that_nothing_covers_is_mended_by_track_and_add(healthy: Repo) -> None:
    stage_pointer(healthy, "w.gguf")
    stage_pointer(healthy, "a b.pt")
    (healthy.path / "sub").mkdir()
    assert "attributes" in wrong(healthy)
    fix = wrong(healthy, "sub")["attributes"]
    assert fix == "git -C .. kit track '*.gguf' '*.pt'"
    mend(healthy, fix, "sub")
    fix = wrong(healthy)["attributes"]
    assert fix == "git add -- .gitattributes"
    mend(healthy, fix)
    assert wrong(healthy) == {"content": "git kit checkout"}


def test_pointers_that_are_not_filtered_on_purpose_or_are_of_git_lfs_are_no_finding(healthy: Repo) -> None:
    healthy.write(".gitattributes", b"*.bin filter=kit -text\n*.sample -filter\n*.lfs filter=lfs\n")
    healthy.git("add", ".gitattributes")
    stage_pointer(healthy, "a.sample")
    stage_pointer(healthy, "b.lfs")
    stage_pointer(healthy, "c.txt", lfs_pointer_to(CONTENT))
    assert wrong(healthy) == {}


def test_invalid_config_is_one_finding_with_all_its_problems(healthy: Repo) -> None:
    healthy.write(".gitkit.toml", '[remot]\nurl = "x"\n[kit]\ntag = "v*"\n')
    found = findings(healthy)
    assert [name for name, finding in found.items() if not finding.ok] == [".gitkit.toml"]
    assert "2 problems" in found[".gitkit.toml"].text


def test_invalid_setting_is_one_finding(healthy: Repo) -> None:
    healthy.git("config", "kit.strict", "maybe")
    assert list(wrong(healthy)) == ["settings"]


def test_invalid_kitfile_is_found(healthy: Repo) -> None:
    healthy.write("Kitfile", "modell:\n  path: x\n")
    assert wrong(healthy) == {"Kitfile": "edit it, then: git kit kitfile check"}


def test_commands_that_are_allowed_are_mentioned(healthy: Repo) -> None:
    healthy.git("config", "kit.allowCommands", "true")
    assert findings(healthy)["settings"].ok
    assert "kit.allowCommands" in findings(healthy)["settings"].text


def test_no_remote_is_found(healthy: Repo) -> None:
    healthy.git("remote", "remove", "origin")
    assert wrong(healthy) == {"remote": "git kit remote oci://HOST/REPOSITORY"}


def test_remote_that_refuses_is_a_finding(healthy: Repo) -> None:
    healthy.git("config", "kit.url", "oci-layout:index")
    healthy.write("index/index.json", "[]")
    assert list(wrong(healthy)) == ["remote"]


def test_bare_repository_is_examined_without_its_files(bare: Repo, environ: dict[str, str]) -> None:
    assert "content" not in findings(bare)
    assert "hooks" in findings(bare)
