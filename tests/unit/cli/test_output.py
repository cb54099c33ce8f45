"""What results look like."""

import re
import subprocess
from pathlib import Path

import pytest

import gitkit.cli
from gitkit.cli.output import human_size, plural, print_table, print_text, say
from gitkit.core.paths import show_message, show_path, show_text, show_word


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größer, 模型, a\u00a0b, \u0645\u06cc\u200c\u062e", "größer, 模型, a\u00a0b, \u0645\u06cc\u200c\u062e"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("ok\rBAD\b", "ok\\rBAD\\x08"),
        ("ok\n\nhint: rm -rf ~", "ok\\n\\nhint: rm -rf ~"),
        ("v1\u202egnp", "v1\\u202egnp"),
        ("a\u2028b", "a\\u2028b"),
        ("latin-\udce9", "latin-\\udce9"),
    ],
)
def test_show_text_spells_out_what_acts_on_a_terminal_and_nothing_else(text: str, shown: str) -> None:
    assert show_text(text) == shown
    assert show_message(f"{text}\nhint: x") == shown.replace("\\n\\nhint", "\n\n  hint") + "\n  hint: x"


@pytest.mark.parametrize("path", [b"plain.bin", b"it's", b"two\nlines \x1b[2J", b"latin-\xe9'\"\\", "größe".encode()])
def test_show_word_is_one_harmless_word_that_bash_reads_as_the_path(path: bytes) -> None:
    word = show_word(path)
    assert word.isprintable()
    printed = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert printed.stdout == path


def test_texts_and_tables_let_nothing_but_line_ends_through(capsys: pytest.CaptureFixture[str]) -> None:
    say("one\ntwo\x1b[2J")
    print_text("three\n\x07")
    print_table(["NAME", "WHY"], [["\x1b[31mred", "first\n  second\r\nthird"], ["b", "c"]])
    out, err = capsys.readouterr()
    assert err == "one\ntwo\\x1b[2J\n"
    assert out == "three\n\\x07\nNAME         WHY\n\\x1b[31mred  first second third\nb            c\n"


def test_commands_print_by_the_functions_that_show_what_acts_on_a_terminal() -> None:
    raw = {
        "audit_export.py": 1,  # a file's bytes, whose writers have no control characters
        "completion.py": 1,  # a script of ours
        "deploy.py": 1,  # a folder's name, for programs
        "info.py": 2,  # YAML, which has none
        "textconv.py": 1,  # escaped there
    }
    folder = Path(next(iter(gitkit.cli.__path__)))
    found = {path.name: len(re.findall(r"click\.echo\(", path.read_text())) for path in folder.glob("*.py")}
    assert {name: count for name, count in found.items() if count and name not in ("main.py", "output.py")} == raw
