"""Writes operators, one call each, into an ONNX graph under construction.

`Emitter` is what a lowering talks to. It names everything, shares constants, knows the element type of every value, asks the
installed onnxruntime whether it has a kernel, and takes the detours of `ort_compat`.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, final

import numpy as np
import onnx_ir as ir

from frazil import dtypes
from frazil.recorder.graph import Node as GraphNode
from frazil.recorder.graph import Origin
from frazil.recorder.graph import Value as GraphValue
from frazil.sizes import Size, Symbol, SymBool, SymFloat, SymInt, is_static

from . import ort_compat, registry
from .errors import Unsupported
from .sizes import scalar

#: Opset -> the IR version it is stamped with, for those that onnxruntime has its CPU kernels for.
IR_VERSIONS = {21: 10, 23: 11, 24: 12}

#: frazil dtype name -> ONNX element type.
ELEMENT_TYPES: dict[str, ir.DataType] = {
    "bool": ir.DataType.BOOL,
    "uint8": ir.DataType.UINT8,
    "int8": ir.DataType.INT8,
    "int16": ir.DataType.INT16,
    "int32": ir.DataType.INT32,
    "int64": ir.DataType.INT64,
    "uint16": ir.DataType.UINT16,
    "uint32": ir.DataType.UINT32,
    "uint64": ir.DataType.UINT64,
    "float16": ir.DataType.FLOAT16,
    "bfloat16": ir.DataType.BFLOAT16,
    "float32": ir.DataType.FLOAT,
    "float64": ir.DataType.DOUBLE,
}

BOOL, INT64, DOUBLE = ir.DataType.BOOL, ir.DataType.INT64, ir.DataType.DOUBLE
_INTEGERS = frozenset(kind for name, kind in ELEMENT_TYPES.items() if "int" in name)

#: Operators whose results are not of the type of an input: type per result, None for that of the first input.
_RESULT_TYPES: dict[str, tuple[ir.DataType | None, ...]] = {
    **dict.fromkeys(("Shape", "Size", "NonZero", "ArgMax", "ArgMin"), (INT64,)),
    **dict.fromkeys(
        ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Not", "IsNaN", "IsInf"), (BOOL,)
    ),
    **dict.fromkeys(("TopK", "MaxPool"), (None, INT64)),
}
#: Operators whose results have the type of another input than the first.
_TYPE_GIVER = {"Where": 1}


def element_type(dtype: dtypes.dtype) -> ir.DataType:
    """The ONNX element type of a frazil dtype. Raises Unsupported for those that no operator takes (complex numbers)."""
    if dtype.name not in ELEMENT_TYPES:
        raise Unsupported(f"onnxruntime has no operators for {dtype.name}")
    return ELEMENT_TYPES[dtype.name]


@final
class Emitter:
    """The ONNX graph, branch or loop body being written. `values` maps what the recorded graph calls its values to what they
    became."""

    def __init__(self, opset: int, *, parent: Emitter | None = None) -> None:
        self.opset = opset
        self.parent = parent
        self.nodes: list[ir.Node] = []
        self.values: ChainMap[GraphValue, ir.Value] = parent.values.new_child() if parent else ChainMap()
        self.origins: ChainMap[Symbol, Origin] = parent.origins.new_child() if parent else ChainMap()
        self.sizes: ChainMap[Any, ir.Value] = parent.sizes.new_child() if parent else ChainMap()
        #: Compound size -> a value that has it along an axis, so that one Shape replaces the arithmetic.
        self.known: ChainMap[Any, tuple[GraphValue, int]] = parent.known.new_child() if parent else ChainMap()
        #: What is bfloat16 and was only moved since -> the same in float32, so that it need not be cast again.
        self.wide: ChainMap[GraphValue, ir.Value] = parent.wide.new_child() if parent else ChainMap()
        #: Values that were computed as the matrix of all their rows -> that matrix.
        self.rows: ChainMap[GraphValue, ir.Value] = parent.rows.new_child() if parent else ChainMap()
        #: Operator, inputs and attributes -> its results, so that the same is computed once.
        self.emitted: ChainMap[Any, list[ir.Value]] = parent.emitted.new_child() if parent else ChainMap()
        #: Conditions on sizes without which a value cannot be computed: its operator refuses other sizes by itself.
        self.refused: list[tuple[SymBool, ir.Value]] = []
        #: The same of operators that are there for nothing else.
        self.checked: list[tuple[SymBool, ir.Value]] = []
        # one of each per file
        #: What is known of sizes without what is checked by operators that are there for nothing else.
        self.facts: list[SymBool] = parent.facts if parent else []
        self.fixed: dict[Symbol, Size] = parent.fixed if parent else {}
        self.stored: dict[Any, ir.Value] = parent.stored if parent else {}
        self.own: set[GraphValue] = parent.own if parent else set()
        self.final_names: set[str] = parent.final_names if parent else set()
        self.initializers: list[ir.Value] = parent.initializers if parent else []
        self.functions: dict[str, ir.Function] = parent.functions if parent else {}
        self._names: set[str] = parent._names if parent else set()
        self._constants: dict[Any, ir.Value] = parent._constants if parent else {}
        self._metadata: dict[str, str] = parent._metadata if parent else {}
        self._base: str = parent._base if parent else "value"

    # --- names and places

    def unique(self, base: str) -> str:
        """`base`, or `base_1`, ...: a name that is free in the file, taken from now on."""
        name, count = base, 0
        while name in self._names:
            count += 1
            name = f"{base}_{count}"
        self._names.add(name)
        return name

    def reserve(self, values: Iterable[GraphValue]) -> None:
        """Keep their names for the values of the recorded graph."""
        values = list(values)
        self.own.update(values)
        self._names.update(value.name for value in values)

    @contextmanager
    def at(self, node: GraphNode, place: GraphNode | None = None) -> Iterator[None]:
        """Let what is emitted inside belong to `node`; if it turns out to be unsupported, nothing of it stays.

        `place` is the node in the user's program where `node` itself comes from the body of an op.
        """
        before, count = (self._metadata, self._base), len(self.nodes)
        place = place or node
        self._metadata = {"frazil.op": place.op_name}
        if place.scope:
            self._metadata["frazil.module"] = str(place.scope[-1])
        if place.source:
            self._metadata["frazil.source"] = str(place.source)
            if place.source.code:
                self._metadata["frazil.code"] = place.source.code
        self._base = place.outputs[0].name if place.outputs else place.op_name
        caches = [(cache.maps[0], dict(cache.maps[0])) for cache in (self.sizes, self.known, self.emitted)]
        try:
            yield
        except BaseException:
            del self.nodes[count:]
            for cache, was in caches:
                cache.clear()
                cache.update(was)
            raise
        finally:
            self._metadata, self._base = before

    def child(self) -> Emitter:
        """For a branch or a loop body: sees all values around it, shares constants and names."""
        return Emitter(self.opset, parent=self)

    # --- operators

    def op(
        self,
        op_type: str,
        *inputs: ir.Value | None,
        dtype: ir.DataType | Sequence[ir.DataType] | None = None,
        outputs: int = 1,
        domain: str = "",
        name: str | None = None,
        **attrs: Any,
    ) -> Any:
        """Emit one operator; its result, or a tuple of `outputs` results.

        `dtype` gives the element types of the results where the operator's name and first input do not. Raises Unsupported when
        the installed onnxruntime has no kernel for the types and there is no exact detour.
        """
        types = self._result_types(op_type, inputs, dtype, outputs)
        detour = self._detour(op_type, inputs, types, domain)
        if detour is not None:
            narrow, wide = detour
            widened = [self.cast(x, wide) if x is not None and x.dtype == narrow else x for x in inputs]
            wide_types = [wide if t == narrow else t for t in types]
            results = self._emit(op_type, widened, wide_types, domain, name, attrs)
            results = [self.cast(r, t) for r, t in zip(results, types, strict=True)]
        else:
            results = self._emit(op_type, list(inputs), types, domain, name, attrs)
        return results[0] if outputs == 1 else tuple(results)

    def _result_types(self, op_type: str, inputs: Sequence[Any], dtype: Any, outputs: int) -> list[ir.DataType]:
        if isinstance(dtype, ir.DataType):
            return [dtype] * outputs
        if dtype is not None:
            return list(dtype)
        giver = inputs[_TYPE_GIVER.get(op_type, 0)]
        return [t or giver.dtype for t in _RESULT_TYPES.get(op_type, (None,) * outputs)[:outputs]]

    def _detour(
        self, op_type: str, inputs: Sequence[ir.Value | None], results: Sequence[ir.DataType], domain: str
    ) -> tuple[ir.DataType, ir.DataType] | None:
        if domain or op_type in ("If", "Loop", "Scan", "Constant"):
            return None  # local functions and control flow take any type, and constants are no kernels
        given = tuple(None if x is None else x.dtype for x in inputs)
        reason = registry.missing(op_type, self.opset, given, tuple(results))
        if reason is None:
            return None
        for narrow in given:
            wide = ort_compat.DETOURS.get(op_type, {}).get(narrow) if narrow else None
            if narrow is not None and wide is not None:
                swapped = tuple(wide if t == narrow else t for t in given)
                if registry.missing(op_type, self.opset, swapped, tuple(wide if t == narrow else t for t in results)) is None:
                    return narrow, wide
        raise Unsupported(reason)

    def _emit(
        self, op_type: str, inputs: list[Any], types: Sequence[ir.DataType], domain: str, name: str | None, attrs: dict[str, Any]
    ) -> list[ir.Value]:
        while inputs and inputs[-1] is None:
            inputs.pop()
        given = {key: _number(value) for key, value in attrs.items() if value is not None}
        key = _call_key(op_type, domain, inputs, types, given)
        if key is not None and key in self.emitted:
            return self.emitted[key]
        if not domain and _is_done(op_type, inputs):
            return inputs[:1]
        outputs = [ir.Value(name=self.unique(f"{self._base}.{op_type}"), type=ir.TensorType(t)) for t in types]
        node = ir.Node(
            domain,
            op_type,
            inputs,
            [_attribute(key, value) for key, value in given.items()],
            outputs=outputs,
            name=name or outputs[0].name,
            metadata_props=dict(self._metadata),
        )
        self.nodes.append(node)
        if key is not None:
            self.emitted[key] = outputs
        return outputs

    def refuses(self, condition: Any, value: ir.Value) -> None:
        """Note that the operator of the value refuses sizes for which the condition does not hold."""
        if isinstance(condition, SymBool):
            self.refused.append((condition, value))

    def cast(self, x: ir.Value, to: ir.DataType) -> ir.Value:
        """`x` as another element type; `x` itself when it already is."""
        return x if x.dtype == to else self._emit("Cast", [x], [to], "", None, {"to": int(to)})[0]

    def call(self, function: ir.Function, *inputs: ir.Value, dtype: ir.DataType | Sequence[ir.DataType], outputs: int = 1) -> Any:
        """Call a local function, which becomes part of the file."""
        self.functions.setdefault(f"{function.domain}.{function.name}", function)
        return self.op(function.name, *inputs, dtype=dtype, outputs=outputs, domain=function.domain)

    # --- constants

    def constant(self, value: Any, dtype: ir.DataType, name: str | None = None) -> ir.Value:
        """A constant of a number or array; equal constants are one. Parameters never come this way: they are not merged by
        value."""
        array = np.asarray(value).astype(dtype.numpy())
        key = (dtype, array.shape, array.tobytes())
        if key not in self._constants:
            if name is None:
                text = ",".join(map(str, array.ravel().tolist())) if array.size <= 4 else "x".join(map(str, array.shape))
                name = self.unique(f"const[{text}]")
            result = self.initializer(name, array)
            self._constants[key] = result
        return self._constants[key]

    @property
    def constants(self) -> list[ir.Value]:
        """Return what `constant` gave, for the whole file."""
        return list(self._constants.values())

    def ints(self, *numbers: int) -> ir.Value:
        """A 1-D int64 constant."""
        return self.constant(np.array(numbers, np.int64), INT64)

    def like(self, value: Any, x: ir.Value) -> ir.Value:
        """A number (or array, or something computed from sizes) of the element type of `x`."""
        assert x.dtype is not None
        if is_static(value):
            return self.constant(value, x.dtype)
        return scalar(self, value, x.dtype)

    def initializer(self, name: str, array: np.ndarray) -> ir.Value:
        """A tensor that is stored in the file."""
        tensor = ir.Tensor(array, name=name)
        value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        self.initializers.append(value)
        return value


def _is_done(op_type: str, inputs: Sequence[ir.Value]) -> bool:
    """Whether the first input is what the operator makes of it already: a limit, or a mask of zeros and ones, set twice."""
    before = inputs[0].producer() if len(inputs) == 2 and op_type in ("Min", "Max", "Mul") else None
    if before is None or before.op_type != op_type or before.domain or inputs[1] not in before.inputs:
        return False
    if op_type != "Mul":
        return True
    mask = inputs[1].producer()
    return inputs[1].dtype in _INTEGERS and mask is not None and mask.op_type == "Cast" and mask.inputs[0].dtype == BOOL


def _number(value: Any) -> Any:
    """An attribute as ONNX keeps it: sizes become numbers here, which whoever lowers a node is asked about."""
    if isinstance(value, (tuple, list)):
        return [_number(item) for item in value]
    return int(value) if isinstance(value, SymInt) else float(value) if isinstance(value, SymFloat) else value


_ATTRIBUTES: dict[type, Any] = {int: ir.AttrInt64, bool: ir.AttrInt64, float: ir.AttrFloat32, str: ir.AttrString}


def _attribute(name: str, value: Any) -> ir.Attr:
    """As `onnx_ir` would convert it, which asks of every value whether it is one of many protocols."""
    made: ir.Attr
    if type(value) in _ATTRIBUTES:
        made = _ATTRIBUTES[type(value)](name, value)
    elif type(value) is list and value and all(type(item) is int for item in value):
        made = ir.AttrInt64s(name, value)
    else:
        made = ir.convenience.convert_attribute(name, value)
    return made


def _call_key(op_type: str, domain: str, inputs: Sequence[Any], types: Sequence[ir.DataType], attrs: dict[str, Any]) -> Any:
    """Equal for calls that compute the same. None for those that are never one: Identity is there to be another value, and
    attributes that are tensors or graphs are not compared."""
    simple = all(isinstance(n, (int, float, str)) for value in attrs.values() for n in _items(value))
    if op_type == "Identity" or not simple:
        return None
    return op_type, domain, tuple(map(id, inputs)), tuple(types), repr(sorted(attrs.items()))


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (tuple, list)) else (value,)
