"""`load`: an ONNX file as a module."""

from __future__ import annotations

import keyword
import os
import re
from collections import Counter, namedtuple
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
import onnx
import onnx_ir as ir

import frazil as fz
from frazil.dtypes import ALL
from frazil.errors import ArgumentError, DTypeError, FrazilError, ShapeError
from frazil.outside import plain
from frazil.tensor import Tensor

from .. import onnx_file
from .arrays import TENSOR_TYPES, Sizes
from .importers import IMPORTERS
from .importers.control import always_goes_on
from .program import RUN, Program, Run, all_steps, unknown_operators

#: Integers of at most this many elements and one dimension are numbers of the program (shapes, axes), not state of the module.
_NUMBERS = 1024
#: So many rounds of a loop have no end.
_ENDLESS = 2**40


def load(source: Any, *, device: Any = None) -> Model:
    """An ONNX file, whoever made it, as a module that runs, trains and exports on every backend.

    Args:
        source: a path, the contents as bytes, or an `onnx.ModelProto`.
        device: where its weights are put.

    Weights outside of the file are read from its own folder only. The module does what the file says until it is told otherwise:
    after `train()` BatchNormalization uses the batch's statistics and moves its own, and Dropout drops; after `eval()` neither
    does, in a file that was written in training mode (`training_mode`) too. A file whose BatchNormalization was made part of its
    convolutions has none to train: export with `fold=False` what will be trained further.

    Raises ArgumentError where the file is damaged, contradicts itself, or has operators that frazil lacks: all are listed.

    >>> import frazil as fz
    >>> report = fz.onnx.export(fz.nn.Linear(2, 3), fz.ones(1, 2), input_names=["x"])
    >>> model = fz.onnx.load(report.model_bytes)
    >>> list(model.state_dict())
    ['weight', 'bias']
    >>> model(fz.ones(4, 2)).shape
    frazil.Size([4, 3])
    """
    model, name, folder = _read(source)
    try:
        onnx_file.check_size(model, name, "fz.onnx.load", "read")
        _check(model, name)
        _check_external(model, name, folder)
        return Model(model, name, device)
    except FrazilError as error:
        if str(error).startswith("fz.onnx"):
            raise
        raise ArgumentError(f"fz.onnx.load: {name!r} is not a sound ONNX model: {error}") from error
    except Exception as error:  # the parts of a file may contradict each other in any way
        raise ArgumentError(f"fz.onnx.load: {name!r} is not a sound ONNX model: {onnx_file.reason(error)}") from error


def _read(source: Any) -> tuple[ir.Model, str, Path | None]:
    if isinstance(source, (str, os.PathLike)):
        return onnx_file.read(source, "fz.onnx.load"), str(source), Path(os.path.realpath(source)).parent
    if isinstance(source, (bytes, bytearray, memoryview)):
        contents = bytes(source)
        parse = lambda: onnx.ModelProto.FromString(contents)
    elif isinstance(source, onnx.ModelProto):
        parse = lambda: source
    elif isinstance(source, ir.Model):
        return source, source.graph.name or "the model", None
    else:
        raise ArgumentError(f"fz.onnx.load: give a path, bytes or an onnx.ModelProto, not {type(source).__name__}")
    model = onnx_file.parsed(parse, "fz.onnx.load", "what was given")
    if not model.graph.opset_imports:
        raise ArgumentError("fz.onnx.load: what was given is not an ONNX file: it states no opset")
    return model, model.graph.name or "the model", None


# --- is it sound? ---------------------------------------------------------------------------------------------------------------


def _check(model: ir.Model, name: str) -> None:
    """Refuse values that nobody makes or two nodes make, circles, and opsets that nobody knows."""
    version = model.graph.opset_imports.get("", model.graph.opset_imports.get("ai.onnx", 1))
    if not 1 <= version <= onnx.defs.onnx_opset_version():
        raise ArgumentError(
            f"fz.onnx.load: {name!r} is of opset {version}; the installed onnx knows 1 to {onnx.defs.onnx_opset_version()}: "
            "update it (pip install -U onnx)"
        )
    _check_graph(model.graph, set(), name, model.graph.opset_imports)
    for function in model.functions.values():
        _check_graph(function, set(), name, function.opset_imports or model.graph.opset_imports)


def _check_graph(graph: ir.Graph | ir.Function, around: set[ir.Value], name: str, opsets: Mapping[str, int]) -> None:
    known = {*around, *graph.inputs, *getattr(graph, "initializers", {}).values()}
    names = Counter(value.name for value in graph.inputs)
    twice = next((n for n, count in names.items() if count > 1), None)
    if twice is not None:
        raise ArgumentError(f"fz.onnx.load: {name!r} is not a sound ONNX model: two inputs are called {plain(twice)!r}")
    try:
        graph.sort()
    except ValueError as error:
        raise ArgumentError(f"fz.onnx.load: {name!r} is not a sound ONNX model: its nodes go round in a circle") from error
    for node in graph:
        for value in node.inputs:
            if value is not None and value not in known:
                _refuse_unmade(value, node, name)
        if wrong := _against_definition(node, opsets):
            raise ArgumentError(f"fz.onnx.load: {name!r} is not a sound ONNX model: {_named(node)} {wrong}")
        for attribute in node.attributes.values():
            for inner in onnx_file.graphs_of(attribute):
                _check_graph(inner, known, name, opsets)
        known.update(node.outputs)
    for value in graph.outputs:
        if value not in known:
            _refuse_unmade(value, None, name)


def _refuse_unmade(value: ir.Value, node: ir.Node | None, name: str) -> None:
    reader = "it is a result" if node is None else f"{_named(node)} reads it"
    raise ArgumentError(
        f"fz.onnx.load: {name!r} is not a sound ONNX model: nothing makes {plain(value.name or '')!r}, but {reader}"
    )


def _named(node: ir.Node) -> str:
    return f"{plain(node.op_type)} {plain(node.name or '')!r}"


def _against_definition(node: ir.Node, opsets: Mapping[str, int]) -> str | None:
    """What of a node is not as its operator's definition says: how many inputs, which attributes of which type."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    version = opsets.get(domain, opsets.get("ai.onnx", 1) if not domain else 1)
    try:
        schema = onnx.defs.get_schema(node.op_type, version, domain)
    except onnx.defs.SchemaError:
        return None
    count = len(node.inputs)
    if not schema.min_input <= count <= schema.max_input:
        most = "at least" if count < schema.min_input else "at most"
        return f"has {count} inputs; {most} {schema.min_input if count < schema.min_input else schema.max_input} are defined"
    for attribute, formal in schema.attributes.items():
        given = node.attributes.get(attribute)
        if given is None:
            if formal.required:
                return f"lacks the attribute {attribute!r}"
        elif not given.is_ref() and given.type.name != formal.type.name:
            return f"has {attribute!r} as {given.type.name}; it is defined as {formal.type.name}"
    return None


def _check_external(model: ir.Model, name: str, folder: Path | None) -> None:
    """Weights in other files must lie in the folder of the model, and be there."""
    for tensor in _external(model):
        location = str(tensor.location)
        if folder is None:
            what = f"the weights {plain(tensor.name)!r} are in the file {plain(location)!r}"
            raise ArgumentError(f"fz.onnx.load: {what}: load the model by its path")
        target = Path(os.path.realpath(folder / location))
        if os.path.isabs(location) or not target.is_relative_to(folder):
            raise ArgumentError(
                f"fz.onnx.load: {name!r} wants to read {plain(location)!r}, which is outside of its folder; that is not done"
            )
        if not target.is_file():
            raise ArgumentError(f"fz.onnx.load: {name!r} has weights in {plain(location)!r}, but there is no such file beside it")
        size, begin = target.stat().st_size, int(tensor.offset or 0)
        needed = tensor.nbytes if tensor.length is None else int(tensor.length)
        if begin < 0 or needed < 0 or begin + needed > size or tensor.nbytes > size:
            raise ArgumentError(
                f"fz.onnx.load: {name!r} says that {plain(tensor.name)!r} is {needed:,} bytes from byte {begin:,} of "
                f"{plain(location)!r}, which has {size:,}"
            )


def _external(model: ir.Model) -> Iterator[ir.ExternalTensor]:
    graphs = [model.graph, *model.graph.subgraphs()]
    for function in model.functions.values():
        graphs += list(function.subgraphs())
    for graph in graphs:
        for value in graph.initializers.values():
            if isinstance(value.const_value, ir.ExternalTensor):
                yield value.const_value
    for body in (model.graph, *model.functions.values()):
        for node in ir.traversal.RecursiveGraphIterator(body):
            for attribute in node.attributes.values():
                if attribute.type == ir.AttributeType.TENSOR and isinstance(attribute.value, ir.ExternalTensor):
                    yield attribute.value


# --- the module -----------------------------------------------------------------------------------------------------------------


def _endless_loop(program: Program) -> str | None:
    """The name of a Loop that no condition and no limit ever ends."""
    for step in all_steps(program.main):
        if step.view.op_type != "Loop" or step.view.domain or "body" not in step.view:
            continue
        limit, condition = (*step.inputs, None, None)[:2]
        most = None if limit is None else program.known(limit)
        if limit is not None and (most is None or most.item() < _ENDLESS):
            continue
        begins = condition is None or ((known := program.known(condition)) is not None and bool(known.item()))
        if begins and always_goes_on(step.view["body"]):
            return plain(step.view.name or "")
    return None


@final
class Weights(fz.nn.Module):
    """Weights whose names begin alike: those of `layer1.0.weight` are `model.layer1` and its `0`."""

    def __repr__(self) -> str:
        own = [f"{name}: {_described(t)}" for name, t in (*self._parameters.items(), *self._buffers.items()) if t is not None]
        inner = [f"({name}): {module!r}" for name, module in self._modules.items()]
        return f"Weights({', '.join((*own, *inner))})"


def _described(t: Tensor) -> str:
    return f"{t.dtype.name}[{', '.join(map(str, t.shape))}]"


class Model(fz.nn.Module):
    """A module made of an ONNX file.

    Weights have the names that they have in the file, in `state_dict` too; `conv.weight` is `model.conv.weight`.
    Floats that are trained are parameters; single numbers, running statistics, scales of quantisation and integers are buffers;
    shapes and axes are part of the program. Inputs go by position or by name; several results are a named tuple.
    """

    def __init__(self, model: ir.Model, name: str, device: Any = None) -> None:
        super().__init__()
        self.training = False
        #: Whether nobody called `train` or `eval` yet.
        self._as_written = True
        self._title = Path(name).name
        self._program = Program(model)
        missing = unknown_operators(self._program)
        if missing:
            raise ArgumentError(
                f"fz.onnx.load: {name!r} has {len(missing)} operators that frazil lacks: {', '.join(missing[:20])}"
                f"{', ...' if len(missing) > 20 else ''}. They can be given as importers (fz.onnx.importer)"
            )
        if endless := _endless_loop(self._program):
            raise ArgumentError(
                f"fz.onnx.load: {name!r} has the loop {endless!r}, which never ends: it has no limit, and always goes on"
            )
        #: The names of the inputs and the results, as in the file.
        self.input_names = [str(value.name) for value in self._program.inputs]
        self.output_names = [str(value.name) for value in model.graph.outputs]
        self._results = _results_type(self.output_names) if len(self.output_names) > 1 else None
        #: Where in the module the initialisers are that are state, by name; the others are constants of the program.
        self._state: dict[str, tuple[fz.nn.Module, str]] = {}
        for value in self._program.stored.values():
            self._take(value, device)

    def _take(self, value: ir.Value, device: Any) -> None:
        tensor = value.const_value
        if tensor is None:
            raise ArgumentError(f"fz.onnx.load: the weights {plain(value.name or '')!r} have no numbers")
        kind = _kind(value)
        if kind == "constant":
            self._program.numbers[value] = self._program.constant(tensor)
            return
        holder, name = self._place(str(value.name))
        numbers = np.array(self._program.array(tensor))  # memory of its own
        if kind == "parameter":
            holder._parameters[name] = fz.nn.Parameter(fz.tensor(numbers, device=device))
        else:
            holder._buffers[name] = fz.tensor(numbers, device=device)
        self._state[str(value.name)] = holder, name

    def _place(self, name: str) -> tuple[fz.nn.Module, str]:
        """The module that holds a weight of this name, and what it is called there. Any name will do, one that Python has another
        meaning for as well: it is found in `state_dict` then, not as an attribute."""
        *path, last = name.split(".")
        holder: fz.nn.Module = self
        for part in path:
            if part not in holder._modules:
                holder._modules[part] = Weights().eval()
            inner = holder._modules[part]
            assert inner is not None
            holder = inner
        return holder, last

    def train(self, mode: bool = True) -> Model:
        """Set training mode, or evaluation mode: from here on the file is not asked."""
        super().train(mode)
        self._as_written = False
        return self

    @property
    def inputs(self) -> Sequence[ir.Value]:
        """Return what the file says of its inputs: name, dtype and shape."""
        return self._program.inputs

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The results for inputs in the order of the file, or by their names there."""
        results = self._run(inputs, named)
        return results[0] if self._results is None else self._results(*results)

    def values(self, *inputs: Any, **named: Any) -> dict[str, Any]:
        """Every value that is computed on the way, by its name in the file, for inputs as in a call.

        >>> import frazil as fz
        >>> report = fz.onnx.export(lambda x: (x + 1).exp(), fz.zeros(1), output_names=["y"])
        >>> sorted(fz.onnx.load(report.model_bytes).values(fz.zeros(1)))
        ['add', 'y']
        """
        own = {value for step in self._program.main.steps for value in step.outputs if value is not None and value.name}
        found: dict[ir.Value, Any] = {}
        self._run(inputs, named, lambda value, x: found.update({value: x}) if value in own else None)
        return {str(value.name): x for value, x in found.items()}

    def _run(self, inputs: Sequence[Any], named: Mapping[str, Any], watch: Any = None) -> list[Any]:
        given = self._given(inputs, named)
        env: dict[ir.Value, Any] = dict(self._program.numbers)
        for name, (holder, own) in self._state.items():
            env[self._program.stored[name]] = holder._parameters[own] if own in holder._parameters else holder._buffers[own]
        device: Any = next((x.device for x in given.values() if isinstance(x, Tensor)), None)
        device = next((t.device for t in env.values() if isinstance(t, Tensor)), "cpu") if device is None else device
        env.update((value, _input(value, x, device)) for value, x in given.items())
        told = None if watch is None else lambda value, x: watch(value, _result(x, device))
        token = RUN.set(Run(device, None if self._as_written else self.training, self._program, told))
        try:
            found = self._program.main.run([env.pop(v, None) for v in self._program.main.inputs], env)
            return [_result(x, device) for x in found]
        finally:
            RUN.reset(token)

    def _given(self, inputs: Sequence[Any], named: Mapping[str, Any]) -> dict[ir.Value, Any]:
        known = self._program.inputs
        if len(inputs) > len(known):
            raise ArgumentError(f"{self._title} takes {len(known)} inputs ({_names(self.input_names)}), given {len(inputs)}")
        found = dict(zip(known, inputs, strict=False))
        by_name = {value.name: value for value in (*known, *self._program.defaults)}
        for name, x in named.items():
            if name not in by_name:
                raise ArgumentError(f"{self._title} has no input {name!r}; its inputs are {_names(self.input_names)}")
            if by_name[name] in found:
                raise ArgumentError(f"{self._title}: the input {name!r} is given twice")
            found[by_name[name]] = x
        missing = [str(v.name) for v in known if v not in found and not isinstance(v.type, ir.OptionalType)]
        if missing:
            raise ArgumentError(f"{self._title}: inputs are missing: {_names(missing)}")
        return found

    def __repr__(self) -> str:
        counts = Counter(step.view.op_type for step in self._program.main.steps)
        opset = ", ".join(f"{plain(n)} {v}" if n else f"opset {v}" for n, v in self._program.opsets.items())
        parameters, buffers = list(self.parameters()), list(self.buffers())
        lines = [
            f"inputs: {', '.join(map(_declared, self._program.inputs)) or 'none'}",
            f"outputs: {', '.join(map(_declared, self._program.main.outputs))}",
            f"operators: {', '.join(f'{count} {plain(name)}' for name, count in sorted(counts.items())) or 'none'}",
            f"parameters: {len(parameters)}, with {sum(p.numel() for p in parameters):,} numbers; buffers: {len(buffers)}",
        ]
        return f"Model({plain(self._title)}: {opset}\n" + "\n".join(f"  {line}" for line in lines) + "\n)"


def _names(names: Sequence[str]) -> str:
    return ", ".join(repr(plain(name)) for name in names) or "none"


#: What PyTorch's exporters call numbers that no parameter is named after: weights that they turned, and constants (a state of
#: zeros, a scale), which are one number, once or again and again.
_NAMED_BY_EXPORTERS = re.compile(r"val_\d+|onnx::\w+|.*/Constant(_\d+)?_output_\d+")


def _kind(value: ir.Value) -> str:
    """What an initialiser is to the module: "parameter", "buffer", or "constant" of the program."""
    tensor = value.const_value
    assert tensor is not None
    dtype = np.dtype("bool") if tensor.dtype == ir.DataType.BOOL else np.dtype(tensor.dtype.numpy())
    if dtype.name not in TENSOR_TYPES:
        return "constant"
    floating = ALL[dtype.name].is_floating_point
    known = value.metadata_props.get("frazil.kind", "")
    if known in ("param", "buffer"):
        return "parameter" if known == "param" and floating else "buffer"
    if known == "constant" or str(value.name).startswith("const["):  # frazil's files tell
        return "constant"
    uses = [(node, position) for node, position in value.uses()]
    importers = [(IMPORTERS.get(("" if node.domain == "ai.onnx" else node.domain, node.op_type)), i) for node, i in uses]
    if any(found is not None and position in found.numbers for found, position in importers):
        return "constant"
    if not floating:
        return "constant" if len(tensor.shape) < 2 and tensor.size <= _NUMBERS else "buffer"
    if not len(tensor.shape) or any(found is not None and position in found.fixed for found, position in importers):
        return "buffer"
    if _NAMED_BY_EXPORTERS.fullmatch(str(value.name)) and tensor.size and (tensor.numpy() == tensor.numpy().flat[0]).all():
        return "buffer"
    return "parameter"


def _results_type(names: Sequence[str]) -> Any:
    """A named tuple with these names, as far as Python allows them."""
    fields: list[str] = []
    for name in names:
        field = re.sub(r"\W", "_", name).lstrip("_") or "output"
        field = f"output_{field}" if field[0].isdigit() else f"{field}_" if keyword.iskeyword(field) else field
        while field in fields:
            field += "_"
        fields.append(field)
    return namedtuple("Results", fields)


def _input(value: ir.Value, x: Any, device: Any) -> Any:
    """An input as the program takes it."""
    found: Any
    if x is None or isinstance(x, Tensor):
        found = x
    elif isinstance(x, (list, tuple)) and isinstance(value.type, (ir.SequenceType, ir.OptionalType)):
        return [_input(value, item, device) for item in x]
    else:
        array = np.asarray(x)
        found = fz.tensor(array, device=device) if array.dtype.name in TENSOR_TYPES else array
    if isinstance(value.type, ir.TensorType) and isinstance(found, Tensor):
        _check_input(value, found)
    return found


def _check_input(value: ir.Value, x: Tensor) -> None:
    name, kind = plain(value.name or ""), value.dtype
    if kind is not None and kind is not ir.DataType.UNDEFINED:
        wanted = "bool" if kind is ir.DataType.BOOL else np.dtype(kind.numpy()).name
        if wanted in TENSOR_TYPES and x.dtype.name != wanted:
            raise DTypeError(f"the input {name!r} is {wanted}, given {x.dtype.name}: convert it with .to(fz.{wanted})")
    if value.shape is None:
        return
    # while recording, a size that the file fixes is fixed in what is recorded as well
    fits = len(value.shape) == x.ndim and all(not isinstance(n, int) or n == m for n, m in zip(value.shape, x.shape, strict=True))
    if not fits:
        raise ShapeError(f"the input {name!r} is {_declared(value)}, given {list(x.shape)}")


def _result(x: Any, device: Any) -> Any:
    if isinstance(x, list):
        return [_result(item, device) for item in x]
    if isinstance(x, Sizes) or (isinstance(x, np.ndarray) and x.dtype.name in TENSOR_TYPES):
        return RUN.get().tensor(x)
    return x


def _declared(value: ir.Value) -> str:
    """ "x: float32[batch, 3]"."""
    kind = value.dtype
    dtype = "?" if kind is None else {"FLOAT": "float32", "DOUBLE": "float64"}.get(kind.name, kind.name.lower())
    if isinstance(value.type, (ir.SequenceType, ir.OptionalType)):
        dtype = f"{'sequence' if isinstance(value.type, ir.SequenceType) else 'optional'} of {dtype}"
    if value.shape is None:
        return f"{plain(value.name or '')}: {dtype}"
    dims = ", ".join(str(n) if isinstance(n, int) else plain(n.value or "?") for n in value.shape)
    return f"{plain(value.name or '')}: {dtype}[{dims}]"
