"""`git kit ls-files`: the large files of the index or of a commit."""

import os

import click

from gitkit.cli.fetch import wanted_files
from gitkit.cli.output import example, human_size, json_option, print_json, print_table, show_path
from gitkit.context import Context
from gitkit.core.digest import short


@click.command("ls-files", epilog=example.format("git kit ls-files v1.0.0"))
@click.argument("revision", required=False)
@click.option("-l", "--long", is_flag=True, help="Print whole digests.")
@json_option
@click.pass_obj
def command(context: Context, revision: str | None, long: bool, as_json: bool) -> None:
    """List large files: digest, whether the store has the content (* yes, - no), size, path."""
    files = wanted_files(context, (revision,) if revision else ())
    here = [context.store.holds(file.pointer.digest, file.pointer.size) for file in files]
    if as_json:
        print_json(
            [
                {
                    "path": os.fsdecode(file.path),
                    "digest": file.pointer.digest,
                    "size": file.pointer.size,
                    "in_store": present,
                    "lfs": file.pointer.lfs,
                }
                for file, present in zip(files, here, strict=True)
            ]
        )
        return
    rows = [
        [
            file.pointer.digest if long else short(file.pointer.digest),
            "*" if present else "-",
            human_size(file.pointer.size),
            show_path(file.path),
        ]
        for file, present in zip(files, here, strict=True)
    ]
    print_table(["DIGEST", " ", "SIZE", "PATH"], rows, right=(2,))
