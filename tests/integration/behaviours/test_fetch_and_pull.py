"""What `git kit fetch` and `git kit pull` download, and from where.

A store that cannot be written, content that the remote lost: tests/integration/test_bad_input.py. Several Git remotes:
test_worktrees_and_clones.py. There is no rule that guesses which refs are recent: `git kit fetch` is told the
revisions, or --all.
"""

import json
from pathlib import Path

import pytest

from tests.lib.large_files import LARGE, SKIP, TOP, A, B, Template, copy_of, in_worktree, pointer_to, store_blob
from tests.lib.registries import REPOSITORY, FaultRegistry
from tests.lib.repos import Repo, some_bytes

OLD, SIDE, TAGGED, LOOSE = (some_bytes(4000 + seed, seed) for seed in (11, 12, 13, 14))


@pytest.fixture(scope="module")
def grown(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """``template`` after the remote got a branch, a tag that no branch leads to, and content that HEAD has no more."""
    folder, environ = tmp_path_factory.mktemp("grown"), template.author.environ
    grown = Template(*(copy_of(repo, folder / repo.path.name, environ) for repo in template))
    for repo in (grown.author, grown.lazy):
        repo.git("remote", "set-url", "origin", str(grown.origin.path))
    author = grown.author
    author.commit("old", {"top.bin": OLD})
    author.commit("new", {"top.bin": TOP})
    author.git("switch", "--quiet", "--create", "side")
    author.commit("side", {"side.bin": SIDE})
    author.git("switch", "--quiet", "--detach")
    author.commit("tagged", {"tagged.bin": TAGGED})
    author.git("tag", "--annotate", "--message", "one", "v1")
    author.git("push", "--quiet", "origin", "main", "side", "v1")
    grown.lazy.git("pull", "--quiet", "--tags", extra=SKIP)
    return grown


@pytest.fixture
def history(grown: Template, tmp_path: Path, environ: dict[str, str]) -> Repo:
    """``grown.lazy``: a clone of pointers, with all refs."""
    return copy_of(grown.lazy, tmp_path / "history", environ)


def here(repo: Repo) -> str:
    """Which of the contents the store has."""
    names = {"A": A, "B": B, "TOP": TOP, "OLD": OLD, "SIDE": SIDE, "TAGGED": TAGGED}
    return " ".join(name for name, data in names.items() if store_blob(repo, data).exists())


# -- fetch -----------------------------------------------------------------------------------------------------------


def test_fetch_brings_what_the_index_needs_and_leaves_the_worktree(history: Repo) -> None:
    done = history.kit("fetch")
    assert "3 files, 102.5 KiB" in done.stderr
    assert here(history) == "A B TOP"
    assert in_worktree(history) == {path: pointer_to(data) for path, data in LARGE.items()}
    assert "nothing to download" in history.kit("fetch").stderr


def test_fetch_of_several_revisions_brings_what_they_need_and_no_more(history: Repo) -> None:
    history.kit("fetch", "origin/side", "v1", "-I", "side.bin", "-I", "tagged.bin")
    assert here(history) == "SIDE TAGGED"
    history.kit("fetch", "HEAD~1", "-I", "top.bin")
    assert here(history) == "OLD SIDE TAGGED"


def test_fetch_all_brings_all_history_of_all_refs(history: Repo) -> None:
    history.kit("fetch", "--all")
    assert here(history) == "A B TOP OLD SIDE TAGGED"


def test_fetch_of_what_is_no_revision_changes_nothing(lazy: Repo) -> None:
    for revision in ("nonsense", "HEAD:top.bin", "0" * 40, "-x"):
        done = lazy.kit("fetch", "--", "HEAD", revision, code=10)
        assert "is not a commit, branch or tag here" in done.stderr
    assert here(lazy) == ""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-I", "models/*"], "A B"),
        (["-I", "models/"], "A B"),
        (["-X", "models"], "TOP"),
        (["-I", "models/*", "-X", "*a.bin"], "B"),
        (["-I", "models/a.bin", "-I", "top.bin"], "A TOP"),
        (["-X", "models/b.bin"], "A B TOP"),
        (["-X", "*"], ""),
    ],
)
def test_fetch_takes_files_that_match_and_content_that_any_of_them_needs(
    lazy: Repo, options: list[str], expected: str
) -> None:
    # models/same.bin has the content of models/b.bin: excluded at one path, it is still needed at the other.
    lazy.kit("fetch", *options)
    assert here(lazy) == expected


@pytest.mark.parametrize("path", ["models//", "./models/*"])
def test_fetch_of_a_path_in_another_spelling_is_the_same_path(lazy: Repo, path: str) -> None:
    lazy.kit("fetch", "-I", path)
    assert here(lazy) == "A B"


def test_fetch_where_nothing_matches_tells_so(lazy: Repo) -> None:
    assert "no large file matches *.none" in lazy.kit("fetch", "-I", "*.none", code=10).stderr
    assert here(lazy) == ""


def test_fetch_by_kit_url_needs_no_git_remote(lazy: Repo, origin: Repo) -> None:
    lazy.git("remote", "remove", "origin")
    assert "no remote is configured" in lazy.kit("fetch", code=10).stderr
    lazy.git("config", "kit.url", f"oci-layout:{origin.path / 'kit'}")
    lazy.kit("fetch")
    assert here(lazy) == "A B TOP"


def test_fetch_in_a_bare_repository_brings_what_head_needs(lazy: Repo, origin: Repo) -> None:
    mirror = origin.clone(origin.path.parent / "mirror.git", "--mirror")
    mirror.kit("fetch", "main")
    assert here(mirror) == "A B TOP"
    assert "nothing to download" in mirror.kit("fetch", "--all").stderr
    assert store_blob(mirror, A) == mirror.path / "kit/blobs/sha256" / store_blob(mirror, A).name


def test_fetch_and_pull_in_a_bare_repository_without_revision_take_head(origin: Repo) -> None:
    for command in ("fetch", "pull"):
        mirror = origin.clone(origin.path.parent / f"{command}.git", "--bare")
        mirror.kit(command)
        assert here(mirror) == "A B TOP"


# -- pull ------------------------------------------------------------------------------------------------------------


def test_pull_brings_only_files_that_are_still_pointers(lazy: Repo) -> None:
    lazy.write("models/a.bin", b"mine")
    lazy.kit("pull")
    assert here(lazy) == "B TOP"
    assert lazy.read("models/a.bin") == b"mine"


def test_pull_of_the_same_content_in_two_files_downloads_it_once(lazy: Repo, fault_registry: FaultRegistry) -> None:
    lazy.git("config", "kit.url", f"oci://{fault_registry.host}/{REPOSITORY}")
    for data in (A, B, TOP):
        fault_registry.add_blob(REPOSITORY, data)
    lazy.kit("pull")
    assert in_worktree(lazy) == LARGE
    assert len(fault_registry.seen("GET", "/blobs/sha256:")) == 3


def test_pull_of_some_paths_leaves_the_rest_for_the_next(lazy: Repo) -> None:
    lazy.kit("pull", "top.bin", "-I", "models/a.bin")
    assert here(lazy) == "A TOP"
    status = json.loads(lazy.kit("status", "--json").stdout)
    assert [item["path"] for item in status["missing"]] == ["models/b.bin", "models/same.bin"]
    lazy.kit("pull")
    assert in_worktree(lazy) == LARGE


def test_pull_after_git_pull_that_rebases_brings_what_the_new_base_has(author: Repo, lazy: Repo) -> None:
    author.commit("theirs", {"theirs.bin": SIDE})
    author.git("push", "--quiet", "origin", "main")
    lazy.kit("pull")
    lazy.commit("mine", {"mine.bin": OLD})
    lazy.git("pull", "--quiet", "--rebase", extra=SKIP)
    assert lazy.read("theirs.bin") == pointer_to(SIDE)
    lazy.kit("pull")
    assert in_worktree(lazy, "theirs.bin", "mine.bin") == {"theirs.bin": SIDE, "mine.bin": OLD}
    assert lazy.out("status", "--porcelain") == ""
