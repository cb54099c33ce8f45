"""Blobs that we pack ourselves, as git reads them back."""

import pytest

from gitkit.git import packs
from gitkit.git.run import Git
from tests.lib.repos import Repo, init, some_bytes

# The sizes at which the header of a packed object gets one more byte are among them.
SIZES = [0, 1, 15, 16, 17, 2047, 2048, 262_143, 262_144]


@pytest.fixture(params=["sha1", "sha256"])
def repo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Repo:
    return init(tmp_path_factory.mktemp("repo"), environ, f"--object-format={request.param}")


def git_of(repo: Repo) -> Git:
    return Git(str(repo.path), repo.environ)


def stored(repo: Repo, contents: list[bytes]) -> list[str]:
    """The oids that we compute, after git has been given the contents."""
    git = git_of(repo)
    hash_name = packs.object_format(git)
    packs.write_blobs(git, contents, hash_name)
    return [packs.oid_of(content, hash_name) for content in contents]


def test_write_blobs_of_every_header_length_can_be_read_back(repo: Repo) -> None:
    contents = [some_bytes(size, seed=size) for size in SIZES]
    oids = stored(repo, contents)
    assert [repo.blob(oid) for oid in oids] == contents
    repo.git("fsck", "--strict")


def test_write_blobs_few_are_loose_and_many_are_one_pack(repo: Repo) -> None:
    stored(repo, [b"%d" % number for number in range(100)])
    assert "in-pack: 0" in repo.out("count-objects", "-v")
    oids = stored(repo, [b"and %d" % number for number in range(101)])
    counts = repo.out("count-objects", "-v")
    assert "in-pack: 101" in counts
    assert "packs: 1" in counts
    assert repo.blob(oids[77]) == b"and 77"


def test_write_blobs_again_in_another_order_adds_nothing(repo: Repo) -> None:
    contents = [b"%d" % number for number in range(150)]
    stored(repo, contents)
    before = repo.out("count-objects", "-v")
    stored(repo, [*reversed(contents), contents[0]])
    assert repo.out("count-objects", "-v") == before


def test_write_blobs_of_nothing_starts_no_git(repo: Repo) -> None:
    packs.write_blobs(Git("/nowhere", repo.environ), [], "sha1")
