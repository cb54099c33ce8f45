"""What pickles would do, and which of it is harmless."""

import _compat_pickle
import collections
import datetime
import decimal
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitkit.core.harmless import HARMLESS, is_harmless
from gitkit.core.machine import MAX_DEPTH, Global
from gitkit.core.pickles import Scan, scan
from tests.lib.pickle_samples import (
    FLOAT64,
    HOSTILE,
    OBJECT,
    STOP,
    by_line,
    by_stack,
    called,
    dtype,
    joblib_array,
    joblib_file,
    number,
    reader,
    rising,
    state_dict,
    text,
    torch_legacy,
)

SYSTEM = Global("os", "system")


def scanned(data: bytes, **options: Any) -> Scan:
    found = scan(rising(data), **options)
    assert found is not None
    return found


def refused(found: Scan, *allow: str) -> bool:
    return bool(found.problems) or not all(is_harmless(name, allow) for name in found.globals)


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_scan_of_a_hostile_pickle_finds_a_name_that_is_refused(name: str) -> None:
    assert refused(scanned(HOSTILE[name]))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True], "b": ("x", b"y", 1 << 70)},
        collections.OrderedDict(a=1),
        collections.defaultdict(list, a=[1]),
        [datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), decimal.Decimal("1.5")],
        [{1, 2}, frozenset({3}), bytearray(b"x"), 1 + 2j, range(3), slice(1)],
    ],
)
def test_scan_of_plain_values_in_every_protocol_finds_only_harmless_names(value: object, protocol: int) -> None:
    found = scanned(pickle.dumps(value, protocol))
    assert not refused(found)
    assert (found.pickles, found.unread) == (1, None)


class _Computed:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, ...]]:
        return eval, ("1",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_scan_of_a_call_of_eval_in_every_protocol_names_it(protocol: int) -> None:
    module = "builtins" if protocol > 2 else "__builtin__"
    assert scanned(pickle.dumps(_Computed(), protocol)).globals == (Global(module, "eval"),)


OS, SYS = text("os"), text("system")


@pytest.mark.parametrize(
    "look_up",
    [
        OS + b"\x94" + SYS + b"\x94" + b"00" + b"h\x00h\x01\x93",
        OS + b"q\x07" + SYS + b"r\x00\x01\x00\x00" + b"00" + b"h\x07j\x00\x01\x00\x00\x93",
        OS + b"p5\n" + b"0g5\n" + SYS + b"\x93",
        SYS + b"2\x9400" + OS + b"h\x00\x93",
        OS + SYS + b"(" + text("decoy") + text("name") + b"1\x93",
        OS + SYS + b"((00\x93",
        OS + SYS + text("decoy") + b"0\x93",
        b"Vos\nV\\u0073ystem\n\x93",
        b"S'os'\nU\x06system\x93",
        b"T\x02\0\0\0osX\x06\0\0\0system\x93",
        text("collections") + b"\x94" + OS + b"q\x000h\x00" + SYS + b"\x93",
    ],
)
def test_scan_of_a_name_by_way_of_stack_and_memo_finds_it(look_up: bytes) -> None:
    assert SYSTEM in scanned(b"\x80\x04" + look_up + b"(tR" + STOP).globals


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (by_stack("builtins", "str") + OS + b"\x85R" + SYS + b"\x93", "it computes a name"),
        (b"\x82\x01", "it uses number 1 of Python's extension registry"),
        (b"\x84\x01\0\0\0", "extension registry"),
        (by_stack("collections", "OrderedDict") + b"}b", "it changes collections.OrderedDict"),
        (by_stack("collections", "OrderedDict") + b"N" + b"a", "it changes collections.OrderedDict"),
        (by_stack("collections", "OrderedDict") + b")R" + b")R", "it calls something that has no name"),
        (text("name") + b"Q", "it asks its loader for objects"),
        (b"Pname\n", "it asks its loader for objects"),
    ],
)
def test_scan_of_what_no_harmless_pickle_does_is_a_problem(body: bytes, problem: str) -> None:
    [found] = scanned(b"\x80\x04" + body + STOP).problems
    assert problem in found


@pytest.mark.parametrize("body", [b"(ios\nsystem\n.", b"(" + by_line("os", "system") + b"o."])
def test_scan_of_instructions_of_protocol_0_and_1_finds_names(body: bytes) -> None:
    assert scanned(body).globals == (SYSTEM,)


def frame(length: int) -> bytes:
    return b"\x95" + length.to_bytes(8, "little")


@pytest.mark.parametrize(
    "body",
    [
        b"K\x05" + frame(4) + b"\x80\x04cos\nsystem\n" + STOP,  # C reads another module here: "s"
        frame(3) + b"N0" + frame(2) + b"N" + STOP,
        frame(100) + b"N" + STOP,
    ],
)
def test_scan_of_frames_that_do_not_fit_is_a_problem(body: bytes) -> None:
    assert "its frames do not fit its instructions" in scanned(b"\x80\x04" + body).problems


# -- what is a pickle, and where it ends -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"N.junk",
        b"click\n=====\nA text.",
        b"config\nname\nbar",
        b"(In brackets\n",
        b"products are " + b"x" * 9999,
        b"GGUF\x03\0\0\0" + bytes(64),
        b"{}",
        b"\x80\x09N.",
        b"\x80\x04\x00\x00",
        bytes(5000),
    ],
)
def test_scan_of_what_is_no_pickle_finds_none(data: bytes) -> None:
    assert scan(rising(data)) is None


@pytest.mark.parametrize(
    "data",
    [
        called("os", "system", "id")[:-1],
        called("os", "system", "id", protocol=0)[:-1],
        b"\x80\x04\x8e" + (1 << 60).to_bytes(8, "little") + b"x",
        b"\x80\x04]\xff",
        pickle.dumps({"a": 1}) + b"junk",
        called("my", "Model") + b"junk",
    ],
)
def test_scan_of_a_pickle_that_does_not_end_properly_is_a_problem(data: bytes) -> None:
    [problem] = scanned(data).problems
    assert problem.startswith("damaged or hidden: ")


def test_scan_of_several_pickles_sees_the_last_one() -> None:
    found = scanned(pickle.dumps(1) + pickle.dumps([2], 0) + called("os", "system"))
    assert (found.pickles, found.globals, found.problems) == (3, (SYSTEM,), ())


def test_scan_of_long_values_reads_none_of_them() -> None:
    read = 0
    head, tail = b"\x80\x04B" + (1 << 31).to_bytes(4, "little"), by_stack("os", "system") + STOP
    after = len(head) + (1 << 31)

    def read_at(offset: int, size: int) -> bytes:
        nonlocal read
        read += size
        if offset < len(head):
            return head + bytes(size - len(head))
        return bytes(max(after - offset, 0)) + tail[max(offset - after, 0) :][:size]

    found = scan(read_at)
    assert found is not None and found.globals == (SYSTEM,)
    assert read < 1 << 20


def test_scan_of_more_than_can_be_followed_says_so() -> None:
    assert "more on its stack" in str(scanned(b"\x80\x04" + b"]" * (MAX_DEPTH + 1)).unread)


def test_scan_of_a_number_of_the_memo_that_goes_on_is_not_taken_for_damage() -> None:
    data = called("os", "system", "id", protocol=0)[:-1] + b"p" + b"0" * 4200 + b"7\n" + STOP
    assert scanned(data).unread is not None


# -- PyTorch and joblib ----------------------------------------------------------------------------------------------


def test_scan_of_a_state_dict_is_harmless_where_its_loader_gives_tensors() -> None:
    assert not refused(scanned(state_dict(), persistent=True))
    assert refused(scanned(state_dict()))


def test_scan_of_pytorchs_legacy_format_leaves_its_tensors_alone() -> None:
    found = scanned(torch_legacy(state_dict()))
    assert (found.torch, found.pickles, refused(found)) == (True, 5, False)
    assert refused(scanned(torch_legacy(called("os", "system"))))
    assert refused(scanned(torch_legacy(state_dict()) + called("os", "system"))) is False  # what its loader never reads


PADDED = b"\x03\xff\xff\xff" + b"os" * 8


def test_scan_of_arrays_of_joblib_goes_on_behind_each() -> None:
    found = scanned(joblib_file(joblib_array(PADDED), joblib_array(b"\x00" + bytes(24), shape=(3,)), OS))
    assert (found.arrays, found.pickles, found.unread, refused(found)) == (2, 1, None, False)
    hostile = scanned(joblib_file(joblib_array(PADDED), called("os", "system")[2:-1]))
    assert hostile.globals[-1] == SYSTEM


@pytest.mark.parametrize(
    ("name", "state", "size"),
    [
        ("U3", [number(3), text("<"), b"NNN", number(12), number(4), number(8)], 12),
        ("S5", [number(3), text("|"), b"NNN", number(5), number(1), number(0)], 5),
        ("V8", [number(3), text("|"), b"N", text("names"), text("fields"), number(8), number(1), number(16)], 8),
        ("M8", [number(4), text("<"), b"NNN", number(-1), number(-1), number(0), text("unit")], 8),
    ],
)
def test_scan_of_arrays_of_other_types_knows_their_sizes(name: str, state: list[bytes], size: int) -> None:
    found = scanned(joblib_file(joblib_array(b"\x00" + bytes(size), shape=(1,), type=dtype(name, *state)), OS))
    assert (found.unread, found.problems) == (None, ())


@pytest.mark.parametrize(
    "array",
    [
        joblib_array(PADDED, shape=(-2,)),
        joblib_array(PADDED, type=by_stack("numpy", "dtype") + text("f8") + b"\x85R"),
        joblib_array(PADDED, type=dtype("f8", number(3), text("<"), FLOAT64, b"NN", number(-1), number(-1), number(0))),
        joblib_array(PADDED, type=dtype("f8", number(3), text("<"), b"NNN", number(-1), number(-1), number(1))),
        joblib_array(PADDED, type=dtype("U3", number(3), text("<"), b"NNN", number(99), number(4), number(8))),
        by_stack("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81Nb",
        b"\x95" + (4000).to_bytes(8, "little") + joblib_array(PADDED),
    ],
)
def test_scan_of_an_array_of_unclear_size_says_that_it_cannot_be_followed(array: bytes) -> None:
    assert "an array of joblib" in str(scanned(joblib_file(array)).unread)


def test_scan_of_an_array_that_other_loaders_take_for_instructions_finds_what_they_call() -> None:
    hidden = called("os", "system", "id")[2:]
    array = joblib_array(hidden, shape=(len(hidden),), type=dtype("u1", number(3), text("|"), b"NNN", *[number(-1)] * 2,
        number(0)), alignment=b"")  # fmt: skip
    assert SYSTEM in scanned(joblib_file(array)).globals


def test_scan_of_an_array_of_objects_looks_into_its_pickle() -> None:
    assert not refused(scanned(joblib_file(joblib_array(pickle.dumps([1]), type=OBJECT), OS)))
    hostile = scanned(joblib_file(joblib_array(called("os", "system"), type=OBJECT), OS))
    assert SYSTEM in hostile.globals


def test_scan_of_an_array_of_objects_tells_what_other_loaders_read_from_it() -> None:
    inner = b"\x80\x04" + text("collections") + b"\x94" + text("OrderedDict") + b"\x9400h\x00h\x01\x93)R" + STOP
    data = b"\x80\x04" + OS + b"\x94" + SYS + b"\x94" + joblib_array(inner, type=OBJECT) + STOP
    found = scanned(data)
    assert Global("collections", "OrderedDict") in found.globals
    assert SYSTEM in found.otherwise


# -- the list --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "allow", "harmless"),
    [
        ("sklearn.tree._classes:Tree", ["sklearn"], True),
        ("sklearn.tree._classes:Tree", ["sklearn.*"], True),
        ("sklearn.tree._classes:Tree", ["sklearn.tree._classes.Tree"], True),
        ("sklearn.tree._classes:Tree", ["sklearn.svm", "sk", "", "*"], False),
        ("sklearnish:Tree", ["sklearn"], False),
        ("sklearn.utils:os.system", ["sklearn"], False),
        ("sklearn.utils:os", ["sklearn"], False),
        ("sklearn.utils:check_output", ["sklearn"], False),
        ("builtins:getattr", ["builtins", "builtins.getattr"], False),
        ("builtins:print", ["builtins.*"], False),
        ("operator:attrgetter", ["operator"], False),
        ("functools:partial", ["functools.partial"], False),
        ("importlib:import_module", ["importlib"], False),
        ("os:system", ["os"], False),
        ("os.path:join", ["os.path.join"], False),
        ("numpy:dtype", [], True),
        ("numpy:fromfile", [], False),
    ],
)
def test_entry_of_allow_stands_for_itself_and_what_is_below(name: str, allow: list[str], harmless: bool) -> None:
    assert is_harmless(Global(*name.split(":")), allow) is harmless


def test_names_that_python_3_reads_differently_are_harmless_in_both_readings() -> None:
    """Unpicklers of Python 3 rename what protocols 0 to 2 name, module and name together or the module alone."""
    for module, name in HARMLESS:
        renamed = _compat_pickle.NAME_MAPPING.get(
            (module, name), (_compat_pickle.IMPORT_MAPPING.get(module, module), name)
        )
        assert renamed in HARMLESS


# -- laws ------------------------------------------------------------------------------------------------------------

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(PLAIN, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_law_plain_values_are_harmless(value: object, protocol: int) -> None:
    found = scanned(pickle.dumps(value, protocol))
    assert not refused(found) and found.unread is None


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x80\x04", joblib_file(joblib_array(PADDED))[:-2]]))
def test_law_scan_of_any_bytes_ends_without_an_error(data: bytes, before: bytes) -> None:
    scan(rising(before + data))


PIECES = [
    *(OS, SYS, b"Vos\n", b"S'system'\n", b"U\x02os", b"X\x02\0\0\0os", text("x"), b"N", b"\x88", b"K\x05"),
    *(b"\x8a\x01\x02", b"\x94", b"q\x00", b"q\x01", b"p2\n", b"h\x00", b"h\x01", b"g2\n", b"0", b"1", b"2", b"("),
    *(b"]", b")", b"}", b"\x8f", b"t", b"\x85", b"\x86", b"\x87", b"l", b"d", b"\x91", b"a", b"e", b"s", b"u", b"\x90"),
    *(b"\x93", b"\x93", b"\x93", b"cos\nsystem\n", b"(ios\nsystem\n", b"o", b"R", b"R", b"\x81", b"\x92", b"b", b"b"),
    *(b"\x80\x02", b"\x80\x04", b"Q", b"Px\n", b".", b"I01\n", b"\x98", *map(frame, (1, 4, 5, 9, 13, 22, 40))),
]  # fmt: skip


class _Watched:
    """What a loader may look up and call: it is inert."""

    calls = 0

    def __new__(cls, *_: object, **__: object) -> "_Watched":
        _Watched.calls += 1
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None: ...
    def __setitem__(self, key: object, value: object) -> None: ...
    def append(self, item: object) -> None: ...
    def extend(self, items: object) -> None: ...
    def add(self, item: object) -> None: ...


def _watch(loader: Any, data: bytes) -> tuple[set[Global], int]:
    """What ``loader`` looks up and calls until it ends or fails."""
    names: set[Global] = set()

    class Loader(loader):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> object:
            names.add(Global(module, name))
            return type("Watched", (_Watched,), {})

        def persistent_load(self, _: object) -> object:
            return "os"

    _Watched.calls = 0
    stream = io.BytesIO(data)
    try:
        while stream.tell() < len(data):
            Loader(stream).load()
    except Exception:  # whatever a loader fails with
        return names, _Watched.calls
    return names, _Watched.calls


@pytest.mark.parametrize("loader", [pickle.Unpickler, pickle._Unpickler])  # type: ignore[attr-defined]
@given(head=st.sampled_from([b"", b"\x80\x04"]), pieces=st.lists(st.sampled_from(PIECES), max_size=25))
def test_law_whatever_a_loader_looks_up_the_scan_has_found(loader: Any, head: bytes, pieces: list[bytes]) -> None:
    data = head + b"".join(pieces) + STOP
    names, calls = _watch(loader, data)
    found = scan(reader(data))
    if found is None:
        assert calls == 0
    elif not found.problems and found.unread is None:
        assert names <= set(found.globals)
