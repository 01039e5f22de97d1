"""`torch.nested`: a batch of tensors of one number of dimensions and different sizes, for programs that do without padding.

A `NestedTensor` holds its parts, and a call with one is a call with each part: so gradients, devices and dtypes are those of
tensors. What mixes parts, or asks for a size that they do not share, is refused: `to_padded_tensor` makes one tensor of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import dtypes
from .creation import tensor
from .errors import ArgumentError, ShapeError
from .func.rules import ELEMENTWISE
from .ops.shape import cat, narrow, pad, reshape, stack
from .overrides import notice
from .spelling import tell_names as _tell_names
from .tensor import Tensor, jagged, layout, strided

__all__ = [
    "as_nested_tensor",
    "nested_tensor",
    "nested_tensor_from_jagged",
    "to_padded_tensor",
]

#: Functions of which every element of the result depends on one element.
_POINTWISE = {
    *ELEMENTWISE, "add", "sub", "mul", "div", "true_divide", "pow", "dropout", "clamp", "clamp_min", "clamp_max", "exp", "log",
    "sqrt", "sin", "cos", "tanh", "erf", "relu6", "subtract", "multiply", "divide", "eq",
    "expm1", "log1p", "floor_divide", "maximum", "negative", "absolute", "square", "round", "masked_fill", "tril", "triu",
    "float", "double", "half", "bfloat16", "int", "long", "bool", "type", "type_as", "to", "cpu", "cuda", "clone", "detach",
    "contiguous", "zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "embedding", "layer_norm",
    "rms_norm", "linear", "normalize", "scaled_dot_product_attention", "matmul", "bmm", "identity", "atleast_1d",
}  # fmt: skip
#: Functions that take dimensions: where they stand among the positional arguments after the tensor.
_OF_DIMS = {
    "softmax": (0,), "log_softmax": (0,), "sum": (0,), "mean": (0,), "amax": (0,), "amin": (0,), "chunk": (1,), "split": (1,),
    "transpose": (0, 1), "unsqueeze": (0,), "squeeze": (0,), "flatten": (0, 1), "logsumexp": (0,), "argmax": (0,), "norm": (1,),
    "var": (0,), "std": (0,), "cumsum": (0,), "flip": (0,), "glu": (0,), "all": (0,), "any": (0,),
}  # fmt: skip
#: Functions whose other tensors are the same for all parts, whatever their sizes.
_WITH_WEIGHTS = frozenset(("linear", "embedding", "layer_norm", "rms_norm", "matmul"))
_DIM_NAMES = frozenset(("dim", "dim0", "dim1", "start_dim", "end_dim", "dims"))


class NestedTensor:
    """A batch of tensors whose sizes differ; `nested_tensor` makes one."""

    is_nested = True
    is_sparse = is_quantized = is_meta = False
    is_leaf = property(lambda self: all(part.is_leaf for part in self._parts))

    def __init__(self, parts: Sequence[Tensor], kind: layout = strided) -> None:
        notice()
        self._parts = tuple(parts)
        self.layout = kind
        dims = {part.ndim for part in self._parts}
        if len(dims) > 1:
            raise ShapeError(f"nested_tensor: all its tensors have one number of dimensions, given {sorted(dims)}")

    # --- what it is

    def _first(self) -> Tensor:
        return self._parts[0] if self._parts else tensor([])

    dtype = property(lambda self: self._first().dtype)
    device = property(lambda self: self._first().device)
    requires_grad = property(lambda self: any(part.requires_grad for part in self._parts))
    grad_fn = property(lambda self: next((part.grad_fn for part in self._parts if part.grad_fn is not None), None))
    ndim = property(lambda self: self.dim())

    def dim(self) -> int:
        """Number of dimensions, with that of the batch."""
        return 1 + self._first().ndim if self._parts else 1

    def numel(self) -> int:
        """Number of elements of all parts."""
        return sum(part.numel() for part in self._parts)

    def size(self, dim: int | None = None) -> Any:
        """The size of a dimension in which the parts agree. ShapeError for another."""
        if dim is None:
            return tuple(self.size(d) for d in range(self.dim()))
        d = dim + self.dim() if dim < 0 else dim
        if d == 0:
            return len(self._parts)
        sizes = {part.shape[d - 1] for part in self._parts}
        if len(sizes) > 1:
            raise ShapeError(f"size: dimension {dim} of this nested tensor is irregular, it has the sizes {sorted(sizes)}")
        return sizes.pop()

    @property
    def shape(self) -> Any:
        """The sizes, where all parts have the same."""
        return self.size()

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Return whether the parts lie in order."""
        return all(part.is_contiguous() for part in self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int):
            return self._parts[index]
        raise ArgumentError("a nested tensor is indexed by the number of a part: x[0], or x.unbind()")

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self._parts)

    def unbind(self, dim: int = 0) -> tuple[Tensor, ...]:
        """The parts."""
        if dim not in (0, -self.dim()):
            raise ShapeError(f"unbind: a nested tensor is taken apart along dimension 0, given {dim}")
        return self._parts

    def values(self) -> Tensor:
        """All parts one after the other along their first dimension."""
        return cat(list(self._parts))

    def offsets(self) -> Tensor:
        """The places in `values` where the parts begin, and the end."""
        ends = [0]
        for part in self._parts:
            ends.append(ends[-1] + part.shape[0])
        return tensor(ends, device=self.device)

    def lengths(self) -> None:
        """None: there are no gaps between the parts."""

    def to_padded_tensor(self, padding: float, output_size: Any = None) -> Tensor:
        """One tensor of all parts, filled up with `padding` to the largest sizes, or to `output_size`.

        >>> import frazil as fz
        >>> fz.nested.nested_tensor([[1, 2], [3]]).to_padded_tensor(0)
        tensor([[1, 2],
                [3, 0]])
        """
        if not self._parts:
            raise ShapeError("to_padded_tensor: there is nothing to pad, the nested tensor is empty")
        sizes = [max(part.shape[d] for part in self._parts) for d in range(self.dim() - 1)]
        if output_size is not None:
            given = list(output_size)
            if len(given) != self.dim() or given[0] != len(self) or any(a < b for a, b in zip(given[1:], sizes, strict=True)):
                raise ShapeError(f"to_padded_tensor: output_size must be at least {[len(self), *sizes]}, given {given}")
            sizes = given[1:]
        if not sizes:
            return stack(list(self._parts))
        return stack([_filled(part, sizes, padding) for part in self._parts])

    def requires_grad_(self, requires_grad: bool = True) -> NestedTensor:
        """Switch recording of all parts on or off."""
        for part in self._parts:
            part.requires_grad_(requires_grad)
        return self

    @property
    def grad(self) -> NestedTensor | None:
        """The gradients of the parts; None before `backward`."""
        grads = [part.grad for part in self._parts]
        return None if any(g is None for g in grads) else NestedTensor([g for g in grads if g is not None], self.layout)

    def sum(self, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
        """The sum of all elements, or over a dimension of every part."""
        if dim is None:
            return self.values().sum(dtype=dtype)
        return self._joined(dim, keepdim, call(Tensor.sum, (self, dim, keepdim), {"dtype": dtype}))

    def mean(self, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
        """The mean of all elements, or over a dimension of every part."""
        if dim is None:
            return self.values().mean(dtype=dtype)
        return self._joined(dim, keepdim, call(Tensor.mean, (self, dim, keepdim), {"dtype": dtype}))

    def _joined(self, dim: Any, keepdim: bool, found: NestedTensor) -> Any:
        """A tensor, where the dimension in which the parts of a jagged one differ is gone."""
        if self.layout is jagged and not keepdim and dim in (1, 1 - self.dim()):
            return stack(list(found.unbind()))
        return found

    def view(self, *sizes: Any) -> NestedTensor:
        """Every part in other sizes; the first is that of the batch, and -1 in the place of a dimension keeps its size."""
        given = list(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else list(sizes)
        if given[0] not in (-1, len(self)):
            raise ShapeError(f"view: the first size is that of the batch, {len(self)}, given {given}")
        parts = []
        for part in self._parts:
            own = [part.shape[d] if n == -1 and d < part.ndim else n for d, n in enumerate(given[1:])]
            parts.append(reshape(part, shape=tuple(own)))
        return NestedTensor(parts, self.layout)

    reshape = view

    def __repr__(self) -> str:
        if self.layout is jagged:
            return f"NestedTensor({len(self)} parts, offsets={self.offsets()}, {self.dtype})"
        inner = ",\n".join("  " + repr(part).replace("\n", "\n  ") for part in self._parts)
        return f"nested_tensor([\n{inner}\n])"

    __hash__ = object.__hash__

    # --- calls

    @classmethod
    def __torch_function__(cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return call(func, args, kwargs or {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not callable(method := getattr(Tensor, name, None)):
            raise AttributeError(f"'NestedTensor' object has no attribute {name!r}; .unbind() gives its parts")
        return lambda *args, **kwargs: call(method, (self, *args), kwargs)

    def attended(self, module: Any, key: Any, value: Any, need_weights: bool) -> tuple[NestedTensor, None]:
        """Result of an attention module, every part by itself."""
        if not module.batch_first or need_weights:
            raise ArgumentError(
                "MultiheadAttention: of nested tensors it takes batch_first=True and need_weights=False; pad them for others"
            )
        found = []
        for q, k, v in zip(self, key, value, strict=True):
            found.append(module(q, k, v, need_weights=False)[0])
        return NestedTensor(found, self.layout), None


def _operator(name: str, reflected: bool = False) -> Callable[..., Any]:
    def method(self: NestedTensor, *others: Any) -> Any:
        return call(getattr(Tensor, name), (self, *others), {})

    method.__name__ = name
    return method


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "matmul", "neg", "abs", "eq", "ne",
              "lt", "le", "gt", "ge", "invert"):  # fmt: skip
    setattr(NestedTensor, f"__{_name}__", _operator(f"__{_name}__"))
_OPERATORS = {
    "__add__": "add", "__radd__": "add", "__sub__": "sub", "__rsub__": "sub", "__mul__": "mul", "__rmul__": "mul",
    "__truediv__": "div", "__rtruediv__": "div", "__pow__": "pow", "__matmul__": "matmul", "__neg__": "neg", "__abs__": "abs",
    "__eq__": "eq", "__ne__": "ne", "__lt__": "lt", "__le__": "le", "__gt__": "gt", "__ge__": "ge", "__invert__": "bitwise_not",
}  # fmt: skip


def call(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The call of a function with every part of the nested tensors among its arguments.

    >>> import frazil as fz
    >>> fz.relu(fz.nested.nested_tensor([[-1.0, 2.0], [3.0]])).unbind()
    (tensor([0., 2.]), tensor([3.]))
    """
    name = func.__name__
    name = _OPERATORS.get(name, name)
    nested = [a for a in (*args, *kwargs.values()) if isinstance(a, NestedTensor)]
    if not nested:
        raise TypeError(f"{name}: no implementation found for nested tensors within lists; .unbind() gives their parts")
    if name in ("to_padded_tensor", "unbind", "size", "dim", "numel", "view", "reshape", "is_contiguous"):
        return getattr(args[0], name)(*args[1:], **kwargs)
    if name == "bmm":  # of parts, which are matrices
        func = Tensor.matmul
    count = len(nested[0])
    if any(len(a) != count for a in nested):
        raise ShapeError(f"{name}: these nested tensors have {[len(a) for a in nested]} parts")
    if name in _OF_DIMS:
        args, kwargs = _without_batch(name, args, kwargs)
    elif name not in _POINTWISE:
        raise NotImplementedError(f"{name}: not defined for nested tensors; use .to_padded_tensor(...) and a mask, or .unbind()")
    dense = name not in _WITH_WEIGHTS and [
        a for a in (*args, *kwargs.values()) if isinstance(a, Tensor) and a.ndim >= nested[0].dim()
    ]
    if dense:
        raise ShapeError(
            f"{name}: a nested tensor with a tensor of {list(dense[0].shape)}, which has as many dimensions: only tensors that "
            "fit every part go with it; make both nested"
        )
    found = []
    for i in range(count):
        own = [a[i] if isinstance(a, NestedTensor) else a for a in args]
        found.append(func(*own, **{k: a[i] if isinstance(a, NestedTensor) else a for k, a in kwargs.items()}))
    kind = nested[0].layout
    if found and isinstance(found[0], (tuple, list)):
        return tuple(NestedTensor(parts, kind) for parts in zip(*found, strict=True))
    return NestedTensor(found, kind)


def _without_batch(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with dimensions of the parts in the place of those of the batch."""
    ndim = args[0].dim()
    more = name == "unsqueeze"

    def inner(d: Any) -> Any:
        if isinstance(d, (tuple, list)):
            return type(d)(map(inner, d))
        if not isinstance(d, int) or isinstance(d, bool):
            return d
        if d in (0, -ndim - more):
            raise ShapeError(f"{name}: not along the batch of a nested tensor, dimension 0")
        return d - 1 if d > 0 else d

    places = {place + 1 for place in _OF_DIMS[name]}
    return (
        tuple(inner(a) if i in places else a for i, a in enumerate(args)),
        {k: inner(a) if k in _DIM_NAMES else a for k, a in kwargs.items()},
    )


def _filled(part: Tensor, sizes: Sequence[int], padding: float) -> Tensor:
    widths = [w for d in reversed(range(part.ndim)) for w in (0, sizes[d] - part.shape[d])]
    return pad(part, widths, value=padding) if any(widths) else part


def nested_tensor(
    tensor_list: Sequence[Any],
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> NestedTensor:
    """A nested tensor of copies of tensors, arrays or lists, a leaf.

    Args:
        dtype, device: of all parts; default: as the parts have them.
        layout: `fz.strided` or `fz.jagged`; what it can do is the same.
        requires_grad: record gradients for its parts.

    >>> import frazil as fz
    >>> x = fz.nested.nested_tensor([fz.ones(2, 3), fz.ones(1, 3)])
    >>> x.is_nested, x.size(0), x.size(2)
    (True, 2, 3)
    """
    parts = [_part(p, dtype, device).detach().clone() for p in tensor_list]
    return NestedTensor(parts, strided if layout is None else layout).requires_grad_(requires_grad)


def as_nested_tensor(ts: Any, dtype: Any = None, device: Any = None, layout: Any = None) -> NestedTensor:
    """A nested tensor of these tensors themselves, so that gradients reach them.

    >>> import frazil as fz
    >>> w = fz.ones(2, requires_grad=True)
    >>> fz.nested.as_nested_tensor([w, w * 2]).to_padded_tensor(0).sum().backward(); w.grad
    tensor([3., 3.])
    """
    kind = strided if layout is None else layout
    return NestedTensor([_part(p, dtype, device) for p in (ts.unbind() if isinstance(ts, Tensor) else ts)], kind)


def _part(value: Any, dtype: Any, device: Any) -> Tensor:
    made: Tensor = value if isinstance(value, Tensor) else tensor(value)
    made = made if dtype is None else made.to(dtypes.as_dtype(dtype))
    return made if device is None else made.to(device)


def nested_tensor_from_jagged(
    values: Tensor,
    offsets: Tensor | None = None,
    lengths: Tensor | None = None,
    jagged_dim: int | None = None,
    min_seqlen: int | None = None,
    max_seqlen: int | None = None,
) -> NestedTensor:
    """A nested tensor of pieces of `values`, which begin and end at `offsets`, or have these `lengths`.

    >>> import frazil as fz
    >>> fz.nested.nested_tensor_from_jagged(fz.arange(4), fz.tensor([0, 1, 4])).unbind()
    (tensor([0]), tensor([1, 2, 3]))
    """
    if jagged_dim not in (None, 1):
        raise ArgumentError(f"nested_tensor_from_jagged: jagged_dim is 1, the first dimension of values, given {jagged_dim}")
    if offsets is None and lengths is None:
        raise ArgumentError("nested_tensor_from_jagged: expected offsets or lengths")
    sizes = None if lengths is None else [int(n) for n in lengths]
    if offsets is None:
        begins = [sum((sizes or [])[:i]) for i in range(len(sizes or []))]
    else:
        places = [int(n) for n in offsets]
        begins = places[:-1]
        sizes = sizes or [b - a for a, b in itertools.pairwise(places)]
    return NestedTensor([narrow(values, 0, begin, n) for begin, n in zip(begins, sizes or [], strict=True)], jagged)


def to_padded_tensor(input: NestedTensor, padding: float, output_size: Any = None) -> Tensor:
    """One tensor of all parts, filled up with `padding`; the method of the same name.

    >>> import frazil as fz
    >>> fz.nested.to_padded_tensor(fz.nested.nested_tensor([[1, 2], [3]]), 9)
    tensor([[1, 2],
            [3, 9]])
    """
    return input.to_padded_tensor(padding, output_size)


_tell_names(__name__)
