"""Which names a pickle may use: those that make values and can do nothing else, whatever they are given.

A name is allowed as a pair of module and name, never by its module alone, because modules hold more than they are for.
Whatever is in the list may be called with everything else in it and with plain values, and nothing else can be called.
So nothing belongs here that reads a file, imports a module, looks up an attribute, or loads a pickle.
"""

from collections.abc import Iterable

from gitkit.core.machine import Global

_BUILTINS = (
    *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range"),
    *("set", "slice", "str", "tuple", "Ellipsis", "NotImplemented"),
)
_NUMPY_CORE = ("numpy.core", "numpy._core")
_NUMPY_SCALARS = (
    *("bool", "bool_", "int8", "int16", "int32", "int64", "intc", "intp", "longlong", "uint8", "uint16", "uint32"),
    *("uint64", "uintc", "uintp", "ulonglong", "float16", "float32", "float64", "longdouble", "complex64"),
    *("complex128", "clongdouble", "bytes_", "str_", "void", "datetime64", "timedelta64"),
)
_TORCH_DTYPES = (
    *("float16", "float32", "float64", "bfloat16", "complex32", "complex64", "complex128", "uint8", "uint16"),
    *("uint32", "uint64", "int8", "int16", "int32", "int64", "bool", "half", "float", "double", "long", "int"),
    *("short", "quint8", "qint8", "qint32", "quint4x2", "quint2x4", "float8_e4m3fn", "float8_e4m3fnuz"),
    *("float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2"),
)
_TORCH_STORAGES = tuple(
    f"{kind}Storage"
    for kind in (
        *("Double", "Float", "Half", "Long", "Int", "Short", "Char", "Byte", "Bool", "BFloat16", "ComplexDouble"),
        *("ComplexFloat", "QUInt8", "QInt8", "QInt32", "QUInt4x2", "QUInt2x4"),
    )
)
_TORCH_REBUILD = (
    *("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter", "_rebuild_qtensor"),
    *("_rebuild_parameter_with_state", "_rebuild_sparse_tensor", "_rebuild_meta_tensor_no_storage"),
    *("_rebuild_nested_tensor", "_rebuild_sparse_csr_tensor"),
)


def _pairs(module: str, *names: str) -> set[tuple[str, str]]:
    return {(module, name) for name in names}


HARMLESS: frozenset[tuple[str, str]] = frozenset().union(
    _pairs("builtins", *_BUILTINS),
    _pairs("__builtin__", *_BUILTINS, "unicode", "long", "xrange"),  # as Python 2 and protocols 0 to 2 call them
    _pairs("_codecs", "encode"),
    _pairs("copyreg", "_reconstructor", "__newobj__"),
    _pairs("copy_reg", "_reconstructor", "__newobj__"),
    _pairs("collections", "OrderedDict", "defaultdict", "Counter", "deque"),
    _pairs("datetime", "date", "datetime", "time", "timedelta", "timezone"),
    _pairs("decimal", "Decimal"),
    _pairs("fractions", "Fraction"),
    _pairs("uuid", "UUID"),
    _pairs("argparse", "Namespace"),
    _pairs("types", "SimpleNamespace"),
    _pairs("pathlib", "PurePosixPath", "PureWindowsPath", "PosixPath", "WindowsPath"),
    _pairs("numpy", "ndarray", "dtype", *_NUMPY_SCALARS),
    *(_pairs(f"{core}.multiarray", "_reconstruct", "scalar") for core in _NUMPY_CORE),
    *(_pairs(f"{core}.numeric", "_frombuffer") for core in _NUMPY_CORE),
    _pairs("numpy.random._pickle", "__randomstate_ctor", "__generator_ctor", "__bit_generator_ctor"),
    _pairs("numpy.random.bit_generator", "SeedSequence", "__pyx_unpickle_SeedSequence"),
    _pairs("numpy.random._mt19937", "MT19937"),
    _pairs("numpy.random._pcg64", "PCG64"),
    _pairs("joblib.numpy_pickle", "NumpyArrayWrapper"),
    _pairs("torch", "Size", "Tensor", "device", *_TORCH_DTYPES, *_TORCH_STORAGES),
    _pairs("torch", "per_tensor_affine", "per_channel_affine", "strided", "sparse_coo"),
    _pairs("torch._utils", *_TORCH_REBUILD),
    _pairs("torch._tensor", "_rebuild_from_type_v2"),
    _pairs("torch.nn.parameter", "Parameter", "Buffer"),
    _pairs("torch.serialization", "_get_layout"),
    _pairs("torch.storage", "UntypedStorage", "TypedStorage"),
)
"""Module and name of all that is allowed without being named in a policy."""

_NEVER_IN = frozenset(
    {"os", "posix", "nt", "posixpath", "ntpath", "subprocess", "sys", "importlib", "runpy", "pkgutil", "zipimport"}
    | {"builtins", "__builtin__", "operator", "_operator", "functools", "_functools", "ctypes", "_ctypes", "pty"}
    | {"pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "code", "codeop", "inspect"}
    | {"socket", "_socket", "shutil", "tempfile", "io", "_io", "codecs", "webbrowser", "urllib", "http", "ftplib"}
    | {"multiprocessing", "_posixsubprocess", "asyncio", "timeit", "profile", "cProfile", "trace", "bdb", "pdb"}
    | {"pydoc", "doctest", "types", "gc", "atexit", "signal", "threading", "_thread", "commands", "popen2", "imp"}
)
"""Packages of which nothing is allowed but what is in ``HARMLESS``."""

_NEVER = frozenset(
    {"eval", "exec", "execfile", "compile", "open", "input", "getattr", "setattr", "delattr", "__import__"}
    | {"import_module", "apply", "system", "popen", "Popen", "call", "check_call", "check_output", "getoutput"}
    | {"run_module", "run_path", "attrgetter", "itemgetter", "methodcaller", "partial", "reduce", "load", "loads"}
    | {"Unpickler", "_load_from_bytes", "read_pickle", "globals", "locals", "vars", "os", "sys", "subprocess"}
    | {"builtins", "__builtins__", "importlib", "shutil", "pickle", "FunctionType", "CodeType", "LambdaType"}
)
"""Names that are not allowed from any module: others import them, and so have them, too."""


def is_harmless(found: Global, allow: Iterable[str] = ()) -> bool:
    """Whether a pickle may use ``found``.

    An entry of ``allow`` is a name with its module, or a module or package, which stands for all that is directly in
    it and in what is below it (``sklearn`` and ``sklearn.*`` are the same). Not even an entry brings in names that
    call, import or load what they are given, nor names with dots, which lead out of a module through what it imports.
    """
    if tuple(found) in HARMLESS:
        return True
    if found.module.partition(".")[0] in _NEVER_IN or found.name in _NEVER or "." in found.name:
        return False
    entries = (entry.removesuffix(".*") for entry in allow)
    return any(entry and f"{found}.".startswith(f"{entry}.") for entry in entries)
