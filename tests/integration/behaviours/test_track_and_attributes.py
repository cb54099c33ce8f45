"""Which files are under the filter: `git kit track`, and every other way in which Git lets a person say it.

Patterns with odd characters and line ends of ``.gitattributes``: tests/unit/git/test_attributes.py. What is refused,
escaped names, files that Git looks at again: tests/unit/setup/test_track_patterns.py.
"""

import json
from pathlib import Path

import pytest

from tests.lib.large_files import ATTRIBUTES, A, B, pointer_to, store_blob
from tests.lib.repos import Repo, init


def tracked(repo: Repo, *, cwd: str = ".") -> list[str]:
    """The patterns that `git kit track` lists."""
    return [item["pattern"] for item in json.loads(repo.kit("track", "--json", cwd=cwd).stdout)]


def held(repo: Repo, path: str = "a.bin", data: bytes = A) -> bool:
    """Whether Git holds ``data`` as a pointer."""
    repo.write(path, data)
    repo.git("add", "--all")
    return repo.blob(f":{path}") == pointer_to(data)


# -- git kit track ---------------------------------------------------------------------------------------------------


def test_track_in_the_index_and_the_worktree_of_another_folder(repo: Repo, tmp_path: Path) -> None:
    elsewhere = init(tmp_path / "elsewhere", repo.environ)
    there = {"GIT_DIR": str(repo.path / ".git"), "GIT_WORK_TREE": str(repo.path)}
    elsewhere.kit("track", "*.dat", extra=there)
    assert not (elsewhere.path / ".gitattributes").exists()
    assert tracked(repo) == ["*.bin", "*.dat"]
    elsewhere.kit("untrack", "*.dat", extra=there)
    assert tracked(repo) == ["*.bin"]


def test_track_in_a_repository_that_a_link_leads_to(repo: Repo, tmp_path: Path) -> None:
    (repo.path / "sub").mkdir()
    (tmp_path / "link").symlink_to(repo.path)
    linked = Repo(tmp_path / "link", repo.environ)
    linked.kit("track", "*.dat")
    linked.kit("track", "*.pt", cwd="sub")
    assert tracked(repo) == ["*.bin", "*.dat", "*.pt"]
    assert repo.read("sub/.gitattributes").startswith(b"*.pt ")


def test_track_keeps_comments_and_carriage_returns_and_git_obeys(repo: Repo) -> None:
    repo.git("config", "core.autocrlf", "true")
    repo.write(".gitattributes", "# mine\r\n*.txt text\r\n")
    repo.kit("track", "*.bin")
    assert repo.read(".gitattributes") == b"# mine\r\n*.txt text\r\n*.bin filter=kit diff=kit merge=kit -text\r\n"
    assert held(repo)
    repo.kit("untrack", "*.bin")
    assert repo.read(".gitattributes") == b"# mine\r\n*.txt text\r\n"


def test_track_of_a_pattern_from_the_root_leaves_folders_alone(repo: Repo) -> None:
    repo.write(".gitattributes", "")
    repo.kit("track", "/*.dat")
    assert held(repo, "a.dat")
    assert not held(repo, "sub/a.dat")


def test_untrack_takes_the_pattern_as_it_is_written_or_by_the_file_name(repo: Repo) -> None:
    repo.write("[1] a.bin", A)
    repo.kit("track", "--filename", "[1] a.bin")
    assert b'"\\\\[1] a.bin"' in repo.read(".gitattributes")
    repo.kit("untrack", "[1] a.bin")
    repo.kit("track", "./sub/*.pt")
    repo.kit("untrack", "sub/*.pt")
    assert repo.read(".gitattributes").decode() == ATTRIBUTES


def test_track_of_a_file_that_git_holds_makes_the_next_add_convert_it_whatever_its_age(repo: Repo) -> None:
    repo.commit("first", {"old.dat": A, "other.txt": "text\n"})
    repo.kit("track", "*.dat")
    assert repo.out("status", "--porcelain") == " M .gitattributes\n M old.dat"
    repo.git("add", "--all")
    assert repo.blob(":old.dat") == pointer_to(A)
    assert repo.read("old.dat") == A


def test_track_lists_the_patterns_of_the_person_for_all_repositories(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "everywhere").write_text("*.dat filter=kit -text\n")
    repo.git("config", "--global", "core.attributesFile", str(tmp_path / "everywhere"))
    assert held(repo, "a.dat")
    assert tracked(repo) == ["*.bin", "*.dat"]


# -- other ways ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["macro", "info", "home"])
def test_attributes_from_any_place_count_for_every_command(repo: Repo, bare: Repo, place: str) -> None:
    repo.write(".gitattributes", "")
    home = Path(repo.environ["HOME"])
    if place == "macro":
        repo.write(".gitattributes", "[attr]big filter=kit diff=kit merge=kit -text\nmodels/*.bin big\n")
    elif place == "info":
        repo.write(".git/info/attributes", "models/*.bin filter=kit -text\n")
    else:
        (home / ".config" / "git").mkdir(parents=True)
        (home / ".config" / "git" / "attributes").write_text("models/*.bin filter=kit -text\n")
    repo.commit("first", {"models/a.bin": A, "b.bin": B})
    assert (repo.blob(":models/a.bin"), repo.blob(":b.bin")) == (pointer_to(A), B)
    assert [item["path"] for item in json.loads(repo.kit("ls-files", "--json").stdout)] == ["models/a.bin"]
    repo.git("remote", "add", "origin", str(bare.path))
    repo.git("push", "--quiet", "origin", "main")
    store_blob(repo, A).unlink()
    (repo.path / "models/a.bin").unlink()
    repo.git("checkout", "--", "models/a.bin")
    assert repo.read("models/a.bin") == A
    assert "1 blob, " in repo.kit("fsck").stdout


def test_file_that_a_later_line_takes_out_is_content_and_no_command_minds(repo: Repo) -> None:
    repo.write(".gitattributes", f"{ATTRIBUTES}1.bin -filter\n2.bin !filter\n3.bin filter=other\n")
    repo.commit("first", {"a.bin": A, "1.bin": B, "2.bin": B, "3.bin": B})
    assert [repo.blob(f":{name}.bin") for name in "a123"] == [pointer_to(A), B, B, B]
    assert "1 blob, 97.7 KiB: 0 damaged" in repo.kit("fsck").stdout
    assert [item["path"] for item in json.loads(repo.kit("ls-files", "--json").stdout)] == ["a.bin"]
    assert repo.out("status", "--porcelain") == ""


def test_attributes_that_only_the_index_has_count_at_the_first_checkout(author: Repo, origin: Repo) -> None:
    clone = origin.clone(author.path.parent / "clone", "--no-checkout")
    clone.git("checkout", "--quiet", "main")
    assert clone.read("models/a.bin") == A
    assert clone.out("status", "--porcelain") == ""
