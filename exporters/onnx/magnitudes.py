"""How large the numbers of a value can be, by those that stand in the file: where all that flows into it are integers and
weights, no NaN and no infinity can come, and nothing has to be done about them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

#: What is known of a value: no magnitude is larger. Infinity for nothing.
Bound = float

_FLOATS = (ir.DataType.FLOAT16, ir.DataType.FLOAT, ir.DataType.DOUBLE)


def is_finite(x: ir.Value) -> bool:
    """Return whether no number of the value can be NaN or infinite, nor any that it was computed from."""
    return math.isfinite(largest(x, {}))


def largest(x: ir.Value, known: dict[int, Bound]) -> Bound:
    """A bound of the magnitudes in a value; infinity where there is none, or it comes near the end of its type."""
    found = known.get(id(x))
    if found is None:
        found = _computed(x, known) if x.dtype in _FLOATS else math.inf
        # what is added up by the way is at most the bound, but for rounding
        if x.dtype in _FLOATS and not found <= float(np.finfo(x.dtype.numpy()).max) / 4:
            found = math.inf
        known[id(x)] = found
    return found


def _computed(x: ir.Value, known: dict[int, Bound]) -> Bound:
    numbers = _stored(x)
    if numbers is not None:
        return float(np.abs(numbers).max(initial=0.0)) if np.isfinite(numbers).all() else math.inf
    node = x.producer()
    rule = None if node is None or node.domain else _RULES.get(node.op_type)
    return math.inf if node is None or rule is None else rule(node, known)


def _stored(x: ir.Value | None) -> np.ndarray | None:
    """The numbers of a weight or constant, which no input of the file can replace."""
    fixed = x is not None and x.producer() is None and not x.is_graph_input() and x.const_value is not None
    return x.const_value.numpy() if fixed else None  # type: ignore[union-attr]


def _first(node: ir.Node, known: dict[int, Bound]) -> Bound:
    assert node.inputs[0] is not None
    return largest(node.inputs[0], known)


def _all(node: ir.Node, known: dict[int, Bound]) -> list[Bound]:
    return [largest(x, known) for x in node.inputs if x is not None]


def _weighted(weight: np.ndarray, axes: Sequence[int], bias: ir.Value | None, node: ir.Node, known: dict[int, Bound]) -> Bound:
    """Sums of the input's numbers, each with the weights along the axes."""
    sums = np.abs(weight.astype(np.float64)).sum(tuple(axes)).max(initial=0.0)
    return float(sums) * _first(node, known) + (0.0 if bias is None else largest(bias, known))


def _conv(node: ir.Node, known: dict[int, Bound]) -> Bound:
    weight = _stored(node.inputs[1])
    if weight is None or not np.isfinite(weight).all():
        return math.inf
    return _weighted(weight, range(1, weight.ndim), (*node.inputs, None)[2], node, known)


def _matmul(node: ir.Node, known: dict[int, Bound]) -> Bound:
    weight = _stored(node.inputs[1])
    if weight is None or weight.ndim < 2 or not np.isfinite(weight).all():
        return math.inf
    return _weighted(weight, (weight.ndim - 2,), None, node, known)


def _gemm(node: ir.Node, known: dict[int, Bound]) -> Bound:
    weight = _stored(node.inputs[1])
    options = {"transA": 0, "transB": 1}
    plain = {name: attr.value for name, attr in node.attributes.items()} in ({"transB": 1}, options)
    if weight is None or not plain or not np.isfinite(weight).all():
        return math.inf
    return _weighted(weight, (1,), (*node.inputs, None)[2], node, known)


_RULES: dict[str, Callable[[ir.Node, dict[int, Bound]], Bound]] = {
    **dict.fromkeys(
        ("Gather", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Relu", "Identity", "Abs", "Neg"), _first
    ),
    **dict.fromkeys(("Slice", "Split", "Expand"), _first),
    **dict.fromkeys(("Sigmoid", "Tanh"), lambda node, known: 1.0 if math.isfinite(_first(node, known)) else math.inf),
    **dict.fromkeys(("Add", "Sub", "Sum"), lambda node, known: math.fsum(_all(node, known))),
    "Concat": lambda node, known: max(_all(node, known)),
    "Mul": lambda node, known: _product(_all(node, known)),
    "Conv": _conv,
    "MatMul": _matmul,
    "Gemm": _gemm,
}


def _product(bounds: Sequence[Bound]) -> Bound:
    return math.inf if math.inf in bounds else math.prod(bounds)
