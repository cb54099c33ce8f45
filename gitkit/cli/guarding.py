"""The Git server that `git kit hook update` and `git kit hook pre-receive` guard."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gitkit.context import Context
from gitkit.lifecycle.guard.server import Server, Update

if TYPE_CHECKING:
    from gitkit.core.config import Config
    from gitkit.lifecycle.environments import Place


def server_of(context: Context, updates: Sequence[Update], *, whole: bool) -> Server:
    """The repository of the current folder; its own branches count, whatever remotes it may have."""

    def place_of(config: "Config", config_of: "Callable[[str], Config | None]") -> "Place":
        from gitkit.cli.env import lifecycle_place

        return replace(lifecycle_place(context), git_remote=None, config=config, config_of=config_of)

    return Server(
        git=context.repository.git,
        updates={update.ref: update for update in updates},
        whole=whole,
        now=time.time_ns() // 1000,
        parse=context.parse_config,
        place_of=place_of,
    )
