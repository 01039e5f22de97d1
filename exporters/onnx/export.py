"""`export`: record, lower, write, verify, report."""

from __future__ import annotations

import contextlib
import difflib
import math
import os
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any, BinaryIO, final

import numpy as np
import onnx_ir as ir
import onnxruntime

import frazil as fz
from frazil import files, sizes
from frazil.autograd.modes import no_grad
from frazil.errors import ArgumentError, AutogradError, FrazilError, RecordError
from frazil.export import ExportedProgram
from frazil.nn.module import Module
from frazil.pytree import flatten, leaf_names
from frazil.recorder import passes
from frazil.recorder.dims import Dim
from frazil.recorder.graph import Graph, Guard, Source, State, Value
from frazil.recorder.trace import Program, modules_of, trace
from frazil.script import is_scripted, script
from frazil.state import STATE, AsksForGradients
from frazil.tensor import Tensor

from . import pytorch, wider
from .emit import IR_VERSIONS
from .errors import ExportError, GuardError, TrainModeError, VerificationError
from .load import Model
from .lower import Lowered, in_real, is_decided, lower, pairs_among, solved
from .lowerings import LOWERINGS, Lowering
from .oracle import host
from .pytorch import TrainingMode
from .running import open_session, run_file
from .settled import settle, share_memory
from .values import Ranges
from .verify import Verification, verify_model

#: Above this many bytes of weights, they go into a file of their own: protobuf ends at 2 GB.
EXTERNAL_BYTES = 1_500_000_000

_REFUSED_OPSETS = {
    22: "onnxruntime's CPU kernels for several operators end at 21: use 21 or 23",
}


@final
@dataclass
class ExportReport:
    """Facts about the file and what was found out about it; `print(report)` shows it."""

    path: Path | None
    opset_version: int
    ir_version: int
    #: The model itself where no path was given, or as it was written.
    model: ir.Model
    graph: Graph
    inputs: list[str]
    outputs: list[str]
    operators: Counter[str]
    file_bytes: int
    #: Input sizes that the program fixed, by the guards that did.
    fixed: list[str] = field(default_factory=list)
    #: Conditions on sizes that are asserts in the file.
    embedded: list[Guard] = field(default_factory=list)
    #: Weights of convolutions with which a BatchNormalization was multiplied.
    folded: list[str] = field(default_factory=list)
    #: What the program changes: extra inputs and outputs of the file.
    states: list[str] = field(default_factory=list)
    #: Inputs and outputs that are complex in the program: real and imaginary parts along a last dimension of 2.
    pairs: list[str] = field(default_factory=list)
    checks: Verification | None = None
    #: Of a training step: where its initial state was written, and what several steps in a row showed.
    state_path: Path | None = None
    steps: Any = None

    @property
    def model_bytes(self) -> bytes:
        """The file's contents."""
        return bytes(ir.to_proto(self.model).SerializeToString(deterministic=True))

    @property
    def model_proto(self) -> Any:
        """The model as `onnx` has it."""
        return ir.to_proto(self.model)

    def save(self, destination: str | os.PathLike[str], *, external_data: bool | None = None, **of_pytorch: Any) -> None:
        """Write the file here, as PyTorch's programs do that export without a path; others of its arguments change nothing.

        >>> import frazil as fz
        >>> fz.onnx.export(lambda x: x * 2, fz.ones(2)).save("twice.onnx")
        >>> fz.onnx.load("twice.onnx")(fz.ones(3))
        tensor([2., 2., 2.])
        """
        target = Path(os.path.realpath(destination))
        with contextlib.ExitStack() as stack:
            with files.explained(destination, "save"):
                folder = stack.enter_context(files.beside(target))
                written = _write(self.model, Path(folder, target.name), external_data)
                for file in reversed(written):
                    files.put(file, target.with_name(file.name))

    def optimize(self) -> None:
        """Nothing: `export` has done it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what onnxruntime makes of these inputs, as tensors: a tuple."""
        tensors = [leaf for leaf in flatten((args, kwargs))[0] if isinstance(leaf, (Tensor, np.ndarray))]
        return tuple(fz.tensor(array) for array in self.run(*tensors))

    def run(self, *inputs: Tensor | np.ndarray) -> list[np.ndarray]:
        """Return what onnxruntime makes of these inputs, tensors or arrays. For a program without state, whose inputs are the
        tensors that it takes.

        >>> import frazil as fz
        >>> fz.onnx.export(lambda x: x * 2, fz.ones(2)).run(fz.arange(2.0))
        [array([0., 2.], dtype=float32)]
        """
        names = [value.name for value in self.graph.inputs]
        if len(inputs) != len(names):
            raise ArgumentError(f"run: the program takes {len(names)} inputs ({', '.join(names)}), given {len(inputs)}")
        feeds = {name: host(fz.as_tensor(x)) for name, x in zip(names, inputs, strict=True)}
        return list(run_file(self.model_bytes, feeds).values())

    def __str__(self) -> str:
        operators = ", ".join(f"{count} {name}" for name, count in sorted(self.operators.items()))
        lines = [
            f"{self.path or self.graph.name}: opset {self.opset_version}, IR {self.ir_version}, {self.file_bytes:,} bytes",
            f"inputs: {', '.join(self.inputs)}",
            f"outputs: {', '.join(self.outputs)}",
            f"operators: {operators or 'none'}",
        ]
        lines += [f"fixed by the program: {line}" for line in self.fixed]
        lines += [f"asserted in the file: {guard}" for guard in self.embedded]
        asserts = (node.attrs["message"] for node in self.graph.walk() if node.op_name == "asserted")
        lines += [f"asserted in the file: {message}" for message in asserts if message]
        if self.folded:
            lines.append(f"BatchNormalization is part of the convolutions before it: {', '.join(self.folded)}")
        lines += [f"state, read and written: {name}" for name in self.states]
        if self.pairs:
            lines.append(f"complex numbers, as pairs of real and imaginary parts: {', '.join(self.pairs)}")
        if self.checks is None:
            lines.append("not verified")
        else:
            lines += [f"verified with onnxruntime {onnxruntime.__version__}:", str(self.checks)]
        if self.steps is not None:
            lines.append(str(self.steps))
        return "\n".join(lines)


def is_in_onnx_export() -> bool:
    """Return whether a program is being recorded: for a file, or by `fz.jit.trace` and `fz.compile`, of which files can be made.

    >>> import frazil as fz
    >>> fz.onnx.is_in_onnx_export()
    False
    """
    return STATE.recorder is not None


def export(
    model: Any,
    args: Any = (),
    path: str | os.PathLike[str] | BinaryIO | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic_shapes: Any = "auto",
    opset_version: int | None = 21,
    verify: bool | str = True,
    samples: Sequence[Any] = (),
    ranges: Mapping[str, tuple[float, float]] | None = None,
    state: bool = False,
    training: bool | TrainingMode = False,
    guards: str = "embed",
    external_data: bool | None = None,
    optimize: bool = True,
    fold: bool = True,
    lowerings: Mapping[str, Lowering] | None = None,
    f: str | os.PathLike[str] | BinaryIO | None = None,
    dynamic_axes: Mapping[str, Any] | None = None,
    **of_pytorch: Any,
) -> ExportReport:
    """Write a Module, a function, or a recorded program as an ONNX file that computes the same.

    A program that decides on the numbers of tensors, or has rounds for each element of a size that `dynamic_shapes` asks to be
    free, is recorded as `fz.jit.script` rewrites it, if it can: `if` and `for` become If and Loop.

    Args:
        args: example arguments, a tuple (a single tensor may stand alone). Their values matter only for verification. A dict at
            the end, whose keys are names of further parameters, holds keyword arguments.
        path: where to write, a path or a file that is open for bytes; None: nowhere, the report has the model.
        dynamic_shapes: as in `fz.jit.trace`: "auto", None, or {input name: axes}. Sizes that the program only broadcasts, those
            of one name among them, are not asserted where that makes the file smaller: it broadcasts or refuses as the program.
        opset_version: 21, 23 or 24; a lower one is answered with a file of opset 21 and a warning.
        verify: run the file in onnxruntime against the program and raise VerificationError on a difference: on the example, on
            `samples`, and on inputs that are made up: of several sizes, with numbers on both sides of comparisons, ends of
            integers, NaN, infinities, ties (`frazil.exporters.onnx.values`). "samples": nothing is made up. False: not at all.
        samples: further arguments to verify with, each as `args`.
        ranges: {input name: (least, greatest)}, where made-up numbers must stay: a tolerance, an index, a probability.
        state: allow the program to change buffers and tensors that it keeps (a cache, a counter): their values become extra
            inputs and outputs of the file.
        training: allow modules in train mode, new gradients and random numbers too; what changes becomes inputs and outputs.
            PyTorch's `TrainingMode` sets the mode for the time of the export, and EVAL is meant by `dynamo=False`.
        guards: decisions on sizes become asserts in the file ("embed"), are only noted in it ("metadata"), or raise ("error").
        external_data: write weights to `<path>.data` (default: only above 1.5 GB).
        optimize: simplify the graph first (`frazil.recorder.passes`).
        fold: make each BatchNormalization of eval mode part of the convolution before it, whose weight and bias are other numbers
            then (`print(report)` names them). False: the file has the layers and weights of the program, to be trained further.
        lowerings: op name -> lowering, before frazil's own.
        f, dynamic_axes: PyTorch's names of `path` and `dynamic_shapes` (axes of outputs follow from those of inputs). Others of
            its arguments (`export_params`, `do_constant_folding`, `verbose`, ...) are accepted and change nothing.

    Raises:
        RecordError: the program needs the numbers of a tensor. UnsupportedOps: listing every op without an ONNX form.
        TrainModeError, GuardError, VerificationError: see above. In none of these cases a file is left at `path`.

    >>> import frazil as fz
    >>> report = fz.onnx.export(lambda x: fz.relu(x) + 1, (fz.ones(2, 3),), input_names=["x"])
    >>> report.inputs, dict(report.operators)
    (['x: float32[x0, x1]'], {'Relu': 1, 'Add': 1})

    A solver that runs until its error is below a tolerance has no end for most numbers that could be made up:

    >>> def halved(x, tol):
    ...     return fz.while_loop(lambda x: x.abs().max() > tol, lambda x: (x / 2,), (x,))
    >>> args = (fz.tensor([1.0, -3.0]), fz.tensor(0.01))
    >>> report = fz.onnx.export(halved, args, input_names=["x", "tol"], ranges={"tol": (1e-6, 0.1)}, verify=True)
    >>> only = fz.onnx.export(halved, args, input_names=["x", "tol"], samples=[(fz.ones(3), fz.tensor(0.5))], verify="samples")
    >>> [check.case.label for check in only.checks.checks]
    ['the example itself', 'sample 0']
    """
    pytorch.check(of_pytorch)
    opset_version = pytorch.opset(opset_version, 21)
    _check_options(opset_version, guards, verify)
    args, kwargs = pytorch.arguments(model, args, kwargs)
    if isinstance(model, ExportedProgram):
        model = model.program
    if dynamic_axes is not None:
        dynamic_shapes = {name: axes for name, axes in dynamic_axes.items() if name not in (output_names or ())}
    target: Any = f if path is None else path
    is_open = hasattr(target, "write")
    mode = pytorch.mode_of(training, of_pytorch.get("dynamo"))
    with pytorch.select_model_mode_for_export(model, mode):
        return _export(
            model,
            args,
            None if is_open else target,
            stream=target if is_open else None,
            kwargs=kwargs,
            input_names=input_names,
            output_names=output_names,
            dynamic_shapes=dynamic_shapes,
            opset_version=opset_version,
            verify=verify,
            samples=samples,
            ranges=ranges,
            state=state,
            training=training is True or mode is TrainingMode.TRAINING,
            guards=guards,
            external_data=external_data,
            optimize=optimize,
            fold=fold,
            lowerings=lowerings,
        )


def _export(
    model: Any,
    args: Any,
    path: str | os.PathLike[str] | None,
    *,
    stream: BinaryIO | None,
    kwargs: Mapping[str, Any],
    input_names: Sequence[str] | None,
    output_names: Sequence[str] | None,
    dynamic_shapes: Any,
    opset_version: int,
    verify: bool | str,
    samples: Sequence[Any],
    ranges: Mapping[str, tuple[float, float]] | None,
    state: bool,
    training: bool,
    guards: str,
    external_data: bool | None,
    optimize: bool,
    fold: bool,
    lowerings: Mapping[str, Lowering] | None,
) -> ExportReport:
    if isinstance(model, Model):  # a file that was read keeps its names
        input_names = model.input_names if input_names is None else input_names
        output_names = model.output_names if output_names is None else output_names

    def recorded() -> Program:
        found = record(model, args, kwargs, input_names, dynamic_shapes)
        if not training and not state:  # whoever asks for the state is given all of it
            settle(found)
        return found

    program = model if isinstance(model, Program) else recorded()
    if isinstance(model, Program) and input_names is not None:
        _rename(program.graph.inputs, input_names)
    if not training:
        refuse_train_mode(program, state=state)
    _refuse_numbers_of_state(program)
    ranges = check_ranges(ranges, program.graph)

    def write(program: Program) -> Lowered:
        graph, changed = _with_changed_inputs(program)
        return lower(
            passes.optimize(graph) if optimize else graph,
            opset_version=opset_version,
            guards=guards,
            lowerings=lowerings,
            output_names=_output_names(program, output_names, changed),
            producer_version=fz.__version__,
            fold=fold,
        )

    def finish(program: Program, lowered: Lowered) -> ExportReport:
        """Verify and write the file."""
        _check_guards(lowered, guards)
        _describe(lowered)
        report = _report(lowered, opset_version)
        if report.fixed and model is not program and _asked_free(dynamic_shapes):
            _tell_fixed(report.fixed)
        # What a link points to is written, and large weights beside that.
        target = None if path is None else Path(os.path.realpath(path))
        with files.explained(path or "", "export"):
            at_once = target is None or files.is_stream(target)
        if at_once:
            contents = report.model_bytes
            report.file_bytes = len(contents)
            if verify:
                report.checks = _verify(contents, program, lowered, samples, ranges, verify is True, guards, None, lowerings)
            if stream is not None:
                stream.write(contents)
            elif path is not None:
                report.path = Path(path)
                with files.replacing(path, "export") as opened:
                    opened.write(contents)
            return report
        assert target is not None and path is not None
        script = target.with_suffix(".repro.py")
        with contextlib.ExitStack() as stack:
            with files.explained(path, "export"):
                script.unlink(missing_ok=True)
                folder = stack.enter_context(files.beside(target))  # its files take their places once they are verified
                written = _write(lowered.model, Path(folder, target.name), external_data)
            if verify:
                report.checks = _verify(written[0], program, lowered, samples, ranges, verify is True, guards, script, lowerings)
            with files.explained(path, "export"):
                for file in reversed(written):
                    files.put(file, target.with_name(file.name))
        report.path = Path(path)
        report.file_bytes = sum(target.with_name(file.name).stat().st_size for file in written)
        return report

    lowered = write(program)
    if model is not program and wider.may_broadcast(lowered.graph, lowered.embedded):
        open_program, other = None, None
        with contextlib.suppress(FrazilError), sizes.broadcasts_left_open():
            open_program = recorded()
            other = write(open_program)
        if open_program is not None and other is not None and _count(other) < _count(lowered):
            if wider.only_broadcasts(other.graph) and wider.knows_sizes(other.graph):
                with contextlib.suppress(VerificationError):  # then the file that asserts its sizes is tried
                    return finish(open_program, other)
    return finish(program, lowered)


def verify(
    path: str | os.PathLike[str],
    model: Any,
    args: Any = (),
    *,
    kwargs: Mapping[str, Any] | None = None,
    dynamic_shapes: Any = "auto",
    samples: Sequence[Any] = (),
    ranges: Mapping[str, tuple[float, float]] | None = None,
    seed: int = 0,
) -> Verification:
    """Compare an ONNX file with the program it was made of, in onnxruntime. Raises VerificationError.

    Inputs and outputs are matched by position. See `export`, which does this by itself, for `samples` and `ranges`.

    >>> import frazil as fz
    >>> report = fz.onnx.export(lambda x: x + 1, fz.ones(2), "plus.onnx", verify=False)
    >>> print(fz.onnx.verify("plus.onnx", lambda x: x + 1, fz.ones(2)).covered)
    covered: 4 sizes, values: ordinary, other signs, NaN, infinities, tiny, large, huge, ties, empty
    """
    program = model if isinstance(model, Program) else record(model, args, kwargs, None, dynamic_shapes)
    session = open_session(Path(path))
    if program is not model:
        settle(program, keep=[value.name for value in session.get_inputs()])
    graph, _ = _with_changed_inputs(program)
    pairs = pairs_among(graph, [value.name for value in (*session.get_inputs(), *session.get_outputs())])
    graph = in_real(passes.optimize(graph))
    names = {
        "inputs": [value.name for value in session.get_inputs()],
        "outputs": [value.name for value in session.get_outputs()],
        "values": graph.results,
        "pairs": pairs,
    }
    return verify_model(Path(path), program, graph, names=names, samples=samples, ranges=check_ranges(ranges, graph), seed=seed)


def _count(lowered: Lowered) -> int:
    return sum(1 for _ in ir.traversal.RecursiveGraphIterator(lowered.model.graph))


def as_arguments(given: Any) -> tuple[Any, ...]:
    """The arguments of a call: a tuple or list of them, or a single one that stands alone."""
    return tuple(given) if isinstance(given, (tuple, list)) else (given,)


def record(
    model: Any, args: Any, kwargs: Mapping[str, Any] | None, input_names: Sequence[str] | None, dynamic_shapes: Any
) -> Program:
    """Record `model`; in the form that `fz.jit.script` gives it where only that keeps a size free that is asked to be
    (`for i in range(n)`, `for row in x`), or decides on the numbers of tensors."""

    def recorded(model: Any) -> Program:
        return _record(model, args, dict(kwargs or {}), {"input_names": input_names, "dynamic_shapes": dynamic_shapes})

    try:
        program = recorded(model)
    except RecordError as error:
        found = _with_control_flow(model, recorded, error)
        if found is None:
            raise
        return found
    if _asked_free(dynamic_shapes) and _fixed(program.graph):
        found = _with_control_flow(model, recorded)
        if found is not None and not _fixed(found.graph):
            return found
    return program


def _with_control_flow(model: Any, recorded: Callable[[Any], Program], plain: RecordError | None = None) -> Program | None:
    """What `recorded` makes of the scripted model; None where it has no such form, or is one. `plain`, the error of the model as
    it is written, is told what stands in the way of that form."""
    own = model.__dict__ if isinstance(model, Module) else {}
    if "forward" in own or is_scripted(model) or not isinstance(model, (Module, FunctionType, MethodType)):
        return None
    try:
        return recorded(script(model))
    except Exception as error:  # of whatever kind: the program was not written for it, and its own error says what it does
        if plain is not None and isinstance(error, RecordError):
            plain.add_note(f"Nor as fz.jit.script rewrites it: {str(error).removeprefix('script: ')}")
        return None
    finally:
        own.pop("forward", None)


def _asked_free(dynamic_shapes: Any) -> bool:
    """Return whether sizes are asked to be free in so many words."""
    asked = () if dynamic_shapes is None or isinstance(dynamic_shapes, str) else flatten(dynamic_shapes)[0]
    return bool(asked) and Dim.AUTO not in asked


def _record(model: Any, args: Any, kwargs: dict[str, Any], options: dict[str, Any]) -> Program:
    """Record without gradients, so that every op stays one node; with them if the program asks for gradients, or whether they are
    recorded: it might do something else then."""
    STATE.trial = True
    try:
        with no_grad():
            program = trace(model, args, kwargs, **options)
        if not program.asks:
            return program
    except (AsksForGradients, AutogradError):
        pass
    finally:
        STATE.trial = False
    return trace(model, args, kwargs, **options)


def check_ranges(ranges: Mapping[str, tuple[float, float]] | None, graph: Graph) -> Ranges:
    """The ranges, or the error that says what is wrong with them."""
    names = [value.name for value in graph.inputs]
    for name, given in (ranges or {}).items():
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise ArgumentError(f"export: ranges: there is no input {name!r}{meant} The inputs are {', '.join(map(repr, names))}")
        pair = tuple(given) if isinstance(given, (tuple, list)) else ()
        numbers = len(pair) == 2 and all(isinstance(n, (int, float)) and np.isfinite(n) for n in pair)
        if not numbers or pair[0] > pair[1]:
            raise ArgumentError(f"export: ranges[{name!r}] is (least, greatest), two numbers in this order, given {given!r}")
        dtype = graph.inputs[names.index(name)].spec.dtype
        if dtype.kind in "iu":
            info = np.iinfo(dtype.numpy)
            if not max(int(info.min), math.ceil(pair[0])) <= min(int(info.max), math.floor(pair[1])):
                raise ArgumentError(f"export: ranges[{name!r}] = {given!r} has no {dtype.name}")
    return dict(ranges or {})


def _check_options(opset_version: int, guards: str, verify: bool | str) -> None:
    if verify not in (True, False, "samples"):
        raise ArgumentError(f"export: verify is True, False or 'samples', given {verify!r}")
    if opset_version not in IR_VERSIONS:
        reason = _REFUSED_OPSETS.get(opset_version) or (
            f"onnxruntime {onnxruntime.__version__} lacks kernels for operators that changed in it: use 21, 23 or 24"
        )
        raise ArgumentError(f"export: opset_version={opset_version} is not written; {reason}")
    if guards not in ("embed", "metadata", "error"):
        raise ArgumentError(f"export: guards is 'embed', 'metadata' or 'error', given {guards!r}")


# --- train mode -----------------------------------------------------------------------------------------------------------------


def refuse_train_mode(program: Program, *, state: bool = False) -> None:
    """Raise TrainModeError when the program behaves as in training: a module in train mode that cares, new gradients or weights,
    random numbers; or, unless `state`, when it changes anything else that it keeps."""
    training: list[str] = []
    kept: list[str] = []
    modules = set()
    for path, module in _modules(program.fn):
        if module.training and _cares_about_training(module):
            modules.add(path)
            line = _line_of(program.graph, path)
            training.append(f"{path or 'the module itself'} ({type(module).__name__}) is in train mode{line}")
    for changed in program.graph.states:
        name = changed.input.name
        if name.rpartition(".")[0] in modules:
            continue
        what = "the gradient of " if changed.attribute == "grad" else ""
        draws = "draws random numbers, which " if name == "random_state" else ""
        trained = bool(what or draws) or changed.input.kind == "param"
        (training if trained else kept).append(f"the program {draws}changes {what}{name}{_place(_writer(changed))}")
    if training:
        all_modules = _modules(program.fn)
        if all_modules and not any(module.training for _, module in all_modules):
            advice = "All modules are in eval mode already: where the file should not do this, do it only `if self.training`."
        elif all_modules:
            advice = "Call model.eval() first."
        else:
            advice = "Functions have no eval mode: pass training=False to what draws or changes (F.dropout's default is True)."
        raise TrainModeError(
            f"this program behaves as in training:\n{_listed(training + kept)}\n{advice} To export it as it is, pass "
            "training=True: what it changes becomes inputs and outputs of the file"
        )
    if kept and not state:
        raise TrainModeError(
            f"this program changes what it keeps from call to call:\n{_listed(kept)}\nIf it is meant to (a cache, a counter), "
            "pass state=True: the values become inputs and outputs of the file, and whoever runs it hands them on. If only "
            "training should, do it only `if self.training`, and call model.eval() first"
        )


def _refuse_numbers_of_state(program: Program) -> None:
    """Raise where Python has read numbers of a tensor that the program changes: the file would keep those of the example."""
    read = [
        f"{state.input.name}{_place(_writer(state))}"
        for state in program.graph.states
        if state.attribute == "data" and any(share_memory(tensor, state.tensor) for tensor in program.numbers_read)
    ]
    if read:
        raise ExportError(
            "this program reads numbers of tensors that it changes afterwards, so every call has others, and the file would keep "
            f"those of the example:\n{_listed(read)}\nCompute with the tensor itself (`x * self.scale`, `fz.where(self.flag > 0, "
            "a, b)`) instead of float(), int(), bool(), .item(), .tolist(), .numpy() or `if`; or decorate the function with "
            "@fz.jit.script, which records `if` and `while`. If only its first call does this, call it once before the export"
        )


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"  - {line}" for line in lines)


def _modules(fn: Any) -> list[tuple[str, Any]]:
    return [pair for module in modules_of(fn) for pair in module.named_modules()]


def _cares_about_training(module: Any) -> bool:
    """Dropout that drops, in recurrent layers and attention too, and normalisation that keeps running statistics."""
    drops = getattr(module, "p" if "Dropout" in type(module).__name__ else "dropout", 0)
    return bool(isinstance(drops, (int, float)) and drops > 0) or bool(getattr(module, "track_running_stats", False))


def _line_of(graph: Graph, path: str) -> str:
    for node in graph.walk():
        if any(scope.path == path for scope in node.scope):
            return _place(node.source)
    return ""


def _writer(state: State) -> Source | None:
    return state.output.producer.source if state.output.producer is not None else None


def _place(source: Source | None) -> str:
    return f" ({source}{': ' + source.code if source.code else ''})" if source else ""


# --- names ----------------------------------------------------------------------------------------------------------------------


def _rename(values: Sequence[Value], names: Sequence[str]) -> None:
    if len(names) != len(values):
        raise ArgumentError(f"export: {len(names)} input names for {len(values)} inputs")
    for value, name in zip(values, names, strict=True):
        value.name = name


def _with_changed_inputs(program: Program) -> tuple[Graph, list[str]]:
    """The graph with the new values of arguments that the program changes in place as further outputs."""
    graph = program.graph.copy()
    by_name = {value.name: value for value in [*graph.inputs, *graph.captured, *(v for n in graph.nodes for v in n.outputs)]}
    changed = []
    for position, value in program.changed_inputs.items():
        graph.outputs.append(by_name[value.name])
        changed.append(f"{graph.inputs[position].name}.out")
    return graph, changed


def _output_names(program: Program, given: Sequence[str] | None, changed: Sequence[str]) -> list[str]:
    count = len(program.graph.outputs)
    if given is not None:
        if len(given) != count:
            raise ArgumentError(f"export: {len(given)} output names for {count} outputs")
        return [*given, *changed]
    found = []
    for name in leaf_names(program.graph.out_tree, ""):
        found.append("output" if not name else f"output_{name}" if name[0].isdigit() else name)
    return [*found, *changed]


# --- guards, metadata, files ----------------------------------------------------------------------------------------------------


def _check_guards(lowered: Lowered, guards: str) -> None:
    open_guards = [guard for guard in lowered.graph.guards if not is_decided(guard, solved(lowered.graph))]
    if guards == "error" and open_guards:
        lines = "\n".join(f"  - {guard}" for guard in open_guards)
        raise GuardError(
            f"this program only holds for some sizes:\n{lines}\n"
            "Rewrite it without deciding on sizes, or export with guards='embed' so that the file refuses other sizes"
        )


def _fixed(graph: Graph) -> list[str]:
    """Guards that made an input size a number."""
    return [str(guard) for guard in graph.guards if is_decided(guard, solved(graph))]


def _tell_fixed(fixed: Sequence[str]) -> None:
    lines = "\n".join(f"  {line}" for line in fixed)
    warnings.warn(
        "export: dynamic_shapes asks for sizes to be free that the program fixes, so the file takes no others:\n"
        f"{lines}\n"
        "Keep a size a size: shapes, slices, arithmetic, `int`, `min`, `len` and loops do; `x.split(1)` and a dict's key need "
        "its number",
        stacklevel=5,
    )


def _describe(lowered: Lowered) -> None:
    model, graph = lowered.model, lowered.graph
    if graph.guards:
        model.metadata_props["frazil.guards"] = "\n".join(map(str, graph.guards))
    for value in (*graph.inputs, *graph.captured):
        found = next((v for v in (*model.graph.inputs, *model.graph.initializers.values()) if v.name == value.name), None)
        if found is not None and value.kind in ("param", "buffer", "state", "constant"):
            found.metadata_props["frazil.kind"] = value.kind


def _report(lowered: Lowered, opset_version: int) -> ExportReport:
    model = lowered.model
    nodes = list(ir.traversal.RecursiveGraphIterator(model.graph))
    report = ExportReport(
        None,
        opset_version,
        model.ir_version,
        model,
        lowered.graph,
        [_declared(value) for value in model.graph.inputs],
        [_declared(value) for value in model.graph.outputs],
        Counter(node.op_type for node in nodes),
        0,
        _fixed(lowered.graph),
        lowered.embedded,
        lowered.folded,
        [state.input.name for state in lowered.graph.states],
        lowered.pairs,
    )
    return report


def _declared(value: ir.Value) -> str:
    dims = ", ".join(str(dim) if isinstance(dim, int) else str(dim.value or "?") for dim in value.shape or ())
    dtype = value.dtype.numpy().name if value.dtype is not None else "?"
    return f"{value.name}: {dtype}[{dims}]"


def _write(model: ir.Model, path: Path, external_data: bool | None) -> list[Path]:
    """Write the model, and its weights beside it if they are large; the files, the model first."""
    stored = [value for graph in model.graphs() for value in graph.initializers.values()]
    size = sum(value.const_value.nbytes for value in stored if value.const_value is not None)
    if external_data or (external_data is None and size > EXTERNAL_BYTES):
        beside = path.with_name(path.name + ".data")
        ir.save(model, path, external_data=beside.name)
        return [path, beside]
    if size > 2_000_000_000:
        raise ExportError(f"{size:,} bytes of weights do not fit into one file (protobuf ends at 2 GB): pass external_data=True")
    path.write_bytes(ir.to_proto(model).SerializeToString(deterministic=True))
    return [path]


def _verify(
    contents: Any,
    program: Program,
    lowered: Lowered,
    samples: Sequence[Any],
    ranges: Ranges,
    made_up: bool,
    guards: str,
    script: Path | None,
    lowerings: Mapping[str, Lowering] | None,
) -> Verification:
    written_by = {**LOWERINGS, **(lowerings or {})}
    names = {
        "inputs": [str(value.name) for value in lowered.model.graph.inputs],
        "outputs": [str(value.name) for value in lowered.model.graph.outputs],
        "values": lowered.graph.results,
        "pairs": lowered.pairs,
    }
    return verify_model(
        contents,
        program,
        lowered.graph,
        names=names,
        samples=samples,
        ranges=ranges,
        made_up=made_up,
        embedded=guards == "embed",
        script=script,
        foreign=[name for name, lowering in written_by.items() if not _is_own(lowering)],
    )


def _is_own(lowering: Lowering) -> bool:
    return str(getattr(lowering, "__module__", "")).startswith("frazil.exporters.onnx.lowerings.")
