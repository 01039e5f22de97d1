"""Tensors from numbers, sizes and data."""

from __future__ import annotations

import builtins
import functools
import importlib
import math
from typing import Any

import numpy as np

from . import dtypes
from .device import as_device, get_default_device
from .device import device as device_of
from .dispatch import run
from .dtypes import dtype as DType
from .errors import ArgumentError, DTypeError, ShapeError
from .sizes import SymFloat, SymInt, is_static, prod, size_max
from .state import STATE
from .table import FUNCTIONS, OPS
from .tensor import Size, Tensor, int_tuple, shape_like, strided, whole, wrap
from .views import lie, lie_as


def _target(device: Any) -> Any:
    """The device new values are made on: inside a recording, the recording's."""
    if STATE.recorder is not None:
        return STATE.recorder.device
    return as_device(device)


def _make(name: str, attrs: dict[str, Any], device: Any, requires_grad: bool) -> Tensor:
    result: Tensor = run(OPS[name], [], attrs, _target(device))
    return result.requires_grad_() if requires_grad else result


def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
) -> Tensor:
    """A tensor of `size` filled with a number.

    >>> import frazil as fz
    >>> fz.full((2, 2), 7)
    tensor([[7, 7],
            [7, 7]])
    """
    if layout not in (None, strided):
        raise ArgumentError(f"full: makes dense tensors, given layout={layout}; use fz.sparse_coo_tensor(size=...)")
    if isinstance(fill_value, Tensor):
        if STATE.recorder is not None:
            filled = fill_value if dtype is None else fill_value.to(dtype)
            return OPS["copy"].call(OPS["expand"].call(filled, shape=checked_sizes("full", (size,))))
        fill_value = fill_value.item()
    if dtype is None:
        dtype = _dtype_of_number(fill_value)
    dtype = dtypes.as_dtype(dtype)
    if type(fill_value) is int and fill_value < 0 and dtype.kind == "i" and not dtype.is_signed:
        most = 2 ** (8 * dtype.itemsize) - 1
        fill_value = fill_value % (most + 1) if -fill_value <= most else fill_value  # wraps round, as in PyTorch
    return _make(
        "fill",
        {"shape": checked_sizes("full", (size,)), "value": fill_value, "dtype": dtypes.as_dtype(dtype)},
        device,
        requires_grad,
    )


def _dtype_of_number(value: Any) -> DType:
    if isinstance(value, (bool, np.bool_)):
        return dtypes.bool_
    if isinstance(value, (int, np.integer)):
        return dtypes.int64
    if isinstance(value, (float, np.floating)):
        return dtypes.get_default_dtype()
    if isinstance(value, (complex, np.complexfloating)):
        return dtypes.complex128 if dtypes.get_default_dtype() is dtypes.float64 else dtypes.complex64
    found = getattr(value, "number_dtype", None)
    if found is None:
        raise ArgumentError(f"expected a number, given a {type(value).__name__}")
    return found


def checked_sizes(name: str, size: Any) -> tuple[Any, ...]:
    """Return the sizes that a function was asked for; they are integers and not negative."""
    sizes = tuple(int(n) if isinstance(n, np.integer) else n for n in int_tuple(size, name))
    for n in sizes:
        if isinstance(n, int) and n < 0:
            raise ShapeError(f"{name}: sizes are not negative, given {list(sizes)}")
    return sizes


def zeros(
    *sizes: Any,
    size: Any = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
) -> Tensor:
    """A tensor of zeros.

    >>> import frazil as fz
    >>> fz.zeros(2, 3).shape
    frazil.Size([2, 3])
    """
    shape = checked_sizes("zeros", sizes if size is None else (size,))
    return full(shape, 0, dtype=dtype or dtypes.get_default_dtype(), device=device, requires_grad=requires_grad, layout=layout)


def ones(
    *sizes: Any,
    size: Any = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
) -> Tensor:
    """A tensor of ones.

    >>> import frazil as fz
    >>> fz.ones(2)
    tensor([1., 1.])
    """
    shape = checked_sizes("ones", sizes if size is None else (size,))
    return full(shape, 1, dtype=dtype or dtypes.get_default_dtype(), device=device, requires_grad=requires_grad, layout=layout)


def empty(
    *sizes: Any,
    size: Any = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
    layout: Any = None,
) -> Tensor:
    """A tensor whose values are of no interest (they are zeros: the same on every device and in every run).

    >>> import frazil as fz
    >>> fz.empty(2, 3).shape
    frazil.Size([2, 3])
    """
    return zeros(*sizes, size=size, dtype=dtype, device=device, requires_grad=requires_grad, layout=layout)


def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor like `input` filled with a number.

    >>> import frazil as fz
    >>> fz.full_like(fz.zeros(2), 3)
    tensor([3., 3.])
    """
    if input.is_sparse and not fill_value:
        return input.new_zeros(*input.shape, dtype=dtype, device=device, requires_grad=requires_grad)
    made = full(shape_like("full_like", input), fill_value, dtype=dtype or input.dtype, device=device or input.device)
    if input._dev.depth:
        made = input._dev.lifted(made)
    if len(input._a.shape) > 1:
        made = lie("like", made, input)
    return made.requires_grad_() if requires_grad else made


def zeros_like(
    input: Tensor, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False, memory_format: Any = None
) -> Tensor:
    """Zeros like `input`.

    >>> import frazil as fz
    >>> fz.zeros_like(fz.ones(2))
    tensor([0., 0.])
    """
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones_like(
    input: Tensor, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False, memory_format: Any = None
) -> Tensor:
    """Ones like `input`.

    >>> import frazil as fz
    >>> fz.ones_like(fz.zeros(2))
    tensor([1., 1.])
    """
    return full_like(input, 1, dtype=dtype, device=device, requires_grad=requires_grad)


def empty_like(
    input: Tensor, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False, memory_format: Any = None
) -> Tensor:
    """A tensor like `input` whose values are of no interest.

    >>> import frazil as fz
    >>> fz.empty_like(fz.ones(2, 3)).shape
    frazil.Size([2, 3])
    """
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad)


def zeros_of(like: Tensor, shape: tuple[Any, ...]) -> Tensor:
    """Zeros of a shape, with dtype and device of another tensor."""
    return full(shape, 0, dtype=like.dtype, device=like.device)


def arange(
    *args: Any,
    start: Any = None,
    end: Any = None,
    step: Any = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
) -> Tensor:
    """start, start + step, ... up to but without `end`: `arange(end)`, `arange(start, end)`, `arange(start, end, step)`.

    >>> import frazil as fz
    >>> fz.arange(5), fz.arange(1, 2, 0.5)
    (tensor([0, 1, 2, 3, 4]), tensor([1.0000, 1.5000]))
    """
    given = [whole(a) if _is_whole(a) else a.item() if isinstance(a, (Tensor, np.generic)) else a for a in args]
    start, end, step = (whole(a) if _is_whole(a) else a for a in (start, end, step))
    if len(given) == 1:
        end = given[0]
    elif given:
        start, end, *rest = given
        step = rest[0] if rest else step
    start, step = 0 if start is None else start, 1 if step is None else step
    if end is None:
        raise ArgumentError("arange: give at least the end")
    numbers = (start, end, step)
    fractions = any(isinstance(n, (float, SymFloat)) for n in numbers)
    if dtype is None:
        dtype = dtypes.get_default_dtype() if fractions else dtypes.int64
    dtype = dtypes.as_dtype(dtype)
    if isinstance(step, (int, float)):
        if step == 0:
            raise ArgumentError("arange: step must not be 0")
        if all(isinstance(n, (int, float)) for n in numbers) and (end - start) * step < 0:
            raise ArgumentError(f"arange: from {start} to {end} does not go with step {step}")
    finite = all(math.isfinite(n) for n in numbers if isinstance(n, float))
    if dtype.kind == "i" and finite and (fractions or all(isinstance(n, int) for n in numbers)):
        count = math.ceil((end - start) / step)
        start, step = _cut(start), _cut(step)  # fractions are cut off, as in PyTorch; there only those of int64 before it counts
        if not step and dtype is dtypes.int64:
            raise ArgumentError("arange: step must not be 0, as a whole number")
        if not step:
            return full((count,), start, dtype=dtype, device=device)
        end = _cut(end) if dtype is dtypes.int64 else start + count * step
    attrs = {"start": start, "stop": end, "step": step, "dtype": dtype}
    return _make("sequence", attrs, device, requires_grad)


def _cut(n: Any) -> Any:
    """A number without its fraction; a size has none."""
    return n if isinstance(n, SymInt) else math.trunc(n)


def _is_whole(a: Any) -> bool:
    return isinstance(a, Tensor) and a.dtype.kind in "iu"


def range(start: Any, end: Any, step: Any = 1, **options: Any) -> Tensor:
    """As `arange`, with the end included.

    >>> import frazil as fz
    >>> fz.range(1, 3)
    tensor([1., 2., 3.])
    """
    options.setdefault("dtype", dtypes.get_default_dtype())
    return arange(start, end + step / 2, step, **options)


def _of_ends(*ends: Any) -> DType:
    """The dtype of numbers between these: the default one, complex where one of them is."""
    dtype = dtypes.get_default_dtype()
    if any(isinstance(x, complex) or (isinstance(x, Tensor) and x.dtype.is_complex) for x in ends):
        return dtypes.complex128 if dtype is dtypes.float64 else dtypes.complex64
    return dtype


def linspace(
    start: Any, end: Any, steps: int, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers from `start` to `end`, evenly apart, both included.

    >>> import frazil as fz
    >>> fz.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    dtype = _of_ends(start, end) if dtype is None else dtypes.as_dtype(dtype)
    if isinstance(steps, int) and steps < 0:
        raise ArgumentError(f"linspace: steps must not be negative, given {steps}")
    steps = whole(steps)
    recorded = any(isinstance(x, Tensor) and (x._dev.recording or x.is_meta) for x in (start, end))
    start, end = (_end(x if recorded or not isinstance(x, Tensor) else x.item(), dtype) for x in (start, end))
    # as PyTorch: from both sides, so that both ends are exact
    if recorded or not is_static((start, end, steps)):
        i = arange(steps, dtype=dtypes.float64, device=device)
        apart = 0.0 if is_static(steps) and steps == 1 else (end - start) / size_max(steps - 1, 1)
        rising, falling = start + i * apart, end - (steps - 1 - i) * apart
        return OPS["where"].call(i < size_max(steps // 2, 1), rising, falling).to(dtype)
    places = np.arange(steps)
    with np.errstate(invalid="ignore"):
        apart = 0.0 if steps == 1 else np.asarray(end - start) / (steps - 1)
        values = np.where(places < max(steps // 2, 1), start + apart * places, end - apart * (steps - 1 - places))
    return from_host(values.astype(dtype.numpy), _target(device), requires_grad)


def _end(end: Any, dtype: DType) -> Any:
    """An end of a range: for integers without what is behind the point."""
    if not isinstance(end, Tensor):
        return int(end) if dtype.kind == "i" and is_static(end) else end
    end = end.to(dtypes.int64) if dtype.kind == "i" else end
    return end if end.dtype.is_complex else end.to(dtypes.float64)


def logspace(
    start: float, end: float, steps: int, base: float = 10.0, *, dtype: DType | None = None, device: Any = None
) -> Tensor:
    """`steps` numbers from base**start to base**end, evenly apart in their logarithm.

    >>> import frazil as fz
    >>> fz.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    dtype = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    steps = whole(steps)
    if is_static(steps) and steps < 0:
        raise ArgumentError(f"logspace: steps must not be negative, given {steps}")
    recorded = any(isinstance(x, Tensor) and (x._dev.recording or x.is_meta) for x in (start, end, base))
    if not recorded:
        start, end, base = (x.item() if isinstance(x, Tensor) else x for x in (start, end, base))
    if recorded or not is_static((start, end, steps, base)):
        return (base ** linspace(start, end, steps, dtype=dtypes.float64, device=device)).to(dtype)
    return from_host(np.logspace(start, end, int(steps), base=base).astype(dtype.numpy), _target(device))


def eye(n: Any, m: Any = None, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal, zeros elsewhere.

    >>> import frazil as fz
    >>> fz.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    rows, columns = arange(whole(n), device=device), arange(whole(n if m is None else m), device=device)
    result = (rows.unsqueeze(1) == columns).to(dtypes.get_default_dtype() if dtype is None else dtype)
    return result.requires_grad_() if requires_grad else result


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: DType | None = None, device: Any = None) -> Tensor:
    """int64[2, n]: the positions on and below a diagonal.

    >>> import frazil as fz
    >>> fz.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _positions(np.tril_indices(whole(row), whole(offset), whole(col)), dtype, device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: DType | None = None, device: Any = None) -> Tensor:
    """int64[2, n]: the positions on and above a diagonal.

    >>> import frazil as fz
    >>> fz.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    return _positions(np.triu_indices(whole(row), whole(offset), whole(col)), dtype, device)


def _positions(found: Any, dtype: DType | None, device: Any) -> Tensor:
    dtype = dtypes.int64 if dtype is None else dtypes.as_dtype(dtype)
    return from_host(np.stack(found).astype(dtype.numpy), _target(device))


# ------------------------------------------------------------------------------------------------------------------ from data


def from_host(array: np.ndarray, device: Any, requires_grad: bool = False) -> Tensor:
    """A tensor on `device` with the values of a NumPy array, which it may share."""
    t = wrap(device.from_host(array), device)
    return t.requires_grad_() if requires_grad else t


def tensor(
    data: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A tensor with a copy of `data`: numbers, nested sequences, NumPy arrays, tensors.

    Python floats get the default dtype (float32), integers int64; arrays keep theirs.

    >>> import frazil as fz
    >>> fz.tensor([[1, 2], [3, 4]]).dtype, fz.tensor(1.5).dtype
    (frazil.int64, frazil.float32)
    """
    if isinstance(data, Tensor):
        result = data.detach().clone().to(device=device or data.device, dtype=dtype or data.dtype)
    elif STATE.recorder is not None and _holds_traced(data):
        result = _stack_numbers(data, dtype)
    else:
        result = from_host(as_numpy(data, dtype), _target(device))
    return result.requires_grad_() if requires_grad else result


def _holds_traced(data: Any) -> bool:
    if isinstance(data, (list, tuple)):
        return any(_holds_traced(d) for d in data)
    return isinstance(data, Tensor) or getattr(data, "number_dtype", None) is not None


def _stack_numbers(data: Any, dtype: DType | None) -> Tensor:
    """Nested sequences of which some elements are values of a recording."""
    if isinstance(data, (list, tuple)):
        parts = [_stack_numbers(d, dtype) for d in data]
        parts = [p.reshape(()) if isinstance(d, Tensor) and set(p.shape) == {1} else p for p, d in zip(parts, data, strict=True)]
        common = dtypes.result_type_of([(p.dtype, 2) for p in parts])
        return FUNCTIONS["stack"]([p.to(common) for p in parts])
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return full((), data, dtype=dtype)


def as_numpy(data: Any, dtype: DType | None = None) -> np.ndarray:
    """A new NumPy array with the values of `data`, in the dtype that a tensor of it has."""
    kinds: set[Any] = set()
    try:
        array = np.array(_taken_apart(data, kinds))
    except ValueError as error:
        raise ShapeError(f"tensor: the rows of the data differ in length or kind: {error}") from None
    if array.dtype == object or (array.dtype.kind in "USMmV" and dtypes.of_native(array.dtype) is None):
        raise DTypeError(f"tensor: cannot make a tensor of {array.dtype} data ({type(data).__name__}); give numbers")
    if dtype is not None:
        return array.astype(dtypes.as_dtype(dtype).numpy)
    if isinstance(data, (np.ndarray, np.generic)):
        return array.astype(array.dtype.newbyteorder("=")) if not array.dtype.isnative else array
    if array.dtype.kind in "fc":
        found = [_dtype_of_number(kind()) if kind in _NUMBERS else kind for kind in kinds or {float}]
        return array.astype(functools.reduce(dtypes.promote_types, found).numpy)
    return array


_NUMBERS = frozenset((bool, int, float, complex))


def _taken_apart(data: Any, found: set[Any]) -> Any:
    """Nested sequences with arrays where they had tensors, and numbers where those had one element, as PyTorch takes them.
    `found` gets the dtypes, and the types of numbers."""
    if isinstance(data, Tensor):
        found.add(data.dtype)
        array = dtypes.in_numpy(data.detach().cpu()._array())
        return array.reshape(()) if array.size == 1 else array
    if isinstance(data, (list, tuple)):
        kinds = set(map(type, data))
        if kinds <= _NUMBERS:
            found |= kinds
            return data
        return [_taken_apart(d, found) for d in data]
    if isinstance(data, (np.ndarray, np.generic)):
        found.add(dtypes.of_native(data.dtype) or dtypes.float64)
    elif type(data) in _NUMBERS:
        found.add(type(data))
    else:
        found.add({"f": float, "c": complex}.get(np.asarray(data).dtype.kind, int))
    return data


def as_tensor(data: Any, dtype: DType | None = None, device: Any = None) -> Tensor:
    """`data` as a tensor, sharing its memory where possible.

    A tensor stays on its device and everything else goes to the default device, unless `device` says otherwise
    (`fz.from_numpy` stays on the CPU).

    >>> import frazil as fz
    >>> fz.as_tensor([1, 2])
    tensor([1, 2])
    """
    if isinstance(data, Tensor):
        return data.to(device=device or data.device, dtype=dtype or data.dtype)
    if isinstance(data, np.ndarray) and data.dtype.kind in "biufc" and data.flags.writeable:
        shared = from_numpy(data)
        return shared.to(device=device or get_default_device(), dtype=dtype or shared.dtype)
    return tensor(data, dtype=dtype, device=device)


def asarray(
    obj: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool | None = None,
) -> Tensor:
    """`obj` as a tensor that shares its memory where it can (`copy=None`), never (True), or else it is an error (False).

    `requires_grad=False` cuts a tensor off from what it was computed of; without it, it stays as it is.

    >>> import frazil as fz, numpy as np
    >>> a = np.zeros(2, np.float32); t = fz.asarray(a); a[0] = 3; t, fz.asarray(t, copy=True) is t
    (tensor([3., 0.]), False)
    """
    found = as_tensor(obj, dtype=dtype, device=device)
    origin = obj.data_ptr() if isinstance(obj, Tensor) else obj.ctypes.data if isinstance(obj, np.ndarray) else None
    shares = found is obj or (origin is not None and found.device.type == "cpu" and found.data_ptr() == origin)
    if copy is False and not shares:
        raise ArgumentError("asarray: the memory cannot be shared with this dtype and device; leave out copy=False")
    found = found.clone() if copy and shares else found
    if requires_grad:
        return found.detach().requires_grad_() if found.grad_fn is None else found
    return found.detach() if requires_grad is False and found.requires_grad else found


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A vector of the bytes of a buffer from `offset` on, sharing its memory: `count` elements, or all (-1).

    >>> import frazil as fz
    >>> fz.frombuffer(bytearray([1, 0, 2, 0]), dtype=fz.int16)
    tensor([1, 2], dtype=frazil.int16)
    """
    try:
        array = np.frombuffer(buffer, dtypes.as_dtype(dtype).numpy, count, offset)
    except ValueError as error:
        raise ArgumentError(f"frombuffer: {error}") from error
    x = from_numpy(array if array.flags.writeable else array.copy())
    return x.requires_grad_() if requires_grad else x


class _Capsule:
    """What `to_dlpack` has made, as an object that speaks the protocol."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # kDLCPU


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor of the memory of another library's array on the CPU (https://dmlc.github.io/dlpack).

    >>> import frazil as fz, numpy as np
    >>> fz.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    array = np.from_dlpack(ext_tensor if hasattr(ext_tensor, "__dlpack__") else _Capsule(ext_tensor))
    return from_numpy(array if array.flags.writeable else array.copy())


def from_numpy(array: np.ndarray) -> Tensor:
    """A CPU tensor that shares the memory of a NumPy array.

    >>> import frazil as fz, numpy as np
    >>> a = np.zeros(2, np.float32); t = fz.from_numpy(a); a[0] = 3; t
    tensor([3., 0.])
    """
    if not isinstance(array, np.ndarray):
        raise ArgumentError(f"from_numpy: expected a NumPy array, given a {type(array).__name__}")
    if dtypes.of_native(array.dtype) is None:
        raise DTypeError(f"from_numpy: no tensor dtype for NumPy's {array.dtype}")
    t = from_host(array, device_of("cpu"))
    t._aliased = True
    return t


def legacy_tensor(cls: type[Tensor], args: tuple[Any, ...], device: Any) -> Tensor:
    """Make what `fz.Tensor(...)` means: sizes give zeros, data gives floats."""
    if len(args) == 1 and isinstance(args[0], (list, tuple, np.ndarray)) and not isinstance(args[0], Size):
        made = tensor(args[0], dtype=dtypes.get_default_dtype(), device=device)
    elif len(args) == 1 and isinstance(args[0], Tensor):
        made = args[0].detach().to(dtypes.get_default_dtype())
    else:
        made = zeros(*args) if args else zeros(0)
    return of_class(made, cls)


def of_class(t: Tensor, cls: type[Tensor]) -> Tensor:
    """The memory of a tensor as an instance of a subclass. Of one that is not frazil's own, calls are told from now on."""
    if cls is Tensor:
        return t
    if cls.__module__.partition(".")[0] != "frazil":
        importlib.import_module("frazil.overrides").notice()
    return wrap(t._a, t._dev, cls)


def rebuild(cls: type[Tensor], array: np.ndarray, device: str, requires_grad: bool) -> Tensor:
    """Make a tensor again, when it is unpickled."""
    t = from_host(array, device_of(device))
    t = of_class(t, cls)
    t._rg = requires_grad
    return t


def rebuild_meta(
    cls: type[Tensor], shape: tuple[int, ...], strides: tuple[int, ...], dtype: DType, requires_grad: bool
) -> Tensor:
    """Make a tensor without numbers again, when it is unpickled."""
    t = lie_as(zeros(shape, dtype=dtype, device="meta"), shape, strides)
    t = of_class(t, cls)
    t._rg = requires_grad
    return t


def scalar_tensor(s: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A 0-d tensor.

    >>> import frazil as fz
    >>> fz.scalar_tensor(2)
    tensor(2.)
    """
    return full((), s, dtype=dtype or dtypes.get_default_dtype(), device=device, requires_grad=requires_grad)


def numel_of(input: Tensor) -> Any:
    """Number of elements.

    >>> import frazil as fz
    >>> fz.numel(fz.zeros(2, 3))
    6
    """
    return prod(input._a.shape)


def result_type(tensor1: Any, tensor2: Any) -> DType:
    """The dtype that arithmetic on two tensors or numbers has.

    >>> import frazil as fz
    >>> fz.result_type(fz.tensor([1, 2]), 1.5)
    frazil.float32
    """
    operands = []
    for value in (tensor1, tensor2):
        if isinstance(value, Tensor):
            operands.append((value.dtype, 2 if value._a.shape else 1))
        else:
            operands.append((_dtype_of_number(value), 0))
    return dtypes.result_type_of(operands)


def is_tensor(obj: Any) -> builtins.bool:
    """Return whether `obj` is a Tensor.

    >>> import frazil as fz
    >>> fz.is_tensor(fz.zeros(1)), fz.is_tensor(1)
    (True, False)
    """
    return isinstance(obj, Tensor)
