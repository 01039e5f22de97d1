"""`export_step`: a training step as a file whose state goes in and comes out, and as onnxruntime computes it step by step."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import frazil as fz
from frazil import files
from frazil.pytree import flatten
from frazil.recorder.graph import State
from frazil.recorder.trace import Program
from frazil.tensor import Tensor

from .bisect import Divergence, first_divergence
from .errors import VerificationError
from .export import ExportReport, as_arguments, export
from .kept import Kept
from .lowerings import Lowering
from .oracle import Oracle, from_host, host, needed_to_judge, run_graph
from .running import load_proto, open_session, run_session
from .session import METADATA, state_path
from .stage import Stage

#: Relative differences up to here are rounding that a few steps have made larger; above, the step is looked at node by node.
TOLERANCE = 1e-4


@dataclass
class Steps:
    """The outcome of several steps in a row, in onnxruntime and in Python from the same state."""

    count: int = 0
    #: Name of a result or state -> its largest difference, relative to its largest element.
    differences: dict[str, float] = field(default_factory=dict)
    #: Those of them that are above the tolerance, although no node of the step differs by more than rounding.
    grown: set[str] = field(default_factory=set)

    @property
    def difference(self) -> float:
        """The largest relative difference, of what is more than rounding noise itself."""
        return max((found for name, found in self.differences.items() if name not in self.grown), default=0.0)

    def __str__(self) -> str:
        compared = f"{len(self.differences)} results and states"
        line = f"  {self.count} steps in a row: {compared} equal, largest relative difference {self.difference:.2g}"
        if self.grown:
            line += f"\n  every node within rounding, which grew from step to step: {', '.join(sorted(self.grown))}"
        return line


def export_step(
    step: Callable[..., Any],
    args: Any = (),
    path: str | os.PathLike[str] | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    objects: Mapping[str, Any] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic_shapes: Any = "auto",
    opset_version: int = 21,
    verify: bool | str = True,
    steps: int = 4,
    samples: Sequence[Any] = (),
    ranges: Mapping[str, tuple[float, float]] | None = None,
    schedule_steps: int = 10_000,
    guards: str = "embed",
    optimize: bool = True,
    lowerings: Mapping[str, Lowering] | None = None,
) -> ExportReport:
    """Write a training step, from the forward pass to optimiser and schedule, as a file that `TrainingSession` trains with.

    What the step works on becomes inputs `name` and outputs `name.out`: parameters and buffers (`model.fc.weight`), the
    optimiser's state (`optimizer.fc.weight.exp_avg`, `optimizer.step`) and learning rate (`optimizer.lr`), the position in the
    schedule (`scheduler.last_epoch`), the state of random numbers (`random_state`), gradients that are added up over several
    calls (`model.fc.weight.grad`). The first part is what the step itself calls the object.

    The initial values are written beside the file: `step.state.safetensors`. Model, optimiser, schedule and generator are
    unchanged afterwards; state that the optimiser makes at its first step is made for the file.

    Args:
        step: a function that makes one step: forward, `loss.backward()`, `optimizer.step()`, and what belongs to it.
        args: an example batch, a tuple (a single tensor may stand alone).
        path: where to write; None: nowhere, the report has the model.
        objects: {name: module, optimiser, schedule, generator or tensor} that cannot be seen from the step's closure or globals.
        verify: as in `export`; and `steps` steps in a row are made in onnxruntime and in Python from the same state, on the
            example and on `samples` in turn, and every result, parameter and state is compared.
        schedule_steps: for this many steps the rates of a schedule are in the file, as a table; a step beyond is an error there.
        Others as in `export`.

    Raises:
        RecordError, UnsupportedOps, VerificationError: as `export` does. ExportError: what the step does cannot be the same in
        every call, or is decided by numbers in Python.

    >>> import frazil as fz
    >>> model = fz.nn.Linear(2, 1)
    >>> optimizer = fz.optim.Adam(model.parameters())
    >>> def step(x, y):
    ...     loss = fz.nn.functional.mse_loss(model(x), y)
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> report = fz.onnx.export_step(step, (fz.ones(4, 2), fz.zeros(4, 1)), "step.onnx", dynamic_shapes={"x": [0], "y": [0]})
    >>> report.states[:2], report.steps.count
    (['model.weight', 'optimizer.weight.exp_avg'], 4)
    """
    stage = Stage(step, objects, schedule_steps)
    given, named = as_arguments(args), dict(kwargs or {})
    program = stage.record(given, named, {"input_names": input_names, "dynamic_shapes": dynamic_shapes})
    if output_names is None and len(program.graph.outputs) == 1:
        output_names = ["loss"]
    options: dict[str, Any] = {"output_names": output_names, "opset_version": opset_version, "ranges": ranges, "guards": guards}
    options |= {"optimize": optimize, "lowerings": lowerings}
    return write_training(stage, program, step, path, given, named, samples, verify, steps, options)


def write_training(
    stage: Stage,
    program: Program,
    call: Callable[..., Any],
    path: str | os.PathLike[str] | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    samples: Sequence[Any],
    verify: bool | str,
    steps: int,
    options: Mapping[str, Any],
) -> ExportReport:
    """Write a recorded program that trains; `call` is what it was recorded from, as it runs in the ordinary world."""
    initial, objects = stage.current(), stage.described()
    with Kept.whole(stage):
        with stage:
            report = export(program, path=None, samples=samples, verify=verify, training=True, **options)
        if verify:
            batches = [args, *map(as_arguments, samples)]
            report.steps = _verify_steps(stage, program, call, report, batches, kwargs, steps)
    report.model.metadata_props[METADATA] = json.dumps(_told(program, report, objects))
    if path is not None:
        _write(report, Path(path), initial)
    return report


def _told(program: Program, report: ExportReport, objects: Mapping[str, Any]) -> dict[str, Any]:
    """What `TrainingSession` has to know about the file."""
    names, outputs = _names(report)
    count, states = len(program.graph.inputs), report.graph.states
    return {
        "version": 1,
        "inputs": names[:count],
        "outputs": outputs[: len(outputs) - len(states)],
        "states": names[count:],
        "written": [state.input.name for state in states if state.output is not state.input],
        "objects": objects,
    }


def _names(report: ExportReport) -> tuple[list[str], list[str]]:
    """The file's inputs and outputs."""
    graph = report.model.graph
    return [str(value.name) for value in graph.inputs], [str(value.name) for value in graph.outputs]


def _write(report: ExportReport, path: Path, initial: Mapping[str, np.ndarray]) -> None:
    """The file and its state, each whole or not at all."""
    beside = state_path(path)
    fz.save({name: fz.tensor(array) for name, array in initial.items()}, beside)
    contents = report.model_bytes
    with files.replacing(path, "export_step") as stream:
        stream.write(contents)
    report.path, report.state_path, report.file_bytes = path, beside, len(contents)


# --- several steps in a row


def _verify_steps(
    stage: Stage,
    program: Program,
    call: Callable[..., Any],
    report: ExportReport,
    batches: Sequence[Any],
    kwargs: Mapping[str, Any],
    count: int,
) -> Steps:
    """Make the same steps in both, each from its own last state. Raises VerificationError."""
    contents = report.model_bytes
    session = open_session(contents)
    names, outputs = _names(report)
    inputs = names[: len(program.graph.inputs)]
    found = Steps()
    begin = stage.current()
    state = {name: begin[name] for name in names[len(inputs) :]}
    for number in range(count):
        args = batches[number % len(batches)]
        batch = [host(leaf) for leaf in flatten((args, dict(kwargs)))[0] if isinstance(leaf, Tensor)]
        before = stage.current()
        result = call(*args, **kwargs)
        after = stage.current()
        expected = [host(leaf) for leaf in flatten(result, none_is_leaf=False)[0] if isinstance(leaf, Tensor)]
        by_file = run_session(session, {**dict(zip(inputs, batch, strict=True)), **state})
        state = {name: by_file[f"{name}.out"] for name in state}
        pairs = {name: (by_file[name], array) for name, array in zip(outputs, expected, strict=False)}
        pairs.update({name: (state[name], after[name]) for name in state})
        above = []
        for name, (ours, theirs) in pairs.items():
            difference = relative(ours, theirs)
            found.differences[name] = max(found.differences.get(name, 0.0), difference)
            if not difference <= TOLERANCE:
                above.append(name)
        if above:
            _explain(report, contents, batch, before, after, dict(zip(outputs, expected, strict=False)), above, number, found)
        found.count += 1
    return found


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference, relative to the largest element; integers are equal or infinitely apart."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return float("inf")
    if b.dtype.kind not in "fc":
        return 0.0 if np.array_equal(a, b) else float("inf")
    if np.array_equal(a, b, equal_nan=True) or not b.size:
        return 0.0
    with np.errstate(all="ignore"):
        worst = float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())
        size = float(np.abs(b.astype(np.float64)).max())
    return worst / size if size and np.isfinite(worst) else float("inf")


def _explain(
    report: ExportReport,
    contents: bytes,
    batch: Sequence[np.ndarray],
    before: Mapping[str, np.ndarray],
    after: Mapping[str, np.ndarray],
    results: Mapping[str, np.ndarray],
    above: Sequence[str],
    number: int,
    found: Steps,
) -> None:
    """Look at one step from the state that Python's had before it: rounding that has grown, or a node that differs?"""
    graph = report.graph
    names, outputs = _names(report)
    feeds = {**dict(zip(names, batch, strict=False)), **{name: before[name] for name in names[len(batch) :]}}
    by_file = run_session(open_session(contents), feeds)
    with _holding(graph.states, before):
        values = run_graph(graph, batch, wanted={*needed_to_judge(graph.results), *(o.value for o in graph.symbols.values())})
        exact = Oracle(graph).exact(batch, values, wanted=graph.results)
        for name, value in zip(outputs, graph.results, strict=True):
            own = name.removesuffix(".out")
            if own not in above:
                continue
            expected = results[name] if name in results else after[own]
            ours, theirs = exact.judge(value, by_file[name], expected.dtype), exact.judge(value, expected, expected.dtype)
            if ours.excess > 1:
                renamed = dict(zip(graph.results, outputs, strict=True))
                sizes = {
                    symbol: values[origin.value].shape[origin.axis]
                    for symbol, origin in graph.symbols.items()
                    if origin.axis is not None and origin.value in values
                }
                divergence = first_divergence(load_proto(contents), graph, batch, feeds, sizes, renamed)
                _fail(report, number, own, f"largest error {ours.error:.3g}", divergence)
            if theirs.excess > 1:
                reason = "the recorded step does not compute what the step computes in this call. "
                if number:
                    reason += "It decides on something that changes from call to call and is no tensor (a counter, a list): "
                    reason += (
                        "keep it in a tensor, or pass it in. Or it uses an optimiser that cannot be seen from it: objects={...}"
                    )
                else:
                    reason += "If its first call is special (SGD with dampening), make that in Python before the export"
                _fail(report, number, own, reason, None)
    found.grown.update(above)


def _fail(report: ExportReport, number: int, name: str, reason: str, divergence: Divergence | None) -> None:
    text = f"the file does not compute what the step computes: step {number + 1} in a row, {name!r}: {reason}"
    if divergence is not None:
        text += f"\nfirst diverging node: {divergence}\nreproduction: \n{divergence.script}"
    raise VerificationError(text, report=report.checks, divergence=divergence)


@contextlib.contextmanager
def _holding(states: Sequence[State], values: Mapping[str, np.ndarray]) -> Any:
    """Let the tensors of a graph's state hold these values for a while."""
    tensors = {state.input.name: state.tensor for state in states if state.input.name in values}
    before = {name: host(t) for name, t in tensors.items()}
    try:
        _fill(tensors, values)
        yield
    finally:
        _fill(tensors, before)


def _fill(tensors: Mapping[str, Tensor], values: Mapping[str, np.ndarray]) -> None:
    with fz.no_grad():
        for name, t in tensors.items():
            t.copy_(from_host(values[name], t))
