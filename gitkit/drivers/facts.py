"""What the header of a file says, as short lines that compare well: the same file always gives the same ones.

Lines are sorted by name, so that what is added somewhere shows as one line.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gitkit.core import tensors
from gitkit.core.kinds import Kind
from gitkit.core.tensors import ReadAt
from gitkit.errors import KitError, Unsupported

MAX_FACTS = 10_000
"""More are counted, not listed."""

_MAX_SAFETENSORS = 16 << 20
_MAX_GGUF = 32 << 20
_NPY_HEAD = 4 << 10


class Fact(NamedTuple):
    """``tensor``, its name, ``F32 [384, 384]``. Name and value are the file's own words: whoever shows them escapes."""

    label: str
    name: str
    value: str


class Facts(NamedTuple):
    """``more`` facts are not listed. ``problem`` says why there are not all."""

    kind: str
    facts: Sequence[Fact]
    more: int = 0
    problem: str | None = None


def read_facts(kind: Kind, read_at: ReadAt, size: int) -> Facts:
    """What a file of ``size`` bytes says of itself. Reads no more than its header, and fails for no file."""
    try:
        found = _READERS[kind](read_at, size)
    except KitError as error:
        return Facts(kind, [], problem=error.message)
    return found._replace(facts=found.facts[:MAX_FACTS], more=found.more + max(0, len(found.facts) - MAX_FACTS))


def _safetensors(read_at: ReadAt, size: int) -> Facts:
    from gitkit.core import safetensors

    def read_some(offset: int, count: int) -> bytes:
        if count > _MAX_SAFETENSORS:
            raise Unsupported(f"it is {count} bytes long")
        return read_at(offset, count)

    return Facts("safetensors", [*_tensors(safetensors.read_facts(read_some, size))])


def _gguf(read_at: ReadAt, size: int) -> Facts:
    from gitkit.core import gguf

    found = gguf.read_facts(read_at, size, budget=_MAX_GGUF)
    problem = None if found.complete else "it is too long, so tensors are not shown"
    return Facts("gguf", [*_tensors(found)], problem=problem)


def _tensors(found: tensors.Facts) -> Iterator[Fact]:
    if found.parameters is not None:
        yield Fact("parameters", "", str(found.parameters))
    for key, value in sorted(found.metadata.items()):
        yield Fact("metadata", key, value)
    for tensor in sorted(found.tensors):
        yield Fact("tensor", tensor.name, f"{tensor.dtype} {list(tensor.shape)}")


def _onnx(read_at: ReadAt, size: int) -> Facts:
    from gitkit.core.onnx import read_model

    model = read_model(read_at, size)
    facts = [
        Fact("ir", "", str(model.ir_version)),
        Fact("producer", model.producer, ""),
        Fact("graph", model.graph, ""),
    ]
    facts += [Fact("opset", domain, str(version)) for domain, version in sorted(model.opsets.items())]
    facts += [Fact("metadata", key, value) for key, value in sorted(model.metadata.items())]
    facts += [Fact("input", value.name, value.type) for value in model.inputs]
    facts += [Fact("output", value.name, value.type) for value in model.outputs]
    facts += [Fact("operator", name, str(count)) for name, count in sorted(model.operators.items())]
    for weight in sorted(model.initialisers):
        place = f" in {weight.external}" if weight.external else ""
        facts.append(Fact("initialiser", weight.name, f"{weight.dtype} {list(weight.shape)}{place}"))
    return Facts("onnx", [fact for fact in facts if fact.name or fact.value])


def _npy(read_at: ReadAt, size: int) -> Facts:
    from gitkit.core.npy import read_array

    array = read_array(read_at, size)
    return Facts(
        "npy",
        [
            Fact("dtype", array.dtype, ""),
            Fact("shape", "", str(list(array.shape))),
            Fact("order", "", _order(array.fortran_order)),
        ],
    )


def _npz(read_at: ReadAt, size: int) -> Facts:
    from gitkit.core.npy import read_array
    from gitkit.core.ziplist import Member, read_head, read_members

    def fact(member: Member) -> Fact:
        contents = f"{member.size} bytes, crc {member.crc:08x}"
        try:
            head = read_head(read_at, member, _NPY_HEAD)
            array = read_array(lambda offset, count: head[offset : offset + count], member.size)
        except KitError:
            return Fact("member", member.name, contents)
        described = f"{array.dtype} {list(array.shape)} {_order(array.fortran_order)} order"
        return Fact("array", member.name.removesuffix(".npy"), f"{described}, {contents}")

    members = sorted(read_members(read_at, size))
    return Facts("npz", [fact(member) for member in members[:MAX_FACTS]], max(0, len(members) - MAX_FACTS))


def _order(fortran: bool) -> str:
    return "Fortran" if fortran else "C"


def _zip(read_at: ReadAt, size: int) -> Facts:
    from gitkit.core.ziplist import read_members

    members = sorted(read_members(read_at, size))
    # What torch.save writes: a pickle, which is never loaded here, and one file for each storage.
    kind = "pytorch" if any(member.name.endswith("/data.pkl") for member in members) else "zip"
    return Facts(kind, [Fact("member", one.name, f"{one.size} bytes, crc {one.crc:08x}") for one in members])


def _parquet(read_at: ReadAt, size: int) -> Facts:
    from gitkit.core.parquet import read_table

    table = read_table(read_at, size)
    facts = [Fact("rows", "", str(table.rows)), Fact("created-by", table.created_by, "")]
    facts += [Fact("codec", codec, "") for codec in table.codecs]
    facts += [Fact("metadata", key, value) for key, value in sorted(table.metadata.items())]
    facts += [Fact("column", one.path, f"{one.type} {one.repetition}") for one in table.columns]
    facts += [
        Fact("row-group", str(number), f"{group.rows} rows, {group.size} bytes")
        for number, group in enumerate(table.row_groups)
    ]
    return Facts("parquet", [fact for fact in facts if fact.name or fact.value])


_READERS: dict[Kind, Callable[[ReadAt, int], Facts]] = {
    "safetensors": _safetensors,
    "gguf": _gguf,
    "onnx": _onnx,
    "npy": _npy,
    "npz": _npz,
    "parquet": _parquet,
    "zip": _zip,
}
