"""Entry point of ``git-kit``: the filter goes its own short way, everything else through the command line."""

import sys


def main() -> None:
    """Run the command in ``sys.argv`` and exit with its code."""
    if sys.argv[1:2] == ["filter-process"]:
        from gitkit.filter.process import main as filter_main

        sys.exit(filter_main())
    from gitkit.cli.main import main as cli_main

    sys.exit(cli_main(sys.argv[1:]))


if __name__ == "__main__":
    main()
