"""A recorded program as a drawing."""

from __future__ import annotations

from typing import Any

from frazil.recorder.graph import Graph, Node, Scope, Value
from frazil.sizes import Symbol, symbols_of
from frazil.table import OPS

from .kinds import kind_of_op
from .model import Drawing, Frame, Item, Step, Wire, nested

#: How the parts of control flow are called.
_BRANCHES = {"then_branch": "then", "else_branch": "else"}
#: Constants of at most this many numbers are shown as numbers.
_FEW = 4


def drawing_of_graph(graph: Graph) -> Drawing:
    """The boxes of a graph are its modules, its control flow and their branches.

    >>> import frazil as fz
    >>> from frazil.exporters.drawing.graphs import drawing_of_graph
    >>> program = fz.jit.trace(fz.nn.Sequential(fz.nn.Linear(2, 3), fz.nn.Tanh()), fz.ones(1, 2))
    >>> [(item.title, item.note) for item in drawing_of_graph(program.graph).root.parts]
    [('input', ''), ('linear', '0 · Linear'), ('tanh', '1 · Tanh'), ('output', '')]
    """
    reader = _Reader()
    root = Item(graph.name, "module", parts=reader.parts(graph))
    facts = [("valid where", str(guard)) for guard in graph.guards]
    return Drawing(root, facts)


class _Reader:
    """Gives every value of a graph, and of the graphs in it, its wire."""

    def __init__(self) -> None:
        self.wires: dict[Value, Wire] = {}
        self.captured: set[Value] = set()
        #: Sizes that are the number in a tensor.
        self.numbers: dict[Symbol, Value] = {}

    def wire(self, value: Value) -> Wire:
        """The wire of a value that is computed or given."""
        return self.wires.setdefault(value, Wire(value.name, str(value.spec)))

    def parts(self, graph: Graph) -> list[Item]:
        """What the box of a graph contains."""
        self.captured.update(graph.captured)
        self.numbers.update({symbol: value for symbol, (value, axis) in graph.symbols.items() if axis is None})
        items = [Item(value.name, "input", writes=[self.wire(value)]) for value in graph.inputs]
        around = _around(graph)
        items += nested(Step(_frames(node.scope[around:]), self.node(node)) for node in graph.nodes)
        items += [
            self.output("output" if len(graph.outputs) == 1 else f"output {i}", value) for i, value in enumerate(graph.outputs)
        ]
        for state in graph.states:
            name = state.input.name + (".grad" if state.attribute == "grad" else "")
            items.append(self.output(f"new {name}", state.output))
        return items

    def output(self, title: str, value: Value) -> Item:
        """A result; a captured value that is one has no wire."""
        if value in self.captured:
            return Item(title, "output", params=[_param(value, "")])
        return Item(title, "output", reads=[self.wire(value)])

    def node(self, node: Node) -> Item:
        """The item of a node; control flow is a box."""
        item = Item(node.op_name, kind_of_op(node.op_name))
        prefix = f"{node.scope[-1].path}." if node.scope else ""
        for value in node.inputs:
            if value is None:
                item.arguments.append("None")
            elif value in self.captured:
                item.params.append(_param(value, prefix))
                item.arguments.append(item.params[-1][0] or item.params[-1][1])
            else:
                item.reads.append(self.wire(value))
                item.arguments.append(value.name)
        used = symbols_of([attr for attr in node.attrs.values() if not isinstance(attr, Graph)])
        item.reads += [self.wire(self.numbers[symbol]) for symbol in used if symbol in self.numbers]
        item.reads = list(dict.fromkeys(item.reads))
        item.attributes = _attributes(node)
        if node.source:
            item.source, item.code = str(node.source), node.source.code
        item.module = str(node.scope[-1]) if node.scope else ""
        if node.subgraphs:
            item.note = _sentence(node)
            item.parts = [self.branch(node, name, graph) for name, graph in node.subgraphs.items()]
        else:
            item.writes = [self.wire(value) for value in node.outputs]
        return item

    def branch(self, node: Node, name: str, graph: Graph) -> Item:
        """The box of a branch or body, whose inputs are wired to what the node is given and whose outputs to what it gives."""
        given, titles = _arguments(node), _result_titles(node, graph)
        box = Item(_BRANCHES.get(name, name), "branch", parts=self.parts(graph))
        inputs = [part for part in box.parts if part.kind == "input"]
        outputs = [part for part in box.parts if part.kind == "output"]
        for formal, value in zip(inputs, given, strict=True):
            if value is not None and value not in self.captured:
                formal.reads = [self.wire(value)]
            elif value is not None:
                formal.params = [_param(value, "")]
        read = {wire for item in box.walk() for wire in item.reads}
        box.parts = [part for part in box.parts if part not in inputs or part.writes[0] in read]
        for result, title in zip(outputs, titles, strict=True):
            result.title = title
        for result, value in zip(outputs[len(outputs) - len(node.outputs) :], node.outputs, strict=True):
            result.writes = [self.wire(value)]
        return box


def _sentence(node: Node) -> str:
    """What a loop stops at."""
    if node.op_name != "loop":
        return ""
    limit, condition = node.inputs[:2]
    return " and ".join(word for word, value in (("for", limit), ("while", condition)) if value is not None)


def _arguments(node: Node) -> list[Value | None]:
    """What the inputs of the body are at first: `recorder/loops.py` says which input of the node is which."""
    if node.op_name == "loop":
        return [None, *node.inputs[2:]]
    return list(node.inputs) if node.op_name == "scan" else []


def _result_titles(node: Node, graph: Graph) -> list[str]:
    """What the outputs of a branch or body are."""
    if node.op_name == "cond":
        return ["result"] if len(graph.outputs) == 1 else [f"result {i}" for i in range(len(graph.outputs))]
    first = int(node.op_name == "loop")  # the number of the round is not carried
    carried = graph.inputs[first:] if node.op_name == "loop" else graph.inputs[: node.attrs["carried"]]
    titles = ["go on"] * (len(graph.outputs) - len(node.outputs)) + [f"next {value.name}" for value in carried]
    return titles + [f"row of {value.name}" for value in node.outputs[len(carried) :]]


def _around(graph: Graph) -> int:
    """How many scopes all nodes share: boxes around everything say nothing."""
    scopes = [node.scope for node in graph.nodes]
    count = 0
    while scopes and all(len(scope) > count and scope[count] == scopes[0][count] for scope in scopes):
        count += 1
    return count


def _frames(scopes: tuple[Scope, ...]) -> tuple[Frame, ...]:
    frames, outer = [], ""
    for path, kind in scopes:
        own = path.removeprefix(f"{outer}.") if outer else path
        frames.append(Frame(path, own or kind, kind if own else ""))
        outer = path
    return tuple(frames)


def _param(value: Value, prefix: str) -> tuple[str, str]:
    """Its name in its module and its type; a small constant is its numbers."""
    if value.kind == "constant" and value.tensor is not None and value.tensor.numel() <= _FEW:
        return "", number(value.tensor.tolist())
    return value.name.removeprefix(prefix), str(value.spec)


def _attributes(node: Node) -> list[tuple[str, str]]:
    """Those that the program gave: defaults are left out."""
    defaults = OPS[node.op_name].defaults if node.op_name in OPS else {}
    subgraphs = node.subgraphs
    return [
        (name, text(value))
        for name, value in node.attrs.items()
        if name not in subgraphs and not _same(value, defaults.get(name, _MISSING))
    ]


_MISSING = object()


def _same(value: Any, default: Any) -> bool:
    return value is default or (isinstance(value, (int, float, str, bool, tuple)) and text(value) == text(default))


def number(value: Any) -> str:
    """A number, or a list of them, with as many digits as one reads."""
    if isinstance(value, list):
        return f"[{', '.join(map(number, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def text(value: Any) -> str:
    """An attribute as one would write it."""
    if isinstance(value, (tuple, list)):
        opened, closed = ("(", ")") if isinstance(value, tuple) else ("[", "]")
        return f"{opened}{', '.join(map(text, value))}{',' if len(value) == 1 and opened == '(' else ''}{closed}"
    return getattr(value, "name", None) or number(value)
