"""Recorded programs in files: a graph as plain data with tensors, and back.

The file is one of `frazil.serialization`: data, no code. What it names of frazil (operations) is looked up in the op table.
"""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, NamedTuple, final

from .. import dtypes, serialization
from ..device import device
from ..errors import FrazilError, SerializationError
from ..nn.parameter import Parameter
from ..pytree import Tree
from ..random import default_generator
from ..serialization import File
from ..sizes import FUNCTIONS, Symbol, SymBool, SymFloat, SymInt, prod
from ..table import OPS, Spec
from ..tensor import Tensor
from .graph import Graph, Guard, Node, Origin, Scope, Source, State, Value

#: The key of the data that says what it is, and the version of this form.
MARK, VERSION, EXTRA = "frazil.program", 1, "extra_files"
_CONTAINERS: dict[str, Any] = {"tuple": tuple, "list": list, "dict": dict, "OrderedDict": OrderedDict, "None": NoneType}
_NAMES = {kind: name for name, kind in _CONTAINERS.items()}
#: Stands for the state of the process's own generator, which is not in the file.
_RANDOM = "random"


class Parts(NamedTuple):
    """The parts of a `Program` that a file holds: its graph, what else it is made from, and its module's state by name."""

    graph: Graph
    static: dict[int, Any]
    changed_inputs: dict[int, Value]
    sizes_out: set[int]
    gradients: bool
    modules: dict[str, tuple[str, bool, str]]  # path -> (class, training, the first path of the same module)
    parameters: dict[str, Any]
    buffers: dict[str, tuple[Any, bool]]  # name -> (tensor, persistent)


# ------------------------------------------------------------------------------------------------------------------- writing


def save(program: Any, f: File, extra: dict[str, Any] | None = None) -> None:
    """Write a `Program` to a file; `extra` are texts or bytes by name."""
    serialization.keep(content_of(program, extra or {}), f)


def content_of(program: Any, extra: Mapping[str, Any]) -> bytes:
    """Return the file of a `Program`."""
    return serialization.written({**as_data(program), EXTRA: [[name, held] for name, held in extra.items()]})


def as_data(program: Any) -> dict[str, Any]:
    """Return a `Program` as plain data with tensors.

    Its module's parameters and buffers are all in it, used or not; of any other function those that it reads.
    """
    return _Writer().program(program)


@final
class _Writer:
    def __init__(self) -> None:
        self.values: dict[Value, int] = {}
        self.symbols: dict[Symbol, int] = {}
        self.tensors: dict[int, int] = {}
        self.kept: list[Any] = []

    def program(self, program: Any) -> dict[str, Any]:
        graph = self.graph(program.graph)
        modules, parameters, buffers = self.members(program)
        return {
            MARK: VERSION,
            "graph": graph,
            "static": [[i, value] for i, value in program.static.items()],
            "changed_inputs": [[i, self.values[value]] for i, value in program.changed_inputs.items()],
            "sizes_out": sorted(program.sizes_out),
            "gradients": program.gradients,
            "modules": modules,
            "parameters": parameters,
            "buffers": buffers,
            "symbols": [[s.serial, s.name, s.hint, s.text, s.minimum, s.maximum] for s in self.symbols],
            "tensors": self.kept,
        }

    def members(self, program: Any) -> tuple[list[Any], list[Any], list[Any]]:
        module = program.fn
        if not hasattr(module, "named_modules"):
            captured = program.graph.captured
            parameters = [[v.name, self.tensor(v.tensor)] for v in captured if isinstance(v.tensor, Parameter)]
            buffers = [[v.name, self.tensor(v.tensor), True] for v in captured if v.kind == "buffer"]
            return [["", program.graph.name, False, ""]], parameters, buffers
        modules, parameters, buffers = [], [], []
        first: dict[int, str] = {}
        for path, inner in module.named_modules(remove_duplicate=False):
            modules.append(
                [path, getattr(inner, "original_name", inner._get_name()), inner.training, first.setdefault(id(inner), path)]
            )
            if first[id(inner)] != path:
                continue
            head = f"{path}." if path else ""
            parameters += [[head + name, self.tensor(t)] for name, t in inner._parameters.items() if t is not None]
            for name, t in inner._buffers.items():
                if t is not None:
                    buffers.append([head + name, self.tensor(t), name not in inner._non_persistent_buffers_set])
        return modules, parameters, buffers

    def tensor(self, t: Tensor) -> int:
        if id(t) not in self.tensors:
            self.tensors[id(t)] = len(self.kept)
            self.kept.append(_RANDOM if t is default_generator.state else t)
        return self.tensors[id(t)]

    def symbol(self, symbol: Symbol) -> int:
        return self.symbols.setdefault(symbol, len(self.symbols))

    def value(self, value: Value) -> list[Any]:
        self.values[value] = len(self.values)
        return [value.name, value.spec.dtype, self.attribute(tuple(value.spec.shape)), value.kind]

    def graph(self, graph: Graph) -> dict[str, Any]:
        inputs = [self.value(value) for value in graph.inputs]
        captured = [[self.value(v), None if v.tensor is None else self.tensor(v.tensor)] for v in graph.captured]
        nodes = [self.node(node) for node in graph.nodes]
        return {
            "name": graph.name,
            "inputs": inputs,
            "captured": captured,
            "nodes": nodes,
            "outputs": [self.values[value] for value in graph.outputs],
            "states": [[self.values[s.input], self.values[s.output], self.tensor(s.tensor), s.attribute] for s in graph.states],
            "guards": [[self.attribute(g.condition), g.expected, _place(g.source)] for g in graph.guards],
            "symbols": [
                [self.symbol(symbol), self.values[value], axis]
                for symbol, (value, axis) in graph.symbols.items()
                if value in self.values  # what nothing reads was left out, with its sizes
            ],
            "in_tree": None if graph.in_tree is None else _tree(graph.in_tree),
            "out_tree": None if graph.out_tree is None else _tree(graph.out_tree),
        }

    def node(self, node: Node) -> list[Any]:
        read = [None if value is None else self.values[value] for value in node.inputs]
        attrs = {name: self.attribute(value, f"{node.op_name}({name}=)") for name, value in node.attrs.items()}
        scope = [[entry.path, entry.kind] for entry in node.scope]
        return [node.op_name, read, attrs, [self.value(v) for v in node.outputs], _place(node.source), scope, node.grad]

    def attribute(self, value: Any, place: str = "a size") -> Any:
        if value is None or isinstance(value, (bool, int, float, complex, str, dtypes.dtype, device)):
            return value
        if isinstance(value, (tuple, list)):
            return type(value)(self.attribute(item, place) for item in value)
        if isinstance(value, SymInt):
            return {"size": [[c, [[self._atom(atom), power] for atom, power in monomial]] for monomial, c in value.terms]}
        if isinstance(value, SymFloat):
            return {"float": [value.op, *map(self.attribute, value.args)]}
        if isinstance(value, SymBool):
            return {"bool": [value.op, self.attribute(value.lhs), self.attribute(value.rhs)]}
        if isinstance(value, Graph):
            return {"graph": self.graph(value)}
        if isinstance(value, Tensor):
            return {"tensor": self.tensor(value)}
        raise SerializationError(f"save: the program holds a {type(value).__name__} in {place}, which a file cannot hold")

    def _atom(self, atom: Any) -> Any:
        return self.symbol(atom) if isinstance(atom, Symbol) else [atom.function, *map(self.attribute, atom.args)]


def _place(source: Source | None) -> Any:
    return None if source is None else list(source)


def _tree(tree: Tree) -> Any:
    if tree.kind is None:
        return "*"
    children = [_tree(child) for child in tree.children]
    if tree.kind in _NAMES:
        return [_NAMES[tree.kind], list(tree.context or ()), children]
    if hasattr(tree.kind, "_fields"):
        return [f"namedtuple {tree.kind.__name__}", list(tree.kind._fields), children]
    raise SerializationError(
        f"save: the program takes or returns a {tree.kind.__name__}, which only a program can make: use tuples, lists and dicts"
    )


# ------------------------------------------------------------------------------------------------------------------- reading


def from_data(name: str, data: Mapping[str, Any]) -> Parts:
    """Return what `as_data` took apart; `name` is the file's."""
    if data[MARK] != VERSION:
        raise SerializationError(
            f"load: {name} has a program of form {data[MARK]!r}, this frazil reads {VERSION}: update frazil to read it"
        )
    try:
        return _Reader(name, data).parts(data)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, FrazilError):
            raise
        raise SerializationError(f"load: the program in {name} is malformed ({type(error).__name__}: {error})") from None


@final
class _Reader:
    def __init__(self, name: str, data: Mapping[str, Any]) -> None:
        self.name = name
        self.values: list[Value] = []
        self.tensors = [default_generator.state if isinstance(t, str) else t for t in data["tensors"]]
        made = {}
        for _, i in sorted((row[0], i) for i, row in enumerate(data["symbols"])):  # of two, the later one stays the later one
            _, called, hint, text, low, high = data["symbols"][i]
            made[i] = Symbol(called, hint=hint, text=text, minimum=low, maximum=high)
        self.symbols = [made[i] for i in range(len(made))]

    def parts(self, data: Mapping[str, Any]) -> Parts:
        graph = self.graph(data["graph"])
        return Parts(
            graph.validate(),
            dict(data["static"]),
            {i: self.values[value] for i, value in data["changed_inputs"]},
            set(data["sizes_out"]),
            bool(data["gradients"]),
            {path: (kind, training, first) for path, kind, training, first in data["modules"]},
            {name: self.tensors[i] for name, i in data["parameters"]},
            {name: (self.tensors[i], persistent) for name, i, persistent in data["buffers"]},
        )

    def value(self, described: Sequence[Any], tensor: Tensor | None = None) -> Value:
        name, dtype, shape, kind = described
        made = Value(name, Spec(self.attribute(shape), dtype), kind=kind, tensor=tensor)
        self.values.append(made)
        return made

    def graph(self, data: Mapping[str, Any]) -> Graph:
        made = Graph(data["name"])
        made.inputs = [self.value(value) for value in data["inputs"]]
        made.captured = [
            self.value(value, None if tensor is None else self.tensors[tensor]) for value, tensor in data["captured"]
        ]
        made.nodes = [self.node(node) for node in data["nodes"]]
        made.outputs = [self.values[i] for i in data["outputs"]]
        made.states = [State(self.values[i], self.values[o], self.tensors[t], which) for i, o, t, which in data["states"]]
        made.guards = [
            Guard(self.attribute(condition), expected, _source(place)) for condition, expected, place in data["guards"]
        ]
        made.symbols = {self.symbols[symbol]: Origin(self.values[value], axis) for symbol, value, axis in data["symbols"]}
        made.in_tree, made.out_tree = (None if data[key] is None else _made_tree(data[key]) for key in ("in_tree", "out_tree"))
        return made

    def node(self, described: Sequence[Any]) -> Node:
        op, inputs, attrs, outputs, place, scope, grad = described
        if op not in OPS and op not in ("cond", "loop", "scan"):
            raise SerializationError(
                f"load: the program in {self.name} uses the operation {op!r}, which is not here: import what defines it first"
            )
        read = [None if i is None else self.values[i] for i in inputs]
        made = {name: self.attribute(value) for name, value in attrs.items()}
        found = [self.value(value) for value in outputs]
        return Node(op, read, made, found, source=_source(place), scope=tuple(Scope(*entry) for entry in scope), grad=grad)

    def attribute(self, value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            return type(value)(self.attribute(item) for item in value)
        if not isinstance(value, dict):
            return value
        ((kind, held),) = value.items()
        if kind == "size":
            return sum(prod([c, *(self._atom(atom) for atom, power in monomial for _ in range(power))]) for c, monomial in held)
        if kind == "float":
            return SymFloat(held[0], tuple(map(self.attribute, held[1:])))
        if kind == "bool":
            return SymBool(held[0], *map(self.attribute, held[1:]))
        if kind == "graph":
            return self.graph(held)
        return self.tensors[held]

    def _atom(self, atom: Any) -> Any:
        return self.symbols[atom].size if isinstance(atom, int) else FUNCTIONS[atom[0]](*map(self.attribute, atom[1:]))


def _source(place: Any) -> Source | None:
    return None if place is None else Source(*place)


def _made_tree(data: Any) -> Tree:
    if data == "*":
        return Tree(None)
    kind, names, children = data
    inner = tuple(map(_made_tree, children))
    if kind.startswith("namedtuple "):
        return Tree(namedtuple(kind.split()[1], names), None, inner)
    keyed = kind in ("dict", "OrderedDict")
    return Tree(_CONTAINERS[kind], tuple(names) if keyed else None, inner)
