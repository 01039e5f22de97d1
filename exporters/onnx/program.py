"""ONNX graphs as programs that run on tensors.

A `Block` is a graph, branch, body or function, made ready once: nodes in order, attributes as Python values, branches as blocks
of their own. Running it calls the importer of every node. Whatever frazil can do with a Python program (gradients, every backend,
recording, export) it can therefore do with a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, final

import numpy as np
import onnx
import onnx_ir as ir

from frazil.errors import ArgumentError, FrazilError
from frazil.outside import plain
from frazil.state import STATE
from frazil.tensor import Tensor

from ..onnx_file import graphs_of, reason
from . import careful, philox
from .arrays import Sizes, as_numbers, as_tensor, is_numbers, is_text, raw
from .error_functions import is_error_function
from .importers import FOLDS, IMPORTERS, Importer
from .importers.text import MOVES_TEXTS, decoded

#: Numbers are computed on the host up to this many.
_FEW = 4096


@final
class Run:
    """Things that one call of a model is done with."""

    def __init__(
        self, device: Any, training: bool | None, program: Program, watch: Callable[[ir.Value, Any], None] | None = None
    ) -> None:
        #: None: as the file says.
        self.training = training
        self.device, self.program = device, program
        #: Told every value that is computed.
        self.watch = watch

    def tensor(self, value: Any) -> Any:
        """The value as a tensor; constants of the program are put on the device once."""
        if not isinstance(value, np.ndarray) or STATE.recorder is not None or id(value) not in self.program.constants:
            return as_tensor(value, self.device)
        key = (id(value), str(self.device))
        if key not in self.program.placed:
            self.program.placed[key] = as_tensor(value, self.device)
        return self.program.placed[key]


RUN: ContextVar[Run] = ContextVar("RUN")


@final
class Program:
    """The model's functions, and what all blocks share. It never changes, so copies of a model share it."""

    def __init__(self, model: ir.Model) -> None:
        self.functions = dict(model.functions)
        self.opsets = {_domain(name): version for name, version in model.graph.opset_imports.items()}
        #: By identity, so that they can be told from what is computed.
        self.constants: dict[int, np.ndarray] = {}
        self.placed: dict[Any, Tensor] = {}
        #: The initialisers of the model, and the inputs: those without a value of their own, and those with one.
        self.stored = {str(value.name): value for value in model.graph.initializers.values()}
        self.inputs = [value for value in model.graph.inputs if value.name not in self.stored]
        self.defaults = [value for value in model.graph.inputs if value.name in self.stored]
        #: Those initialisers that are numbers of the program, not state of the module.
        self.numbers: dict[ir.Value, np.ndarray] = {}
        self.main = Block(self, model.graph, self.opsets, {}, own_initializers=False)

    def __deepcopy__(self, memo: Any) -> Program:
        return self

    def known(self, value: ir.Value) -> np.ndarray | None:
        """The numbers of a value that the file says: stored, not an input as well, or made by Constant."""
        node = value.producer()
        if node is not None and node.op_type == "Constant" and "value" in node.attributes:
            return np.asarray(node.attributes["value"].as_tensor().numpy())
        return None if value.const_value is None or value.is_graph_input() else np.asarray(value.const_value.numpy())

    def constant(self, tensor: Any) -> np.ndarray:
        """The array of a tensor in the file, which this keeps."""
        array = self.array(tensor)
        self.constants[id(array)] = array
        return array

    def array(self, tensor: Any) -> np.ndarray:
        """The numbers of a tensor, which must be as many as it says."""
        array = np.asarray(tensor.numpy())
        array = decoded(array) if is_text(array) else array
        if array.shape != tuple(tensor.shape):
            raise ArgumentError(f"{plain(tensor.name or 'a constant')!r} has shape {list(array.shape)}, not {list(tensor.shape)}")
        return array


@final
class Node:
    """A node as an importer sees it: attributes, the opset of its domain, how many results are wanted."""

    def __init__(self, node: ir.Node, program: Program, opsets: Mapping[str, int], bindings: Mapping[str, ir.Attr]) -> None:
        self.op_type, self.domain, self.name = node.op_type, _domain(node.domain), node.name or ""
        self.opset: int = opsets.get(self.domain, 1)
        self.attributes = {
            name: _attribute(attr, program, opsets)
            for name, given in node.attributes.items()
            if (attr := _resolved(given, bindings)) is not None
        }
        #: For each result, whether it has a name: those without are not wanted.
        self.wanted = [bool(value.name) for value in node.outputs]
        self.source, self._program, self._opsets, self._bindings = node, program, opsets, bindings
        self._functions: dict[Any, Block] = {}

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or what stands for it when it is missing."""
        return self.attributes.get(name, default)

    def __getitem__(self, name: str) -> Any:
        if name not in self.attributes:
            raise ArgumentError(f"attribute {name!r} is missing")
        return self.attributes[name]

    def __contains__(self, name: str) -> bool:
        return name in self.attributes

    @property
    def outputs(self) -> int:
        """Return how many results there are places for."""
        return len(self.wanted)

    def wants(self, position: int) -> bool:
        """Return whether a result is used."""
        return position < len(self.wanted) and self.wanted[position]

    @property
    def asserts(self) -> bool:
        """Return whether the result only says which element of a constant with one is taken: frazil's files assert so."""
        uses = [(use, place) for value in self.source.outputs for use, place in value.uses()]
        return bool(uses) and all(
            use.op_type == "Gather"
            and place == 1
            and use.inputs[0] is not None
            and (one := self._program.known(use.inputs[0])) is not None
            and one.shape == (1,)
            for use, place in uses
        )

    @property
    def training(self) -> bool | None:
        """Return whether the model is in train mode or in eval mode; None where nobody said so, which leaves it to the file."""
        return RUN.get().training

    @property
    def device(self) -> Any:
        """Return where tensors of this call are made."""
        return RUN.get().device

    def keeps(self, position: int) -> bool:
        """Return whether an input is stored in the model, so that it can be moved there."""
        value = self.source.inputs[position]
        return value is not None and value.is_initializer()

    def tensor(self, value: Any) -> Any:
        """The value as a tensor."""
        return RUN.get().tensor(value)

    def later(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as part of this call of the model, however late it is called: backward records bodies once more."""
        run = RUN.get()

        def called(*given: Any) -> Any:
            token = RUN.set(run)
            try:
                return function(*given)
            finally:
                RUN.reset(token)

        return called

    def function(self, inputs: Sequence[Any]) -> Block:
        """The body of the operator as its definition gives it, for inputs of these types."""
        types = tuple(None if value is None else _type_of(value) for value in inputs)
        if types not in self._functions:
            self._functions[types] = _defined(self, types, self._program, self._opsets)
        return self._functions[types]

    def subject(self) -> str:
        """The node in words."""
        domain = f"{self.domain}::" if self.domain else ""
        return f"{plain(domain + self.op_type)}{f' {plain(self.name)!r}' if self.name else ''}"


@final
class Block:
    """A graph or function made ready to run."""

    def __init__(
        self,
        program: Program,
        graph: ir.Graph | ir.Function,
        opsets: Mapping[str, int],
        bindings: Mapping[str, ir.Attr],
        own_initializers: bool = True,
    ) -> None:
        self.inputs, self.outputs = list(graph.inputs), list(graph.outputs)
        initializers = getattr(graph, "initializers", {})
        self.constants = {v: program.constant(v.const_value) for v in initializers.values()} if own_initializers else {}
        self.steps: list[_Step] = []
        known = {*self.inputs, *initializers.values()}
        produced = set(known)
        captured: dict[ir.Value, None] = {}
        for node in graph:
            step = _Step(node, program, opsets, bindings)
            captured.update((value, None) for value in step.reads if value not in produced)
            produced.update(step.outputs)
            self.steps.append(step)
        captured.update((value, None) for value in self.outputs if value not in produced)
        #: What is read from around it.
        self.captured = list(captured)
        self._forget()

    def _forget(self) -> None:
        """Tell every step what nobody needs after it; leave out what only the conditions of careful forms needed."""
        needed = {*self.outputs, *self.captured}
        spare: set[ir.Value] = set()
        kept: list[_Step] = []
        for step in reversed(self.steps):
            results = [value for value in step.outputs if value is not None]
            if any(value in spare for value in results) and not any(value in needed for value in results):
                spare.update(step.reads)
                continue
            kept.append(step)
            spare.update(step.spare)
            step.last = [value for value in dict.fromkeys((*step.reads, *results)) if value not in needed]
            needed.update(step.reads)
        self.steps = kept[::-1]

    def bound(self, outer: Mapping[ir.Value, Any]) -> Callable[..., list[Any]]:
        """The block as a function of its inputs, reading the values around it."""
        around = {value: outer[value] for value in self.captured}
        return lambda *given: self.run(given, around)

    def run(self, given: Sequence[Any], around: Mapping[ir.Value, Any]) -> list[Any]:
        """The results for these inputs."""
        env: dict[ir.Value, Any] = {**self.constants, **around}
        env.update(zip(self.inputs, given, strict=False))
        for value in self.inputs[len(given) :]:
            env.setdefault(value, None)
        for step in self.steps:
            step.run(env)
        return [env[value] for value in self.outputs]


@final
class _Step:
    """One node of a block, or the operator that it is the last one of the careful form of."""

    def __init__(self, node: ir.Node, program: Program, opsets: Mapping[str, int], bindings: Mapping[str, ir.Attr]) -> None:
        self.inputs: list[ir.Value | None] = list(node.inputs)
        self.outputs: list[ir.Value | None] = list(node.outputs)
        #: What it would have read, if it stands for several operators.
        self.spare: list[ir.Value] = []
        plain = careful.plain(node, opsets.get("", 1))
        if plain is not None:
            self.spare = [value for value in node.inputs if value is not None]
            node, self.inputs, self.outputs = plain
        self.view = Node(node, program, opsets, bindings)
        function = program.functions.get(node.op_identifier())
        if function is not None and (philox.is_random_bits(function) or is_error_function(function)):
            function = None  # an op of frazil's own
        self.body: Block | None = None
        if function is not None:
            given = {**function.attributes, **node.attributes}
            given = {name: attr for name, a in given.items() if (attr := _resolved(a, bindings)) is not None}
            own = {_domain(name): version for name, version in function.opset_imports.items()} or opsets
            self.body = Block(program, function, own, given)
        blocks = [value for value in self.view.attributes.values() if isinstance(value, Block)]
        inner = [value for block in blocks for value in block.captured]
        self.reads: list[ir.Value] = list(dict.fromkeys((*(value for value in self.inputs if value is not None), *inner)))
        self.importer: Importer | None = IMPORTERS.get((self.view.domain, node.op_type))
        self.last: list[ir.Value] = []

    def run(self, env: dict[ir.Value, Any]) -> None:
        """Compute the node's results."""
        inputs = [None if value is None else env[value] for value in self.inputs]
        try:
            results = self._results(inputs, env)
        except (FrazilError, MemoryError) as error:
            _explain(error, self.view, inputs)
            raise
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # attributes and sizes that make no sense
            told = ArgumentError(f"{self.view.subject()} cannot be computed: {reason(error)}")
            _explain(told, self.view, inputs)
            raise told from error
        watch = RUN.get().watch
        for value, result in zip(self.outputs, results, strict=False):
            if value is not None:
                env[value] = result
                if watch is not None:
                    watch(value, result)
        for value in self.last:
            del env[value]

    def _results(self, inputs: list[Any], env: dict[ir.Value, Any]) -> Sequence[Any]:
        if self.body is not None:
            return self.body.run(inputs, {})
        return call(self.view, inputs, env)


def call(node: Node, inputs: list[Any], env: Mapping[ir.Value, Any]) -> Sequence[Any]:
    """The results of an operator."""
    if node.op_type in MOVES_TEXTS and not node.domain and any(map(is_text, inputs)):
        return _moved(node, inputs, env)
    fold = FOLDS.get(node.op_type) if not node.domain else None
    if fold is not None and all(value is None or (is_numbers(value) and value.size <= _FEW) for value in inputs):
        found = fold(node, *inputs)
        if found is not NotImplemented:
            return found if isinstance(found, (tuple, list)) else (found,)
    importer = IMPORTERS.get((node.domain, node.op_type))
    if importer is None:
        return node.function(inputs).run(inputs, {})
    if importer.blocks:
        results = importer.function(node, env, *inputs)
    elif importer.raw:
        results = importer.function(node, *inputs)
    else:
        given = [
            as_numbers(value) if position in importer.numbers else node.tensor(value) for position, value in enumerate(inputs)
        ]
        results = importer.function(node, *given)
    return results if isinstance(results, tuple) else (results,)


def _moved(node: Node, inputs: list[Any], env: Mapping[ir.Value, Any]) -> Sequence[Any]:
    """The results of an operator that moves texts: it moves their places in a list, in alphabetical order."""
    given = [decoded(value) if is_text(value) else value for value in inputs]
    texts = sorted({text for value in given if is_text(value) for text in value.flat})
    places = {text: place for place, text in enumerate(texts)}
    numbered = [
        np.array([places[text] for text in value.flat], np.int64).reshape(value.shape) if is_text(value) else value
        for value in given
    ]
    moved = call(node, numbered, env)
    count = 1 if node.op_type == "Unique" else len(moved)  # the others are where they were
    back = np.array([*texts, ""], object)  # nothing is moved where there are none
    return [back[raw(as_numbers(result))] if k < count else result for k, result in enumerate(moved)]


def all_steps(block: Block) -> Iterator[_Step]:
    """The steps of a block, and of everything in it."""
    for step in block.steps:
        yield step
        inner = [step.body] if step.body is not None else [v for v in step.view.attributes.values() if isinstance(v, Block)]
        for body in inner:
            yield from all_steps(body)


def unknown_operators(program: Program) -> list[str]:
    """The operators that nothing here can run, sorted."""
    found: set[str] = set()
    for step in all_steps(program.main):
        node = step.view
        if step.body is None and step.importer is None and not _has_definition(node):
            version = f" (opset {node.opset})" if not node.domain else ""
            found.add(plain(f"{node.domain}::{node.op_type}" if node.domain else node.op_type) + version)
    return sorted(found)


def _explain(error: BaseException, node: Node, inputs: Sequence[Any]) -> None:
    """Say once, at the innermost node, where an error comes from."""
    if getattr(error, "__notes__", None) and any(note.startswith("in the ONNX node") for note in error.__notes__):
        return
    given = ", ".join("-" if value is None else _described(value) for value in inputs)
    error.add_note(f"in the ONNX node {node.subject()} of {given or 'nothing'}")


def _described(value: Any) -> str:
    if isinstance(value, list):
        return f"a sequence of {len(value)}"
    if isinstance(value, (Tensor, np.ndarray, Sizes)):
        return f"{getattr(value.dtype, 'name', value.dtype)}[{', '.join(map(str, value.shape))}]"
    return type(value).__name__


# --- attributes -----------------------------------------------------------------------------------------------------------------


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _resolved(attr: ir.Attr, bindings: Mapping[str, ir.Attr]) -> ir.Attr | None:
    """The attribute itself, or the one of the call that it stands for."""
    if not attr.is_ref():
        return attr if attr.value is not None else None
    found = bindings.get(attr.ref_attr_name or "")
    return None if found is None or found.value is None else ir.Attr(attr.name, found.type, found.value)


def _attribute(attr: ir.Attr, program: Program, opsets: Mapping[str, int]) -> Any:
    if graphs := graphs_of(attr):
        blocks = [Block(program, graph, opsets, {}) for graph in graphs]
        return blocks[0] if attr.type == ir.AttributeType.GRAPH else blocks
    if attr.type == ir.AttributeType.TENSOR:
        return program.constant(attr.value)
    if attr.type in (ir.AttributeType.SPARSE_TENSOR, ir.AttributeType.SPARSE_TENSORS):
        raise ArgumentError("sparse constants are not read")
    if isinstance(attr.value, (tuple, list)):
        return list(attr.value)
    return attr.value.decode(errors="replace") if isinstance(attr.value, bytes) else attr.value


# --- operators by their definition ----------------------------------------------------------------------------------------------


def _schema(node: Node) -> onnx.defs.OpSchema | None:
    try:
        return onnx.defs.get_schema(node.op_type, node.opset, node.domain)
    except onnx.defs.SchemaError:
        return None


def _has_definition(node: Node) -> bool:
    schema = _schema(node)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def _defined(node: Node, types: Sequence[Any], program: Program, opsets: Mapping[str, int]) -> Block:
    schema = _schema(node)
    if schema is None or not _has_definition(node):
        raise ArgumentError(f"there is no importer of {node.subject()} in opset {node.opset}")
    proto = ir.serde.serialize_node(node.source)
    if schema.has_function:
        version = _newest(schema.function_opset_versions, node.opset)
        function = onnx.FunctionProto.FromString(schema.get_function_with_opset_version(version))
    else:
        version = _newest(schema.context_dependent_function_opset_versions, node.opset)
        contents = schema.get_context_dependent_function_with_opset_version(
            version, proto.SerializeToString(), [_type_proto(t).SerializeToString() for t in types]
        )
        if not contents:
            raise ArgumentError(f"the definition of {node.subject()} has no body for these types")
        function = onnx.FunctionProto.FromString(contents)
    made = {*function.input, *(name for inner in function.node for name in inner.output)}
    for name in function.output:
        if name not in made:  # a result that this node does not want
            function.node.append(onnx.helper.make_node("Optional", [], [name]))
    body = ir.serde.deserialize_function(function)
    defaults = {
        name: ir.serde.deserialize_attribute(attribute.default_value)
        for name, attribute in schema.attributes.items()
        if attribute.default_value.name
    }
    given = {**defaults, **{n: a for n, attr in node.source.attributes.items() if (a := _resolved(attr, node._bindings))}}
    own = {_domain(name): version for name, version in body.opset_imports.items()}
    return Block(program, body, own if node.domain else {**own, "": version}, given)


def _newest(versions: Sequence[int], opset: int) -> int:
    """The newest form of a body that the opset knows."""
    return max((v for v in versions if v <= opset), default=min(versions))


def _type_of(value: Any) -> Any:
    if isinstance(value, list):
        return ("sequence", _type_of(value[0]) if value else None)
    dtype = value.dtype.name if isinstance(value, Tensor) else np.dtype(value.dtype)
    kind = ir.DataType.STRING if np.dtype(dtype).kind in "OUS" else ir.DataType.from_numpy(np.dtype(dtype))
    return kind, tuple(n if isinstance(n, int) else None for n in value.shape)


def _type_proto(kind: Any) -> onnx.TypeProto:
    if kind is None:
        return onnx.TypeProto()
    if kind[0] == "sequence":
        return onnx.helper.make_sequence_type_proto(_type_proto(kind[1]))
    return onnx.helper.make_tensor_type_proto(int(kind[0]), kind[1])


__all__ = ["RUN", "Block", "Node", "Program", "Run", "all_steps", "call", "reason", "unknown_operators"]
