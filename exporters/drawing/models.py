"""An ONNX model, whoever made it, as a drawing."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir

from frazil.errors import ArgumentError, FrazilError
from frazil.outside import plain

from .. import onnx_file
from .graphs import number
from .kinds import kind_of_operator
from .model import Drawing, Frame, Item, Step, Wire, in_runs, nested

_DTYPES = {"FLOAT": "float32", "DOUBLE": "float64"}
#: Constants of at most this many numbers are shown as numbers.
_FEW = 4
#: Boxes within each other: programs stay far below.
_BOXES = 32
_BRANCHES = {"then_branch": "then", "else_branch": "else"}


def drawing_of_model(what: Any) -> Drawing:
    """The drawing of an ONNX file or an `onnx_ir.Model`.

    Boxes are modules where the file tells of them: files of frazil and of torch.onnx, names such as "/encoder/layer.0/Add".

    >>> import frazil as fz
    >>> report = fz.onnx.export(fz.nn.Linear(2, 3), fz.ones(1, 2))
    >>> [item.title for item in fz.drawing.read(report.model).root.parts]
    ['input', 'Gemm', 'output']
    """
    model = what if isinstance(what, ir.Model) else _loaded(what)
    name = what if isinstance(what, (str, os.PathLike)) else model.graph.name or "the model"
    try:
        onnx_file.check_size(model, str(name), "drawing", "drawn")
        return _cleaned(_drawn(model, what))
    except FrazilError:
        raise
    except Exception as error:  # the parts of a file may contradict each other in any way
        raise ArgumentError(f"drawing: {str(name)!r} is not a sound ONNX model: {onnx_file.reason(error)}") from error


def _drawn(model: ir.Model, what: Any) -> Drawing:
    reader = _Reader(model)
    title = Path(what).name if isinstance(what, (str, os.PathLike)) else model.graph.name or "model"
    root = Item(title, "module", parts=reader.parts(model.graph))
    producer = " ".join(filter(None, [model.producer_name, model.producer_version]))
    facts = [("opset", str(model.graph.opset_imports.get("", "?"))), ("made by", producer)]
    facts += [("valid where", line) for line in model.metadata_props.get("frazil.guards", "").splitlines()]
    return Drawing(root, [fact for fact in facts if fact[1]])


def _cleaned(drawing: Drawing) -> Drawing:
    """The drawing without characters that would command a terminal or break a picture."""
    wires: dict[Wire, None] = {}
    for item in drawing.root.walk():
        wires.update(dict.fromkeys((*item.reads, *item.writes)))
        for name in ("title", "note", "source", "code", "module"):
            setattr(item, name, plain(getattr(item, name)))
        item.arguments = [plain(words) for words in item.arguments]
        item.params = [(plain(name), plain(words)) for name, words in item.params]
        item.attributes = [(plain(name), plain(words)) for name, words in item.attributes]
    for wire in wires:
        wire.name, wire.type = plain(wire.name), plain(wire.type)
    drawing.facts = [(label, plain(words)) for label, words in drawing.facts]
    return drawing


def _loaded(what: Any) -> ir.Model:
    if not isinstance(what, (str, os.PathLike)):
        raise ArgumentError(f"drawing: give a recorded program, its graph, or an ONNX file, not {type(what).__name__}")
    return onnx_file.read(what, "drawing")


class _Reader:
    """Gives every value of a graph, and of the graphs in it, its wire; a function is read anew for every call."""

    def __init__(self, model: ir.Model, classes: Mapping[str, str] | None = None) -> None:
        self.model = model
        self.wires: dict[ir.Value, Wire] = {}
        #: Values that are stored in the file: name and type, or "" and the numbers.
        self.stored: dict[ir.Value, tuple[str, str]] = {}
        self.classes = _classes(model.graph) if classes is None else classes

    def wire(self, value: ir.Value) -> Wire:
        """The wire of a value that is computed or given."""
        return self.wires.setdefault(value, Wire(value.name or "", type_of(value)))

    def parts(self, graph: ir.Graph | ir.Function) -> list[Item]:
        """What the box of a graph contains."""
        stored = getattr(graph, "initializers", {})
        for value in stored.values():
            self.stored[value] = _constant(value.name or "", value.const_value)
        nodes = list(graph)
        for node in nodes:
            if node.op_type == "Constant" and not node.domain:
                value = node.outputs[0]
                self.stored[value] = _constant(value.name or "", ir.convenience.get_const_tensor(value))
        items = [Item(v.name or "", "input", writes=[self.wire(v)]) for v in graph.inputs if v.name not in stored]
        drawn = [node for node in nodes if not any(value in self.stored for value in node.outputs)]
        steps = [self.step(node) for node in drawn]
        boxes = nested(in_runs(steps))
        for box in (inner for item in boxes for inner in item.walk() if inner.kind == "op"):
            box.source, box.code = box.parts[0].source, box.parts[0].code
        return items + boxes + [self.output(value.name or "", value) for value in graph.outputs]

    def output(self, title: str, value: ir.Value) -> Item:
        """A result; a stored value has no wire."""
        if value in self.stored:
            return Item(title, "output", params=[self.stored[value]])
        return Item(title, "output", reads=[self.wire(value)])

    def step(self, node: ir.Node) -> Step:
        """A node and the boxes around it; its parameters are called as in their module."""
        frames, item = self.frames(node), self.node(node)
        prefix = next((f"{frame.key}." for frame in reversed(frames) if frame.kind == "module"), "")
        item.params = [(name.removeprefix(prefix), text) for name, text in item.params]
        return Step(frames, item)

    def node(self, node: ir.Node) -> Item:
        """The item of a node; control flow and calls of functions are boxes."""
        item = Item(node.op_type, kind_of_operator(node.op_type))
        for value in node.inputs:
            if value is None:
                item.arguments.append("None")
            elif value in self.stored:
                item.params.append(self.stored[value])
                item.arguments.append(item.params[-1][0] or item.params[-1][1])
            else:
                item.reads.append(self.wire(value))
                item.arguments.append(value.name or "")
        item.reads = list(dict.fromkeys(item.reads))
        graphs = {}
        for name, attribute in node.attributes.items():
            if attribute.type == ir.AttributeType.GRAPH:
                graphs[name] = attribute.as_graph()
            else:
                item.attributes.append((name, _attribute(attribute)))
        if node.domain not in ("", "ai.onnx"):
            item.attributes.append(("domain", node.domain))
        item.source, item.code = _source(node.metadata_props)
        item.module = node.metadata_props.get("frazil.module", "")
        function = self.model.functions.get(node.op_identifier())
        if graphs:
            item.parts = [self.branch(node, name, graph) for name, graph in graphs.items()]
        elif function is not None:
            item.kind, item.note = "module", node.domain
            item.parts = _Reader(self.model, self.classes).body(function, self, node)
        else:
            item.writes = [self.wire(value) for value in node.outputs if value.name]
        return item

    def branch(self, node: ir.Node, name: str, graph: ir.Graph) -> Item:
        """The box of a branch or body."""
        box = Item(_BRANCHES.get(name, name), "branch", parts=self.parts(graph))
        carried = graph.inputs[2:] if node.op_type == "Loop" else graph.inputs[: _states(node)]
        titles = ["go on"] if node.op_type == "Loop" else []
        titles += [f"next {value.name}" for value in carried]
        titles += [f"row of {v.name}" if graph.inputs else "result" for v in node.outputs[len(carried) :]]
        given = [None, None, *node.inputs[2:]] if node.op_type == "Loop" else list(node.inputs)
        self.connect(box.parts, given, node.outputs, self)
        for result, title in zip((part for part in box.parts if part.kind == "output"), titles, strict=False):
            result.title = title
        read = {wire for item in box.walk() for wire in item.reads}
        box.parts = [part for part in box.parts if part.kind != "input" or part.writes[0] in read]
        return box

    def body(self, function: ir.Function, caller: _Reader, node: ir.Node) -> list[Item]:
        """The inside of a call."""
        parts = self.parts(function)
        self.connect(parts, node.inputs, node.outputs, caller)
        return parts

    def connect(
        self, parts: Sequence[Item], given: Sequence[ir.Value | None], results: Sequence[ir.Value], outer: _Reader
    ) -> None:
        """Wire the inputs and outputs of a body to what is around it."""
        for formal, value in zip((part for part in parts if part.kind == "input"), given, strict=False):
            if value is not None and value in outer.stored:
                formal.params = [outer.stored[value]]
            elif value is not None:
                formal.reads = [outer.wire(value)]
        outputs = [part for part in parts if part.kind == "output"]
        for part, value in zip(outputs[len(outputs) - len(results) :], results, strict=False):
            part.writes = [outer.wire(value)]

    def frames(self, node: ir.Node) -> tuple[Frame, ...]:
        """The boxes around a node, by what the file says about modules."""
        metadata = node.metadata_props
        if "frazil.op" in metadata:
            path = _path(metadata.get("frazil.module", ""))
            frames = self.modules(path.split(".")[:_BOXES] if path else [])
            base = (node.name or "").rpartition(".")[0]
            return (*frames, Frame(f"{path}:{base}", metadata["frazil.op"], kind="op"))
        if "namespace" in metadata:
            return _by_namespace(metadata["namespace"])
        names = [name for name in (node.name or "").split("/")[:-1] if name][:_BOXES]
        return self.modules([name.removeprefix(f"{outer}.") for outer, name in zip(["", *names], names, strict=False)])

    def modules(self, names: Sequence[str]) -> tuple[Frame, ...]:
        """A frame for every part of a path."""
        paths = [".".join(names[: i + 1]) for i in range(len(names))]
        return tuple(Frame(path, name, self.classes.get(path, "")) for path, name in zip(paths, names, strict=True))


def _states(node: ir.Node) -> int:
    """How many inputs of a Scan are carried."""
    return len(node.inputs) - node.attributes["num_scan_inputs"].as_int() if node.op_type == "Scan" else 0


def _classes(graph: ir.Graph) -> dict[str, str]:
    """Path of a module -> its class, as far as the nodes of the file say."""
    found = {}
    for node in ir.traversal.RecursiveGraphIterator(graph):
        module = node.metadata_props.get("frazil.module", "")
        if module.endswith(")"):
            found[_path(module)] = module[module.rindex("(") + 1 : -1]
    return found


def _path(module: str) -> str:
    """The path in "encoder.0 (Linear)"; the whole program has none."""
    return module.rpartition(" (")[0]


def _by_namespace(text: str) -> tuple[Frame, ...]:
    """The modules in torch.onnx's "<name>: <class>/<name>: <class>/...", whose last one is the operation."""
    frames: list[Frame] = []
    for part in text.split("/")[:-1][:_BOXES]:
        path, _, kind = part.rpartition(": ")
        if path:
            own = path.removeprefix(f"{frames[-1].key}.") if frames else path
            frames.append(Frame(path, own, kind.rpartition(".")[2]))
    return tuple(frames)


def _source(metadata: Mapping[str, str]) -> tuple[str, str]:
    """The line of the program and its text."""
    if "frazil.source" in metadata:
        return metadata["frazil.source"], metadata.get("frazil.code", "")
    lines = re.findall(r'File "([^"]+)", line (\d+), in (\S+)\n\s*(.*)', metadata.get("pkg.torch.onnx.stack_trace", ""))
    if not lines:
        return "", ""
    file, line, function, code = lines[-1]
    return f"{os.path.basename(file)}:{line} in {function}", code


def type_of(value: ir.Value) -> str:
    """ "float32[batch, 10]"; what the file does not say is a question mark."""
    dtype = _DTYPES.get(value.dtype.name, value.dtype.name.lower()) if value.dtype is not None else ""
    if value.shape is None:
        return dtype
    dims = [str(dim) if isinstance(dim, int) else str(dim.value or "?") for dim in value.shape]
    return f"{dtype}[{', '.join(dims)}]"


def _constant(name: str, tensor: Any) -> tuple[str, str]:
    """Name and type; a few numbers speak for themselves."""
    if tensor is None:
        return name, ""
    if tensor.size <= _FEW and not isinstance(tensor, (ir.ExternalTensor, ir.StringTensor)):
        with contextlib.suppress(Exception):  # it has other numbers than it says
            return "", number(tensor.numpy().tolist())
    dtype = _DTYPES.get(tensor.dtype.name, tensor.dtype.name.lower())
    return name, f"{dtype}[{', '.join(map(str, tensor.shape))}]"


def _attribute(attribute: ir.Attr) -> str:
    value = attribute.value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if attribute.type == ir.AttributeType.TENSOR:
        return _constant("", value)[1]
    return number(list(value) if isinstance(value, tuple) else value)
