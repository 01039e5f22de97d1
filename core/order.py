"""How results lie in memory: an entry of the table names a rule, which is PyTorch's for that op.

- "rows": in order, the last dimension the fastest.
- "elementwise": as the operands lie; where they disagree, as the first that tells.
- "like": as the first tensor, whose shape the result has.
- "channels": in order, but with the channels last where those of the first tensor are: of images and volumes. "joined" is the
  same where those of all tensors are, "lines" of images and of one-dimensional ones. "filters" asks the second tensor, the
  weight, too (of one-dimensional images it alone).
- "columns": in order, but with the first dimension the fastest, however the tensors lie.

A rule sees shapes and strides of the tensors (0 where an element is repeated) and the shape of the result, and gives the
dimensions of the result from the slowest to the fastest; None: as they are written. Strides of dimensions of one element tell
too: `x.mT` of one position is in order, and yet its channels lie last, so what a pool makes of it lies as it does for more
positions. Nothing here knows whether sizes are those of a call or of the example of a recording.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .errors import ShapeError
from .sizes import broadcast_shapes

Path = tuple[tuple[str, dict[str, Any]], ...]
Sizes = Sequence[int]
Order = tuple[int, ...]
#: Of every tensor of a call: its shape and strides; None for one that is left out.
Lying = Sequence[tuple[Sizes, Sizes] | None]


def slowest_first(operands: Sequence[Sizes], sizes: Sizes) -> Order:
    """The dimensions in the order in which they lie in memory. PyTorch's sort: what no operand tells stays as it is written."""
    order = [*range(len(sizes))][::-1]
    for end in range(1, len(order)):
        at = end
        for i in reversed(range(end)):
            answer = _compared(operands, sizes, order[i], order[at])
            if answer < 0:
                break
            if answer > 0:
                order[i], order[at] = order[at], order[i]
                at = i
    return tuple(reversed(order))


def _compared(operands: Sequence[Sizes], sizes: Sizes, faster: int, slower: int) -> int:
    """1 where the first dimension lies slower than the second, against what was thought; -1: not so; 0: nobody tells."""
    for s in operands:
        a, b = s[faster], s[slower]
        if a and b and (a != b or sizes[faster] > sizes[slower]):
            return -1 if a < b else 1
    return 0


def in_layout(op: Any, kernel: Callable[..., Any], kernels: Mapping[str, Any]) -> Callable[..., Any]:
    """`kernel`, which knows only elements in order, with results that lie as the op's layout says."""
    in_rows, lying = kernels["is_contiguous"], _lying(op, kernel, kernels)
    ones = op.layout in OF_CHANNELS

    def of_one(a: Any, **attrs: Any) -> Any:
        return kernel(a, **attrs) if in_rows(a) else lying(a, **attrs)

    def call(*arrays: Any, **attrs: Any) -> Any:
        for a in arrays:
            if a is not None and (not in_rows(a) or (ones and 1 in a.shape)):
                return lying(*arrays, **attrs)
        return kernel(*arrays, **attrs)

    if op.layout == "columns":
        return lying
    return of_one if len(op.tensors) == 1 and not op.packed and not ones else call


def first_tells(op: Any, kernel: Callable[..., Any], kernels: Mapping[str, Any]) -> Callable[..., Any]:
    """`kernel` of an elementwise op, which lays its result as arrays lie that agree and repeat nothing, or as the first if that
    is in order and has the shape of the others."""
    in_rows, lying = kernels["is_contiguous"], _lying(op, kernel, kernels)
    if len(op.tensors) == 1:

        def of_one(a: Any, **attrs: Any) -> Any:
            dense = in_rows(a) or (1 not in a.shape and 0 not in kernels["strides"](a))
            return kernel(a, **attrs) if dense else lying(a, **attrs)

        return of_one

    def written(a: Any) -> bool:
        """Return whether it lies as it is written, its dimensions of one element as well."""
        return in_rows(a) and (1 not in a.shape or row_major(a.shape, kernels["strides"](a)))

    if len(op.tensors) == 2 and not op.attributes:

        def of_two(a: Any, b: Any) -> Any:
            return kernel(a, b) if (in_rows(a) if a.shape == b.shape else written(a) and written(b)) else lying(a, b)

        return of_two

    def call(a: Any, *arrays: Any, **attrs: Any) -> Any:
        if all(x is None or x.shape == a.shape for x in arrays):
            first = in_rows(a)
        else:
            first = written(a) and all(x is None or written(x) for x in arrays)
        return kernel(a, *arrays, **attrs) if first else lying(a, *arrays, **attrs)

    return call


def keeps_ones(kernel: Callable[..., Any], kernels: Mapping[str, Any]) -> Callable[..., Any]:
    """`kernel` of a reduction, which leaves elements in order, with dimensions of one element that lie in order as well."""
    in_rows = kernels["is_contiguous"]

    def call(a: Any, **attrs: Any) -> Any:
        y = kernel(a, **attrs)
        if not attrs.get("keepdim") or (in_rows(a) and 1 not in a.shape):
            return y
        return tuple(laid(part, None, kernels) for part in y) if type(y) is tuple else laid(y, None, kernels)

    return call


def _lying(op: Any, kernel: Callable[..., Any], kernels: Mapping[str, Any]) -> Callable[..., Any]:
    """`kernel` where arrays do not lie in order."""
    in_rows = kernels["is_contiguous"]

    def call(*arrays: Any, **attrs: Any) -> Any:
        known = [None if a is None else lies(a, kernels) for a in arrays]
        if op.layout != "elementwise":
            results = kernel(*arrays, **attrs)
            if type(results) is tuple:
                return tuple(laid(y, op.order(known, y.shape), kernels) for y in results)
            return laid(results, op.order(known, results.shape), kernels)
        try:
            shape = tuple(broadcast_shapes(*(x[0] for x in known if x is not None)))
        except ShapeError:  # which the kernel says as for any other
            return kernel(*arrays, **attrs)
        dims = op.order(known, shape)
        back = tuple(dims.index(d) for d in range(len(dims)))
        expand, permute = kernels["expand"], kernels["permute"]
        wide = [a if a is None or a.shape == shape else expand(a, shape=shape) for a in arrays]
        y = kernel(*(None if a is None else permute(a, dims=dims) for a in wide), **attrs)
        return permute(y if in_rows(y) else kernels["in_rows"](y), dims=back)

    return call


def lies(array: Any, kernels: Mapping[str, Any]) -> tuple[Sizes, Sizes]:
    """Shape and strides of an array, as rules want them."""
    return array.shape, kernels["strides"](array)


def laid(y: Any, order: Order | None, kernels: Mapping[str, Any]) -> Any:
    """The array in this order in memory: itself, or a copy."""
    turned = y if order is None else kernels["permute"](y, dims=order)
    if not kernels["is_contiguous"](turned):
        turned = kernels["in_rows"](turned)
    elif 1 not in y.shape:
        return y
    if 1 in y.shape:  # strides of dimensions of one element, which nothing else would set right
        turned = kernels["reshape"](kernels["reshape"](turned, shape=(math.prod(turned.shape),)), shape=turned.shape)
    return turned if order is None else kernels["permute"](turned, dims=tuple(order.index(d) for d in range(len(order))))


def lying_as(before: Any, now: Any, kernels: Mapping[str, Any]) -> Any:
    """The array `now`, in memory as `before` lies, which it replaces."""
    if "in_rows" not in kernels:
        return now
    known = lies(before, kernels)
    return now if known[1] == kernels["strides"](now) else laid(now, _like([known], now.shape), kernels)


def _elementwise(lying: Lying, sizes: Sizes) -> Order:
    operands = []
    for shape, strides in (x for x in lying if x is not None):
        extra = len(sizes) - len(shape)
        own = (0 if n == 1 != m else s for n, m, s in zip(shape, sizes[extra:], strides, strict=True))
        operands.append((*[0] * extra, *own))
    return slowest_first(operands, sizes)


def _like(lying: Lying, sizes: Sizes) -> Order | None:
    x = lying[0]
    return None if x is None or len(x[0]) != len(sizes) else slowest_first([x[1]], sizes)


def _channels(lying: Lying, sizes: Sizes) -> Order | None:
    return _behind(len(sizes) > 3 and _last(lying[0], sizes), sizes)


def _joined(lying: Lying, sizes: Sizes) -> Order | None:
    return _behind(len(sizes) > 3 and all(_last(x, sizes) for x in lying), sizes)


def _lines(lying: Lying, sizes: Sizes) -> Order | None:
    return _behind(len(sizes) in (3, 4) and _last(lying[0], sizes), sizes)


def _filters(lying: Lying, sizes: Sizes) -> Order | None:
    """A convolution puts lines in order before it looks: with one position they may be, and have the channels last as well."""
    x = lying[0]
    return _behind(_last(lying[1], sizes) or ((len(sizes) > 3 or _rows(x)) and _last(x, sizes)), sizes)


def _behind(last: bool, sizes: Sizes) -> Order | None:
    return (0, *range(2, len(sizes)), 1) if last else None


def _last(x: tuple[Sizes, Sizes] | None, sizes: Sizes) -> bool:
    """Return whether strides say that dimension 1 lies fastest, the others being in order, as PyTorch reads them: those of
    dimensions of one element, too. A line is an image of one row."""
    if x is None or len(x[0]) != len(sizes) or len(sizes) < 3:
        return False
    shape, strides = x
    if len(shape) == 3:
        shape, strides = (*shape[:2], 1, shape[2]), (*strides[:2], shape[2] * strides[2], strides[2])
    if 0 in shape or strides[1] == 0:
        return False
    least = 0
    for d in (1, *reversed(range(2, len(shape)))):
        if strides[d] < least:
            return False
        least = strides[d] * shape[d]
    return strides[0] >= least and least != strides[1]  # which is so in order, too, where all else has one element


def row_major(shape: Sizes, strides: Sizes, step: int = 1) -> bool:
    """Return whether strides are those of elements in order, `step` apart, of dimensions of one element as well."""
    for n, s in zip(reversed(shape), reversed(strides), strict=True):
        if s != step:
            return False
        step *= n
    return True


def strides_in_rows(shape: Sequence[Any]) -> tuple[Any, ...]:
    """Return the strides of a tensor whose elements lie in order."""
    strides: list[Any] = []
    step: Any = 1
    for n in reversed(shape):
        strides.append(step)
        step = step * (n or 1)
    return tuple(reversed(strides))


def _rows(x: tuple[Sizes, Sizes] | None) -> bool:
    """Return whether elements lie in order."""
    step = 1
    for n, s in zip(*map(reversed, x or ((), ())), strict=True):
        if n != 1 and s != step:
            return False
        step *= n
    return True


#: Rules that ask nothing of the tensors.
FIXED = ("rows", "columns")
#: Rules that ask where the channels lie: elements that lie in order may do so in two ways where a dimension has one.
OF_CHANNELS = ("channels", "joined", "lines", "filters")
RULES: dict[str, Callable[[Lying, Sizes], Order | None]] = {
    "rows": lambda lying, sizes: None,
    "columns": lambda lying, sizes: (*range(1, len(sizes)), 0),
    "elementwise": _elementwise,
    "like": _like,
    "channels": _channels,
    "joined": _joined,
    "lines": _lines,
    "filters": _filters,
}


def steps_of(path: Any) -> Path:
    """The steps of a path from the base on."""
    steps = []
    while path is not None:
        path, step, attrs = path
        steps.append((step, attrs))
    return tuple(reversed(steps))


#: What steps of views do to an array of NumPy's.
_LOOKS: Mapping[str, Callable[..., Any]] = {
    "detach": lambda a: a,
    "permute": lambda a, *, dims: a.transpose(dims),
    "expand": lambda a, *, shape: np.broadcast_to(a, shape),
    "slice": lambda a, *, starts, stops, steps: a[tuple(map(slice, starts, stops, steps))],
    "diagonal": lambda a, *, offset, dim1, dim2: np.diagonal(a, offset, dim1, dim2),
    "reshape": lambda a, *, shape: _reshaped(a, shape),
}


def look(shape: Sizes, path: Any) -> np.ndarray | None:
    """Return how a view lies, on a device whose views share no memory: an array of bytes that nobody may read. None: not known.

    The base lies in order, as all results do there.
    """
    found: Any = np.lib.stride_tricks.as_strided(np.empty(1, np.int8), shape, strides_in_rows(shape))
    for name, attrs in steps_of(path):
        if name not in _LOOKS or (found := _LOOKS[name](found, **attrs)) is None:
            return None
    return found


def keeps_look(a: np.ndarray | None, shape: Sizes) -> bool:
    """Return whether another shape is a view; True where it is not known how `a` lies."""
    return a is None or not a.size or _reshaped(a, shape) is not None


def _reshaped(a: np.ndarray, shape: Sizes) -> np.ndarray | None:
    """The view in another shape, None where that takes a copy."""
    try:
        return a.reshape(shape, copy=False)
    except ValueError:
        return None
