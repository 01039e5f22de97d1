"""Runs a file and its program on the same inputs, of several sizes and classes of numbers, and raises when they differ.

Nothing here can hang: on inputs that were made up the program runs under limits, the file only where the program has ended.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from frazil.autograd.modes import no_grad, set_grad_enabled
from frazil.creation import tensor as make_tensor
from frazil.errors import RecordError
from frazil.pytree import flatten, unflatten
from frazil.recorder.graph import Graph, Node, State, Value
from frazil.recorder.real import is_real
from frazil.recorder.trace import Program, modules_of
from frazil.recorder.world import World
from frazil.sizes import Symbol
from frazil.tensor import Tensor

from .bisect import Divergence, first_divergence, write_script
from .branches import DIVISIONS, Taken, ways
from .errors import VerificationError
from .oracle import SIGNED, Exact, Oracle, distance, eps_of, from_host, host, needed_to_judge, run_graph
from .ort_compat import VALUE_GAPS
from .patience import Effort, GaveUp, Limits, limited
from .reference import reference_outputs
from .running import load_proto, open_session, run_file, run_session
from .samples import Case, input_symbols, size_cases
from .values import Ranges, Values, feeding

#: Errors below this many units in the last place of an element are rounding and need no further look.
_PLAINLY_EQUAL = 8

#: Seconds after which no further size is tried; the report says which were left out.
TIME_LIMIT = 60

#: What a made-up input may take at least; more where the example took more.
MADE_UP = Limits(rounds=10_000, seconds=10.0, bytes=2**30)

#: What an input that was given may take: a program that has not ended then has nothing to compare a file with.
GIVEN = Limits(rounds=200_000, seconds=600.0, bytes=2**62)

#: Made-up inputs may take this many times what the example took.
_MORE = 20

#: After this many inputs without an end, the others get only as many times what the program needed where it ended.
_PATIENCE = 1

#: A class of numbers is left after this many inputs without an end.
_GIVE_UPS = 2

#: Seconds that a file with loops may need, or 50 times what the program needed.
_FILE_SECONDS = 60.0

#: Seconds for classes of numbers and for branches, besides half of what the sizes took.
_VALUE_SECONDS = 3.0
_SEARCH_SECONDS = 1.0

#: Inputs of up to this many elements are told in full.
_SHORT = 4

Arrays = list[np.ndarray]


@dataclass(frozen=True)
class Check:
    """The outcome of one case: the largest difference between file and program, or why there was nothing to compare."""

    case: Case
    #: "equal", "refused" (by the file), "the program refuses this size", "gave up", "not compared", "not tried".
    outcome: str
    difference: float = 0.0
    note: str = ""
    #: The largest finite number that was compared.
    size: float = 0.0

    def __str__(self) -> str:
        found = self.outcome
        if found == "equal":
            found += f", largest difference {self.difference:.2g}"
            found += f" of values up to {self.size:.2g}" if self.difference else ""
        elif self.outcome == "gave up":
            return f"{self.case}: {self.note}"
        elif self.outcome == "the program refuses this size":
            return f"{self.case}: {found}" + (f": {self.note}" if self.note else "")
        return f"{self.case}: {found}" + (f" ({self.note})" if self.note else "")


@dataclass
class Verification:
    """All checks of one file."""

    checks: list[Check] = field(default_factory=list)
    #: Ways through branches and loops that a comparison took, of how many.
    branches: tuple[int, int] = (0, 0)
    #: Classes of numbers with inputs that the program itself refuses, and its first error.
    refused: dict[str, str] = field(default_factory=dict)
    #: Classes of numbers with inputs on which the two differ where neither is right, and why.
    uncompared: dict[str, str] = field(default_factory=dict)
    #: Classes of numbers that were not tried since time was over.
    left_out: list[str] = field(default_factory=list)
    #: "integers at comparisons" -> at how many places the program compares such numbers.
    places: dict[str, int] = field(default_factory=dict)

    @property
    def difference(self) -> float:
        """The largest difference in any check."""
        return max((check.difference for check in self.checks), default=0.0)

    @property
    def covered(self) -> str:
        """Return what was compared, in one line: sizes, branches, classes of numbers."""
        equal = [check for check in self.checks if check.outcome == "equal"]
        sizes = len({tuple(check.case.sizes.values()) for check in equal})
        parts = [f"{sizes} size{'s' * (sizes != 1)}"]
        if self.branches[1]:
            parts.append(f"branches {self.branches[0]} of {self.branches[1]}")
        made_up = [check for check in equal if check.case.values or not check.case.given]
        classes = list(dict.fromkeys(check.case.values or "ordinary" for check in made_up))
        named = [self._named(name) for name in classes if name != _BRANCH]
        if any(0 in check.case.sizes.values() for check in equal):
            named.append("empty")
        if named:
            parts.append(f"values: {', '.join(named)}")
        line = f"covered: {', '.join(parts)}"
        if self.left_out:
            line += f"; not tried, for time: {', '.join(self.left_out)}"
        if not made_up and equal:
            samples = sum(check.case.given for check in equal) - 1
            what = "the example itself" + (f" and {samples} of samples" if samples > 0 else "")
            line += f"\n  nothing but {what} was verified: what the file does with other inputs is not known"
        return line

    def _named(self, name: str) -> str:
        places = self.places.get(name, 0)
        return (
            name.replace("at comparisons", f"tried at {places} comparison{'s' * (places != 1)}")
            if places
            else name.replace("at comparisons", "tried at 0 and 1")
        )

    def __str__(self) -> str:
        shown = [c for c in self.checks if not (c.case.values and c.outcome == "equal")]
        lines = list(dict.fromkeys(f"  {check}" for check in shown))
        lines += [f"  not compared at {name}: {note}" for name, note in self.uncompared.items()]
        lines += [f"  the program refuses {name}: {note}" for name, note in self.refused.items()]
        return "\n".join([*lines, f"  {self.covered}"])


#: Classes of floats unlike any that the example has.
_WILD = ("NaN", "infinities", "tiny", "large", "huge")

#: Beyond this, functions that level off are in their tails.
_LARGE = 16

#: The class of inputs that were searched for the branch they take.
_BRANCH = "another branch"


class EagerRun:
    """One run of the original program, which leaves no trace: state and arguments are put back."""

    def __init__(self, program: Program, states: Sequence[State]) -> None:
        self.program = program
        self.states = list(states)
        self.effort = Effort()

    def state(self) -> Arrays:
        """The captured values that the program will change, as they are now."""
        tensors = {state.input: state.tensor for state in self.states if state.attribute == "data"}
        return [host(tensor) for tensor in tensors.values()]

    def __call__(self, arrays: Sequence[np.ndarray], limits: Limits) -> Arrays:
        """Results, new states, and changed arguments, in the order of the file's outputs. Without gradients, unless the program
        asks for some or about them. GaveUp where a limit is met; `effort` has what it took."""
        program = self.program
        args, kwargs = program.example_args
        leaves, tree = flatten((args, kwargs))
        given, remaining = list(leaves), list(arrays)
        for i, leaf in enumerate(leaves):
            if isinstance(leaf, Tensor):
                given[i] = from_host(remaining.pop(0), leaf).requires_grad_(leaf.requires_grad)
        kept = [*(state.tensor for state in self.states), *program.twins]
        before = [(tensor, host(tensor), tensor.grad) for tensor in kept]
        world = World(program.fn, modules_of(program.fn))  # anew: what other threads do between two runs is not put back
        try:
            call_args, call_kwargs = unflatten(tree, given)
            with np.errstate(all="ignore"), set_grad_enabled(program.gradients), limited(limits) as self.effort:
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
                    tensor.copy_(from_host(data, tensor))
                    tensor.grad = grad
        return [*results, *news, *changed]


def verify_model(
    model: bytes | str | Path,
    program: Program,
    graph: Graph,
    *,
    names: Mapping[str, Any],
    samples: Sequence[Any] = (),
    ranges: Ranges | None = None,
    made_up: bool = True,
    embedded: bool = True,
    seed: int = 0,
    script: Path | None = None,
    foreign: Collection[str] = (),
) -> Verification:
    """Compare the file with the program. Raises VerificationError at the first difference that rounding does not explain.

    `graph` is the optimised graph that the file was made of. `names` holds the file's "inputs" (states included) and "outputs",
    and those of them that are "pairs".
    `samples` are further arguments to try, each as the program takes them, `ranges` bound what is made up for an input; without
    `made_up`, nothing is. `script` is where a reproduction is written.
    `foreign` are the ops with lowerings that are not frazil's: what is known of onnxruntime's gaps does not excuse them.
    """
    session = open_session(model)
    rng = np.random.default_rng(seed)
    eager = EagerRun(program, graph.states)
    examples = [host(leaf) for leaf in flatten(program.example_args)[0] if isinstance(leaf, Tensor)]
    report = Verification()
    comparison = _Comparison(model, session, eager, graph, names, report, script, foreign)
    comparison.check(Case("the example itself", _sizes_of(graph, examples), given=True), examples)
    for number, given in enumerate(samples):
        arrays = [host(leaf) for leaf in flatten(given if isinstance(given, tuple) else (given,))[0] if isinstance(leaf, Tensor)]
        comparison.check(Case(f"sample {number}", _sizes_of(graph, arrays), given=True), arrays)
    if made_up:
        comparison.limits = comparison.raised(MADE_UP, _MORE)
        started = time.monotonic()
        values = Values(graph, examples, ranges or {}, rng)
        _try_sizes(comparison, values, started, embedded)
        _try_values(comparison, values, _sizes_of(graph, examples), 0.5 * (time.monotonic() - started) + _VALUE_SECONDS)
        _search_branches(comparison, values, _sizes_of(graph, examples))
    report.branches = (len(comparison.taken), len(comparison.ways))
    return report


def _try_sizes(comparison: _Comparison, values: Values, started: float, embedded: bool) -> None:
    """Inputs like the example, of every size to try."""
    graph, report = comparison.graph, comparison.report
    for case in size_cases(graph):
        if time.monotonic() - started > TIME_LIMIT:
            report.checks.append(Check(case, "not tried", note=f"{TIME_LIMIT} s were over"))
            continue
        arrays = values.ordinary([_shape(value, case.sizes) for value in graph.inputs])
        if case.allowed:
            comparison.check(case, arrays)
        elif embedded:
            comparison.check_refusal(case, arrays)


def _try_values(comparison: _Comparison, values: Values, sizes: Mapping[Symbol, int], seconds: float) -> None:
    """Every class of numbers, at the example's sizes."""
    report, started = comparison.report, time.monotonic()
    report.places = {
        "integers at comparisons": values.compared.integers,
        "floats at comparisons": values.compared.floats,
    }
    for tried in values.tries():
        if time.monotonic() - started > seconds:
            if tried.label not in report.left_out and all(check.case.values != tried.label for check in report.checks):
                report.left_out.append(tried.label)
            continue
        if sum(c.case.values == tried.label and c.outcome == "gave up" for c in report.checks) >= _GIVE_UPS:
            continue
        case = Case(tried.label, sizes, values=tried.label)
        found = comparison.check(case, tried.arrays)
        if found.outcome == "the program refuses this size" and tried.otherwise is not None:
            comparison.check(case, tried.otherwise)


def _search_branches(comparison: _Comparison, values: Values, sizes: Mapping[Symbol, int]) -> None:
    """Inputs that take the branches which nothing has taken so far, as far as they are found in time."""
    until = time.monotonic() + _SEARCH_SECONDS
    open_ways = comparison.ways - comparison.taken
    if not open_ways:
        return
    for arrays in values.targeted():
        if not open_ways or time.monotonic() > until:
            return
        taken = comparison.follow(arrays, replace(comparison.limits, seconds=_SEARCH_SECONDS))
        if taken is not None and taken.ways & open_ways:
            comparison.check(Case(_BRANCH, sizes, values=_BRANCH), arrays)
            open_ways = comparison.ways - comparison.taken - taken.ways


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
    foreign: Collection[str] = ()

    def __post_init__(self) -> None:
        nodes = [node.op_name for node in self.graph.walk()]
        self.limits = MADE_UP
        self.most = Effort()  # what runs that ended took
        self.given_up = 0
        self.loops = "loop" in nodes
        self.complex = not is_real(self.eager.program.graph)
        self.signed = SIGNED.issuperset(nodes) and not self.complex  # whether the signs of zeros are compared too
        self.divides = bool(DIVISIONS.intersection(nodes).intersection(self.foreign))  # frazil's lowerings see to it
        self.ways, self.taken = set(ways(self.graph)), set()  # type: ignore[var-annotated]
        self.oracle: Oracle | None = None

    def feeds(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self.names["inputs"], [*arrays, *self.eager.state()], strict=True))

    def raised(self, limits: Limits, times: int) -> Limits:
        """The limits, or this many times what the longest run took that ended."""
        most = self.most
        return Limits(
            max(limits.rounds, times * most.rounds), max(limits.seconds, times * most.seconds), max(limits.bytes, 4 * most.bytes)
        )

    def follow(self, arrays: Arrays, limits: Limits) -> Taken | None:
        """The ways that these inputs take through the graph; None where it fails or has no end."""
        taken = Taken()
        try:
            with limited(limits):
                run_graph(self.graph, arrays, taken)
        except (GaveUp, Exception):
            return None
        return taken

    def add(self, check: Check) -> Check:
        self.report.checks.append(check)
        return check

    def check(self, case: Case, arrays: Arrays) -> Check:
        """Compare the two. The program may fail on inputs that were made up, never on what was given."""
        feeds = self.feeds(arrays)
        try:
            expected = self.eager([array.copy() for array in arrays], GIVEN if case.given else self.limits)
        except GaveUp:
            return self.gave_up(case, arrays)
        except Exception as error:
            note = f"{type(error).__name__}: {str(error).splitlines()[0]}" if str(error) else type(error).__name__
            if "divided by 0" in note and not case.given and any(a.dtype.kind in "iu" and not a.all() for a in arrays):
                return self.check(case, [np.where(a == 0, a.dtype.type(1), a) if a.dtype.kind in "iu" else a for a in arrays])
            if case.given:
                raise VerificationError(
                    f"{case}: the program itself fails, so there is nothing to compare the file with: {note}", report=self.report
                ) from error
            if not case.values:
                note += self.what_the_file_does(case, arrays, feeds, note)
                return self.add(Check(case, "the program refuses this size", note=note))
            self.report.refused.setdefault(case.values, note)
            return Check(case, "the program refuses this size", note=note)
        effort = self.eager.effort
        self.most = Effort(
            max(self.most.rounds, effort.rounds), max(self.most.seconds, effort.seconds), max(self.most.bytes, effort.bytes)
        )
        taken = None
        if self.ways or (self.divides and case.values):
            taken = self.follow(arrays, GIVEN if case.given else self.raised(MADE_UP, _MORE))
            if taken is not None and taken.lethal:
                note = "onnxruntime's Div ends the process where the least integer is divided by -1"
                return self.add(Check(case, "not tried", note=note))
        try:
            seconds = max(_FILE_SECONDS, 50 * effort.seconds) if self.loops else None
            found = list(run_session(self.session, feeds, self.names["outputs"], seconds).values())
        except Exception as error:
            reason = f"onnxruntime cannot run the file: {str(error).splitlines()[0]}"
            if "terminate flag" in reason:
                self.fail(case, f"the file has not ended after {seconds:.0f} s, the program after {effort.seconds:.2g} s", arrays)
            if 0 not in case.sizes.values() and not any(text in reason for text in _BY_ZERO):
                self.fail(case, reason, arrays)
            # some kernels cannot work on nothing, or divide by zero; that is said, and no wrong number comes out
            return self.add(Check(case, "refused", note=reason))
        largest = size = 0.0
        for name, a, b in zip(self.names["outputs"], found, expected, strict=True):
            if a.dtype != b.dtype or a.shape != b.shape:
                if taken is not None or not case.given:
                    self.look_closer(case, arrays, feeds, found, expected)
                self.fail(
                    case,
                    f"output {name!r} is {a.dtype}{list(a.shape)} in the file and {b.dtype}{list(b.shape)} in the program",
                    arrays,
                )
            errors = distance(a, b)
            largest = max(largest, float(errors.max(initial=0.0)))
            size = max(size, _largest(b))
        if not all(_plainly_equal(a, b) for a, b in zip(found, expected, strict=True)):
            try:
                with limited(replace(self.raised(MADE_UP, _MORE), bytes=GIVEN.bytes, seconds=GIVEN.seconds)):
                    doubt = self.look_closer(case, arrays, feeds, found, expected)
            except GaveUp:
                doubt = "the program has no end in float64, so nothing tells what rounding explains"
            if doubt and case.values:
                self.report.uncompared.setdefault(case.values, doubt)
                return Check(case, "not compared", note=doubt)
            if doubt:
                return self.add(Check(case, "not compared", note=doubt))
        if self.signed and any(_signs_differ(a, b) for a, b in zip(found, expected, strict=True)):
            self.fail(case, "a zero has another sign in the file than in the program", arrays, self.locate(arrays, feeds))
        if taken is not None:
            self.taken |= taken.ways & self.ways
        return self.add(Check(case, "equal", largest, size=size))

    def what_the_file_does(self, case: Case, arrays: Arrays, feeds: Mapping[str, np.ndarray], note: str) -> str:
        """What to add to the note that the program refuses sizes: nothing where the file refuses them too. Raise where it
        computes something, unless only the function refuses that was called, so that the recording computes the same, or
        finite numbers where a size is 0: an operator has its own idea of a sum over nothing."""
        try:
            found = run_session(self.session, feeds, self.names["outputs"], _FILE_SECONDS if self.loops else None)
        except Exception:
            return ""
        if any(text in note for text in _NOT_REFUSED):
            return " (the file does not)"
        try:
            with limited(self.limits):
                results = self.names["values"]
                exact = self.exact(arrays)
                pairs = [(value, a, exact.own[value].dtype) for value, a in zip(results, found.values(), strict=True)]
                same = all(a.dtype == dtype and exact.judge(value, a, dtype).excess <= 1 for value, a, dtype in pairs)
        except (GaveUp, Exception):
            same = False
        if not same:
            if 0 in case.sizes.values() and all(a.dtype.kind not in "fc" or np.isfinite(a).all() for a in found.values()):
                return " (the file does not)"
            self.fail(case, f"the program refuses this size ({note}), and the file computes a result all the same", arrays)
        return " (only the function that was called does: the recording and the file compute the same)"

    def gave_up(self, case: Case, arrays: Arrays) -> Check:
        """The program has no end on these inputs, or none in time."""
        met, shown = self.eager.effort.met, self.describe(arrays)
        if case.given:
            raise VerificationError(
                f"{case}: the program itself has not ended after {met} with {shown}, so there is nothing to compare the file "
                "with. Give an example for which it ends, or export with verify=False",
                report=self.report,
            )
        self.given_up += 1
        if self.given_up >= _PATIENCE:
            self.limits = self.raised(Limits(1_000, 1.0, MADE_UP.bytes), _MORE)
        note = f"gave up after {met} with {shown}"
        if 0 not in case.sizes.values():
            note += f"; say what makes sense with ranges={self.suggestion()}"
        return self.add(Check(case, "gave up", note=note))

    def suspects(self) -> list[int]:
        """The inputs that the loops depend on, by position."""

        def decides(node: Any) -> Sequence[Value | None]:
            if node.op_name != "loop":
                return ()
            return [*node.inputs[:2], *node.attrs["body"].outputs[: 1 if node.inputs[1] is not None else 0]]

        found = feeding(self.graph, decides)
        return [i for i, value in enumerate(self.graph.inputs) if value in found] or list(range(len(self.graph.inputs)))

    def describe(self, arrays: Arrays) -> str:
        """The inputs that an endless loop depends on, or those few that there are."""
        return ", ".join(_described(self.graph.inputs[i].name, arrays[i]) for i in self.suspects()[:3])

    def suggestion(self) -> str:
        """Ranges around the example, to be written into the call."""
        examples = [host(leaf) for leaf in flatten(self.eager.program.example_args)[0] if isinstance(leaf, Tensor)]
        return "{" + ", ".join(f"{self.graph.inputs[i].name!r}: {_around(examples[i])}" for i in self.suspects()[:3]) + "}"

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
            arrays,
        )

    def exact(self, arrays: Arrays) -> Exact:
        """What the graph computes of these inputs, to judge its results by."""
        results = self.names["values"]
        values = run_graph(self.graph, arrays, wanted=needed_to_judge(results))
        self.oracle = self.oracle or Oracle(self.graph)
        return self.oracle.exact(arrays, values, wanted=results)

    def look_closer(self, case: Case, arrays: Arrays, feeds: Mapping[str, np.ndarray], found: Arrays, expected: Arrays) -> str:
        """Raise where the differences are more than rounding, by the float64 run of the graph. Give the reason where nothing
        can be said of them, else ""."""
        results, exact = self.names["values"], self.exact(arrays)
        beyond = False
        for name, value, a, b in zip(self.names["outputs"], results, found, expected, strict=True):
            if a.shape == b.shape and _plainly_equal(a, b):
                continue
            if a.dtype != b.dtype:
                return ""
            judged, own = exact.judge(value, a, b.dtype), exact.judge(value, b, b.dtype)
            if a.shape != b.shape and not judged.beyond:
                return ""
            beyond |= judged.beyond
            if judged.excess <= 1 and own.excess <= 1:
                continue
            if own.excess > 1 and case.values in _WILD and self.eager.program.differentiates and _finite_agree(a, b):
                return "the program's gradients leave out zeros that the recording multiplies by NaN, or the other way round"
            if self.complex:
                kept = self.kept_of_complex(case, name, arrays, a, b)
                sides = [
                    exact.judge(value, np.where(kept, side, exact.values[value]).astype(b.dtype), b.dtype) for side in (a, b)
                ]
                if not kept.all() and all(side.excess <= 1 for side in sides):
                    return "of a complex number that is not finite nothing says which of its parts are NaN"
            if b.dtype.kind != "f":
                message = f"output {name!r}: {np.count_nonzero(a != b)} of {b.size} elements differ"
            elif own.excess > 1:
                message = f"output {name!r}: the recorded graph itself does not compute what the program computes"
            else:
                message = f"output {name!r}: largest error {judged.error:.3g}, {judged.excess:.3g} times what rounding explains"
            divergence = self.locate(arrays, feeds)
            if divergence is not None and own.excess <= 1:
                if divergence.beyond:
                    return f"the program's own numbers leave the range of their dtype at {divergence.node.op_name}"
                suspects = [divergence.node, *divergence.unseen]
                foreign = any(node.op_name in self.foreign for node in suspects)
                gap = "" if foreign else next(filter(None, (_gap(node, divergence.values) for node in suspects)), "")
                if gap:
                    return gap
            self.fail(case, f"{message}\n{self.second_opinion(feeds, name, a, b)}", arrays, divergence)
        return "where the program's own numbers leave the range of their dtype" if beyond else ""

    def kept_of_complex(
        self, case: Case, name: str, arrays: Arrays, found: np.ndarray, expected: np.ndarray
    ) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which numbers of a program with complex ones are to agree: those that are finite in the program, and in the file too
        if what is given is not."""
        wild = case.values in _WILD or not all(np.isfinite(a).all() for a in arrays if a.dtype.kind == "f")
        kept = np.isfinite(expected) & (np.isfinite(found) if wild else True)
        return kept & kept.all(-1, keepdims=True) if name in self.names["pairs"] else kept

    def second_opinion(self, feeds: Mapping[str, np.ndarray], name: str, found: np.ndarray, expected: np.ndarray) -> str:
        """What the ONNX reference evaluator, in float64, says about the file."""
        try:
            reference = reference_outputs(self.model, feeds)[name]
        except Exception as error:
            return f"the ONNX reference evaluator cannot run the file in float64: {type(error).__name__}: {error}"
        to_file, to_program = (float(distance(reference, side).max(initial=0.0)) for side in (found, expected))
        if to_program < to_file:
            plain = run_file(self.model, feeds, [name], optimize=False)[name]
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
        return divergence

    def fail(self, case: Case, message: str, arrays: Arrays, divergence: Divergence | None = None) -> Any:
        if divergence is not None and self.script is not None:
            write_script(divergence, self.script)
        short = [_described(value.name, a) for value, a in zip(self.graph.inputs, arrays, strict=True) if a.size <= _SHORT]
        given = f" with {', '.join(short)}" if short and case.values else ""
        text = f"the file does not compute what the program computes, {case}{given}: {message}"
        if divergence is not None:
            where = f"written to {self.script}" if self.script is not None else f"\n{divergence.script}"
            text += f"\nfirst diverging node: {divergence}\nreproduction: {where}"
        raise VerificationError(text, report=self.report, divergence=divergence)


def _gap(node: Node, values: Mapping[Value, np.ndarray]) -> str:
    """What is known about how onnxruntime's kernel of this node differs on what it is given, "" for nothing."""
    name = node.op_name
    found = (VALUE_GAPS.get((name, kind)) for kind in _kinds(node, values))
    return next((f"{name} (onnxruntime {onnxruntime.__version__}: {text})" for text in found if text), "")


def _finite_agree(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether the two differ only where one of them is NaN or infinite."""
    both = np.isfinite(a) & np.isfinite(b)
    return _plainly_equal(a[both], b[both])


def _kinds(node: Node, values: Mapping[Value, np.ndarray]) -> list[str]:
    """What is among the numbers that the node is given."""
    arrays = [values[v] for v in node.inputs if v is not None and v in values]
    floats = [a for a in arrays if a.dtype.kind == "f"]
    kinds = []
    if any(np.isnan(array).any() for array in floats):
        kinds.append("NaN")
    if any(np.isinf(array).any() for array in floats):
        kinds.append("infinity")
    if any((np.isfinite(array) & (np.abs(array) > float(np.finfo(array.dtype).max) ** 0.5)).any() for array in floats):
        kinds.append("huge")
    if any((np.isfinite(array) & (np.abs(array) > _LARGE)).any() for array in floats):
        kinds.append("large")
    if any(((array != 0) & (np.abs(array) < np.finfo(array.dtype).eps)).any() for array in floats):
        kinds.append("tiny")
    return kinds


#: What programs say where they refuse sizes and files do not, by the table in README.md.
_NOT_REFUSED = ("integers are divided by 0", "a recorded scan gives empty results")

#: What onnxruntime says where an integer is divided by zero.
_BY_ZERO = ("division by zero", "modulo by zero")


def _described(name: str, array: np.ndarray) -> str:
    """What an input was: its numbers if they are few, else its type and range."""
    if array.ndim == 0:
        return f"{name} = {array[()]:.4g}" if array.dtype.kind == "f" else f"{name} = {array[()]}"
    if 0 < array.size <= _SHORT:
        return f"{name} = {np.array2string(array, precision=4, separator=', ')}"
    between = f" between {array.min():.4g} and {array.max():.4g}" if array.size and array.dtype.kind in "fiu" else ""
    return f"{name} = {array.dtype}{list(array.shape)}{between}"


def _around(example: np.ndarray) -> str:
    """A range that contains the example."""
    if not example.size or example.dtype.kind == "b":
        return "(0, 1)"
    low, high = float(example.min()), float(example.max())
    if low == high:
        low, high = (low / 10, high * 10) if low > 0 else (low - 1, high + 1)
    if example.dtype.kind in "iu":
        return f"({int(low)}, {int(high)})"
    return f"({low:.3g}, {high:.3g})"


def _largest(array: np.ndarray) -> float:
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    return float(np.abs(finite.astype(np.float64)).max(initial=0.0))


def _signs_differ(a: np.ndarray, b: np.ndarray) -> bool:
    return b.dtype.kind == "f" and bool(((b == 0) & (np.signbit(a) != np.signbit(b))).any())


def _plainly_equal(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether each element is within a few roundings of its own size: what lies beside it may be much larger."""
    if b.dtype.kind != "f":
        return bool((a == b).all())
    with np.errstate(invalid="ignore", over="ignore"):
        allowed = _PLAINLY_EQUAL * eps_of(b.dtype) * np.abs(np.where(np.isfinite(b), b, 0).astype(np.float64))
    return bool((distance(a, b) <= allowed + float(np.finfo(b.dtype).tiny)).all())
