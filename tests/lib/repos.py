"""Real Git repositories for tests: ``Repo`` runs git and git kit in one of them, in an environment of its own.

Nothing of the person's configuration gets in: the environment is built from nothing but PATH.
"""

import os
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

Ran = subprocess.CompletedProcess[str]

_GLOBAL_CONFIG = """\
[user]
\tname = Ada Tester
\temail = ada@example.com
[init]
\tdefaultBranch = main
[advice]
\tdetachedHead = false
[gc]
\tauto = 0
"""


def clean_environ(home: Path) -> dict[str, str]:
    """The environment of a person whose home is ``home`` (made here) and who has set nothing but name and email.

    PATH starts with the folder of this Python, where ``git-kit`` is.
    """
    home.mkdir(parents=True, exist_ok=True)
    config = home / ".gitconfig"
    config.write_text(_GLOBAL_CONFIG)
    return {
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "DOCKER_CONFIG": str(home / ".docker"),
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "COLUMNS": "80",
    }


def some_bytes(size: int, seed: int = 0) -> bytes:
    """``size`` bytes that do not compress; the same for the same ``seed``."""
    return random.Random(seed).randbytes(size)


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    stdin: bytes = b"",
    code: int | None = 0,
) -> Ran:
    """Run a program to its end; bytes that are not UTF-8 come back as surrogates.

    Fails the test, showing all that was printed, where the exit status is not ``code`` (None: any will do).
    """
    done = subprocess.run(argv, cwd=cwd, env=dict(environ), input=stdin, capture_output=True, check=False)
    stdout, stderr = (out.decode("utf-8", "surrogateescape") for out in (done.stdout, done.stderr))
    shown = f"{' '.join(argv)}: exit {done.returncode}, not {code}\n{stdout}\n{stderr}"
    assert code is None or done.returncode == code, shown
    return subprocess.CompletedProcess(list(argv), done.returncode, stdout, stderr)


class Repo:
    """One worktree (or bare repository) at ``path``."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = path
        self.environ = dict(environ)

    def git(
        self,
        *args: str,
        stdin: bytes = b"",
        code: int | None = 0,
        cwd: str = ".",
        extra: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run git in the folder ``cwd`` of the worktree; ``extra`` is added to the environment."""
        environ = {**self.environ, **(extra or {})}
        return run(["git", *args], cwd=self.path / cwd, environ=environ, stdin=stdin, code=code)

    def kit(
        self,
        *args: str,
        stdin: bytes = b"",
        code: int | None = 0,
        cwd: str = ".",
        extra: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run git kit, the way a person does."""
        return self.git("kit", *args, stdin=stdin, code=code, cwd=cwd, extra=extra)

    def start(self, *argv: str) -> "subprocess.Popen[bytes]":
        """Start a program that the test will kill or talk to; its three streams are pipes."""
        return subprocess.Popen(
            argv,
            cwd=self.path,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def out(self, *args: str) -> str:
        """git's standard output without the line end."""
        return self.git(*args).stdout.rstrip("\n")

    def blob(self, name: str) -> bytes:
        """What Git itself stores under ``HEAD:path``, ``:path`` or an oid: the pointer, where there is one."""
        argv = ["git", "cat-file", "blob", name]
        return subprocess.run(argv, cwd=self.path, env=self.environ, capture_output=True, check=True).stdout

    def write(self, path: str, data: bytes | str, *, mode: int | None = None) -> Path:
        """Write a file of the worktree, with the folders that it needs; ``mode`` such as ``0o755``."""
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
        if mode is not None:
            target.chmod(mode)
        return target

    def read(self, path: str) -> bytes:
        """A file of the worktree."""
        return (self.path / path).read_bytes()

    def commit(self, message: str = "change", files: Mapping[str, bytes | str] | None = None) -> str:
        """Write ``files``, add everything and commit it; returns the commit's oid."""
        for path, data in (files or {}).items():
            self.write(path, data)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.out("rev-parse", "HEAD")

    def clone(self, path: Path, *options: str) -> "Repo":
        """A clone of this repository at ``path``, made by plain git."""
        run(["git", "clone", "--quiet", *options, str(self.path), str(path)], cwd=self.path, environ=self.environ)
        return Repo(path, self.environ)


def init(path: Path, environ: Mapping[str, str], *options: str) -> Repo:
    """A new, empty repository; ``options`` such as ``--bare``."""
    path.mkdir(parents=True, exist_ok=True)
    run(["git", "init", "--quiet", *options], cwd=path, environ=environ)
    return Repo(path, environ)
