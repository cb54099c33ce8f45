"""What counts as drift of a release, and which files may be linked."""

import os
from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.lifecycle.deploy.drift import Drift, drift_of
from gitkit.lifecycle.deploy.links import Links
from gitkit.lifecycle.deploy.releases import RECORD, Folder, Record, ReleaseFile

FILES = {"a": b"one", "deep/er/b": b"two", "c": b"three"}
NAME = "0123456789ab"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """One release with FILES; ``c`` is executable."""
    folder = Folder(str(tmp_path / "live"))
    files = []
    for path, data in FILES.items():
        target = Path(folder.path_of(NAME), path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        mode = 0o555 if path == "c" else 0o444
        target.chmod(mode)
        found = target.stat()
        files.append(ReleaseFile(path, len(data), digest_of(data), found.st_mtime_ns, mode, found.st_ino))
    record = Record(
        environment="prod", version="v1", digest=digest_of(b"kit"), commit="1" * 40, event="2" * 40, files=files
    )
    Path(folder.path_of(NAME), RECORD).write_bytes(record.to_json())
    return folder


def found(folder: Folder, *, verify: bool = False) -> Drift:
    record = folder.record(NAME)
    assert record is not None
    return drift_of(folder.path_of(NAME), record, verify=verify)


def good(folder: Folder, *, verify: bool = False) -> set[str]:
    """Paths of the files that may be linked."""
    links = Links(folder, verify=verify)
    paths = [links.find(digest_of(data), executable=path == "c") for path, data in FILES.items()]
    return {os.path.relpath(path, folder.path_of(NAME)) for path in paths if path is not None}


def rewrite(path: Path, data: bytes, mtime_ns: int | None = None) -> None:
    mode = path.stat().st_mode
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(mode)
    if mtime_ns is not None:
        os.utime(path, ns=(mtime_ns, mtime_ns))


def test_release_as_it_was_has_no_drift(folder: Folder) -> None:
    assert found(folder) == found(folder, verify=True) == Drift([], [], [])
    assert good(folder) == FILES.keys()


def test_each_kind_of_change_is_drift_and_is_not_linked(folder: Folder) -> None:
    release = Path(folder.path_of(NAME))
    os.utime(release / "a", ns=(1, 1))
    (release / "deep/er/b").unlink()
    (release / "deep/er/b").symlink_to(release / "c")
    (release / "c").chmod(0o444)
    (release / "deep/new").write_text("x")
    assert found(folder) == Drift(["a", "deep/er/b", "c"], [], ["deep/new"])
    assert good(folder) == set()


def test_folder_that_became_a_link_lacks_its_files(folder: Folder) -> None:
    release = Path(folder.path_of(NAME))
    (release / "deep").rename(release.parent / "elsewhere")
    (release / "deep").symlink_to("../elsewhere")
    assert found(folder) == Drift([], ["deep/er/b"], ["deep"])
    assert good(folder) == {"a", "c"}


def test_release_that_is_gone_lacks_everything(folder: Folder) -> None:
    record = folder.record(NAME)
    assert record is not None
    assert drift_of(folder.path_of("other"), record) == Drift([], list(FILES), [])


def test_content_that_changed_behind_size_and_time_is_found_by_verify(folder: Folder) -> None:
    path = Path(folder.path_of(NAME), "a")
    rewrite(path, b"eno", path.stat().st_mtime_ns)
    assert not found(folder).is_damage
    assert found(folder, verify=True).changed == ["a"]
    assert good(folder) == FILES.keys()
    assert good(folder, verify=True) == {"deep/er/b", "c"}


def test_file_with_another_inode_is_read_before_it_is_linked(folder: Folder) -> None:
    release = Path(folder.path_of(NAME))
    for name, data in (("a", b"one"), ("c", b"xhree")):
        old = (release / name).stat()
        (release / name).rename(release.parent / name)  # so that its inode is not used again
        (release / name).write_bytes(data)
        (release / name).chmod(old.st_mode)
        os.utime(release / name, ns=(old.st_mtime_ns, old.st_mtime_ns))
    assert not found(folder).is_damage
    assert good(folder) == {"a", "deep/er/b"}


def test_links_tell_executables_from_others(folder: Folder) -> None:
    links = Links(folder)
    assert links.find(digest_of(b"three"), executable=True) is not None
    assert links.find(digest_of(b"three"), executable=False) is None
