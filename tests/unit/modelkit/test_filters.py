"""Which layers and files a filter wants, told from names alone."""

import pytest

from gitkit.core.oci import Descriptor
from gitkit.modelkit.artifact import ArtifactFile, Packing
from gitkit.modelkit.filters import Selection, parse_filter

LAYER = Descriptor(media_type="x", digest="sha256:" + "0" * 64, size=1)


def file(section: str, path: str, name: str | None = None, packing: Packing = "raw") -> ArtifactFile:
    return ArtifactFile(section=section, name=name, path=path, layer=LAYER, packing=packing)


ROWS, OTHER, CODE = file("datasets", "a/train", "rows"), file("datasets", "b/rows", "other"), file("code", "rows")


def whole(*filters: str) -> list[str]:
    files = [ROWS, OTHER, CODE]
    selection = Selection([parse_filter(text) for text in filters], files)
    return [each.path for each in files if selection.whole(each)]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], ["a/train", "b/rows", "rows"]),
        (["datasets"], ["a/train", "b/rows"]),
        (["datasets:rows"], ["a/train"]),
        (["datasets:b/rows"], ["b/rows"]),
        (["datasets:train"], ["a/train"]),
        (["datasets:b"], ["b/rows"]),
        (["datasets:."], ["a/train", "b/rows"]),
        (["datasets:*"], ["a/train", "b/rows"]),
        (["datasets:*/rows"], ["b/rows"]),
        (["datasets:[!b]/*"], ["a/train"]),
        (["kitfile"], []),
        (["DATASETS , code:rows"], ["a/train", "rows"]),
        (["code", "datasets:other"], ["b/rows", "rows"]),
    ],
)
def test_name_of_an_entry_is_not_looked_for_among_files(filters: list[str], expected: list[str]) -> None:
    assert whole(*filters) == expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("code:src/*.py", "src", True),
        ("code:src/lib/*.py", "src", True),
        ("code:src/lib/*.py", "src/lib", True),
        ("code:src/lib/*.py", "data", False),
        ("code:src/*.py", "src/lib/deep", False),
        ("code:src", "src/lib", True),
        ("code:src/run.py", "src/lib", False),
        ("code:**/x", "anywhere", True),
        ("code:*.py", "anywhere", True),
        ("code:run.py", "anywhere", True),
        ("code:known", "anywhere", False),
        ("docs", "src", False),
        ("code:s?c/x", "src", True),
        ("code:./src/./x", "src", True),
    ],
)
def test_tar_is_only_read_where_something_in_it_may_be_wanted(text: str, path: str, expected: bool) -> None:
    layer = file("code", path, packing="tar")
    selection = Selection([parse_filter(text)], [layer, file("datasets", "elsewhere", "known")])
    assert selection.some(layer) is expected


def test_layer_of_several_sections_is_read_for_any_but_the_kitfile() -> None:
    layer = file("", "", packing="tar")
    assert Selection([parse_filter("docs")], [layer]).some(layer)
    assert not Selection([parse_filter("kitfile")], [layer]).some(layer)
    assert Selection([parse_filter("kitfile")]).kitfile and not Selection([parse_filter("docs")]).kitfile
