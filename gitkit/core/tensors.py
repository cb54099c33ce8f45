"""What the header of a weights file says, in one form for ``safetensors`` and ``gguf``. Names and texts are the file's
own, so whoever shows them on a terminal escapes them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

ReadAt = Callable[[int, int], bytes]
"""``read_at(offset, size)``: the file's bytes there; fewer than ``size`` only where the file ends."""

MAX_ELEMENTS = (1 << 63) - 1
"""No tensor has more elements or bytes than this."""

_MAX_TEXT = 200
_UNITS = (("Q", 10**15), ("T", 10**12), ("B", 10**9), ("M", 10**6), ("K", 10**3))


class Tensor(NamedTuple):
    """One tensor: ``shape`` outermost dimension first, ``offset`` of its data in the file, ``size`` in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int

    @property
    def parameters(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


class Share(NamedTuple):
    """How much of a model has one dtype."""

    tensors: int
    parameters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one weights file is. None where its header does not say."""

    format: str
    """``safetensors`` or ``gguf``."""
    tensors: tuple[Tensor, ...]
    """In the order of their data."""
    metadata: Mapping[str, str]
    """All that the header says besides, each value as a short text."""
    architecture: str | None = None
    name: str | None = None
    quantisation: str | None = None
    """As a GGUF names it (``Q4_K_M``), else the dtype of most parameters."""
    context_length: int | None = None
    """In tokens."""
    vocabulary: int | None = None
    """How many tokens there are."""
    chat_template: bool = False
    complete: bool = True
    """False where reading stopped early: ``tensors`` is empty then, and more of the rest may be missing."""

    @property
    def parameters(self) -> int | None:
        """How many numbers all tensors hold."""
        return sum(tensor.parameters for tensor in self.tensors) if self.complete else None

    @property
    def dtypes(self) -> dict[str, Share]:
        """What share of the tensors has which dtype, the one of most parameters first."""
        return dtypes_of(self.tensors)


def dtypes_of(tensors: Iterable[Tensor]) -> dict[str, Share]:
    """What share of ``tensors`` has which dtype, the one of most parameters first."""
    found: dict[str, Share] = {}
    for tensor in tensors:
        share = found.get(tensor.dtype, Share(0, 0))
        found[tensor.dtype] = Share(share.tensors + 1, share.parameters + tensor.parameters)
    return dict(sorted(found.items(), key=lambda item: (-item[1].parameters, item[0])))


def main_dtype(tensors: Iterable[Tensor]) -> str | None:
    """The dtype of most parameters."""
    return next(iter(dtypes_of(tensors)), None)


def elements(shape: Iterable[int]) -> int | None:
    """How many elements a tensor of ``shape`` has, or None where that is more than ``MAX_ELEMENTS``."""
    count = 1
    for dimension in shape:
        count *= dimension
        if count > MAX_ELEMENTS:  # at once: the product of a hostile shape can be a very long number
            return None
    return count


def short_text(text: str) -> str:
    """``text``, cut after 200 characters."""
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def quoted(name: str) -> str:
    """A name for a message: short, and nothing in it acts on a terminal."""
    return repr(short_text(name))


def parameters_text(count: int) -> str:
    """A parameter count as Docker Model Runner writes it into a model's config: ``8.03 B``.

    Source: ``GGUFParametersScalar`` of gguf-parser-go.
    """
    for unit, base in _UNITS:
        if count >= base:
            return f"{count / base:.2f}".removesuffix(".00") + f" {unit}"
    return str(count)
