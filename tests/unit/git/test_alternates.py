"""Which folders of objects a repository borrows from, as Git reads it (gitrepository-layout(5), git(1))."""

import os
from pathlib import Path

import pytest

from gitkit.git.alternates import borrowed


def objects(path: Path, *alternates: str) -> Path:
    """An objects folder whose ``info/alternates`` has these lines."""
    (path / "info").mkdir(parents=True)
    if alternates:
        (path / "info" / "alternates").write_text("".join(f"{line}\n" for line in alternates))
    return path


def test_borrowed_without_alternates_is_nothing(tmp_path: Path) -> None:
    assert borrowed(str(objects(tmp_path / "a")), "") == []
    assert borrowed(str(tmp_path / "nowhere"), "") == []


def test_borrowed_ignores_comments_empty_lines_and_what_is_missing(tmp_path: Path) -> None:
    other = objects(tmp_path / "b")
    mine = objects(tmp_path / "a", f"#{tmp_path / 'c'}", "", str(tmp_path / "gone"), str(other))
    objects(tmp_path / "c")
    assert borrowed(str(mine), "") == [str(other)]


def test_borrowed_a_relative_path_counts_from_the_objects_folder(tmp_path: Path) -> None:
    other = objects(tmp_path / "x" / "objects")
    assert borrowed(str(objects(tmp_path / "y" / "objects", "../../x/objects")), "") == [str(other)]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ('quo"te', r"quo\"te"),
        ("line\nend", r"line\nend"),
        ("größe", r"gr\303\266\303\237e"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_borrowed_a_quoted_path_is_unescaped(tmp_path: Path, name: str, line: str) -> None:
    other = objects(tmp_path / name)
    assert borrowed(str(objects(tmp_path / "a", f'"{tmp_path}/{line}"')), "") == [str(other)]


def test_borrowed_follows_alternates_of_alternates_once_each(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    objects(second, str(first), str(tmp_path / "0"))
    objects(first, str(second))
    mine = objects(tmp_path / "0", str(first))
    assert borrowed(str(mine), "") == [str(first), str(second)]


def test_borrowed_follows_five_levels_and_no_more(tmp_path: Path) -> None:
    for number in range(8):
        objects(tmp_path / str(number), str(tmp_path / str(number + 1)))
    assert borrowed(str(tmp_path / "0"), "") == [str(tmp_path / str(number)) for number in range(1, 6)]


def test_borrowed_of_the_environment_is_a_list_with_quotes(tmp_path: Path) -> None:
    plain, odd = objects(tmp_path / "plain"), objects(tmp_path / "with:colon")
    mine = objects(tmp_path / "a")
    listed = os.pathsep.join([str(plain), f'"{odd}"', "", str(tmp_path / "gone")])
    assert borrowed(str(mine), listed) == [str(plain), str(odd)]
