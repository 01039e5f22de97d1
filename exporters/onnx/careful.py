"""Operators that onnxruntime gets wrong for some inputs, and how they are written instead: as others, or as an If whose
`else_branch` is the operator itself, and whose `then_branch` does without its fault.

Both directions are here. `careful` writes the form; `plain` finds it in a file, by writing it once more and comparing. What is
read back is the operator alone, since frazil's own has no such fault, and it is written as it was.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import onnx
import onnx_ir as ir

from .emit import BOOL, DOUBLE, INT64, IR_VERSIONS, Emitter
from .errors import LoweringError, Unsupported
from .magnitudes import is_finite
from .subgraphs import choose

#: What to ask, and what to do where the answer is yes; or the result.
Form: TypeAlias = tuple[ir.Value, Callable[[Emitter], Any]] | ir.Value

#: (Operator, which of its results, None for all) -> its form for these inputs and attributes; None where there is no fault.
FORMS: dict[tuple[str, int | None], Callable[[Emitter, str, Any, Mapping[str, Any]], Form | None]] = {}


def form(*op_types: str, result: int | None = None) -> Callable[[Any], Any]:
    """Register the decorated function for the operators."""

    def register(function: Any) -> Any:
        for op_type in op_types:
            if (op_type, result) in FORMS:
                raise LoweringError(f"two careful forms of {op_type}")
            FORMS[op_type, result] = function
        return function

    return register


def careful(e: Emitter, op_type: str, *inputs: ir.Value | None, outputs: int = 1, result: int | None = None, **attrs: Any) -> Any:
    """Emit the operator as `Emitter.op` does, without its faults; only one of its results if `result` says so."""

    def write(e: Emitter) -> Any:
        found = e.op(op_type, *inputs, outputs=outputs, **attrs)
        return found if result is None else found[result]

    found = FORMS[op_type, result](e, op_type, (*inputs, *[None] * 8), attrs)
    if isinstance(found, tuple):
        question, answer = found
        return choose(e, question, answer, write)
    return write(e) if found is None else found


# --- the forms ------------------------------------------------------------------------------------------------------------------


def whole_sum(e: Emitter, x: ir.Value) -> ir.Value:
    """The sum of all elements, which is NaN if one of them is (or where infinities cancel): the cheapest way to ask."""
    return e.op("ReduceSum", x, keepdims=0)


def is_float(x: ir.Value) -> bool:
    """Return whether its elements are floats."""
    return x.dtype in (ir.DataType.FLOAT, ir.DataType.FLOAT16, DOUBLE)


#: What stands for an infinity and for NaN in float64, where `_ordered` puts all numbers in order.
_INFINITY, _NAN = 2e305, 1e306


def _ordered(e: Emitter, x: ir.Value, marks: ir.Value) -> ir.Value:
    """x in float64, with numbers for its infinities and `marks` for its NaNs."""
    wide = e.op("Mul", x, e.like(2.0**-10, x)) if x.dtype == DOUBLE else e.cast(x, DOUBLE)
    return e.op("Where", e.op("IsNaN", x), marks, e.op("Clip", wide, e.like(-_INFINITY, wide), e.like(_INFINITY, wide)))


def not_finite(e: Emitter, *values: ir.Value) -> ir.Value:
    """Return whether there is an infinity or NaN in one of the values; or where a sum of all their numbers overflows."""
    total = functools.reduce(lambda a, b: e.op("Add", a, b), (whole_sum(e, x) for x in values))
    found: ir.Value = e.op("IsNaN", e.op("Sub", total, total))
    return found


@form("ReduceLogSumExp")
def log_sum_exp(e: Emitter, op_type: str, inputs: Any, attrs: Mapping[str, Any]) -> Form:
    """It subtracts no maximum where one of the numbers is -inf, and the exponentials of the others become 0 (1.32.0, 2026-11-29):
    -inf for [-inf, -545]."""
    x, axes = inputs[:2]
    most = np.finfo(x.dtype.numpy()).max
    top = e.op("Clip", e.op("ReduceMax", x, axes, keepdims=1), e.like(-most, x), e.like(most, x))
    keep = attrs.get("keepdims", 1)
    found = e.op("Log", e.op("ReduceSum", e.op("Exp", e.op("Sub", x, top)), axes, keepdims=keep))
    return e.op("Add", found, top if keep else e.op("Squeeze", top, axes))


@form("MaxPool")
def max_pool(e: Emitter, op_type: str, inputs: Any, attrs: Mapping[str, Any]) -> Form | None:
    """It overlooks NaN, and gives the lowest number for a window of -inf (1.32.0, 2026-11-28).

    Of what is not negative, no sum is smaller than the maximum, and that of a window with a NaN is one: the lesser of both is
    the maximum. Twice the sum, since some devices multiply float32 with fewer digits.
    """
    x = inputs[0]
    channels = x.shape[1] if x.shape is not None and len(x.shape) > 1 else None
    if is_finite(x):
        return None
    if _not_negative(x) and x.dtype == ir.DataType.FLOAT and isinstance(channels, int) and not attrs.get("ceil_mode"):
        window = {name: attrs[name] for name in ("strides", "pads", "dilations") if name in attrs}
        twos = e.constant(np.full((channels, 1, *attrs["kernel_shape"]), 2.0), ir.DataType.FLOAT)
        sums = e.op("Conv", x, twos, group=channels, **window)
        found: ir.Value = e.op("Min", e.op(op_type, x, **attrs), sums)
        return found

    def then(e: Emitter) -> ir.Value:
        found = e.op("MaxPool", _ordered(e, x, e.constant(_NAN, DOUBLE)), **attrs)
        found = e.op("Where", e.op("GreaterOrEqual", found, e.like(_NAN, found)), e.like(math.nan, found), found)
        return e.op("Mul", found, e.like(2.0**10, found)) if x.dtype == DOUBLE else e.cast(found, x.dtype)

    return (not_finite(e, x), then) if is_float(x) else None


@form("AveragePool")
def average_pool(e: Emitter, op_type: str, inputs: Any, attrs: Mapping[str, Any]) -> Form | None:
    """Of images that are smaller than its windows it gives a window more than there is, which a convolution refuses.

    That takes as long or, without other convolutions next to it, a tenth of the time (1.22.0 and 1.32.0, 2026-11-29).
    """
    x, kernel, pads = inputs[0], attrs["kernel_shape"], attrs.get("pads", ())
    channels = x.shape[1] if x.shape is not None and len(x.shape) > 1 else None
    simple = not attrs.get("ceil_mode") and (attrs.get("count_include_pad") or not any(pads))
    if x.dtype != ir.DataType.FLOAT or not isinstance(channels, int) or not simple:
        return None
    shares = e.constant(np.full((channels, 1, *kernel), 1 / math.prod(kernel)), ir.DataType.FLOAT)
    found: ir.Value = e.op("Conv", x, shares, group=channels, strides=attrs["strides"], pads=pads)
    return found


#: Operators that give no negative number.
_NOT_NEGATIVE = frozenset(["Relu", "Sigmoid", "HardSigmoid", "Softmax", "Abs", "Exp", "Softplus", "Sqrt"])

#: What a value is told to be that stands for one of a file, without the node that makes it.
_MARK = "frazil.not_negative"


def _not_negative(x: ir.Value) -> bool:
    node = x.producer()
    return bool(x.meta.get(_MARK)) or (node is not None and node.domain in ("", "ai.onnx") and node.op_type in _NOT_NEGATIVE)


@form("MaxPool", result=1)
def max_pool_indices(e: Emitter, op_type: str, inputs: Any, attrs: Mapping[str, Any]) -> Form | None:
    """Return where the maxima are in the whole flattened tensor; of several NaNs the last, as in PyTorch."""
    x = inputs[0]

    def then(e: Emitter) -> ir.Value:
        count = e.op("Range", e.constant(0, INT64), e.op("Size", x), e.constant(1, INT64))
        places = e.op("Reshape", e.cast(count, DOUBLE), e.op("Shape", x))
        marks = e.op("Add", e.op("Mul", places, e.like(1e295, places)), e.like(_NAN, places))
        found: ir.Value = e.op("MaxPool", _ordered(e, x, marks), outputs=2, **attrs)[1]
        return found

    return (not_finite(e, x), then) if is_float(x) and not is_finite(x) else None


@form("ReduceMax", "ReduceMin")
def extreme(e: Emitter, op_type: str, inputs: Any, attrs: Mapping[str, Any]) -> Form | None:
    """They overlook NaN. The sum of all magnitudes does not; it is never smaller than the maximum, even rounded."""
    x, axes = inputs[:2]
    if not is_float(x) or is_finite(x):
        return None
    bound = e.op("ReduceSum" if _not_negative(x) else "ReduceL1", x, axes, **attrs)
    if op_type == "ReduceMin":
        bound = e.op("Neg", bound)
    found: ir.Value = e.op("Min" if op_type == "ReduceMax" else "Max", e.op(op_type, x, axes, **attrs), bound)
    return found


@form("ReduceSum")
def whole_numbers(e: Emitter, op_type: str, inputs: Any, attrs: Mapping[str, Any]) -> Form | None:
    """Integers are added in double, which holds 53 bits: so the upper and the lower halves, each on its own."""
    x, axes = inputs[:2]
    if x.dtype != INT64:
        return None
    half, low = e.constant(2**32, INT64), e.op("BitwiseAnd", x, e.constant(2**32 - 1, INT64))
    high = e.op(op_type, e.op("Div", e.op("Sub", x, low), half), axes, **attrs)
    found: ir.Value = e.op("Add", e.op("Mul", high, half), e.op(op_type, low, axes, **attrs))
    return found


@form("ReduceMean")
def mean(e: Emitter, op_type: str, inputs: Any, attrs: Mapping[str, Any]) -> Form | None:
    """Of nothing it is NaN, but the operator gives 0. Without axes, all are meant."""
    x, axes = inputs[:2]
    dims = None if axes is None else axes.const_value.numpy().tolist()
    if dims is None:
        count = e.op("Size", x)
    elif dims == [*range(dims[0], dims[-1] + 1)]:
        count = e.op("Shape", x, start=dims[0], end=dims[-1] + 1)
    else:
        count = e.op("Gather", e.op("Shape", x), axes)
    if dims is not None and len(dims) > 1:
        count = e.op("ReduceProd", count, keepdims=0)
    found: ir.Value = e.op("Div", e.op("ReduceSum", x, axes, **attrs), e.cast(count, x.dtype))
    return found


@form("ScatterElements")
def scatter_max(e: Emitter, op_type: str, inputs: Any, attrs: Mapping[str, Any]) -> Form | None:
    """With the reduction "max" it loses a NaN when another number comes after it."""
    x, places, src = inputs[:3]

    def then(e: Emitter) -> ir.Value:
        write = lambda x, src: e.op(op_type, x, places, src, **attrs)
        unordered = write(*(e.cast(e.op("IsNaN", t), ir.DataType.INT32) for t in (x, src)))
        found: ir.Value = e.op("Where", e.cast(unordered, BOOL), e.like(math.nan, x), write(x, src))
        return found

    if attrs.get("reduction") != "max" or not is_float(x):
        return None
    return e.op("IsNaN", e.op("Add", whole_sum(e, x), whole_sum(e, src))), then


def _nothing(e: Emitter, x: ir.Value) -> ir.Value:
    found: ir.Value = e.op("Equal", e.op("Size", x), e.constant(0, INT64))
    return found


@form("InstanceNormalization", "GroupNormalization")
def norm(e: Emitter, op_type: str, inputs: Any, attrs: Mapping[str, Any]) -> Form | None:
    """Of nothing, onnxruntime's kernel fails or ends the process."""
    x = inputs[0]
    return _nothing(e, x), lambda e: e.op("Identity", x)


@form("LSTM", "GRU")
def recurrent(e: Emitter, op_type: str, inputs: Any, attrs: Mapping[str, Any]) -> Form | None:
    """Without a step, or nothing to step with, they end the process (1.32.0, 2026-11-28). Nothing stays nothing, of the shape
    that it has then: a `Reshape` to that refuses states of other than no sequences, and no steps, as it cannot find out how many
    sequences there are.
    """
    x, states = inputs[0], inputs[5 : 7 if op_type == "LSTM" else 6]
    directions, hidden = (2 if attrs["direction"] == "bidirectional" else 1), attrs["hidden_size"]

    def then(e: Emitter) -> tuple[ir.Value, ...]:
        none = e.constant(np.zeros((directions, 0, hidden)), x.dtype)
        shape = e.ints(directions, 0, hidden)
        last = [e.op("Identity", none) if h is None else e.op("Reshape", h, shape, allowzero=1) for h in states]
        name = e.unique(f"frazil.assert: {op_type} of no steps")  # what onnxruntime says where it refuses them
        return e.op("Reshape", x, e.ints(0, directions, -1, hidden), name=name), *last

    return _nothing(e, x), then


# --- back again -----------------------------------------------------------------------------------------------------------------


class Plain(NamedTuple):
    """An operator that several stand for: a node that tells its attributes, what it is given, and which results are wanted."""

    node: ir.Node
    inputs: list[ir.Value | None]
    outputs: list[ir.Value | None]


def plain(node: ir.Node, opset: int) -> Plain | None:
    """The operator whose careful form ends in this node, if there is one."""
    find = _ENDS.get(node.op_type)
    if find is None or node.domain not in ("", "ai.onnx") or opset not in IR_VERSIONS:
        return None
    try:
        found = find(node)
        if found is None:
            return None
        op_type, attributes, inputs, places = found
        result = places[0] if len(places) == 1 and places[0] else None
        if (op_type, result) not in FORMS or any(attr.is_ref() for attr in attributes.values()):
            return None
        leaves = {value: _leaf(value) for value in inputs if value is not None}
        given = [None if value is None else leaves[value] for value in inputs]
        attrs = {name: attr.value for name, attr in attributes.items()}
        count = max(places) + 1
        made = careful(Emitter(opset), op_type, *given, outputs=count, result=result, **attrs)
    except (Unsupported, onnx.defs.SchemaError, LookupError, AttributeError, AssertionError, TypeError, ValueError):
        return None  # a type is unknown, or a part is missing or of another kind: not what is written here
    made = made if isinstance(made, tuple) else (made,)
    bound = {leaf: value for value, leaf in leaves.items()}
    if len(made) != len(node.outputs) or not all(_same(a, b, bound) for a, b in zip(node.outputs, made, strict=True)):
        return None
    outputs: list[ir.Value | None] = [None] * count
    for place, value in zip(places, node.outputs, strict=True):
        outputs[place] = value
    alone = ir.Node("", op_type, given, attributes.values(), num_outputs=count, name=node.name)
    for output, wanted in zip(alone.outputs, outputs, strict=True):
        output.name = "" if wanted is None else wanted.name
    return Plain(alone, inputs, outputs)


def _leaf(value: ir.Value) -> ir.Value:
    """What stands for a value of the file where the form is written once more."""
    leaf = ir.Value(name=value.name, type=value.type, const_value=None if value.is_graph_input() else value.const_value)
    leaf.shape, leaf.meta[_MARK] = value.shape, _not_negative(value)
    return leaf


_Found = tuple[str, Mapping[str, ir.Attr], list[ir.Value | None], list[int]]


def _in_branch(node: ir.Node) -> _Found | None:
    """The operator alone in the `else_branch` of an If."""
    branch = node.attributes["else_branch"].as_graph()
    if len(branch) != 1 or branch[0].domain not in ("", "ai.onnx"):
        return None
    outputs = list(branch[0].outputs)
    return branch[0].op_type, branch[0].attributes, list(branch[0].inputs), [outputs.index(v) for v in branch.outputs]


def _of_sum(node: ir.Node) -> _Found | None:
    """The mean that a sum was divided for."""
    total = _made_by(node.inputs[0], "ReduceSum")
    return None if total is None else ("ReduceMean", total.attributes, list(total.inputs), [0])


def _of_shares(node: ir.Node) -> _Found | None:
    """The mean of windows whose elements a convolution adds up, each with its share: by a constant, not a weight."""
    shares = node.inputs[1] if len(node.inputs) == 2 else None
    if shares is None or shares.shape is None or not str(shares.name).startswith("const["):
        return None
    options = {name: node.attributes[name] for name in ("strides", "pads")}
    options["kernel_shape"] = ir.AttrInt64s("kernel_shape", shares.shape.numpy()[2:])
    if any(options["pads"].as_ints()):
        options["count_include_pad"] = ir.AttrInt64("count_include_pad", 1)
    return "AveragePool", options, [node.inputs[0]], [0]


def _of_halves(node: ir.Node) -> _Found | None:
    """The sum of integers of which the lower halves were added up."""
    total = _made_by(node.inputs[1], "ReduceSum")
    low = None if total is None else _made_by(total.inputs[0], "BitwiseAnd")
    if total is None or low is None:
        return None
    return "ReduceSum", total.attributes, [low.inputs[0], *total.inputs[1:]], [0]


def _of_added(node: ir.Node) -> _Found | None:
    """What ends in an addition: the sum of integers by halves, or what was subtracted before exponentials and its rest."""
    logarithm = _made_by(node.inputs[0], "Log")
    total = None if logarithm is None else _made_by(logarithm.inputs[0], "ReduceSum")
    if total is None:
        return _of_halves(node)
    power = _made_by(total.inputs[0], "Exp")
    difference = None if power is None else _made_by(power.inputs[0], "Sub")
    return None if difference is None else ("ReduceLogSumExp", total.attributes, [difference.inputs[0], *total.inputs[1:]], [0])


def _of_bounded(node: ir.Node) -> _Found | None:
    """The maximum or minimum that a sum is a bound of."""
    made = node.inputs[0].producer() if len(node.inputs) == 2 and node.inputs[0] is not None else None
    if made is None or made.op_type not in ("MaxPool", "ReduceMax", "ReduceMin") or made.domain not in ("", "ai.onnx"):
        return None
    return made.op_type, made.attributes, list(made.inputs), [0]


def _made_by(value: ir.Value | None, op_type: str) -> ir.Node | None:
    node = None if value is None else value.producer()
    return node if node is not None and node.op_type == op_type else None


#: The operator that a form ends in -> which one it may be the form of.
_ENDS: dict[str, Callable[[ir.Node], _Found | None]] = {
    "If": _in_branch,
    "Div": _of_sum,
    "Conv": _of_shares,
    "Add": _of_added,
    "Min": _of_bounded,
    "Max": _of_bounded,
}


def _same(found: ir.Value | None, made: ir.Value | None, bound: Mapping[ir.Value, ir.Value]) -> bool:
    """Whether a value of a file is computed as one that was written here, from what stands for its own values."""
    if found is None or made is None:
        return found is made
    if made in bound:
        return found is bound[made]
    node, other = found.producer(), made.producer()
    if other is None:
        return _same_numbers(found, made)
    if node is None or (node.op_type, found.index()) != (other.op_type, made.index()) or node.domain not in ("", "ai.onnx"):
        return False
    if len(node.inputs) != len(other.inputs) or node.attributes.keys() != other.attributes.keys():
        return False
    return all(_same_attribute(attr, other.attributes[name], bound) for name, attr in node.attributes.items()) and all(
        _same(a, b, bound) for a, b in zip(node.inputs, other.inputs, strict=True)
    )


def _same_numbers(found: ir.Value, made: ir.Value) -> bool:
    given, own = found.const_value, made.const_value
    node = found.producer()
    if node is not None and node.op_type == "Constant" and "value" in node.attributes:
        given = node.attributes["value"].value
    if given is None or own is None or found.is_graph_input():
        return False
    return (given.dtype, tuple(given.shape)) == (own.dtype, tuple(own.shape)) and given.tobytes() == own.tobytes()


def _same_attribute(found: ir.Attr, made: ir.Attr, bound: Mapping[ir.Value, ir.Value]) -> bool:
    if found.is_ref() or found.type != made.type:
        return False
    if found.type != ir.AttributeType.GRAPH:
        return bool(found.value == made.value)
    given, own = list(found.as_graph().outputs), list(made.as_graph().outputs)
    return len(given) == len(own) and all(_same(a, b, bound) for a, b in zip(given, own, strict=True))
