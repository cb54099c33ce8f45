"""Setting up by command, the way a person does: real git, real hooks, a real registry to log in to."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.lib.registries import PASSWORD, USER, RealRegistry
from tests.lib.repos import Repo, run, some_bytes

FOREIGN_PUSH = '#!/bin/sh\ncat >"$HOME/refs"\nexit "${THEIR_STATUS:-0}"\n'
CONTENT = some_bytes(200_000)


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of every file below ``folder``."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and path.name != "index"
    }


# -- install, uninstall ----------------------------------------------------------------------------------------------


def test_install_outside_of_a_repository_sets_the_filter_alone(tmp_path: Path, environ: dict[str, str]) -> None:
    done = run(["git", "kit", "install"], cwd=tmp_path, environ=environ)
    assert done.stdout == ""
    assert done.stderr == "filter: set in the global Git configuration\n"
    assert "process = git-kit filter-process" in Path(environ["GIT_CONFIG_GLOBAL"]).read_text()


@pytest.mark.parametrize("option", ["--local", "--worktree"])
def test_install_for_a_repository_outside_of_one_is_not_found(
    tmp_path: Path, environ: dict[str, str], option: str
) -> None:
    done = run(["git", "kit", "install", option], cwd=tmp_path, environ=environ, code=10)
    assert "hint: run the command inside one, or make one: git init" in done.stderr


@pytest.mark.parametrize("options", [[], ["--local"], ["--worktree"]])
def test_uninstall_after_install_leaves_everything_as_it_was(repo: Repo, options: list[str]) -> None:
    repo.git("config", "extensions.worktreeConfig", "true")
    repo.write(".git/hooks/pre-push", FOREIGN_PUSH, mode=0o750)
    repo.write(".git/hooks/pre-commit", "#!/usr/bin/env python3\n", mode=0o755)
    before = everything(repo.path), Path(repo.environ["GIT_CONFIG_GLOBAL"]).read_bytes()
    repo.kit("install", *options)
    assert everything(repo.path) != before[0]
    repo.kit("uninstall", *options)
    config = repo.path / ".git/config.worktree"
    if options == ["--worktree"]:
        assert config.read_bytes() == b""
        config.unlink()
    assert (everything(repo.path), Path(repo.environ["GIT_CONFIG_GLOBAL"]).read_bytes()) == before


def test_install_without_hooks_leaves_them(repo: Repo) -> None:
    repo.kit("install", "--skip-hooks")
    assert not (repo.path / ".git/hooks/pre-push").exists()


def test_install_says_what_happened_to_each_hook(repo: Repo) -> None:
    repo.write(".git/hooks/pre-push", FOREIGN_PUSH, mode=0o755)
    repo.write(".git/hooks/pre-commit", "#!/usr/bin/env python3\n", mode=0o755)
    assert repo.kit("install").stderr == (
        "filter: set in the global Git configuration\n"
        "hooks in .git/hooks:\n"
        "  pre-push       lines added at the start of what was there\n"
        "  pre-commit     wrapped: what was there runs after it\n"
    )
    assert repo.kit("install").stderr == "filter: nothing to do\nhooks: nothing to do\n"


def test_install_into_a_shared_hooks_folder_says_so(repo: Repo, tmp_path: Path) -> None:
    repo.git("config", "--global", "core.hooksPath", str(tmp_path / "hooks"))
    assert "other repositories that use it get the same hooks" in repo.kit("install").stderr


@pytest.mark.parametrize(
    ("file", "text"), [(".pre-commit-config.yaml", "- repo: local"), ("lefthook.yml", "use_stdin: true")]
)
def test_install_beside_a_hook_manager_suggests_what_to_add(repo: Repo, file: str, text: str) -> None:
    repo.write(file, "repos: []\n")
    said = repo.kit("install").stderr
    assert f"add to {file}" in said
    assert text in said
    assert repo.read(file) == b"repos: []\n"
    repo.write(file, "run: git-kit hook\n")
    assert "add to" not in repo.kit("install").stderr


def test_push_with_another_hook_uploads_and_runs_that_hook(kit_repo: Repo, bare: Repo) -> None:
    kit_repo.write(".git/hooks/pre-push", FOREIGN_PUSH, mode=0o755)
    kit_repo.kit("install")
    kit_repo.kit("track", "*.bin")
    oid = kit_repo.commit(files={"a.bin": CONTENT})
    kit_repo.git("push", str(bare.path), "main", extra={"THEIR_STATUS": "7"}, code=1)
    assert bare.git("rev-parse", "main", code=None).returncode != 0
    kit_repo.git("push", str(bare.path), "main")
    refs = Path(kit_repo.environ["HOME"], "refs").read_text()
    assert refs == f"refs/heads/main {oid} refs/heads/main {'0' * 40}\n"
    digest = kit_repo.blob(":a.bin").decode().split("sha256:")[1].split("\n")[0]
    assert (bare.path / "kit/blobs/sha256" / digest).read_bytes() == CONTENT


# -- init, track, remote ---------------------------------------------------------------------------------------------


def test_init_outside_of_a_repository_says_how_to_make_one(tmp_path: Path, environ: dict[str, str]) -> None:
    assert "git init" in run(["git", "kit", "init"], cwd=tmp_path, environ=environ, code=10).stderr


def test_init_in_a_bare_repository_is_unsupported(bare: Repo) -> None:
    bare.kit("init", code=17)


def test_init_writes_what_is_missing_and_nothing_twice(repo: Repo) -> None:
    repo.write("model.onnx", CONTENT)
    said = repo.kit("init").stderr
    assert "wrote .gitkit.toml\nwrote Kitfile\n" in said
    assert "git add .gitattributes .gitkit.toml Kitfile" in said
    assert "path: model.onnx" in repo.read("Kitfile").decode()
    assert repo.out("config", "--local", "filter.kit.process") == "git-kit filter-process"
    before = everything(repo.path)
    assert repo.kit("init").stderr.startswith("kept .gitkit.toml\nkept Kitfile\n")
    assert everything(repo.path) == before


def test_init_where_the_person_installed_leaves_the_local_filter_unset(kit_repo: Repo) -> None:
    kit_repo.kit("init")
    assert kit_repo.git("config", "--local", "filter.kit.process", code=1).stdout == ""


def test_init_with_a_remote_keeps_the_files_that_are_there(repo: Repo) -> None:
    repo.write(".gitkit.toml", "# mine\n")
    repo.write("Kitfile", "package:\n  name: mine\n")
    repo.kit("init", "--remote", "oci://registry.example.com/acme/llm")
    assert repo.read(".gitkit.toml") == b'# mine\n\n[remote]\nurl = "oci://registry.example.com/acme/llm"\n'
    assert repo.read("Kitfile") == b"package:\n  name: mine\n"
    repo.kit("init", "--force")
    assert b"[environments.dev]" in repo.read(".gitkit.toml")


def test_init_with_a_bad_remote_changes_nothing(repo: Repo) -> None:
    repo.kit("init", "--remote", "https://registry.example.com/x", code=2)
    assert not (repo.path / ".gitkit.toml").exists()


def test_track_of_a_file_in_git_turns_it_into_a_pointer_and_untrack_back(kit_repo: Repo) -> None:
    kit_repo.commit(files={"a.bin": CONTENT})
    said = kit_repo.kit("track", "*.bin").stderr
    assert "tracking *.bin\n1 file in Git as content" in said
    assert "Next: git add -- .gitattributes a.bin" in said
    kit_repo.git("add", ".gitattributes", "*.bin")
    assert kit_repo.blob(":a.bin").startswith(b"version git-kit/1\n")
    said = kit_repo.kit("untrack", "*.bin").stderr
    assert "1 file in Git as a pointer: " in said
    kit_repo.git("add", ".gitattributes", "*.bin")
    assert kit_repo.blob(":a.bin") == CONTENT


def test_track_in_a_repository_without_anything_sets_up_filter_and_hooks(repo: Repo) -> None:
    said = repo.kit("track", "*.bin").stderr
    assert "filter: set in the local Git configuration" in said
    assert "pre-push       written" in said
    repo.commit(files={"a.bin": CONTENT})
    assert repo.blob(":a.bin").startswith(b"version git-kit/1\n")


def test_track_notes_patterns_that_match_no_file_yet(kit_repo: Repo) -> None:
    kit_repo.write("models/a.bin", CONTENT)
    kit_repo.write("b [1].pt", CONTENT)
    kit_repo.write("skipped.gguf", CONTENT)
    kit_repo.write(".gitignore", "*.gguf\n")
    said = kit_repo.kit("track", "*.bin", "models/*.bin", "/*.bin", "*.gguf", "b?.pt", "*.onnx").stderr
    notes = [line for line in said.splitlines() if line.startswith("note: ")]
    assert notes == [f"note: {pattern} matches no file yet" for pattern in ("/*.bin", "*.gguf", "b?.pt", "*.onnx")]
    assert "note: " not in kit_repo.kit("track", "*.bin", cwd="models").stderr
    assert "note: " not in kit_repo.kit("track", "--filename", "b [1].pt").stderr


def test_track_lists_and_speaks_json(kit_repo: Repo) -> None:
    assert "hint: git kit track" in kit_repo.kit("track").stderr
    changed = json.loads(kit_repo.kit("track", "*.bin", "--json").stdout)
    assert changed == {"file": ".gitattributes", "tracked": ["*.bin"], "unchanged": [], "touched": []}
    assert json.loads(kit_repo.kit("track", "--json").stdout) == [{"pattern": "*.bin", "file": ".gitattributes"}]
    assert kit_repo.kit("track").stdout == "PATTERN  FILE\n*.bin    .gitattributes\n"
    changed = json.loads(kit_repo.kit("untrack", "*.bin", "--json").stdout)
    assert changed == {"file": ".gitattributes", "untracked": ["*.bin"], "unchanged": [], "touched": []}


def test_untrack_of_what_is_not_tracked_is_not_found(kit_repo: Repo) -> None:
    assert "git kit track" in kit_repo.kit("untrack", "*.none", code=10).stderr


def shown(repo: Repo) -> tuple[str, str]:
    found = json.loads(repo.kit("remote", "--json").stdout)
    return found["url"], found["source"]


def test_remote_shows_the_one_in_force_and_its_source(repo: Repo, bare: Repo) -> None:
    assert "git kit remote oci://HOST/REPOSITORY" in repo.kit("remote", code=10).stderr
    repo.git("remote", "add", "origin", str(bare.path))
    assert shown(repo) == (f"oci-layout:{bare.path}/kit", "the Git remote origin, which is a local repository")
    repo.kit("remote", "oci://registry.example.com/acme/llm")
    assert shown(repo) == ("oci://registry.example.com/acme/llm", ".gitkit.toml")
    repo.kit("remote", "--local", "oci+http://registry.example.com/acme/other")
    assert shown(repo) == ("oci+http://registry.example.com/acme/other", "git config kit.url (local)")
    repo.kit("remote", "oci-layout:blobs")
    assert shown(repo) == ("oci-layout:blobs", ".gitkit.toml")


def test_remote_in_a_folder_outside_is_set_in_both_places(repo: Repo) -> None:
    said = repo.kit("remote", "oci-layout:../store").stderr
    assert said == "oci-layout:../store is the remote now (set in .gitkit.toml, git config kit.url)\n"
    assert repo.out("config", "kit.url") == "oci-layout:../store"


def test_remote_that_a_person_overrides_everywhere_warns(repo: Repo) -> None:
    repo.git("config", "--global", "kit.url", "oci-layout:mine")
    assert "goes first" in repo.kit("remote", "oci://registry.example.com/acme/llm").stderr


@pytest.mark.parametrize("url", ["https://user:s3cret@registry.example.com/x", "oci://user:s3cret@host/x", "nonsense"])
def test_remote_that_is_none_is_a_usage_error_without_the_password(repo: Repo, url: str) -> None:
    done = repo.kit("remote", url, code=2)
    assert "s3cret" not in done.stdout + done.stderr
    assert not (repo.path / ".gitkit.toml").exists()


# -- login, logout ---------------------------------------------------------------------------------------------------


@pytest.mark.real_registry
def test_login_is_tried_stored_used_and_forgotten(repo: Repo, real_registry_with_login: RealRegistry) -> None:
    host = real_registry_with_login.host
    config = Path(repo.environ["DOCKER_CONFIG"], "config.json")
    repo.kit("remote", f"oci://{host}/acme/llm")
    finding = {item["name"]: item for item in json.loads(repo.kit("doctor", "--json", code=1).stdout)}["remote"]
    assert not finding["ok"]

    done = repo.kit("login", host, "-u", USER, "--password-stdin", stdin=b"wr0ng-one\n", code=12)
    assert "wr0ng-one" not in done.stdout + done.stderr
    assert f"{host} does not accept this user and password" in done.stderr
    assert not config.exists()

    done = repo.kit("login", host, "-u", USER, "--password-stdin", stdin=f"{PASSWORD}\n".encode())
    assert PASSWORD not in done.stdout + done.stderr
    assert f"logged in to {host} as {USER}" in done.stderr
    finding = {item["name"]: item for item in json.loads(repo.kit("doctor", "--json", code=1).stdout)}["remote"]
    assert finding["ok"]

    assert repo.kit("logout", host).stderr == f"logged out of {host}\n"
    assert host not in config.read_text()
    assert "no credentials" in repo.kit("logout", host).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["registry.example.com"],
        ["registry.example.com", "--password-stdin"],
        ["registry.example.com/acme", "-u", "ada", "--password-stdin"],
        ["oci-layout:x", "-u", "ada", "--password-stdin"],
        ["registry.example.com", "-u", "ada", "--password-stdin"],
        ["registry.example.com", "-u", "ada", "-p", "s3cret"],
    ],
    ids=["no terminal", "no user", "a repository", "a folder", "no password", "password as argument"],
)
def test_login_without_what_it_needs_is_a_usage_error(repo: Repo, arguments: list[str]) -> None:
    assert "error:" in repo.kit("login", *arguments, code=2).stderr
    assert not Path(repo.environ["DOCKER_CONFIG"]).exists()


# -- doctor, kitfile, completion -------------------------------------------------------------------------------------


def test_doctor_prints_findings_and_fixes_and_exits_with_1(repo: Repo) -> None:
    done = repo.kit("doctor", code=1)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ok     git           git 2.")
    at = lines.index("WRONG  filter        not configured: Git would store large files as they are")
    assert lines[at + 1].strip() == "-> git kit install"
    assert done.stderr == "\n3 things are wrong\n"


def test_doctor_where_nothing_is_wrong_exits_with_0(kit_repo: Repo, bare: Repo) -> None:
    kit_repo.git("remote", "add", "origin", str(bare.path))
    done = kit_repo.kit("doctor")
    assert done.stderr == "\nnothing is wrong\n"
    assert "WRONG" not in done.stdout


def test_doctor_tells_a_folder_that_is_not_there_and_one_that_this_clone_does_not_write_to(
    kit_repo: Repo, tmp_path: Path
) -> None:
    kit_repo.write(".gitkit.toml", '[remote]\nurl = "oci-layout:../away"\n')
    lines = [
        line.split(None, 2)[2] for line in kit_repo.kit("doctor", code=None).stdout.splitlines() if " remote " in line
    ]
    assert lines[:2] == [
        f"oci-layout:../away: there is no folder {tmp_path / 'away'} so far; the first push makes it",
        "this clone reads it and does not write: if you trust it: git config kit.url oci-layout:../away",
    ]


def test_doctor_outside_of_a_repository_examines_the_machine(tmp_path: Path, environ: dict[str, str]) -> None:
    run(["git", "kit", "install"], cwd=tmp_path, environ=environ)
    found = json.loads(run(["git", "kit", "doctor", "--json"], cwd=tmp_path, environ=environ).stdout)
    assert [item["name"] for item in found] == ["git", "git-kit", "filter"]


def test_kitfile_written_is_valid_and_shown(repo: Repo) -> None:
    repo.write("sub/model.onnx", CONTENT)
    repo.write("README.md", "# llm\n")
    assert repo.kit("kitfile", "write", cwd="sub").stderr == "wrote ../Kitfile\n"
    assert repo.kit("kitfile", "check", cwd="sub").stderr == "Kitfile is valid\n"
    assert repo.kit("kitfile", "show").stdout == "SECTION  PATH\nmodel    sub/model.onnx\ndocs     README.md\n"
    shown = json.loads(repo.kit("kitfile", "show", "--json").stdout)
    assert shown["model"] == {"name": "repo", "path": "sub/model.onnx", "format": "onnx"}
    repo.kit("kitfile", "write", code=13)


def test_kitfile_with_problems_lists_all_with_their_lines(repo: Repo) -> None:
    repo.write("other.yaml", "package:\n  nam: x\nmodel:\n  path: /etc/passwd\ncode:\n  - path: ../x\n")
    said = repo.kit("kitfile", "check", "other.yaml", code=16).stderr
    assert 'line 2: package.nam: unknown key, did you mean "name"?' in said
    assert "line 4: model.path" in said
    assert "line 6: code[0].path" in said


def test_kitfile_that_is_not_there_is_not_found(repo: Repo) -> None:
    for arguments in (["check"], ["check", "none"], ["show"]):
        assert "git kit kitfile write" in repo.kit("kitfile", *arguments, code=10).stderr


def completed(repo: Repo, script: str, *words: str) -> list[str]:
    """What bash offers after ``words``, the last of which is being typed."""
    lines = [script, f"COMP_WORDS=({' '.join(repr(word) for word in words)})", f"COMP_CWORD={len(words) - 1}"]
    lines += ["_git_kit", 'printf "%s\\n" "${COMPREPLY[@]}"']
    return run(["bash", "-c", "\n".join(lines)], cwd=repo.path, environ=repo.environ).stdout.split()


def test_completion_in_bash_offers_commands_options_and_tags(repo: Repo) -> None:
    script = repo.kit("completion", "bash").stdout
    repo.commit()
    repo.git("tag", "v1.0.0")
    assert completed(repo, script, "git", "kit", "unt") == ["untrack"]
    assert completed(repo, script, "git-kit", "track", "--f") == ["--filename"]
    assert completed(repo, script, "git", "kit", "kitfile", "") == ["check", "write", "init", "show"]
    assert completed(repo, script, "git", "kit", "kitfile", "write", "--") == ["--force", "--help"]
    assert completed(repo, script, "git", "kit", "release", "") == ["v1.0.0"]
    assert completed(repo, script, "git", "kit", "completion", "z") == ["zsh"]


@pytest.mark.parametrize(("shell", "start"), [("zsh", "#compdef git-kit\n"), ("fish", "# fish completion")])
def test_completion_of_other_shells_starts_as_they_need(repo: Repo, shell: str, start: str) -> None:
    assert repo.kit("completion", shell).stdout.startswith(start)
    repo.kit("completion", "tcsh", code=2)


def test_hooks_in_a_clone_of_a_husky_repository_go_to_its_folder(repo: Repo, tmp_path: Path) -> None:
    repo.commit(files={".husky/pre-commit": "npm test\n"})
    clone = repo.clone(tmp_path / "clone")
    clone.git("config", "core.hooksPath", ".husky/_")
    said = clone.kit("install").stderr
    assert "hooks in .husky:" in said
    assert "husky runs these, and Git tracks them: commit them." in said
    assert clone.read(".husky/pre-commit").endswith(b"npm test\n")
    assert subprocess.run(["sh", "-n", clone.path / ".husky/pre-commit"], check=False).returncode == 0


def test_install_in_a_linked_worktree_by_worktree(repo: Repo, tmp_path: Path) -> None:
    repo.commit()
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Repo(tmp_path / "linked", repo.environ)
    assert "git config extensions.worktreeConfig true" in linked.kit("install", "--worktree", code=2).stderr
    linked.git("config", "extensions.worktreeConfig", "true")
    linked.kit("install", "--worktree")
    assert repo.git("config", "filter.kit.process", code=1).stdout == ""
    assert os.path.exists(repo.path / ".git/hooks/pre-push")
