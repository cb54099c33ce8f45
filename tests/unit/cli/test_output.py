"""What results look like."""

import pytest

from gitkit.cli.output import human_size, plural
from gitkit.core.paths import show_path


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (90_868_376, "86.7 MiB"),
        (1 << 30, "1.0 GiB"),
        (5 << 40, "5.0 TiB"),
        (3 << 60, "3072.0 PiB"),
    ],
)
def test_human_size_uses_binary_units(size: int, text: str) -> None:
    assert human_size(size) == text


def test_plural_counts() -> None:
    assert plural(1, "file") == "1 file"
    assert plural(2, "file") == "2 files"
    assert plural(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"plain.bin", "plain.bin"),
        (b"with space", "with space"),
        ("größe".encode(), "größe"),
        (b"line\nend", '"line\\nend"'),
        (b'quo"te', '"quo\\"te"'),
        (b"\x1b[31mred", '"\\033[31mred"'),
        (b"latin-\xe9", '"latin-\\351"'),
        (b"back\\slash", '"back\\\\slash"'),
    ],
)
def test_show_path_lets_no_control_character_through(path: bytes, text: str) -> None:
    assert show_path(path) == text
