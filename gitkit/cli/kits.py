"""`git kit kits`: the versions, and their kits in the registry."""

import sys
from datetime import UTC, datetime

import click

from gitkit.cli.lazy_group import Group
from gitkit.cli.output import example, human_size, json_option, plural, print_json, print_table, print_text, say
from gitkit.context import Context
from gitkit.core.digest import short
from gitkit.modelkit.listing import Version, versions


@click.group("kits", cls=Group, invoke_without_command=True, epilog=example.format("git kit kits --remote"))
@click.option("-r", "--remote", "ask_remote", is_flag=True, help="Ask the remote which versions are released.")
@json_option
@click.pass_context
def command(ctx: click.Context, ask_remote: bool, as_json: bool) -> None:
    """List versions: the Git tags that name releases, oldest first, with the digests of their kits.

    Without --remote only what this clone built or released is known. With it, SIZE is that of the whole kit and NEW
    what of it the version before does not hold.
    """
    if ctx.invoked_subcommand is None:
        _list(ctx.obj, ask_remote, as_json)


@command.command("tag", epilog=example.format("git kit kits tag v1.0.0 latest"))
@click.argument("reference")
@click.argument("newtag", metavar="NEWTAG")
@click.pass_obj
def tag(context: Context, reference: str, newtag: str) -> None:
    """Give a kit on the remote another tag.

    NEWTAG names the kit REFERENCE too, in the same place; no content moves. Prints the digest. Refuses to move a
    version to another kit, and to decide on an environment: that is what promote is for.
    """
    from gitkit.cli.places import guard, place_of
    from gitkit.modelkit.tags import retag

    remote, name = place_of(context, reference, write=True)
    done = retag(remote, name, newtag, guard(context, remote))
    if done.before == done.digest:
        say(f"{newtag} named {short(done.digest)} on {remote.url} before")
    else:
        moved = f", no longer {short(done.before)}" if done.before else ""
        say(f"{newtag} names {short(done.digest)} on {remote.url} now{moved}")
    print_text(done.digest)


@command.command("remove", epilog=example.format("git kit kits remove v0.9.0"))
@click.argument("tag", metavar="TAG|REFERENCE")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(context: Context, tag: str, yes: bool) -> int:
    """Remove one tag from the remote.

    Other tags of the same kit stay, and so does its content until the registry collects its garbage. Refused while an
    environment runs the version. Git's own tag is not touched.
    """
    from gitkit.cli.places import guard, place_of, running
    from gitkit.core.digest import is_digest
    from gitkit.modelkit.tags import check_removal

    remote, name = place_of(context, tag, write=True)
    if is_digest(name):
        raise click.UsageError("name the tag to remove, not a digest")
    digest = check_removal(remote, name, guard(context, remote), running(context, remote))
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"nobody can be asked here: to remove {name}, say --yes")
        if not click.confirm(f"remove {name} ({short(digest)}) from {remote.url}?", err=True):
            say("nothing was removed")
            return 1
    remote.delete_tag(name)
    say(f"removed {name} from {remote.url}; its kit was {digest}")
    return 0


@command.command("copy", epilog=example.format("git kit kits copy v1.0.0 oci://registry.example.com/prod/llm"))
@click.argument("reference")
@click.argument("target", metavar="TARGET")
@json_option
@click.pass_obj
def copy(context: Context, reference: str, target: str, as_json: bool) -> None:
    """Copy a kit to another place, byte for byte.

    TARGET is oci://HOST/REPOSITORY[:TAG] or oci-layout:PATH[:TAG]; without TAG the kit keeps its own. Content goes
    straight from one registry to the other, and not at all where both are the same one. Prints the kit's reference at
    TARGET.
    """
    from gitkit.cli.places import guard, place_of, tag_for
    from gitkit.cli.places import target as parse_target
    from gitkit.cli.progress import shown
    from gitkit.modelkit.copying import copy as copy_kit

    source, name = place_of(context, reference)
    place, newtag = parse_target(target)
    remote = context.open_remote(place)
    newtag = newtag or tag_for(name)
    with shown() as emit:
        done = copy_kit(
            source,
            remote,
            name,
            tag=newtag,
            guard=guard(context, remote),
            transfers=context.settings.transfers,
            emit=emit,
        )
    if as_json:
        print_json(
            {
                "digest": done.digest,
                "reference": done.reference,
                "tag": newtag,
                "size": done.size,
                "sent": sum(need.size for need in done.blobs.sent),
                "mounted": len(done.blobs.mounted),
            }
        )
        return
    said = f"as {newtag} " if newtag else ""
    say(f"copied {short(done.digest)} {said}to {remote.url}: {plural(done.layers, 'layer')}, {human_size(done.size)}")
    print_text(done.reference)


def _list(context: Context, ask_remote: bool, as_json: bool) -> None:
    lines = versions(
        context.repository.git,
        context.store,
        context.remote() if ask_remote else None,
        context.config.kit.tags,
        transfers=context.settings.transfers,
    )
    if as_json:
        print_json([{**line._asdict(), "created": _date(line.time)} for line in lines])
        return
    header = ["VERSION", "COMMIT", "DATE", "BUILT", *(["RELEASED", "SIZE", "NEW"] if ask_remote else [])]
    print_table(header, [_row(line, ask_remote) for line in lines], right=(5, 6))


def _row(line: Version, ask_remote: bool) -> list[str]:
    row = [line.version, (line.commit or "-")[:12], (_date(line.time) or "-")[:10], _short(line.built)]
    return [*row, _short(line.released), _size(line.size), _size(line.new)] if ask_remote else row


def _size(size: int | None) -> str:
    return "-" if size is None else human_size(size)


def _short(digest: str | None) -> str:
    return short(digest) if digest else "-"


def _date(time: int | None) -> str | None:
    return None if time is None else datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
