"""`git kit migrate`: the group; each of its commands is a module of its own, loaded when it is run."""

import click

from gitkit.cli.lazy_group import LazyGroup
from gitkit.cli.output import example
from gitkit.cli.table import Row

ROWS = (
    Row("lfs", "switch from Git LFS, with no history rewritten", "migrate_lfs"),
    Row("dvc", "take over files that DVC tracks", "migrate_dvc"),
    Row("info", "show which files of the history are large", "migrate_info"),
    Row("import", "make pointers of large files in the whole history", "migrate_import"),
    Row("export", "put content back into Git's history", "migrate_export"),
)


class _Migrations(LazyGroup):
    rows = ROWS


@click.group("migrate", cls=_Migrations, epilog=example.format("git kit migrate lfs"))
def command() -> None:
    """Bring a repository to git kit, from Git LFS, DVC or plain Git, or back to plain Git.

    `lfs` and `dvc` stage what changes, for you to commit. `import` and `export` rewrite history: commits get new names.
    """
