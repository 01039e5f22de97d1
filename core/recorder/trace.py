"""`trace`: run a program once on stand-ins and get a `Program`, which runs its graph."""

from __future__ import annotations

import builtins
import copy
import inspect
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from .. import dtypes
from ..alias import assign, check_writable
from ..autograd.modes import no_grad
from ..creation import full
from ..device import device as device_of
from ..errors import ArgumentError, RecordError
from ..pytree import Tree, flatten, leaf_names, unflatten
from ..random import default_generator
from ..serialization import File
from ..sizes import SymInt
from ..spelling import missing
from ..state import STATE
from ..table import OPS
from ..tensor import Tensor, wrap
from . import branches as branches  # records `cond` from now on
from . import loops as loops  # and loops
from . import passes
from .dims import by_input
from .graph import Graph, Node, Value
from .plan import Plan
from .recording import Recorder
from .running import device_for, execute
from .saved import save
from .slots import AttributeSlot
from .traced import TracedArray
from .world import World


@final
class Program:
    """A recorded program: call it like the function it was recorded from.

    `graph` is what it does; `print(program)` shows it with source lines. Parameters are those of the recorded module, not
    copies, and gradients flow through a call as through the original.

    >>> import frazil as fz
    >>> program = fz.jit.trace(lambda x: fz.relu(x) * 2, fz.ones(3))
    >>> program(fz.tensor([-1.0, 1.0, 2.0, 3.0]))
    tensor([0., 2., 4., 6.])
    """

    def __init__(
        self, fn: Any, graph: Graph, static: dict[int, Any], changed_inputs: dict[int, Value], sizes_out: set[int], args: Any
    ) -> None:
        self.fn = fn
        self.graph = graph
        self.static = static  # leaf position -> argument that is not a tensor
        self.changed_inputs = changed_inputs
        self.sizes_out = sizes_out
        self.example_args = args
        self._results = [*graph.results, *changed_inputs.values()]
        self._plan: Plan | None = None
        self._plain: int | None = None
        self.used_up = False  # whether it runs backward by itself, so that its results have no gradient any more
        self.left_out: list[AttributeSlot] = []  # attributes that `fn` only writes: no state, and not set by a call
        self.twins: list[Tensor] = []  # what `fn` changes as it changes the tensor of a state, which stands for them
        self.numbers_read: list[Tensor] = []  # tensors whose numbers, as they were, are part of what was recorded
        self.differentiates = False  # whether `fn` asks for gradients
        self.asks = False  # or whether they are recorded
        self.gradients = False  # whether `fn` must run with them to do what was recorded

    def with_graph(self, fn: Any, graph: Graph) -> Program:
        """The same program with other states or names; `fn` is what it was recorded from."""
        made = copy.copy(self)
        made.fn, made.graph, made._plan = fn, graph, None
        made._results = [*graph.results, *made.changed_inputs.values()]
        return made

    def __str__(self) -> str:
        return str(self.graph)

    def __repr__(self) -> str:
        return f"<recorded program {self.graph.name}: {len(self.graph.nodes)} nodes>"

    def show(self, path: str | os.PathLike[str]) -> Path:
        """Draw the program: modules and control flow are boxes, with shapes and source lines. Gives the file written.

        Args:
            path: ends in ".html" (a page on which boxes open and close) or ".svg"; neither needs another file or a network.

        >>> import frazil as fz
        >>> fz.jit.trace(lambda x: fz.relu(x), fz.ones(2)).show("relu.svg").name
        'relu.svg'
        """
        from .. import drawing  # an exporter, loaded through the plugins like `fz.onnx`

        found: Path = drawing.draw(self, path)
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._only_tensors == len(args) and not kwargs and all(isinstance(t, Tensor) for t in args):
            return self._run(args)
        leaves, tree = flatten((args, kwargs))
        if tree != self.graph.in_tree and str(tree) != str(self.graph.in_tree):
            raise ArgumentError(f"{self.graph.name}: was recorded with arguments {self.graph.in_tree}, called with {tree}")
        tensors = []
        for i, leaf in enumerate(leaves):
            if i in self.static:
                if not _same_static(leaf, self.static[i]):
                    raise ArgumentError(
                        f"{self.graph.name}: was recorded with the fixed argument {self.static[i]!r}, called with {leaf!r}: "
                        f"record it again"
                    )
            elif not isinstance(leaf, Tensor):
                raise ArgumentError(f"{self.graph.name}: argument {i} was a tensor when recorded, now {type(leaf).__name__}")
            else:
                tensors.append(leaf)
        return self._run(tensors)

    @property
    def _only_tensors(self) -> int:
        """How many arguments there are, if all of them are tensors by position; else -1."""
        if self._plain is None:
            positional, named = self.graph.in_tree.children
            plain = not named.children and not self.static and all(child.kind is None for child in positional.children)
            self._plain = len(positional.children) if plain else -1
        return self._plain

    def __getattr__(self, name: str) -> Any:
        """What the recorded module has: its parameters, its state dict, its children; of a function, nothing."""
        module = self.__dict__.get("fn")
        if name.startswith("__") or not hasattr(module, "named_modules"):
            raise missing(f"'Program' object has no attribute {name!r}", name, lambda: dir(self))
        found = getattr(module, name)
        if getattr(found, "__self__", None) is not module:
            return found

        def of_module(*args: Any, **kwargs: Any) -> Any:
            result = found(*args, **kwargs)
            return self if result is module else result  # as `model.to(...)`, so that calls can be chained

        return of_module

    def train(self, mode: bool = True) -> Program:
        """Set the mode of the recorded module. The program stays as it was recorded, of which a warning tells where that
        matters."""
        self.warn_of_mode(self.fn.training, mode)
        self.fn.train(mode)
        return self

    def eval(self) -> Program:
        """`train(False)`."""
        return self.train(False)

    def warn_of_mode(self, before: bool, mode: bool) -> None:
        """Warn that the program goes on drawing numbers or changing statistics, as in training, where the mode was evaluation."""
        if before and not mode and self.graph.states:
            warnings.warn(
                f"{self.graph.name} was recorded in training mode, and stays so: record it after model.eval()", stacklevel=3
            )

    def save(self, f: File, _extra_files: dict[str, Any] | None = None) -> None:
        """Write the program to a file, from which `fz.jit.load` makes a module.

        >>> import frazil as fz, io
        >>> fz.jit.trace(fz.nn.ReLU(), fz.ones(2)).save(file := io.BytesIO())
        >>> _ = file.seek(0)
        >>> fz.jit.load(file)(fz.tensor([-1.0, 2.0]))
        tensor([0., 2.])
        """
        save(self, f, _extra_files)

    def _run(self, tensors: Sequence[Tensor]) -> Any:
        results, count = self._results, len(self.graph.outputs)
        found: list[Any]
        if STATE.recorder is not None:
            env = execute(self.graph, tensors)
            found, own = [env[value] for value in results], [False] * len(results)
        else:
            plan = self._plan
            if plan is None:
                plan = self._plan = Plan(self.graph, results)
            own = plan.fresh
            on_arrays = plan.gives_fresh(count) and (not STATE.grad or self.used_up or not self._tracked(tensors))
            found = plan.run(tensors, on_arrays)
            if on_arrays:
                device = tensors[0]._dev if tensors else device_for(tensors, self.graph)
                found = [wrap(array, device) for array in found]
        if len(results) > count:
            self._write(tensors, found, own)
        if self.sizes_out:
            found = [int(t) if i in self.sizes_out else t for i, t in enumerate(found)]
        tree = self.graph.out_tree
        return found[0] if tree.kind is None else unflatten(tree, found[:count])

    def _write(self, tensors: Sequence[Tensor], found: list[Any], own: Sequence[bool]) -> None:
        """Write new states and arguments. What would be overwritten is read before anything is written."""
        states, results, count = self.graph.states, self._results, len(self.graph.outputs)
        targets = [*(state.tensor for state in states), *(tensors[i] for i in self.changed_inputs)]
        with no_grad():
            for i, target in enumerate(targets, count):
                for k in range(count):
                    if found[k] is target and results[k] is not results[i]:
                        found[k] = target.clone()
        for i in range(count, len(found)):
            if not own[i]:
                found[i] = found[i].clone()
        with no_grad():
            for state, new in zip(states, found[count:], strict=False):
                if state.attribute == "grad":
                    state.tensor.grad = new
                else:
                    assign("a recorded program", state.tensor, new)
        for position, i in zip(self.changed_inputs, range(count + len(states), len(found)), strict=True):
            check_writable(self.graph.name, tensors[position])
            assign(self.graph.name, tensors[position], found[i])
            for k in range(count):
                if results[k] is results[i]:
                    found[k] = tensors[position]

    def _tracked(self, tensors: Sequence[Tensor]) -> bool:
        """Whether a gradient may be asked for."""
        return any(t._rg for t in tensors) or any(v.tensor._rg for v in self.graph.captured if v.tensor is not None)


def _same_static(a: Any, b: Any) -> bool:
    try:
        return builtins.bool(a is b or a == b)
    except Exception:  # arguments whose comparison has no truth value are only the same if identical
        return False


def trace(
    fn: Any,
    example_inputs: Any = (),
    example_kwargs: dict[str, Any] | None = None,
    *,
    input_names: Sequence[str] | None = None,
    dynamic_shapes: Any = "auto",
    example_kwarg_inputs: dict[str, Any] | None = None,
    check_trace: bool = True,
    check_inputs: Any = None,
    check_tolerance: float = 1e-5,
    strict: bool = True,
) -> Program:
    """Run `fn` (a function, method or Module) on stand-ins for the example inputs and record what it does.

    Args:
        example_inputs: the arguments, a tuple; a single tensor may stand alone. Tensors may be nested in tuples, lists and dicts.
            Arguments that are not tensors are fixed.
        input_names: names for the tensors among the arguments (default: the parameter names of the function).
        dynamic_shapes: "auto": every size of every input may change, unless the program fixes it (see `program.graph.guards`).
            None: all sizes are those of the examples. Or, per input name, the axes that may change: {"x": [0, 1]}, or with names
            for them, {"x": {0: "batch"}}; axes of one name have one size. PyTorch's forms are taken as well: `fz.export.Dim` for
            names, a tuple by the order of the arguments, the names of parameters.
        example_kwarg_inputs: `example_kwargs` by PyTorch's name.
        check_trace, check_inputs, check_tolerance, strict: accepted for PyTorch's sake. What PyTorch would check for is refused
            while it is recorded here, and results may be dicts.

    Raises RecordError where the program needs the numbers of a tensor (`if x.sum() > 0`, `int(x.max())`), naming the line.

    >>> import frazil as fz
    >>> print(fz.jit.trace(lambda x: x.reshape(x.shape[0], -1) + 1, (fz.ones(2, 3),), input_names=["x"]).graph.outputs[0])
    add: float32[x0, x1]
    """
    if isinstance(example_inputs, (Tensor, np.ndarray)) or not isinstance(example_inputs, (tuple, list)):
        example_inputs = (example_inputs,)
    example_kwargs = example_kwarg_inputs if example_kwargs is None else example_kwargs
    if example_kwargs is not None and not isinstance(example_kwargs, dict):
        raise ArgumentError(
            f"trace: example_kwargs is a dict of arguments by name, given a {type(example_kwargs).__name__}; several inputs are "
            f"one tuple: fz.jit.trace(fn, (a, b))"
        )
    return record(fn, tuple(example_inputs), dict(example_kwargs or {}), input_names, dynamic_shapes)


def record(
    fn: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    input_names: Sequence[str] | None = None,
    dynamic_shapes: Any = "auto",
    call: Any = None,
) -> Program:
    """As `trace`. `call` is run in the place of `fn`, which says how things are called and what the program can reach."""
    leaves, tree = flatten((args, kwargs))
    positions = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    parameter_names = leaf_names_of(fn, tree)
    names = list(input_names or [])
    if input_names is not None and len(names) != len(positions):
        raise ArgumentError(f"trace: {len(names)} input names for {len(positions)} tensors")
    names = names or [identifier(parameter_names[i]) for i in positions]
    free = by_input(dynamic_shapes, fn, args, kwargs, names)
    device: Any = next((leaves[i]._dev for i in positions), device_of("cpu"))
    if device.recording:
        device = device.real
    recorder = Recorder(_name_of(fn), device)
    for module in modules_of(fn):
        recorder.know_module(module)
    recorder.know("state", "random_state", default_generator.state)
    stand_ins = [
        recorder.input(name, leaves[i], name, _free_axes(name, leaves[i], free)) for name, i in zip(names, positions, strict=True)
    ]
    given = list(leaves)
    for i, stand_in in zip(positions, stand_ins, strict=True):
        given[i] = stand_in
    before = [(t, t._a) for t in stand_ins]
    world = World(fn, modules_of(fn))
    world.enter()
    try:
        with recorder.active():
            a, k = unflatten(tree, given)
            result = (fn if call is None else call)(*a, **k)
            outputs, sizes_out, out_tree = _results(recorder, result)
            graph, changed = recorder.finish(outputs, before)
    except BaseException:
        recorder.abandon()
        raise
    finally:
        world.leave()
    graph.in_tree, graph.out_tree = tree, out_tree
    for value in changed.values():
        if value not in graph.outputs:
            graph.outputs.append(value)  # kept alive through the passes, taken off again below
    passes.drop_dead_code(graph)
    graph.outputs = graph.outputs[: len(outputs)]
    static = {i: leaf for i, leaf in enumerate(leaves) if i not in positions}
    program = Program(fn, graph.validate(), static, changed, sizes_out, (args, kwargs))
    program.left_out, program.differentiates = recorder.left_out, recorder.differentiates
    program.numbers_read = list(recorder.numbers_read.values())
    program.asks, program.gradients = recorder.asks, recorder.asks and recorder.gradients
    program.used_up = bool(outputs) and all(t._node is not None and t._node.released for t in outputs if t.dtype.kind in "fc")
    return program


def _results(recorder: Recorder, result: Any) -> tuple[list[Tensor], set[int], Tree]:
    leaves, tree = flatten(result, none_is_leaf=False)
    outputs, sizes_out = [], set()
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, Tensor):
            outputs.append(leaf)
        elif isinstance(leaf, (SymInt, int)) and not isinstance(leaf, builtins.bool):
            outputs.append(recorder.device.scalar(leaf, dtypes.int64) if isinstance(leaf, SymInt) else full((), leaf))
            sizes_out.add(i)
        else:
            raise RecordError(
                f"the recorded function returns a {type(leaf).__name__} (result {i}); it must return tensors, nested in "
                f"tuples, lists or dicts"
            )
    return outputs, sizes_out, tree


def leaf_names_of(fn: Any, tree: Tree) -> list[str]:
    """A name for every leaf of (args, kwargs), from the signature of `fn`."""
    target = getattr(fn, "forward", fn)
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    args, kwargs = tree.children
    names = []
    for i, child in enumerate(args.children):
        plain = i < len(parameters) and parameters[i].kind in (parameters[i].POSITIONAL_ONLY, parameters[i].POSITIONAL_OR_KEYWORD)
        names += leaf_names(child, parameters[i].name if plain else f"x{i}")
    for key, child in zip(kwargs.context, kwargs.children, strict=True):
        names += leaf_names(child, key)
    return names


def identifier(name: str) -> str:
    """The name as one that stands for an input."""
    return "".join(c if c.isalnum() or c == "_" else "_" for c in name) or "x"


def _free_axes(name: str, t: Tensor, free: Any) -> dict[int, str]:
    """The axes whose size may change, with the labels they were given ("" for none)."""
    rank = len(t._a.shape)
    given = dict.fromkeys(range(rank), "") if free == "auto" else (free or {}).get(name) or {}
    wrong = [axis for axis in given if not isinstance(axis, int) or not -rank <= axis < rank]
    if wrong:
        raise ArgumentError(f"dynamic_shapes: {name} has {rank} dimensions, so there is no axis {wrong[0]!r}")
    return {axis % rank: label for axis, label in given.items()}


def _name_of(fn: Any) -> str:
    if hasattr(fn, "named_modules"):
        return type(fn).__name__
    name = getattr(fn, "__name__", type(fn).__name__)
    return "main" if name == "<lambda>" else name


def modules_of(fn: Any) -> list[Any]:
    """The modules a program can be seen to use: itself, its owner, its closure, its globals by name."""
    found = []
    if hasattr(fn, "named_modules"):
        return [fn]
    if hasattr(getattr(fn, "__self__", None), "named_modules"):
        found.append(fn.__self__)
    fn = inspect.unwrap(fn)
    for cell in getattr(fn, "__closure__", None) or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            continue
    code = getattr(fn, "__code__", None)
    if code is not None:
        found += [fn.__globals__[name] for name in code.co_names if name in fn.__globals__]
    return [m for m in found if hasattr(m, "named_modules") and not isinstance(m, type)]


def expand(node: Node) -> Graph:
    """The body of a composite node as a graph; its inputs are the node's, without those left out."""
    op = OPS[node.op_name]
    if op.body is None:
        raise RecordError(f"{op.name} is a primitive: it has no body")
    recorder = Recorder(op.name, device_of("cpu"))
    arrays: list[Any] = []
    for name, value in (
        zip(op.tensors, node.inputs, strict=False) if not op.packed else ((f"x{i}", v) for i, v in enumerate(node.inputs))
    ):
        if value is None:
            arrays.append(None)
            continue
        stand_in = Value(recorder.fresh_name(name), value.spec, kind="input")
        recorder.graph.inputs.append(stand_in)
        arrays.append(wrap(TracedArray(stand_in), recorder.device))
    with recorder.active(), no_grad():
        results = op.body(*arrays, **node.attrs)
        outputs = list(results) if op.outputs > 1 else [results]
        graph, _ = recorder.finish(outputs, [])
    passes.drop_dead_code(graph)
    for inner in graph.nodes:
        inner.source, inner.scope = node.source, node.scope
    return graph
