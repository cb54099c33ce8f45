"""The one reader of environment, current folder and configuration; builds what operations need and passes it to them.

Everything is made on first use: a command that never touches the network never imports HTTP.
"""

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from gitkit.errors import Denied, InvalidFile, KitError, NotFound
from gitkit.git import objects
from gitkit.git.repository import Repository, discover
from gitkit.git.run import Git
from gitkit.git.settings import Settings, read_settings
from gitkit.store.layout import ImageLayout

if TYPE_CHECKING:
    from gitkit.core.config import Config
    from gitkit.core.reference import LayoutUrl, RegistryUrl, RemoteUrl
    from gitkit.core.remote import Remote
    from gitkit.filter.smudge import Surroundings

SKIP_SMUDGE = "GIT_KIT_SKIP_SMUDGE"
"""Set to 1, every checkout leaves pointers: for jobs that need no content."""

CONFIG_FILE = ".gitkit.toml"
_MAX_CONFIG = 1 << 20


class Context:
    """What one run of git kit knows about its surroundings."""

    def __init__(self, environ: Mapping[str, str], cwd: str) -> None:
        self.environ = environ
        self.cwd = cwd
        self.git = Git(cwd, environ)

    @cached_property
    def repository(self) -> Repository:
        """The repository of the current folder.

        Raises:
            NotFound: there is none.
        """
        return discover(self.git)

    @cached_property
    def settings(self) -> Settings:
        """``git config kit.*``."""
        return read_settings(self.git)

    @cached_property
    def store(self) -> ImageLayout:
        """The clone's store, shared by all its worktrees."""
        return ImageLayout(os.path.join(self.repository.common_dir, "kit"), url="the store")

    @property
    def skip_smudge(self) -> bool:
        return self.environ.get(SKIP_SMUDGE, "") not in ("", "0", "false")

    def surroundings(self) -> "Surroundings":
        """What the filter works with. Runs inside of a git command, so it must not write to the index."""
        from gitkit.filter.smudge import Surroundings

        def open_remote(treeish: str | None) -> "Remote":
            # The files of the tree that is being checked out may not be there yet: read its configuration from Git.
            return self.remote(config=self.config_of(treeish) if treeish else None)

        settings = self.settings
        return Surroundings(
            self.store, self.skip_smudge, settings.strict, settings.transfers, open_remote, self._install_hooks
        )

    def _install_hooks(self) -> str | None:
        """Hooks for a clone that the filter meets for the first time, unless somebody else's hooks are in the way."""
        from gitkit.git import hooks

        try:
            if hooks.is_untouched(self.repository):
                hooks.install(self.repository)
            elif hooks.inspect(self.repository)[0].state == "missing":
                return "git kit: this clone's pre-push hook does not upload large files\nhint: git kit install"
        except KitError as error:
            return f"git kit: no hooks: {error.message}\nhint: git kit install"
        return None

    # -- .gitkit.toml ----------------------------------------------------------------------------------------------

    @cached_property
    def config(self) -> "Config":
        """``.gitkit.toml`` of the worktree, else of the index, else of HEAD; defaults where there is none.

        Raises:
            InvalidFile: it has problems.
        """
        return self.parse_config(self._config_text(), CONFIG_FILE)

    @cached_property
    def lifecycle_config(self) -> "Config":
        """The configuration that versions are released and moved by.

        On an environment's own branch the worktree holds some version's files, its ``.gitkit.toml`` among them, which
        may name a remote of the past: there the Git remote's main branch counts.
        """
        here = self.config
        git = self.repository.git
        branch = git.ask("symbolic-ref", "-q", "--short", "HEAD")
        environments = here.environments.values()
        if self.git_remote is None or branch not in [one.branch for one in environments if one.sources]:
            return here
        followed = [one.branch for one in environments if not one.sources]
        for name in ("HEAD", "main", "master", *followed):
            there = self.config_of(f"refs/remotes/{self.git_remote}/{name}")
            if there is not None and there.environments:
                return there
        return here

    @property
    def lifecycle_remote(self) -> "Remote":
        """The remote of ``lifecycle_config``, to write to.

        Raises:
            NotFound, Denied: as ``remote``.
        """
        return self.remote(config=self.lifecycle_config, write=True)

    def config_of(self, rev: str) -> "Config | None":
        """``.gitkit.toml`` of a commit, or None where it has none."""
        text = objects.read_file(self.repository.git, rev, CONFIG_FILE)
        return None if text is None else self.parse_config(text, f"{rev}:{CONFIG_FILE}")

    @staticmethod
    def parse_config(text: bytes | None, name: str) -> "Config":
        """The configuration in ``text``; defaults for None."""
        from gitkit.core.config import Config, parse_config

        return Config() if text is None else parse_config(text, file=name)

    def _config_text(self) -> bytes | None:
        if self.repository.worktree is not None:
            try:
                # A clone may bring a link to anywhere, or a pipe.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                with open(os.open(os.path.join(self.repository.worktree, CONFIG_FILE), flags), "rb") as file:
                    return file.read(_MAX_CONFIG)
            except FileNotFoundError:
                pass
            except OSError as error:
                raise InvalidFile(f"cannot read {CONFIG_FILE}: {error.strerror}", hint="it must be a file") from error
        for rev in ("", "HEAD"):
            text = objects.read_file(self.repository.git, rev, CONFIG_FILE)
            if text is not None:
                return text
        return None

    # -- remotes ---------------------------------------------------------------------------------------------------

    @cached_property
    def git_remote(self) -> str | None:
        """The Git remote that branches and tags go to: ``kit.remote``, else ``origin``, else the only one there is."""
        names = (self.repository.git.ask("remote") or "").split("\n")
        if self.settings.remote is not None:
            if self.settings.remote not in names:
                raise NotFound(f"git config kit.remote names {self.settings.remote}, which is not a Git remote")
            return self.settings.remote
        if "origin" in names:
            return "origin"
        return names[0] if len(names) == 1 and names[0] else None

    def remote(self, *, git_url: str | None = None, config: "Config | None" = None, write: bool = False) -> "Remote":
        """The configured remote: ``git config kit.url``, else ``.gitkit.toml``, else the folder in a local Git remote.

        ``git_url`` is where Git itself is pushing to, when it is.

        Raises:
            NotFound: no remote is configured.
            Denied: with ``write``, the repository (not this clone) names a folder outside of it.
        """
        from gitkit.core.reference import LayoutUrl, parse_remote

        if self.settings.url is not None:
            return self.open_remote(parse_remote(self.settings.url))
        url = (config or self.config).remote_url
        if url is None:
            return self._embedded(git_url)
        if write and isinstance(url, LayoutUrl):
            self._refuse_foreign_folder(url)
        return self.open_remote(url)

    def open_remote(self, url: "RemoteUrl") -> "Remote":
        """The remote at ``url``. Opening one does not touch it."""
        from gitkit.core.reference import LayoutUrl

        if isinstance(url, LayoutUrl):
            return ImageLayout(self._layout_path(url), url=str(url))
        return self._registry(url)

    def _registry(self, url: "RegistryUrl") -> "Remote":
        from gitkit.registry.client import Registry

        return Registry.from_environ(url.host, url.repository, scheme=url.scheme, environ=self.environ)

    def _embedded(self, git_url: str | None) -> "Remote":
        """The folder ``kit`` inside a Git remote on a local path: that repository's own store."""
        if git_url is None and self.git_remote is not None:
            git_url = self.repository.git.ask("remote", "get-url", "--push", self.git_remote)
        path = _local_path(git_url, self.repository.root) if git_url else None
        if path is not None:
            common = self.git.elsewhere(path).ask("rev-parse", "--path-format=absolute", "--git-common-dir")
            if common is not None:
                return ImageLayout(os.path.join(common, "kit"), url=f"oci-layout:{os.path.join(common, 'kit')}")
        raise NotFound("no remote is configured for large files", hint="git kit remote oci://HOST/REPOSITORY")

    def _layout_path(self, url: "LayoutUrl") -> str:
        return os.path.normpath(os.path.join(self._main_root, url.path))

    @cached_property
    def _main_root(self) -> str:
        """The root of the main worktree: all linked ones mean the same folder by a relative path."""
        repository = self.repository
        if os.path.realpath(repository.git_dir) == os.path.realpath(repository.common_dir):
            return repository.root
        first = repository.git.text("worktree", "list", "--porcelain").split("\n", 1)[0]
        return first.removeprefix("worktree ")

    def remote_name(self, git_url: str | None) -> str:
        """What tells the remote from others, without checking or opening anything: for caches."""
        import tomllib

        text = self._config_text() or b""
        try:
            table = tomllib.loads(text.decode()).get("remote", {})
        except (ValueError, RecursionError):
            table = {}
        configured = self.settings.url or (table.get("url") if isinstance(table, dict) else None)
        return str(configured or git_url or "")

    def _refuse_foreign_folder(self, url: "LayoutUrl") -> None:
        # A cloned repository must not make us write outside of it: only this clone's own configuration may.
        root = os.path.realpath(self.repository.root)
        path = os.path.realpath(self._layout_path(url))
        if os.path.commonpath([root, path]) != root:
            raise Denied(
                f"{CONFIG_FILE} names a folder outside of this repository: {path}",
                hint=f"if you trust it: git config kit.url {url}",
            )


def _local_path(url: str, root: str) -> str | None:
    if url.startswith("file://"):
        from urllib.parse import unquote

        return unquote(url.removeprefix("file://"))
    # Git reads host:path as ssh unless a slash comes before the colon (git-clone(1), "GIT URLS").
    colon, slash = url.find(":"), url.find("/")
    if colon >= 0 and (slash < 0 or colon < slash):
        return None
    path = os.path.join(root, os.path.expanduser(url))
    return path if os.path.isdir(path) else None
