"""Tensors by strides, sizes changed in place, and the memory of a tensor as an object of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np

from ..alias import assign, check_leaf, check_writable
from ..creation import arange, empty, from_host, from_numpy
from ..define import function
from ..dtypes import PARTS, as_dtype, get_default_dtype, uint8
from ..errors import ArgumentError, ShapeError
from ..ops.common import numel
from ..ops.complex_numbers import view_as_complex, view_as_real
from ..ops.elementwise import clone
from ..ops.indexing import index, index_put
from ..ops.inplace import take_over
from ..ops.shape import cat, expand, narrow, permute, reshape, select, unsqueeze, view
from ..state import RECORDINGS, STATE
from ..table import METHODS
from ..tensor import Tensor, int_tuple, wrap
from ..views import bump, root_of
from ..warn import warn

# ------------------------------------------------------------------------------------------------------------------- by strides


def _memory(name: str, x: Tensor) -> tuple[Tensor, int]:
    """The elements of the memory that `x` is a part of, in order and of its dtype, and where in the storage they begin."""
    root = root_of(x)[0]
    if x._rg and not root._rg:  # a leaf that is a view has its gradient; what lies around it has none
        root = x
    begin = root.storage_offset() * root.itemsize // x.itemsize
    order = sorted(range(len(root._a.shape)), key=lambda d: (-root.stride(d), root._a.shape[d] == 1))
    whole = permute(root, dims=tuple(order)) if order != sorted(order) else root
    if not whole.is_contiguous():
        raise ShapeError(
            f"{name}: the memory of this tensor ({list(x.shape)}, strides {x.stride()}) has gaps that nobody knows; call "
            ".clone() or .contiguous() first"
        )
    flat = reshape(whole, shape=(-1,)) if whole.numel() else reshape(whole, shape=(0,))
    return flat if root.dtype is x.dtype else _seen_as(flat, x.dtype), begin


def _seen_as(flat: Tensor, dtype: Any) -> Tensor:
    """A vector's memory as numbers of another dtype, by steps that have gradients where there are some."""
    if flat.dtype.is_complex and PARTS[flat.dtype] is dtype:
        return reshape(view_as_real(flat), shape=(-1,))
    if dtype.is_complex and PARTS[dtype] is flat.dtype:
        return view_as_complex(reshape(narrow(flat, 0, 0, flat.numel() // 2 * 2), shape=(-1, 2)))
    return view(flat, dtype)


def _check(name: str, size: Any, stride: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    sizes, steps = int_tuple(size, name), int_tuple(stride, name)
    if len(sizes) != len(steps):
        raise ArgumentError(f"{name}: expected a stride for every size, given size={sizes} and stride={steps}")
    if any(n < 0 for n in (*sizes, *steps)):
        raise ArgumentError(f"{name}: sizes and strides must not be negative, given size={sizes} and stride={steps}")
    return sizes, steps


def _span(sizes: tuple[int, ...], steps: tuple[int, ...]) -> int:
    """Return how many elements of memory there are from the first to the last."""
    return 0 if 0 in sizes else 1 + sum((n - 1) * s for n, s in zip(sizes, steps, strict=True))


def _as_view(flat: Tensor, sizes: tuple[int, ...], steps: tuple[int, ...], offset: int) -> Tensor | None:
    """The view by these strides, made of slices, reshapes and permutations; None where elements overlap as these cannot."""
    dims = sorted((d for d, n in enumerate(sizes) if n > 1 and steps[d]), key=lambda d: -steps[d])
    y, room = flat, flat._a.shape[0]
    for i, d in enumerate(dims):
        n, step = sizes[d], steps[d]
        rest = 1 + sum((sizes[e] - 1) * steps[e] for e in dims[i + 1 :])
        before = max(0, offset + n * step - room)  # so that the last round is whole
        if rest > step or before > min(offset, step - rest):
            return None
        y = narrow(y, -1, offset - before, n * step)
        y = reshape(y, shape=(*y._a.shape[:-1], n, step))
        room, offset = step, before
    y = select(y, -1, offset)
    order = [*dims]
    for d, n in enumerate(sizes):
        if d not in dims:
            y = unsqueeze(y, len(order))
            y = expand(y, shape=(*y._a.shape[:-1], n))
            order.append(d)
    return permute(y, dims=tuple(order.index(d) for d in range(len(sizes)))) if order != sorted(order) else y


def _places(sizes: tuple[int, ...], steps: tuple[int, ...], offset: int, device: Any) -> Tensor:
    """Where in memory every element is."""
    found = arange(1, device=device) + offset
    for n, step in zip(sizes, steps, strict=True):
        found = unsqueeze(found, -1) + arange(n, device=device) * step
    return reshape(found, shape=sizes)


def _strided(name: str, x: Tensor, size: Any, stride: Any, offset: int | None) -> tuple[Tensor, Any, Any, int]:
    sizes, steps = _check(name, size, stride)
    flat, first = _memory(name, x)
    begin = (x.storage_offset() if offset is None else offset) - first
    if begin < 0 or (0 not in sizes and begin + _span(sizes, steps) > flat._a.shape[0]):
        raise ShapeError(
            f"{name}: size={sizes}, stride={steps} and storage_offset={begin + first} go beyond the {flat._a.shape[0]} elements "
            f"of the memory{f', which begin at {first}' if first else ''}"
        )
    return flat, sizes, steps, begin


@function(methods=["as_strided"])
def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """The elements of the memory of `input` that lie `stride` apart, from `storage_offset` on (default: that of `input`).

    A view, so that writes are seen by both. Where elements overlap as windows do, it is a copy (in PyTorch a view); gradients
    add up there.

    >>> import frazil as fz
    >>> fz.as_strided(fz.arange(6), (2, 2), (3, 1), 1)
    tensor([[1, 2],
            [4, 5]])
    """
    flat, sizes, steps, begin = _strided("as_strided", input, size, stride, storage_offset)
    if 0 in sizes:
        return reshape(narrow(flat, 0, 0, 0), shape=sizes)
    view = _as_view(flat, sizes, steps, begin)
    return index(flat, [_places(sizes, steps, begin, input.device)]) if view is None else view


@function(methods=["as_strided_"], name="as_strided_")
def as_strided_(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """This tensor as another view of its memory; refused where elements overlap."""
    y = as_strided(input, size, stride, storage_offset)
    if y._base is None and y.numel():
        raise ShapeError(
            f"as_strided_: size={tuple(size)}, stride={tuple(stride)} overlap as no view does; use as_strided, a copy"
        )
    return take_over(input, y)


@function(methods=[], out=True)
def as_strided_copy(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """As `as_strided`, in memory of its own.

    >>> import frazil as fz
    >>> fz.as_strided_copy(fz.arange(3), (2, 2), (1, 1))
    tensor([[0, 1],
            [1, 2]])
    """
    return clone(as_strided(input, size, stride, storage_offset))


@function(out=True)
def as_strided_scatter(input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A copy of `input` in which what `as_strided` shows is `src`.

    >>> import frazil as fz
    >>> fz.as_strided_scatter(fz.zeros(4), fz.ones(2), (2,), (2,))
    tensor([1., 0., 1., 0.])
    """
    flat, sizes, steps, begin = _strided("as_strided_scatter", input, size, stride, storage_offset)
    if tuple(src._a.shape) != sizes:
        raise ShapeError(f"as_strided_scatter: expected src of the shape {list(sizes)}, given {list(src._a.shape)}")
    if flat.numel() != input.numel():
        flat, begin = reshape(input, shape=(-1,)), 0 if storage_offset is None else storage_offset
    places = reshape(_places(sizes, steps, begin, input.device), shape=(-1,))
    order = _order_in_memory(input)
    written = index_put(flat, (places,), reshape(src.to(flat.dtype), shape=(-1,)))
    if order == sorted(order):
        return reshape(written, shape=tuple(input._a.shape))
    as_it_lies = reshape(written, shape=tuple(input._a.shape[d] for d in order))
    return permute(as_it_lies, dims=tuple(order.index(d) for d in range(len(order))))


def _order_in_memory(x: Tensor) -> list[int]:
    return sorted(range(len(x._a.shape)), key=lambda d: (-x.stride(d), x._a.shape[d] == 1))


def _alone(x: Tensor) -> Tensor:
    """A tensor around the array of a view, that counts as no view: nobody else knows its memory."""
    return x if x._dev.recording or x._dev.depth else wrap(x._a, x._dev)


@function(methods=[])
def empty_strided(
    size: Any,
    stride: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor whose neighbours lie `stride` apart and whose values are of no interest.

    >>> import frazil as fz
    >>> fz.empty_strided((2, 3), (1, 2)).stride()
    (1, 2)
    """
    sizes, steps = _check("empty_strided", size, stride)
    room = max(1, numel(sizes), *(n * s for n, s in zip(sizes, steps, strict=True)), _span(sizes, steps))
    found = _as_view(empty(room, dtype=dtype, device=device), sizes, steps, 0) if 0 not in sizes else None
    found = empty(sizes, dtype=dtype, device=device) if found is None else _alone(found)
    return found.requires_grad_() if requires_grad else found


@function(methods=[])
def empty_permuted(
    size: Any,
    physical_layout: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor whose dimensions lie in memory in the order `physical_layout`, and whose values are of no interest.

    >>> import frazil as fz
    >>> fz.empty_permuted((2, 3), (1, 0)).stride()
    (1, 2)
    """
    sizes, order = int_tuple(size, "empty_permuted"), tuple(physical_layout)
    if sorted(order) != list(range(len(sizes))):
        raise ArgumentError(f"empty_permuted: physical_layout names every dimension of {list(sizes)} once, given {order}")
    found = empty(tuple(sizes[d] for d in order), dtype=dtype, device=device)
    found = _alone(permute(found, dims=tuple(order.index(d) for d in range(len(order))))) if sizes else found
    return found.requires_grad_() if requires_grad else found


@function(methods=["new_empty_strided"], public=False)
def new_empty_strided(
    input: Tensor,
    size: Any,
    stride: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """As `fz.empty_strided`, with the dtype and the device of this tensor."""
    return empty_strided(
        size,
        stride,
        dtype=input.dtype if dtype is None else dtype,
        device=input.device if device is None else device,
        requires_grad=requires_grad,
    )


# --------------------------------------------------------------------------------------------------------------------- in place


def _replace(name: str, x: Tensor, y: Tensor) -> Tensor:
    """Let `x` be what `y` is, of another shape, outside of autograd."""
    if x._base is not None:
        raise ShapeError(f"{name}: this tensor is a view of another, whose memory does not change its size; call .clone() first")
    if x._rg:
        raise ArgumentError(f"{name}: a tensor that requires grad keeps its size; call .detach() first")
    check_leaf(name, x)
    if RECORDINGS[0] and STATE.recorder is not None:
        STATE.recorder.adopt(x)
    x._a, x._dev = y._a, y._dev
    bump(x)
    return x


@function(methods=["resize_"], public=False, name="resize_")
def resize_(input: Tensor, *size: Any, memory_format: Any = None) -> Tensor:
    """Change the shape in place: the first elements stay, those that are new are of no interest."""
    sizes = int_tuple(size, "resize_")
    if tuple(input._a.shape) == tuple(sizes):
        return input
    flat, n, now = reshape(input.detach(), shape=(input.numel(),)), numel(sizes), input.numel()
    if n > now:
        flat = cat([flat, input.new_zeros(n - now)], dim=0)
    return _replace("resize_", input, clone(reshape(narrow(flat, 0, 0, n), shape=sizes)))


@function(methods=["resize_as_"], name="resize_as_")
def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """Change the shape in place to that of another tensor.

    >>> import frazil as fz
    >>> fz.resize_as_(fz.ones(4), fz.zeros(2)).shape
    frazil.Size([2])
    """
    return resize_(input, tuple(the_template._a.shape))


@function(methods=["set_"], public=False, name="set_")
def set_(input: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
    """Let this tensor look at the memory of another tensor, or of a storage; without one, at none."""
    if source is None:
        return _replace("set_", input, input.new_zeros(0))
    if isinstance(source, UntypedStorage):
        flat = source._flat
        size = (flat.numel(),) if size is None else size
    else:
        flat = source
    if flat.dtype is not input.dtype:
        raise ArgumentError(f"set_: the memory holds {flat.dtype.name}, this tensor {input.dtype.name}")
    if size is None:
        y = flat.detach()
    else:
        sizes = int_tuple(size, "set_")
        steps = tuple(numel(sizes[d + 1 :]) for d in range(len(sizes))) if stride is None else stride
        y = as_strided(flat.detach(), sizes, steps, storage_offset)
    if not input._dev.aliases:
        raise ArgumentError("set_: memory is shared where a device has some, not in a recording; use the source itself")
    _replace("set_", input, y)
    input._aliased = flat._aliased = True
    return input


@function(methods=["is_set_to"], public=False)
def is_set_to(input: Tensor, tensor: Tensor) -> bool:
    """Return whether both are the same part of the same memory, seen alike."""
    return (
        input.shape == tensor.shape and input.stride() == tensor.stride() and input.numel() > 0
        and input.data_ptr() == tensor.data_ptr()
    )  # fmt: skip


def _computed(name: str, x: Tensor, compute: Callable[..., Any], *others: Tensor) -> Tensor:
    check_writable(name, x)
    arrays = [t._host(f"{name}()") for t in (x, *others)]
    values = np.broadcast_arrays(*arrays)
    if values[0].shape != arrays[0].shape:
        raise ShapeError(f"{name}: {[list(a.shape) for a in arrays[1:]]} does not broadcast to {list(arrays[0].shape)}")
    found = [compute(*(v.item() for v in each)) for each in zip(*(v.reshape(-1) for v in values), strict=True)]
    assign(name, x, from_host(np.array(found, arrays[0].dtype).reshape(arrays[0].shape), x._dev))
    return x


def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replace every element by what a Python function gives for it; slow, on the host."""
    return _computed("apply_", self, callable)


def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replace every element by what a Python function gives for it and that of another tensor; slow, on the host."""
    return _computed("map_", self, callable, tensor)


def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor:
    """Replace every element by what a Python function gives for it and those of two other tensors; slow, on the host."""
    return _computed("map2_", self, callable, x, y)


METHODS.update(apply_=apply_, map_=map_, map2_=map2_)

# ------------------------------------------------------------------------------------------------------------------- the memory


class UntypedStorage:
    """The memory that a tensor is a part of, in bytes, as programs ask for it that look for tensors that share it.

    >>> import frazil as fz
    >>> x = fz.zeros(2, 3)
    >>> x.untyped_storage().nbytes(), x.untyped_storage().data_ptr() == x[0].untyped_storage().data_ptr()
    (24, True)
    """

    def __init__(self, tensor: Tensor | int = 0) -> None:
        tensor = empty(tensor, dtype=uint8) if isinstance(tensor, int) else tensor
        self._flat = _memory("untyped_storage", tensor.detach() if tensor._base is None else tensor._base.detach())[0]

    @classmethod
    def from_file(cls, filename: str, shared: bool = False, nbytes: int | None = None) -> UntypedStorage:
        """The bytes of a file (the first `nbytes`), read when they are looked at; `shared`: what is written to them goes there.

        >>> import frazil as fz, pathlib
        >>> _ = pathlib.Path("ice.bin").write_bytes(bytes([1, 2, 3, 4]))
        >>> fz.asarray(fz.UntypedStorage.from_file("ice.bin", nbytes=4)[1:3], dtype=fz.uint8)
        tensor([2, 3], dtype=frazil.uint8)
        """
        found = np.memmap(filename, np.uint8, "r+" if shared else "c", shape=None if nbytes is None else (nbytes,))
        return cls(from_numpy(found))

    def __sizeof__(self) -> int:
        """As of Python's own containers, with what they hold: programs sum up memory by `sys.getsizeof`."""
        return object.__sizeof__(self) + self.nbytes()

    def __getitem__(self, index: Any) -> Any:
        own = from_numpy(self.__array__())[index]
        if not isinstance(index, slice):
            return own.item()
        part = object.__new__(UntypedStorage)
        part._flat = own
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        found = self._flat.view(uint8).numpy()
        return found if dtype is None else found.astype(dtype)

    @property
    def device(self) -> Any:
        """The device it lies on."""
        return self._flat.device

    def data_ptr(self) -> int:
        """Its address in the memory of the CPU."""
        return self._flat.data_ptr()

    def nbytes(self) -> int:
        """Return how many bytes it has."""
        return self._flat.numel() * self._flat.itemsize

    def size(self) -> int:
        """Return how many elements it has: bytes, or those of a `TypedStorage`."""
        return self.nbytes()

    def element_size(self) -> int:
        """Bytes per element."""
        return 1

    def is_shared(self) -> bool:
        """Return whether other processes see it; never."""
        return False

    def tolist(self) -> list[Any]:
        """Its elements as Python numbers."""
        return list(self._flat.contiguous().numpy().tobytes())

    def untyped(self) -> UntypedStorage:
        """The memory in bytes."""
        return self

    def __len__(self) -> int:
        return self.size()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and (self.data_ptr(), self.nbytes()) == (other.data_ptr(), other.nbytes())

    def __hash__(self) -> int:
        return hash((self.data_ptr(), self.nbytes()))


@final
class TypedStorage(UntypedStorage):
    """The memory that a tensor is a part of, in elements; given a number, memory of so many elements."""

    def __init__(self, tensor: Tensor | int = 0, *, dtype: Any = None) -> None:
        super().__init__(empty(tensor, dtype=dtype) if isinstance(tensor, int) else tensor)

    @property
    def dtype(self) -> Any:
        """The type of its elements."""
        return self._flat.dtype

    def size(self) -> int:
        """Return how many elements it has."""
        return self._flat.numel()

    def element_size(self) -> int:
        """Bytes per element."""
        return self._flat.itemsize

    def untyped(self) -> UntypedStorage:
        """The memory in bytes."""
        return UntypedStorage(self._flat)

    def tolist(self) -> list[Any]:
        """Its elements as Python numbers."""
        return list(self._flat.tolist())

    def __getitem__(self, index: Any) -> Any:
        return self.tolist()[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        found = self._flat.numpy()
        return found if dtype is None else found.astype(dtype)

    def __iter__(self) -> Any:
        return iter(self.tolist())


def from_file(
    filename: str,
    shared: bool | None = None,
    size: int | None = 0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The first `size` elements of a file, read when they are looked at; `shared`: what is written to them goes there.

    >>> import frazil as fz, pathlib
    >>> _ = pathlib.Path("ice.bin").write_bytes(bytes([1, 2, 3, 4]))
    >>> fz.from_file("ice.bin", size=3, dtype=fz.uint8)
    tensor([1, 2, 3], dtype=frazil.uint8)
    """
    kind = as_dtype(dtype or get_default_dtype())
    found = np.memmap(filename, kind.numpy, "r+" if shared else "c", shape=(size or 0,))
    x = from_numpy(found)
    x = x if device is None else x.to(device)
    return x.requires_grad_() if requires_grad else x


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that it is a part of, in bytes."""
    return UntypedStorage(self)


def storage(self: Tensor) -> TypedStorage:
    """The memory that it is a part of, in elements."""
    return TypedStorage(self)


def is_storage(obj: Any) -> bool:
    """Return whether it is the memory of a tensor.

    >>> import frazil as fz
    >>> fz.is_storage(fz.ones(2).untyped_storage()), fz.is_storage(fz.ones(2))
    (True, False)
    """
    return isinstance(obj, (TypedStorage, UntypedStorage))


def resize(self: Tensor, *sizes: Any) -> Tensor:
    """Its elements in another shape, by an old name of `reshape`, with a warning; the number of elements must stay."""
    warn("resize: the form that is not in place is an old name of reshape")
    return reshape(self, shape=int_tuple(sizes, "resize"))


def resize_as(self: Tensor, tensor: Tensor) -> Tensor:
    """Its elements in the shape of `tensor`, by an old name of `reshape`, with a warning."""
    return resize(self, tuple(tensor._a.shape))


def dim_order(self: Tensor, ambiguity_check: Any = False) -> tuple[int, ...]:
    """The dimensions as they lie in memory, that with the largest steps first.

    Args:
        ambiguity_check: an error where several orders are right; for a list of memory formats, unless just one of them is.

    >>> import frazil as fz
    >>> fz.ones(2, 3).mT.dim_order()
    (1, 0)
    """
    steps = self.stride()
    order = sorted(range(len(steps)), key=lambda d: -steps[d])
    if ambiguity_check:
        twice = len({steps[d] for d in order}) < len(order) or 1 in self.shape
        formats = ambiguity_check if isinstance(ambiguity_check, list) else []
        if twice and sum(self.is_contiguous(memory_format=form) for form in formats) != 1:
            raise ArgumentError(f"dim_order: sizes {list(self.shape)} with strides {steps} lie so in several orders")
    return tuple(order)


METHODS.update(untyped_storage=untyped_storage, storage=storage, dim_order=dim_order)
METHODS.update(resize=resize, resize_as=resize_as, const_data_ptr=Tensor.data_ptr)
