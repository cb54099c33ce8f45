"""Eight processes at once in the worktrees of one clone: each gets what it would get alone, and nothing is lost."""

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from tests.lib import soundness
from tests.lib.large_files import ATTRIBUTES, SKIP, blob_in, pointer_to
from tests.lib.repos import Repo, clean_environ, init, some_bytes

PROCESSES = 8
SAME, OLD = some_bytes(1_300_000, 1), some_bytes(1_200_000, 2)
COMMON = {"same.bin": SAME, "old.bin": OLD, "small.bin": some_bytes(5_000, 3)}

Job = tuple[Repo, Sequence[str]]


def own(number: int) -> dict[str, bytes]:
    """Content that only one worktree has: a large file and small ones."""
    files = {"own.bin": some_bytes(1_200_000 + number, 100 + number)}
    return files | {f"small/{item}.bin": some_bytes(2_000, 1_000 * number + item) for item in range(12)}


def together(jobs: Iterable[Job], codes: Iterable[int] = (0,)) -> list[str]:
    """Start all jobs, then wait for them; each one's standard error."""
    started = [(argv, start(repo, argv)) for repo, argv in jobs]
    said = []
    for argv, process in started:
        out, error = (text.decode("utf-8", "replace") for text in process.communicate(timeout=120))
        assert process.returncode in codes, f"{' '.join(argv)}: exit {process.returncode}\n{out}\n{error}"
        assert "Traceback" not in error
        said.append(error)
    return said


def start(repo: Repo, argv: Sequence[str]) -> "subprocess.Popen[bytes]":
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, cwd=repo.path, env=repo.environ, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``bare.git`` and ``clone``, whose branches ``side-0`` and so on each hold their own, all pushed."""
    folder = tmp_path_factory.mktemp("sample")
    environ = clean_environ(folder / "home")
    init(folder / "bare.git", environ, "--bare")
    repo = init(folder / "clone", environ)
    repo.kit("install", "--local")
    repo.git("remote", "add", "origin", "../bare.git")
    repo.write(".gitattributes", ATTRIBUTES)
    repo.commit("common", COMMON)
    for number in range(PROCESSES):
        for path, data in own(number).items():
            repo.write(f"{number}/{path}", data)
    repo.kit("add", ".")
    for number in range(PROCESSES):
        repo.git("branch", f"side-{number}", commit_alone(repo, str(number)))
    repo.git("reset", "--quiet", "--hard", "main")
    repo.git("push", "--quiet", "--all", "origin")
    return folder


def commit_alone(repo: Repo, folder: str) -> str:
    """A commit on top of ``main`` that adds what the index has in ``folder``, out of the folder."""
    index = {"GIT_INDEX_FILE": f"../index-{folder}"}
    entries = repo.out("ls-files", "--stage", folder).replace(f"\t{folder}/", "\t")
    repo.git("read-tree", "main", extra=index)
    repo.git("update-index", "--index-info", stdin=entries.encode(), extra=index)
    tree = repo.git("write-tree", extra=index).stdout.strip()
    return repo.out("commit-tree", "-p", "main", "-m", "own", tree)


@pytest.fixture
def main(sample: Path, tmp_path: Path, environ: dict[str, str]) -> Repo:
    """A copy of the sample's clone, whose worktree holds pointers."""
    subprocess.run(["cp", "--archive", sample / "clone", sample / "bare.git", tmp_path], check=True)
    return Repo(tmp_path / "clone", environ)


@pytest.fixture
def linked(main: Repo, tmp_path: Path) -> list[Repo]:
    """Eight worktrees of ``main`` with pointers."""
    paths = [tmp_path / f"linked-{number}" for number in range(PROCESSES)]
    for path in paths:
        main.git("worktree", "add", "--quiet", "--detach", str(path), "main", extra=SKIP)
    return [Repo(path, main.environ) for path in paths]


def empty_store(main: Repo) -> None:
    """Only the remote has content."""
    for path in (main.path / ".git" / "kit" / "blobs" / "sha256").iterdir():
        path.unlink()


def assert_sound(main: Repo, linked: Sequence[Repo] = ()) -> None:
    for repo in (main, *linked):
        soundness.assert_status_is_true(repo)
        assert soundness.leftovers(repo) == []
    soundness.assert_nothing_lost(main, [main.path.parent / "bare.git" / "kit"])
    assert soundness.damaged(main) == set()
    assert ": 0 damaged" in main.kit("fsck").stdout


def assert_content(repo: Repo, content: dict[str, bytes]) -> None:
    assert {path: repo.read(path) for path in content} == content
    assert soundness.status(repo) == []


def test_adds_at_once_of_the_same_and_of_different_files_store_all(main: Repo, linked: list[Repo]) -> None:
    again = some_bytes(1_400_000, 9)
    jobs: list[Job] = []
    for number, repo in enumerate(linked):
        for path, data in {**own(number), "same.bin": again}.items():
            repo.write(path, data)
        jobs.append((repo, ["git", "add", "."] if number % 2 else ["git-kit", "add", "."]))
    together(jobs)
    for number, repo in enumerate(linked):
        for path, data in {**own(number), "same.bin": again}.items():
            assert repo.blob(f":{path}") == pointer_to(data)
            assert blob_in(main.path / ".git" / "kit", data).read_bytes() == data
    assert_sound(main, linked)


@pytest.mark.parametrize("is_here", [True, False], ids=["from-the-store", "from-the-remote"])
def test_checkouts_at_once_bring_each_its_content(main: Repo, linked: list[Repo], is_here: bool) -> None:
    if not is_here:
        empty_store(main)
    together((repo, ["git", "checkout", f"side-{number}"]) for number, repo in enumerate(linked))
    for number, repo in enumerate(linked):
        assert_content(repo, own(number))
    assert_sound(main, linked)


@pytest.mark.parametrize("link", ["copy", "hardlink"])
def test_pulls_at_once_in_one_worktree_fill_it_in(main: Repo, link: str) -> None:
    main.git("config", "kit.link", link)
    main.git("checkout", "--quiet", "side-3", extra=SKIP)
    empty_store(main)
    together((main, ["git-kit", "pull"]) for _ in range(PROCESSES))
    assert_content(main, {**COMMON, **own(3)})
    assert_sound(main)


def test_adds_at_once_in_one_worktree_lose_no_entry(main: Repo) -> None:
    for number in range(PROCESSES):
        for path, data in own(number).items():
            main.write(f"{number}/{path}", data)
    together((main, ["git-kit", "add", str(number)]) for number in range(PROCESSES))
    assert len(main.out("ls-files", "*/*").splitlines()) == PROCESSES * len(own(0))
    assert soundness.status(main) == [f"A  {number}/{path}" for number in range(PROCESSES) for path in sorted(own(0))]
    assert_sound(main)


def test_everything_at_once_with_fsck_and_prune_loses_nothing(main: Repo, linked: list[Repo]) -> None:
    jobs: list[Job] = [
        (main, ["git-kit", "prune", "--grace", "0", "--unreachable"]),
        (main, ["git-kit", "fsck"]),
        (main, ["git-kit", "pull"]),
    ]
    for number, repo in enumerate(linked):
        if number % 2:
            jobs.append((repo, ["git", "checkout", f"side-{number}"]))
        else:
            repo.write("fresh.bin", some_bytes(1_250_000, 50 + number))
            jobs.append((repo, ["git", "add", "."] if number % 4 else ["git-kit", "add", "."]))
    jobs += [(main, ["git-kit", "prune", "--grace", "0", "--unreachable"]), (main, ["git-kit", "fsck"])]
    together(jobs, codes=(0, 15))  # two prunes take turns, and one gives up after a minute
    for number, repo in enumerate(linked):
        if number % 2:
            repo.kit("pull")
            assert_content(repo, {**COMMON, **own(number)})
        else:
            fresh = some_bytes(1_250_000, 50 + number)
            assert repo.blob(":fresh.bin") == pointer_to(fresh)
            (repo.path / "fresh.bin").unlink()
            repo.git("checkout", "--", "fresh.bin")
            assert repo.read("fresh.bin") == fresh
    assert_sound(main, linked)
