"""The deploy folder on the disk, its records and its state."""

import json
import os
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.errors import Conflict, KitError, Locked, UsageError
from gitkit.lifecycle.deploy.releases import RECORD, Folder, Record, ReleaseFile, parse_record
from gitkit.lifecycle.deploy.state import Failed, Pending, State, read_state, write_state

DIGEST = digest_of(b"kit")
NAME = DIGEST[7:19]
FILE = ReleaseFile("deep/tool é.sh", 3, digest_of(b"abc"), 1_700_000_000_123_456_789, 0o555, 42)
RECORD_OF_KIT = Record(environment="prod", version="v1", digest=DIGEST, commit="1" * 40, event="2" * 40, files=[FILE])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(str(tmp_path / "live"))
    os.makedirs(folder.releases)
    return folder


def add(folder: Folder, name: str) -> None:
    os.mkdir(folder.path_of(name))
    Path(folder.path_of(name), RECORD).write_bytes(RECORD_OF_KIT.to_json())


def test_record_written_and_read_is_the_same() -> None:
    data = RECORD_OF_KIT.to_json()
    assert parse_record(data) == RECORD_OF_KIT
    assert data.isascii()
    (file,) = json.loads(data)["files"]
    assert (file["sha256"], file["mode"]) == (digest_of(b"abc")[7:], "0555")


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "sha256:short"},
        {"files": [{"path": "a"}]},
        {"files": None},
        {"files": [{**json.loads(RECORD_OF_KIT.to_json())["files"][0], "path": "../outside"}]},
        {"files": [{**json.loads(RECORD_OF_KIT.to_json())["files"][0], "sha256": "0"}]},
        {"files": [{**json.loads(RECORD_OF_KIT.to_json())["files"][0], "mode": "rwx"}]},
    ],
)
def test_record_that_makes_no_sense_is_none(change: dict[str, object]) -> None:
    assert parse_record(json.dumps({**json.loads(RECORD_OF_KIT.to_json()), **change}).encode()) is None


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_record_that_is_no_object_is_none(data: bytes) -> None:
    assert parse_record(data) is None


def test_record_that_is_a_link_is_none(folder: Folder) -> None:
    add(folder, NAME)
    path = Path(folder.path_of(NAME), RECORD)
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")
    assert folder.record(NAME) is None


def test_switch_replaces_the_link_and_takes_it_away(folder: Folder) -> None:
    assert folder.current() is None
    for name in (NAME, f"{NAME}-2"):
        folder.switch(name)
        assert folder.current() == name
        assert os.readlink(os.path.join(folder.path, "current")) == f"releases/{name}"
    folder.switch(None)
    folder.switch(None)
    assert folder.current() is None
    assert os.listdir(folder.path) == ["releases"]


@pytest.mark.parametrize("target", ["releases/mine", "elsewhere/" + NAME, f"/releases/{NAME}", f"releases/{NAME}/x"])
def test_current_that_leads_elsewhere_is_a_conflict(folder: Folder, target: str) -> None:
    os.symlink(target, os.path.join(folder.path, "current"))
    with pytest.raises(Conflict):
        folder.current()


def test_names_of_releases_are_ours_alone(folder: Folder) -> None:
    for name in (NAME, f"{NAME}-2", f"{NAME}-01", "mine", ".new-1", NAME[:11]):
        os.mkdir(folder.path_of(name))
    Path(folder.path_of("0" * 12)).write_text("a file")
    assert folder.names() == [NAME, f"{NAME}-2"]


def test_free_name_counts_past_what_is_taken_by_anything(folder: Folder) -> None:
    assert folder.free_name(DIGEST) == NAME
    add(folder, NAME)
    Path(folder.path_of(f"{NAME}-2")).write_text("a file")
    assert folder.free_name(DIGEST) == f"{NAME}-3"


def test_begin_goes_on_with_what_an_interrupted_process_left_of_the_same_kit(folder: Folder) -> None:
    first = folder.begin(DIGEST)
    Path(first, "half").write_text("x")
    other = folder.begin(digest_of(b"other"))
    assert folder.sweep(DIGEST) == 1
    assert not os.path.exists(other)
    second = folder.begin(DIGEST)
    assert (os.listdir(second), os.path.exists(first)) == (["half"], False)


def test_remove_takes_the_whole_release(folder: Folder) -> None:
    add(folder, NAME)
    folder.remove(NAME)
    assert os.listdir(folder.releases) == []


def test_locked_twice_is_refused_at_once(folder: Folder) -> None:
    with folder.locked(), pytest.raises(Locked, match="another process deploys to"), Folder(folder.path).locked():
        pass


def test_locked_where_no_folder_can_be_is_an_error_with_the_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(KitError, match="file/live"), Folder(str(tmp_path / "file" / "live")).locked():
        pass


def test_check_of_a_folder_inside_of_a_foreign_one_is_refused_through_links(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "alias").symlink_to("repo")
    for path in ("repo", "repo/deep/live", "alias/live"):
        with pytest.raises(UsageError):
            Folder(str(tmp_path / path)).check([str(tmp_path / "repo")])
    Folder(str(tmp_path / "repository")).check([str(tmp_path / "repo")])


# -- the state -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [
        State(),
        State(Pending(NAME, DIGEST, None), None, ()),
        State(Pending(NAME, DIGEST, "0" * 12, unhealthy=True), Failed(DIGEST, 1.5, 2), (NAME, "0" * 12)),
    ],
)
def test_state_written_and_read_is_the_same(folder: Folder, state: State) -> None:
    write_state(folder, state)
    assert read_state(folder) == state
    assert sorted(os.listdir(folder.path)) == [".kit-deploy.json", "releases"]


@pytest.mark.parametrize("data", [b"", b"[]", b'{"pending": {"name": "x"}}', b'{"failed": 3}', b'{"history": 3}'])
def test_state_that_is_not_ours_is_empty(folder: Folder, data: bytes) -> None:
    Path(folder.path, ".kit-deploy.json").write_bytes(data)
    assert read_state(folder) == State()
