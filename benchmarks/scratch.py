"""Where a benchmark works: a folder with its own HOME and Git configuration."""

import os
import shutil
import subprocess
import sys

import measure
from measure import Measured

BIN = os.path.dirname(sys.executable)


class Bench:
    """A scratch folder with its own HOME and Git configuration."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.environ = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": os.path.join(folder, "home"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
            "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
        }
        os.makedirs(self.environ["HOME"])
        for key, value in (
            ("user.name", "Bench"),
            ("user.email", "bench@example.com"),
            ("init.defaultBranch", "main"),
            ("gc.auto", "0"),
        ):
            self.git(folder, "config", "--global", key, value)
        self.git(folder, "kit", "install")
        if shutil.which("git-lfs"):
            self.git(folder, "lfs", "install", "--skip-repo")

    def git(self, cwd: str, *args: str) -> None:
        subprocess.run(["git", *args], cwd=cwd, env=self.environ, check=True, stdout=subprocess.DEVNULL)

    def repository(self, name: str, attribute: str) -> str:
        path = os.path.join(self.folder, name)
        os.makedirs(path)
        self.git(path, "init", "-q")
        with open(os.path.join(path, ".gitattributes"), "w", encoding="ascii") as file:
            file.write(f"*.bin filter={attribute} -text\n")
        self.git(path, "add", ".gitattributes")
        self.git(path, "commit", "-q", "-m", "start")
        return path

    def timed(self, cwd: str, *command: str, stdin: bytes = b"") -> Measured:
        return measure.run(command, cwd=cwd, environ=self.environ, stdin=stdin)
