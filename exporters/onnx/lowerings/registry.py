"""The table of lowerings, which every other file of this folder adds to.

A lowering is a function of an `Emitter`, a `Call` (the node: attributes, shapes, dtypes) and the ONNX values of the op's tensors;
it returns the ONNX value of the result, or a tuple of them. Every attribute must be read, so that none is forgotten. It may raise
`Unsupported`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, final

import onnx_ir as ir

from frazil.recorder.graph import Graph, Node, Source
from frazil.sizes import substitute
from frazil.table import Spec

from ..emit import Emitter, element_type
from ..errors import LoweringError

Lowering = Callable[..., Any]

#: Op name -> how it is written.
LOWERINGS: dict[str, Lowering] = {}


def lowering(*names: str) -> Callable[[Lowering], Lowering]:
    """Register the decorated function for the ops called `names`."""

    def register(function: Lowering) -> Lowering:
        for name in names:
            if name in LOWERINGS:
                raise LoweringError(f"two lowerings for op {name!r}: {LOWERINGS[name].__module__} and {function.__module__}")
            LOWERINGS[name] = function
        return function

    return register


def rounded_once(lower: Lowering) -> Lowering:
    """Let a lowering of several operators compute float16 in float32: sums and counts do not overflow, and what its formula gains
    is not lost between the operators."""

    @functools.wraps(lower)
    def wide(e: Emitter, call: Call, *tensors: ir.Value | None, **more: Any) -> Any:
        given = [in_float32(e, x) for x in tensors]
        if all(a is b for a, b in zip(given, tensors, strict=True)):
            return lower(e, call, *tensors, **more)
        results = lower(e, call, *given, **more)
        if not isinstance(results, tuple):
            return e.cast(results, call.type)
        return tuple(e.cast(r, element_type(spec.dtype)) for r, spec in zip(results, call.outputs, strict=True))

    return wide


def in_float32(e: Emitter, x: Any) -> Any:
    """float16 as float32; the rest as it is."""
    return e.cast(x, ir.DataType.FLOAT) if x is not None and x.dtype == ir.DataType.FLOAT16 else x


@final
class Call:
    """A node as a lowering sees it. `call["beta"]` reads an attribute, and counts as using it."""

    def __init__(self, node: Node, e: Emitter) -> None:
        self._attrs = {name: attr if isinstance(attr, Graph) else substitute(attr, e.fixed) for name, attr in node.attrs.items()}
        self._read: set[str] = set()
        self.op_name = node.op_name
        self.source: Source | None = node.source
        self.inputs: list[Spec | None] = [None if v is None else _spec(v.spec, e) for v in node.inputs]
        self.outputs: list[Spec] = [_spec(v.spec, e) for v in node.outputs]
        self._recorded = [() if v is None else tuple(v.spec.shape) for v in node.inputs]

    def __getitem__(self, name: str) -> Any:
        self._read.add(name)
        return self._attrs[name]

    @property
    def unread(self) -> list[str]:
        """The attributes that the lowering has not looked at."""
        return [name for name in self._attrs if name not in self._read]

    def shape(self, position: int = 0) -> tuple[Any, ...]:
        """Shape of an input."""
        spec = self.inputs[position]
        assert spec is not None
        return spec.shape

    def recorded(self, position: int = 0) -> tuple[Any, ...]:
        """Shape of an input as it was recorded, where `shape` has replaced sizes by those that guards say they are equal to."""
        return self._recorded[position]

    def rank(self, position: int = 0) -> int:
        """Number of dimensions of an input."""
        return len(self.shape(position))

    def kind(self, position: int = 0) -> str:
        """Of an input's dtype: "f"loat, "i"nteger or "b"ool."""
        spec = self.inputs[position]
        assert spec is not None
        return spec.dtype.kind

    @property
    def out(self) -> Spec:
        """Shape and dtype of the first result."""
        return self.outputs[0]

    @property
    def type(self) -> ir.DataType:
        """ONNX element type of the first result."""
        return element_type(self.out.dtype)


def _spec(spec: Spec, e: Emitter) -> Spec:
    return Spec(substitute(tuple(spec.shape), e.fixed), spec.dtype)
