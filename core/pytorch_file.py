"""Reading what `torch.save` wrote: tensors, parameters, numbers, texts and containers of them. No file can run code.

Such a file is a pickle plus the bytes of the tensors. Unpickling calls whatever functions the file names; here only those of
a short list are known, and they are the ones below.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from . import dtypes
from .creation import tensor as make_tensor
from .device import device
from .errors import SerializationError
from .tensor import Size, Tensor

#: How files of either format begin: of today, and of before PyTorch 1.6.
ZIP, LEGACY = b"PK\x03\x04", b"\x80\x02\x8a\x0a"

_STORAGES = {
    "HalfStorage": "float16",
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "CharStorage": "int8",
    "ShortStorage": "int16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "BFloat16Storage": "bfloat16",
}
_DTYPES = {
    name: getattr(dtypes, name)
    for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "complex64", "complex128")
}


@final
@dataclass
class _Storage:
    """The numbers of one or several tensors, and the device they were on."""

    array: np.ndarray
    location: str


@final
@dataclass(frozen=True)
class _StorageType:
    dtype: str

    def array(self, content: bytes, count: int) -> np.ndarray:
        if self.dtype == "bfloat16":  # the upper half of a float32, which has all its values
            return (np.frombuffer(content, "<u2", count).astype("<u4") << 16).view("<f4")
        return np.frombuffer(content, np.dtype(self.dtype), count)

    @property
    def itemsize(self) -> int:
        return 2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize


class _Unpickler(pickle.Unpickler):
    """Knows the functions below and no others."""

    def __init__(self, file: Any, name: str, storage: Callable[[Any], _Storage], place: Callable[[Tensor, str], Tensor]) -> None:
        super().__init__(file, encoding="utf-8")
        self._name, self._storage, self._place = name, storage, place
        self._known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("collections", "defaultdict"): defaultdict,
            ("__builtin__", "set"): set,
            ("__builtin__", "dict"): dict,
            ("builtins", "set"): set,
            ("builtins", "dict"): dict,
            ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),
            ("numpy", "dtype"): np.dtype,
            ("torch", "Size"): Size,
            ("torch", "device"): device,
            ("torch._utils", "_rebuild_tensor"): self._tensor,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_parameter"): _parameter,
        }
        self._known |= {("torch", short): _StorageType(dtype) for short, dtype in _STORAGES.items()}
        self._known |= {("torch", short): dtype for short, dtype in (*_DTYPES.items(), ("bool", dtypes.bool_))}
        self._known |= {(f"numpy.{core}.multiarray", "scalar"): _number for core in ("core", "_core")}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            raise SerializationError(
                f"load: {self._name} contains a {module}.{name}; of PyTorch's files only tensors, numbers, texts and containers "
                "are read, so that no file can run code. Save model.state_dict() instead of the model"
            )
        return self._known[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        return self._storage(pid)

    def _tensor(self, storage: _Storage, offset: int, size: Any, stride: Any, requires_grad: bool = False, *_: Any) -> Tensor:
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if 0 not in size and not (0 <= offset and last < len(storage.array) and min(stride, default=0) >= 0):
            raise _damaged(self._name, "a tensor lies outside of its numbers")
        item = storage.array.itemsize
        view = np.lib.stride_tricks.as_strided(storage.array[offset:], tuple(size), [step * item for step in stride])
        placed = self._place(make_tensor(np.array(view), device="cpu"), storage.location)
        return placed.requires_grad_() if requires_grad else placed


def _parameter(data: Tensor, requires_grad: bool, *_: Any) -> Any:
    from .nn.parameter import Parameter

    return Parameter(data.detach(), requires_grad)


def _number(dtype: np.dtype, content: bytes) -> Any:
    return np.frombuffer(content, dtype, 1)[0]


def _damaged(name: str, why: str) -> SerializationError:
    return SerializationError(f"load: {name} is damaged or not a file of torch.save: {why}. Use another copy of the file")


def read(name: str, content: bytes, place: Callable[[Tensor, str], Tensor]) -> Any:
    """The object in a file of `torch.save`, given its bytes; `place(tensor, saved device)` puts tensors where they belong."""
    failures: list[Exception] = []

    def placed(tensor: Tensor, saved: str) -> Tensor:
        try:
            return place(tensor, saved)
        except Exception as error:
            failures.append(error)  # no fault of the file
            raise

    try:
        return _read_zip(name, content, placed) if content.startswith(ZIP) else _read_legacy(name, content, placed)
    except SerializationError:
        raise
    except Exception as error:  # a damaged pickle or archive raises anything
        if error in failures:
            raise
        raise _damaged(name, f"{type(error).__name__}: {error}") from None


def _read_zip(name: str, content: bytes, place: Callable[[Tensor, str], Tensor]) -> Any:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        pickled = next((entry for entry in names if entry.count("/") == 1 and entry.endswith("/data.pkl")), None)
        if pickled is None:
            raise _damaged(name, "there is no data.pkl in it")
        folder = pickled.removesuffix("data.pkl")
        if f"{folder}constants.pkl" in names:
            raise SerializationError(f"load: {name} is a TorchScript program, which only PyTorch runs; save model.state_dict()")
        if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") != b"little":
            raise SerializationError(f"load: {name} was written on a big-endian machine, which is not read")
        read_already: dict[str, _Storage] = {}

        def storage(pid: Any) -> _Storage:
            _, kind, key, location, count = pid
            if key not in read_already:
                read_already[key] = _Storage(kind.array(archive.read(f"{folder}data/{key}"), count), location)
            return read_already[key]

        return _Unpickler(io.BytesIO(archive.read(pickled)), name, storage, place).load()


def _read_legacy(name: str, content: bytes, place: Callable[[Tensor, str], Tensor]) -> Any:
    """Three pickles of versions, one of the object, one of the keys of its storages, and then their numbers."""
    file = io.BytesIO(content)
    kinds: dict[str, tuple[_StorageType, str, int]] = {}

    def noted(pid: Any) -> _Storage:
        """The numbers come after the object: the first reading only learns which there are."""
        _, kind, key, location, count = pid[:5]
        kinds[key] = kind, location, count
        return _Storage(np.zeros(count, "<f4" if kind.dtype == "bfloat16" else kind.dtype), location)

    def load(storage: Callable[[Any], _Storage], to: Callable[[Tensor, str], Tensor]) -> Any:
        return _Unpickler(file, name, storage, to).load()

    for _ in range(3):
        load(noted, place)
    start = file.tell()
    load(noted, lambda tensor, location: tensor)
    storages = {}
    for key in load(noted, place):
        kind, location, count = kinds[key]
        if int.from_bytes(file.read(8), "little") != count:
            raise _damaged(name, "the length of a tensor is wrong")
        storages[key] = _Storage(kind.array(file.read(count * kind.itemsize), count), location)
    file.seek(start)
    return load(lambda pid: storages[pid[2]], place)
