"""Finds the first node at which a file and its program part, and writes a script that shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from frazil import dtypes
from frazil.recorder.graph import Graph, Node, Value
from frazil.recorder.sizes import Symbol, evaluate
from frazil.table import OPS

from .oracle import Values, exact_values, run_graph

#: Inputs of up to so many elements are written into the script, larger ones beside it.
_INLINE = 64


@dataclass(frozen=True)
class Divergence:
    """The first node whose result in the file differs from the program's."""

    node: Node
    value: str
    error: float
    #: The error in units of what rounding explains.
    excess: float
    script: str = ""

    def __str__(self) -> str:
        node = self.node
        lines = [f"{node.op_name} ({self.value}), largest error {self.error:.3g}, {self.excess:.3g} times what rounding explains"]
        if node.source:
            lines.append(f"  at {node.source}" + (f": {node.source.code}" if node.source.code else ""))
        if node.scope:
            lines.append(f"  in {node.scope[-1]}")
        return "\n".join(lines)


def first_divergence(
    proto: onnx.ModelProto,
    graph: Graph,
    arrays: Sequence[np.ndarray],
    feeds: Mapping[str, np.ndarray],
    bindings: Mapping[Symbol, int],
    names: Mapping[Value, str],
) -> Divergence | None:
    """Compare every value that has a tensor of its own in the file, in order; None when all of them agree.

    `names` are those of values that are called otherwise in the file: the results.
    """
    eager = run_graph(graph, arrays)
    exact = exact_values(graph, arrays, eager)
    found = intermediate_values(proto, graph, feeds, names)
    for node in graph.nodes:
        for value in node.outputs:
            if value not in found:
                continue
            error, excess = exact.excess(value, found[value], eager[value].dtype)
            if excess > 1:
                script = reproduction(node, eager, bindings)
                return Divergence(node, value.name, error, excess, script=script)
    return None


def intermediate_values(
    proto: onnx.ModelProto, graph: Graph, feeds: Mapping[str, np.ndarray], names: Mapping[Value, str]
) -> Values:
    """What onnxruntime computes for every value of the graph that has a tensor of its own in the file."""
    from .verify import run_file

    exposed = onnx.ModelProto()
    exposed.CopyFrom(proto)
    there = {name for node in proto.graph.node for name in node.output}
    already = {output.name for output in proto.graph.output}
    wanted = {value: names.get(value, value.name) for node in graph.nodes for value in node.outputs}
    wanted = {value: name for value, name in wanted.items() if name in there}
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in set(wanted.values()) - already)
    found = run_file(exposed.SerializeToString(), feeds)
    return {value: found[name] for value, name in wanted.items()}


def reproduction(node: Node, values: Values, bindings: Mapping[Symbol, int]) -> str:
    """A script that exports the one op with the inputs it had, which fails as the whole did."""
    lines = [
        f'"""The op {node.op_name!r} and its ONNX form disagree on these inputs: this export fails."""',
        "import numpy as np",
        "import frazil as fz",
        "from frazil.table import OPS",
        "",
    ]
    arguments = []
    for position, value in enumerate(node.inputs):
        if value is None:
            arguments.append("None")
            continue
        name = f"x{position}"
        arguments.append(name)
        lines.append(f"{name} = fz.tensor({_array_text(name, values[value])})")
    attrs = {name: evaluate(attr, bindings) for name, attr in node.attrs.items()}
    keywords = [f"{name}={_attribute_text(attr)}" for name, attr in attrs.items()]
    given = [name for name in arguments if name != "None"]
    call = f"[{', '.join(arguments)}]" if OPS[node.op_name].packed else ", ".join(arguments)
    lines += [
        "",
        f"def program({', '.join(given)}):",
        f"    return OPS[{node.op_name!r}].call({', '.join([call, *keywords]) if call else ', '.join(keywords)})",
        "",
        f"print(fz.onnx.export(program, ({''.join(name + ', ' for name in given)}), dynamic_shapes=None))",
        "",
    ]
    return "\n".join(lines)


def _array_text(name: str, array: np.ndarray) -> str:
    if array.size <= _INLINE:
        numbers = np.array2string(array.ravel(), separator=", ", threshold=_INLINE + 1, max_line_width=100, floatmode="unique")
        numbers = numbers.replace("nan", "np.nan").replace("inf", "np.inf")
        return f"np.array({numbers}, np.{array.dtype}).reshape({array.shape})"
    return f"np.load(__file__ + '.npz')[{name!r}]"


def _attribute_text(attr: Any) -> str:
    if isinstance(attr, dtypes.dtype):
        return f"fz.{attr.name}"
    if isinstance(attr, tuple):
        return "(" + "".join(_attribute_text(a) + ", " for a in attr) + ")"
    if isinstance(attr, float) and not np.isfinite(attr):
        return f"float('{attr}')"
    return repr(attr)


def large_inputs(node: Node, values: Values) -> dict[str, np.ndarray]:
    """The inputs that the script reads from beside it."""
    return {f"x{i}": values[v] for i, v in enumerate(node.inputs) if v is not None and values[v].size > _INLINE}


def write_script(divergence: Divergence, values: Values, path: Path) -> list[Path]:
    """Write the script, and its larger inputs beside it; the files written."""
    path.write_text(divergence.script)
    arrays = large_inputs(divergence.node, values)
    if not arrays:
        return [path]
    beside = Path(f"{path}.npz")
    np.savez(beside, **arrays)  # type: ignore[arg-type]
    return [path, beside]
