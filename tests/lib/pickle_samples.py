"""Pickles, and files that hold them, put together instruction by instruction: hostile ones cannot be made otherwise
without the packages that they use, and nothing here may run.
"""

import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping

from gitkit.core.tensors import ReadAt

STOP = b"."


def reader(data: bytes) -> ReadAt:
    return lambda offset, size: data[offset : offset + size]


def rising(data: bytes) -> ReadAt:
    """Like ``reader``, and fails whoever goes back."""
    last = 0

    def read_at(offset: int, size: int) -> bytes:
        nonlocal last
        assert offset >= last
        last = offset + len(data[offset : offset + size])
        return data[offset : offset + size]

    return read_at


# -- instructions --------------------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    data = value.encode()
    return b"\x8c" + bytes([len(data)]) + data


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def by_stack(module: str, name: str) -> bytes:
    """A name, looked up as protocol 4 does."""
    return text(module) + text(name) + b"\x93"


def by_line(module: str, name: str) -> bytes:
    """A name, looked up as protocols 0 to 3 do."""
    return f"c{module}\n{name}\n".encode()


def called(module: str, name: str, *arguments: str, protocol: int = 4) -> bytes:
    """A pickle that calls a function with texts."""
    if protocol < 2:
        given = b"".join(f"V{argument}\n".encode() for argument in arguments)
        return by_line(module, name) + b"(" + given + b"tR" + STOP
    look_up = by_stack(module, name) if protocol >= 4 else by_line(module, name)
    given = b"".join(map(text, arguments))
    return bytes([0x80, protocol]) + look_up + b"(" + given + b"tR" + STOP


HOSTILE = {
    "eval": called("builtins", "eval", "1+1"),
    "os.system": called("posix", "system", "id", protocol=2),
    "runpy": called("runpy", "run_path", "x.py"),
    "importlib.import_module": called("importlib", "import_module", "x"),
    "ctypes.CDLL": called("ctypes", "CDLL", "x.so"),
    "timeit": called("timeit", "timeit", "1"),
    "torch.utils.collect_env.run": called("torch.utils.collect_env", "run", "id"),
    "spawnv_passfds": called("multiprocessing.util", "spawnv_passfds", "id"),
    "pandas.read_csv": called("pandas.io.parsers.readers", "read_csv", "https://example.com/x"),
    "custom module": called("my_model", "Model"),
    "protocol 0": called("os", "system", "id", protocol=0),
    "getattr": called("builtins", "getattr", "x", "y"),
    "torch.load": called("torch.storage", "_load_from_bytes", "x"),
}
"""One pickle for each way to do harm that scanners are known to miss or to find."""


# -- files ---------------------------------------------------------------------------------------------------------


def zip_of(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tar_of(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def tensor() -> bytes:
    """Instructions for one tensor, as PyTorch writes them: its data is asked from the loader."""
    storage = b"(" + text("storage") + by_line("torch", "FloatStorage") + text("0") + text("cpu") + number(2) + b"tQ"
    layout = number(0) + number(2) + b"\x85" + number(1) + b"\x85" + b"\x89"
    hooks = by_line("collections", "OrderedDict") + b")R"
    return by_line("torch._utils", "_rebuild_tensor_v2") + b"(" + storage + layout + hooks + b"tR"


def state_dict() -> bytes:
    return b"\x80\x02}" + text("weight") + tensor() + b"s" + STOP


def torch_zip(pickle: bytes, *, tensor: bytes = bytes(8), method: int = zipfile.ZIP_STORED) -> bytes:
    files = {"archive/data.pkl": pickle, "archive/data/0": tensor, "archive/version": b"3\n"}
    return zip_of(files, method)


def torch_legacy(pickle: bytes) -> bytes:
    magic = b"\x80\x02\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little") + STOP
    version, system, keys = b"\x80\x02M\xe9\x03.", b"\x80\x02}.", b"\x80\x02]" + text("0") + b"a."
    return magic + version + system + pickle + keys + struct.pack("<q", 2) + bytes(8)


def npy(pickle: bytes, descr: str = "'|O'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickle


def dtype(name: str, *state: bytes) -> bytes:
    made = by_stack("numpy", "dtype") + text(name) + b"\x89\x88\x87R"
    return made + b"(" + b"".join(state) + b"tb"


FLOAT64 = dtype("f8", number(3), text("<"), b"NNN", number(-1), number(-1), number(0))
OBJECT = dtype("O8", number(3), text("|"), b"NNN", number(-1), number(-1), number(63))


def joblib_array(
    data: bytes, *, shape: tuple[int, ...] = (2,), type: bytes = FLOAT64, alignment: bytes = number(16)
) -> bytes:
    """The placeholder of an array, and right behind it ``data``: padding and numbers, or a pickle of objects."""
    sizes = b"(" + b"".join(map(number, shape)) + b"t"
    state = text("subclass") + by_stack("numpy", "ndarray") + text("shape") + sizes + text("order") + text("C")
    state += text("dtype") + type + text("allow_mmap") + b"\x88"
    if alignment:
        state += text("numpy_array_alignment_bytes") + alignment
    return by_stack("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81" + b"}(" + state + b"ub" + data


def joblib_file(*parts: bytes) -> bytes:
    """A list of ``parts``."""
    return b"\x80\x04](" + b"".join(parts) + b"e" + STOP
