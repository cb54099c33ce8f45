"""`git kit import hf:...`: a model of the Hugging Face hub."""

from gitkit.cli.import_report import as_document, destination, report
from gitkit.cli.output import print_json, print_text
from gitkit.cli.progress import shown
from gitkit.context import Context
from gitkit.modelkit.import_hub import import_hub


def import_from_hub(context: Context, source: str, folder: str | None, *, no_copy: bool, as_json: bool) -> None:
    """Import ``source``, which is ``hf:ORG/NAME[@REVISION]``, and say what was done."""
    from gitkit.registry.hub import HubRepository
    from gitkit.setup.guess import guess_kitfile

    name, _, revision = source.removeprefix("hf:").partition("@")
    with shown() as emit:
        place = destination(context, folder, no_copy=no_copy, emit=emit)
        hub = HubRepository(name, revision or None, context.environ)
        try:
            title = name.rpartition("/")[2]
            done = import_hub(place, hub, lambda files: guess_kitfile(files, name=title, license=hub.license))
        finally:
            hub.close()
    report(context, done.brought, done.origin, done.left_out)
    if as_json:
        print_json(as_document(done.brought, done.origin, done.left_out))
    elif done.brought.commit is not None:
        print_text(done.brought.commit)
