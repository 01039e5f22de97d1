"""Files of `torch.save`: tensors, parameters, numbers, texts and containers of them, read and written. No file can run code.

Such a file is a pickle plus the bytes of the tensors. Unpickling calls whatever functions the file names; here only those of
a short list are known, and they are the ones below.
"""

from __future__ import annotations

import io
import math
import os
import struct
import zipfile
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from . import dtypes
from .creation import from_numpy
from .device import device
from .errors import SerializationError
from .nn.parameter import Parameter
from .outside import DIMENSIONS, Budget, plain
from .pickles import Known, Machine, NumPyType, Unsound, fill, is_namespace, key, measured
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
#: What a file may hold, besides containers.
_PARTS = (type(None), bool, int, float, complex, str, bytes, np.generic, np.ndarray, Tensor, dtypes.dtype, device)


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
        return np.frombuffer(content, dtypes.ALL[self.dtype].numpy, count).copy()

    @property
    def itemsize(self) -> int:
        return dtypes.ALL[self.dtype].itemsize


@final
class _Stored:
    """What a storage's persistent id says, checked."""

    def __init__(self, pid: Any) -> None:
        if type(pid) is not tuple or len(pid) not in (5, 6) or pid[0] != "storage":
            raise Unsound("it refers to what is no tensor")
        _, self.kind, self.key, self.location, self.count = pid[:5]
        self.view = pid[5] if len(pid) == 6 else None
        if type(self.kind) is not _StorageType or not _are_sizes([self.count]) or {type(self.key), type(self.location)} != {str}:
            raise Unsound("it refers to what is no tensor")

    def within(self, array: np.ndarray) -> np.ndarray:
        """The part of the numbers that is meant: before PyTorch 0.4, a storage could be a view of another."""
        if self.view is None:
            return array
        _, offset, count = self.view
        if not _are_sizes([offset, count]) or offset + count > len(array):
            raise Unsound("a tensor lies outside of its numbers")
        return array[offset : offset + count]


def _are_sizes(numbers: Any) -> bool:
    return all(type(n) is int and 0 <= n < 2**63 for n in numbers)


#: What a file calls the class of NumPy's arrays.
_ARRAY = object()


class NotOfPyTorch(SerializationError):
    """Raised where PyTorch's format has no form for a value."""


@final
class _Functions:
    """What a file may name."""

    def __init__(self, budget: Budget, place: Callable[[Tensor, str], Tensor] | None) -> None:
        self._budget = budget
        self._place = place  # None: only a look at which storages there are
        self._made: dict[Any, Tensor] = {}  # tensors that are the same memory in the file stay so
        functions: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): self._ordered,
            ("collections", "Counter"): self._counter,
            ("collections", "defaultdict"): self._default,
            ("builtins", "set"): self._set,
            ("builtins", "frozenset"): lambda items=(): frozenset(self._set(items)),
            ("builtins", "bytes"): lambda: b"",  # protocol 2 has no other form for no bytes
            ("builtins", "dict"): dict,
            ("builtins", "list"): list,
            ("builtins", "complex"): _complex,
            ("argparse", "Namespace"): lambda: namespace(),
            ("_codecs", "encode"): self._encode,
            ("numpy.core.multiarray", "_reconstruct"): self._array,
            ("numpy._core.multiarray", "_reconstruct"): self._array,
            ("numpy", "dtype"): _numpy_type,
            ("numpy.core.multiarray", "scalar"): _number,
            ("numpy._core.multiarray", "scalar"): _number,
            ("torch", "Size"): _size,
            ("torch", "device"): _device,
            ("torch._utils", "_rebuild_tensor"): self._tensor,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_tensor_v3"): self._tensor_of_dtype,
            ("torch._utils", "_rebuild_parameter"): self._parameter,
        }
        self.known: dict[tuple[str, str], Any] = {name: Known(call) for name, call in functions.items()}
        self.known |= {("torch", short): _StorageType(dtype) for short, dtype in _STORAGES.items()}
        self.known["numpy", "ndarray"] = _ARRAY
        self.known["torch.storage", "UntypedStorage"] = _StorageType("uint8")
        self.known |= {("torch", name): dtype for name, dtype in dtypes.ALL.items()}

    def _copied(self, items: Any, *kinds: type) -> Any:
        """Copies cost a file nothing to ask for."""
        if type(items) not in kinds:
            raise Unsound(f"it makes a container of a {type(items).__name__}")
        self._budget.spend("values", len(items))
        return items

    def _ordered(self, pairs: Any = ()) -> OrderedDict[Any, Any]:
        made: OrderedDict[Any, Any] = OrderedDict()
        fill(made, self._copied(pairs, list, tuple))
        return made

    def _counter(self, counts: Any = None) -> Counter[Any]:
        made: Counter[Any] = Counter()
        dict.update(made, self._copied(counts or {}, dict))
        return made

    def _default(self, factory: Any = None) -> defaultdict[Any, Any]:
        for kind in (dict, list, set):
            if factory is self.known.get(("builtins", kind.__name__)):
                return defaultdict(kind)
        if factory is not None:
            raise Unsound("a defaultdict makes something else than containers")
        return defaultdict()

    def _set(self, items: Any = ()) -> set[Any]:
        return set(map(key, self._copied(items, list, tuple)))

    def _array(self, kind: Any, shape: Any, code: Any) -> np.ndarray:
        """An array of NumPy's, whose shape and numbers are set afterwards."""
        if kind is not _ARRAY or shape != (0,) or code != b"b":
            raise Unsound("a NumPy array is not described as one")
        self._budget.spend("tensors")
        return np.empty(0, "b")

    def _encode(self, text: Any, encoding: Any) -> bytes:
        if type(text) is not str or encoding not in ("latin1", "latin-1"):
            raise Unsound("it encodes what is no text")
        self._budget.spend("bytes", len(text))
        return text.encode("latin1")

    def _tensor(
        self, storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, *_: Any, dtype: Any = None
    ) -> Any:
        if self._place is None:
            return None
        self._budget.spend("tensors")
        if (
            type(storage) is not _Storage
            or type(size) not in (tuple, Size)
            or type(stride) is not tuple
            or len(size) != len(stride)
        ):
            raise Unsound("a tensor is not described as one")
        if not _are_sizes([offset, *size, *stride]) or type(requires_grad) is not bool:
            raise Unsound("a tensor is not described as one")
        identity = id(storage), offset, tuple(size), stride, dtype
        if identity in self._made:
            placed = self._made[identity].detach()
        else:
            array = storage.array if dtype is None else storage.array.view(dtype.numpy)
            placed = self._place(from_numpy(self._view(array, offset, size, stride)), storage.location)
            self._made[identity] = placed
        return placed.requires_grad_() if requires_grad else placed

    def _view(self, array: np.ndarray, offset: int, size: Any, stride: Any) -> np.ndarray:
        whole = checked_shape(size, array.itemsize)
        if not whole:
            return np.zeros(tuple(size), array.dtype)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if last >= len(array):
            raise Unsound("a tensor lies outside of its numbers")
        view = np.lib.stride_tricks.as_strided(array[offset:], tuple(size), [step * array.itemsize for step in stride])
        if all(n == 1 or step for n, step in zip(size, stride, strict=True)) and math.prod(size) <= len(array):
            return view
        self._budget.spend("bytes", whole)  # expanded: few numbers stand for many
        return view.copy()

    def _tensor_of_dtype(
        self, storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any, *_: Any
    ) -> Any:
        if type(dtype) is not dtypes.dtype:
            raise Unsound("a tensor is not described as one")
        return self._tensor(storage, offset, size, stride, requires_grad, dtype=dtype)

    def _parameter(self, data: Any, requires_grad: Any, *_: Any) -> Any:
        if self._place is None:
            return None
        if not isinstance(data, Tensor) or type(requires_grad) is not bool:
            raise Unsound("a parameter is no tensor")
        return Parameter(data.detach(), requires_grad)


def checked_shape(size: Any, itemsize: int) -> int:
    """Return how many bytes a tensor of this shape has. Unsound where no tensor can have it."""
    if len(size) > DIMENSIONS:
        raise Unsound(f"a tensor has {len(size)} dimensions; {DIMENSIONS} are the most there can be")
    if math.prod(n for n in size if n) * itemsize >= 2**63:
        raise Unsound(f"no tensor can have the shape {tuple(size)}")
    return math.prod(size) * itemsize


def _complex(real: Any, imag: Any) -> complex:
    if type(real) is not float or type(imag) is not float:
        raise Unsound("a complex number is not made of two numbers")
    return complex(real, imag)


def namespace(values: Any = None) -> Any:
    """Return an `argparse.Namespace` of a dict of names."""
    from argparse import Namespace  # here: most programs never need it, and it would slow every import

    made = Namespace()
    vars(made).update(values or {})
    return made


def _numpy_type(text: Any, *_: Any) -> NumPyType:
    if type(text) is not str or np.dtype(text).kind not in "biufc":
        raise Unsound("a NumPy number is none")
    return NumPyType(text)


def _number(kind: Any, content: Any) -> Any:
    if type(kind) is not NumPyType or type(content) is not bytes:
        raise Unsound("a NumPy number is none")
    return np.frombuffer(content, np.dtype(kind.text).newbyteorder(kind.order), 1).astype(kind.text)[0]


def _size(sizes: Any) -> Size:
    if type(sizes) is not tuple or len(sizes) > DIMENSIONS or not _are_sizes(sizes):
        raise Unsound("a size is not made of numbers")
    return Size(sizes)


def _device(kind: Any, index: Any = None) -> device:
    if type(kind) is not str or type(index) not in (int, type(None)) or not -1 < (index or 0) < 1024 or len(kind) > 100:
        raise Unsound("a device is not described as one")
    return device(kind, index)


def _damaged(name: str, why: str) -> SerializationError:
    return SerializationError(f"load: {name} is damaged or not a file of torch.save: {plain(why)}. Use another copy of the file")


def read(name: str, content: bytes, place: Callable[[Tensor, str], Tensor]) -> Any:
    """The object in a file of `torch.save`, given its bytes; `place(tensor, saved device)` puts tensors where they belong."""
    failures: list[Exception] = []

    def placed(tensor: Tensor, saved: str) -> Tensor:
        try:
            return place(tensor, saved)
        except Exception as error:
            failures.append(error)  # no fault of the file
            raise

    budget = Budget(name, len(content))
    try:
        found = (_read_zip if content.startswith(ZIP) else _read_legacy)(content, budget, placed)
        return measured(found, _PARTS, budget)
    except SerializationError:
        raise
    except Exception as error:  # a damaged pickle or archive raises anything
        if error in failures:
            raise
        raise _damaged(name, str(error) if isinstance(error, Unsound) else f"{type(error).__name__}: {error}") from None


def _read_zip(content: bytes, budget: Budget, place: Callable[[Tensor, str], Tensor]) -> Any:
    # Every entry of the directory, which is at the end, becomes an object before one can be looked at.
    budget.spend("tensors", content.count(b"PK\x01\x02", max(len(content) - 2**26, 0)) // 2)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        if len(names) != len(set(names)):
            raise Unsound("two of its entries have the same name")

        def entry(path: str) -> bytes:
            info = archive.getinfo(path)
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Unsound("it is packed in a way that PyTorch does not use")
            budget.spend("bytes", info.file_size)
            return archive.read(info)

        pickled = next((path for path in names if path.count("/") == 1 and path.endswith("/data.pkl")), None)
        if pickled is None:
            raise SerializationError(f"load: {budget.name} {_kind_of_archive(names)}")
        folder = pickled.removesuffix("data.pkl")
        if f"{folder}constants.pkl" in names:
            raise SerializationError(
                f"load: {budget.name} is a TorchScript program, which only PyTorch runs; save model.state_dict()"
            )
        if f"{folder}byteorder" in names and entry(f"{folder}byteorder") != b"little":
            raise SerializationError(f"load: {budget.name} was written on a big-endian machine, which is not read")
        storages: dict[str, _Storage] = {}

        def storage(pid: Any) -> _Storage:
            stored = _Stored(pid)
            if stored.key not in storages:
                array = stored.kind.array(entry(f"{folder}data/{stored.key}"), stored.count)
                storages[stored.key] = _Storage(array, stored.location)
            return storages[stored.key]

        return Machine(entry(pickled), 0, _Functions(budget, place).known, storage, budget).run()


def _kind_of_archive(names: list[str]) -> str:
    if any(name.endswith(".npy") for name in names):
        return "is an archive of NumPy arrays (.npz): read it with numpy.load and make tensors with fz.from_numpy"
    if "config.json" in names and any(name.endswith(".h5") for name in names):
        return "is a Keras model (.keras): read it with Keras"
    return "is a zip archive, but not of torch.save: there is no data.pkl in it. If it is damaged, use another copy of it"


def _read_legacy(content: bytes, budget: Budget, place: Callable[[Tensor, str], Tensor]) -> Any:
    """Three pickles of versions, one of the object, one of the keys of its storages, and then their numbers."""
    kinds: dict[str, _Stored] = {}
    at = 0

    def noted(pid: Any) -> _Storage:
        """The numbers come after the object: the first reading only learns which there are."""
        stored = _Stored(pid)
        kinds[stored.key] = stored
        return _Storage(np.zeros(0), stored.location)

    def load(storage: Callable[[Any], _Storage], to: Callable[[Tensor, str], Tensor] | None = None) -> Any:
        nonlocal at
        machine = Machine(content, at, _Functions(budget, to).known, storage, budget)
        found = machine.run()
        at = machine.at
        return found

    for _ in range(3):
        load(noted)
    start = at
    load(noted)
    arrays: dict[str, np.ndarray] = {}
    for name in load(noted):
        stored = kinds[name]
        if int.from_bytes(content[at : at + 8], "little") != stored.count:
            raise Unsound("the length of a tensor is wrong")
        at += 8
        numbers = content[at : at + stored.count * stored.kind.itemsize]
        budget.spend("bytes", len(numbers))
        arrays[name] = stored.kind.array(numbers, stored.count)
        at += len(numbers)
    at = start
    storages: dict[Any, _Storage] = {}

    def storage(pid: Any) -> _Storage:
        stored = _Stored(pid)
        identity = stored.key, stored.view
        if identity not in storages:
            storages[identity] = _Storage(stored.within(arrays[stored.key]), stored.location)
        return storages[identity]

    return load(storage, place)


@final
class PyTorchFileReader:
    """The entries of a file of `torch.save`, by name, as bytes: nothing in them is run.

    >>> import frazil as fz, io
    >>> from frazil.pytorch_file import PyTorchFileReader, written
    >>> reader = PyTorchFileReader(io.BytesIO(written({"w": fz.ones(2)})))
    >>> reader.has_record("data.pkl"), len(reader.get_record("data/0"))
    (True, 8)
    """

    def __init__(self, name_or_buffer: Any) -> None:
        by_name = isinstance(name_or_buffer, (str, os.PathLike))
        self._name = os.fspath(name_or_buffer) if by_name else "the file"
        try:
            self._archive = zipfile.ZipFile(name_or_buffer)
        except zipfile.BadZipFile as error:
            raise _damaged(self._name, str(error)) from None
        names = self._archive.namelist()
        self._folder = names[0].partition("/")[0] if names else ""
        total = sum(info.compress_size for info in self._archive.infolist())
        self._budget = Budget(self._name, total)

    def get_all_records(self) -> list[str]:
        """Return the names of the entries."""
        return [name.removeprefix(f"{self._folder}/") for name in self._archive.namelist()]

    def has_record(self, name: str) -> bool:
        """Return whether there is an entry of this name."""
        return name in self.get_all_records()

    def get_record(self, name: str) -> bytes:
        """Return the bytes of an entry. Raises SerializationError where there is none, or where it would be too large."""
        if not self.has_record(name):
            raise SerializationError(f"PyTorchFileReader: {self._name} has no entry {name!r}")
        info = self._archive.getinfo(f"{self._folder}/{name}")
        self._budget.spend("bytes", info.file_size)
        return self._archive.read(info)


# ------------------------------------------------------------------------------------------------------------------- writing


def written(obj: Any) -> bytes:
    """The file of `obj`, as `torch.save` would write it; `torch.load` reads it, with `weights_only=True` too.

    >>> import frazil as fz, io
    >>> from frazil import pytorch_file
    >>> fz.load(io.BytesIO(pytorch_file.written({"w": fz.ones(2)})))
    {'w': tensor([1., 1.])}
    """
    writer = _Writer()
    writer.value(obj, "")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        entries: dict[str, Any] = {
            "data.pkl": b"\x80\x02" + bytes(writer.out) + b".",
            ".format_version": b"1",
            ".storage_alignment": b"64",
        }
        entries |= {"byteorder": b"little"}
        entries |= {f"data/{number}": array.view(np.uint8).data for number, array in enumerate(writer.storages)}
        for name, content in (entries | {"version": b"3\n"}).items():
            info = zipfile.ZipInfo(f"archive/{name}")
            # PyTorch maps files into memory: numbers begin at multiples of 64. The padding is an extra field of its own kind.
            start = file.tell() + 30 + len(info.filename) + 4
            info.extra = b"FB" + struct.pack("<H", -start % 64) + b"Z" * (-start % 64)
            archive.writestr(info, content)
    return file.getvalue()


#: dtype -> the storage that PyTorch keeps it in; the others are bytes with a dtype beside.
_STORAGE_OF = {dtype: name for name, dtype in _STORAGES.items()}


@final
class _Writer:
    """Writes values as opcodes of protocol 2."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.storages: list[np.ndarray] = []
        self._numbers: dict[Any, int] = {}  # memory -> number of its storage
        self._memo: dict[int, int] = {}  # id of a container or tensor -> its place in the memo
        self._alive: list[Any] = []  # told apart by id and address, so nothing may be freed in between
        self._open: list[int] = []

    def value(self, value: Any, path: str) -> None:
        """Write the opcodes that make `value`."""
        kind = type(value)
        if value is None or kind is bool:
            self.out += {None: b"N", True: b"\x88", False: b"\x89"}[value]
        elif kind is int:
            self._int(value, path)
        elif kind is float:
            self.out += b"G" + struct.pack(">d", value)
        elif kind is str:
            content = value.encode("utf-8", "surrogatepass")
            self.out += b"X" + struct.pack("<I", len(content)) + content
        elif kind is dtypes.dtype:
            self._name("torch", value.name)
        elif id(value) in self._open:
            raise SerializationError(f"save: the structure contains itself at {path or 'the top'!r}; a file can only hold a tree")
        elif id(value) in self._memo:
            self.out += b"j" + struct.pack("<I", self._memo[id(value)])
        else:
            self._open.append(id(value))
            self._made(value, kind, path)
            self._open.pop()
            self._memo[id(value)] = len(self._memo)
            self._alive.append(value)
            self.out += b"r" + struct.pack("<I", self._memo[id(value)])

    def _made(self, value: Any, kind: type, path: str) -> None:
        if isinstance(value, Tensor):
            self._tensor(value, path)
        elif kind in (tuple, list):
            self.out += b"(" if kind is tuple else b"]("
            for i, item in enumerate(value):
                self.value(item, f"{path}.{i}" if path else str(i))
            self.out += b"t" if kind is tuple else b"e"
        elif kind is Size:
            self._call("torch", "Size", tuple(value))
        elif kind is complex:
            self._call("__builtin__", "complex", value.real, value.imag)
        elif kind is bytes:
            self._call("_codecs", "encode", value.decode("latin1"), "latin1")
        elif kind is device:
            self._call("torch", "device", *((value.type,) if value.type == "cpu" else (value.type, value.number)))
        elif isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc" and value.dtype.name in dtypes.ALL:
            self._numpy(value, path)
        elif is_namespace(value):
            self._call("argparse", "Namespace")
            self.value(vars(value), path)
            self.out += b"b"
        elif kind is defaultdict and value.default_factory in (dict, list, set):
            self._name("collections", "defaultdict")
            self.out += b"("
            self._name("__builtin__", value.default_factory.__name__)
            self.out += b"tR("
            self._items(value, path)
            self.out += b"u"
        elif kind is set:
            self._call("__builtin__", "set", sorted(value, key=repr), path=path)
        elif kind is Counter:
            self._call("collections", "Counter", dict(value), path=path)
        elif isinstance(value, dict) and (kind is dict or isinstance(value, OrderedDict)):
            self._dict(value, path)
        else:
            raise NotOfPyTorch(f"a {kind.__module__}.{kind.__qualname__} at {path or 'the top'!r}")

    def _int(self, value: int, path: str) -> None:
        if -(2**31) <= value < 2**31:
            self.out += b"J" + struct.pack("<i", value)
            return
        length = value.bit_length() // 8 + 1
        if length > 255:
            raise SerializationError(f"save: the integer at {path or 'the top'!r} is too large for a file of PyTorch's format")
        self.out += b"\x8a" + bytes([length]) + value.to_bytes(length, "little", signed=True)

    def _name(self, module: str, name: str) -> None:
        self.out += b"c" + f"{module}\n{name}\n".encode()

    def _call(self, module: str, name: str, *arguments: Any, path: str = "") -> None:
        self._name(module, name)
        self.out += b"("
        for argument in arguments:
            self._alive.append(argument)  # it may be made for this call only
            self.value(argument, path)
        self.out += b"tR"

    def _dict(self, value: Any, path: str) -> None:
        if type(value) is dict:
            self.out += b"}"
        else:
            self._call("collections", "OrderedDict")
        self.out += b"("
        self._items(value, path)
        self.out += b"u"
        if metadata := getattr(value, "_metadata", None):
            self.value({"_metadata": metadata}, path)
            self.out += b"b"

    def _items(self, value: Any, path: str) -> None:
        for name, item in value.items():
            self.value(name, f"{path}[key {name!r}]")
            self.value(item, f"{path}.{name}" if path else str(name))

    def _numpy(self, value: Any, path: str) -> None:
        """An array or a number of NumPy's, as NumPy pickles them."""
        array = np.asarray(value, value.dtype.newbyteorder("<"), order="C")
        of_numbers = isinstance(value, np.generic)
        self._name("numpy.core.multiarray", "scalar" if of_numbers else "_reconstruct")
        self.out += b"("
        if not of_numbers:
            self._name("numpy", "ndarray")
            rebuilt: tuple[Any, ...] = ((0,), b"b")
            for part in rebuilt:
                self._alive.append(part)
                self.value(part, path)
            self.out += b"tR("
            for part in (1, array.shape):
                self._alive.append(part)
                self.value(part, path)
        self._call("numpy", "dtype", array.dtype.str[1:], False, True)
        order = "<" if array.dtype.itemsize > 1 else "|"
        state = (3, order, None, None, None, -1, -1, 0)
        self._alive.append(state)
        self.value(state, path)
        self.out += b"b"
        content = array.tobytes()
        self._alive.append(content)
        if of_numbers:
            self.value(content, path)
            self.out += b"tR"
        else:
            self.value(False, path)
            self.value(content, path)
            self.out += b"tb"

    def _tensor(self, value: Tensor, path: str) -> None:
        array = value.detach().cpu()._array()
        number, offset, strides = self._stored(array)
        name, requires_grad = array.dtype.name, value.requires_grad
        is_parameter = isinstance(value, Parameter)
        if is_parameter:
            self._name("torch._utils", "_rebuild_parameter")
            self.out += b"("
        self._name("torch._utils", "_rebuild_tensor_v2" if name in _STORAGE_OF else "_rebuild_tensor_v3")
        self.out += b"(("
        self.value("storage", path)
        if name in _STORAGE_OF:
            self._name("torch", _STORAGE_OF[name])
        else:
            self._name("torch.storage", "UntypedStorage")
        storage = self.storages[number]
        location = str(value.device) if value.device.type == "cuda" else "cpu"  # other devices are unknown to PyTorch
        for part in (str(number), location, storage.size if name in _STORAGE_OF else storage.nbytes):
            self.value(part, path)
        self.out += b"tQ"
        for described in (offset, array.shape, strides, requires_grad and not is_parameter):
            self._alive.append(described)
            self.value(described, path)
        self._call("collections", "OrderedDict")  # hooks, of which there are none
        if name not in _STORAGE_OF:
            self._name("torch", name)
        self.out += b"tR"
        if is_parameter:
            self.value(requires_grad, path)
            self._call("collections", "OrderedDict")
            self.out += b"tR"

    def _stored(self, array: np.ndarray) -> tuple[int, int, tuple[int, ...]]:
        """The number of the storage that has these numbers, where in it they begin, and their strides in elements.

        Tensors that are views of one memory share one storage.
        """
        whole = array
        while isinstance(whole.base, np.ndarray):
            whole = whole.base
        item = array.itemsize
        offset, rest = divmod(array.ctypes.data - whole.ctypes.data, item)
        fits = whole.flags.c_contiguous and whole.dtype == array.dtype and array.dtype.isnative and array.size
        if not fits or rest or any(step < 0 or step % item for step in array.strides):
            whole = array = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
            offset = 0
        memory = whole.ctypes.data, whole.size, whole.dtype.str
        if memory not in self._numbers:
            self._numbers[memory] = len(self.storages)
            self.storages.append(whole.reshape(-1))
        self._alive.append(array)
        return self._numbers[memory], offset, tuple(step // item for step in array.strides)
