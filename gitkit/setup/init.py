"""Making a repository a model registry: its two files, the filter and the hooks. Doing it again changes nothing."""

import os
from dataclasses import dataclass

from gitkit.core.reference import RemoteUrl
from gitkit.errors import Unsupported
from gitkit.git.replace import replace_file
from gitkit.git.repository import Repository
from gitkit.setup.install import Installed, ensure
from gitkit.setup.kitfile import find_kitfile, write_kitfile
from gitkit.setup.remote import FILE as CONFIG_FILE
from gitkit.setup.remote import set_remote

CONFIG = b"""\
# git kit: where the large files and kits of this repository go, and how its versions travel.

[remote]
# An OCI registry, or a folder (oci-layout:PATH). Without a url, and with a Git remote on a local path: inside of that.
# url = "oci://registry.example.com/acme/llm"

[kit]
tags = "v*" # the Git tags that are releases
formats = ["modelpack"]

# An environment is a branch. One without "from" is what its branch's tip is; the others are changed by
# "git kit promote VERSION ENVIRONMENT" and "git kit rollback ENVIRONMENT" only.
[environments.dev]
branch = "dev"

[environments.staging]
branch = "staging"
from = ["dev"]

[environments.prod]
branch = "prod"
from = ["staging"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """``written`` and ``kept`` are names of files in the worktree (or of a setting)."""

    written: list[str]
    kept: list[str]
    installed: Installed


def init(repository: Repository, *, url: RemoteUrl | None = None, force: bool = False) -> Begun:
    """Write ``.gitkit.toml`` and a guessed Kitfile where there is none (``force``: anew), set filter and hooks.

    Raises:
        Unsupported: this is a bare repository.
        KitError: as ``set_remote`` and ``ensure``.
    """
    if repository.worktree is None:
        raise Unsupported("this is a bare repository: it has no files", hint="run the command in a clone of it")
    written, kept = [], []
    path = os.path.join(repository.worktree, CONFIG_FILE)
    if force or not os.path.lexists(path):
        replace_file(path, CONFIG)
        written.append(CONFIG_FILE)
    else:
        kept.append(CONFIG_FILE)
    if url is not None:
        written += [place for place in set_remote(repository, url, local=False) if place not in written]
    present = find_kitfile(repository.worktree)
    if force or present is None:
        written.append(os.path.basename(write_kitfile(repository, force=True)))
    else:
        kept.append(os.path.basename(present))
    kept = [name for name in kept if name not in written]
    return Begun(written=written, kept=kept, installed=ensure(repository))
