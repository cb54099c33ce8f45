"""Entry point of ``git-kit``: the filter goes its own short way, everything else through the command line."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself costs start-up time
    from contextlib import AbstractContextManager

    from gitkit.core.events import Sink
    from gitkit.filter.smudge import Surroundings


def main() -> None:
    """Run the command in ``sys.argv`` and exit with its code."""
    try:
        sys.exit(_run(sys.argv[1:]))
    except KeyboardInterrupt:  # while modules are imported; later each command says more
        sys.exit(130)


def _run(argv: list[str]) -> int:
    if argv == ["filter-process"]:
        from gitkit.filter.serve import serve

        return serve(0, 1, _surroundings)
    import gc

    from gitkit.cli.main import main as cli_main

    gc.set_threshold(50_000)  # thousands of files or events are no garbage, however often one looks through them
    return cli_main(argv)


def _surroundings() -> "Surroundings":
    """The clone that the filter works for; looked at when Git has the first file for us, after the handshake."""
    import os

    from gitkit.context import Context

    return Context(os.environ, os.getcwd()).surroundings(_progress)


def _progress(is_worth_it: bool) -> "AbstractContextManager[Sink]":
    """A bar for work that takes a while, where a person watches; Git's own output has no other lines of ours."""
    if is_worth_it and sys.stderr.isatty():
        from gitkit.cli.progress import shown

        return shown()
    from gitkit.filter.smudge import no_progress

    return no_progress(is_worth_it)


if __name__ == "__main__":
    main()
