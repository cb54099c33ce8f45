"""Remakes the golden files beside it: bytes that must never change unnoticed.

    python tests/golden/make.py           write them all; look at ``git diff`` before you commit
    python tests/golden/make.py --check   only tell which differ, and exit 1

To add some, write a function that returns ``{file name: bytes}`` and list it in ``FOLDERS``. Make every value from
literals, never from clock, host or randomness. ``test_golden.py`` runs the check.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from gitkit.core.pointer import MAX_SIZE, Pointer

HERE = Path(__file__).parent

DIGEST = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
"""Of the six bytes ``hello`` and LF."""


def pointers_accepted() -> dict[str, bytes]:
    """Pointers, as git kit writes them."""
    plain = Pointer(DIGEST, 6)
    room = MAX_SIZE - len(plain.encode()) - len("a \n")
    return {
        "plain": plain.encode(),
        "largest-content": Pointer(DIGEST, (1 << 63) - 1).encode(),
        "further-keys": Pointer(DIGEST, 6, (("a", "1"), ("b.c-d", "2"))).encode(),
        "value-with-space": Pointer(DIGEST, 6, (("note", "two words"),)).encode(),
        "value-utf8": Pointer(DIGEST, 6, (("note", "é"),)).encode(),
        "size-1024": Pointer(DIGEST, 6, (("a", "x" * room),)).encode(),
    }


def pointers_lfs() -> dict[str, bytes]:
    """Git LFS pointers: read, never written."""
    return {"plain": _lines(f"oid {DIGEST}", "size 6", version="https://git-lfs.github.com/spec/v1")}


def pointers_rejected() -> dict[str, bytes]:
    """Content that resembles a pointer. Each breaks one rule of ``docs/pointer.md``, which its name tells."""
    oid, size = f"oid {DIGEST}", "size 6"
    good = _lines(oid, size)
    room = MAX_SIZE - len(good) - len("a \n")
    return {
        "1-size-1025": _lines(oid, size, "a " + "x" * (room + 1)),
        "2-no-lf-at-the-end": good[:-1],
        "2-crlf": good.replace(b"\n", b"\r\n"),
        "4-byte-order-mark": b"\xef\xbb\xbf" + good,
        "2-not-utf8": good + b"note \xff\n",
        "2-tab": _lines(oid, size, "note a\tb"),
        "3-empty-line": good + b"\n",
        "3-two-spaces": _lines(oid, "size  6"),
        "3-uppercase-key": _lines(oid, size, "Note x"),
        "3-no-value": _lines(oid, size, "note "),
        "4-other-version": _lines(oid, size, version="git-kit/2"),
        "4-version-last": _lines(oid, size).removeprefix(b"version git-kit/1\n") + b"version git-kit/1\n",
        "5-size-before-oid": _lines(size, oid),
        "5-no-digest": _lines("oid sha256:ABCD", size),
        "5-other-algorithm": _lines("oid md5:d41d8cd98f00b204e9800998ecf8427e", size),
        "6-size-zero": _lines(oid, "size 0"),
        "6-leading-zero": _lines(oid, "size 06"),
        "6-sign": _lines(oid, "size +6"),
        "6-size-too-large": _lines(oid, f"size {1 << 63}"),
        "7-keys-not-in-order": _lines(oid, size, "b 1", "a 2"),
        "7-key-twice": _lines(oid, size, "a 1", "a 2"),
        "7-reserved-key": _lines(oid, size, "size 7"),
        "9-empty": b"",
    }


FOLDERS: dict[str, Callable[[], dict[str, bytes]]] = {
    "pointer/accepted": pointers_accepted,
    "pointer/lfs": pointers_lfs,
    "pointer/rejected": pointers_rejected,
}


def _lines(*lines: str, version: str = "git-kit/1") -> bytes:
    return "".join(f"{line}\n" for line in (f"version {version}", *lines)).encode()


def stored(folder: str, root: Path = HERE) -> dict[str, bytes]:
    """The golden files of ``folder`` as they are on disk."""
    path = root / folder
    return {file.name: file.read_bytes() for file in path.iterdir()} if path.exists() else {}


def differences(folder: str, root: Path = HERE) -> list[str]:
    """Names in ``folder`` that are missing, too many or have other bytes than they should."""
    made, found = FOLDERS[folder](), stored(folder, root)
    return sorted(name for name in made.keys() | found.keys() if made.get(name) != found.get(name))


def write(folder: str, root: Path = HERE) -> None:
    """Write the golden files of ``folder`` and delete those that are no longer made."""
    path = root / folder
    path.mkdir(parents=True, exist_ok=True)
    made = FOLDERS[folder]()
    for name, data in made.items():
        (path / name).write_bytes(data)
    for name in stored(folder, root).keys() - made.keys():
        (path / name).unlink()


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    changed = [f"{folder}/{name}" for folder in FOLDERS for name in differences(folder)]
    if not arguments:
        for folder in FOLDERS:
            write(folder)
    print("".join(f"{name}\n" for name in changed), end="")
    return 1 if arguments and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
