"""History that is walked, picked from or rewritten: pointers go along, content comes where it is looked at.

Cherry-picks and rebases of several commits, also without content in the store: tests/integration/
test_filter_process.py and test_push_proof.py. Merges of text under the filter: the tests of the merge driver.
"""

from tests.lib.large_files import ATTRIBUTES, LARGE, OURS, THEIRS, TOP, A, B, in_worktree, pointer_to, store_blob
from tests.lib.repos import Repo, some_bytes

NEW = some_bytes(5000, seed=51)


def test_filter_branch_over_files_and_over_the_index_keeps_the_pointers(author: Repo) -> None:
    author.commit("second", {"top.bin": NEW})
    quiet = {"FILTER_BRANCH_SQUELCH_WARNING": "1"}
    author.git("filter-branch", "--tree-filter", "mv README.md READ.md", "--", "--all", extra=quiet)
    assert author.blob("HEAD~1:models/a.bin") == pointer_to(A)
    assert author.blob("HEAD:top.bin") == pointer_to(NEW)
    assert author.out("ls-tree", "--name-only", "HEAD", "READ.md", "README.md") == "READ.md"
    author.write(".git/info/attributes", ATTRIBUTES)  # those of the root are not in the subfolder
    author.git("filter-branch", "--force", "--subdirectory-filter", "models", extra=quiet)
    assert author.blob("HEAD:a.bin") == pointer_to(A)
    assert in_worktree(author, "a.bin", "b.bin") == {"a.bin": A, "b.bin": B}


def test_revert_and_amend_bring_the_content_of_before(author: Repo) -> None:
    author.commit("second", {"top.bin": NEW})
    author.git("revert", "--no-edit", "HEAD")
    assert author.read("top.bin") == TOP
    author.git("commit", "--quiet", "--amend", "--message", "back again")
    assert author.blob("HEAD:top.bin") == pointer_to(TOP)
    assert author.out("status", "--porcelain") == ""


def test_bisect_finds_the_commit_by_content(author: Repo) -> None:
    oids = [author.commit(f"{number}", {"top.bin": some_bytes(1500 + number, number)}) for number in range(4)]
    author.git("bisect", "start", "HEAD", "HEAD~4")
    found = author.git(
        "bisect", "run", "sh", "-c", "size=$(wc -c < top.bin); test $size -lt 1502 -o $size -eq 2000"
    ).stdout
    assert f"{oids[2]} is the first bad commit" in found
    author.git("bisect", "reset")
    assert in_worktree(author) == {**LARGE, "top.bin": some_bytes(1503, 3)}


def test_mergetool_gets_content_of_every_side(conflicted: Repo) -> None:
    tool = 'cat "$BASE" "$LOCAL" "$REMOTE" > "$MERGED"'
    settings = ("-c", f"mergetool.three.cmd={tool}", "-c", "mergetool.three.trustExitCode=true")
    conflicted.git(*settings, "mergetool", "--tool=three", "--no-prompt")
    assert conflicted.read("top.bin") == TOP + OURS + THEIRS
    conflicted.git("commit", "--quiet", "--message", "merged")
    assert conflicted.blob("HEAD:top.bin") == pointer_to(TOP + OURS + THEIRS)
    assert store_blob(conflicted, TOP + OURS + THEIRS).exists()


def test_patches_and_bundles_carry_pointers(author: Repo, lazy: Repo) -> None:
    author.commit("second", {"top.bin": NEW})
    patch = author.git("format-patch", "--stdout", "HEAD~1").stdout
    assert f"+oid {pointer_to(NEW).decode().split()[3]}" in patch
    lazy.kit("pull")
    lazy.git("am", "--quiet", stdin=patch.encode())
    assert lazy.blob("HEAD:top.bin") == pointer_to(NEW)
    assert lazy.read("top.bin") == pointer_to(NEW), "the content is in the author's clone alone"
    author.git("push", "--quiet", "origin", "main")
    lazy.kit("pull")
    assert lazy.read("top.bin") == NEW
