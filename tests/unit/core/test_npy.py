"""Headers of NumPy's array files, as NumPy writes them and as nobody does."""

import pytest

from gitkit.core.npy import MAX_HEADER, Array, read_array
from gitkit.errors import Corrupt, Unsupported
from tests.lib.header_samples import npy_file, npy_header


def _array(file: bytes, size: int | None = None) -> Array:
    return read_array(lambda offset, count: file[offset : offset + count], len(file) if size is None else size)


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize(
    ("shape", "fortran", "size"), [((3, 4), False, 48), ((5,), True, 20), ((), False, 4), ((0, 7), False, 0)]
)
def test_array_is_what_its_header_says(shape: tuple[int, ...], fortran: bool, size: int, version: int) -> None:
    file = npy_file(npy_header("'<f4'", shape, fortran=fortran), bytes(size), version=version)
    assert _array(file) == Array("<f4", shape, fortran)


@pytest.mark.parametrize(
    ("descr", "dtype"),
    [
        ("'|O'", "|O"),
        ("'<U3'", "<U3"),
        ("'<M8[ns]'", "<M8[ns]"),
        ("[('x', '<f4'), ('y', '<i8', (2,))]", "x <f4, y <i8[2]"),
        ("[(('a title', 'z'), [('q', '|u1')])]", "z (q |u1)"),
        ('[("it\'s", "<f4")]', "it's <f4"),
        ("[('é', '<f4')]", "é <f4"),
    ],
)
def test_element_type_as_text(descr: str, dtype: str) -> None:
    file = npy_file(npy_header(descr, (2,)), bytes(100), version=3)
    assert _array(file).dtype == dtype


def test_header_with_numbers_of_python_2_is_read() -> None:
    assert _array(npy_file("{'shape': (3L, 4L), 'fortran_order': False, 'descr': '|b1'}", bytes(12))).shape == (3, 4)


def test_array_takes_two_reads_and_no_byte_of_its_data() -> None:
    file = npy_file(npy_header("'<f8'", (1000,)), bytes(8000))
    reads: list[tuple[int, int]] = []

    def read_at(offset: int, size: int) -> bytes:
        reads.append((offset, size))
        return file[offset : offset + size]

    read_array(read_at, len(file))
    assert reads == [(0, 12), (10, len(file) - 8000 - 10)]


GOOD = npy_header("'<f4'", (2,))


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"", "not a NumPy file"),
        (b"\x93NUMP1", "not a NumPy file"),
        (b"\x93NUMPY\x01\x00", "ends inside its header"),
        (npy_file(GOOD, bytes(8))[:60], "ends inside its header"),
        (npy_file(GOOD, bytes(7)), "ends inside its data"),
        (npy_file("{'descr': '<f4', 'shape': (2,)}", bytes(8)), "lacks shape, order or type"),
        (npy_file("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", bytes(8)), "lacks shape, order or type"),
        (npy_file("{'descr': '<f4', 'fortran_order': True, 'shape': 2}", bytes(8)), "lacks shape, order or type"),
        (npy_file("('<f4', (2,))", bytes(8)), "no dictionary"),
        (npy_file("{1: 2}", bytes(8)), "no dictionary of names"),
        (npy_file("{'descr' '<f4'}", bytes(8)), "no dictionary of names"),
        (npy_file("{'descr': '<f4'", bytes(8)), "lacks }"),
        (npy_file("{'descr': __import__('os')}", bytes(8)), "cannot be read at .__import__"),
        (npy_file("{'descr': }", bytes(8)), "has } in a wrong place"),
        (npy_file("", bytes(8)), "cut short|cannot be read"),
        (npy_file("[" * 1000, bytes(8)), "nested too deeply"),
        (npy_file(npy_header("[('x',)]", (2,)), bytes(8)), "a field of its type is malformed"),
        (npy_file(npy_header("'<f4'", (1 << 62, 8)), bytes(8)), "too large"),
        (npy_file(npy_header("'<f4'", (99999999999999999999,)), bytes(8)), "too large|lacks"),
        (npy_file(GOOD.replace("(2,)", "('2',)"), bytes(8)), "something else than numbers"),
        (npy_file(GOOD.replace("(2,)", "(True,)"), bytes(8)), "something else than numbers"),
        (npy_file("x" * (MAX_HEADER + 1), version=2), "bytes long"),
    ],
)
def test_what_is_no_array_is_corrupt(file: bytes, why: str) -> None:
    with pytest.raises(Corrupt, match=why):
        _array(file)


def test_version_that_is_not_known_is_unsupported() -> None:
    file = npy_file(GOOD, bytes(8))
    with pytest.raises(Unsupported, match=r"version 4\.0"):
        _array(file[:6] + b"\x04" + file[7:])
