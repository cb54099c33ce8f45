"""The filter: packet transcripts against `git-kit filter-process` itself, then what real git does with it."""

import fcntl
import hashlib
import json
import os
import struct
import subprocess
import sys
import tarfile
import termios
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pytest

from gitkit.core.digest import digest_of
from tests.lib.registries import REPOSITORY, Fault, FaultRegistry
from tests.lib.repos import Repo, clean_environ, init, run, some_bytes

MIB = 1 << 20
FLUSH = b"0000"
MAX_PAYLOAD = 65516
ATTRIBUTES = "*.bin filter=kit diff=kit merge=kit -text\n"
DATA = some_bytes(100_000, seed=1)
SKIP = {"GIT_KIT_SKIP_SMUDGE": "1"}
NO_FILTER = ("-c", "filter.kit.process=", "-c", "filter.kit.clean=", "-c", "filter.kit.required=false")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Where `git kit install` was run once: its configuration and hooks are given to all repositories here."""
    folder = tmp_path_factory.mktemp("installed")
    repo = init(folder / "repo", clean_environ(folder / "home"))
    repo.kit("install")
    repo.git("config", "--global", "init.templateDir", str(folder / "repo" / ".git"))
    repo.git("config", "--global", "protocol.file.allow", "always")
    return repo


@pytest.fixture
def environ(environ: dict[str, str], installed: Repo) -> dict[str, str]:
    config = Path(installed.environ["GIT_CONFIG_GLOBAL"]).read_text()
    Path(environ["GIT_CONFIG_GLOBAL"]).write_text(config)
    return environ


@pytest.fixture
def repo(repo: Repo) -> Repo:
    """An empty repository with filter, hooks and the attribute for ``*.bin``."""
    repo.write(".gitattributes", ATTRIBUTES)
    return repo


def pointer_to(data: bytes) -> bytes:
    return f"version git-kit/1\noid {digest_of(data)}\nsize {len(data)}\n".encode()


def store_blob(repo: Repo, data: bytes) -> Path:
    return repo.path / ".git" / "kit" / "blobs" / "sha256" / digest_of(data)[7:]


def put(repo: Repo, data: bytes) -> None:
    """Into the store, without Git."""
    repo.kit("clean", stdin=data)


def drafts(repo: Repo) -> list[str]:
    folder = repo.path / ".git" / "kit" / "tmp"
    return os.listdir(folder) if folder.exists() else []


# -- packets ---------------------------------------------------------------------------------------------------------


def packet(data: bytes) -> bytes:
    return b"%04x" % (len(data) + 4) + data


def section(*lines: bytes) -> bytes:
    return b"".join(packet(line + b"\n") for line in lines) + FLUSH


def content(data: bytes, *, width: int = MAX_PAYLOAD) -> bytes:
    return b"".join(packet(data[at : at + width]) for at in range(0, len(data), width)) + FLUSH


HANDSHAKE = section(b"git-filter-client", b"version=2") + section(
    b"capability=clean", b"capability=smudge", b"capability=delay"
)
GREETING = section(b"git-filter-server", b"version=2") + section(
    b"capability=clean", b"capability=smudge", b"capability=delay"
)


def clean(path: bytes, data: bytes, *, width: int = MAX_PAYLOAD) -> bytes:
    return section(b"command=clean", b"pathname=" + path) + content(data, width=width)


def smudge(path: bytes, data: bytes, *more: bytes) -> bytes:
    return section(b"command=smudge", b"pathname=" + path, *more) + content(data)


LIST = section(b"command=list_available_blobs")


def answered(data: bytes) -> bytes:
    """A whole answer with ``data`` as its content."""
    return section(b"status=success") + content(data) + FLUSH


class Ended(NamedTuple):
    """What the filter printed after the greeting, on standard error, and its exit code."""

    answers: bytes
    said: str
    code: int


def talk(repo: Repo, *requests: bytes, environ: dict[str, str] | None = None) -> Ended:
    """One filter process from handshake to the end of its input."""
    out, said, code = _run(repo, HANDSHAKE + b"".join(requests), environ or {})
    assert out.startswith(GREETING)
    return Ended(out[len(GREETING) :], said, code)


def _run(repo: Repo, data: bytes, environ: dict[str, str]) -> tuple[bytes, str, int]:
    done = subprocess.run(
        ["git-kit", "filter-process"],
        cwd=repo.path,
        env={**repo.environ, **environ},
        input=data,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr.decode()
    return done.stdout, done.stderr.decode(), done.returncode


def sections(data: bytes) -> list[list[bytes]]:
    """The packets of each section; contents are one section of packets too."""
    found: list[list[bytes]] = [[]]
    at = 0
    while at < len(data):
        length = int(data[at : at + 4], 16)
        if length == 0:
            found.append([])
        else:
            found[-1].append(data[at + 4 : at + length])
        at += length or 4
    assert found.pop() == []
    return found


def test_handshake_answers_version_and_the_capabilities_that_both_know(repo: Repo) -> None:
    out, said, code = _run(repo, HANDSHAKE, {})
    assert (out, said, code) == (GREETING, "", 0)


def test_handshake_with_unknown_and_without_known_capabilities_takes_only_what_is_offered(repo: Repo) -> None:
    offered = section(b"capability=smudge", b"capability=teleport", b"capability=clean")
    out, said, code = _run(repo, section(b"git-filter-client", b"version=3", b"version=2") + offered, {})
    greeting = section(b"git-filter-server", b"version=2") + section(b"capability=clean", b"capability=smudge")
    assert (out, said, code) == (greeting, "", 0)


@pytest.mark.parametrize(
    "welcome",
    [b"", b"hello\n", section(b"git-filter-client", b"version=3"), section(b"git-lfs", b"version=2"), b"00"],
    ids=["nothing", "text", "version-3", "other-client", "half-a-packet"],
)
def test_handshake_that_is_none_ends_with_a_hint_and_says_nothing_to_git(repo: Repo, welcome: bytes) -> None:
    out, said, code = _run(repo, welcome, {})
    assert (out, code != 0) == (b"", True)
    assert said.startswith("error: ")


def test_clean_of_content_answers_its_pointer_and_stores_it(repo: Repo) -> None:
    ended = talk(repo, clean(b"a.bin", DATA))
    assert ended == Ended(answered(pointer_to(DATA)), "", 0)
    assert store_blob(repo, DATA).read_bytes() == DATA
    assert drafts(repo) == []


def test_clean_of_an_empty_file_answers_an_empty_file(repo: Repo) -> None:
    assert talk(repo, clean(b"a.bin", b"")) == Ended(answered(b""), "", 0)


def test_clean_of_a_pointer_answers_the_same_pointer_and_stores_nothing(repo: Repo) -> None:
    own = pointer_to(DATA)
    extended = own + b"a 1\nb.c-d two words\n"
    lfs = f"version https://git-lfs.github.com/spec/v1\noid {digest_of(DATA)}\nsize {len(DATA)}\n".encode()
    requests = [clean(b"a.bin", text) for text in (own, extended, lfs)]
    assert talk(repo, *requests) == Ended(b"".join(answered(text) for text in (own, extended, lfs)), "", 0)
    assert not (repo.path / ".git" / "kit").exists()


@pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 2048, MAX_PAYLOAD, MAX_PAYLOAD + 1, MIB, MIB + 1])
def test_content_at_the_sizes_where_buffers_end_survives_clean_and_smudge(repo: Repo, size: int) -> None:
    data = some_bytes(size, seed=size)
    ended = talk(repo, clean(b"a.bin", data), smudge(b"a.bin", pointer_to(data)))
    assert ended == Ended(answered(pointer_to(data)) + answered(data), "", 0)


@pytest.mark.parametrize("size", [1023, 1024, 1025])
def test_content_that_begins_as_a_pointer_is_content_to_clean_and_smudge(repo: Repo, size: int) -> None:
    data = pointer_to(DATA).ljust(size, b"x")
    ended = talk(repo, clean(b"a.bin", data), smudge(b"b.bin", data))
    assert ended.answers == answered(pointer_to(data)) + answered(data)
    assert store_blob(repo, data).read_bytes() == data
    assert "1 file is tracked, but stored in Git as content:\n  b.bin\n" in ended.said


def test_largest_pointer_passes_clean_and_smudges(repo: Repo) -> None:
    put(repo, DATA)
    text = pointer_to(DATA)
    text += b"note " + b"x" * (1024 - len(text) - len(b"note \n")) + b"\n"
    assert len(text) == 1024
    ended = talk(repo, clean(b"a.bin", text), smudge(b"a.bin", text))
    assert ended == Ended(answered(text) + answered(DATA), "", 0)


@pytest.mark.parametrize("width", [1, 2, 3, 7, 1023, 1024, 1025, 65515])
def test_clean_of_content_in_packets_of_any_size_answers_the_same(repo: Repo, width: int) -> None:
    data = some_bytes(3 * width + 2, seed=width)
    assert talk(repo, clean(b"a.bin", data, width=width)).answers == answered(pointer_to(data))


def test_requests_that_arrive_byte_by_byte_are_answered_the_same(repo: Repo) -> None:
    data = some_bytes(1500, seed=2)
    requests = HANDSHAKE + clean(b"a.bin", data, width=700) + smudge(b"a.bin", pointer_to(data)) + clean(b"b", b"")
    process = repo.start("git-kit", "filter-process")
    assert process.stdin is not None
    pipe = process.stdin.fileno()
    for at in range(len(requests)):
        os.write(pipe, requests[at : at + 1])
        _wait_until_read(pipe)
    out, said = process.communicate(timeout=60)
    assert out == GREETING + answered(pointer_to(data)) + answered(data) + answered(b"")
    assert (said, process.returncode) == (b"", 0)


def _wait_until_read(pipe: int) -> None:
    deadline = time.monotonic() + 30
    while struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]:
        assert time.monotonic() < deadline, "the filter reads no more"


def test_text_lines_without_line_end_and_unknown_keys_are_understood(repo: Repo) -> None:
    request = b"".join(
        packet(line)
        for line in (b"command=clean", b"pathname=a=b\xff c.bin", b"ref=refs/heads/main\n", b"planet=venus=hot\n")
    )
    assert talk(repo, request + FLUSH + content(DATA)).answers == answered(pointer_to(DATA))


@pytest.mark.parametrize("cut", ["header", "packet", "between", "flush"])
def test_input_that_ends_inside_a_file_stores_nothing(repo: Repo, cut: str) -> None:
    whole = clean(b"a.bin", DATA)
    head = len(section(b"command=clean", b"pathname=a.bin"))
    stop = {"header": head + 2, "packet": head + 5000, "between": head + 4 + MAX_PAYLOAD, "flush": len(whole) - 1}
    ended = talk(repo, whole[: stop[cut]])
    assert (ended.answers, ended.code != 0) == (b"", True)
    assert ended.said.startswith("error: Git ")
    assert not store_blob(repo, DATA).exists()
    assert drafts(repo) == []


def test_input_that_is_no_packet_ends_with_an_error(repo: Repo) -> None:
    for rubbish in (b"zzzz", b"0001", b"0002", b"0003", b"fff1" + b"x" * 65520):
        ended = talk(repo, rubbish)
        assert (ended.answers, ended.code != 0) == (b"", True), rubbish[:4]
        assert ended.said.startswith("error: Git sent ")


def test_unknown_command_is_an_error_for_that_request_alone(repo: Repo) -> None:
    unknown = section(b"command=compress", b"pathname=a.bin") + content(DATA)
    ended = talk(repo, unknown, clean(b"b.bin", DATA))
    assert ended.answers == section(b"status=error") + answered(pointer_to(DATA))
    assert "git kit: a.bin: Git asks for compress, which git kit does not know" in ended.said
    assert ended.code == 0


def test_smudge_from_the_store_answers_content(repo: Repo) -> None:
    put(repo, DATA)
    ended = talk(repo, smudge(b"a.bin", pointer_to(DATA), b"can-delay=1"), smudge(b"b.bin", b""))
    assert ended == Ended(answered(DATA) + answered(b""), "", 0)


def test_smudge_of_a_damaged_blob_is_an_error_for_that_file_alone(repo: Repo) -> None:
    other = some_bytes(5000, seed=3)
    put(repo, DATA)
    put(repo, other)
    blob = store_blob(repo, DATA)
    blob.chmod(0o644)
    blob.write_bytes(DATA[:-1] + bytes([DATA[-1] ^ 1]))
    ended = talk(repo, smudge(b"a.bin", pointer_to(DATA)), smudge(b"b.bin", pointer_to(other)))
    found = sections(ended.answers)
    assert found[0] == [b"status=success\n"]
    assert found[2] == [b"status=error\n"]
    assert ended.answers.endswith(section(b"status=error") + answered(other))
    assert "a.bin: its blob in the store is damaged\nhint: git kit fsck" in ended.said


def test_smudge_without_content_and_remote_answers_the_pointer_and_says_how_to_get_it(repo: Repo) -> None:
    requests = [smudge(f"{number}.bin".encode(), pointer_to(some_bytes(10, seed=number))) for number in range(7)]
    ended = talk(repo, *requests)
    assert ended.answers == b"".join(answered(pointer_to(some_bytes(10, seed=number))) for number in range(7))
    assert ended.code == 0
    assert ended.said == (
        "git kit: 7 files are still pointers, without content (no remote is configured for large files):\n"
        "  0.bin\n  1.bin\n  2.bin\n  3.bin\n  4.bin\n  and 2 more\n"
        "hint: git kit pull\n"
    )


def test_smudge_without_content_while_strict_is_an_error_for_that_file_alone(repo: Repo) -> None:
    repo.git("config", "kit.strict", "true")
    put(repo, DATA)
    ended = talk(repo, smudge(b"a.bin", pointer_to(b"nowhere")), smudge(b"b.bin", pointer_to(DATA)))
    assert ended.answers == section(b"status=error") + answered(DATA)
    assert ended.said.startswith("git kit: a.bin: ")
    assert "hint: " in ended.said


def test_smudge_where_content_is_not_wanted_answers_the_pointer_silently(repo: Repo) -> None:
    put(repo, DATA)
    ended = talk(repo, smudge(b"a.bin", pointer_to(DATA)), environ=SKIP)
    assert ended == Ended(answered(pointer_to(DATA)), "", 0)


def _remote(repo: Repo, registry: FaultRegistry) -> None:
    repo.git("config", "kit.url", f"oci://{registry.host}/{REPOSITORY}")


def test_smudge_without_can_delay_downloads_before_it_answers(repo: Repo, fault_registry: FaultRegistry) -> None:
    _remote(repo, fault_registry)
    fault_registry.add_blob(REPOSITORY, DATA)
    ended = talk(repo, smudge(b"a.bin", pointer_to(DATA)), smudge(b"b.bin", pointer_to(DATA)))
    assert ended == Ended(answered(DATA) * 2, "", 0)
    assert len(fault_registry.seen("GET", "/blobs/")) == 1


def test_delayed_files_are_listed_when_they_are_there_and_come_at_the_second_request(
    repo: Repo, fault_registry: FaultRegistry
) -> None:
    _remote(repo, fault_registry)
    datas = [some_bytes(2000, seed=number) for number in range(2)]
    for data in datas:
        fault_registry.add_blob(REPOSITORY, data)
    held = fault_registry.add(Fault(method="GET", path=digest_of(datas[1])[7:], pause_after=1000))
    process = repo.start("git-kit", "filter-process")
    assert process.stdin is not None and process.stdout is not None

    def ask(request: bytes, count: int) -> list[list[bytes]]:
        process.stdin.write(request)
        process.stdin.flush()
        return [_section(process.stdout) for _ in range(count)]

    ask(HANDSHAKE, 2)
    for path, data in ((b"a.bin", datas[0]), (b"b.bin", datas[1]), (b"c.bin", datas[0])):
        assert ask(smudge(path, pointer_to(data), b"can-delay=1"), 1) == [[b"status=delayed\n"]]
    # b.bin is held on its way, so only the other two may be announced.
    announced: list[bytes] = []
    while len(announced) < 2:
        paths, status = ask(LIST, 2)
        assert status == [b"status=success\n"]
        assert paths
        announced += paths
    assert sorted(announced) == [b"pathname=a.bin\n", b"pathname=c.bin\n"]
    for path in (b"a.bin", b"c.bin"):
        assert ask(smudge(path, b""), 3) == [[b"status=success\n"], [datas[0]], []]
    held.resume.set()
    assert ask(LIST, 2) == [[b"pathname=b.bin\n"], [b"status=success\n"]]
    assert ask(smudge(b"b.bin", b""), 3) == [[b"status=success\n"], [datas[1]], []]
    assert ask(LIST, 2) == [[], [b"status=success\n"]]
    rest, said = process.communicate(timeout=60)
    assert (rest, said, process.returncode) == (b"", b"", 0)
    assert len(fault_registry.seen("GET", "/blobs/")) == 2


def _section(stream: "subprocess._FILE") -> list[bytes]:
    packets = []
    while (length := int(stream.read(4), 16)) != 0:
        packets.append(stream.read(length - 4))
    return packets


def test_delayed_file_that_the_remote_does_not_hold_comes_as_its_pointer(
    repo: Repo, fault_registry: FaultRegistry
) -> None:
    _remote(repo, fault_registry)
    ended = talk(repo, smudge(b"a.bin", pointer_to(DATA), b"can-delay=1"), LIST, smudge(b"a.bin", b""), LIST)
    assert ended.answers == (
        section(b"status=delayed")
        + section(b"pathname=a.bin")
        + section(b"status=success")
        + answered(pointer_to(DATA))
        + section()
        + section(b"status=success")
    )
    assert f"(oci://{fault_registry.host}/{REPOSITORY} does not hold it):\n  a.bin\nhint: git kit pull\n" in ended.said


def test_remote_that_answers_wrong_bytes_leaves_the_pointer_and_stores_nothing(
    repo: Repo, fault_registry: FaultRegistry
) -> None:
    _remote(repo, fault_registry)
    fault_registry.add_blob(REPOSITORY, DATA)
    fault_registry.add(Fault(method="GET", path="/blobs/", times=None, wrong_bytes=True))
    ended = talk(repo, smudge(b"a.bin", pointer_to(DATA)))
    assert ended.answers == answered(pointer_to(DATA))
    assert not store_blob(repo, DATA).exists()


# -- with real git ---------------------------------------------------------------------------------------------------

ODD_NAMES = [
    "with space.bin",
    "two\nlines.bin",
    "tab\tand \"quotes\" and 'more'.bin",
    "-rf.bin",
    "--.bin",
    "back\\slash.bin",
    "a=b.bin",
    "*?[x].bin",
    "pathname=x.bin",
    "ünï/cödé 模型.bin",
    os.fsdecode(b"not-\xff\xfe-utf8.bin"),
    "x" * 250 + ".bin",
    "deep/" * 40 + "er.bin",
    ":(top)magic.bin",
    "$(touch owned).bin",
]


def test_odd_names_survive_add_push_clone_and_pull(repo: Repo, bare: Repo, tmp_path: Path) -> None:
    files = {name: some_bytes(2000, seed=number) for number, name in enumerate(ODD_NAMES)}
    repo.git("remote", "add", "origin", str(bare.path))
    repo.commit("odd", files)
    for name, data in files.items():
        assert repo.blob(f"HEAD:{name}") == pointer_to(data)
    assert repo.out("status", "--porcelain") == ""
    repo.git("push", "--quiet", "origin", "main")
    plain = Repo(bare.path, repo.environ).clone(tmp_path / "plain")
    Repo(tmp_path, repo.environ).kit("clone", "--no-content", str(bare.path), "lazy")
    lazy = Repo(tmp_path / "lazy", repo.environ)
    listed = json.loads(lazy.kit("ls-files", "--json").stdout)
    assert sorted(item["path"] for item in listed) == sorted(files)
    assert {name: lazy.read(name) for name in files} == {name: pointer_to(data) for name, data in files.items()}
    lazy.kit("pull")
    for clone in (plain, lazy):
        assert {name: clone.read(name) for name in files} == files
        assert clone.out("status", "--porcelain") == ""


def test_executable_bit_stays_through_commit_clone_and_materialise(repo: Repo, bare: Repo, tmp_path: Path) -> None:
    repo.git("remote", "add", "origin", str(bare.path))
    repo.write("run.bin", DATA, mode=0o755)
    repo.commit("program", {"plain.bin": DATA[1:]})
    repo.git("push", "--quiet", "origin", "main")
    Repo(tmp_path, repo.environ).kit("clone", str(bare.path), "clone")
    clone = Repo(tmp_path / "clone", repo.environ)
    assert (clone.path / "run.bin").stat().st_mode & 0o777 == 0o755
    assert (clone.path / "plain.bin").stat().st_mode & 0o777 == 0o644
    assert (clone.read("run.bin"), clone.read("plain.bin")) == (DATA, DATA[1:])
    assert clone.out("status", "--porcelain") == ""
    assert clone.out("ls-tree", "HEAD", "run.bin").startswith("100755")


def test_content_that_resembles_a_pointer_is_stored_and_comes_back_byte_for_byte(repo: Repo) -> None:
    good = pointer_to(DATA)
    files = {
        "crlf.bin": good.replace(b"\n", b"\r\n"),
        "no-end.bin": good[:-1],
        "other-version.bin": good.replace(b"git-kit/1", b"git-kit/2"),
        "text-behind.bin": good + b"\nand text\n",
        "long.bin": good + b"note " + b"x" * 1024 + b"\n",
    }
    repo.commit("resembling", files)
    for name, data in files.items():
        assert repo.blob(f"HEAD:{name}") == pointer_to(data)
        (repo.path / name).unlink()
    repo.git("checkout", "--", ".")
    assert {name: repo.read(name) for name in files} == files
    assert repo.kit("fsck").stdout.startswith("5 blobs")


def test_damaged_pointer_that_git_holds_as_content_stays_as_it_is_and_fsck_names_it(repo: Repo) -> None:
    damaged = pointer_to(DATA).replace(b"\n", b"\r\n")
    repo.commit("good", {"good.bin": DATA})
    repo.write("crlf.bin", damaged)
    repo.write("plain.bin", b"never cleaned")
    repo.git(*NO_FILTER, "add", "crlf.bin", "plain.bin")
    repo.git("commit", "--quiet", "--no-verify", "--message", "by a clone without git kit")
    assert repo.blob("HEAD:crlf.bin") == damaged
    (repo.path / "crlf.bin").unlink()
    told = repo.git("checkout", "--", "crlf.bin").stderr
    assert repo.read("crlf.bin") == damaged
    assert "1 file is tracked, but stored in Git as content:\n  crlf.bin\nhint: git add --renormalize" in told
    checked = repo.kit("fsck", code=11)
    named = {line.rpartition(": ")[2]: line for line in checked.stdout.splitlines()[1:]}
    assert set(named) == {"crlf.bin", "plain.bin"}
    assert "a damaged pointer" in named["crlf.bin"] and "content" in named["plain.bin"]
    assert "hint: git " in checked.stderr


def test_archive_and_cat_file_with_filters_give_content(repo: Repo) -> None:
    repo.commit("first", {"models/a.bin": DATA, "b.txt": "plain\n"})
    archive = subprocess.run(
        ["git", "archive", "HEAD"], cwd=repo.path, env=repo.environ, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        member = tar.extractfile("models/a.bin")
        assert member is not None and member.read() == DATA
    filtered = subprocess.run(
        ["git", "cat-file", "--filters", "HEAD:models/a.bin"],
        cwd=repo.path,
        env=repo.environ,
        capture_output=True,
        check=True,
    ).stdout
    assert filtered == DATA


def test_stash_and_pop_bring_changed_content_back(repo: Repo) -> None:
    changed = some_bytes(5000, seed=5)
    repo.commit("first", {"a.bin": DATA})
    repo.write("a.bin", changed)
    repo.write("new.bin", changed)
    repo.git("stash", "--quiet", "--include-untracked")
    assert repo.read("a.bin") == DATA
    assert not (repo.path / "new.bin").exists()
    repo.git("stash", "pop", "--quiet")
    assert (repo.read("a.bin"), repo.read("new.bin")) == (changed, changed)


def test_rebase_and_cherry_pick_of_several_commits_end_with_content(repo: Repo) -> None:
    versions = [some_bytes(5000, seed=number) for number in range(4)]
    repo.commit("first", {"a.bin": DATA})
    repo.git("checkout", "--quiet", "-b", "side")
    for number, data in enumerate(versions):
        repo.commit(f"side {number}", {"side.bin": data})
    repo.git("checkout", "--quiet", "main")
    repo.commit("main", {"a.bin": DATA[1:]})
    repo.git("checkout", "--quiet", "side")
    repo.git("rebase", "--quiet", "main")
    assert (repo.read("a.bin"), repo.read("side.bin")) == (DATA[1:], versions[-1])
    repo.git("checkout", "--quiet", "main")
    repo.git("cherry-pick", "side~3")
    assert repo.read("side.bin") == versions[0]
    assert repo.out("status", "--porcelain") == ""


def test_merge_conflict_leaves_both_sides_reachable_and_checkout_chooses_one(repo: Repo) -> None:
    ours, theirs = DATA[1:], DATA[2:]
    repo.commit("first", {"a.bin": DATA})
    repo.git("checkout", "--quiet", "-b", "side")
    repo.commit("theirs", {"a.bin": theirs})
    repo.git("checkout", "--quiet", "main")
    repo.commit("ours", {"a.bin": ours, "b.bin": theirs})
    repo.git("merge", "--quiet", "side", code=1)
    assert repo.blob(":2:a.bin") == pointer_to(ours)
    assert repo.blob(":3:a.bin") == pointer_to(theirs)
    assert repo.kit("fsck").returncode == 0
    repo.git("checkout", "--theirs", "a.bin")
    assert repo.read("a.bin") == theirs
    repo.git("checkout", "--ours", "a.bin")
    assert repo.read("a.bin") == ours
    repo.git("add", "a.bin")
    repo.git("commit", "--quiet", "--message", "merged")
    assert repo.blob("HEAD:a.bin") == pointer_to(ours)
    assert repo.read("b.bin") == theirs


def test_worktree_add_and_restore_and_reset_materialise(repo: Repo, tmp_path: Path) -> None:
    repo.commit("first", {"a.bin": DATA})
    repo.commit("second", {"a.bin": DATA[1:]})
    repo.git("worktree", "add", "--quiet", str(tmp_path / "side"), "HEAD~1")
    assert (tmp_path / "side" / "a.bin").read_bytes() == DATA
    repo.git("restore", "--source", "HEAD~1", "a.bin")
    assert repo.read("a.bin") == DATA
    assert repo.out("status", "--porcelain") == "M a.bin" or repo.out("status", "--porcelain") == " M a.bin"
    repo.git("reset", "--quiet", "--hard")
    assert repo.read("a.bin") == DATA[1:]


def test_submodule_keeps_its_own_store_and_content(repo: Repo, bare: Repo, tmp_path: Path) -> None:
    repo.git("remote", "add", "origin", str(bare.path))
    repo.commit("library", {"a.bin": DATA})
    repo.git("push", "--quiet", "origin", "main")
    outer = init(tmp_path / "outer", repo.environ)
    outer.git("submodule", "--quiet", "add", str(bare.path), "lib")
    assert outer.read("lib/a.bin") == DATA
    outer.commit("with a submodule", {".gitattributes": ATTRIBUTES, "own.bin": DATA[1:]})
    inner = Repo(outer.path / "lib", repo.environ)
    inner.commit("from inside", {"b.bin": DATA[2:]})
    assert inner.blob("HEAD:b.bin") == pointer_to(DATA[2:])
    assert (outer.path / ".git/modules/lib/kit/blobs/sha256" / digest_of(DATA[2:])[7:]).exists()
    assert not store_blob(outer, DATA[2:]).exists()
    outer.git("submodule", "--quiet", "foreach", "git push --quiet origin HEAD:main")
    outer.commit("moved")
    fresh = outer.clone(tmp_path / "fresh", "--recurse-submodules")
    assert fresh.read("lib/a.bin") == DATA
    assert fresh.read("lib/b.bin") == DATA[2:]


def test_hash_object_with_a_path_and_other_bytes_than_the_file_hashes_the_bytes(repo: Repo) -> None:
    repo.write("a.bin", DATA)
    for data in (b"shorter", DATA + DATA):
        oid = repo.git("hash-object", "--stdin", "--path", "a.bin", "-w", stdin=data).stdout.strip()
        assert repo.blob(oid) == pointer_to(data)
        assert store_blob(repo, data).read_bytes() == data


def test_first_filter_run_in_a_plain_clone_puts_the_hooks_in_so_that_a_push_takes_content_along(
    repo: Repo, bare: Repo, tmp_path: Path
) -> None:
    repo.git("remote", "add", "origin", str(bare.path))
    repo.commit("first", {"a.bin": DATA})
    repo.git("push", "--quiet", "origin", "main")
    repo.git("config", "--global", "--unset", "init.templateDir")
    plain = bare.clone(tmp_path / "plain")
    plain.commit("second", {"b.bin": DATA[1:]})
    plain.git("push", "--quiet", "origin", "main")
    assert (bare.path / "kit/blobs/sha256" / digest_of(DATA[1:])[7:]).read_bytes() == DATA[1:]
    for name in ("pre-push", "pre-commit"):
        assert os.access(plain.path / ".git" / "hooks" / name, os.X_OK), name


def test_commands_inside_a_subfolder_and_with_git_dir_set_find_the_store(repo: Repo) -> None:
    repo.write("deep/er/a.bin", DATA)
    repo.git("add", "a.bin", cwd="deep/er")
    repo.git("add", ".", extra={"GIT_DIR": str(repo.path / ".git"), "GIT_WORK_TREE": str(repo.path)})
    assert repo.blob(":deep/er/a.bin") == pointer_to(DATA)
    assert store_blob(repo, DATA).exists()


def test_diff_status_and_blame_of_unchanged_files_show_nothing(repo: Repo) -> None:
    repo.commit("first", {"a.bin": DATA})
    os.utime(repo.path / "a.bin")
    assert repo.out("status", "--porcelain") == ""
    assert repo.out("diff") == ""
    assert repo.out("diff", "--no-index", "--stat", "a.bin", "a.bin") == ""


def test_checkout_without_content_succeeds_leaves_pointers_and_says_how_to_get_them(
    repo: Repo, bare: Repo, tmp_path: Path
) -> None:
    repo.git("remote", "add", "origin", str(bare.path))
    repo.commit("first", {"a.bin": DATA, "b.bin": DATA[1:], "c.txt": "text\n"})
    repo.git("push", "--quiet", "--no-verify", "origin", "main")
    cloned = Repo(tmp_path, repo.environ).git("clone", str(bare.path), "clone")
    clone = Repo(tmp_path / "clone", repo.environ)
    assert (clone.read("a.bin"), clone.read("c.txt")) == (pointer_to(DATA), b"text\n")
    assert clone.out("status", "--porcelain") == ""
    assert "git kit: 2 files are still pointers, without content (" in cloned.stderr
    assert "  a.bin\n  b.bin\nhint: git kit pull\n" in cloned.stderr
    clone.git("commit", "--quiet", "--allow-empty", "--all", "--message", "from pointers")
    assert clone.out("diff", "HEAD~1", "--stat") == ""


def test_checkout_without_content_while_strict_fails_and_names_the_file(repo: Repo) -> None:
    repo.commit("first", {"a.bin": DATA})
    repo.git("config", "kit.strict", "true")
    store_blob(repo, DATA).unlink()
    (repo.path / "a.bin").unlink()
    failed = repo.git("checkout", "--", "a.bin", code=128)
    assert "git kit: a.bin: no remote is configured for large files" in failed.stderr
    assert "hint: git kit remote" in failed.stderr
    assert not (repo.path / "a.bin").exists()


def test_checkout_that_skips_content_leaves_pointers_silently_and_the_next_one_without_brings_it(repo: Repo) -> None:
    repo.commit("first", {"a.bin": DATA})
    (repo.path / "a.bin").unlink()
    skipped = repo.git("checkout", "--quiet", "--", "a.bin", extra=SKIP)
    assert (repo.read("a.bin"), skipped.stderr) == (pointer_to(DATA), "")
    assert repo.out("status", "--porcelain") == ""
    repo.kit("checkout")
    assert repo.read("a.bin") == DATA


def test_pre_commit_hook_refuses_tracked_content_and_large_untracked_files_with_the_commands_to_type(
    repo: Repo,
) -> None:
    repo.commit("first", {"a.bin": DATA})
    repo.git("config", "kit.maxPlainSize", "10k")
    repo.write("b.bin", DATA)
    repo.git(*NO_FILTER, "add", "b.bin")
    repo.write("large one.dat", DATA)
    repo.git("add", "large one.dat")
    head = repo.out("rev-parse", "HEAD")
    refused = repo.git("commit", "--message", "second", code=1)
    assert "  b.bin is tracked, but staged as content\n" in refused.stderr
    assert "  large one.dat has 97.7 KiB and nothing tracks it\n" in refused.stderr
    assert repo.out("rev-parse", "HEAD") == head
    hints = [line.strip() for line in refused.stderr.partition("hint: ")[2].splitlines()]
    commands = [line for line in hints if line.startswith("git ")]
    assert len(commands) == 2
    for command in commands:
        run(["sh", "-c", command], cwd=repo.path, environ=repo.environ)
    repo.git("commit", "--quiet", "--message", "second")
    for name in ("b.bin", "large one.dat"):
        assert repo.blob(f"HEAD:{name}") == pointer_to(DATA)


def test_pre_commit_hook_warns_of_a_pointer_whose_attribute_is_not_staged(repo: Repo) -> None:
    repo.commit("first", {"w.gguf": DATA})
    repo.kit("track", "*.gguf")
    repo.git("add", "--renormalize", "w.gguf")
    warned = repo.git("commit", "--message", "second")
    assert "warning: pointers that no committed or staged attribute covers" in warned.stderr
    assert "  w.gguf\nhint: git add -- .gitattributes\n" in warned.stderr
    repo.git("add", ".gitattributes")
    assert "warning" not in repo.git("commit", "--amend", "--message", "second").stderr


def test_pre_commit_hook_warns_of_a_pointer_that_no_attribute_covers(repo: Repo) -> None:
    repo.write("w.gguf", pointer_to(DATA))
    repo.git("add", "w.gguf")
    warned = repo.git("commit", "--message", "first")
    assert "  w.gguf\nhint: git kit track '*.gguf' && git add .gitattributes\n" in warned.stderr


_MEASURE = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(json.dumps([code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
"""


def peak_rss(repo: Repo, argv: Sequence[str]) -> int:
    """Kilobytes that the largest of the processes under ``argv`` had resident: git, or the filter that it started."""
    done = run([sys.executable, "-c", _MEASURE, *argv], cwd=repo.path, environ=repo.environ)
    code, peak = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    return int(peak)


def test_add_of_a_large_file_keeps_git_and_filter_below_64_mb(repo: Repo) -> None:
    size = 300 * MIB
    with open(repo.path / "large.bin", "wb") as file:
        file.write(DATA)
        file.truncate(size)
    assert peak_rss(repo, ["git", "add", "large.bin"]) < 64_000
    hasher = hashlib.sha256(DATA)
    block = bytes(MIB)
    left = size - len(DATA)
    while left:
        hasher.update(block[: min(left, MIB)])
        left -= min(left, MIB)
    assert repo.blob(":large.bin") == f"version git-kit/1\noid sha256:{hasher.hexdigest()}\nsize {size}\n".encode()
    assert drafts(repo) == []
