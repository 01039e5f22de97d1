"""`fz.sparse`: matrices and tensors of which only some entries are stored, as graph networks need them.

A sparse tensor is a `Tensor` whose array are its `Entries`: dense tensors of indices and values. What is defined for it is a
composition of ops on those (gathering, adding up by index), so it has gradients, runs on every backend, and is recorded and
exported with as many entries as a run has. Its own device has no kernels: every other op refuses it by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, final

import numpy as np

from . import dtypes
from .creation import arange, as_tensor, empty, from_host, full, ones_like, zeros, zeros_of
from .dtypes import dtype as DType
from .dtypes import int64
from .entries import Entries, indices_of, permuted, places, reshaped, selected, sliced
from .errors import ArgumentError, AutogradError, DTypeError, ShapeError
from .legacy import _TensorType
from .ops.common import has_numbers
from .ops.elementwise import mul, where
from .ops.linalg import matmul
from .ops.shape import cat, stack
from .printing import sparse_text
from .sizes import checked_dim
from .state import SPARSE, STATE
from .table import FUNCTIONS, METHODS, OPS, Op
from .tensor import Tensor, int_tuple, not_sparse, sparse_coo, sparse_csr


class _Kernels:
    """In the place of kernels: there are none for entries."""

    def __getitem__(self, name: str) -> None:
        if name not in self:  # what is goes the long way, to `SparseDevice.call`
            refuse(name)

    def __contains__(self, name: object) -> bool:
        return name in _DEFINED

    def get(self, name: str, default: Any = None) -> NoReturn:
        refuse(name)


@final
class _Kind:
    """A dtype whose kind no quick path knows, so that numbers as operands reach `general_call` too."""

    kind = "sparse"

    def __init__(self, dtype: DType) -> None:
        self.dtype, self.name = dtype, f"sparse {dtype.name}"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dtype, name)


@final
class SparseDevice:
    """The device of a sparse tensor: `real` is where its entries are."""

    recording = aliases = False
    depth = 0
    kernels = _Kernels()

    def __init__(self, values: Tensor) -> None:
        self.real, self.native = values.device, {values._a.dtype: _Kind(values.dtype)}
        self.type, self.number = self.real.type, self.real.number

    def __str__(self) -> str:
        return str(self.real)

    def to_host(self, array: Entries) -> NoReturn:
        """There is no array of all elements."""
        refuse("reading all elements")

    def call(self, op: Op, tensors: Sequence[Any], attrs: dict[str, Any]) -> Any:
        """`op` with a sparse tensor among its `tensors`."""
        defined = _DEFINED.get(op.name)
        if defined is None:
            refuse(op.name)
        return defined(*tensors, **attrs)


SPARSE.append(SparseDevice)


def refuse(name: str) -> NoReturn:
    """Say that `name` is not there for sparse tensors, and what to do."""
    raise not_sparse(name)


def _refusal(name: str) -> Any:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> NoReturn:
        refuse(name)

    method.__name__, method.__doc__ = name, f"`{name}` is not defined for sparse tensors."
    return method


@final
class SparseTensor(Tensor):
    """A tensor of which only some entries are stored; the others are zeros. Made by `fz.sparse_coo_tensor` and `to_sparse`.

    >>> import frazil as fz
    >>> a = fz.tensor([[0.0, 2.0], [0.0, 0.0]]).to_sparse()
    >>> a @ fz.ones(2, 1), isinstance(a, fz.Tensor), a.is_sparse
    (tensor([[2.],
            [0.]]), True, True)
    """

    _a: Entries

    @property
    def _dev(self) -> SparseDevice:
        return SparseDevice(self._a.values)  # never the same one twice, so that `general_call` gets every call

    @property
    def layout(self) -> Any:
        """`fz.sparse_coo` or `fz.sparse_csr`."""
        return sparse_coo if self._a.crow is None else sparse_csr

    @property
    def is_sparse(self) -> bool:  # type: ignore[override]
        """Return whether it is in the coordinate format."""
        return self._a.crow is None

    @property
    def is_sparse_csr(self) -> bool:  # type: ignore[override]
        """Return whether it is in the compressed row format."""
        return self._a.crow is not None

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._a.values.dtype

    # ---------------------------------------------------------------------------------------------------------------- entries

    def _coo(self, name: str) -> Entries:
        if self._a.crow is not None:
            raise ArgumentError(f"{name}: a matrix in the layout sparse_csr has none; use x.to_sparse().{name}()")
        return self._a

    def _indices(self) -> Tensor:
        return self._coo("_indices").indices

    def _values(self) -> Tensor:
        return self._coo("_values").values

    def _nnz(self) -> Any:
        return self._a.values._a.shape[0]

    def indices(self) -> Tensor:
        """Places of the entries: [sparse dimensions, entries]."""
        return self._sorted("indices").indices

    def values(self) -> Tensor:
        """The entries: [entries, *dense dimensions]."""
        return (self._sorted("values") if self._a.crow is None else self._a).values

    def _sorted(self, name: str) -> Entries:
        if not self._coo(name).coalesced:
            raise ArgumentError(f"{name}: entries may be there twice; use x.coalesce().{name}(), or x._{name}() as they are")
        return self._a

    def crow_indices(self) -> Tensor:
        """Of a CSR matrix: where each row begins among the entries, and their number at the end."""
        if self._a.crow is None:
            raise ArgumentError("crow_indices: only a matrix in the layout sparse_csr has them; use x.to_sparse_csr()")
        return self._a.crow

    def col_indices(self) -> Tensor:
        """Of a CSR matrix: the column of every entry."""
        self.crow_indices()
        return self._a.indices[1]

    def sparse_dim(self) -> int:
        """Return how many of its dimensions have indices."""
        return self._a.sparse_dim

    def dense_dim(self) -> int:
        """Return how many dimensions every entry has."""
        return len(self._a.shape) - self.sparse_dim()

    def is_coalesced(self) -> bool:
        """Return whether its entries are known to be sorted, with no place twice."""
        return self._coo("is_coalesced").coalesced

    def coalesce(self) -> SparseTensor:
        """The same with sorted entries, where those of one place are added up."""
        e = self._coo("coalesce")
        if e.coalesced:
            return self
        if e.indices._dev.recording:
            e.indices._dev.recorder.fail(
                "coalesce: how many places there are is known only when the program runs. Where none is there twice and they are "
                "sorted, say so: fz.sparse_coo_tensor(..., is_coalesced=True)"
            )
        each, where = FUNCTIONS["unique"](places(e, range(e.sparse_dim)), return_inverse=True)
        values = zeros_of(e.values, (each.shape[0], *e.values.shape[1:])).index_add(0, where, e.values)
        return _made(Entries(e.shape, indices_of(each, e.shape[: e.sparse_dim]), values, True))

    def _with(self, values: Tensor) -> SparseTensor:
        """Other values in the same places."""
        return _made(self._a._replace(values=values, leaf=False))

    # ------------------------------------------------------------------------------------------------------------ other forms

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """A dense tensor with the same elements."""
        e, n = self._a, self.sparse_dim()
        values = e.values if dtype is None else e.values.to(dtype)
        flat = zeros_of(values, (math.prod(e.shape[:n]), *e.shape[n:]))
        return flat.index_add(0, places(e, range(n)), values).reshape(e.shape)

    def to_sparse(self, sparse_dim: int | None = None, *, layout: Any = None) -> SparseTensor:
        """The same in the coordinate format, or in `layout`."""
        if layout == sparse_csr:
            return self.to_sparse_csr()
        if sparse_dim not in (None, self.sparse_dim()):
            raise ArgumentError(f"to_sparse: it has {self.sparse_dim()} sparse dimensions, not {sparse_dim}; use x.to_dense()")
        return self if self._a.crow is None else _made(self._a._replace(crow=None))

    to_sparse_coo = to_sparse

    def to_sparse_csr(self, dense_dim: int | None = None) -> SparseTensor:
        """The same matrix in the compressed row format."""
        if self._a.crow is not None:
            return self
        _check_matrix("to_sparse_csr", self)
        e = self.coalesce()._a
        starts = arange(e.shape[0] + 1, device=e.indices.device)
        return _made(e._replace(crow=FUNCTIONS["searchsorted"](e.indices[0].contiguous(), starts)))

    def to(self, *args: Any, **kwargs: Any) -> SparseTensor:
        """With another dtype or device; itself when nothing changes."""
        values = self._a.values.to(*args, **kwargs)
        if values is self._a.values:
            return self
        crow = None if self._a.crow is None else self._a.crow.to(values.device)
        return _made(self._a._replace(values=values, indices=self._a.indices.to(values.device), crow=crow, leaf=False))

    def clone(self, *, memory_format: Any = None) -> SparseTensor:
        """A copy."""
        return self._with(self._a.values.clone())

    def sum(self, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:  # type: ignore[override]
        """`fz.sparse.sum` of it."""
        found = sum(self, dim, dtype)
        if not keepdim:
            return found
        gone = (
            range(self.ndim)
            if dim is None
            else [checked_dim("sum", d, self.ndim) for d in ([dim] if isinstance(dim, int) else dim)]
        )
        return found.reshape([1 if d in gone else n for d, n in enumerate(self.shape)])

    def index_select(self, dim: int, index: Tensor) -> SparseTensor:  # type: ignore[override]
        """The slices at these positions of a dimension that has indices."""
        e, d = self._coo("index_select"), checked_dim("index_select", dim, self.ndim)
        if d >= self.sparse_dim():
            raise ArgumentError(f"index_select: dimension {dim} has no indices; use x.to_dense()")
        index = index.reshape(-1)
        entry, place = (e.indices[d].unsqueeze(1) == index).nonzero().unbind(1)
        indices = cat([e.indices[:d, entry], place.unsqueeze(0), e.indices[d + 1 :, entry]])
        return _made(Entries((*e.shape[:d], index.shape[0], *e.shape[d + 1 :]), indices, e.values[entry]))

    def item(self) -> Any:
        """The only element, as a number of Python."""
        return self.to_dense().item()

    def stride(self, dim: int | None = None) -> Any:
        """Zeros: there is no memory of all elements."""
        return (0,) * self.ndim if dim is None else 0

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Return False: there is no memory of all elements."""
        return False

    def new_empty(self, *sizes: Any, size: Any = None, **options: Any) -> Tensor:
        """A sparse tensor without entries."""
        given = {name: value for name, value in options.items() if value is not None}
        made: Tensor = sparse_coo_tensor(
            size=int_tuple(sizes if size is None else size), **{"dtype": self.dtype, "device": self.device, **given}
        )
        return made

    new_zeros = new_empty

    def new_tensor(self, data: Any, **options: Any) -> Tensor:
        """A dense tensor of `data` with the dtype and the device of this one."""
        return self._a.values.new_tensor(data, **options)

    # --------------------------------------------------------------------------------------------------------------- in place

    def _become(self, name: str, other: Tensor) -> SparseTensor:
        if self._a.leaf and self.requires_grad and STATE.grad:
            raise AutogradError(f"{name}: a leaf that requires grad cannot be changed in place; use fz.no_grad()")
        if other.dtype is not self.dtype:
            raise DTypeError(f"{name}: the result is {other.dtype.name}, which a sparse {self.dtype.name} tensor cannot hold")
        assert isinstance(other, SparseTensor)
        self._a = other._a._replace(leaf=self._a.leaf)
        return self

    def zero_(self) -> SparseTensor:
        """Take all entries out."""
        return self._become("zero_", self.new_zeros(*self.shape))

    def copy_(self, src: Tensor, non_blocking: bool = False) -> SparseTensor:
        """Take the entries of another sparse tensor, and its shape."""
        return self._become("copy_", _sparse("copy_", src).to(self.device, self.dtype).clone())

    def resize_as_(self, the_template: Tensor, *, memory_format: Any = None) -> SparseTensor:
        """Change the sizes to those of another sparse tensor, as `sparse_resize_`."""
        other = _sparse("resize_as_", the_template)
        return self.sparse_resize_(other.shape, other.sparse_dim(), other.dense_dim())

    def detach_(self) -> SparseTensor:
        """Cut the entries off the graph."""
        self._a = self._a._replace(values=self._a.values.detach(), leaf=False)
        return self

    def sparse_resize_(self, size: Sequence[int], sparse_dim: int, dense_dim: int) -> SparseTensor:
        """Change the sizes, where there are entries to larger ones, or those that have none."""
        e = self._coo("sparse_resize_")
        if (sparse_dim, dense_dim) != (self.sparse_dim(), self.dense_dim()) and not self._nnz():
            return self.sparse_resize_and_clear_(size, sparse_dim, dense_dim)
        kept = len(size) == len(e.shape) and tuple(size[sparse_dim:]) == e.shape[sparse_dim:]
        if self._nnz() and not (kept and all(n >= m for n, m in zip(size, e.shape, strict=True))):
            raise ArgumentError(
                f"sparse_resize_: shape {list(e.shape)} with entries cannot become {list(size)} with {sparse_dim} sparse "
                "dimensions; sparse_resize_and_clear_ takes the entries out"
            )
        return self._become("sparse_resize_", _made(e._replace(shape=tuple(size))))

    def sparse_resize_and_clear_(self, size: Sequence[int], sparse_dim: int, dense_dim: int) -> SparseTensor:
        """Take all entries out, and change the sizes."""
        e = self._coo("sparse_resize_and_clear_")
        if len(size) != sparse_dim + dense_dim:
            raise ArgumentError(f"sparse_resize_and_clear_: {list(size)} are not {sparse_dim} and {dense_dim} sizes")
        empty = Entries(tuple(size), zeros_of(e.indices, (sparse_dim, 0)), zeros_of(e.values, (0, *size[sparse_dim:])), True)
        return self._become("sparse_resize_and_clear_", _made(empty))

    # --------------------------------------------------------------------------------------------------------------- autograd

    @property
    def requires_grad(self) -> bool:
        """Return whether gradients are recorded for its values."""
        return self._a.values.requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> SparseTensor:
        """Record gradients for the values of this leaf, or stop it."""
        if not self.is_leaf:
            if not requires_grad:
                raise AutogradError("requires_grad: only leaf tensors can be switched off; use .detach()")
        elif requires_grad != self.requires_grad:
            self._a = self._a._replace(values=self._a.values.detach().requires_grad_(requires_grad), leaf=True)
        return self

    @property
    def is_leaf(self) -> bool:
        """Return whether no recorded operation made it."""
        return self._a.leaf or not self.requires_grad

    @property
    def grad_fn(self) -> Any:
        """The tape node that made its values; None for leaves."""
        return self._a.values.grad_fn

    @property
    def grad(self) -> SparseTensor | None:
        """The gradient of a leaf: a sparse tensor with entries in the same places."""
        g = self._a.values.grad if self._a.leaf else None
        if g is None or self._a.coalesced:
            return None if g is None else self._with(g)
        found, times = self._with(g).coalesce(), self._with(ones_like(g)).coalesce()
        return found._with(found._a.values / times._a.values)  # of a place that is there twice, both have its gradient

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            raise ArgumentError("grad: the gradient of a sparse tensor can only be set to None")
        self._a.values.grad = None

    def detach(self) -> SparseTensor:
        """The same entries, cut off the graph."""
        return self._with(self._a.values.detach())

    @property
    def data(self) -> Tensor:
        """The same entries outside of autograd."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> NoReturn:
        refuse("data")

    # -------------------------------------------------------------------------------------------------------- text and copies

    def __repr__(self) -> str:
        return sparse_text(self)

    _repr_html_ = None  # type: ignore[assignment]

    def __deepcopy__(self, memo: dict[int, Any]) -> SparseTensor:
        if not self.is_leaf:
            raise AutogradError("deepcopy: only leaf tensors can be deep-copied; use .detach().clone()")
        if id(self) not in memo:
            copy = self.detach().clone()
            memo[id(self)] = copy.requires_grad_() if self.requires_grad else copy
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuilt, (tuple(self._a._replace(values=self._a.values.detach())), self.requires_grad)


#: Operations that make 0 of 0.
_KEEP_ZERO = (
    "abs sqrt square sin tan sinh tanh asin atan asinh atanh expm1 log1p ceil floor trunc sign sgn relu erf frac isnan isinf "
    "nan_to_num"
).split()
#: Methods of dense tensors that sparse ones have: what `_DEFINED` says of ops, conversions, and what looks at the shape only.
_SHARED = (
    "add subtract sub mul multiply div divide true_divide matmul mm mv addmm __add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ "
    "__truediv__ __matmul__ __rmatmul__ half float double int long short bool cfloat cdouble neg __neg__ negative positive "
    "pow __pow__ floor_divide __floordiv__ norm any deg2rad rad2deg conj is_same_size bmm "
    "t transpose swapaxes swapdims permute adjoint movedim moveaxis unsqueeze squeeze flatten unflatten reshape view "
    "select unbind narrow narrow_copy split chunk __getitem__ __iter__"
).split()
_REFUSED = (
    "numpy tolist __contains__ __array__ __dlpack__ contiguous data_ptr "
    "storage_offset backward retain_grad register_hook register_post_accumulate_grad_hook share_memory_"
).split()
#: Methods that have a form in place.
_IN_PLACE = [*_KEEP_ZERO, *"add sub subtract mul multiply div divide true_divide floor_divide neg negative pow".split()]


def _in_place(name: str, method: str) -> Any:
    def call(self: SparseTensor, *args: Any, **kwargs: Any) -> SparseTensor:
        return self._become(name, getattr(self, method)(*args, **kwargs))

    call.__name__, call.__doc__ = name, f"`{method}`, in place."
    return call


for _name in _IN_PLACE:
    setattr(SparseTensor, f"{_name}_", _in_place(f"{_name}_", _name))
for _name, _operator in (("add", "__iadd__"), ("sub", "__isub__"), ("mul", "__imul__"), ("div", "__itruediv__")):
    setattr(SparseTensor, _operator, _in_place(f"{_name}_", _name))
for _name in [*_REFUSED, *METHODS]:
    if _name not in vars(SparseTensor) and _name not in (*_SHARED, *_KEEP_ZERO):
        setattr(SparseTensor, _name, _refusal(_name))


def _rebuilt(entries: tuple[Any, ...], requires_grad: bool) -> SparseTensor:
    made = _made(Entries(*entries))
    return made.requires_grad_() if requires_grad else made


def _made(entries: Entries) -> SparseTensor:
    made: SparseTensor = object.__new__(SparseTensor)
    made._a = entries
    return made


def _check_matrix(name: str, x: SparseTensor) -> None:
    if len(x._a.shape) != 2 or x.sparse_dim() != 2:
        raise ShapeError(
            f"{name}: expected a sparse matrix, given shape {list(x._a.shape)} with {x.sparse_dim()} sparse dimensions"
        )


def _check_inside(name: str, indices: Tensor, shape: Sequence[Any]) -> None:
    """Refuse indices outside of `shape`, where their numbers are known."""
    if not has_numbers(indices) or 0 in indices._a.shape:
        return
    array = indices._dev.to_host(indices._a)
    for d, (row, size) in enumerate(zip(array, shape, strict=True)):
        if isinstance(size, int) and not 0 <= row.min() <= row.max() < size:
            raise ShapeError(f"{name}: indices of dimension {d} are from {row.min()} to {row.max()}, but its size is {size}")


# -------------------------------------------------------------------------------------------------------------------- creation


def sparse_coo_tensor(
    indices: Any = None,
    values: Any = None,
    size: Any = None,
    *,
    dtype: DType | None = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> Tensor:
    """A sparse tensor in the coordinate format: `indices` [sparse dimensions, entries], `values` [entries, *dense dimensions].

    Without a size it is the smallest one that holds all entries. Gradients flow to `values`, or with `requires_grad` end here.

    >>> import frazil as fz
    >>> a = fz.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3))
    >>> a
    tensor(indices=tensor([[0, 1, 1],
                           [2, 0, 2]]),
           values=tensor([3., 4., 5.]),
           size=(2, 3), nnz=3, layout=frazil.sparse_coo)
    >>> a.to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 5.]])
    """
    if values is None:  # nothing but a size
        shape = tuple(indices if size is None else size)
        indices, values = zeros(len(shape), 0, dtype=int64, device=device), empty(0, dtype=dtype, device=device)
    else:
        values = _as_values(values, dtype, device)
        indices = as_tensor(indices, device=values.device)
        if indices.dtype.kind not in "iu" and 0 not in indices._a.shape:
            raise DTypeError(f"sparse_coo_tensor: indices are integers, given {indices.dtype.name}")
        indices = indices.to(int64)
        if indices.ndim != 2 or values.ndim < 1 or indices.shape[1] != values.shape[0]:
            raise ShapeError(
                "sparse_coo_tensor: indices are [sparse dimensions, entries] and values [entries, ...], given "
                f"{list(indices.shape)} and {list(values.shape)}"
            )
        shape = _size_of(indices, values) if size is None else tuple(size)
        if len(shape) != indices.shape[0] + values.ndim - 1 or shape[indices.shape[0] :] != tuple(values.shape[1:]):
            raise ShapeError(
                f"sparse_coo_tensor: a size of {list(shape)} does not fit indices {list(indices.shape)} and values "
                f"{list(values.shape)}"
            )
        _check_inside("sparse_coo_tensor", indices, shape[: indices.shape[0]])
    return _given(Entries(shape, indices, values, bool(is_coalesced)), requires_grad)


def sparse_csr_tensor(
    crow_indices: Any,
    col_indices: Any,
    values: Any,
    size: Any = None,
    *,
    dtype: DType | None = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
) -> Tensor:
    """A sparse matrix in the compressed row format: row `i` has those from `crow_indices[i]` to `crow_indices[i + 1]`.

    >>> import frazil as fz
    >>> fz.sparse_csr_tensor([0, 1, 3], [2, 0, 2], [3.0, 4.0, 5.0]).to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 5.]])
    """
    values = _as_values(values, dtype, device)
    crow, columns = (as_tensor(t, device=values.device).to(int64) for t in (crow_indices, col_indices))
    if crow.ndim != 1 or columns.ndim != 1 or values.ndim != 1 or columns.shape != values.shape or crow.shape[0] == 0:
        raise ShapeError(
            "sparse_csr_tensor: expected crow_indices [rows + 1], col_indices [entries] and values [entries], given "
            f"{list(crow.shape)}, {list(columns.shape)} and {list(values.shape)}"
        )
    rows = crow.shape[0] - 1
    if has_numbers(crow):
        array = crow._dev.to_host(crow._a)
        if array[0] != 0 or array[-1] != values.shape[0] or (np.diff(array) < 0).any():
            raise ArgumentError(
                f"sparse_csr_tensor: crow_indices begin with 0, never fall, and end with the number of entries, which is "
                f"{values.shape[0]}; given {array.tolist()}"
            )
    shape = (rows, _size_of(columns.unsqueeze(0), values)[0]) if size is None else tuple(size)
    if len(shape) != 2 or shape[0] != rows:
        raise ShapeError(f"sparse_csr_tensor: a size of {list(shape)} does not fit crow_indices of {rows} rows")
    _check_inside("sparse_csr_tensor", columns.unsqueeze(0), shape[1:])
    row = FUNCTIONS["searchsorted"](crow, arange(values.shape[0], device=crow.device), right=True) - 1
    return _given(Entries(shape, stack([row, columns]), values, True, crow), requires_grad)


def _as_values(values: Any, dtype: DType | None, device: Any) -> Tensor:
    values = as_tensor(values, dtype=dtype, device=device)
    return refuse("values") if isinstance(values, SparseTensor) else values


def _given(e: Entries, requires_grad: bool) -> SparseTensor:
    """A sparse tensor around values of the caller's: a leaf has its own ones, any other a place of its own on the tape."""
    if requires_grad:
        return _made(e._replace(values=e.values.detach())).requires_grad_()
    return _made(e._replace(values=e.values.view_as(e.values)) if e.values._rg else e)


def _size_of(indices: Tensor, values: Tensor) -> tuple[Any, ...]:
    if indices._dev.recording or 0 in indices._a.shape:
        why = "the indices are known only when the program runs" if indices._dev.recording else "there are no entries"
        raise ArgumentError(f"sparse tensors: give size=, for {why}")
    return (*(int(row.max()) + 1 for row in indices._dev.to_host(indices._a)), *values.shape[1:])


def from_dense(x: Tensor, sparse_dim: int | None = None, layout: Any = None) -> SparseTensor:
    """The elements of a dense tensor that are not zero: what `x.to_sparse()` gives.

    >>> import frazil as fz
    >>> fz.eye(2).to_sparse().indices()
    tensor([[0, 1],
            [0, 1]])
    """
    n = x.ndim if sparse_dim is None else sparse_dim
    if not 0 < n <= x.ndim:
        raise ArgumentError(f"to_sparse: expected from 1 to {x.ndim} sparse dimensions for shape {list(x.shape)}, given {n}")
    nonzero = x.detach() != 0
    indices = (nonzero if n == x.ndim else nonzero.flatten(n).any(-1)).nonzero().t()
    made = _made(Entries(tuple(x.shape), indices, x[tuple(indices)], True))
    return made.to_sparse_csr() if layout == sparse_csr else made


# ------------------------------------------------------------------------------------------------------------------ operations


#: `reduce` of `mm` -> what `scatter_reduce` calls it.
_REDUCES = {"sum": "sum", "mean": "mean", "amax": "amax", "amin": "amin", "max": "amax", "min": "amin"}


def mm(mat1: Tensor, mat2: Tensor, reduce: str = "sum") -> Tensor:
    """The product of two matrices, of which one is sparse, or both; then so is the product.

    Args:
        reduce: what becomes of the products of a sparse row and a column: their "sum", "mean", "amax" or "amin", over those
            that are stored. All but the sum take a sparse and a dense matrix.

    >>> import frazil as fz
    >>> a = fz.sparse_coo_tensor([[0, 1], [1, 1]], [2.0, 3.0], (2, 2))
    >>> fz.sparse.mm(a, fz.tensor([[1.0], [10.0]]))
    tensor([[20.],
            [30.]])
    """
    if not isinstance(mat1, SparseTensor) and not isinstance(mat2, SparseTensor):
        return matmul(mat1, mat2)
    if reduce not in _REDUCES:
        raise ArgumentError(f"mm: reduce is one of {', '.join(_REDUCES)}, given {reduce!r}")
    if reduce != "sum" and (not isinstance(mat1, SparseTensor) or isinstance(mat2, SparseTensor)):
        raise ArgumentError(f"mm: reduce={reduce!r} takes a sparse matrix and a dense one")
    for m in (mat1, mat2):
        if isinstance(m, SparseTensor):
            _check_matrix("mm", m)
    if mat1.ndim != 2 or mat2.ndim != 2 or mat1.shape[1] != mat2.shape[0]:
        raise ShapeError(f"mm: {list(mat1.shape)} and {list(mat2.shape)} cannot be multiplied")
    if mat1.dtype is not mat2.dtype:
        raise DTypeError(f"mm: the matrices are {mat1.dtype.name} and {mat2.dtype.name}. Convert one with .to(dtype)")
    if not isinstance(mat1, SparseTensor):
        return mm(mat2.t(), mat1.t()).t()
    e = mat1._a
    if isinstance(mat2, SparseTensor):
        return _product(mat1, mat2)
    picked = mul(mat2.index_select(0, e.indices[1]), e.values.unsqueeze(1))
    found = zeros_of(picked, (e.shape[0], mat2.shape[1]))
    if reduce == "sum":
        return found.index_add(0, e.indices[0], picked)
    rows = e.indices[0].unsqueeze(1).expand(*picked.shape)
    return found.scatter_reduce(0, rows, picked, _REDUCES[reduce], include_self=False)


def _product(a: SparseTensor, b: SparseTensor) -> SparseTensor:
    """Every entry of `a` times every entry of the row of `b` that is its column."""
    left, right = a._a, b.to_sparse_csr()._a
    starts: Any = right.crow
    first = starts[left.indices[1]]
    counts = starts[left.indices[1] + 1] - first
    mine = arange(counts.shape[0], device=counts.device).repeat_interleave(counts)
    theirs = arange(mine.shape[0], device=counts.device) - (counts.cumsum(0) - counts - first)[mine]
    indices = stack([left.indices[0][mine], right.indices[1][theirs]])
    made = _made(Entries((left.shape[0], right.shape[1]), indices, left.values[mine] * right.values[theirs])).coalesce()
    return made if left.crow is None else made.to_sparse_csr()


def spmm(mat1: Tensor, mat2: Tensor) -> Tensor:
    """The older name of `fz.sparse.mm`.

    >>> import frazil as fz
    >>> fz.spmm(fz.eye(2).to_sparse(), fz.ones(2, 1))
    tensor([[1.],
            [1.]])
    """
    return mm(mat1, mat2)


def hspmm(mat1: Tensor, mat2: Tensor) -> Tensor:
    """The product of a sparse matrix with a dense one, sparse: its entries are rows, those that `mat1` has entries in.

    >>> import frazil as fz
    >>> fz.hspmm(fz.sparse_coo_tensor([[1], [0]], [2.0], (3, 2)), fz.ones(2, 2)).values()
    tensor([[2., 2.]])
    """
    x = _sparse("hspmm", mat1)
    rows = x._a.indices[0].unique()
    product = mm(x, mat2)
    return _made(Entries(tuple(product.shape), rows[None], product.index_select(0, rows), True))


def smm(input: Tensor, mat: Tensor) -> Tensor:
    """As `hspmm`, with numbers as entries.

    >>> import frazil as fz
    >>> fz.smm(fz.sparse_coo_tensor([[1], [0]], [2.0], (3, 2)), fz.ones(2, 2)).indices()
    tensor([[1, 1],
            [0, 1]])
    """
    e = hspmm(input, mat)._a
    rows, columns = e.values.shape
    every = arange(columns, device=e.indices.device).repeat(rows)
    indices = stack([e.indices[0].repeat_interleave(columns), every])
    return _made(Entries(e.shape, indices, e.values.flatten(), True))


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1.0, alpha: Any = 1.0) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2), with a sparse `mat1`.

    >>> import frazil as fz
    >>> fz.sparse.addmm(fz.ones(2, 1), fz.eye(2).to_sparse(), fz.ones(2, 1), alpha=2)
    tensor([[3.],
            [3.]])
    """
    return beta * input + alpha * mm(mat1, mat2)


def sampled_addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1.0, alpha: Any = 1.0) -> Tensor:
    """alpha * (mat1 @ mat2) + beta * input where `input`, a sparse matrix in rows, has entries; the rest is not computed.

    >>> import frazil as fz
    >>> x = fz.eye(2).to_sparse_csr()
    >>> fz.sparse.sampled_addmm(x, fz.ones(2, 3), fz.ones(3, 2)).values()
    tensor([4., 4.])
    """
    if not isinstance(input, SparseTensor) or input._a.crow is None:
        raise ArgumentError("sampled_addmm: expected a matrix in the format of rows; use x.to_sparse_csr()")
    e = input._a
    if mat1.ndim != 2 or mat2.ndim != 2 or mat1.shape[1] != mat2.shape[0] or e.shape != (mat1.shape[0], mat2.shape[1]):
        raise ShapeError(f"sampled_addmm: {list(mat1.shape)} times {list(mat2.shape)} does not fit entries of {list(e.shape)}")
    rows, columns = e.indices
    product = mul(mat1.index_select(0, rows), mat2.t().index_select(0, columns)).sum(1)
    return input._with(alpha * product + beta * e.values)


def sum(input: Tensor, dim: Any = None, dtype: DType | None = None) -> Tensor:
    """The sum of all elements, or over some dimensions: sparse, unless all sparse ones are among them.

    >>> import frazil as fz
    >>> a = fz.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3))
    >>> fz.sparse.sum(a), fz.sparse.sum(a, 0).to_dense()
    (tensor(12.), tensor([4., 0., 8.]))
    """
    x = _sparse("sum", input)
    e, n = x._a, x.sparse_dim()
    if dim is None:
        return e.values.sum(dtype=dtype)
    given = dim if isinstance(dim, (tuple, list)) else (dim,)
    dims = {checked_dim("sum", d, len(e.shape)) for d in given}
    inner = tuple(d - n + 1 for d in dims if d >= n)
    values = e.values.sum(inner, dtype=dtype) if inner else e.values if dtype is None else e.values.to(dtype)
    kept = [d for d in range(n) if d not in dims]
    if not kept:
        return values.sum(0)
    shape = tuple(size for d, size in enumerate(e.shape) if d not in dims)
    indices = e.indices if len(kept) == n else stack([e.indices[d] for d in kept])
    made = _made(Entries(shape, indices, values, e.coalesced and len(kept) == n))
    return made.coalesce()


def softmax(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Softmax along `dim` of the entries that are stored, as if the others were minus infinity.

    >>> import frazil as fz
    >>> a = fz.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 4.0], (2, 3))
    >>> fz.sparse.softmax(a, 1).values()
    tensor([1.0000, 0.5000, 0.5000])
    """
    made, shifted, total, group = _exponents("softmax", input, dim, dtype)
    return made._with(shifted.exp() / total.index_select(0, group))


def log_softmax(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """The logarithm of `fz.sparse.softmax`.

    >>> import frazil as fz
    >>> a = fz.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 4.0], (2, 3))
    >>> fz.sparse.log_softmax(a, 1).values()
    tensor([ 0.0000, -0.6931, -0.6931])
    """
    made, shifted, total, group = _exponents("log_softmax", input, dim, dtype)
    return made._with(shifted - total.log().index_select(0, group))


def _exponents(name: str, input: Tensor, dim: int, dtype: DType | None) -> tuple[SparseTensor, Tensor, Tensor, Tensor]:
    """Entries less the largest of their group, the sums of their exponentials, and the group of each."""
    x = _sparse(name, input).coalesce()
    e, n = x._a, x.sparse_dim()
    d = checked_dim(name, dim, len(e.shape))
    if d >= n or len(e.shape) > n:
        raise ArgumentError(f"{name}: only of sparse dimensions, without dense ones; use x.to_dense()")
    others = [k for k in range(n) if k != d]
    group, groups = places(e, others), math.prod(e.shape[k] for k in others)
    values = e.values if dtype is None else e.values.to(dtype)
    still = values.detach()
    top = full((groups,), -math.inf, dtype=values.dtype, device=values.device).scatter_reduce(0, group, still, "amax")
    shifted = values - top.index_select(0, group)
    return x, shifted, zeros_of(values, (groups,)).index_add(0, group, shifted.exp()), group


def _sparse(name: str, x: Any) -> SparseTensor:
    if not isinstance(x, SparseTensor) or x._a.crow is not None:
        raise ArgumentError(f"{name}: expected a sparse tensor in the coordinate format; use x.to_sparse()")
    return x


# ------------------------------------------------------------------------------------- ops of the table with sparse arguments


def _matmul(a: Any, b: Any) -> Tensor:
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        raise ArgumentError("matmul: expected two tensors, given a sparse tensor and a number; use * for numbers")
    if isinstance(a, SparseTensor) and a.ndim == 3 and not isinstance(b, SparseTensor):
        return _of_matrices(a, b)
    if b.ndim == 1:
        return mm(a, b.unsqueeze(1)).squeeze(1)
    return mm(a.unsqueeze(0), b).squeeze(0) if a.ndim == 1 else mm(a, b)


def _of_matrices(a: SparseTensor, b: Tensor) -> Tensor:
    """The products of a batch of sparse matrices and dense ones: that of two large matrices, one of which has those as blocks."""
    e, (batch, n, k) = a._a, a.shape
    if e.sparse_dim != 3 or b.ndim != 3 or b.shape[:2] != (batch, k):
        raise ShapeError(f"bmm: expected [b, n, k] and [b, k, m], given {list(a.shape)} and {list(b.shape)}")
    blocks = stack([e.indices[0] * n + e.indices[1], e.indices[0] * k + e.indices[2]])
    product = mm(_made(Entries((batch * n, batch * k), blocks, e.values)), b.reshape(batch * k, -1))
    return product.reshape(batch, n, -1)


def _linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    if isinstance(x, SparseTensor) or not isinstance(weight, SparseTensor):
        raise ArgumentError("linear: a sparse weight multiplies dense rows; of sparse rows use x @ weight.t()")
    rows = mm(weight, x.reshape(-1, x.shape[-1]).t()).t().reshape(*x.shape[:-1], weight.shape[0])
    return rows if bias is None else rows + bias


def _add(a: Any, b: Any) -> Tensor:
    if not isinstance(b, SparseTensor) or not isinstance(a, Tensor):
        raise ArgumentError("add: of a sparse tensor and a dense one or a number is dense; use x.to_dense()")
    if a.shape != b.shape:
        raise ShapeError(f"add: the shapes of sparse tensors are the same, given {list(a.shape)} and {list(b.shape)}")
    if not isinstance(a, SparseTensor):
        return a + b.to_dense()
    left, right = a._a, b._a
    if a.sparse_dim() != b.sparse_dim() or a.layout != b.layout:
        raise ArgumentError("add: the sparse tensors differ in layout or in sparse dimensions; convert one with to_sparse()")
    made = _made(Entries(left.shape, cat([left.indices, right.indices], 1), cat([left.values, right.values])))
    if left.crow is not None:
        return made.to_sparse_csr()
    return made.coalesce() if left.coalesced and right.coalesced else made


def _sub(a: Any, b: Any) -> Tensor:
    return _add(a, -b)


def _mul(a: Any, b: Any) -> Tensor:
    if not isinstance(a, SparseTensor):
        a, b = b, a
    if isinstance(b, SparseTensor):
        return _common(a, b)
    if not isinstance(b, Tensor) or not b.ndim:
        return a._with(a._a.values * b)
    e, n = a._a, a.sparse_dim()
    return a._with(e.values * b.expand(e.shape)[tuple(e.indices[d] for d in range(n))])


def _common(a: SparseTensor, b: SparseTensor) -> SparseTensor:
    """The product of two sparse tensors: entries where both have one."""
    if a.shape != b.shape or a.sparse_dim() != b.sparse_dim():
        raise ShapeError(f"mul: the shapes of sparse tensors are the same, given {list(a.shape)} and {list(b.shape)}")
    left, right = a.to_sparse().coalesce()._a, b.to_sparse().coalesce()._a
    mine, theirs = places(left, range(a.sparse_dim())), places(right, range(b.sparse_dim()))
    if not theirs.shape[0]:
        return _made(right)
    at = FUNCTIONS["searchsorted"](theirs, mine).clamp(max=theirs.shape[0] - 1)
    both = theirs[at] == mine
    found = _made(Entries(left.shape, left.indices[:, both], left.values[both] * right.values[at[both]], True))
    return found if a._a.crow is None else found.to_sparse_csr()


def _of_entries(name: str) -> Callable[..., SparseTensor]:
    """A function that makes 0 of 0, of every entry."""

    def call(x: SparseTensor, **options: Any) -> SparseTensor:
        x = x if x._a.crow is not None else x.coalesce()
        return x._with(OPS[name].call(x._a.values, **options))

    return call


def _cat(*parts: Any, dim: int = 0) -> SparseTensor:
    entries = [_sparse("cat", part)._a for part in parts]
    first, n = entries[0], parts[0].sparse_dim()
    d = checked_dim("cat", dim, len(first.shape))
    if d >= n or any(part.sparse_dim() != n for part in parts):
        raise ArgumentError("cat: sparse tensors are joined along a dimension that has indices in all of them; use x.to_dense()")
    rest = [e.shape[:d] + e.shape[d + 1 :] for e in entries]
    if any(shape != rest[0] for shape in rest):
        raise ShapeError(f"cat: sizes differ besides dimension {dim}: {[list(e.shape) for e in entries]}")
    begin, indices = 0, []
    for e in entries:
        indices.append(cat([e.indices[:d], e.indices[d : d + 1] + begin, e.indices[d + 1 :]]))
        begin = begin + e.shape[d]
    shape = (*first.shape[:d], begin, *first.shape[d + 1 :])
    return _made(Entries(shape, cat(indices, 1), cat([e.values for e in entries])))


def masked(x: Tensor, mask: Tensor) -> SparseTensor:
    """`x.sparse_mask(mask)`: the elements of `x` in the places where a sparse tensor has entries."""
    if x.shape != mask.shape:
        raise ShapeError(f"sparse_mask: the shapes are the same, given {list(x.shape)} and {list(mask.shape)}")
    there = _sparse("sparse_mask", mask).coalesce()
    dense = x.to_dense()
    return there._with(dense[tuple(there._a.indices[d] for d in range(there.sparse_dim()))])


def _div(a: Any, b: Any) -> Tensor:
    if not isinstance(a, SparseTensor) or (isinstance(b, Tensor) and (b.ndim or isinstance(b, SparseTensor))):
        raise ArgumentError("div: a sparse tensor can be divided by a number only; for others use x.to_dense()")
    return a._with(a._a.values / b)


def _floor_divide(a: Any, b: Any) -> Tensor:
    if isinstance(b, Tensor) or not b:
        raise ArgumentError("floor_divide: a sparse tensor can be divided by a number other than 0 only; use x.to_dense()")
    a = a.coalesce()
    return a._with(a._a.values // b)


def _power(a: Any, b: Any) -> Tensor:
    if not isinstance(a, SparseTensor) or isinstance(b, Tensor) or not b > 0:
        raise ArgumentError("pow: a sparse tensor has powers of positive numbers only, which leave zeros alone; use x.to_dense()")
    a = a.coalesce()
    return a._with(a._a.values**b)


def _vector_norm(x: SparseTensor, *, p: Any = 2.0, dim: Any = None, keepdim: bool = False) -> Tensor:
    if dim is not None or keepdim or p < 0:
        refuse("norm along a dimension, or of a negative order,")
    return OPS["vector_norm"].call(x.to_sparse().coalesce()._a.values, p=p)


def _any(x: SparseTensor, *, dim: Any = None, keepdim: bool = False) -> Tensor:
    if dim is not None:
        refuse("any along a dimension")
    return x.to_sparse().coalesce()._a.values.any()


def _canonical(name: str, x: SparseTensor, given: dict[str, Any]) -> dict[str, Any]:
    canon = OPS[name].canon
    assert canon is not None
    attrs: dict[str, Any] = canon(x, **given)
    return attrs


def _select(x: SparseTensor, **given: Any) -> Tensor:
    attrs = _canonical("select", x, given)
    found = selected(x.to_sparse()._a, attrs["dim"], attrs["index"])
    return _made(found) if found.sparse_dim else _made(found).to_dense()


def _slice(x: SparseTensor, **ranges: Any) -> SparseTensor:
    return _made(sliced(x.to_sparse()._a, **ranges))


def _index(x: SparseTensor, *indices: Tensor | None) -> SparseTensor:
    (d, i), *more = [(d, i) for d, i in enumerate(indices) if i is not None]
    if more or i.ndim != 1:
        refuse("indexing by several tensors, or by one that has not one dimension,")
    return x.index_select(d, where(i < 0, i + x._a.shape[d], i))


def _permute(x: SparseTensor, **given: Any) -> SparseTensor:
    found = permuted(x.to_sparse()._a, _canonical("permute", x, given)["dims"])
    return refuse("permuting dimensions with indices and dimensions without") if found is None else _made(found)


def _reshape(x: SparseTensor, **given: Any) -> SparseTensor:
    found = reshaped(x.to_sparse()._a, _canonical("reshape", x, given)["shape"])
    return refuse("reshaping dimensions without indices") if found is None else _made(found)


#: What the ops of the table do with a sparse tensor among their arguments.
_DEFINED: dict[str, Callable[..., Any]] = {
    "matmul": _matmul, "linear": _linear, "add": _add, "sub": _sub, "mul": _mul, "div": _div, "floor_divide": _floor_divide,
    "power": _power, "vector_norm": _vector_norm, "any": _any, "cat": _cat, "select": _select, "slice": _slice, "index": _index,
    "permute": _permute, "reshape": _reshape, "neg": lambda x: x._with(-x._a.values), "copy": lambda x: x.clone(),
}  # fmt: skip
_DEFINED |= {name: _of_entries(name) for name in _KEEP_ZERO if name in OPS}


class _SparseType(_TensorType):
    """The type of `fz.sparse.FloatTensor` and the like."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, SparseTensor) and super().__instancecheck__(instance)

    def __call__(cls, *given: Any) -> Tensor:
        if given and isinstance(given[0], Tensor):
            return sparse_coo_tensor(*given, dtype=cls.dtype, device=given[0].device)
        return sparse_coo_tensor(size=given[0] if given and isinstance(given[0], Sequence) else given or (0,), dtype=cls.dtype)


def _sparse_type(name: str, dtype: DType) -> Any:
    """The legacy type `name`: call it with indices, values and sizes, or with sizes alone."""
    return _SparseType(name, (), {"dtype": dtype, "device_type": "cpu", "__module__": "frazil.sparse"})


HalfTensor = _sparse_type("HalfTensor", dtypes.float16)
BFloat16Tensor = _sparse_type("BFloat16Tensor", dtypes.bfloat16)
FloatTensor = _sparse_type("FloatTensor", dtypes.float32)
DoubleTensor = _sparse_type("DoubleTensor", dtypes.float64)
ByteTensor = _sparse_type("ByteTensor", dtypes.uint8)
CharTensor = _sparse_type("CharTensor", dtypes.int8)
ShortTensor = _sparse_type("ShortTensor", dtypes.int16)
IntTensor = _sparse_type("IntTensor", dtypes.int32)
LongTensor = _sparse_type("LongTensor", dtypes.int64)


def spdiags(diagonals: Tensor, offsets: Tensor, shape: Sequence[int], layout: Any = None) -> Tensor:
    """A sparse matrix [rows, columns] of its diagonals; what of them lies outside of it is left out.

    Args:
        diagonals: [n, columns] or [columns]: what stands in column c of diagonal i is `diagonals[i, c]`.
        offsets: int64[n] or int64: how far to the right of the main diagonal each lies, no two alike.
        layout: `fz.sparse_coo` (default) or `fz.sparse_csr`.

    >>> import frazil as fz
    >>> fz.sparse.spdiags(fz.tensor([[1, 2, 3], [4, 5, 6]]), fz.tensor([0, 1]), (3, 3)).to_dense()
    tensor([[1, 5, 0],
            [0, 2, 6],
            [0, 0, 3]])
    """
    given = diagonals.unsqueeze(0) if diagonals.ndim == 1 else diagonals
    places = offsets.reshape(-1).tolist()
    if given.ndim != 2 or len(places) != given.shape[0] or len(shape) != 2:
        raise ShapeError(
            f"spdiags: expected diagonals [n, columns], offsets [n] and a shape of two sizes, given {list(diagonals.shape)}, "
            f"{list(offsets.shape)} and {list(shape)}"
        )
    if len({*places}) < len(places):
        raise ArgumentError(f"spdiags: no two offsets may be alike, given {places}")
    if layout not in (None, sparse_coo, sparse_csr):
        raise ArgumentError(f"spdiags: layout is fz.sparse_coo or fz.sparse_csr, given {layout!r}")
    entries = [(i, c - k, c) for i, k in enumerate(places) for c in range(max(k, 0), min(shape[1], shape[0] + k, given.shape[1]))]
    which = np.array(entries, np.int64).reshape(-1, 3).T
    diagonal, row, column = (from_host(np.ascontiguousarray(part), given._dev) for part in which)
    found = sparse_coo_tensor(stack([row, column]), given[diagonal, column], tuple(shape))
    return found.to_sparse_csr() if layout == sparse_csr else found
