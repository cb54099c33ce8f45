"""Golden bytes: what the code makes today is what it made when the files were written."""

from pathlib import Path

import pytest

from tests.golden import make


@pytest.mark.parametrize("folder", make.FOLDERS)
def test_golden_files_made_again_are_the_same_bytes(folder: str) -> None:
    assert make.differences(folder) == []


def test_golden_folders_of_make_hold_nothing_that_it_does_not_make() -> None:
    made = {make.HERE / folder / name for folder, files in make.FOLDERS.items() for name in files()}
    tops = {make.HERE / Path(folder).parts[0] for folder in make.FOLDERS}
    assert {path for top in tops for path in top.rglob("*") if path.is_file()} == made


def test_differences_with_a_changed_missing_and_extra_file_names_all(tmp_path: Path) -> None:
    folder = "pointer/accepted"
    make.write(folder, tmp_path)
    assert make.differences(folder, tmp_path) == []
    (tmp_path / folder / "plain").write_bytes(b"changed")
    (tmp_path / folder / "value-utf8").unlink()
    (tmp_path / folder / "extra").write_bytes(b"")
    assert make.differences(folder, tmp_path) == ["extra", "plain", "value-utf8"]
    make.write(folder, tmp_path)
    assert make.differences(folder, tmp_path) == []
