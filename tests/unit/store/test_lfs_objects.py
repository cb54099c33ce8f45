"""Git LFS's own folder of objects, as it lies on the disk."""

from pathlib import Path

import pytest

from gitkit.core.digest import digest_of
from gitkit.errors import NotFound
from gitkit.store.lfs_objects import LfsObjects
from tests.lib.registries import read_all

DATA = b"content\n"
DIGEST = digest_of(DATA)
OID = DIGEST.removeprefix("sha256:")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of one object."""
    path = tmp_path / OID[:2] / OID[2:4] / OID
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    return path


def test_object_is_found_by_digest_and_size(path: Path, tmp_path: Path) -> None:
    objects = LfsObjects(str(tmp_path))
    assert objects.file_of(DIGEST, len(DATA)) == str(path)
    assert objects.has_blob(DIGEST) and not objects.has_blob(digest_of(b"other"))
    assert read_all(objects.open_blob(DIGEST, len(DATA), start=3)) == DATA[3:]


def test_object_of_another_size_is_taken_for_none(path: Path, tmp_path: Path) -> None:
    path.write_bytes(DATA[:3])
    objects = LfsObjects(str(tmp_path))
    assert objects.file_of(DIGEST, len(DATA)) is None
    with pytest.raises(NotFound):
        objects.open_blob(DIGEST, len(DATA))


@pytest.mark.usefixtures("path")
def test_objects_are_those_whose_place_is_their_name(tmp_path: Path) -> None:
    other = digest_of(b"other").removeprefix("sha256:")
    for name in (f"{OID[:2]}/{OID[2:4]}/{other}", f"{OID[:2]}/{OID[2:4]}/tmp", f"incomplete/{OID}", f"zz/{OID}", OID):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    link = tmp_path / other[:2] / other[2:4] / other
    link.parent.mkdir(parents=True)
    link.symlink_to("/etc/hostname")
    assert list(LfsObjects(str(tmp_path)).objects()) == [(DIGEST, len(DATA))]


def test_folder_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    objects = LfsObjects(str(tmp_path / "absent"))
    assert list(objects.objects()) == []
    assert objects.file_of(DIGEST, len(DATA)) is None
