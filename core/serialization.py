"""`save` and `load`: nested Python data with tensors in one file, which is read without running code from it.

The file is a safetensors file, written and read by the safetensors library. Its metadata carries the nesting as JSON text,
and a SHA-256 of everything, so a changed byte is noticed.
"""

from __future__ import annotations

import binascii
import io
import itertools
import json
import math
import os
import stat
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import IO, Any, final

import numpy as np

from . import dtypes, files, pytorch_file, saved_objects
from .creation import tensor as make_tensor
from .device import as_device, device
from .errors import ArgumentError, FileError, FrazilError, SerializationError
from .nn.parameter import Parameter
from .nn.state import StateDict
from .outside import Budget, kind_of, plain
from .pickles import Unsound, is_namespace
from .tensor import Size, Tensor
from .warn import warn

Array = np.ndarray[Any, Any]
File = str | os.PathLike[str] | IO[bytes]
#: Where loaded tensors go: one device for all, {saved device: device}, or a function (tensor, saved device) -> tensor or None.
MapLocation = str | device | Mapping[str, str | device] | Callable[[Tensor, str], Tensor | None] | None
FILE_LIKE, MAP_LOCATION = File, MapLocation  # as PyTorch calls them

#: The protocol of pickle that PyTorch saves with, and libraries name when they save.
DEFAULT_PROTOCOL = 2
_VERSION = "1"
#: Names of files in PyTorch's format.
_OF_PYTORCH = (".pt", ".pth")
_STRUCTURE, _DIGEST, _FORMAT = "frazil.structure", "frazil.sha256", "frazil.format"

#: Element types of safetensors -> NumPy's; the bits of bfloat16, which it lacks, are read as they are.
_TYPES = dict(
    zip(
        "BOOL U8 I8 U16 I16 U32 I32 U64 I64 F16 F32 F64 C64 BF16".split(),
        "? u1 i1 <u2 <i2 <u4 <i4 <u8 <i8 <f2 <f4 <f8 <c8 <u2".split(),
        strict=True,
    )
)


def save(obj: Any, f: File) -> None:
    """Write `obj` to the file `f` (a path or a binary file object).

    `obj` is a tensor or any nesting of dict, OrderedDict, list, tuple, set, Counter with tensors, NumPy arrays, numbers, str,
    bytes, bool, None, dtypes, devices and sizes. Tensors on the CPU that are the same memory are stored once and are the same
    memory again after loading, and so are views of a contiguous tensor that is saved with them (in PyTorch's format: all views of
    one memory, which is stored whole). A module, a dataclass or any object that is nothing but its attributes, whole or inside of
    these, is stored by the name of its class and its attributes, and the member of an Enum by its name; a file holds no hooks and
    no lambdas. A path is written atomically: a crash leaves the old file or the new one. What a link points to is written; a
    device or a pipe is written to.

    A name that ends in `.pt` or `.pth` gets PyTorch's own format, which `torch.load(path)` reads (with NumPy arrays or an
    argparse.Namespace in it: `torch.load(path, weights_only=False)`). It holds no frozensets and no modules: a file with one of
    those gets a safetensors file and a warning. So does, without one, every other name and a file object without a name.
    `load` tells them apart by their content.

    >>> import frazil as fz, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> fz.save({"weights": fz.ones(2), "epoch": 3, "betas": (0.9, 0.999)}, path)
    >>> fz.load(path)
    {'weights': tensor([1., 1.]), 'epoch': 3, 'betas': (0.9, 0.999)}
    """
    name = os.fspath(f) if isinstance(f, (str, os.PathLike)) else getattr(f, "name", "")
    of_pytorch = str(name).endswith(_OF_PYTORCH)
    try:
        content = _written_for_pytorch(obj, str(name)) if of_pytorch else written(obj)
    except RecursionError:
        raise SerializationError("save: the structure is nested too deeply for Python to walk through") from None
    keep(content, f)


def keep(content: bytes, f: File) -> None:
    """Write what a file holds: a path at once or not at all."""
    if isinstance(f, (str, os.PathLike)):
        with files.replacing(f, "save") as file:
            file.write(content)
    else:
        f.write(content)


def _written_for_pytorch(obj: Any, name: str) -> bytes:
    """PyTorch's own format, or frazil's where that has no form for what there is, which a warning tells."""
    try:
        return pytorch_file.written(obj)
    except pytorch_file.NotOfPyTorch as error:
        content = written(obj)
        warn(
            f"save: PyTorch's format cannot hold {error} without code, so {name} has frazil's own format: fz.load reads it and "
            "PyTorch does not. Save model.state_dict() for both"
        )
        return content


def written(obj: Any) -> bytes:
    """Return the safetensors file of `obj`."""
    writer = _Writer()
    encoded = writer.encode(obj, "")
    writer.tell_views()
    structure = json.dumps(encoded, separators=(",", ":"), allow_nan=False)
    metadata = {_FORMAT: _VERSION, _STRUCTURE: structure, _DIGEST: _digest(writer.arrays, structure)}
    from safetensors.numpy import save as to_bytes  # here, as other imports below: they would slow every `import frazil`

    return to_bytes(writer.arrays, metadata)


def load(f: File, map_location: MapLocation = None, *, classes: Sequence[Any] = (), weights_only: bool = True) -> Any:
    """Read what `save` wrote, from a path or a binary file object; or any safetensors file, as a dict of tensors; or what
    `torch.save` wrote: tensors, parameters, numbers, texts and containers of them.

    Args:
        f: the file.
        map_location: where the tensors go: a device, `{saved device: device}`, or a function
            `(tensor on the CPU, saved device) -> tensor`; default: the device they were saved from.
        classes: the classes of modules (and functions, and dataclasses) that the file may name and `load` makes again. Layers
            of `fz.nn` need not be named. Nothing is imported because a file says so, and no `__init__` runs.
        weights_only: False: the file may also name every class of modules, and dataclass, that the program has imported. No
            file can run code here.

    >>> import frazil as fz, io
    >>> class Twice(fz.nn.Module):
    ...     def __init__(self): super().__init__(); self.inner = fz.nn.Linear(3, 3)
    ...     def forward(self, x): return self.inner(self.inner(x))
    >>> file, model = io.BytesIO(), Twice()
    >>> fz.save(model, file); _ = file.seek(0)
    >>> x = fz.ones(3)
    >>> bool((fz.load(file, classes=[Twice])(x) == model(x)).all())
    True

    Raises `SerializationError` when the file is truncated, was changed, or holds anything else; also when it asks for more than
    the settings `limits.values`, `limits.tensors` and `limits.expansion` allow, which a file made to do harm does.
    """
    return read(*content_of(f), map_location, (*classes, *_SAFE), imported=not weights_only)


def read(
    name: str, content: bytes, map_location: MapLocation = None, classes: Sequence[Any] = (), *, imported: bool = False
) -> Any:
    """As `load`, of what the file called `name` holds."""
    if content.startswith((pytorch_file.ZIP, pytorch_file.LEGACY)):
        return pytorch_file.read(name, content, lambda tensor, saved: _placed(tensor, saved, map_location))
    budget = Budget(name, len(content))
    metadata, arrays = _parsed(name, content, budget)
    if not metadata.keys() & {_STRUCTURE, _DIGEST, _FORMAT}:  # another program's file
        return {key: _placed(make_tensor(array, device="cpu"), "cpu", map_location) for key, array in arrays.items()}
    if metadata.get(_FORMAT) != _VERSION:
        raise SerializationError(
            f"load: {name} has format {metadata.get(_FORMAT)!r}, this frazil reads {_VERSION!r}: update frazil to read it"
        )
    structure = metadata.get(_STRUCTURE, "")
    if metadata.get(_DIGEST) != _digest(arrays, structure):
        raise _broken(name, "its SHA-256 does not match its content")
    # Every value is told apart from the one before it by one of these.
    budget.spend("values", sum(map(structure.count, ",[{")))
    try:
        return _Reader(arrays, map_location, saved_objects.Known(name, classes, imported)).decode(json.loads(structure))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, FrazilError):
            raise
        raise _broken(name, f"its structure is malformed ({type(error).__name__}: {error})") from None


def _digest(arrays: Mapping[str, Array], structure: str) -> str:
    """SHA-256 of the structure and of name, type, shape and bytes of every array."""
    import hashlib

    digest = hashlib.sha256(structure.encode())
    for name, array in sorted(arrays.items()):
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


#: What a type is called in the file, how it is taken apart, and how it is made again from the list of its parts.
_KINDS: dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    float: ("$float", lambda x: [repr(x)], lambda parts: float(*parts)),  # those that JSON does not have
    complex: ("$complex", lambda z: [z.real, z.imag], lambda parts: complex(*parts)),
    bytes: ("$bytes", lambda x: [binascii.b2a_base64(x).decode()], lambda parts: binascii.a2b_base64(*parts)),
    dtypes.dtype: ("$dtype", lambda x: [x.name], lambda parts: dtypes.by_name(*parts)),
    device: ("$device", lambda x: [str(x)], lambda parts: device(*parts)),
    tuple: ("$tuple", list, tuple),
    Size: ("$size", list, Size),
    set: ("$set", lambda x: sorted(x, key=repr), set),
    frozenset: ("$frozenset", lambda x: sorted(x, key=repr), frozenset),
    dict: ("$dict", dict.items, dict),
    OrderedDict: ("$ordered", dict.items, OrderedDict),
    StateDict: ("$state_dict", dict.items, StateDict),
    Counter: ("$counter", dict.items, lambda pairs: Counter(dict(pairs))),
}
#: What a defaultdict in a file may make.
_FACTORIES = {kind.__name__: kind for kind in (dict, list, set, int, float)}
_MAKERS = {tag: make for tag, _, make in _KINDS.values()} | {
    "$namespace": lambda parts: pytorch_file.namespace(parts[0]),
    "$defaultdict": lambda parts: defaultdict(_FACTORIES[parts[0]], parts[1]),
}


# ------------------------------------------------------------------------------------------------------------------- writing


@final
class _Writer:
    """Turns nested data into JSON values and a dict of named arrays."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._names: dict[Any, str] = {}  # memory -> name
        self._on_cpu: dict[str, tuple[Array, list[dict[str, Any]]]] = {}  # name -> the array as it lies, and what is told of it
        self._of_numpy: set[str] = set()  # names that NumPy arrays have, too
        self._numbers: dict[int, int] = {}  # id of a tensor object -> its number in the file
        self._alive: list[Any] = []  # memory is told apart by address, so nothing may be freed in between
        self._depth = 0  # of modules around the current value
        self._open: list[int] = []  # ids of the containers that enclose the current value

    def encode(self, value: Any, path: str) -> Any:
        """`value` as JSON. Everything JSON does not have is an object with one key that starts with "$"."""
        kind = type(value)
        if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
            return value
        if isinstance(value, Tensor):
            return self._tensor(value, path)
        if isinstance(value, (np.ndarray, np.generic)):
            return self._numpy(value, path)
        if isinstance(value, Enum):
            return {"$member": saved_objects.name_of(kind), "name": value.name}
        if self._depth and saved_objects.has_name(value):
            return {"$named": saved_objects.name_of(value)}
        if id(value) in self._open:
            raise SerializationError(f"save: the structure contains itself at {_place(path)}; a file can only hold a tree")
        self._open.append(id(value))
        try:
            if saved_objects.is_kept(value) and not is_namespace(value):
                return self._object(value, path)
            return self._made_of_parts(value, kind, path)
        finally:
            self._open.pop()

    def _made_of_parts(self, value: Any, kind: type, path: str) -> Any:
        if kind is list:
            return [self.encode(item, _join(path, i)) for i, item in enumerate(value)]
        if kind is dict and all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self.encode(item, _join(path, key)) for key, item in value.items()}
        if is_namespace(value):
            return {"$namespace": [self.encode(vars(value), path)]}
        if kind is defaultdict and value.default_factory in _FACTORIES.values():
            pairs = [[self.encode(k, f"{path}[key {k!r}]"), self.encode(v, _join(path, k))] for k, v in value.items()]
            return {"$defaultdict": [value.default_factory.__name__, pairs]}
        if kind not in _KINDS:
            raise SerializationError(
                f"save: cannot save a {kind.__module__}.{kind.__qualname__} at {_place(path)}. A file holds tensors, "
                "NumPy arrays, numbers, str, bytes, bool, None, dtypes, devices, sizes, and dict, OrderedDict, list, tuple, "
                "set, Counter of them: leave it out or save what it is made of"
            )
        tag, parts, _ = _KINDS[kind]
        if isinstance(value, dict):
            pairs = [[self.encode(k, f"{path}[key {k!r}]"), self.encode(v, _join(path, k))] for k, v in parts(value)]
            return {tag: pairs, "versions": value._metadata} if isinstance(value, StateDict) else {tag: pairs}
        return {tag: [self.encode(part, _join(path, i)) for i, part in enumerate(parts(value))]}

    def _object(self, value: Any, path: str) -> dict[str, Any]:
        """A module, or what one has: the first time with its state, then by its number."""
        known = id(value) in self._numbers
        number = self._numbers.setdefault(id(value), len(self._numbers))
        if known:
            return {"$object": number}
        self._alive.append(value)
        self._depth += 1
        try:
            state = saved_objects.state_of(value, _place(path))
            parts = [[name, self.encode(held, _join(path, name))] for name, held in state.items()]
        finally:
            self._depth -= 1
        return {"$object": number, "class": saved_objects.name_of(type(value)), "state": parts}

    def _tensor(self, value: Tensor, path: str) -> dict[str, Any]:
        array = value.detach().cpu()._array()
        # On other devices two tensors that share memory get copies of their own here: there the object stands for the memory.
        memory = _memory_key(array) if value.device.type == "cpu" else id(value)
        described = self._stored("$tensor", memory, array, path)
        described["id"] = self._numbers.setdefault(id(value), len(self._numbers))
        if value.device.type == "cpu":
            self._on_cpu.setdefault(described["$tensor"], (array, []))[1].append(described)
        else:
            described["device"] = str(value.device)
        if isinstance(value, Parameter):
            described["parameter"] = True
        if value.requires_grad:
            described["requires_grad"] = True
        return described

    def tell_views(self) -> None:
        """Store tensors that lie within a contiguous one as that and their place in it."""
        arrays = {name: array for name, (array, _) in self._on_cpu.items() if array.size and min(array.strides, default=0) >= 0}
        found = [(*_extent(array), not array.flags.c_contiguous, name) for name, array in arrays.items()]
        widest: dict[Any, tuple[int, int, str]] = {}  # of each dtype, among those that begin before
        for begin, end, _, name in sorted(found, key=lambda extent: (extent[0], -extent[1], extent[2])):
            array, told = self._on_cpu[name]
            whole_begin, whole_end, whole = widest.get(array.dtype, (0, 0, ""))
            steps = [*array.strides, begin - whole_begin]
            if end <= whole_end and array.size <= self._on_cpu[whole][0].size and not any(n % array.itemsize for n in steps):
                if name not in self._of_numpy:
                    del self.arrays[name]
                *strides, offset = (n // array.itemsize for n in steps)
                for described in told:
                    rest = {key: value for key, value in described.items() if key != "$tensor"}
                    described.clear()
                    described.update({"$view": whole, "size": array.shape, "stride": strides, "offset": offset, **rest})
            elif array.flags.c_contiguous and end > whole_end:
                widest[array.dtype] = begin, end, name

    def _numpy(self, value: Any, path: str) -> dict[str, Any]:
        array = np.asarray(value)
        if array.dtype.name not in dtypes.ALL:
            raise SerializationError(
                f"save: cannot save a NumPy array of dtype {array.dtype} at {_place(path)}; convert it with .astype()"
            )
        tag = "$numpy" if isinstance(value, np.ndarray) else "$scalar"
        described = self._stored(tag, _memory_key(array), array, path)
        self._of_numpy.add(described[tag])
        return described

    def _stored(self, tag: str, memory: Any, array: Array, path: str) -> dict[str, Any]:
        """Keep the array, if its memory is new, and say where it is."""
        name = self._names.get(memory)
        if name is None:
            base = name = path.encode(errors="replace").decode() or "tensor"
            for number in itertools.count(2):
                if name not in self.arrays and name != "__metadata__":
                    break
                name = f"{base}#{number}"
            self._names[memory] = name
            self._alive.append(array)
            dense = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
            # The format has no complex128: complex numbers are stored as pairs of real ones.
            self.arrays[name] = dense[..., None].view(dense.real.dtype) if dense.dtype.kind == "c" else dense
        return {tag: name, "complex": True} if array.dtype.kind == "c" else {tag: name}


def _extent(array: Array) -> tuple[int, int]:
    """Where the memory begins that an array lies in, and where it ends; its strides are not negative."""
    begin = array.__array_interface__["data"][0]
    return begin, begin + array.itemsize + sum((n - 1) * step for n, step in zip(array.shape, array.strides, strict=True))


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _place(path: str) -> str:
    return repr(path) if path else "the top"


def _memory_key(array: Array) -> Any:
    """Equal for arrays that are the same elements of the same memory."""
    interface = array.__array_interface__
    return interface["data"][0], array.shape, array.strides, array.dtype.str


# ------------------------------------------------------------------------------------------------------------------- reading


def _broken(name: str, why: str) -> SerializationError:
    return SerializationError(
        f"load: {name} is damaged or not a safetensors file: {why}. Nothing was loaded; use another copy of the file"
    )


def content_of(f: File) -> tuple[str, bytes]:
    """Return what a file is called and what it holds."""
    if isinstance(f, (str, os.PathLike)):
        name = os.fspath(f)
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            raise FileError(f"load: {name!r} is a folder{_of_folder(name)}: name a file in it")
        if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
            raise FileError(f"load: {name!r} is a device, not a file")
        with open(f, "rb") as file:
            return name, file.read()
    if isinstance(f, io.TextIOBase) or not hasattr(f, "read"):
        raise ArgumentError(f"load: expected a path or a file opened in binary mode, given {f!r}")
    return str(getattr(f, "name", "the file object")), f.read()


def _of_folder(name: str) -> str:
    there = [file for file in sorted(os.listdir(name)) if file.endswith((*_OF_PYTORCH, ".safetensors", ".bin"))]
    return f" with {', '.join(there[:3])}{', ...' if there[3:] else ''} in it" if there else ""


def _parsed(name: str, content: bytes, budget: Budget) -> tuple[dict[str, str], dict[str, Array]]:
    """The metadata and the arrays of a safetensors file."""
    from safetensors import SafetensorError, deserialize

    end = 8 + int.from_bytes(content[:8], "little")
    if content[8:9] != b"{" and (kind := kind_of(content)) is not None:
        raise SerializationError(f"load: {name} {kind}")
    # Each tensor and each text of the header costs far more memory than bytes in the file.
    budget.spend("values", sum(content.count(sign, 8, end) for sign in (b"{", b"[", b",")) // 2)
    try:
        entries = deserialize(content)
    except SafetensorError as error:
        raise _broken(name, plain(error)) from None
    budget.spend("tensors", len(entries))
    # The library hands out the metadata of paths only. It has just found the header to be good.
    header = json.loads(content[8:end])
    arrays = {}
    for key, entry in sorted(entries, key=lambda item: header[item[0]]["data_offsets"]):
        kind = entry["dtype"]
        if kind not in _TYPES:
            raise SerializationError(f"load: tensor {key!r} in {name} has element type {kind}, which frazil does not have")
        dtype = np.dtype(_TYPES[kind])
        try:
            pytorch_file.checked_shape(entry["shape"], dtype.itemsize)
        except Unsound as error:
            raise SerializationError(f"load: {name} cannot be read, for {error} ({key!r})") from None
        array = np.frombuffer(entry["data"], dtype).reshape(entry["shape"])
        arrays[key] = array.view(dtypes.bfloat16.numpy) if kind == "BF16" else array
    return header.get("__metadata__") or {}, arrays


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

    def __init__(self, arrays: dict[str, Array], map_location: MapLocation, known: saved_objects.Known) -> None:
        self._known = known
        self.arrays = arrays
        self.map_location = map_location
        self._memory: dict[tuple[str, str], Tensor] = {}  # (name, saved device) -> the tensor first made from it
        self._objects: dict[int, Any] = {}

    def decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        tag = next(iter(value), "")
        if not tag.startswith("$"):
            return {key: self.decode(item) for key, item in value.items()}
        if tag in ("$tensor", "$view"):
            return self._tensor(value, tag)
        if tag == "$object":
            return self._object(value)
        if tag == "$named":
            return self._known.find(value[tag])
        if tag == "$member":
            return self._known.member(value[tag], value["name"])
        if tag in ("$numpy", "$scalar"):
            array = self._stored(value, tag)
            return array if tag == "$numpy" else array[()]
        if tag not in _MAKERS:
            raise _broken(self._known.file, f"its structure has an unknown kind of value, {tag!r}")
        made = _MAKERS[tag](self.decode(value[tag]))
        if isinstance(made, StateDict):
            made._metadata = OrderedDict(value["versions"])
        return made

    def _object(self, described: dict[str, Any]) -> Any:
        number = described["$object"]
        if "class" in described:
            state = {str(name): self.decode(held) for name, held in described["state"]}
            self._objects[number] = self._known.make(described["class"], state)
        return self._objects[number]

    def _stored(self, described: dict[str, Any], tag: str) -> Array:
        if described[tag] not in self.arrays:
            raise _broken(self._known.file, f"its structure names tensor {described[tag]!r}, which it does not contain")
        array = self.arrays[described[tag]]
        return array.view(f"c{2 * array.itemsize}")[..., 0] if described.get("complex") else array

    def _tensor(self, described: dict[str, Any], tag: str) -> Tensor:
        number = described["id"]
        if number in self._objects:
            found: Tensor = self._objects[number]
            return found
        key = described[tag], described.get("device", "cpu")
        tensor = self._memory.get(key)
        if tensor is None:
            whole = make_tensor(self._stored(described, tag), device="cpu")
            tensor = self._memory[key] = _placed(whole, key[1], self.map_location)
            tensor = tensor if tag == "$tensor" else tensor.detach()
        else:
            tensor = tensor.detach()  # another tensor on the same memory
        if tag == "$view":
            size, stride, offset = described["size"], described["stride"], described["offset"]
            end = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
            if min(*size, *stride, offset, 0) < 0 or end >= tensor.numel() or math.prod(size) > tensor.numel():
                raise _broken(
                    self._known.file, f"its structure tells of a part of tensor {key[0]!r} that the tensor does not have"
                )
            tensor = tensor.as_strided(size, stride, offset)
        if described.get("parameter"):
            tensor = Parameter(tensor, requires_grad=described.get("requires_grad", False))
        elif described.get("requires_grad"):
            tensor.requires_grad_(True)
        self._objects[number] = tensor
        return tensor


#: What `add_safe_globals` named.
_SAFE: list[Any] = []


@contextmanager
def safe_globals(safe_globals: Sequence[Any]) -> Iterator[None]:
    """Name classes that `load` may make, besides its own `classes`, while the block runs.

    >>> import frazil as fz, io
    >>> class Twice(fz.nn.Module): pass
    >>> file = io.BytesIO()
    >>> fz.save(Twice(), file); _ = file.seek(0)
    >>> with fz.serialization.safe_globals([Twice]): fz.load(file)
    Twice()
    """
    before = get_safe_globals()
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _SAFE[:] = before


def get_safe_globals() -> list[Any]:
    """Return what `add_safe_globals` named.

    >>> from frazil.serialization import get_safe_globals
    >>> get_safe_globals()
    []
    """
    return list(_SAFE)


def clear_safe_globals() -> None:
    """Forget what `add_safe_globals` named.

    >>> from frazil.serialization import clear_safe_globals
    >>> clear_safe_globals()
    """
    _SAFE.clear()


def add_safe_globals(safe_globals: Sequence[Any]) -> None:
    """As `safe_globals`, from now on.

    >>> from frazil.serialization import add_safe_globals
    >>> add_safe_globals([])
    """
    named = [given[0] if isinstance(given, tuple) else given for given in safe_globals]  # PyTorch takes (class, its name) too
    _SAFE.extend(given for given in named if given not in _SAFE)
