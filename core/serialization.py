"""`save` and `load`: nested Python data with tensors in one file, which is read without running code from it.

The file is a plain safetensors file (https://github.com/huggingface/safetensors#format): 8 bytes with the length of a JSON
header, the header, the bytes of the tensors. The nesting is kept as JSON text in its metadata, beside a SHA-256 of everything,
so a changed byte is noticed.
"""

from __future__ import annotations

import binascii
import contextlib
import io
import json
import math
import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, final

import numpy as np

from . import dtypes
from .creation import tensor as make_tensor
from .device import as_device, device
from .errors import ArgumentError, FrazilError, SerializationError
from .nn.module import Module
from .nn.parameter import Parameter
from .nn.state import StateDict
from .tensor import Size, Tensor

File = str | os.PathLike[str] | IO[bytes]
#: Where loaded tensors go: one device for all, {saved device: device}, or a function (tensor, saved device) -> tensor or None.
MapLocation = str | device | Mapping[str, str | device] | Callable[[Tensor, str], Tensor | None] | None

_VERSION = "1"
_STRUCTURE, _DIGEST, _FORMAT = "frazil.structure", "frazil.sha256", "frazil.format"
_LONGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors library

#: Names of element types in safetensors files.
_TYPE_NAMES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "int16": "I16",
    "uint16": "U16",
    "int32": "I32",
    "uint32": "U32",
    "int64": "I64",
    "uint64": "U64",
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
    "complex64": "C64",
    "complex128": "C128",
}
_BY_TYPE_NAME = {name: dtype for dtype, name in _TYPE_NAMES.items()}


def save(obj: Any, f: File) -> None:
    """Write `obj` to the file `f` (a path or a binary file object).

    `obj` is a tensor or any nesting of dict, OrderedDict, list, tuple, set, Counter with tensors, NumPy arrays, numbers, str,
    bytes, bool, None, dtypes, devices and sizes. Tensors that are the same memory are stored once and are the same memory again
    after loading. A path is written atomically: a crash leaves the old file or the new one.

    >>> import frazil as fz, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> fz.save({"weights": fz.ones(2), "epoch": 3, "betas": (0.9, 0.999)}, path)
    >>> fz.load(path)
    {'weights': tensor([1., 1.]), 'epoch': 3, 'betas': (0.9, 0.999)}
    """
    if isinstance(obj, Module):
        raise SerializationError(
            f"save: cannot save a whole module ({type(obj).__name__}), because loading it would have to run code from the "
            "file: save "
            "model.state_dict() and load it with model.load_state_dict(fz.load(path))"
        )
    writer = _Writer()
    structure = json.dumps(writer.encode(obj, ""), separators=(",", ":"), allow_nan=False)
    entries, offset = {}, 0
    for name, array in writer.arrays.items():
        entries[name] = {
            "dtype": _TYPE_NAMES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    chunks = [_bytes_of(array) for array in writer.arrays.values()]
    metadata = {_FORMAT: _VERSION, _STRUCTURE: structure, _DIGEST: _digest(entries, structure, chunks)}
    header = json.dumps({"__metadata__": metadata, **entries}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # so that the data is aligned
    with _opened_for_writing(f) as file:
        file.write(len(header).to_bytes(8, "little"))
        file.write(header)
        for chunk in chunks:
            file.write(chunk)


def load(f: File, map_location: MapLocation = None, *, weights_only: bool = True) -> Any:
    """Read what `save` wrote, from a path or a binary file object; or any safetensors file, as a dict of tensors.

    Args:
        f: the file.
        map_location: where the tensors go: a device, `{saved device: device}`, or a function `(tensor on the CPU, saved device)
        -> tensor`; default: the
            device they were saved from.
        weights_only: accepted for PyTorch's sake; no file can run code here.

    Raises `SerializationError` when the file is truncated, was changed, or is not a safetensors file.
    """
    name, content = _content(f)
    header, data = _split(name, content)
    metadata = header.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict):
        raise _broken(name, "its metadata is not a JSON object")
    if not metadata.keys() & {_STRUCTURE, _DIGEST, _FORMAT}:  # another program's file
        plain = {key: _tensor(_array(name, key, entry, data)) for key, entry in header.items()}
        return {key: _placed(tensor, "cpu", map_location) for key, tensor in plain.items()}
    if metadata.get(_FORMAT) != _VERSION:
        raise SerializationError(
            f"load: {name} has format {metadata.get(_FORMAT)!r}, this frazil reads {_VERSION!r}: update frazil to read it"
        )
    structure = metadata.get(_STRUCTURE)
    if not isinstance(structure, str) or metadata.get(_DIGEST) != _digest(header, structure, [data]):
        raise _broken(name, "its SHA-256 does not match its content")
    arrays = {key: _array(name, key, entry, data) for key, entry in header.items()}
    try:
        return _Reader(name, arrays, map_location).decode(json.loads(structure))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, FrazilError):
            raise
        raise _broken(name, f"its structure is malformed ({type(error).__name__}: {error})") from None


# ------------------------------------------------------------------------------------------------------------------- writing


@final
class _Writer:
    """Turns nested data into JSON values and a dict of named arrays."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}
        self._names: dict[Any, str] = {}  # memory -> name
        self._numbers: dict[int, int] = {}  # id of a tensor object -> its number in the file
        self._alive: list[Any] = []  # memory is told apart by address, so nothing may be freed in between
        self._open: list[int] = []  # ids of the containers that enclose the current value

    def encode(self, value: Any, path: str) -> Any:
        """`value` as JSON. Everything JSON does not have is an object with one key that starts with "$"."""
        kind = type(value)
        if value is None or kind is bool or kind is int or kind is str:
            return value
        if kind is float:
            return value if math.isfinite(value) else {"$float": repr(value)}
        if isinstance(value, Tensor):
            return self._tensor(value, path)
        if isinstance(value, (np.ndarray, np.generic)):
            return self._numpy(value, path)
        if kind is complex:
            return {"$complex": [repr(value.real), repr(value.imag)]}
        if kind is bytes:
            return {"$bytes": binascii.b2a_base64(value, newline=False).decode()}
        if kind is dtypes.dtype:
            return {"$dtype": value.name}
        if isinstance(value, device):
            return {"$device": str(value)}
        return self._container(value, path)

    def _container(self, value: Any, path: str) -> Any:
        if id(value) in self._open:
            raise SerializationError(f"save: the structure contains itself at {_place(path)}; a file can only hold a tree")
        self._open.append(id(value))
        try:
            kind = type(value)
            if kind is list:
                return self._items(value, path)
            if kind in _SEQUENCES:
                return {_SEQUENCES[kind]: self._items(value, path)}
            if kind is set or kind is frozenset:
                return {"$set" if kind is set else "$frozenset": self._items(sorted(value, key=repr), path)}
            if kind is dict and all(type(key) is str and not key.startswith("$") for key in value):
                return {key: self.encode(item, f"{path}.{key}" if path else key) for key, item in value.items()}
            if kind in _MAPPINGS:
                pairs = [[self.encode(k, f"{path}[key {k!r}]"), self.encode(v, _join(path, k))] for k, v in value.items()]
                return {_MAPPINGS[kind]: pairs} | ({"versions": value._metadata} if kind is StateDict else {})
            raise SerializationError(
                f"save: cannot save a {kind.__module__}.{kind.__qualname__} at {_place(path)}. A file holds tensors, "
                "NumPy arrays, numbers, str, bytes, bool, None, "
                "dtypes, devices, sizes, and dict, OrderedDict, list, tuple, set, Counter of them: leave it out or save "
                "what it is made of"
            )
        finally:
            self._open.pop()

    def _items(self, values: Any, path: str) -> list[Any]:
        return [self.encode(value, _join(path, i)) for i, value in enumerate(values)]

    def _tensor(self, value: Tensor, path: str) -> dict[str, Any]:
        self._alive.append(value)
        array = value.detach().cpu().numpy()
        # On other devices two tensors that share memory have copies of their own on the CPU: there the object stands for the
        # memory.
        memory = _memory_key(array) if value.device.type == "cpu" else id(value)
        self._alive.append(array)
        number = self._numbers.setdefault(id(value), len(self._numbers))
        described: dict[str, Any] = {"$tensor": self._name(memory, array, path), "id": number}
        if str(value.device) != "cpu":
            described["device"] = str(value.device)
        if isinstance(value, Parameter):
            described["parameter"] = True
        if value.requires_grad and value.is_leaf:
            described["requires_grad"] = True
        return described

    def _numpy(self, value: Any, path: str) -> dict[str, Any]:
        array = np.asarray(value)
        if array.dtype.name not in _TYPE_NAMES:
            raise SerializationError(
                f"save: cannot save a NumPy array of dtype {array.dtype} at {_place(path)}; convert it with .astype()"
            )
        self._alive.append(array)
        return {"$numpy" if isinstance(value, np.ndarray) else "$scalar": self._name(_memory_key(array), array, path)}

    def _name(self, memory: Any, array: np.ndarray[Any, Any], path: str) -> str:
        name = self._names.get(memory)
        if name is None:
            base = name = path or "tensor"
            number = 2
            while name in self.arrays or name == "__metadata__":
                name = f"{base}#{number}"
                number += 1
            self._names[memory] = name
            self.arrays[name] = array
        return name


_SEQUENCES: dict[type, str] = {tuple: "$tuple", Size: "$size"}
_MAPPINGS: dict[type, str] = {dict: "$dict", OrderedDict: "$ordered", StateDict: "$state_dict", Counter: "$counter"}


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _place(path: str) -> str:
    return repr(path) if path else "the top"


def _memory_key(array: np.ndarray[Any, Any]) -> Any:
    """Equal for arrays that are the same elements of the same memory."""
    interface = array.__array_interface__
    return interface["data"][0], array.shape, array.strides, array.dtype.str


def _bytes_of(array: np.ndarray[Any, Any]) -> memoryview | bytes:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data if little.size else b""


def _digest(entries: Mapping[str, Any], structure: str, chunks: list[Any]) -> str:
    import hashlib  # here, as `tempfile` below: they would make every `import frazil` slower

    digest = hashlib.sha256()
    digest.update(json.dumps([dict(entries), structure], sort_keys=True).encode())
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _opened_for_writing(f: File) -> Iterator[IO[bytes]]:
    """A file to write to; a path appears under its name only when everything is on the disk."""
    if not isinstance(f, (str, os.PathLike)):
        yield f
        return
    path = os.path.realpath(os.fspath(f))
    import tempfile

    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode_for(path))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _mode_for(path: str) -> int:
    """The permissions that `open(path, "wb")` would leave."""
    try:
        return os.stat(path).st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


# ------------------------------------------------------------------------------------------------------------------- reading


def _broken(name: str, why: str) -> SerializationError:
    return SerializationError(
        f"load: {name} is damaged or not a safetensors file: {why}. Nothing was loaded; use another copy of the file"
    )


def _content(f: File) -> tuple[str, bytes]:
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            return os.fspath(f), file.read()
    if isinstance(f, io.TextIOBase) or not hasattr(f, "read"):
        raise ArgumentError(f"load: expected a path or a file opened in binary mode, given {f!r}")
    return str(getattr(f, "name", "the file object")), f.read()


def _split(name: str, content: bytes) -> tuple[dict[str, Any], memoryview]:
    """Header and data of a safetensors file, checked against each other."""
    if len(content) < 8:
        raise _broken(name, f"it has {len(content)} bytes, and a header starts with 8")
    if content[:4] in (b"PK\x03\x04", b"\x80\x02\x8a\x0a"):
        raise SerializationError(
            f"load: {name} is a PyTorch .pt file, whose loading runs code from the file. Convert it with PyTorch: "
            "safetensors.torch.save_file(torch.load(path), new_path)"
        )
    size = int.from_bytes(content[:8], "little")
    if size > min(_LONGEST_HEADER, len(content) - 8):
        raise _broken(
            name,
            f"its header should have {size} bytes, but {len(content) - 8} follow: it was cut off, or is another kind of file",
        )
    try:
        header = json.loads(content[8 : 8 + size].decode())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _broken(name, f"its header is not JSON ({error})") from None
    if not isinstance(header, dict):
        raise _broken(name, "its header is not a JSON object")
    data = memoryview(content)[8 + size :]
    end = 0
    for key, entry in header.items():
        if key != "__metadata__":
            end = max(end, _extent(name, key, entry)[1])
    if end != len(data):
        raise _broken(
            name, f"its tensors should have {end} bytes, but {len(data)} are there" + (": it was cut off" * (end > len(data)))
        )
    return header, data


def _extent(name: str, key: str, entry: Any) -> tuple[int, int]:
    try:
        begin, end = entry["data_offsets"]
        shape = entry["shape"]
        whole = all(type(n) is int and n >= 0 for n in (begin, end, *shape)) and type(entry["dtype"]) is str
    except (TypeError, KeyError, ValueError):
        whole = False
    if not whole or begin > end:
        raise _broken(name, f"the entry of tensor {key!r} is malformed: {entry!r}")
    return begin, end


def _array(name: str, key: str, entry: Any, data: memoryview) -> np.ndarray[Any, Any]:
    begin, end = _extent(name, key, entry)
    if entry["dtype"] == "BF16":
        return _bfloat16(data[begin:end], entry["shape"])
    if entry["dtype"] not in _BY_TYPE_NAME:
        raise SerializationError(f"load: tensor {key!r} in {name} has element type {entry['dtype']}, which frazil does not have")
    dtype = np.dtype(_BY_TYPE_NAME[entry["dtype"]]).newbyteorder("<")
    if math.prod(entry["shape"]) * dtype.itemsize != end - begin:
        raise _broken(name, f"tensor {key!r} of shape {entry['shape']} and type {entry['dtype']} has {end - begin} bytes")
    return np.frombuffer(data[begin:end], dtype).reshape(entry["shape"]).astype(dtype.newbyteorder("="))


def _bfloat16(data: memoryview, shape: list[int]) -> np.ndarray[Any, Any]:
    """bfloat16, which NumPy lacks, as float32, of which it is the upper half."""
    return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)


def _tensor(array: np.ndarray[Any, Any]) -> Tensor:
    return make_tensor(array, device="cpu")


def _placed(tensor: Tensor, saved: str, map_location: MapLocation) -> Tensor:
    """`tensor` (on the CPU) where it belongs."""
    if isinstance(map_location, Mapping):
        return tensor.to(as_device(map_location.get(saved, saved)))
    if callable(map_location) and not isinstance(map_location, device):
        moved = map_location(tensor, saved)
        return tensor.to(as_device(saved)) if moved is None else moved
    if map_location is not None:
        return tensor.to(as_device(map_location))
    try:
        return tensor.to(as_device(saved))
    except Exception as error:
        error.add_note(
            f"a tensor in the file was saved from {saved!r}: to load it elsewhere use fz.load(path, map_location='cpu')"
        )
        raise


@final
class _Reader:
    """Turns JSON values and named arrays back into nested data."""

    def __init__(self, name: str, arrays: dict[str, np.ndarray[Any, Any]], map_location: MapLocation) -> None:
        self.name = name
        self.arrays = arrays
        self.map_location = map_location
        self._memory: dict[tuple[str, str], Tensor] = {}  # (name, saved device) -> the tensor first made from it
        self._objects: dict[int, Tensor] = {}

    def decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        tag = next(iter(value), "")
        if not tag.startswith("$"):
            return {key: self.decode(item) for key, item in value.items()}
        content = value[tag]
        if tag == "$tensor":
            return self._tensor(value)
        if tag in ("$numpy", "$scalar"):
            array = self._stored(content)
            return array if tag == "$numpy" else array[()]
        if tag == "$state_dict":
            states = StateDict(self.decode(content))
            states._metadata = dict(value["versions"])
            return states
        if tag in _MAKERS:
            return _MAKERS[tag](self.decode(content))
        raise _broken(self.name, f"its structure has an unknown kind of value, {tag!r}")

    def _stored(self, key: str) -> np.ndarray[Any, Any]:
        if key not in self.arrays:
            raise _broken(self.name, f"its structure names tensor {key!r}, which it does not contain")
        return self.arrays[key]

    def _tensor(self, described: dict[str, Any]) -> Tensor:
        number = described["id"]
        if number in self._objects:
            return self._objects[number]
        key = described["$tensor"], described.get("device", "cpu")
        tensor = self._memory.get(key)
        if tensor is None:
            tensor = self._memory[key] = _placed(_tensor(self._stored(key[0])), key[1], self.map_location)
        else:
            tensor = tensor.detach()  # another tensor on the same memory
        if described.get("parameter"):
            tensor = Parameter(tensor, requires_grad=described.get("requires_grad", False))
        elif described.get("requires_grad"):
            tensor.requires_grad_(True)
        self._objects[number] = tensor
        return tensor


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "$float": float,
    "$complex": lambda parts: complex(float(parts[0]), float(parts[1])),
    "$bytes": lambda text: binascii.a2b_base64(text, strict_mode=True),
    "$dtype": dtypes.by_name,
    "$device": device,
    "$tuple": tuple,
    "$size": Size,
    "$set": set,
    "$frozenset": frozenset,
    "$dict": dict,
    "$ordered": OrderedDict,
    "$counter": lambda pairs: Counter(dict(pairs)),
}
