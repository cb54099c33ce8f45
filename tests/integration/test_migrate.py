"""`git kit migrate import`, `export` and `info`: what changes in a history, what stays, and what is refused."""

import csv
import json
import os
import random
import signal
from pathlib import Path

import pytest

from tests.lib.histories import LARGE, OTHER, SMALL, awkward, content, contents, files_of, headers
from tests.lib.large_files import (
    ATTRIBUTES,
    MIB,
    copy_of,
    lfs_pointer_to,
    machine,
    move_in,
    pointer_to,
    store_blob,
)
from tests.lib.repos import Repo, clean_environ, init

NEGATED = "!filter !diff !merge !text"
BIN = ("--include", "*.bin")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Where `git kit install` was run once: its configuration and hooks are given to all repositories here."""
    return machine(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def environ(environ: dict[str, str], installed: Repo) -> dict[str, str]:
    move_in(environ, installed)
    return environ


@pytest.fixture(scope="session")
def three_commits(tmp_path_factory: pytest.TempPathFactory, installed: Repo) -> Repo:
    """What ``history`` is a copy of."""
    repo = init(tmp_path_factory.mktemp("history") / "repo", installed.environ)
    repo.commit("one", {"a.txt": "text\n", "m/model.bin": LARGE})
    repo.git("tag", "v1")
    repo.commit("two", {"m/model.bin": OTHER, "b.txt": LARGE})
    repo.git("tag", "--annotate", "--message", "second", "v2")
    repo.git("rm", "--quiet", "m/model.bin")
    repo.commit("three")
    return repo


@pytest.fixture
def history(three_commits: Repo, tmp_path: Path, environ: dict[str, str]) -> Repo:
    """Three commits: a large file comes, changes, and goes; a tag on the first two."""
    return copy_of(three_commits, tmp_path / "repo", environ)


def refs(repo: Repo) -> dict[str, str]:
    """All refs but those that keep old ones."""
    lines = repo.out("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return {name: oid for name, oid in (line.split(" ") for line in lines) if not name.startswith("refs/kit/")}


def renamed(path: Path) -> dict[str, str]:
    """What ``--object-map`` wrote."""
    with path.open(newline="") as file:
        return dict(csv.reader(file))  # type: ignore[arg-type]


def refs_at(repo: Repo, *names: str) -> dict[str, str]:
    """What branches and tags name."""
    return {name: repo.out("rev-parse", name) for name in names}


def pushed(repo: Repo, bare: Repo) -> dict[str, str]:
    """The branches and tags of ``bare``."""
    lines = [line.split("\t") for line in repo.out("ls-remote", "--refs", str(bare.path)).splitlines()]
    return {ref.split("/", 2)[2]: oid for oid, ref in lines}


def age(repo: Repo) -> None:
    """Make the worktree's files older than the index, as they are when somebody has not written them just now."""
    for path in repo.out("ls-files", "-z").split("\0")[:-1]:
        if (repo.path / path).is_file():
            os.utime(repo.path / path, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    repo.git("update-index", "-q", "--refresh")


def status(repo: Repo) -> tuple[str, int]:
    """What `git status` says, and how many filters it started to say it."""
    done = repo.git("status", "--porcelain", extra={"GIT_TRACE": "1"})
    return done.stdout, sum("run_command" in line and "filter-process" in line for line in done.stderr.splitlines())


def clean(repo: Repo) -> bool:
    """Whether Git finds nothing to say, after it has looked at every file again."""
    return repo.out("status", "--porcelain") == "" and repo.out("fsck", "--no-dangling") == ""


# -- import: what stays --------------------------------------------------------------------------------------------


def test_import_of_an_awkward_history_changes_large_files_and_attributes_only(repo: Repo, tmp_path: Path) -> None:
    awkward(repo)
    before = refs(repo)
    old_trees = {oid: files_of(repo, oid) for oid in repo.out("rev-list", "--branches", "--tags").split()}
    old_commits = contents(repo, old_trees)
    repo.kit("migrate", "import", *BIN, "--everything", "--object-map", str(tmp_path / "map.csv"))
    new_names = renamed(tmp_path / "map.csv")
    first = before["refs/tags/first"]
    assert new_names.keys() == old_trees.keys() - {first}
    for old, new in new_names.items():
        wanted, found = old_trees[old], files_of(repo, new)
        assert content(repo, found.pop(b".gitattributes").oid) == ATTRIBUTES.encode()
        assert found.keys() == wanted.keys()
        for path, row in wanted.items():
            assert found[path].mode == row.mode
            is_large = path.endswith(b".bin") and row.mode.startswith("100")
            if row.mode == "160000" or not is_large:
                assert found[path].oid == row.oid
            else:
                assert content(repo, found[path].oid) == pointer_to(content(repo, row.oid))
        parents = [new_names.get(oid, oid) for oid in repo.out("rev-parse", f"{old}^@").split()]
        assert repo.out("rev-parse", f"{new}^@").split() == parents
        lost = (b"gpgsig", b"mergetag")
        assert headers(content(repo, new)) == [it for it in headers(old_commits[old]) if not it.startswith(lost)]
    assert b"100664 old.bin\0" in content(
        repo, repo.out("rev-parse", f"{new_names[before['refs/heads/side']]}^{{tree}}")
    )
    for data in (LARGE, OTHER, SMALL):
        assert store_blob(repo, data).read_bytes() == data


def test_import_moves_every_kind_of_tag_with_its_commit(repo: Repo, tmp_path: Path) -> None:
    awkward(repo)
    before = refs(repo)
    old_tags = {name: content(repo, name) for name in ("annotated", "nested")}
    repo.kit("migrate", "import", *BIN, "--everything", "--object-map", str(tmp_path / "map.csv"))
    new_names, after = renamed(tmp_path / "map.csv"), refs(repo)
    assert after.keys() == before.keys()
    for same in ("first", "blob", "tree"):
        assert after[f"refs/tags/{same}"] == before[f"refs/tags/{same}"]
    for ref in ("refs/heads/main", "refs/heads/side", "refs/tags/light"):
        assert after[ref] == new_names[before[ref]]
    for name, data in old_tags.items():
        target = new_names[repo.out("rev-parse", f"{before[f'refs/tags/{name}']}^{{commit}}")]
        assert repo.out("rev-parse", f"{name}^{{commit}}") == target
        assert content(repo, name).partition(b"\n")[2] == data.partition(b"\n")[2]
    assert content(repo, "nested").startswith(b"object " + after["refs/tags/annotated"].encode())


def test_import_reports_signatures_that_are_lost_and_keeps_those_of_other_commits(repo: Repo) -> None:
    awkward(repo)
    done = repo.kit("migrate", "import", *BIN, "--everything")
    assert "no signature any more on 2 commits" in done.stderr
    assert "no signature any more on the tags signed\n" in done.stderr
    assert b"SIGNATURE" not in content(repo, "signed") + content(repo, "main") + content(repo, "main^1^1")
    assert b"signed\n" in content(repo, "signed")


def test_import_leaves_a_clean_worktree_and_reads_no_file_again(repo: Repo) -> None:
    awkward(repo)
    age(repo)
    before = {path: os.stat(repo.path / path) for path in ("deep/model.bin", "tool.bin")}
    repo.kit("migrate", "import", *BIN, "--everything")
    assert status(repo) == ("", 0)
    for path, stat in before.items():
        assert os.stat(repo.path / path) == stat or os.stat(repo.path / path).st_mtime_ns == stat.st_mtime_ns
        assert os.stat(repo.path / path).st_ino == stat.st_ino
    assert repo.read("small.bin") == SMALL
    assert repo.read(".gitattributes") == ATTRIBUTES.encode()
    for path in ("deep/model.bin", "tool.bin", "small.bin"):
        os.utime(repo.path / path)
    assert clean(repo)


def test_import_again_finds_nothing_to_do(history: Repo) -> None:
    history.kit("migrate", "import", *BIN, "--everything")
    before = history.out("for-each-ref")
    done = history.kit("migrate", "import", *BIN, "--everything")
    assert "nothing to do in 3 commits of all local branches and tags" in done.stderr
    assert history.out("for-each-ref") == before


def test_import_keeps_lines_for_a_pattern_once_a_file_of_it_has_come(history: Repo) -> None:
    history.kit("migrate", "import", *BIN, "--everything")
    for rev in ("main", "v1", "v2"):
        assert history.blob(f"{rev}:.gitattributes") == ATTRIBUTES.encode()
    assert history.blob("v1:m/model.bin") == pointer_to(LARGE)
    assert history.blob("main:b.txt") == LARGE


def test_import_in_a_sha256_repository_is_the_same(tmp_path: Path, environ: dict[str, str]) -> None:
    repo = init(tmp_path / "repo", environ, "--object-format=sha256")
    awkward(repo)
    repo.kit("migrate", "import", *BIN, "--everything")
    assert repo.blob("main:deep/model.bin") == pointer_to(LARGE)
    assert clean(repo)


def test_import_in_a_bare_repository_moves_its_refs(history: Repo, bare: Repo) -> None:
    history.git("push", "--quiet", str(bare.path), "main", "v1", "v2")
    bare.kit("migrate", "import", *BIN, "--everything")
    assert bare.blob("v1:m/model.bin") == pointer_to(LARGE)
    assert (bare.path / "kit" / "blobs").exists()
    assert bare.out("fsck", "--no-dangling") == ""


def test_import_writes_trees_that_change_little_as_differences(repo: Repo) -> None:
    paths = [b"folder/a-rather-long-name-%d.txt" % number for number in range(400)]
    stream = b""
    for number in range(60):
        stream += b"commit refs/heads/main\ncommitter Ada <> %d +0000\ndata 0\n" % (1_600_000_000 + number)
        for path in paths if number == 0 else paths[number * 5 : number * 5 + 1]:
            stream += b"M 100644 inline %s\ndata 2\n%02d\n" % (path, number)
        stream += b"M 100644 inline x.bin\ndata 5\nlarge\n"
    repo.git("fast-import", "--quiet", stdin=stream)
    repo.git("reset", "--quiet", "--hard")
    repo.kit("migrate", "import", *BIN)
    folder = repo.path / ".git" / "objects" / "pack"
    sizes = [path.stat().st_size for path in sorted(folder.glob("*.pack"), key=lambda path: path.stat().st_mtime_ns)]
    assert sizes[-1] < 60_000
    assert clean(repo)


# -- import: which files -------------------------------------------------------------------------------------------


def test_import_above_a_size_writes_the_path_of_each_file_as_long_as_it_is_large(repo: Repo) -> None:
    names = {"a b.dat": LARGE, "w[1]*?.dat": LARGE, "dir/x.dat": LARGE, "small.dat": SMALL, 'q"\\.dat': LARGE}
    repo.commit("one", names)
    repo.commit("two", {"dir/x.dat": b"small now\n"})
    repo.kit("migrate", "import", "--above", "10k")
    lines = repo.blob("main^:.gitattributes").decode().splitlines()
    assert len(lines) == 4
    assert "/dir/x.dat filter=kit diff=kit merge=kit -text" in lines
    assert len(repo.blob("main:.gitattributes").splitlines()) == 3
    attributes = repo.out("check-attr", "filter", *names, "1.dat", "w[1]abc.dat")
    assert attributes.count(": kit") == 3
    assert {name for name in names if repo.blob(f"main^:{name}").startswith(b"version git-kit")} == {
        "a b.dat",
        "w[1]*?.dat",
        "dir/x.dat",
        'q"\\.dat',
    }
    assert clean(repo)


def test_import_above_with_patterns_takes_only_what_is_both(repo: Repo) -> None:
    repo.commit("one", {"a.bin": LARGE, "b.bin": SMALL, "c.txt": LARGE})
    repo.kit("migrate", "import", *BIN, "--above", "10k")
    assert repo.blob("main:a.bin") == pointer_to(LARGE)
    assert (repo.blob("main:b.bin"), repo.blob("main:c.txt")) == (SMALL, LARGE)
    assert repo.read(".gitattributes") == b"/a.bin filter=kit diff=kit merge=kit -text\n"
    assert clean(repo)


def test_import_with_exclude_says_so_in_the_attributes(repo: Repo) -> None:
    repo.commit("one", {"a.bin": LARGE, "keep/b.bin": LARGE})
    repo.kit("migrate", "import", *BIN, "--exclude", "keep/**")
    assert (repo.blob("main:a.bin"), repo.blob("main:keep/b.bin")) == (pointer_to(LARGE), LARGE)
    assert repo.read(".gitattributes").decode() == f"{ATTRIBUTES}keep/** {NEGATED}\n"
    os.utime(repo.path / "keep/b.bin")
    assert clean(repo)


def test_import_puts_its_lines_behind_those_that_were_there(repo: Repo) -> None:
    repo.commit("one", {".gitattributes": "*.bin -filter text\r\n# note\r\n*.txt text\r\n", "a.bin": LARGE})
    repo.kit("migrate", "import", *BIN)
    line = ATTRIBUTES.replace("\n", "\r\n")
    assert repo.read(".gitattributes").decode() == f"*.bin -filter text\r\n# note\r\n*.txt text\r\n{line}"
    assert clean(repo)


def test_import_moves_a_line_that_a_later_one_takes_back_to_the_end(repo: Repo) -> None:
    repo.write(".gitattributes", f"{ATTRIBUTES}*.bin -filter\n")
    repo.commit("one", {"a.bin": LARGE})
    repo.kit("migrate", "import", *BIN)
    assert repo.read(".gitattributes").decode() == f"*.bin -filter\n{ATTRIBUTES}"
    assert clean(repo)


def test_import_of_a_file_that_attributes_below_forbid_adds_its_path_there(repo: Repo) -> None:
    repo.commit("one", {"sub/.gitattributes": "[ab].bin -filter\n", "sub/deep/a.bin": LARGE, "sub/c.bin": OTHER})
    repo.kit("migrate", "import", *BIN)
    expected = "[ab].bin -filter\n/deep/a.bin filter=kit diff=kit merge=kit -text\n"
    assert repo.read("sub/.gitattributes").decode() == expected
    assert repo.out("check-attr", "filter", "sub/deep/a.bin", "sub/c.bin", "sub/b.bin").splitlines() == [
        "sub/deep/a.bin: filter: kit",
        "sub/c.bin: filter: kit",
        "sub/b.bin: filter: unset",
    ]
    assert clean(repo)


def test_import_understands_macros_that_take_the_filter_away(repo: Repo) -> None:
    repo.commit("one", {".gitattributes": "[attr]plain -filter\n", "sub/.gitattributes": "*.bin plain\n"})
    repo.commit("two", {"sub/a.bin": LARGE})
    repo.kit("migrate", "import", *BIN)
    assert repo.out("check-attr", "filter", "sub/a.bin") == "sub/a.bin: filter: kit"
    assert clean(repo)


def test_import_leaves_pointers_and_empty_files_as_they_are(repo: Repo) -> None:
    files = {"kit.bin": pointer_to(LARGE), "lfs.bin": lfs_pointer_to(LARGE), "empty.bin": b"", "a.bin": OTHER}
    repo.commit("one", files)
    repo.kit("migrate", "import", *BIN)
    assert repo.blob("main:kit.bin") == pointer_to(LARGE)
    assert repo.blob("main:lfs.bin") == lfs_pointer_to(LARGE)
    assert repo.blob("main:empty.bin") == b""


def test_import_never_takes_what_must_stay_readable(repo: Repo) -> None:
    repo.commit("one", {"Kitfile": LARGE, "sub/.gitignore": LARGE, "x": LARGE})
    repo.kit("migrate", "import", "--above", "1k")
    assert (repo.blob("main:Kitfile"), repo.blob("main:sub/.gitignore")) == (LARGE, LARGE)
    assert repo.blob("main:x") == pointer_to(LARGE)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "say which files"),
        (("--include", "*"), '"*" takes in .gitattributes'),
        (("--include", "!a"), "what is not meant is named by --exclude"),
        (("--include", "models/"), "is a folder"),
        (("--include", ""), "an empty pattern"),
        (("--above", "many"), '"many" is not a size'),
        (("--include", "*.bin", "--everything", "main"), "names all branches and tags already"),
        (("--include", "*.bin", "-m", "text"), "keeps its message"),
        (("--no-rewrite",), "say which files"),
    ],
)
def test_import_with_a_command_line_that_makes_no_sense_is_usage(
    history: Repo, args: tuple[str, ...], said: str
) -> None:
    assert said in history.kit("migrate", "import", *args, code=2).stderr


def test_import_takes_lists_of_patterns(repo: Repo) -> None:
    repo.commit("one", {"a.bin": LARGE, "b.dat": OTHER, "c,d.x": LARGE, "e.txt": LARGE})
    repo.kit("migrate", "import", "--include", "*.bin, *.dat,c\\,d.x", "--exclude", "e.txt,f.txt")
    held = {name: repo.blob(f"main:{name}") == pointer_to(repo.read(name)) for name in ("a.bin", "b.dat", "c,d.x")}
    assert held == {"a.bin": True, "b.dat": True, "c,d.x": True}
    assert repo.blob("main:e.txt") == LARGE
    names = [line.split(" ")[0] for line in repo.blob("main:.gitattributes").decode().splitlines()]
    assert names == ["*.bin", "*.dat", "c,d.x", "e.txt", "f.txt"]
    assert clean(repo)


@pytest.mark.parametrize("command", ["import", "export", "info"])
def test_name_of_a_folder_is_refused_with_a_pattern_that_works(repo: Repo, command: str) -> None:
    repo.commit("one", {"a/w/x.bin": LARGE, "b.bin": OTHER})
    done = repo.kit("migrate", command, "--include", "b.bin,w", code=2)
    assert '"w" is a folder' in done.stderr
    assert "'a/w/**'" in done.stderr
    repo.kit("migrate", command, "--include", "a/w/**")


def test_import_after_git_lfs_has_nothing_to_do_and_moves_nothing(repo: Repo) -> None:
    lfs = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    repo.commit("one", {".gitattributes": lfs, "a.bin": lfs_pointer_to(LARGE)})
    repo.commit("two", {".gitattributes": ATTRIBUTES})
    before = repo.out("for-each-ref")
    for args in ((), ("--dry-run",), ("--json",)):
        done = repo.kit("migrate", "import", *BIN, "--everything", *args)
        assert "rewrote" not in done.stderr
        if args == ("--json",):
            assert (json.loads(done.stdout)["rewritten"], json.loads(done.stdout)["files"]) == (0, 0)
        else:
            assert "nothing to do in 2 commits" in done.stderr
    assert repo.out("for-each-ref") == before


def test_object_map_in_a_folder_that_is_not_there_is_not_found(history: Repo, tmp_path: Path) -> None:
    before = history.out("for-each-ref")
    for command in ("import", "export"):
        path = tmp_path / "nosuch" / "map.csv"
        done = history.kit("migrate", command, *BIN, "--object-map", str(path), code=10)
        assert "there is no folder" in done.stderr and "hint: make it first" in done.stderr
        history.kit("migrate", command, *BIN, "--object-map", str(tmp_path), code=2)
    assert not (tmp_path / "nosuch").exists()
    assert history.out("for-each-ref") == before


# -- import: which commits -----------------------------------------------------------------------------------------


def test_import_without_a_name_leaves_published_commits_alone(history: Repo, bare: Repo) -> None:
    history.git("remote", "add", "origin", str(bare.path))
    history.git("push", "--quiet", "origin", "v2^{commit}:refs/heads/main")
    published = history.out("rev-parse", "v2^{commit}")
    history.commit("four", {"n.bin": OTHER})
    done = history.kit("migrate", "import", *BIN)
    assert "rewrote 1 of 2 commits of main that no remote-tracking branch has" in done.stderr
    assert "Next: git push origin main\n" in done.stderr
    assert history.out("rev-parse", "main~2", "v2^{commit}").split() == [published] * 2
    assert (history.blob("main:n.bin"), history.blob("v1:m/model.bin")) == (pointer_to(OTHER), LARGE)
    history.git("push", "--quiet", "origin", "main")


def test_import_of_named_refs_takes_all_of_their_history(history: Repo, bare: Repo) -> None:
    history.git("remote", "add", "origin", str(bare.path))
    history.git("push", "--quiet", "origin", "main", "v2")
    history.git("branch", "other", "v1")
    history.commit("four", {"n.bin": OTHER})
    history.git("switch", "--quiet", "--create", "fork", "v1")
    history.commit("on a fork", {"f.txt": "f\n"})
    history.git("switch", "--quiet", "main")
    fork = history.out("rev-parse", "fork")
    done = history.kit("migrate", "import", *BIN, "main")
    assert history.blob("v1:m/model.bin") == pointer_to(LARGE)
    assert history.out("rev-parse", "other") == history.out("rev-parse", "v1")
    assert history.out("rev-parse", "fork") == fork
    assert "warning: fork still holds old commits" in done.stderr
    told = "git push --force-with-lease --atomic origin main other +refs/tags/v1 +refs/tags/v2"
    assert f"Next: {told}\n" in done.stderr
    assert "has to be cloned again" in done.stderr
    history.git(*told.split()[1:])
    assert pushed(history, bare) == refs_at(history, "main", "other", "v1", "v2")


def test_import_twice_before_a_push_tells_a_push_that_is_accepted(history: Repo, bare: Repo) -> None:
    history.git("remote", "add", "origin", str(bare.path))
    history.git("push", "--quiet", "origin", "main", "v1", "v2")
    history.kit("migrate", "import", *BIN, "--everything")
    done = history.kit("migrate", "import", "--include", "b.txt", "--everything")
    told = "git push --force-with-lease --atomic origin main +refs/tags/v2"
    assert f"Next: {told}\n" in done.stderr
    history.git(*told.split()[1:])
    assert pushed(history, bare)["main"] == history.out("rev-parse", "main")


def test_second_import_of_a_pushed_tag_alone_tells_a_push_that_is_accepted(history: Repo, bare: Repo) -> None:
    history.git("remote", "add", "origin", str(bare.path))
    history.git("push", "--quiet", "origin", "v2^{commit}:refs/heads/old", "v2")
    history.kit("migrate", "import", *BIN, "--everything")
    done = history.kit("migrate", "import", "--include", "b.txt", "--everything")
    assert "Next: git push --force-with-lease --atomic origin main +refs/tags/v2\n" in done.stderr
    history.git("push", "--quiet", "--force-with-lease", "--atomic", "origin", "main", "+refs/tags/v2")


def test_import_of_what_is_no_local_ref_is_not_found(history: Repo) -> None:
    assert "no local branch or tag" in history.kit("migrate", "import", *BIN, "main~1", code=10).stderr
    history.git("switch", "--quiet", "--detach")
    assert "HEAD is on no branch" in history.kit("migrate", "import", *BIN, code=10).stderr


def test_import_of_everything_moves_a_detached_head(history: Repo) -> None:
    history.git("switch", "--quiet", "--detach", "v1")
    history.kit("migrate", "import", *BIN, "--everything")
    assert history.out("rev-parse", "HEAD") == history.out("rev-parse", "v1")
    assert history.blob("HEAD:m/model.bin") == pointer_to(LARGE)
    assert clean(history)


def test_import_from_a_linked_worktree_moves_its_branch(history: Repo, tmp_path: Path) -> None:
    history.git("worktree", "add", "--quiet", "-b", "work", str(tmp_path / "work"), "v1")
    work = Repo(tmp_path / "work", history.environ)
    refused = work.kit("migrate", "import", *BIN, "--everything", code=13)
    assert f"main is checked out in the worktree {history.path}" in refused.stderr
    history.git("switch", "--quiet", "--detach")
    work.kit("migrate", "import", *BIN, "--everything")
    assert work.blob("HEAD:m/model.bin") == pointer_to(LARGE)
    assert work.out("status", "--porcelain") == ""
    assert history.out("status", "--porcelain") == ""


# -- import: what is said, and undone ------------------------------------------------------------------------------


def test_import_dry_run_tells_the_same_and_changes_nothing(history: Repo) -> None:
    history.write("a.txt", "changed\n")
    before = (history.out("for-each-ref"), history.out("status", "--porcelain"), history.out("count-objects", "-v"))
    done = history.kit("migrate", "import", *BIN, "--everything", "--dry-run")
    assert "would rewrite 3 of 3 commits of all local branches and tags: 2 files, 48.8 KiB" in done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["REF", "main", "tags/v1", "tags/v2"]
    after = (history.out("for-each-ref"), history.out("status", "--porcelain"), history.out("count-objects", "-v"))
    assert after == before
    assert not (history.path / ".git" / "kit" / "blobs").exists()


def test_import_as_json_names_refs_and_where_the_old_ones_are(history: Repo) -> None:
    before = refs(history)
    done = json.loads(history.kit("migrate", "import", *BIN, "--everything", "--json").stdout)
    after = refs(history)
    moved = [{"ref": ref, "old": before[ref], "new": after[ref]} for ref in before]
    assert done["refs"] == moved
    assert (done["commits"], done["rewritten"], done["files"]) == (3, 3, 2)
    assert done["size"] == len(LARGE) + len(OTHER)
    assert done["kept"] == "refs/kit/migrate/1"
    assert (done["unsigned_commits"], done["unsigned_tags"], done["left"]) == (0, [], [])


def test_import_can_be_undone_with_what_it_keeps(history: Repo) -> None:
    before = refs(history)
    history.kit("migrate", "import", *BIN, "--everything")
    lines = history.out("for-each-ref", "--format=update refs/%(refname:lstrip=4) %(objectname)", "refs/kit/migrate/1")
    history.git("update-ref", "--stdin", stdin=f"{lines}\n".encode())
    history.git("reset", "--quiet", "--hard")
    assert refs(history) == before
    assert history.read("b.txt") == LARGE
    assert clean(history)


def test_second_import_keeps_both_old_histories(history: Repo) -> None:
    first = history.out("rev-parse", "main")
    history.kit("migrate", "import", *BIN, "--everything")
    second = history.out("rev-parse", "main")
    history.kit("migrate", "import", "--include", "b.txt", "--everything")
    assert history.out("rev-parse", "refs/kit/migrate/1/heads/main") == first
    assert history.out("rev-parse", "refs/kit/migrate/2/heads/main") == second


def test_import_is_pushed_and_cloned_with_its_content(history: Repo, bare: Repo, tmp_path: Path) -> None:
    history.git("remote", "add", "origin", str(bare.path))
    history.kit("migrate", "import", *BIN, "--everything")
    history.git("push", "--quiet", "origin", "main", "v1", "v2")
    clone = bare.clone(tmp_path / "clone")
    clone.git("checkout", "--quiet", "v1")
    assert clone.read("m/model.bin") == LARGE
    assert clean(clone)


# -- refusals ------------------------------------------------------------------------------------------------------


def test_import_with_changes_in_no_commit_is_refused(history: Repo) -> None:
    before = history.out("for-each-ref")
    history.write("a.txt", "changed\n")
    refused = history.kit("migrate", "import", *BIN, code=13)
    assert "changes that are in no commit: a.txt" in refused.stderr
    history.git("add", "a.txt")
    history.kit("migrate", "import", *BIN, code=13)
    assert history.out("for-each-ref") == before
    history.git("reset", "--quiet", "--hard")
    history.write("untracked.txt", "mine\n")
    history.kit("migrate", "import", *BIN)
    assert history.out("status", "--porcelain") == "?? untracked.txt"


def test_import_over_an_attributes_file_in_no_commit_is_refused(history: Repo) -> None:
    history.write(".gitattributes", "mine\n")
    assert ".gitattributes is in no commit" in history.kit("migrate", "import", *BIN, code=13).stderr
    assert history.read(".gitattributes") == b"mine\n"


@pytest.mark.parametrize(
    ("command", "name"), [("merge", "merge"), ("cherry-pick", "cherry-pick"), ("rebase", "rebase")]
)
def test_import_in_the_middle_of_something_is_refused(history: Repo, command: str, name: str) -> None:
    history.git("switch", "--quiet", "--create", "other", "v1")
    history.commit("other", {"a.txt": "theirs\n"})
    history.git("switch", "--quiet", "main")
    history.commit("mine", {"a.txt": "mine\n"})
    history.git(command, "other", code=1)
    assert f"a {name} is in progress" in history.kit("migrate", "import", *BIN, "--everything", code=13).stderr


def test_import_in_a_shallow_clone_is_refused(history: Repo, tmp_path: Path) -> None:
    clone = Repo(tmp_path / "clone", history.environ)
    history.git("clone", "--quiet", "--depth=1", f"file://{history.path}", str(clone.path))
    assert "this clone is shallow" in clone.kit("migrate", "import", *BIN, "main", code=17).stderr


def test_import_with_linked_attributes_is_refused_before_anything_moves(history: Repo) -> None:
    before = history.out("for-each-ref")
    (history.path / ".gitattributes").symlink_to("a.txt")
    history.commit("link")
    history.git("rm", "--quiet", ".gitattributes")
    history.commit("no link")
    refused = history.kit("migrate", "import", *BIN, code=17)
    assert ".gitattributes is not a file in some commit" in refused.stderr
    assert history.out("for-each-ref", "refs/tags") in before
    assert history.out("for-each-ref", "refs/kit") == ""


def test_import_of_a_branch_with_no_commit_is_not_found(repo: Repo) -> None:
    assert "has no commit yet" in repo.kit("migrate", "import", *BIN, code=10).stderr
    assert "has no commit yet" in repo.kit("migrate", "info", code=10).stderr


# -- worktrees of other kinds --------------------------------------------------------------------------------------


def test_import_leaves_a_sparse_worktree_sparse(history: Repo) -> None:
    history.commit("four", {"m/n.bin": OTHER, "other/o.bin": SMALL})
    history.git("sparse-checkout", "set", "other")
    assert not (history.path / "m").exists()
    history.kit("migrate", "import", *BIN, "--everything")
    assert not (history.path / "m").exists()
    assert history.blob("main:m/n.bin") == pointer_to(OTHER)
    assert clean(history)
    history.git("sparse-checkout", "disable")
    assert history.read("m/n.bin") == OTHER
    assert clean(history)


def test_import_with_line_ends_converted_in_the_worktree_writes_the_bytes_of_the_history(repo: Repo) -> None:
    text = b"line\n" * 2000
    repo.git("config", "core.autocrlf", "true")
    repo.write("table.csv", text)
    repo.git("-c", "core.safecrlf=false", "add", "table.csv")
    repo.git("commit", "--quiet", "--message", "one")
    (repo.path / "table.csv").unlink()
    repo.git("checkout", "--", "table.csv")
    assert repo.read("table.csv") == text.replace(b"\n", b"\r\n")
    repo.kit("migrate", "import", "--include", "*.csv")
    assert repo.read("table.csv") == text
    assert repo.blob("main:table.csv") == pointer_to(text)
    assert clean(repo)


def test_import_in_a_split_index_and_one_of_version_4_stays_clean(history: Repo) -> None:
    history.commit("four", {"n.bin": OTHER})
    history.git("update-index", "--index-version", "4")
    history.git("update-index", "--split-index")
    history.kit("migrate", "import", *BIN)
    assert clean(history)


def test_import_without_the_filter_sets_it_up(tmp_path: Path) -> None:
    repo = init(tmp_path / "repo", clean_environ(tmp_path / "new-home"))
    repo.commit("one", {"a.bin": LARGE})
    repo.kit("migrate", "import", *BIN)
    assert "git-kit" in repo.out("config", "filter.kit.process")
    assert (repo.path / ".git/hooks/pre-push").exists()
    os.utime(repo.path / "a.bin")
    assert clean(repo)


# -- import --no-rewrite -------------------------------------------------------------------------------------------


def test_import_without_rewriting_makes_one_commit(history: Repo) -> None:
    head = history.commit("four", {"x/n.bin": OTHER, "x/o.dat": LARGE, "x/text": b"", "y.bin": SMALL})
    done = history.kit("migrate", "import", "--no-rewrite", "-m", "Pointers", "n.bin", "o.dat", cwd="x")
    assert done.stdout.strip() == history.out("rev-parse", "HEAD")
    assert history.out("log", "-1", "--format=%P %s") == f"{head} Pointers"
    assert history.out("diff", "--name-only", "HEAD^").splitlines() == [".gitattributes", "x/n.bin", "x/o.dat"]
    assert history.blob("HEAD:x/n.bin") == pointer_to(OTHER)
    assert history.read("x/o.dat") == LARGE
    assert clean(history)
    again = history.kit("migrate", "import", "--no-rewrite", "x")
    assert "nothing to do" in again.stderr


def test_import_without_rewriting_of_a_tracked_file_adds_no_line(repo: Repo) -> None:
    repo.write("a.bin", LARGE)
    repo.git("add", "a.bin")
    repo.write(".gitattributes", ATTRIBUTES)
    repo.git("add", ".gitattributes")
    repo.git("commit", "--quiet", "--no-verify", "--message", "one")
    assert repo.blob("HEAD:a.bin") == LARGE
    repo.kit("migrate", "import", "--no-rewrite", "a.bin")
    assert repo.out("diff", "--name-only", "HEAD^") == "a.bin"
    assert clean(repo)


def test_import_without_rewriting_of_a_file_that_head_has_not_is_not_found(history: Repo) -> None:
    assert "HEAD holds no file none.bin" in history.kit("migrate", "import", "--no-rewrite", "none.bin", code=10).stderr


# -- export --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args", [("--include", "*.bin"), ("--include", "*.bin", "--exclude", "deep/**"), ("--above", "10k")]
)
def test_export_gives_back_the_history_that_was_imported(repo: Repo, args: tuple[str, ...]) -> None:
    awkward(repo)
    age(repo)
    before = {ref: repo.out("rev-parse", f"{ref}^{{tree}}") for ref in refs(repo) if ref != "refs/tags/blob"}
    repo.kit("migrate", "import", *args, "--everything")
    assert repo.out("rev-parse", "main^{tree}") != before["refs/heads/main"]
    repo.kit("migrate", "export", "--include", "**", "--everything")
    repo.kit("migrate", "export", *BIN, "--everything")
    assert {ref: repo.out("rev-parse", f"{ref}^{{tree}}") for ref in before} == before
    assert not (repo.path / ".gitattributes").exists()
    assert status(repo) == ("", 0)


def test_export_of_files_that_are_pointers_in_the_worktree_writes_them(
    history: Repo, bare: Repo, tmp_path: Path
) -> None:
    history.commit("four", {"n.bin": OTHER})
    history.git("remote", "add", "origin", str(bare.path))
    history.kit("migrate", "import", *BIN, "--everything")
    history.git("push", "--quiet", "origin", "main", "v1", "v2")
    Repo(tmp_path, history.environ).kit("clone", "--no-content", str(bare.path), "clone")
    clone = Repo(tmp_path / "clone", history.environ)
    assert clone.read("n.bin") == pointer_to(OTHER)
    done = clone.kit("migrate", "export", *BIN, "--everything")
    assert "downloaded 2 files" in done.stderr
    assert (clone.read("n.bin"), clone.blob("v1:m/model.bin")) == (OTHER, LARGE)
    assert clean(clone)


def test_export_of_content_that_is_nowhere_names_the_files_and_changes_nothing(history: Repo) -> None:
    history.kit("migrate", "import", *BIN, "--everything")
    store_blob(history, LARGE).unlink()
    before = history.out("for-each-ref")
    refused = history.kit("migrate", "export", *BIN, "--everything", code=10)
    assert "m/model.bin: sha256:" in refused.stderr
    assert history.out("for-each-ref") == before


def test_export_of_a_damaged_blob_is_refused(history: Repo) -> None:
    history.kit("migrate", "import", *BIN, "--everything")
    blob = store_blob(history, LARGE)
    blob.chmod(0o644)
    blob.write_bytes(b"x" * len(LARGE))
    before = history.out("for-each-ref")
    assert "is damaged" in history.kit("migrate", "export", *BIN, "--everything", code=11).stderr
    assert history.out("for-each-ref") == before


def test_export_with_exclude_keeps_those_pointers_under_the_filter(repo: Repo) -> None:
    repo.commit("one", {"a.bin": LARGE, "keep/b.bin": OTHER})
    repo.kit("migrate", "import", *BIN)
    repo.kit("migrate", "export", *BIN, "--exclude", "keep/**")
    assert (repo.blob("main:a.bin"), repo.blob("main:keep/b.bin")) == (LARGE, pointer_to(OTHER))
    assert repo.out("check-attr", "filter", "a.bin", "keep/b.bin").splitlines() == [
        "a.bin: filter: unspecified",
        "keep/b.bin: filter: kit",
    ]
    os.utime(repo.path / "keep/b.bin")
    assert clean(repo)


def test_export_of_some_files_of_a_pattern_says_the_opposite_for_them(repo: Repo) -> None:
    repo.write(".gitattributes", f"# ours\n{ATTRIBUTES}")
    repo.commit("one", {"a.bin": LARGE, "b.bin": OTHER, "sub/.gitattributes": ATTRIBUTES, "sub/a.bin": SMALL})
    repo.kit("migrate", "export", "--include", "a.bin")
    assert repo.read(".gitattributes").decode() == f"# ours\n{ATTRIBUTES}a.bin {NEGATED}\n"
    assert repo.read("sub/.gitattributes").decode() == f"{ATTRIBUTES}/a.bin {NEGATED}\n"
    assert (repo.blob("main:a.bin"), repo.blob("main:sub/a.bin")) == (LARGE, SMALL)
    assert repo.blob("main:b.bin") == pointer_to(OTHER)
    for path in ("a.bin", "b.bin", "sub/a.bin"):
        os.utime(repo.path / path)
    assert clean(repo)


def test_export_takes_pointers_of_git_lfs_whose_object_is_here(repo: Repo) -> None:
    repo.commit(
        "one", {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "a.bin": lfs_pointer_to(LARGE)}
    )
    oid = lfs_pointer_to(LARGE).split(b"sha256:")[1][:64].decode()
    repo.write(f".git/lfs/objects/{oid[:2]}/{oid[2:4]}/{oid}", LARGE)
    repo.kit("migrate", "export", *BIN)
    assert repo.blob("main:a.bin") == LARGE
    assert repo.read("a.bin") == LARGE
    assert files_of(repo, "main").keys() == {b"a.bin"}
    assert clean(repo)


def test_export_dry_run_tells_what_would_be_downloaded(history: Repo) -> None:
    history.kit("migrate", "import", *BIN, "--everything")
    store_blob(history, LARGE).unlink()
    before = history.out("for-each-ref")
    done = history.kit("migrate", "export", *BIN, "--everything", "--dry-run")
    assert "would rewrite 3 of 3 commits" in done.stderr
    assert "would download 1 file, 29.3 KiB" in done.stderr
    assert history.out("for-each-ref") == before


LINES = [
    *(
        "*.bin -filter\n",
        "*.bin filter=other\n",
        "a* -filter\n",
        "sub/** plain\n",
        "[ab].bin !filter\n",
        "*.bin text\n",
    ),
    *("/d/*.bin -filter\n", "# note\n", "*.txt text\n", "d/a.bin filter\n"),
]
NAMES = ["a.bin", "b.bin", "ab.bin", "x.txt", "d/a.bin", "d/b.bin", "d/sub/a.bin", "d/sub/deep/b.bin", "sub/c.bin"]


def random_history(repo: Repo, seed: int) -> None:
    """Twelve commits of files, and of ``.gitattributes`` in several folders; some are on a branch that is merged."""
    chance = random.Random(seed)
    stream = ""
    for number in range(1, 13):
        parents = {1: [], 6: [3], 9: [8, 5]}.get(number, [number - 1])
        stream += f"commit refs/heads/main\nmark :{number}\ncommitter Ada <> {1_600_000_000 + number} +0000\ndata 0\n"
        stream += "".join(f"{'merge' if at else 'from'} :{parent}\n" for at, parent in enumerate(parents))
        for folder in chance.sample(["", "d/", "d/sub/", "sub/"], 2):
            macro = "[attr]plain -filter\n" if not folder else ""
            text = macro + "".join(chance.sample(LINES, 3))
            stream += f"M 100644 inline {folder}.gitattributes\ndata {len(text)}\n{text}\n"
        for name in chance.sample(NAMES, 3):
            text = f"{name} {chance.random()}" * chance.choice([1, 20])
            stream += f"M 100644 inline {name}\ndata {len(text)}\n{text}\n"
    repo.git("fast-import", "--quiet", stdin=stream.encode())
    repo.git("reset", "--quiet", "--hard")


@pytest.mark.parametrize("args", [BIN, ("--above", "100")], ids=["pattern", "above"])
@pytest.mark.parametrize("seed", range(3))
def test_import_puts_exactly_its_pointers_under_the_filter_and_export_takes_all_back(
    repo: Repo, args: tuple[str, ...], seed: int, tmp_path: Path
) -> None:
    random_history(repo, seed)
    olds = repo.out("rev-list", "main").split()
    trees = repo.out("log", "--format=%T", "main")
    repo.kit("migrate", "import", *args, "--object-map", str(tmp_path / "map.csv"))
    pairs = [(files_of(repo, old), files_of(repo, new)) for old, new in renamed(tmp_path / "map.csv").items()]
    assert len(pairs) > len(olds) // 2
    blobs = contents(repo, [row.oid for pair in pairs for files in pair for row in files.values()])
    index = {"GIT_INDEX_FILE": str(tmp_path / "index")}
    for (was, found), new in zip(pairs, renamed(tmp_path / "map.csv").values(), strict=True):
        pointers = [path for path, row in found.items() if row.oid != was.get(path, row).oid and b".git" not in path]
        for path in pointers:
            assert blobs[found[path].oid] == pointer_to(blobs[was[path].oid])
        repo.git("read-tree", new, extra=index)
        names = b"".join(path + b"\0" for path in pointers)
        values = repo.git("check-attr", "-z", "--cached", "--stdin", "filter", stdin=names, extra=index).stdout
        assert values.split("\0")[2::3] == ["kit"] * len(pointers)
    repo.kit("migrate", "export", *BIN, "--include", "*.txt")
    assert repo.out("log", "--format=%T", "main") == trees
    assert repo.out("status", "--porcelain") == ""


# -- info ----------------------------------------------------------------------------------------------------------


def test_info_adds_up_the_versions_of_each_kind_of_file(history: Repo) -> None:
    done = history.kit("migrate", "info")
    assert "3 commits of main that no remote-tracking branch has: 3 files, 48.8 KiB" in done.stderr
    assert done.stdout.splitlines() == [
        "PATTERN  FILES      SIZE  SHARE  HELD",
        "*.txt        2  29.3 KiB   60 %  git",
        "*.bin        1  19.5 KiB   40 %  git",
    ]


def test_info_counts_pointers_by_what_they_stand_for(repo: Repo) -> None:
    repo.write(".gitattributes", ATTRIBUTES)
    repo.commit("one", {"a.bin": LARGE, "b.bin": lfs_pointer_to(OTHER), "LICENSE": SMALL, "empty.bin": b""})
    done = json.loads(repo.kit("migrate", "info", "--json", "--top", "0").stdout)
    assert [(kind["pattern"], kind["held"], kind["files"], kind["size"]) for kind in done["kinds"]] == [
        ("*.bin", "kit", 1, len(LARGE)),
        ("*.bin", "lfs", 1, len(OTHER)),
        ("LICENSE", "git", 1, len(SMALL)),
    ]
    assert done["kinds"][0]["share"] == pytest.approx(len(LARGE) / done["size"])


def test_info_shows_what_was_asked_for(history: Repo) -> None:
    history.commit("four", {"x/y.dat": LARGE, "x/z.dat": SMALL, "q.dat": OTHER})

    def patterns(*args: str) -> dict[str, int]:
        done = json.loads(history.kit("migrate", "info", "--json", *args).stdout)
        return {kind["pattern"]: kind["files"] for kind in done["kinds"]}

    assert patterns("--top", "1") == {"*.txt": 2}
    assert patterns("--above", "10k", "--include", "*.dat") == {"*.dat": 1}
    assert patterns("--include", "x/**", "--include", "a.txt") == {"*.dat": 1, "*.txt": 1}
    assert patterns("--exclude", "*.dat", "--exclude", "*.bin") == {"*.txt": 2}
    assert patterns("--above", "1g") == {}


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), "--include PATTERN"),
        (("--everything", "--above", "10k"), "--include PATTERN --above 10k --everything"),
        (("main", "v2", "--above", "1001"), "--include PATTERN --above 1001 main v2"),
        (("HEAD~1",), "--include PATTERN REF"),
        (("--include", "*.txt", "--exclude", "a.txt"), "--include '*.txt' --exclude a.txt"),
    ],
)
def test_info_names_the_import_of_what_was_asked_for(history: Repo, args: tuple[str, ...], told: str) -> None:
    assert history.kit("migrate", "info", *args).stderr.endswith(f"Next: git kit migrate import {told}\n")


def test_info_with_nothing_left_to_convert_names_no_import(history: Repo) -> None:
    history.kit("migrate", "import", "--include", "*.bin,b.txt", "--everything")
    assert "Next" not in history.kit("migrate", "info", "--everything").stderr


def test_info_looks_at_the_commits_that_are_named(history: Repo, bare: Repo) -> None:
    history.git("remote", "add", "origin", str(bare.path))
    history.git("push", "--quiet", "origin", "main")
    assert "0 commits of main that no remote-tracking" in history.kit("migrate", "info").stderr
    assert "1 commit of v1: 2 files" in history.kit("migrate", "info", "v1").stderr
    assert "3 commits of all local branches and tags" in history.kit("migrate", "info", "--everything").stderr
    assert "not a commit" in history.kit("migrate", "info", "nothing", code=10).stderr


def test_info_in_a_partial_clone_fetches_nothing(history: Repo, tmp_path: Path) -> None:
    history.git("config", "uploadpack.allowFilter", "true")
    clone = Repo(tmp_path / "clone", history.environ)
    history.git("clone", "--quiet", "--filter=blob:none", f"file://{history.path}", str(clone.path))
    before = clone.out("count-objects", "-v")
    done = clone.kit("migrate", "info", "main")
    assert "1 file left out: this clone does not have" in done.stderr
    assert clone.out("count-objects", "-v") == before


# -- killed --------------------------------------------------------------------------------------------------------


def test_import_killed_while_it_stores_content_moves_nothing_and_can_be_repeated(repo: Repo) -> None:
    from tests.integration.test_kill import kill, start, wait_for

    big = bytes(128 * MIB)
    repo.git("config", "kit.maxPlainSize", "1g")
    repo.commit("one", {"first.bin": LARGE, "large.bin": big})
    before = repo.out("for-each-ref")
    importing = start(repo, "git-kit", "migrate", "import", *BIN)
    tmp = repo.path / ".git" / "kit" / "tmp"

    def is_storing() -> bool:
        return tmp.exists() and any(path.stat().st_size > MIB for path in list(tmp.iterdir()))

    wait_for(is_storing, "a draft in the store")
    os.killpg(importing.pid, signal.SIGSTOP)
    assert not store_blob(repo, big).exists(), "it was finished before it could be stopped"
    kill(importing)
    assert (repo.out("for-each-ref"), repo.out("status", "--porcelain")) == (before, "")
    repo.kit("migrate", "import", *BIN)
    assert repo.blob("main:large.bin") == pointer_to(big)
    assert clean(repo)
    assert ": 0 damaged" in repo.kit("fsck").stdout


def test_import_killed_before_the_index_changes_is_finished_by_the_next_one(history: Repo) -> None:
    history.commit("four", {"n.bin": LARGE})
    age(history)
    old_index = (history.path / ".git" / "index").read_bytes()
    history.kit("migrate", "import", *BIN, "--everything")
    # What a process leaves that is killed right after the refs have moved.
    (history.path / ".git" / "index").write_bytes(old_index)
    (history.path / ".gitattributes").unlink()
    assert history.out("status", "--porcelain") != ""
    done = history.kit("migrate", "import", *BIN, "--everything")
    assert "nothing to do" in done.stderr
    assert status(history) == ("", 0)
    assert history.read(".gitattributes") == ATTRIBUTES.encode()


def test_import_that_finds_a_branch_moved_meanwhile_moves_none(history: Repo) -> None:
    hook = history.path / ".git" / "hooks" / "reference-transaction"
    hook.write_text('#!/bin/sh\n[ "$1" = prepared ] && exit 1\nexit 0\n')
    hook.chmod(0o755)
    before = refs(history)
    refused = history.kit("migrate", "import", *BIN, "--everything", code=13)
    assert "so none was" in refused.stderr
    assert refs(history) == before
    assert history.out("for-each-ref", "refs/kit") == ""
    assert history.out("status", "--porcelain") == ""


def test_what_happens_in_the_worktree_during_an_import_is_left_alone(history: Repo) -> None:
    history.commit("four", {"n.bin": LARGE, "o.bin": OTHER})
    age(history)
    hook = history.path / ".git" / "hooks" / "reference-transaction"
    add = "printf mine > new.txt && git add new.txt"
    hook.write_text(f'#!/bin/sh\n[ "$1" = committed ] || exit 0\ncd "{history.path}" && printf x >> n.bin && {add}\n')
    hook.chmod(0o755)
    history.kit("migrate", "import", *BIN, "--everything")
    hook.unlink()
    assert history.read("n.bin") == LARGE + b"x"
    assert history.out("status", "--porcelain").splitlines() == [" M n.bin", "A  new.txt"]
