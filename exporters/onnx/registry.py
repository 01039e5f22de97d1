"""What the installed onnxruntime can run, read from its own kernel registry.

onnxruntime matches a kernel by the exact `since_version` of the operator's schema unless the kernel names a closed range, so a
schema that was bumped in a newer opset silently loses its kernel. Asking before writing is the only way to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import onnx
import onnx_ir as ir
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from .ort_compat import EXPANDED

_OPEN_END = 2**31 - 1
_PROVIDER = "CPUExecutionProvider"


class Kernel(NamedTuple):
    """One kernel: the opsets it serves and, per type constraint, the types it takes."""

    first: int
    last: int
    types: dict[str, frozenset[str]]


@cache
def kernels(op_type: str, domain: str = "") -> tuple[Kernel, ...]:
    """The CPU kernels of an operator in the installed onnxruntime."""
    return _all_kernels().get((domain, op_type), ())


@cache
def _all_kernels() -> dict[tuple[str, str], tuple[Kernel, ...]]:
    found: dict[tuple[str, str], list[Kernel]] = {}
    for entry in runtime.get_all_opkernel_def():
        if entry.provider == _PROVIDER:
            first, last = entry.version_range
            types = {name: frozenset(allowed) for name, allowed in entry.type_constraints.items()}
            domain = "" if entry.domain == "ai.onnx" else entry.domain
            found.setdefault((domain, entry.op_name), []).append(Kernel(first, last, types))
    return {key: tuple(value) for key, value in found.items()}


@cache
def schema(op_type: str, opset: int, domain: str = "") -> onnx.defs.OpSchema:
    """The operator's definition in that opset. Raises onnx.defs.SchemaError when there is none."""
    return onnx.defs.get_schema(op_type, opset, domain)


def type_name(dtype: ir.DataType) -> str:
    """`tensor(float)`, as schemas and kernels write it."""
    return f"tensor({_TYPE_NAMES.get(dtype, dtype.name.lower())})"


_TYPE_NAMES = {ir.DataType.FLOAT: "float", ir.DataType.DOUBLE: "double"}


@cache
def missing(
    op_type: str, opset: int, inputs: tuple[ir.DataType | None, ...], outputs: tuple[ir.DataType, ...], domain: str = ""
) -> str | None:
    """Return why the installed onnxruntime cannot run this operator with these types, or None when it can.

    >>> missing("Relu", 21, (ir.DataType.FLOAT,), (ir.DataType.FLOAT,)) is None
    True
    """
    definition = schema(op_type, opset, domain)
    bound = _bind(definition, definition.inputs, inputs) | _bind(definition, definition.outputs, outputs)
    allowed = {c.type_param_str: set(c.allowed_type_strs) for c in definition.type_constraints}
    for name, given in bound.items():
        if name in allowed and given not in allowed[name]:
            return f"ONNX opset {opset} does not define {op_type} for {given}"
    usable = [
        kernel
        for kernel in kernels(op_type, domain)
        if definition.since_version == kernel.first
        or (kernel.last != _OPEN_END and kernel.first <= definition.since_version <= kernel.last)
    ]
    if any(all(given in kernel.types.get(name, {given}) for name, given in bound.items()) for kernel in usable):
        return None
    first = next((t for t in inputs if t is not None), None)
    if not kernels(op_type, domain) and first in EXPANDED.get(op_type, ()):
        return None
    types = ", ".join(f"{name} = {given}" for name, given in bound.items())
    what = f"for {types}" if usable else f"at opset {opset}"
    return f"onnxruntime {onnxruntime.__version__} has no CPU kernel of {op_type} {what}"


def _bind(definition: onnx.defs.OpSchema, formals: Sequence[object], actual: tuple[ir.DataType | None, ...]) -> dict[str, str]:
    """Type parameter, or name of the formal argument -> type."""
    bound: dict[str, str] = {}
    for position, dtype in enumerate(actual):
        formal = formals[min(position, len(formals) - 1)]
        if dtype is not None:
            bound.setdefault(formal.type_str, type_name(dtype))  # type: ignore[attr-defined]
    return bound
