"""What Git shows and merges of files that are pointers to it, with real git."""

import json
import os
import shutil
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.core.pointer import Pointer
from gitkit.store.hashcache import HashCache
from tests.lib.repos import Repo, run, some_bytes
from tests.unit.drivers.test_facts import safetensors_file, zip_file

TRACKED = "*.bin *.csv *.safetensors"
ATTRIBUTES = "".join(f"{pattern} filter=kit diff=kit merge=kit -text\n" for pattern in TRACKED.split())
SKIP = {"GIT_KIT_SKIP_SMUDGE": "1"}
LINES = "".join(f"{number}\n" for number in range(1, 11))


@pytest.fixture
def kit(kit_repo: Repo) -> Repo:
    """A repository that tracks three kinds of files, with one commit."""
    (kit_repo.path / ".git/hooks/pre-commit").unlink()  # it has no part in this, and costs time
    kit_repo.commit("attributes", {".gitattributes": ATTRIBUTES})
    return kit_repo


def _pointer(data: bytes | str) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    return Pointer(digest_of(raw), len(raw)).encode()


def _changes(shown: str) -> list[str]:
    """The changed lines of a diff."""
    lines = shown.splitlines()
    return [line for line in lines if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))]


# -- diff ----------------------------------------------------------------------------------------------------------

OLD = safetensors_file({"embed": ("BF16", [6, 4], 48), "head": ("F32", [2, 4], 32)}, {"format": "pt"})
NEW = safetensors_file({"embed": ("BF16", [6, 4], 48), "head": ("F16", [4, 4], 32), "mask": ("BOOL", [3], 3)})
CHANGED = [
    f"-size {len(OLD)}",
    f"-digest {digest_of(OLD)}",
    "-parameters 32",
    "-metadata format pt",
    f"+size {len(NEW)}",
    f"+digest {digest_of(NEW)}",
    "+parameters 43",
    "-tensor head F32 [2, 4]",
    "+tensor head F16 [4, 4]",
    "+tensor mask BOOL [3]",
]


def test_diff_of_changed_weights_shows_what_their_headers_say(kit: Repo) -> None:
    kit.commit("old", {"m.safetensors": OLD})
    kit.write("m.safetensors", NEW)
    assert _changes(kit.out("diff")) == CHANGED
    kit.git("add", ".")
    assert _changes(kit.out("diff", "--cached")) == CHANGED
    kit.commit("new")
    for args in (("show", "--format="), ("log", "-1", "-p", "--format="), ("diff", "HEAD~1", "HEAD")):
        assert _changes(kit.out(*args)) == CHANGED
    assert kit.out("status", "--short") == ""


def test_diff_from_pointers_is_the_same_as_from_content(kit: Repo) -> None:
    kit.commit("old", {"m.safetensors": OLD})
    kit.commit("new", {"m.safetensors": NEW})
    assert _changes(kit.git("show", "--format=", extra=SKIP).stdout) == CHANGED


def test_diff_of_weights_with_equal_headers_shows_another_digest(kit: Repo) -> None:
    kit.commit("old", {"m.safetensors": OLD})
    other = OLD[:-1] + b"\1"
    kit.write("m.safetensors", other)
    assert _changes(kit.out("diff")) == [f"-digest {digest_of(OLD)}", f"+digest {digest_of(other)}"]


def test_diff_without_content_shows_sizes_and_digests(kit: Repo, tmp_path: Path) -> None:
    kit.commit("old", {"m.safetensors": OLD})
    kit.commit("new", {"m.safetensors": NEW})
    clone = Repo(tmp_path / "clone", {**kit.environ, **SKIP})
    run(["git", "clone", "-q", f"file://{kit.path}", str(clone.path)], cwd=kit.path, environ=clone.environ)
    shown = clone.out("show", "--format=")
    assert _changes(shown) == [line for line in CHANGED if "size" in line or "digest" in line]
    assert " content is not here" in shown


def test_diff_of_text_is_that_of_its_lines(kit: Repo) -> None:
    kit.commit("old", {"a.csv": LINES, "b.csv": "a\r\nb"})
    kit.write("a.csv", LINES.replace("5", "five"))
    kit.write("b.csv", "a\nb\n")
    shown = kit.out("diff")
    assert _changes(shown) == ["-5", "+five", "-a\\r", "-b", "+a", "+b"]
    assert "\\ No newline at end of file" in shown


def test_diff_on_request_is_that_of_the_pointers(kit: Repo) -> None:
    old, new = kit.commit("old", {"a.csv": "old"}), kit.commit("new", {"a.csv": "new"})
    expected = [f"-oid {digest_of(b'old')}", f"+oid {digest_of(b'new')}"]
    assert _changes(kit.out("diff", "--no-textconv", old, new)) == expected
    assert _changes(kit.out("format-patch", "--stdout", "-1"))[:2] == expected
    kit.kit("uninstall")
    assert _changes(kit.out("diff", old, new)) == expected


def test_diff_of_hostile_names_sends_nothing_to_the_terminal(kit: Repo) -> None:
    kit.commit("old", {"a.bin": zip_file({"plain": b""}), "t.csv": "safe\n"})
    kit.commit("new", {"a.bin": zip_file({"\x1b]0;owned\x07\u202egone": b""}), "t.csv": "\x1b[2J\n"})
    shown = kit.out("show", "--format=", "--no-color")
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "+member \\x1b]0;owned\\x07\\u202egone 0 bytes, crc 00000000" in shown
    assert "+\\x1b[2J" in shown


def test_diff_of_a_damaged_header_says_so_and_git_goes_on(kit: Repo) -> None:
    kit.commit("old", {"m.safetensors": OLD})
    kit.commit("new", {"m.safetensors": OLD[:20], "z.csv": "last\n"})
    shown = kit.out("log", "-p", "-1", "--format=")
    assert "+header cannot be read: not a valid safetensors file: its header would be" in shown
    assert "+last" in shown


def test_diff_of_a_name_that_begins_with_a_dash_is_shown(kit: Repo) -> None:
    kit.commit("old", {"-x.csv": "old\n"})
    kit.write("-x.csv", "new\n")
    assert _changes(kit.out("diff")) == ["-old", "+new"]


def test_textconv_as_json(kit: Repo) -> None:
    kit.write("m.safetensors", NEW)
    found = json.loads(kit.kit("textconv", "--json", "m.safetensors").stdout)
    assert (found["kind"], found["size"], found["digest"]) == ("safetensors", len(NEW), digest_of(NEW))
    assert {"label": "tensor", "name": "mask", "value": "BOOL [3]"} in found["facts"]
    assert (found["here"], found["more"], found["problem"]) == (True, 0, None)
    kit.write("p.safetensors", _pointer(NEW))
    assert json.loads(kit.kit("textconv", "--json", "p.safetensors").stdout)["here"] is False


def test_textconv_hashes_an_unchanged_file_once(kit: Repo) -> None:
    path = kit.write("sub/large.bin", bytes(2 << 20))
    kit.kit("textconv", "large.bin", cwd="sub")
    cache = HashCache(str(kit.path / ".git/kit/state.db"))
    assert cache.of_stat(path.stat()) == digest_of(bytes(2 << 20))
    planted = "sha256:" + "7" * 64
    cache.forget(b"sub/large.bin")
    cache.remember(b"sub/large.bin", planted, 2 << 20, path.stat())
    cache.close()
    assert f"digest {planted}\n" in kit.kit("textconv", "sub/large.bin").stdout


def test_textconv_outside_of_repositories_describes_files(tmp_path: Path, environ: dict[str, str]) -> None:
    outside = Repo(tmp_path / "outside", environ)
    outside.write("large.bin", bytes(2 << 20))
    outside.write("pointer", _pointer("x"))
    data = bytes(2 << 20)
    expected = f"kind binary\nsize {len(data)}\ndigest {digest_of(data)}\n"
    assert outside.kit("textconv", "large.bin").stdout == expected
    assert outside.kit("textconv", "pointer").stdout == f"size 1\ndigest {digest_of(b'x')}\ncontent is not here\n"
    assert "no file" in outside.kit("textconv", "missing", code=10).stderr


# -- merge: text ---------------------------------------------------------------------------------------------------

OURS, THEIRS = f"0\n{LINES}", f"{LINES}11\n"
BOTH = f"0\n{LINES}11\n"


def _two_sides(kit: Repo, path: str, base: bytes | str, ours: bytes | str, theirs: bytes | str) -> None:
    """``main`` is checked out and has ``ours``, the branch ``side`` has ``theirs``."""
    kit.commit("base", {path: base})
    kit.git("switch", "-q", "-c", "side")
    kit.commit("theirs", {path: theirs})
    kit.git("switch", "-q", "main")
    kit.commit("ours", {path: ours})


@pytest.mark.parametrize(
    "command",
    [
        ["merge", "-q", "-m", "merged", "side"],
        ["-c", "merge.renormalize=true", "merge", "-q", "-m", "merged", "side"],
        ["rebase", "-q", "side"],
        ["rebase", "-q", "--apply", "side"],
        ["cherry-pick", "side"],
    ],
    ids=" ".join,
)
def test_text_changed_in_different_lines_is_merged(kit: Repo, command: list[str]) -> None:
    _two_sides(kit, "t.csv", LINES, OURS, THEIRS)
    kit.git(*command)
    assert kit.read("t.csv") == BOTH.encode()
    assert kit.blob("HEAD:t.csv") == _pointer(BOTH)
    assert kit.out("status", "--short") == ""
    kit.kit("fsck")


def test_stash_is_popped_onto_text_that_changed_meanwhile(kit: Repo) -> None:
    kit.commit("base", {"t.csv": LINES})
    kit.write("t.csv", THEIRS)
    kit.git("stash", "-q")
    kit.commit("ours", {"t.csv": OURS})
    kit.git("stash", "pop", "-q")
    assert kit.read("t.csv") == BOTH.encode()
    assert _changes(kit.out("diff")) == ["+11"]


def test_text_of_several_mib_is_merged_and_there(kit: Repo) -> None:
    long = "".join(f"{number:09}\n" for number in range(300_000))
    _two_sides(kit, "t.csv", long, f"first\n{long}", f"{long}last\n")
    kit.git("merge", "-q", "-m", "merged", "side")
    assert kit.read("t.csv") == f"first\n{long}last\n".encode()
    assert kit.out("status", "--short") == ""


def test_merge_without_worktree_gives_a_pointer(kit: Repo) -> None:
    _two_sides(kit, "t.csv", LINES, OURS, THEIRS)
    tree = kit.out("merge-tree", "--write-tree", "main", "side")
    assert kit.blob(f"{tree}:t.csv") == _pointer(BOTH)
    assert kit.read("t.csv") == OURS.encode()


def test_files_of_any_name_are_merged(kit: Repo) -> None:
    names = ["a b.csv", "it's.csv", "-x.csv", "$(touch owned).csv", "é/ü.csv"]
    kit.commit("base", dict.fromkeys(names, LINES))
    kit.git("switch", "-q", "-c", "side")
    kit.commit("theirs", dict.fromkeys(names, THEIRS))
    kit.git("switch", "-q", "main")
    kit.commit("ours", dict.fromkeys(names, OURS))
    kit.git("merge", "-q", "-m", "merged", "side")
    assert [kit.read(name) for name in names] == [BOTH.encode()] * len(names)
    assert {item.name for item in kit.path.iterdir()} == {".git", ".gitattributes", *names[:-1], "é"}


def test_same_line_changed_is_a_conflict_to_edit_and_to_add(kit: Repo) -> None:
    ours, theirs = LINES.replace("5", "five"), LINES.replace("5", "fünf")
    _two_sides(kit, "t.csv", LINES, ours, theirs)
    kit.git("merge", "side", code=1)
    marked = kit.read("t.csv").decode()
    assert "4\n<<<<<<< ours\nfive\n=======\nfünf\n>>>>>>> theirs\n6\n" in marked
    assert [kit.blob(f":{stage}:t.csv") for stage in (1, 2, 3)] == [*map(_pointer, (LINES, ours, theirs))]
    assert kit.out("status", "--short") == "UU t.csv"
    assert "++<<<<<<< ours" in kit.out("diff")
    resolved = LINES.replace("5", "V")
    kit.write("t.csv", resolved)
    kit.git("add", "t.csv")
    assert kit.blob(":t.csv") == _pointer(resolved)
    kit.git("commit", "-q", "--no-edit")
    assert kit.out("status", "--short") == ""
    assert kit.read("t.csv") == resolved.encode()


def test_conflict_in_text_can_be_made_again_or_ended_with_a_side(kit: Repo) -> None:
    _two_sides(kit, "t.csv", LINES, LINES.replace("5", "five"), LINES.replace("5", "fünf"))
    kit.git("merge", "side", code=1)
    marked = kit.read("t.csv")
    kit.git("checkout", "-q", "--theirs", "--", "t.csv")
    assert kit.read("t.csv") == LINES.replace("5", "fünf").encode()
    kit.git("checkout", "-q", "--merge", "--", "t.csv")
    assert kit.read("t.csv") == marked
    kit.git("merge", "--abort")
    assert kit.read("t.csv") == LINES.replace("5", "five").encode()
    assert kit.out("status", "--short") == ""


def test_length_of_markers_is_what_attributes_say(kit: Repo) -> None:
    kit.commit("attributes", {".gitattributes": ATTRIBUTES + "*.csv conflict-marker-size=12\n"})
    _two_sides(kit, "t.csv", LINES, LINES.replace("5", "five"), LINES.replace("5", "fünf"))
    kit.git("merge", "side", code=1)
    assert b"\n<<<<<<<<<<<< ours\n" in kit.read("t.csv")


def test_text_whose_content_is_missing_is_merged_once_it_is_here(kit: Repo) -> None:
    _two_sides(kit, "t.csv", LINES, OURS, THEIRS)
    blob = kit.path / ".git/kit/blobs/sha256" / digest_of(THEIRS.encode())[7:]
    elsewhere = blob.rename(kit.path / ".git/elsewhere")
    done = kit.git("merge", "side", code=1)
    assert "git kit: t.csv: not all of its content is here; ours stays" in done.stderr
    assert kit.read("t.csv") == OURS.encode()
    elsewhere.rename(blob)
    kit.git("checkout", "-q", "--merge", "--", "t.csv")
    assert kit.read("t.csv") == BOTH.encode()
    kit.git("add", "t.csv")
    assert kit.blob(":t.csv") == _pointer(BOTH)


# -- merge: anything else ------------------------------------------------------------------------------------------


def test_binary_changed_on_both_sides_is_a_choice(kit: Repo) -> None:
    base, ours, theirs = (some_bytes(2 << 20, seed) for seed in range(3))
    _two_sides(kit, "m.bin", base, ours, theirs)
    done = kit.git("merge", "side", code=1)
    assert "git kit: m.bin: it is not text; ours stays" in done.stderr
    assert "hint: git checkout --ours -- m.bin (or --theirs), then: git add -- m.bin" in done.stderr
    assert kit.read("m.bin") == ours
    kit.git("checkout", "-q", "--theirs", "--", "m.bin")
    assert kit.read("m.bin") == theirs
    kit.git("add", "--", "m.bin")
    kit.git("commit", "-q", "--no-edit")
    assert kit.blob("HEAD:m.bin") == _pointer(theirs)
    assert kit.out("status", "--short") == ""


def test_same_content_by_two_kinds_of_pointers_is_no_conflict(kit: Repo) -> None:
    lfs = _pointer(LINES).replace(b"git-kit/1", b"https://git-lfs.github.com/spec/v1")
    kit.kit("clean", stdin=LINES.encode())
    _two_sides(kit, "t.csv", lfs, THEIRS, _pointer(LINES))
    kit.git("merge", "-q", "-m", "merged", "side")
    assert kit.blob("HEAD:t.csv") == _pointer(THEIRS)


def test_criss_cross_merge_of_a_binary_never_takes_a_side_silently(kit: Repo) -> None:
    _two_sides(kit, "m.bin", b"base\0", b"ours\0", b"theirs\0")
    kit.git("branch", "ours-1")
    kit.git("merge", "-q", "-s", "ours", "-m", "kept ours", "side")
    kit.git("switch", "-q", "side")
    kit.git("merge", "-q", "-s", "ours", "-m", "kept theirs", "ours-1")
    assert [kit.blob(f"{name}:m.bin") for name in ("main", "side")] == [_pointer(b"ours\0"), _pointer(b"theirs\0")]
    for name, other in (("main", "side"), ("side", "main")):
        kit.git("switch", "-q", name)
        kit.git("merge", other, code=1)
        assert kit.out("status", "--short") == "UU m.bin"
        kit.git("merge", "--abort")


def test_merge_by_hand_with_files_that_are_missing_is_a_conflict(kit: Repo) -> None:
    done = kit.kit("merge-driver", "base", "ours", "theirs", "7", "t.csv", code=1)
    assert done.stderr.startswith("error: cannot merge: No such file")


def test_conflict_in_text_is_no_content_by_mistake(kit: Repo) -> None:
    _two_sides(kit, "t.csv", LINES, LINES.replace("5", "five"), LINES.replace("5", "fünf"))
    assert "stored in Git as content" not in kit.git("merge", "side", code=1).stderr


@pytest.mark.skipif(not os.path.exists("/proc/self/cmdline"), reason="no /proc here")
def test_diff_asks_neither_store_nor_remote_for_content(kit: Repo) -> None:
    old = kit.commit("old", {"m.bin": some_bytes(2 << 20, 1)})
    kit.commit("new", {"m.bin": some_bytes(2 << 20, 2)})
    kit.commit("newest", {"m.bin": some_bytes(2 << 20, 3)})
    size = kit.git("difftool", "-y", "-x", "wc -c", old, "HEAD~1").stdout
    assert f"{2 << 20}" in size  # another program gets the content
    shutil.rmtree(kit.path / ".git/kit/blobs")
    done = kit.git("diff", old, "HEAD~1")
    assert done.stderr == ""
    assert done.stdout.count("content is not here") == 1
    assert f"+digest {digest_of(some_bytes(2 << 20, 2))}" in done.stdout
