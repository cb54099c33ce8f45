"""File systems of their own for tests: one that shares bytes between files (XFS), and a small one that fills up.

They are loop-mounted, which needs root, `losetup` and the kernel's driver: without these a test is skipped.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NEEDED = ("mount", "umount", "losetup")


@contextmanager
def mounted(folder: Path, kind: str, size: int) -> Iterator[Path]:
    """A new file system of ``size`` bytes, mounted on ``folder``/mnt until the block ends; its image is deleted then.

    Skips the test where such a thing cannot be had.
    """
    _check(kind)
    image, mount = folder / f"{kind}.img", folder / "mnt"
    mount.mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(size)
    try:
        _run(f"mkfs.{kind}", "-q", *(["-F"] if kind == "ext4" else []), str(image))
        done = subprocess.run(
            ["mount", "-t", kind, "-o", "loop", str(image), str(mount)], capture_output=True, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"a {kind} image cannot be mounted here")
        try:
            yield mount
        finally:
            if subprocess.run(["umount", str(mount)], capture_output=True, check=False).returncode != 0:
                _run("umount", "--lazy", str(mount))  # a process that the test left still stands in it
    finally:
        image.unlink()


@pytest.fixture
def reflink_folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder on an XFS of 300 MiB, where files can share their bytes (reflinks, FIDEDUPERANGE)."""
    with mounted(tmp_path / "reflinks", "xfs", 300 << 20) as path:
        yield path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """An empty folder on an ext4 of 20 MiB, which is soon full."""
    with mounted(tmp_path / "small", "ext4", 20 << 20) as path:
        shutil.rmtree(path / "lost+found")
        yield path


def _check(kind: str) -> None:
    missing = [tool for tool in (*_NEEDED, f"mkfs.{kind}") if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip("mounting a file system needs root" if not missing else f"{missing[0]} is not installed")


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
