"""The one reader of environment, current folder and configuration; builds what operations need and passes it to them.

Everything is made on first use: a command that never touches the network never imports HTTP.
"""

import os
from collections.abc import Callable, Mapping
from functools import cache as once
from functools import cached_property
from typing import TYPE_CHECKING

from gitkit.errors import Denied, InvalidFile, KitError, NotFound, Unsupported
from gitkit.git import objects
from gitkit.git.repository import Repository, discover
from gitkit.git.run import Git
from gitkit.git.settings import Settings, read_settings
from gitkit.store.hashcache import HashCache
from gitkit.store.layout import ImageLayout

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from gitkit.core.config import Config
    from gitkit.core.events import Sink
    from gitkit.core.reference import LayoutUrl, RegistryUrl, RemoteUrl
    from gitkit.core.remote import Remote
    from gitkit.filter.smudge import Surroundings
    from gitkit.sync.lfs import LfsContent, LfsSource

SKIP_SMUDGE = "GIT_KIT_SKIP_SMUDGE"
"""Set to 1, every checkout leaves pointers: for jobs that need no content."""

CONFIG_FILE = ".gitkit.toml"
_COMMAND_LINE = "GIT_CONFIG_PARAMETERS"
"""How `git -c` reaches the programs that git starts."""
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
        common_dir = self.repository.common_dir
        return self._store(common_dir, self.settings.storage, url="the store", cache=self.hash_cache)

    def _store(
        self, common_dir: str, storage: str | None, *, url: str | None = None, cache: HashCache | None = None
    ) -> ImageLayout:
        """The store of the clone at ``common_dir`` with this ``kit.storage``, where the clone gets registered."""
        from gitkit.store.clones import Clones, remember_storage

        kit = os.path.join(common_dir, "kit")
        home = self.environ.get("HOME", "~")
        path = os.path.join(home, storage[2:]) if storage is not None and f"{storage}/"[:2] == "~/" else storage
        pool = os.path.realpath(os.path.join(common_dir, path)) if path is not None else None
        if pool is not None and pool != os.path.realpath(kit):
            Clones(pool).register(os.path.realpath(common_dir))
            remember_storage(kit, pool)
        find = once(lambda: self._neighbours(common_dir, pool))
        return ImageLayout(kit, url=url, cache=cache, pool=pool, neighbours=find)

    def _neighbours(self, common_dir: str, pool: str | None) -> list[str]:
        """Stores that a missing blob may be taken over from: earlier ones of the clone, those of Git's alternates."""
        from gitkit.git.alternates import borrowed
        from gitkit.store.clones import storages

        listed = self.environ.get("GIT_ALTERNATE_OBJECT_DIRECTORIES", "")
        folders = [os.path.dirname(path) for path in borrowed(os.path.join(common_dir, "objects"), listed)]
        kits = [os.path.join(folder, "kit") for folder in (common_dir, *folders)]
        found = dict.fromkeys(os.path.realpath(path) for kit in kits for path in (kit, *storages(kit)))
        found.pop(pool or os.path.realpath(kits[0]), None)
        return list(found)

    @cached_property
    def hash_cache(self) -> HashCache:
        """What this clone has hashed before."""
        return HashCache(os.path.join(self.repository.common_dir, "kit", "state.db"))

    def clone_at(self, common_dir: str) -> "Context":
        """Another clone on this machine, whose common folder is ``common_dir``.

        Raises:
            NotFound: there is none (any more).
            Unsupported: Git does not trust it.
        """
        from gitkit.git.places import main_folder

        git = self._elsewhere(common_dir)
        # The last word on whom to trust is Git's: it looks at the owner when it finds a repository by itself.
        found = git.text("-c", "safe.bareRepository=all", "rev-parse", "--absolute-git-dir")
        if os.path.realpath(found) != os.path.realpath(common_dir):
            raise NotFound(f"{common_dir} is not a Git repository")
        folder = main_folder(git.inside(common_dir), common_dir)
        other = Context({key: value for key, value in self.environ.items() if key != _COMMAND_LINE}, common_dir)
        other.git = git.inside(common_dir, folder)
        other.repository = Repository(worktree=folder, git_dir=common_dir, common_dir=common_dir, git=other.git)
        return other

    @property
    def skip_smudge(self) -> bool:
        return self.environ.get(SKIP_SMUDGE, "") not in ("", "0", "false")

    def surroundings(self, progress: "Callable[[bool], AbstractContextManager[Sink]] | None" = None) -> "Surroundings":
        """What the filter works with. Runs inside of a git command, so it must not write to the index before its end.

        ``progress`` shows work to the person.
        """
        from gitkit.filter.smudge import Surroundings, no_progress

        def open_remote(treeish: str | None, lfs: bool = False) -> "Remote":
            return self.reading_remote(lfs, treeish)

        return Surroundings(
            repository=self.repository,
            store=self.store,
            cache=self.hash_cache,
            settings=self.settings,
            skip=self.skip_smudge,
            open_remote=open_remote,
            install_hooks=self._install_hooks,
            progress=progress or no_progress,
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
            Unsupported: this is a Git server's own repository.
            NotFound, Denied: as ``remote``.
        """
        if self.repository.worktree is None and self.git_remote is None:
            from gitkit.core.paths import show_word

            raise Unsupported(
                "this is a bare repository: versions are approved, promoted and rolled back from a clone of it",
                hint=f"git kit clone {show_word(self.repository.git_dir)}",
            )
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

    def _config_text(self, name: str = CONFIG_FILE) -> bytes | None:
        if self.repository.worktree is not None:
            try:
                # A clone may bring a link to anywhere, or a pipe.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                with open(os.open(os.path.join(self.repository.worktree, name), flags), "rb") as file:
                    return file.read(_MAX_CONFIG)
            except FileNotFoundError:
                pass
            except OSError as error:
                raise InvalidFile(f"cannot read {name}: {error.strerror}", hint="it must be a file") from error
        for rev in ("", "HEAD"):
            text = objects.read_file(self.repository.git, rev, name)
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

    def reading_remote(self, lfs: bool = False, treeish: str | None = None) -> "Remote":
        """Where content is read from: ``remote``, or for Git LFS pointers what Git LFS would ask, then ``remote``.

        The files of ``treeish``, a tree that is being checked out, may not be there yet: its configuration is read from
        Git.

        Raises:
            NotFound: no remote is configured. Whether Git LFS leads anywhere shows when content is asked for.
        """
        if lfs:
            return self.lfs_content(treeish)
        return self.remote(config=self.config_of(treeish) if treeish else None)

    def lfs_content(self, treeish: str | None = None) -> "LfsContent":
        """Where the content of Git LFS pointers is; ``treeish`` as for ``reading_remote``. Nothing is opened yet."""
        from gitkit.git.lfs import objects_folders
        from gitkit.store.lfs_objects import LfsObjects
        from gitkit.sync.lfs import LfsContent

        own, *borrowed = map(LfsObjects, objects_folders(self.repository))
        return LfsContent(own, borrowed, lambda: self._lfs_source(treeish), lambda: self.reading_remote(False, treeish))

    def _lfs_source(self, treeish: str | None) -> "LfsSource":
        from gitkit.git import lfs
        from gitkit.sync.lfs_source import open_source

        name = lfs.CONFIG_FILE
        text = objects.read_file(self.repository.git, treeish, name) if treeish else self._config_text(name)
        return open_source(self.repository, self.git_remote, text, self.environ)

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
        if path is not None and os.path.isdir(path):
            common = self.git.elsewhere(path).ask("rev-parse", "--path-format=absolute", "--git-common-dir")
            if common is not None:
                # A remote is to hold content by itself: the person's own shared store is not for it.
                storage = self._elsewhere(path).ask("config", "--local", "kit.storage")
                return self._store(common, storage or None, url=f"oci-layout:{os.path.join(common, 'kit')}")
        if path is not None:
            raise NotFound(f"the Git remote {path} is not there", hint="git remote --verbose")
        raise NotFound("no remote is configured for large files", hint="git kit remote oci://HOST/REPOSITORY")

    def _elsewhere(self, path: str) -> Git:
        """git in another repository, which settings from the command line of this run are not meant for."""
        return Git(path, {key: value for key, value in self.environ.items() if key != _COMMAND_LINE}).elsewhere(path)

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
    if "://" in url:
        return None
    return os.path.join(root, os.path.expanduser(url))
