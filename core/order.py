"""How results lie in memory: an entry of the table names a rule, which is PyTorch's for that op.

- "rows": in order, the last dimension the fastest.
- "elementwise": as the operands lie; where they disagree, as the first that tells.
- "like": as the first tensor, whose shape the result has.
- "channels": in order, but with the channels last where those of the first tensor are: of images and volumes. "joined" is the
  same where those of all tensors are, "lines" of images and of one-dimensional ones. "filters" asks the second tensor, the
  weight, too (of one-dimensional images it alone).
- "columns": in order, but with the first dimension the fastest, however the tensors lie.

A rule sees shapes and strides of the tensors (0 where there is one element, or it is repeated) and the shape of the result, and
gives the dimensions of the result from the slowest to the fastest; None: as they are written. Nothing here knows whether sizes
are those of a call or of the example of a recording.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import ShapeError
from .sizes import broadcast_shapes

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

    def call(*arrays: Any, **attrs: Any) -> Any:
        for a in arrays:
            if a is not None and not in_rows(a):
                return lying(*arrays, **attrs)
        return kernel(*arrays, **attrs)

    return lying if op.layout == "columns" else call


def first_tells(op: Any, kernel: Callable[..., Any], kernels: Mapping[str, Any]) -> Callable[..., Any]:
    """`kernel` of an elementwise op, which lays its result as arrays lie that agree, or as the first if that is in order."""
    in_rows, lying = kernels["is_contiguous"], _lying(op, kernel, kernels)
    if len(op.tensors) == 2 and not op.attributes:

        def of_two(a: Any, b: Any) -> Any:
            return kernel(a, b) if in_rows(a) else lying(a, b)

        return of_two

    def call(a: Any, *arrays: Any, **attrs: Any) -> Any:
        return kernel(a, *arrays, **attrs) if in_rows(a) else lying(a, *arrays, **attrs)

    return call


def _lying(op: Any, kernel: Callable[..., Any], kernels: Mapping[str, Any]) -> Callable[..., Any]:
    """`kernel` where arrays do not lie in order."""

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
        return permute(y, dims=back)

    return call


def lies(array: Any, kernels: Mapping[str, Any]) -> tuple[Sizes, Sizes]:
    """Shape and strides of an array, as rules want them."""
    return array.shape, [0 if n == 1 else s for n, s in zip(array.shape, kernels["strides"](array), strict=True)]


def laid(y: Any, order: Order | None, kernels: Mapping[str, Any]) -> Any:
    """The array in this order in memory: itself, or a copy."""
    turned = y if order is None else kernels["permute"](y, dims=order)
    if kernels["is_contiguous"](turned):
        return y
    rows = kernels["in_rows"](turned)
    return rows if order is None else kernels["permute"](rows, dims=tuple(order.index(d) for d in range(len(order))))


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
    return _behind(_last(lying[1], sizes) or (len(sizes) > 3 and _last(lying[0], sizes)), sizes)


def _behind(last: bool, sizes: Sizes) -> Order | None:
    return (0, *range(2, len(sizes)), 1) if last else None


def _last(x: tuple[Sizes, Sizes] | None, sizes: Sizes) -> bool:
    """Return whether dimension 1 lies fastest, the others being in order. Where one cannot tell, it does not."""
    if x is None or len(x[0]) != len(sizes) or len(sizes) < 3:
        return False
    shape, strides = x
    return _fastest_first(shape, strides, (1, *reversed(range(2, len(shape))), 0)) and not _fastest_first(
        shape, strides, range(len(shape))[::-1]
    )


def _fastest_first(shape: Sizes, strides: Sizes, dims: Sequence[int]) -> bool:
    least = 1
    for d in dims:
        if shape[d] == 0:
            return False
        if shape[d] > 1:
            if strides[d] < least:
                return False
            least = strides[d] * shape[d]
    return True


#: Rules that ask nothing of the tensors.
FIXED = ("rows", "columns")
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
