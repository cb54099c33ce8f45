"""Unpack: a kit, or a part of it, as files in a folder.

Every byte is verified before it is visible (``gitkit.modelkit.extract`` says by what): files are written beside their
place and renamed, a tar layer's files all together once the whole layer had its digest. Killed anywhere, the folder
holds whole files or none; unpacking again keeps the equal ones and brings the rest.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gitkit.core.events import Sink, Warned, ignore
from gitkit.core.paths import show_path
from gitkit.errors import NotFound
from gitkit.modelkit.artifact import Artifact
from gitkit.modelkit.blob_source import BlobSource
from gitkit.modelkit.dialects.entries import remote_datasets
from gitkit.modelkit.filters import Filter, Selection
from gitkit.modelkit.kitfile_text import kitfile_text
from gitkit.modelkit.names import Names, show_name
from gitkit.modelkit.plan import Resolve, claim_files, plan
from gitkit.modelkit.target import Target
from gitkit.modelkit.unpacking import KITFILE, Run, UnpackedFile


class Unpacked(NamedTuple):
    """Files in the kit's order. ``left_out``: paths of ``.git``, which no kit may write."""

    files: list[UnpackedFile]
    left_out: list[str]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def unpack(
    artifact: Artifact,
    source: BlobSource,
    folder: str,
    *,
    filters: Sequence[Filter] = (),
    overwrite: bool = False,
    kitfile: bytes | None = None,
    known: Mapping[str, str] | None = None,
    resolve: Resolve | None = None,
    transfers: int = 4,
    emit: Sink = ignore,
) -> Unpacked:
    """Put what ``filters`` want of a kit (everything without any) into ``folder``. Idempotent; links are not followed.

    A file that is there and equal is kept. ``kitfile`` are the author's bytes, where somebody knows them: else the
    Kitfile is written anew from the kit's. ``known`` are digests of files by path that the caller vouches for, so that
    single files can be read out of tar layers. ``resolve`` finds a kit that this one takes its model from.

    Raises:
        Conflict: other files are in the way, and ``overwrite`` is not set; or folders are. Lists them. What is known
            before anything is read is refused before anything is written; else a tar layer is refused as a whole.
        Corrupt: content is not what its digest says. Nothing of that layer was written; other layers may have been.
        InvalidFile: the kit holds what no kit may: see ``gitkit.modelkit.extract``.
        NotFound: no file is wanted, or the content is nowhere.
        Unsupported, Denied, NetworkError
    """
    names = Names()
    jobs, left_out = claim_files(plan(artifact, source, filters, known or {}, resolve), names)
    wants_kitfile = Selection(filters).kitfile
    if filters and not jobs and not wants_kitfile:
        raise _nothing(filters)
    with Target(folder) as target, target.errors():
        run = Run(target, names, overwrite, transfers, emit)
        text = (kitfile or kitfile_text(artifact.kitfile)) if wants_kitfile else None
        run.prepare(jobs, text)
        files = run.do(jobs)
        if text is not None and KITFILE not in names:
            files.append(run.write(KITFILE, text))
    if filters and not files:
        raise _nothing(filters)
    for place in remote_datasets(artifact.kitfile):
        emit(Warned(f"the kit does not hold the data at {show_name(place)}"))
    left_out += run.left_out
    if left_out:
        emit(Warned(f"Git's own files in the kit were left out: {len(left_out)}, such as {show_path(left_out[0])}"))
    return Unpacked(files, left_out)


def _nothing(filters: Sequence[Filter]) -> NotFound:
    wanted = ", ".join(each.text for each in filters)
    return NotFound(f"the kit holds no file that matches {wanted}", hint="list its files: git kit inspect REFERENCE")
