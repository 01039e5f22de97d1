"""Runs a file and its program on the same inputs, at several sizes, and raises when they differ."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from frazil.autograd.modes import no_grad
from frazil.creation import tensor as make_tensor
from frazil.errors import RecordError
from frazil.pytree import flatten, unflatten
from frazil.recorder.graph import Graph, State, Value
from frazil.recorder.sizes import Symbol
from frazil.recorder.trace import Program, modules_of
from frazil.recorder.world import World
from frazil.tensor import Tensor

from .bisect import Divergence, first_divergence, write_script
from .errors import VerificationError
from .oracle import distance, eps_of, exact_values, host, run_graph
from .ort_compat import FATAL_WHEN_EMPTY
from .samples import Case, input_symbols, sample, size_cases

#: Errors below so many units in the last place of the largest element are rounding and need no further look.
_PLAINLY_EQUAL = 8

#: Seconds after which no further size is tried; the report says which were left out.
TIME_LIMIT = 60

Arrays = list[np.ndarray]


@dataclass(frozen=True)
class Check:
    """What one case showed: the largest difference between file and program, or why there was nothing to compare."""

    case: Case
    outcome: str  # "equal", "refused" (as it must), "program failed"
    difference: float = 0.0
    note: str = ""

    def __str__(self) -> str:
        found = f"{self.outcome}, largest difference {self.difference:.2g}" if self.outcome == "equal" else self.outcome
        return f"{self.case}: {found}" + (f" ({self.note})" if self.note else "")


@dataclass
class Verification:
    """All checks of one file."""

    checks: list[Check] = field(default_factory=list)

    @property
    def difference(self) -> float:
        """The largest difference in any check."""
        return max((check.difference for check in self.checks), default=0.0)

    def __str__(self) -> str:
        return "\n".join(f"  {check}" for check in self.checks)


def run_file(
    model: bytes | str | Path, feeds: Mapping[str, np.ndarray], names: Sequence[str] | None = None, *, optimise: bool = True
) -> dict[str, np.ndarray]:
    """The outputs of a model in onnxruntime on the CPU, by name."""
    session = open_session(model, optimise=optimise)
    return run_session(session, feeds, names)


def open_session(model: bytes | str | Path, *, optimise: bool = True) -> onnxruntime.InferenceSession:
    """A session that says nothing: what goes wrong is raised."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, Path) else model
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run_session(
    session: onnxruntime.InferenceSession, feeds: Mapping[str, np.ndarray], names: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Run an open session; inputs that the model does not have are left out."""
    wanted = list(names) if names is not None else [output.name for output in session.get_outputs()]
    has = {value.name for value in session.get_inputs()}
    run_options = onnxruntime.RunOptions()
    run_options.log_severity_level = 4
    results = session.run(wanted, {name: array for name, array in feeds.items() if name in has}, run_options)
    return dict(zip(wanted, results, strict=True))


class EagerRun:
    """One run of the original program, which leaves no trace: state and arguments are put back."""

    def __init__(self, program: Program, states: Sequence[State]) -> None:
        self.program = program
        self.states = list(states)

    def state(self) -> Arrays:
        """The captured values that the program will change, as they are now."""
        tensors = {state.input: state.tensor for state in self.states if state.attribute == "data"}
        return [host(tensor) for tensor in tensors.values()]

    def __call__(self, arrays: Sequence[np.ndarray]) -> Arrays:
        """Results, new states, and changed arguments, in the order of the file's outputs."""
        program = self.program
        args, kwargs = program.example_args
        leaves, tree = flatten((args, kwargs))
        given, remaining = list(leaves), list(arrays)
        for i, leaf in enumerate(leaves):
            if isinstance(leaf, Tensor):
                given[i] = make_tensor(remaining.pop(0), device=leaf.device).requires_grad_(leaf.requires_grad)
        before = [(state.tensor, host(state.tensor), state.tensor.grad) for state in self.states]
        world = World(program.fn, modules_of(program.fn))
        try:
            call_args, call_kwargs = unflatten(tree, given)
            result = program.fn(*call_args, **call_kwargs)
            found, nesting = flatten(result, none_is_leaf=False)
            if str(nesting) != str(program.graph.out_tree):
                raise RecordError(f"returns {nesting}, and {program.graph.out_tree} when it was recorded")
            results = [host(r if isinstance(r, Tensor) else make_tensor(r)) for r in found]
            news = [host(state.current()) for state in self.states]
            tensors = [leaf for leaf in given if isinstance(leaf, Tensor)]
            changed = [host(tensors[position]) for position in program.changed_inputs]
        finally:
            for slot in program.left_out:
                slot.restore()
            world.put_back()
            with no_grad():
                for state in self.states:
                    if state.owner is not None:
                        setattr(*state.owner, state.tensor)
                for tensor, data, grad in before:
                    tensor.copy_(make_tensor(data, device=tensor.device))
                    tensor.grad = grad
        return [*results, *news, *changed]


def verify_model(
    model: bytes | str | Path,
    program: Program,
    graph: Graph,
    *,
    names: Mapping[str, Any],
    samples: Sequence[Any] = (),
    embedded: bool = True,
    seed: int = 0,
    script: Path | None = None,
) -> Verification:
    """Compare the file with the program. Raises VerificationError at the first difference that rounding does not explain.

    `graph` is the optimised graph that the file was made of. `names` holds the file's "inputs" (states included) and "outputs".
    `samples` are further arguments to try, each as the program takes them. `script` is where a reproduction is written.
    """
    session = open_session(model)
    rng = np.random.default_rng(seed)
    eager = EagerRun(program, graph.states)
    examples = [host(leaf) for leaf in flatten(program.example_args)[0] if isinstance(leaf, Tensor)]
    report = Verification()
    comparison = _Comparison(model, session, eager, graph, names, report, script)
    comparison.check(Case("the example itself", _sizes_of(graph, examples)), examples, given=True)
    for number, given in enumerate(samples):
        arrays = [host(leaf) for leaf in flatten(given if isinstance(given, tuple) else (given,))[0] if isinstance(leaf, Tensor)]
        comparison.check(Case(f"sample {number}", _sizes_of(graph, arrays)), arrays, given=True)
    started = time.monotonic()
    for case in size_cases(graph):
        if time.monotonic() - started > TIME_LIMIT:
            report.checks.append(Check(case, "not tried", note=f"{TIME_LIMIT} s were over"))
            continue
        fatal = sorted(FATAL_WHEN_EMPTY.intersection(node.op_name for node in graph.walk())) if 0 in case.sizes.values() else []
        if fatal:
            report.checks.append(Check(case, "not tried", note=f"onnxruntime's {fatal[0].upper()} ends the process on nothing"))
            continue
        shapes = [_shape(value, case.sizes) for value in graph.inputs]
        arrays = [sample(example, shape, rng) for example, shape in zip(examples, shapes, strict=True)]
        if case.allowed:
            comparison.check(case, arrays)
        elif embedded:
            comparison.check_refusal(case, arrays)
    return report


def _sizes_of(graph: Graph, arrays: Sequence[np.ndarray]) -> dict[Symbol, int]:
    shapes = dict(zip(graph.inputs, (array.shape for array in arrays), strict=True))
    return {symbol: shapes[graph.symbols[symbol].value][graph.symbols[symbol].axis or 0] for symbol in input_symbols(graph)}


def _shape(value: Value, sizes: Mapping[Symbol, int]) -> tuple[int, ...]:
    return tuple(n if isinstance(n, int) else sizes[n.symbol] for n in value.spec.shape)


@dataclass
class _Comparison:
    model: bytes | str | Path
    session: onnxruntime.InferenceSession
    eager: EagerRun
    graph: Graph
    names: Mapping[str, Any]
    report: Verification
    script: Path | None

    def feeds(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self.names["inputs"], [*arrays, *self.eager.state()], strict=True))

    def check(self, case: Case, arrays: Arrays, *, given: bool = False) -> None:
        """Compare the two. The program may fail at sizes that were made up, never on what was `given`."""
        feeds = self.feeds(arrays)
        try:
            expected = self.eager([array.copy() for array in arrays])
        except Exception as error:
            note = f"{type(error).__name__}: {str(error).splitlines()[0]}" if str(error) else type(error).__name__
            if given:
                raise VerificationError(
                    f"{case}: the program itself fails, so there is nothing to compare the file with: {note}", report=self.report
                ) from error
            self.report.checks.append(Check(case, "program failed", note=note))
            return
        try:
            found = list(run_session(self.session, feeds, self.names["outputs"]).values())
        except Exception as error:
            reason = f"onnxruntime cannot run the file: {str(error).splitlines()[0]}"
            if 0 not in case.sizes.values():
                self.fail(case, reason)
            # some kernels cannot work on nothing; that is said, and no wrong number comes out
            self.report.checks.append(Check(case, "refused", note=reason))
            return
        largest = 0.0
        for name, a, b in zip(self.names["outputs"], found, expected, strict=True):
            if a.dtype != b.dtype or a.shape != b.shape:
                self.fail(
                    case, f"output {name!r} is {a.dtype}{list(a.shape)} in the file and {b.dtype}{list(b.shape)} in the program"
                )
            largest = max(largest, float(distance(a, b).max(initial=0.0)))
        if not all(_plainly_equal(a, b) for a, b in zip(found, expected, strict=True)):
            self.look_closer(case, arrays, feeds, found, expected)
        self.report.checks.append(Check(case, "equal", largest))

    def check_refusal(self, case: Case, arrays: Arrays) -> None:
        try:
            run_session(self.session, self.feeds(arrays), self.names["outputs"])
        except Exception as error:
            reason = str(error)
            start = reason.find("frazil.assert: ")
            note = reason[start:].split("'")[0] if start >= 0 else ""
            self.report.checks.append(Check(case, "refused", note=note))
            return
        self.fail(
            case,
            "the program was recorded under a condition that does not hold here, and the file computes a result all the same",
        )

    def look_closer(self, case: Case, arrays: Arrays, feeds: Mapping[str, np.ndarray], found: Arrays, expected: Arrays) -> None:
        """Whether the differences are more than rounding, by the float64 run of the graph."""
        values = run_graph(self.graph, arrays)
        exact = exact_values(self.graph, arrays, values)
        for name, value, a, b in zip(self.names["outputs"], self.names["values"], found, expected, strict=True):
            if _plainly_equal(a, b):
                continue
            error, excess = exact.excess(value, a, b.dtype)
            _, own = exact.excess(value, b, b.dtype)
            if b.dtype.kind != "f":
                message = f"output {name!r}: {np.count_nonzero(a != b)} of {b.size} elements differ"
            elif own > 1:
                message = f"output {name!r}: the recorded graph itself does not compute what the program computes"
            elif excess > 1:
                message = f"output {name!r}: largest error {error:.3g}, {excess:.3g} times what rounding explains"
            else:
                continue
            self.fail(case, f"{message}\n{self.second_opinion(feeds, name, a, b)}", self.locate(arrays, feeds))

    def second_opinion(self, feeds: Mapping[str, np.ndarray], name: str, found: np.ndarray, expected: np.ndarray) -> str:
        """What the ONNX reference evaluator, in float64, says about the file."""
        from .reference import reference_outputs

        try:
            reference = reference_outputs(self.model, feeds)[name]
        except Exception as error:
            return f"the ONNX reference evaluator cannot run the file in float64: {type(error).__name__}: {error}"
        to_file, to_program = (float(distance(reference, side).max(initial=0.0)) for side in (found, expected))
        if to_program < to_file:
            plain = run_file(self.model, feeds, [name], optimise=False)[name]
            blame = ", and rightly when it may not optimise the graph" if _plainly_equal(plain, expected) else ""
            return (
                f"the ONNX reference evaluator (float64) agrees with the program: onnxruntime computes this file wrongly{blame}"
            )
        return "the ONNX reference evaluator (float64) agrees with onnxruntime: the file itself is wrong"

    def locate(self, arrays: Arrays, feeds: Mapping[str, np.ndarray]) -> Divergence | None:
        proto = load_proto(self.model)
        bindings = _sizes_of(self.graph, arrays)
        renamed = dict(zip(self.names["values"], self.names["outputs"], strict=True))
        divergence = first_divergence(proto, self.graph, arrays, feeds, bindings, renamed)
        if divergence is None:
            return None
        if self.script is not None:
            write_script(divergence, self.script)
        return divergence

    def fail(self, case: Case, message: str, divergence: Divergence | None = None) -> Any:
        text = f"the file does not compute what the program computes, {case}: {message}"
        if divergence is not None:
            where = f"written to {self.script}" if self.script is not None else f"\n{divergence.script}"
            text += f"\nfirst diverging node: {divergence}\nreproduction: {where}"
        raise VerificationError(text, report=self.report, divergence=divergence)


def _type(array: np.ndarray) -> str:
    return f"{array.dtype}{list(array.shape)}"


def load_proto(model: bytes | str | Path) -> onnx.ModelProto:
    """The model as protobuf, external data included."""
    return onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(str(model))


def _plainly_equal(a: np.ndarray, b: np.ndarray) -> bool:
    error = distance(a, b)
    if not error.size or not error.any():
        return True
    finite = np.abs(b[np.isfinite(b)].astype(np.float64)) if b.dtype.kind == "f" else np.zeros(0)
    return bool((error <= _PLAINLY_EQUAL * eps_of(b.dtype) * finite.max(initial=0.0)).all())
