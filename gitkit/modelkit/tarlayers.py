"""Tar layers: described by what is in them, hashed and sent as a stream, never written down.

A layer's digest needs one pass over its content; the digest is remembered under that of the recipe, so the same files
are hashed once in a clone. The pass checks each file against its own digest. Sending is a second pass, whose bytes the
remote's side checks (``Remote.put_blob``), so a wrong memory cannot store anything.

Uncompressed bytes are those of Go's ``archive/tar`` (``gitkit.core.gotar``); for the others see
``gitkit.modelkit.compression``.
"""

import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from gitkit.core.digest import PREFIX, digest_of, is_digest
from gitkit.core.events import Advanced, Finished, Sink, Started, ignore
from gitkit.core.gotar import END, Member, header, members_of, padding, total_size
from gitkit.core.paths import show_path
from gitkit.errors import Corrupt
from gitkit.modelkit.compression import Blocks, compressed, library
from gitkit.modelkit.content import Content
from gitkit.modelkit.files import KitFile
from gitkit.store.ingest import BLOCK, Source, copy_hashed
from gitkit.store.layout import ImageLayout

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Recipe(NamedTuple):
    """A layer by its content. ``files`` are the members that are no folders, in the same order.

    ``uid`` owns the members (group 0); ``compression`` is ``none``, ``gzip`` or ``zstd``.
    """

    members: tuple[Member, ...]
    files: tuple[KitFile, ...]
    uid: int
    compression: str

    @property
    def key(self) -> str:
        """64 hex digits: equal for layers of equal bytes, and of no others."""
        contents = iter(self.files)
        lines = [f"git-kit tar 1 {self.uid} {self.compression} {library(self.compression)}"]
        for member in self.members:
            content = "dir" if member.is_dir else next(contents).digest
            lines.append(f"{member.mode:o} {member.size} {content} {len(member.name)} {member.name}")
        return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def unpacked_size(self) -> int:
        """Bytes before compression."""
        return total_size(self.members)


class Packed(NamedTuple):
    """A layer with its digest and size in bytes. ``diff_id`` is the digest before compression."""

    recipe: Recipe
    digest: str
    size: int
    diff_id: str


def recipe(
    files: Sequence[KitFile], folders: Iterable[str] = (), *, uid: int, prefix: str = "", compression: str = "none"
) -> Recipe:
    """The layer of ``files`` and ``folders`` below ``prefix``, in the order of KitOps; folders above are added."""
    by_name = {prefix + file.path: file for file in files}
    members = members_of(
        [
            *(Member(name, file.mode, file.size) for name, file in by_name.items()),
            *(Member(prefix + folder, 0o755, is_dir=True) for folder in folders),
        ]
    )
    ordered = tuple(by_name[member.name] for member in members if not member.is_dir)
    return Recipe(tuple(members), ordered, uid, compression)


class TarLayers:
    """Makes tar layers of ``content``."""

    def __init__(self, content: Content, *, emit: Sink = ignore) -> None:
        self._content = content
        self._emit = emit
        self._memory = _Memory(content.store)

    def pack(self, recipes: Sequence[Recipe]) -> list[Packed]:
        """Digest and size of each layer, in order; content is read only where they are not remembered.

        Raises:
            NotFound: content is nowhere.
            Corrupt: content is not what its pointer says.
            Unsupported: the compression needs a package that is not installed.
            Denied, NetworkError
        """
        known = {each: packed for each in dict.fromkeys(recipes) if (packed := self._memory.recall(each)) is not None}
        missing = [each for each in dict.fromkeys(recipes) if each not in known]
        if missing:
            size = sum(each.unpacked_size for each in missing)
            self._emit(Started("hashing", len(missing), size))
            for each in missing:
                known[each] = self._hash(each)
                self._memory.keep(known[each])
            self._emit(Finished("hashed", len(missing), size))
        return [known[each] for each in recipes]

    def open(self, recipe: Recipe) -> "io.BufferedReader":
        """The layer's bytes. Close it."""
        return io.BufferedReader(_Stream(compressed(recipe.compression, self._tar(recipe))), BLOCK)

    def forget(self, recipe: Recipe) -> None:
        """Hash the layer again when it is packed next."""
        self._memory.forget(recipe)

    def _hash(self, recipe: Recipe) -> Packed:
        if recipe.compression == "none":
            with closing(_Stream(self._told(self._tar(recipe, check=True)))) as stream:
                digest, size = copy_hashed(stream, None)
            return Packed(recipe, digest, size, digest)
        inner = hashlib.sha256()
        tar = _hashed(self._told(self._tar(recipe, check=True)), inner)
        with closing(_Stream(compressed(recipe.compression, tar))) as stream:
            digest, size = copy_hashed(stream, None)
        return Packed(recipe, digest, size, PREFIX + inner.hexdigest())

    def _told(self, blocks: Blocks) -> Blocks:
        with closing(blocks):
            for block in blocks:
                yield block
                self._emit(Advanced(len(block)))

    def _tar(self, recipe: Recipe, *, check: bool = False) -> Blocks:
        """The archive; with ``check`` each file is compared with its digest. A block is valid until the next one."""
        files = iter(recipe.files)
        buffer = memoryview(bytearray(min(BLOCK, max((file.size for file in recipe.files), default=0))))
        with closing(self._content.each(recipe.files)) as sources:
            for member in recipe.members:
                yield header(member, uid=recipe.uid)
                if not member.is_dir:
                    yield from _data(next(files), next(sources), buffer, check)
                    yield bytes(padding(member.size))
            yield END


def _data(file: KitFile, source: Source, buffer: memoryview, check: bool) -> Iterator[memoryview]:
    """Blocks end where the buffer does, not where a read happened to: compressed bytes may depend on it."""
    hasher = hashlib.sha256()
    left = file.size
    while left:
        wanted = buffer[: min(len(buffer), left)]
        filled = 0
        while filled < len(wanted) and (count := source.readinto(wanted[filled:])):
            filled += count
        if filled < len(wanted):
            raise Corrupt(f"the content of {_shown(file)} ends {left - filled} bytes early", hint="git kit fsck")
        if check:
            hasher.update(wanted)
        left -= filled
        yield wanted
    if check and PREFIX + hasher.hexdigest() != file.digest:
        raise Corrupt(f"the content of {_shown(file)} is not what {file.digest} says", hint="git kit fsck")


def _shown(file: KitFile) -> str:
    return show_path(file.path.encode())


class _Stream(io.RawIOBase):
    """Blocks as a file to read. Closing it ends their generator."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view):
            if not self._rest:
                block = next(self._blocks, None)
                if block is None:
                    break
                self._rest = memoryview(block)
            count = min(len(view) - filled, len(self._rest))
            view[filled : filled + count] = self._rest[:count]
            self._rest = self._rest[count:]
            filled += count
        return filled

    def close(self) -> None:
        self._blocks.close()
        super().close()


def _hashed(blocks: Blocks, hasher: "hashlib._Hash") -> Blocks:
    with closing(blocks):
        for block in blocks:
            hasher.update(block)
            yield block


# -- memory ----------------------------------------------------------------------------------------------------------


class _Memory:
    """Digests of layers, one small file each, under ``tars/`` in the store. Only a cache: safe to delete."""

    def __init__(self, store: ImageLayout) -> None:
        self._folder = os.path.join(store.path, "tars")

    def recall(self, recipe: Recipe) -> Packed | None:
        try:
            with open(self._path(recipe), "rb") as file:
                words = file.read(1024).decode("ascii").split()
        except (OSError, UnicodeDecodeError):
            return None
        if len(words) != 4 or not all(map(is_digest, (words[0], words[2]))) or words[3] != _seal(words[:3]):
            return None
        return Packed(recipe, words[0], int(words[1]), words[2])

    def keep(self, packed: Packed) -> None:
        """Remember. A cache that cannot be written is no error."""
        words = [packed.digest, str(packed.size), packed.diff_id]
        path = self._path(packed.recipe)
        beside = f"{path}.{os.getpid()}"
        try:
            os.makedirs(self._folder, exist_ok=True)
            with open(beside, "w", encoding="ascii") as file:
                file.write(" ".join([*words, _seal(words)]) + "\n")
            os.replace(beside, path)
        except OSError:
            return

    def forget(self, recipe: Recipe) -> None:
        try:
            os.unlink(self._path(recipe))
        except OSError:
            return

    def _path(self, recipe: Recipe) -> str:
        return os.path.join(self._folder, recipe.key)


def _seal(words: Sequence[str]) -> str:
    """What shows that a file of the cache was written whole."""
    return digest_of(" ".join(words).encode())
