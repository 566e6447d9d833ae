"""Reading pickled arrays without running anything that the file asks for.

A pickle is a program: loading one plainly runs whatever its author chose. Here every class and
function named in the file is replaced by a recorder that only keeps its arguments; afterwards the
recorded NumPy, SciPy and chumpy objects are turned into arrays by code of this module. Names
outside the list below are refused.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ModelFileError

_LARGEST_FILE = 256 * 1024 * 1024
_NUMBER_KINDS = "biuf"

_NUMPY = {
    **{
        (f"numpy.{core}.multiarray", name): name
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    },
    ("numpy.core.numeric", "_frombuffer"): "_frombuffer",
    ("numpy._core.numeric", "_frombuffer"): "_frombuffer",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
}
_SPARSE = {
    (module, f"{kind}_{suffix}"): kind
    for kind in ("csc", "csr", "coo")
    for suffix in ("matrix", "array")
    for module in (f"scipy.sparse.{kind}", f"scipy.sparse._{kind}", "scipy.sparse")
}
_PLAIN = {
    (module, name)
    for module in ("builtins", "__builtin__")
    for name in ("object", "set", "frozenset", "list", "dict", "tuple", "slice")
}
_REBUILD = {("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")}


class _Recorder:
    """Stands for an object of the file: what it is called, its arguments and its state."""

    name = ""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _recorder(name: str) -> type[_Recorder]:
    return type("_Recorder", (_Recorder,), {"name": name})


class _Rebuilt(_Recorder):
    """Python 2's way to make an object: its first argument is the recorder to use instead."""

    def __new__(cls, kind: Any = None, *_: Any) -> Any:
        if isinstance(kind, type) and issubclass(kind, _Recorder) and kind is not _Rebuilt:
            return kind()
        raise pickle.UnpicklingError("an object is rebuilt from something that is no class")


class _Latin1(_Recorder):
    """Python 3's way to keep bytes in old protocols."""

    def __new__(cls, text: Any = "", encoding: Any = "latin1", *_: Any) -> Any:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise pickle.UnpicklingError("text is encoded otherwise than as latin-1 bytes")
        return text.encode("latin1")


# The pure-Python reader: unlike the C one it has no table that a forged index could blow up.
class _RecordingUnpickler(pickle._Unpickler):
    # Made when it starts to read.
    read: Callable[[int], bytes]
    stack: list[Any]
    append: Callable[[Any], None]

    def find_class(self, module: str, name: str) -> Any:
        key = (module, name)
        if key in _NUMPY:
            return _recorder(f"numpy.{_NUMPY[key]}")
        if key in _SPARSE:
            return _recorder(f"sparse.{_SPARSE[key]}")
        if key in _REBUILD:
            return _Rebuilt
        if key == ("_codecs", "encode"):
            return _Latin1
        if key in _PLAIN:
            return _recorder("plain")
        if module == "chumpy" or module.startswith("chumpy."):
            return _recorder("chumpy")
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not data")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to data outside the file")

    def load_bytearray8(self) -> None:
        """Read before making room: the reader's own makes room for whatever size is claimed."""
        size = int.from_bytes(self.read(8), "little")
        data = self.read(size)
        if len(data) != size:
            raise pickle.UnpicklingError(f"{size} bytes are claimed, {len(data)} are there")
        self.append(bytearray(data))

    def load_setitem(self) -> None:
        """One entry of a dictionary."""
        _check_keys(self.stack[-2:-1])
        super().load_setitem()  # type: ignore[misc]

    def load_setitems(self) -> None:
        """Entries of a dictionary."""
        _check_keys(self.stack[::2])
        super().load_setitems()  # type: ignore[misc]

    def load_dict(self) -> None:
        """A dictionary with its entries."""
        _check_keys(self.stack[::2])
        super().load_dict()  # type: ignore[misc]

    def load_additems(self) -> None:
        """Members of a set."""
        _check_keys(self.stack)
        super().load_additems()  # type: ignore[misc]

    def load_frozenset(self) -> None:
        """A set with its members."""
        _check_keys(self.stack)
        super().load_frozenset()  # type: ignore[misc]

    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,
        pickle.BYTEARRAY8[0]: load_bytearray8,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.DICT[0]: load_dict,
        pickle.ADDITEMS[0]: load_additems,
        pickle.FROZENSET[0]: load_frozenset,
    }


def _check_keys(keys: list[Any]) -> None:
    """Refuse tuples as keys: one that holds another twice, and so on, is hashed for ages."""
    for key in keys:
        if isinstance(key, tuple | frozenset):
            raise pickle.UnpicklingError(f"a {type(key).__name__} is a key or a member of a set")


def read_pickled_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read the numeric arrays of a pickled dictionary; entries of other kinds are left out.

    Understands NumPy arrays (protocols 0 to 5, Python 2 and 3), SciPy's csc, csr and coo matrices
    and chumpy arrays; neither SciPy nor chumpy need be installed. Runs no code from the file.

    Raises:
        ModelFileError: The file is missing, too large, no pickle, cut short, or asks for anything
            but data.
    """
    if not path.is_file():
        raise ModelFileError(f"{path} does not exist")
    if path.stat().st_size > _LARGEST_FILE:
        raise ModelFileError(f"{path} is larger than {_LARGEST_FILE >> 20} MiB; not a hand model")
    try:
        # From memory: there a read of more than is left costs nothing.
        file = io.BytesIO(path.read_bytes())
        content = _RecordingUnpickler(file, encoding="latin1").load()
        if not isinstance(content, dict):
            raise pickle.UnpicklingError(f"it holds a {type(content).__name__}, no dictionary")
        arrays = {str(key): _to_array(value) for key, value in content.items()}
    # A forged stream can make the reader fail in any way; all of them mean the same.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ModelFileError(f"{path} is not a readable pickle of arrays: {reason}") from error
    return {key: array for key, array in arrays.items() if array is not None}


def _to_array(value: Any, depth: int = 0) -> NDArray[Any] | None:
    """The array that a recorder stands for; None for whatever is no array of numbers."""
    if depth > 20 or not isinstance(value, _Recorder):
        return None
    makers: dict[str, Callable[[_Recorder, int], NDArray[Any] | None]] = {
        "numpy._reconstruct": _from_state,
        "numpy._frombuffer": _from_buffer,
        "sparse.csc": _from_sparse,
        "sparse.csr": _from_sparse,
        "sparse.coo": _from_sparse,
        "chumpy": _from_chumpy,
    }
    maker = makers.get(value.name)
    return None if maker is None else maker(value, depth)


def _dtype(value: Any) -> np.dtype[Any]:
    if not isinstance(value, _Recorder) or value.name != "numpy.dtype" or not value.arguments:
        raise ValueError("an array has no type")
    code = str(value.arguments[0])
    if not code or code[0] not in _NUMBER_KINDS or not code[1:].isdigit():
        raise ValueError(f"an array of type {code!r} holds no numbers")
    order = value.state[1] if isinstance(value.state, tuple) and len(value.state) > 1 else "="
    dtype = np.dtype(code)
    return dtype.newbyteorder(">") if order == ">" else dtype


def _shaped(data: Any, dtype: np.dtype[Any], shape: Any, *, fortran: bool) -> NDArray[Any]:
    if isinstance(data, str):
        data = data.encode("latin1")
    sizes = tuple(int(size) for size in shape)
    if any(size < 0 for size in sizes) or math.prod(sizes) * dtype.itemsize != len(data):
        raise ValueError(f"an array of shape {sizes} has {len(data)} bytes")
    flat = np.frombuffer(bytes(data), dtype)
    array = flat.reshape(sizes, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="))


def _is_object_array(dtype: Any) -> bool:
    return isinstance(dtype, _Recorder) and dtype.arguments[:1] in (("O8",), ("O4",), ("O",))


def _from_state(value: _Recorder, depth: int) -> NDArray[Any] | None:
    if not isinstance(value.state, tuple) or len(value.state) != 5:
        raise ValueError("an array has no content")
    _, shape, dtype, fortran, data = value.state
    # Lists of names and the like: not numbers, not wanted, not harmful.
    if _is_object_array(dtype):
        return None
    return _shaped(data, _dtype(dtype), shape, fortran=bool(fortran))


def _from_buffer(value: _Recorder, depth: int) -> NDArray[Any] | None:
    if len(value.arguments) < 4:
        raise ValueError("an array has no content")
    data, dtype, shape, order = value.arguments[:4]
    return _shaped(bytes(data), _dtype(dtype), shape, fortran=order == "F")


def _from_chumpy(value: _Recorder, depth: int) -> NDArray[Any] | None:
    """A chumpy array holds its values in `x`; a selection of another, its indices."""
    if not isinstance(value.state, dict):
        return None
    state = value.state
    if "x" in state:
        return _to_array(state["x"], depth + 1)
    if "a" in state and "idxs" in state:
        source, indices = (_to_array(state[key], depth + 1) for key in ("a", "idxs"))
        if source is None or indices is None:
            return None
        chosen = source.ravel()[indices.astype(int).ravel()]
        shape = state.get("preferred_shape")
        return chosen if not isinstance(shape, tuple) else chosen.reshape(shape)
    return None


def _from_sparse(value: _Recorder, depth: int) -> NDArray[Any] | None:
    state = value.state
    if not isinstance(state, dict):
        raise ValueError("a sparse matrix has no content")
    shape = state.get("_shape", state.get("shape"))
    if not isinstance(shape, tuple) or len(shape) != 2:
        raise ValueError("a sparse matrix has no shape")
    rows, columns = int(shape[0]), int(shape[1])
    if min(rows, columns) < 0 or rows * columns > 1 << 26:
        raise ValueError(f"a sparse matrix has {rows} x {columns} entries")
    data = _needed(state, "data", depth)
    if value.name == "sparse.coo":
        if isinstance(state.get("coords"), tuple) and len(state["coords"]) == 2:
            state = {**state, "row": state["coords"][0], "col": state["coords"][1]}
        row, column = _needed(state, "row", depth), _needed(state, "col", depth)
    else:
        minor, starts = _needed(state, "indices", depth), _needed(state, "indptr", depth)
        lines = columns if value.name == "sparse.csc" else rows
        counts = np.diff(starts)
        if len(starts) != lines + 1 or (counts < 0).any() or counts.sum() != len(data):
            raise ValueError("a sparse matrix does not fit its shape")
        major = np.repeat(np.arange(lines), counts)
        row, column = (minor, major) if value.name == "sparse.csc" else (major, minor)
    if len(data) and (row.min() < 0 or column.min() < 0):
        raise ValueError("a sparse matrix has a negative index")
    dense = np.zeros((rows, columns), data.dtype)
    np.add.at(dense, (row.astype(int), column.astype(int)), data)
    return dense


def _needed(state: dict[Any, Any], key: str, depth: int) -> NDArray[Any]:
    array = _to_array(state.get(key), depth + 1)
    if array is None:
        raise ValueError(f"a sparse matrix lacks {key}")
    return array
