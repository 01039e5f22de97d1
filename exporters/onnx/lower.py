"""From the recorded graph to the ONNX model: one walk over the nodes, each by its lowering or through its op's body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, final

import numpy as np
import onnx_ir as ir

from frazil.dtypes import bfloat16, float16, float32
from frazil.errors import RecordError
from frazil.recorder.graph import Graph, Guard, Node, Value
from frazil.recorder.passes import optimize, solve_guards
from frazil.recorder.real import in_real_numbers, is_real
from frazil.recorder.trace import expand
from frazil.sizes import Size, Symbol, SymBool, SymInt, decide, deciding, is_static, substitute, symbols_of
from frazil.table import OPS, Spec
from frazil.widen import MOVES

from . import sizes
from .control import lower_control, settle
from .emit import ELEMENT_TYPES, IR_VERSIONS, Emitter, element_type
from .errors import LoweringError, Problem, Unsupported, UnsupportedOps
from .guards import emit_asserts, keep_asserts
from .lowerings import LOWERINGS, Call, Lowering
from .subgraphs import all_inputs, without_dead
from .tidy import fold_norms, joined, matrix, row_wise, whole_splits


@dataclass
class Lowered:
    """A model, and the graph it was made of."""

    model: ir.Model
    graph: Graph
    #: Guards that are asserts in the file.
    embedded: list[Guard] = field(default_factory=list)
    #: Weights of convolutions that a BatchNormalization was made part of.
    folded: list[str] = field(default_factory=list)
    #: Inputs and outputs that are complex in the program, and pairs of real numbers in the file.
    pairs: list[str] = field(default_factory=list)


def lower(
    graph: Graph,
    *,
    opset_version: int = 21,
    guards: str = "embed",
    lowerings: Mapping[str, Lowering] | None = None,
    output_names: Sequence[str] | None = None,
    producer_version: str = "",
    fold: bool = False,
) -> Lowered:
    """The ONNX model of a graph. Raises UnsupportedOps listing every node that has no ONNX form.

    Decisions on sizes in the bodies of ops are added to the graph's guards.
    """
    program, graph = graph, in_real(graph)
    refused: list[SymBool] = []
    checked: list[SymBool] = []
    while True:
        walk = _Lowering(graph, opset_version, {**LOWERINGS, **(lowerings or {})}, refused, checked)
        lowered = walk.run(guards == "embed", output_names, producer_version, fold)
        if walk.found_guards:
            graph.guards += walk.found_guards  # decisions in the bodies of ops: once more, with them among the asserts
        elif not (refused or checked) and walk.answers_questions(lowered):
            refused, checked = (
                walk.refused,
                walk.checked,
            )  # once more, knowing what the operators refuse by themselves: without asserts of it
        else:
            names = [value.name for value in (*lowered.model.graph.inputs, *lowered.model.graph.outputs)]
            lowered.pairs = pairs_among(program, names)
            return lowered


def pairs_among(graph: Graph, names: Sequence[Any]) -> list[str]:
    """Those of the names of inputs, states and results whose values are complex."""
    values = [*graph.inputs, *state_inputs(graph), *graph.results]
    return [str(name) for name, value in zip(names, values, strict=True) if value.spec.dtype.is_complex]


def in_real(graph: Graph) -> Graph:
    """The graph in real numbers: itself, if there are no complex ones. Raises UnsupportedOps."""
    if is_real(graph):
        return graph
    problems: list[Problem] = []
    found = in_real_numbers(graph, lambda node, why: problems.append(Problem(node.op_name, why, node.source)))
    if problems:
        raise UnsupportedOps(problems)
    return optimize(found)


@final
class _Lowering:
    def __init__(
        self,
        graph: Graph,
        opset: int,
        lowerings: Mapping[str, Lowering],
        refused: Sequence[SymBool],
        checked: Sequence[SymBool],
    ) -> None:
        self.graph = graph
        #: What the operators of the file refuse, as was found out before, and as it is found out: by themselves, and because they
        #: are there for it.
        self.known = [*refused, *checked]
        self.refused, self.checked = list[SymBool](), list[SymBool]()
        #: What lowerings would have liked to know of sizes.
        self.asked: list[SymBool] = []
        self.lowerings = lowerings
        self.by_rows: set[Node] = set()
        self.problems: list[Problem] = []
        self.found_guards: list[Guard] = []
        self.e = Emitter(opset)
        self.e.facts += [*(guard.holds for guard in graph.guards), *refused]
        self.e.fixed.update(solve_guards(graph.guards))
        self.e.origins.update(graph.symbols)
        self.e.reserve(graph.inputs + graph.captured)
        for node in graph.walk():
            self.e.reserve(node.outputs)
            self.e.reserve(value for subgraph in node.subgraphs.values() for value in subgraph.inputs)

    def run(self, embed: bool, output_names: Sequence[str] | None, producer_version: str, fold: bool) -> Lowered:
        graph, e = self.graph, self.e
        inputs = [self._input(value, e) for value in [*graph.inputs, *state_inputs(graph)]]
        for value in [*graph.outputs, *(state.output for state in graph.states)]:
            self._check_boundary(value, "output")
        self._capture(graph, e)
        embedded = [guard for guard in graph.guards if not is_decided(guard, e.fixed)] if embed else []
        passed = emit_asserts(e, [guard for guard in embedded if decide(guard.holds, self.known) is not True], graph)
        self.nodes(e, graph)
        if self.problems:
            raise UnsupportedOps(self.problems)
        keep_asserts(e, passed, [*graph.outputs, *(state.output for state in graph.states)])
        outputs = self._outputs(output_names)
        nodes, folded = joined(without_dead(e.nodes, outputs), outputs), list[str]()
        live = {id(value) for node in nodes for value in node.outputs}
        self.refused = [condition for condition, value in e.refused if id(value) in live]
        self.checked = [condition for condition, value in e.checked if id(value) in live]
        if fold:
            nodes, folded = fold_norms(nodes, outputs, e.initializers, e.unique)
        model = self._model(inputs, nodes, outputs, producer_version)
        return Lowered(model, graph, embedded, folded)

    def answers_questions(self, lowered: Lowered) -> bool:
        """Return whether the file becomes smaller when it is known what its operators refuse."""
        asserts = any(decide(guard.holds, self.refused) is True for guard in lowered.embedded)
        return asserts or any(decide(asked, [*self.refused, *self.checked]) is True for asked in self.asked)

    # --- nodes

    def nodes(self, e: Emitter, graph: Graph) -> None:
        """Emit all nodes; problems are collected."""
        self.by_rows |= row_wise(graph)
        splits = whole_splits(graph)
        pieces = {piece for _, pieces in splits.values() for piece in pieces}
        for node in graph.nodes:
            if node in splits:
                self._split(e, node, *splits[node])
            if node in pieces:
                continue
            try:
                self.node(e, node)
            except Unsupported as reason:
                self.problems.append(Problem(node.op_name, str(reason), node.source))
                self._placeholder(e, node)

    def _split(self, e: Emitter, node: Node, dim: int, pieces: Sequence[Node]) -> None:
        with e.at(node):
            sizes = e.ints(*(piece.outputs[0].spec.shape[dim] for piece in pieces))
            (whole,) = node.inputs
            assert whole is not None
            parts = e.op("Split", e.values[whole], sizes, axis=dim, outputs=len(pieces))
            for piece, part in zip(pieces, parts, strict=True):
                self._define(e, piece.outputs[0], part)

    def node(self, e: Emitter, node: Node, place: Node | None = None) -> None:
        """Emit one node; `place` is the user's node when this one comes from a body."""
        with e.at(node, place):
            if node.subgraphs:
                return self._control(e, node)
            shapes = [substitute(tuple(value.spec.shape), e.fixed) for value in node.outputs]
            if shapes and all(is_static(shape) and 0 in shape for shape in shapes):
                for value, shape in zip(node.outputs, shapes, strict=True):  # some kernels cannot work on nothing
                    dtype = element_type(value.spec.dtype)
                    self._define(e, value, e.constant(np.zeros(shape), dtype))
                return None
            if any(value is not None and value.spec.dtype is bfloat16 for value in (*node.inputs, *node.outputs)):
                return self._in_float32(e, node, place)
            lowering = self.lowerings.get(node.op_name)
            if lowering is not None:
                try:
                    with e.at(node, place), deciding(Decisions(self, node, (place or node).source)):
                        return self._by_lowering(e, node, lowering)
                except Unsupported as reason:
                    if not has_body(node.op_name):
                        raise
                    direct = str(reason)
            else:
                direct = "it has no lowering, and plugins offer none"
            if not has_body(node.op_name):
                raise Unsupported(direct)
            self._through_body(e, node, place or node, direct if lowering is not None else "")

    def _in_float32(self, e: Emitter, node: Node, place: Node | None) -> None:
        """A node of bfloat16, for which onnxruntime has hardly any kernels: in float32, its results rounded to bfloat16."""
        if node.op_name == "random_uniform":
            raise Unsupported("random numbers of bfloat16 are not drawn in a file: draw float32 and cast it with .bfloat16()")
        inputs, outputs = [None if v is None else _twin(v) for v in node.inputs], [_twin(v) for v in node.outputs]
        for value, twin in zip(node.inputs, inputs, strict=True):
            if value is not None and twin is not None:
                e.values[twin] = e.wide[value] if value in e.wide else e.cast(e.values[value], element_type(twin.spec.dtype))
        if node.op_name == "cast":
            (given,), (value,) = inputs, node.outputs
            assert given is not None
            wide = [
                e.cast(e.values[given], ir.DataType.FLOAT if value.spec.dtype is bfloat16 else element_type(value.spec.dtype))
            ]
        else:
            attrs = {name: float32 if attr is bfloat16 else attr for name, attr in node.attrs.items()}
            self.node(e, Node(node.op_name, inputs, attrs, outputs, source=node.source, scope=node.scope), place or node)
            wide = [e.values[twin] for twin in outputs]
        for value, found in zip(node.outputs, wide, strict=True):
            self._define(e, value, e.cast(found, element_type(value.spec.dtype)))
            if value.spec.dtype is bfloat16 and node.op_name in MOVES and node.op_name != "cast":
                e.wide[value] = found

    def _by_lowering(self, e: Emitter, node: Node, lowering: Lowering) -> None:
        given = [None if value is None else e.values[value] for value in node.inputs]
        first, whole = node.inputs[0] if node.inputs else None, node
        if node in self.by_rows or (node.op_name == "reshape" and first in e.rows):
            assert first is not None
            node, given[0] = self._on_rows(e, node, first)
        call = Call(node, e)
        results = lowering(e, call, *given)
        if call.unread:
            raise LoweringError(f"the lowering of {node.op_name} ignores {', '.join(call.unread)}: it must read every attribute")
        results = results if isinstance(results, tuple) else (results,)
        if len(results) != len(node.outputs):
            raise LoweringError(f"the lowering of {node.op_name} returns {len(results)} results, the op has {len(node.outputs)}")
        for value, result in zip(node.outputs, results, strict=True):
            if result.dtype != element_type(value.spec.dtype):
                raise LoweringError(f"the lowering of {node.op_name} returns {result.dtype}, the op {value.spec.dtype.name}")
            if whole in self.by_rows:
                e.rows[whole.outputs[0]] = result
                result = sizes.reshape(e, result, value.spec.shape, whole.outputs[0].spec.shape)
            self._define(e, whole.outputs[0] if whole in self.by_rows else value, result)

    def _on_rows(self, e: Emitter, node: Node, x: Value) -> tuple[Node, ir.Value]:
        """The node as one on the matrix of all rows of x, and that matrix."""
        rows = e.rows.get(x)
        if rows is None:
            before = x.producer
            source = x if before is None or before.op_name != "reshape" or before.inputs[0] not in e.values else before.inputs[0]
            assert source is not None
            rows = sizes.reshape(e, e.values[source], source.spec.shape, matrix(x.spec).shape)
        inputs = [Value(x.name, matrix(x.spec)), *node.inputs[1:]]
        outputs = node.outputs
        if node in self.by_rows:
            outputs = [Value(value.name, matrix(value.spec)) for value in outputs]
        return Node(node.op_name, inputs, node.attrs, outputs, source=node.source, scope=node.scope), rows

    def _through_body(self, e: Emitter, node: Node, place: Node, direct: str) -> None:
        """Emit the nodes of the body; `direct` is why the op's own lowering does not do."""
        try:
            body = expand(_in_float32(node))
        except RecordError as error:  # the body decides on what only the running program knows
            raise Unsupported(direct or str(error).partition("\n  at ")[0]) from error
        given = [value for value in node.inputs if value is not None]
        for inner, outer in zip(body.inputs, given, strict=True):
            e.values[inner] = e.cast(e.values[outer], element_type(inner.spec.dtype))
        e.origins.update({symbol: origin for symbol, origin in body.symbols.items() if symbol not in e.origins})
        known = [guard.holds for guard in (*self.graph.guards, *self.found_guards)]
        self.found_guards += [
            Guard(guard.condition, guard.expected, place.source)
            for guard in body.guards
            if decide(guard.holds, known) is not True
        ]
        self._capture(body, e)
        for inner_node in body.nodes:
            self.node(e, inner_node, place)
        for value, inner in zip(node.outputs, body.outputs, strict=True):
            self._define(e, value, e.cast(e.values[inner], element_type(value.spec.dtype)))

    def _define(self, e: Emitter, value: Value, result: ir.Value) -> None:
        e.values[value] = result
        own = result.producer()
        if own is not None and result.name not in e.final_names and value in e.own:
            result.name = value.name
            e.final_names.add(value.name)
            result.shape = declared_shape(value, e)
        for axis, size in enumerate(substitute(tuple(value.spec.shape), e.fixed)):
            if isinstance(size, SymInt) and size.symbol is None:
                e.known.setdefault(size, (value, axis))

    def _control(self, e: Emitter, node: Node) -> None:
        results = lower_control(e, node, self._subgraph)
        for value, result in zip(node.outputs, results, strict=True):
            self._define(e, value, result)

    def _subgraph(self, e: Emitter, graph: Graph) -> tuple[Emitter, list[ir.Value], list[ir.Value]]:
        """A branch or body: where it was written, its inputs and its outputs."""
        inner = e.child()
        inner.origins.update(graph.symbols)
        inputs = [self._input(value, inner) for value in graph.inputs]
        self.nodes(inner, graph)
        outputs: list[ir.Value] = []
        for value in graph.outputs:
            found = inner.values[value]
            if not any(found in node.outputs for node in inner.nodes) or any(found is other for other in outputs):
                found = inner.op("Identity", found)
            outputs.append(found)
        return inner, inputs, outputs

    def _placeholder(self, e: Emitter, node: Node) -> None:
        """Stand-ins for the results of a node that failed, so that the others are still looked at."""
        for value in node.outputs:
            dtype = ELEMENT_TYPES.get(value.spec.dtype.name, ir.DataType.FLOAT)
            e.values[value] = ir.Value(name=value.name, type=ir.TensorType(dtype))

    # --- inputs, constants, outputs

    def _element_type(self, value: Value, what: str) -> ir.DataType:
        try:
            return element_type(value.spec.dtype)
        except Unsupported as reason:
            self.problems.append(Problem(f"{what} {value.name}", str(reason)))
            return ir.DataType.FLOAT

    def _input(self, value: Value, e: Emitter) -> ir.Value:
        dtype = self._element_type(value, "input")
        if e is self.e:
            self._check_boundary(value, "input")
        found = ir.Value(name=value.name, shape=declared_shape(value, e), type=ir.TensorType(dtype))
        e.values[value] = found
        e.final_names.add(value.name)
        return found

    def _check_boundary(self, value: Value, what: str) -> None:
        if value.spec.dtype is bfloat16:
            cure = "take float32 and call .bfloat16() inside" if what == "input" else "return it with .float()"
            self.problems.append(Problem(f"{what} {value.name}", f"onnxruntime hands no bfloat16 in or out: {cure}"))

    def _capture(self, graph: Graph, e: Emitter) -> None:
        for value in graph.captured:
            if value in e.values:
                continue
            dtype = self._element_type(value, value.kind or "")
            array = value.tensor.detach().cpu()._array()  # type: ignore[union-attr]
            if array.dtype != dtype.numpy():
                e.values[value] = ir.Value(name=value.name, type=ir.TensorType(dtype))
                continue
            if value.kind == "constant":
                name = value.name if graph is self.graph else None
                e.values[value] = e.constant(array, dtype, name=name)
                continue
            key = storage(array)
            if key not in e.stored:
                e.stored[key] = e.initializer(value.name if value in e.own else e.unique(value.name), array)
                e.final_names.add(value.name)
            e.values[value] = e.stored[key]

    def _outputs(self, names: Sequence[str] | None) -> list[ir.Value]:
        results = [*self.graph.outputs, *(state.output for state in self.graph.states)]
        states = [f"{state.input.name}.{'grad' if state.attribute == 'grad' else 'out'}" for state in self.graph.states]
        unnamed: list[str | None] = [None] * len(self.graph.outputs)
        wanted = [*(names or unnamed), *states]
        taken: set[int] = set()
        outputs = []
        for value, name in zip(results, wanted, strict=True):
            found = self.e.values[value]
            if found.producer() is None or id(found) in taken:  # an input, a constant, or the same result twice
                found = self.e.op("Identity", found)
                name = name or self.e.unique(f"{value.name}.out")
            taken.add(id(found))
            if name is not None and name != found.name:
                found.name = self.e.unique(name)
            found.shape = declared_shape(value, self.e)
            outputs.append(found)
        return outputs

    def _model(self, inputs: list[ir.Value], nodes: list[ir.Node], outputs: list[ir.Value], producer_version: str) -> ir.Model:
        e = self.e
        used = {id(value) for node in nodes for value in all_inputs(node)} | {id(value) for value in outputs}
        domains = {function.domain: 1 for function in e.functions.values()}
        constants = {id(value) for value in e.constants}
        settled = {id(value) for value in settle(nodes, outputs, e.constants)}
        here = [value for value in e.initializers if id(value) in used and (id(value) in settled or id(value) not in constants)]
        graph = ir.Graph(
            inputs,
            outputs,
            nodes=nodes,
            initializers=here,
            opset_imports={"": e.opset, **domains},
            name=self.graph.name,
        )
        return ir.Model(
            graph,
            ir_version=IR_VERSIONS[e.opset],
            producer_name="frazil",
            producer_version=producer_version,
            functions=list(e.functions.values()),
        )


@final
class Decisions:
    """Decides where a lowering wants a number and the program gives a size: the body of the op is tried first, which may do
    without; then the size is fixed to the example's, by a guard with the user's line."""

    unbacked_count = 0
    joined: Any = None

    def __init__(self, walk: _Lowering, node: Node, source: Any) -> None:
        self.walk, self.node, self.source = walk, node, source

    def known(self, condition: SymBool) -> bool | None:
        """The answer, if it is the same for all sizes that the program can have."""
        guards = [guard.holds for guard in (*self.walk.graph.guards, *self.walk.found_guards)]
        found = decide(condition, [*guards, *self.walk.known])
        if found is None:
            self.walk.asked.append(condition)
        return found

    def guard(self, condition: SymBool) -> bool:
        """The answer, if it is always the same here; else that of the example."""
        known = self.known(condition)
        if known is not None:
            return known
        expected = condition.hint
        if expected is None or has_body(self.node.op_name):
            self.fail("")
        self.walk.found_guards.append(Guard(condition, expected, self.source))
        return expected

    def fail(self, message: str) -> NoReturn:
        """The op has no such form."""
        open_ = [f"{name}={_described(attr)}" for name, attr in self.node.attrs.items() if symbols_of(attr)]
        given = f"here {', '.join(open_)} depends on the data" if open_ else "its shapes depend on the data"
        raise Unsupported(f"ONNX keeps numbers of this operator in the file, but {given}, which only the running program knows")


def _described(attr: Any) -> str:
    if isinstance(attr, (tuple, list)):
        return f"({', '.join(map(_described, attr))})"
    return attr.describe() if hasattr(attr, "describe") else repr(attr)


def state_inputs(graph: Graph) -> list[Value]:
    """The captured values that the program replaces: they are inputs of the file, after the program's own."""
    return list(dict.fromkeys(state.input for state in graph.states if state.attribute == "data"))


def _in_float32(node: Node) -> Node:
    """A composite node as its body is written: float16 in float32, rounded once at the end. Operation by operation it would be
    rounded after each, and sums and counts would overflow."""
    if OPS[node.op_name].exact or not any(v is not None and v.spec.dtype is float16 for v in node.inputs):
        return node
    inputs = [Value(v.name, Spec(v.spec.shape, _wide(v.spec.dtype))) if v is not None else None for v in node.inputs]
    attrs = {name: _wide(attr) for name, attr in node.attrs.items()}
    return Node(node.op_name, inputs, attrs, [], source=node.source, scope=node.scope)


def _twin(value: Value) -> Value:
    """A value of its own, of float32 where `value` is bfloat16."""
    return Value(value.name, Spec(value.spec.shape, float32 if value.spec.dtype is bfloat16 else value.spec.dtype))


def _wide(attr: Any) -> Any:
    return float32 if attr is float16 else attr


def has_body(op_name: str) -> bool:
    """Return whether the op is a composite, so that a node of it can be written in other ops."""
    return op_name in OPS and OPS[op_name].body is not None


def declared_shape(value: Value, e: Emitter) -> ir.Shape:
    """The shape written into the file: numbers where they are known, else the name of the symbol, or the expression of it."""
    dims: list[int | str] = []
    for before, size in zip(value.spec.shape, substitute(tuple(value.spec.shape), e.fixed), strict=True):
        if isinstance(size, int):
            dims.append(size)
        else:  # an input keeps the name of its own symbol, even where a guard ties it to others
            own = value.kind is not None and isinstance(before, SymInt) and before.symbol is not None
            dims.append(before.symbol.name if own else str(size))
    return ir.Shape(dims)


def storage(array: np.ndarray) -> Any:
    """Return what identifies the memory of an array: equal for tied weights, never for weights that merely have equal values."""
    if array.size == 0:
        return id(array)
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str


def solved(graph: Graph) -> dict[Symbol, Size]:
    """The sizes that the graph's guards determine."""
    return solve_guards(graph.guards)


def is_decided(guard: Guard, fixed: Mapping[Any, Size]) -> bool:
    """Return whether a guard holds by the declared input sizes alone, which onnxruntime checks itself."""
    numbers = {symbol: size for symbol, size in fixed.items() if isinstance(size, int)}
    return not isinstance(substitute(guard.holds, numbers), SymBool)
