"""Finds the first node at which a file and its program part, or two runtimes of a file, and writes a script that shows it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from frazil import dtypes
from frazil.autograd.modes import no_grad
from frazil.creation import tensor as make_tensor
from frazil.outside import plain
from frazil.recorder.graph import Graph, Node, Value
from frazil.sizes import Symbol, evaluate, symbols_of
from frazil.table import OPS
from frazil.tensor import Tensor

from .load import load
from .oracle import Oracle, Values, distance, eps_of, host, run_graph
from .reference import reference_outputs
from .running import run_file

#: Inputs of up to this many elements are written into the script, larger ones beside it.
_INLINE = 64


@dataclass(frozen=True)
class Divergence:
    """The first node whose result in the file differs from the program's."""

    node: Node
    value: str
    error: float
    #: The error in units of what rounding explains.
    excess: float
    #: The values of the graph that the node is in, as the program computes them.
    values: Values = field(default_factory=dict)
    script: str = ""
    #: Whether nothing can be said of the difference: the program's own numbers are lost here (see `Exact.judge`).
    beyond: bool = False
    #: Nodes before it whose results have no tensor of their own in the file: one of them may be where the two part.
    unseen: tuple[Node, ...] = ()

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
    oracle = Oracle(graph)
    exact = oracle.exact(arrays, eager)
    found = intermediate_values(proto, graph, feeds, names)
    doubtful: list[tuple[Node, Value]] = []
    for node in graph.nodes:
        for value in node.outputs:
            if value in found:
                first = exact.at_first_sight(value, found[value], eager[value].dtype)
                if first.excess > 1 or first.beyond:
                    doubtful.append((node, value))
    del exact
    for some in _by_memory(doubtful, found):
        exact = oracle.exact(arrays, eager, wanted=[value for _, value in some])
        for node, value in some:
            judged = exact.judge(value, found[value], eager[value].dtype)
            error, excess = judged.error, judged.excess
            if judged.beyond and excess <= 1:
                return Divergence(node, value.name, error, excess, beyond=True)
            if excess > 1:
                if node.subgraphs:
                    inner = _inside(proto, graph, node, eager, feeds, names)
                    return inner or Divergence(node, value.name, error, excess, script=_NO_SCRIPT)
                script = reproduction(node, eager, {**bindings, **_sizes_in(graph, eager)})
                unseen = tuple(_unseen_before(node, found))
                return Divergence(node, value.name, error, excess, values=eager, script=script, unseen=unseen)
    return None


def _unseen_before(node: Node, found: Collection[Value]) -> list[Node]:
    """The nodes that lie between this one and the values of the file that it is computed of."""
    unseen: dict[Node, None] = {}
    open_ = [node]
    while open_:
        inputs = [value for value in open_.pop().inputs if value is not None and value not in found]
        new = [v.producer for v in inputs if v.producer is not None and v.producer not in unseen]
        unseen.update(dict.fromkeys(new))
        open_ += new
    return list(unseen)


#: Bytes of the values that are judged at a time: those of all runs are kept meanwhile.
_AT_A_TIME = 2**26


def _by_memory(doubtful: Sequence[tuple[Node, Value]], found: Mapping[Value, np.ndarray]) -> Iterator[list[tuple[Node, Value]]]:
    """The same in parts, in order."""
    some: list[tuple[Node, Value]] = []
    size = 0
    for node, value in doubtful:
        if some and size + found[value].nbytes > _AT_A_TIME:
            yield some
            some, size = [], 0
        some.append((node, value))
        size += found[value].nbytes
    if some:
        yield some


_NO_SCRIPT = '"""The first round agrees: the difference is made by later ones."""\n'


def _sizes_in(graph: Graph, values: Values) -> dict[Symbol, int]:
    known = ((symbol, values[value], axis) for symbol, (value, axis) in graph.symbols.items() if value in values)
    return {symbol: int(array) if axis is None else array.shape[axis] for symbol, array, axis in known}


def _inside(
    proto: onnx.ModelProto,
    graph: Graph,
    node: Node,
    eager: Values,
    feeds: Mapping[str, np.ndarray],
    names: Mapping[Value, str],
) -> Divergence | None:
    """Look into the branch that was taken, or the first round of a body, as a model of its own."""
    given = [None if value is None else eager[value] for value in node.inputs]
    attribute, first = "body", []
    if node.op_name == "cond":
        attribute = "then_branch" if given[0] else "else_branch"
    elif node.op_name == "loop":
        first = [np.array(0), *(array for array in given[2:] if array is not None)]
    else:
        carried, row = node.attrs["carried"], -1 if node.attrs["reverse"] else 0
        first = [array if k < carried else np.asarray(array[row]) for k, array in enumerate(given) if array is not None]
    body: Graph = node.attrs[attribute]
    called = {names.get(value, value.name) for value in node.outputs}
    holder = next((n for n in proto.graph.node if called & set(n.output)), None)
    if holder is None:
        return None
    written = _subgraph_of(holder, attribute)
    alone = _with_surroundings(body, graph)
    arrays = [*first, *(eager[value] for value in alone.inputs[len(body.inputs) :])]
    own = {value.name: array for value, array in zip(body.inputs, first, strict=True)}
    for value in written.input:
        own.setdefault(value.name, np.array(True))  # whether a loop goes on
    model, inputs = _model_of(proto, written, own, feeds)
    return first_divergence(model, alone, arrays, inputs, {}, {})


def _subgraph_of(holder: onnx.NodeProto, attribute: str) -> onnx.GraphProto:
    """A branch or body as it is written. A Scan that may have no rounds stands in an If."""
    graphs = {attr.name: attr.g for attr in holder.attribute}
    if attribute in graphs:
        return graphs[attribute]
    return next(attr.g for inner in graphs["then_branch"].node for attr in inner.attribute if attr.name == attribute)


def _with_surroundings(body: Graph, graph: Graph) -> Graph:
    """The body as a graph that takes what it reads from around it as further inputs."""
    outer = dict.fromkeys(value for value in body.outer_values() if value not in graph.captured)
    used = symbols_of([a for node in body.walk() for a in node.attrs.values() if not isinstance(a, Graph)])
    outer.update(
        (graph.symbols[s].value, None) for s in used if s in graph.symbols and graph.symbols[s].value not in graph.captured
    )
    symbols = {**{s: o for s, o in graph.symbols.items() if o.value in outer}, **body.symbols}
    return Graph(body.name, [*body.inputs, *outer], body.outputs, body.nodes, graph.captured, symbols=symbols)


def _model_of(
    proto: onnx.ModelProto, written: onnx.GraphProto, own: Mapping[str, np.ndarray], feeds: Mapping[str, np.ndarray]
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A branch or body as a model without results, and its inputs: its own, and what it reads from around it."""
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    model.graph.Clear()
    model.graph.name = written.name
    model.graph.node.extend(written.node)
    read = {name for node in _all_nodes(written) for name in node.input if name}
    read.update(output.name for node in _all_nodes(written) for a in node.attribute for output in a.g.output)
    made = {name for node in _all_nodes(written) for name in node.output} | {value.name for value in written.input}
    inner = [attr.g for node in _all_nodes(written) for attr in node.attribute]
    made.update(value.name for graph in inner for value in (*graph.input, *graph.initializer))
    stored = [tensor for tensor in (*proto.graph.initializer, *written.initializer) if tensor.name in read]
    model.graph.initializer.extend(stored)
    outer = sorted(read - made - {tensor.name for tensor in stored})
    inputs = {**own, **run_exposed(proto, outer, feeds)}
    model.graph.input.extend(
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in inputs.items()
    )
    return model, inputs


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attr in node.attribute:
            yield from _all_nodes(attr.g)


def run_exposed(proto: onnx.ModelProto, names: Sequence[str], feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what onnxruntime computes for any of a file's values by name; what is fed is given as it is."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(proto)
    already = {output.name for output in proto.graph.output}
    wanted = [name for name in dict.fromkeys(names) if name not in feeds]
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in already)
    found = run_file(exposed.SerializeToString(), feeds, wanted) if wanted else {}
    return {name: found[name] if name in found else feeds[name] for name in names}


def intermediate_values(
    proto: onnx.ModelProto, graph: Graph, feeds: Mapping[str, np.ndarray], names: Mapping[Value, str]
) -> Values:
    """Return what onnxruntime computes for every value of the graph that has a tensor of its own in the file."""
    there = {name for node in proto.graph.node for name in node.output}
    wanted = {value: names.get(value, value.name) for node in graph.nodes for value in node.outputs}
    wanted = {value: name for value, name in wanted.items() if name in there}
    found = run_exposed(proto, list(wanted.values()), feeds)
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


def write_script(divergence: Divergence, path: Path) -> list[Path]:
    """Write the script, and its larger inputs beside it; the files written."""
    path.write_text(divergence.script)
    arrays = large_inputs(divergence.node, divergence.values) if divergence.values else {}
    if not arrays:
        return [path]
    beside = Path(f"{path}.npz")
    np.savez(beside, **arrays)  # type: ignore[arg-type]
    return [path, beside]


# --- two runtimes of a file -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """The first node of a file of which frazil and onnxruntime compute different results from the same inputs."""

    op_type: str
    name: str
    #: The result, and how its numbers differ.
    value: str
    words: str
    #: What ONNX's reference evaluator says of it, if anything.
    verdict: str = ""

    def __str__(self) -> str:
        return f"{plain(self.op_type)} {plain(self.name)!r}: its result {plain(self.value)!r} is {self.words}{self.verdict}"


def first_difference(proto: onnx.ModelProto, feeds: Mapping[str, np.ndarray], device: Any = None) -> Difference | None:
    """Run a file in frazil and in onnxruntime and compare every value of it in order, in the branch that is taken and the first
    round of a loop too; None when all agree."""
    model = load(proto, device=device)
    with no_grad():
        ours = model.values(**{name: make_tensor(array, device=device) for name, array in feeds.items()})
    found = {name: host(x) for name, x in ours.items() if isinstance(x, Tensor)}
    made = [name for node in proto.graph.node for name in node.output if name in found]
    theirs = run_exposed(proto, made, feeds)
    for node in proto.graph.node:
        for name in node.output:
            if name not in theirs or not isinstance(theirs[name], np.ndarray):
                continue
            words, equal = compared(found[name], theirs[name])
            if not equal:
                inner = _in_body(proto, node, {**feeds, **theirs}, feeds, device)
                return inner or Difference(
                    node.op_type, node.name, name, words, _verdict(proto, node, name, found, theirs, feeds)
                )
    return None


def compared(a: np.ndarray, b: np.ndarray) -> tuple[str, bool]:
    """Return how frazil's `a` and onnxruntime's `b` compare; floats are equal within some rounding errors of the largest."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"{a.dtype}{list(a.shape)}, but {b.dtype}{list(b.shape)} in onnxruntime", False
    if a.dtype.kind != "f":
        count = int((a != b).sum())
        return (
            ("the same in onnxruntime", True) if not count else (f"{count} of {a.size} numbers differ from onnxruntime's", False)
        )
    eps = eps_of(a.dtype)
    largest = float(np.abs(b[np.isfinite(b)]).max(initial=1.0))
    away = distance(a, b)
    allowed = 64 * eps * largest + 512 * eps * np.abs(np.where(np.isfinite(b), b, 0).astype(np.float64))
    equal = bool((away <= allowed).all())
    return (
        f"{'equal to' if equal else 'different from'} that of onnxruntime (largest difference {away.max(initial=0.0):.1e})",
        equal,
    )


def _in_body(
    proto: onnx.ModelProto, node: onnx.NodeProto, known: Mapping[str, Any], feeds: Mapping[str, np.ndarray], device: Any
) -> Difference | None:
    """Look into the branch that was taken, or the first round of a body, as a model of its own."""
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    given = [{**stored, **known}.get(name) for name in node.input]
    attributes = {attr.name: onnx.helper.get_attribute_value(attr) for attr in node.attribute}
    if node.op_type == "If" and given[0] is not None:
        written, first = attributes["then_branch" if given[0].item() else "else_branch"], []
    elif node.op_type == "Loop":
        written, first = attributes["body"], [np.array(0), np.array(True), *given[2:]]
    elif node.op_type == "Scan" and not any(name.endswith(("axes", "directions")) for name in attributes):
        carried = len(given) - attributes["num_scan_inputs"]
        rows = [array[0] if array is not None and len(array) else None for array in given[carried:]]
        written, first = attributes["body"], [*given[:carried], *map(np.asarray, rows)]
    else:
        return None
    if any(array is None for array in first):
        return None
    own = {value.name: array for value, array in zip(written.input, first, strict=True) if array is not None}
    return first_difference(*_model_of(proto, written, own, feeds), device)


def _verdict(
    proto: onnx.ModelProto, node: onnx.NodeProto, name: str, ours: Any, theirs: Any, feeds: Mapping[str, np.ndarray]
) -> str:
    """Whom ONNX's own reference evaluator agrees with about this one node, where it has it."""
    model, inputs = _model_of(proto, onnx.GraphProto(name="one", node=[node]), {}, feeds)
    model.graph.output.append(onnx.ValueInfoProto(name=name))
    try:
        judge = reference_outputs(model.SerializeToString(), inputs)[name]
        away = [float(distance(side[name], judge).max(initial=0.0)) for side in (ours, theirs)]
    except Exception:  # it lacks many operators, and says so in as many ways
        return ""
    return f"; ONNX's reference evaluator is {away[0]:.1e} away from frazil's, {away[1]:.1e} from onnxruntime's"
