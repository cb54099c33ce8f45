"""The only place that starts git.

Environment: a caller's ``GIT_DIR``, ``GIT_INDEX_FILE``, ``GIT_WORK_TREE`` and ``GIT_OBJECT_DIRECTORY`` are kept, since
inside a hook or filter they name the repository that Git is working on. Messages are forced into English, as some are
matched.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

from gitkit.errors import KitError, NotFound, Unsupported

# What git itself exports to the programs it starts and what must not reach another repository: tracing into our pipes,
# and pathspec modes that change the meaning of the paths we pass.
_DROPPED = frozenset(
    {"GIT_TRACE", "GIT_TRACE2", "GIT_TRACE2_EVENT", "GIT_TRACE2_PERF", "GIT_TRACE_PACKET", "GIT_TRACE_SETUP"}
    | {"GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"}
)
_OURS = frozenset({"GIT_OPTIONAL_LOCKS", "GIT_LITERAL_PATHSPECS", "GIT_NO_REPLACE_OBJECTS"})
"""What we set for git's own sake, and nobody's hooks should see."""

_REPOSITORY_PATHS = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"})
_REPOSITORY = _REPOSITORY_PATHS | {"GIT_PREFIX", "GIT_NAMESPACE"}

FILTER_OFF = tuple(
    word for setting in ("process=", "clean=", "smudge=", "required=false") for word in ("-c", f"filter.kit.{setting}")
)
"""Options for a git that must see pointers as they are."""


_PLAIN = tuple(
    word
    for setting in (
        *("color.ui=never", "column.ui=never"),
        *("log.showSignature=false", "log.follow=false"),
        *("i18n.commitEncoding=UTF-8", "i18n.logOutputEncoding=UTF-8"),
    )
    for word in ("-c", setting)
)
"""Settings of the person that would change what git says to us, or what we have it write."""


class GitError(KitError):
    """git said no. ``stderr`` is what it printed."""

    def __init__(self, message: str, *, stderr: str, status: int) -> None:
        super().__init__(message)
        self.stderr = stderr
        self.status = status


class Git:
    """Runs git in one directory. Holds no state besides, so it is safe to share between threads."""

    def __init__(self, directory: str | bytes, environ: Mapping[str, str]) -> None:
        self.directory = os.fsdecode(directory)
        self._environ = {key: value for key, value in environ.items() if key not in _DROPPED}
        self._environ.update(GIT_OPTIONAL_LOCKS="0", LC_ALL="C.UTF-8", LANGUAGE="", GIT_LITERAL_PATHSPECS="1")
        # A replaced object (git-replace(1)) exists in one clone only: the same commit must be the same everywhere.
        self._environ["GIT_NO_REPLACE_OBJECTS"] = "1"
        self._program = _program(environ.get("PATH", os.defpath))

    def at(self, directory: str | bytes) -> "Git":
        """git for the same repository in another directory of it."""
        environ = dict(self._environ)
        # git takes a relative GIT_INDEX_FILE from the worktree's root, wherever it was started.
        for name in (_REPOSITORY_PATHS - {"GIT_INDEX_FILE"}) & environ.keys():
            environ[name] = os.path.join(self.directory, environ[name])
        return Git(directory, environ)

    def elsewhere(self, directory: str | bytes) -> "Git":
        """git in another directory, which finds its repository by itself."""
        return Git(directory, {key: value for key, value in self._environ.items() if key not in _REPOSITORY})

    def with_index(self, path: str) -> "Git":
        """git for the same repository with another index file; ``path`` is absolute."""
        return Git(self.directory, {**self._environ, "GIT_INDEX_FILE": path})

    def acting(self, name: str, email: str, seconds: int) -> "Git":
        """git that commits as this person at this time (seconds since 1970, UTC)."""
        environ = dict(self._environ)
        for role in ("AUTHOR", "COMMITTER"):
            environ |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": email, f"GIT_{role}_DATE": f"@{seconds} +0000"}
        return Git(self.directory, environ)

    def inside(self, git_dir: str, worktree: str | None = None) -> "Git":
        """git for the repository, or a linked worktree's part of it, at ``git_dir``, whatever the environment says."""
        environ = {key: value for key, value in self._environ.items() if key not in _REPOSITORY}
        environ["GIT_DIR"] = git_dir
        if worktree is not None:
            environ["GIT_WORK_TREE"] = worktree
        return Git(worktree or git_dir, environ)

    def run(self, *args: str | bytes, stdin: bytes | None = None) -> bytes:
        """git's standard output.

        Raises:
            GitError: exit status is not 0.
        """
        done = self._call(args, stdin)
        if done.returncode != 0:
            raise _failure(args, done.returncode, done.stderr)
        return done.stdout

    def gather(self, *args: str | bytes, stdin: bytes) -> bytes:
        """Like ``run``, for output that comes in thousands of small pieces: through a file, which wakes nobody up.

        Raises:
            GitError: exit status is not 0.
        """
        with _scratch() as out:
            done = self._call(args, stdin, stdout=out)
            if done.returncode != 0:
                raise _failure(args, done.returncode, done.stderr)
            out.seek(0)
            return out.read()

    def text(self, *args: str | bytes) -> str:
        """Standard output as text, without the line end."""
        return self.run(*args).decode("utf-8", "surrogateescape").rstrip("\n")

    def ask(self, *args: str | bytes, stdin: bytes | None = None) -> str | None:
        """Like ``text``, but None where git exits with another status than 0 ("not there")."""
        done = self._call(args, stdin)
        return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n") if done.returncode == 0 else None

    def show(self, *args: str | bytes, extra: Mapping[str, str] | None = None) -> int:
        """Run git for the person: output goes where ours goes. Returns the exit status."""
        environ = {**self._for_hooks(), **(extra or {})}
        return subprocess.run([self._program, *args], cwd=self.directory, env=environ, check=False).returncode

    def attempt(
        self, *args: str | bytes, extra: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run git as ``show`` does, but keep what it says; whatever its exit status is."""
        return self._call(args, None, {**self._for_hooks(), **(extra or {})})

    def act(self, *args: str) -> None:
        """Run a git command that runs the person's hooks (push, merge): they find the environment that they expect.

        Raises:
            GitError: exit status is not 0.
        """
        done = self._call(args, None, self._for_hooks())
        if done.returncode != 0:
            raise _failure(args, done.returncode, done.stderr)

    def environ_for(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The environment of the person's own programs, which are no hooks of Git, with ``extra``."""
        return {**self._for_hooks(), **extra}

    def _for_hooks(self) -> dict[str, str]:
        return {key: value for key, value in self._environ.items() if key not in _OURS}

    @contextmanager
    def pipe(self, *args: str | bytes) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """A running git: ``(its standard input, its standard output)``. Ended when the block is left."""
        child = subprocess.Popen(
            [self._program, *_PLAIN, *args],
            cwd=self.directory,
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if child.stdin is None or child.stdout is None:
            raise AssertionError("pipes were asked for")
        try:
            yield child.stdin, child.stdout  # type: ignore[misc]
        except BaseException:
            child.kill()  # a thread may still be writing to it
            raise
        finally:
            child.stdout.close()
            with suppress(BrokenPipeError, ValueError):
                child.stdin.close()
            child.wait()

    def _call(
        self,
        args: Sequence[str | bytes],
        stdin: bytes | None,
        environ: Mapping[str, str] | None = None,
        stdout: BinaryIO | None = None,
    ) -> "subprocess.CompletedProcess[bytes]":
        try:
            return subprocess.run(
                [self._program, *(() if environ else _PLAIN), *args],
                cwd=self.directory,
                env=environ or self._environ,
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                stdout=stdout or subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
            )
        except FileNotFoundError as error:
            if not os.path.isdir(self.directory):
                raise NotFound(f"the folder {self.directory} does not exist") from error
            raise NotFound("git is not on PATH", hint="install git 2.39 or newer") from error
        except NotADirectoryError as error:
            raise NotFound(f"{self.directory} is not a directory") from error

    def version(self) -> tuple[int, int]:
        """Git's version, for example ``(2, 39)``."""
        words = self.text("version").split()
        major, minor = words[2].split(".")[:2]
        return int(major), int(minor)


def _scratch() -> BinaryIO:
    """A file in memory where the system has such, else one on disk; gone when it is closed."""
    if hasattr(os, "memfd_create"):
        with suppress(OSError):
            return open(os.memfd_create("git-kit"), "w+b")
    import tempfile

    return tempfile.TemporaryFile()


def _program(path: str) -> str:
    # An empty or relative entry of PATH means the current folder: a clone may bring a file named git.
    found = (os.path.join(folder, "git") for folder in path.split(os.pathsep) if os.path.isabs(folder))
    return next((program for program in found if os.access(program, os.X_OK)), "/nonexistent/git")


def _failure(args: Sequence[str | bytes], status: int, stderr: bytes) -> KitError:
    said = _uncoloured(stderr.decode("utf-8", "replace")).strip()
    if "dubious ownership" in said:
        return Unsupported(
            "Git does not trust this repository: another user owns it", hint=said.splitlines()[-1].strip()
        )
    words = [arg if isinstance(arg, str) else os.fsdecode(arg) for arg in args]
    name = next((word for word in words if not word.startswith("-") and "=" not in word), words[0])
    said = "\n".join(line.removeprefix("fatal: ").removeprefix("error: ") for line in said.splitlines())
    return GitError(f"git {name} failed: {said or f'status {status}'}", stderr=said, status=status)


def _uncoloured(text: str) -> str:
    """``text`` without colours, which a person may have set to ``always``, and a server may send."""
    if "\x1b" not in text:
        return text
    import re

    return re.sub(r"\x1b\[[0-9;]*[mK]", "", text)
