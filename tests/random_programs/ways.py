"""The ways in which a program is run, and what is said about each: eager frazil is compared with PyTorch, with its recording at
other sizes, with its file in onnxruntime, with another device."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import frazil as fz
from frazil.exporters.onnx.running import open_session, run_session
from frazil.recorder import layout

from .generator import EXAMPLE, OTHERS, Program, arguments

Arrays = list[np.ndarray]
SIZES = (EXAMPLE, *OTHERS)

#: Seconds of work for all that is done with one program; other programs on the machine do not count.
TIME_LIMIT = 60

#: What a program itself may raise: frazil's errors, and Python's own of arithmetic and of loops without a round.
OWN_ERRORS = (fz.errors.FrazilError, ZeroDivisionError, NameError)
_NO_SUCH_DIMENSION = "tuple index out of range"  # of `x.shape[1]`

#: What PyTorch raises where it refuses.
PYTORCH_ERRORS = (RuntimeError, IndexError, TypeError, ValueError, NotImplementedError, AttributeError, NameError)

#: What must not come of any program.
FAULTS = ("disagree", "traceback", "hang")


class Hang(BaseException):
    """The time limit; no `except Exception` of the library may swallow it."""


@dataclass(frozen=True)
class Outcome:
    """`kind`: agree, guard (refused at a size, as a decision on sizes went the other way), refused (with a sentence), unstable
    (rounding alone makes it differ), or a fault: disagree, traceback, hang."""

    way: str
    kind: str
    text: str = ""

    @property
    def fault(self) -> bool:
        return self.kind in FAULTS


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def default_dtype(xp: Any, dtype: str) -> Iterator[None]:
    """What a program makes itself is of this dtype too: a float64 run has no float32 in it."""
    before = xp.get_default_dtype()
    xp.set_default_dtype(getattr(xp, dtype))
    try:
        yield
    finally:
        xp.set_default_dtype(before)


@contextlib.contextmanager
def rounding(seed: int, scale: float) -> Iterator[None]:
    """What kernels of float64 compute is changed by as much as another dtype would round it: not what they only move, nor numbers
    of few digits, which float32 has as well."""
    cpu = fz.device("cpu")
    before, rng = cpu.kernels, np.random.default_rng(seed)

    def rounded(y: Any, seen: np.ndarray) -> Any:
        if not isinstance(y, np.ndarray) or y.dtype != np.float64 or not y.size:
            return y
        with np.errstate(all="ignore"):
            known = np.isin(np.abs(y), seen) | (y == y.astype(np.float16)) | ~np.isfinite(y)
            return np.where(known, y, y * (1 + scale * rng.uniform(-1, 1, y.shape))) if not known.all() else y

    def noisy(kernel: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arrays: Any, **attrs: Any) -> Any:
            seen = np.concatenate(
                [np.abs(a).ravel() for a in arrays if isinstance(a, np.ndarray) and a.dtype == np.float64] or [[]]
            )
            results = kernel(*arrays, **attrs)
            if arrays and results is arrays[0]:  # written in place
                results[...] = rounded(results, seen)
                return results
            return tuple(rounded(y, seen) for y in results) if type(results) is tuple else rounded(results, seen)

        return call

    class Noisy(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            kernel = before[name]
            self[name] = kernel and noisy(kernel)
            return self[name]

        def get(self, name: str, default: Any = None) -> Any:
            return self[name] if before.get(name, default) is not default else default

        def __contains__(self, name: object) -> bool:
            return name in before

    cpu.kernels = Noisy()
    try:
        yield
    finally:
        cpu.kernels = before


def gradients(model: Any, xp: Any, x: Any, y: Any, ids: Any) -> tuple[Any, ...]:
    """Gradients of a weighted sum of the results with respect to inputs and parameters: zeros where nothing depends on them."""
    with xp.enable_grad():
        x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
        leaves = [x, y, *model.parameters()]
        results = [r for r in model(x * 1, y * 1, ids) if r.is_floating_point() and r.requires_grad]
        if not results:
            return tuple(xp.zeros_like(leaf) for leaf in leaves)
        loss = sum((r * xp.cos(r.detach())).sum() for r in results)
        found = xp.autograd.grad(loss, leaves, allow_unused=True)
    return tuple(xp.zeros_like(leaf) if g is None else g for g, leaf in zip(found, leaves, strict=True))


def function_of(program: Program, model: Any, xp: Any) -> Callable[..., tuple[Any, ...]]:
    if program.gradient:
        return lambda x, y, ids: gradients(model, xp, x, y, ids)
    return lambda x, y, ids: model(x, y, ids)


def run_eagerly(
    program: Program,
    sizes: dict[str, int],
    xp: Any = fz,
    dtype: str = "float32",
    device: str | None = None,
    noise: int = 0,
    scale: float = 1e-7,
) -> list[Any]:
    """Results, arguments as they are afterwards, buffers as they are afterwards: tensors. `noise` is the seed of a change of all
    that comes in and, in frazil, of all that is computed, as small as float32's rounding, or by `scale`."""
    with default_dtype(xp, dtype) if dtype != "float32" else contextlib.nullcontext():
        model = program.model(xp, dtype)
        options = {} if device is None else {"device": device}
        if device is not None:
            model = model.to(device)
        arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arguments(sizes, program.seed)]
        if noise:
            rng = np.random.default_rng(noise)
            arrays = [a * (1 + scale * rng.uniform(-1, 1, a.shape)) if a.dtype.kind == "f" else a for a in arrays]
            with xp.no_grad():
                for t in (*model.parameters(), *model.buffers()):
                    t.mul_(xp.tensor(1 + scale * rng.uniform(-1, 1, t.shape), dtype=t.dtype))
        given = [xp.tensor(a, **options) for a in arrays]
        with rounding(noise, scale) if noise else contextlib.nullcontext():
            results = function_of(program, model, xp)(*given)
        return [*results, *given[:2], *model.buffers()]


def eager(program: Program, sizes: dict[str, int], xp: Any = fz, dtype: str = "float32", **options: Any) -> Arrays:
    """As `run_eagerly`, as arrays."""
    return [t.detach().cpu().numpy() for t in run_eagerly(program, sizes, xp, dtype, **options)]


def differs(found: Sequence[np.ndarray], expected: Sequence[np.ndarray], tolerance: float) -> str | None:
    """What differs first, or None."""
    if len(found) != len(expected):
        return f"{len(found)} results, not {len(expected)}"
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"[{i}] is {a.dtype}{list(a.shape)}, not {b.dtype}{list(b.shape)}"
        if b.dtype.kind != "f":
            if not np.array_equal(a, b):
                return f"[{i}] is {a.ravel()[:8]}, not {b.ravel()[:8]}"
            continue
        with np.errstate(all="ignore"):
            scale = float(np.abs(b[np.isfinite(b)]).max(initial=1.0))
            same = (a == b) | (np.abs(a - b) <= tolerance * scale) | (np.isnan(a) & np.isnan(b))
        if not same.all():
            at = tuple(int(k) for k in np.argwhere(~same)[0])
            return f"[{i}] at {list(at)} is {a[at]!r}, not {b[at]!r} ({int((~same).sum())} of {b.size} differ)"
    return None


class Check:
    """One program, run in all the ways asked for; `outcomes` says what came of it."""

    def __init__(self, program: Program, ways: Sequence[str]) -> None:
        self.program = program
        self.outcomes: list[Outcome] = []
        self.expected: dict[int, Arrays] = {}
        self.recording: Recording | None = None
        self._unstable: dict[tuple[int, str], set[int]] = {}
        try:
            with time_limit(TIME_LIMIT), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self._eagerly():
                    for way in ways:
                        self._guarded(way, getattr(self, way))
                elif "torch" in ways and self.outcomes[0].kind == "refused":
                    self._refused_too()
        except Hang:
            self.outcomes.append(Outcome("any", "hang", "".join(traceback.format_stack(limit=3))))

    @property
    def faults(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.fault]

    def _say(self, way: str, kind: str, text: str = "") -> None:
        self.outcomes.append(Outcome(way, kind, text))

    def _guarded(self, way: str, run: Callable[[], None]) -> None:
        try:
            run()
        except fz.errors.FrazilError as error:
            self._say(way, "refused", f"{type(error).__name__}: {error}")
        except Exception:
            self._say(way, "traceback", traceback.format_exc(limit=-6))

    def _eagerly(self) -> bool:
        """Run it at each size. Sizes at which it raises, or where float32 is far from float64, are left out."""
        for i, sizes in enumerate(SIZES):
            try:
                found, exact = eager(self.program, sizes), eager(self.program, sizes, dtype="float64")
            except Exception as error:
                if isinstance(error, OWN_ERRORS) or str(error) == _NO_SUCH_DIMENSION:
                    if i == 0:
                        self._say("eager", "refused", f"{type(error).__name__}: {error}")
                    continue
                self._say("eager", "traceback", traceback.format_exc(limit=-6))
                return False
            wide = [a.astype(b.dtype) if b.dtype.kind == "f" else a for a, b in zip(found, exact, strict=False)]
            if differs(wide, exact, 1e-4):
                continue
            self.expected[i] = found
        if 0 in self.expected:
            self._say("eager", "agree")
            return True
        if not self.outcomes:
            self._say("eager", "unstable")
        return False

    def _compare(self, way: str, found: Sequence[np.ndarray], i: int) -> None:
        self._judge(way, i, found, self.expected[i])

    def _judge(
        self,
        way: str,
        i: int,
        found: Sequence[np.ndarray],
        expected: Sequence[np.ndarray],
        tolerance: float = 1e-3,
        dtype: str = "float32",
    ) -> None:
        """Say that results at a size agree, or differ: no fault where rounding alone changes every result that differs."""
        wrong = differs(found, expected, tolerance)
        if wrong is None:
            self._say(way, "agree")
            return
        others = {k for k, (a, b) in enumerate(zip(found, expected, strict=False)) if differs([a], [b], tolerance)}
        stable = len(found) != len(expected) or others - self._moved_by_rounding(i, dtype)
        self._say(way, "disagree" if stable else "unstable", f"at {SIZES[i]} in {dtype}: {wrong}")

    def _moved_by_rounding(self, i: int, dtype: str) -> set[int]:
        """Which results change where arguments, and all that is computed of them, differ by no more than the dtype can tell: a
        sum that is zero but for rounding is compared with zero, the least of numbers is looked for that are one in float32."""
        if (i, dtype) not in self._unstable:
            scale, tolerance = (1e-7, 1e-4) if dtype == "float32" else (1e-15, 1e-8)
            exact = eager(self.program, SIZES[i], dtype="float64")
            moved = [eager(self.program, SIZES[i], dtype="float64", noise=seed, scale=scale) for seed in range(1, 9)]
            pairs = (enumerate(zip(found, exact, strict=True)) for found in moved)
            self._unstable[i, dtype] = {k for results in pairs for k, (a, b) in results if differs([a], [b], tolerance)}
        return self._unstable[i, dtype]

    def torch(self) -> None:
        """The same text in PyTorch: values in float64; at the example dtypes, as they are in float32, too."""
        import torch

        for i in self.expected:
            for dtype in ("float64", "float32")[: 1 + (i == 0)]:
                ours = eager(self.program, SIZES[i], dtype=dtype)
                try:
                    theirs = eager(self.program, SIZES[i], torch, dtype)
                except PYTORCH_ERRORS as error:
                    self._say("torch", "refused", f"PyTorch: {str(error).splitlines()[0]}")
                    break
                self._judge("torch", i, ours, theirs, 1e-7 if dtype == "float64" else 1e-3, dtype)

    def _refused_too(self) -> None:
        """Whether PyTorch refuses at the example what eager frazil refuses."""
        import torch

        try:
            eager(self.program, EXAMPLE, torch)
        except PYTORCH_ERRORS:
            self._say("torch", "agree")
        else:
            self._say("torch", "refused", f"not by PyTorch: {self.outcomes[0].text}")

    def _record(self) -> Recording:
        """The recording of the example, made once."""
        if self.recording is None:
            self.recording = Recording(self.program)
        return self.recording

    def replay(self) -> None:
        """The recording of the example, run at every size."""
        recording = self._record()
        self._lies_as_eagerly(recording.strides)
        for i in self.expected:
            try:
                found = recording.run(SIZES[i])
            except fz.errors.FrazilError as error:
                self._say("replay", "guard" if i else "refused", f"{type(error).__name__}: {error}")
                continue
            self._compare("replay", found, i)

    def _lies_as_eagerly(self, strides: Sequence[tuple[int, ...] | None]) -> None:
        """Whether results lie in memory as the recording believes, which decides what is a view."""
        if self.program.gradient:
            return
        for k, (believed, t) in enumerate(zip(strides, run_eagerly(self.program, EXAMPLE), strict=False)):
            if believed is not None and 0 not in t.shape:
                pairs = zip(t.shape, believed, t.stride(), strict=True)
                if any(n > 1 and a != b for n, a, b in pairs):
                    self._say("replay", "disagree", f"[{k}] has strides {t.stride()}, recorded as {believed}")

    def file(self) -> None:
        """The file of the example in onnxruntime, at every size."""
        recording = self._record()
        recording.reset()
        report = fz.onnx.export(recording.program, verify=False, training=True)
        session = open_session(report.model_bytes)
        graph = report.graph
        states = {state.input.name: state.tensor.detach().numpy().copy() for state in graph.states}
        count = len(self.expected[0]) - 2 - len(list(recording.model.buffers()))
        names = [value.name for value in graph.inputs if value.name not in states]
        for i in self.expected:
            arrays = dict(zip(names, arguments(SIZES[i], self.program.seed), strict=False))
            try:
                found = list(run_session(session, {**arrays, **states}).values())
            except Exception as error:
                refused = bool(i) and recording.refuses(SIZES[i])
                self._say("file", "guard" if refused else "traceback", str(error))
                continue
            if recording.refuses(SIZES[i]):
                self._say("file", "disagree", f"at {SIZES[i]}: the file gives a result where a guard of the recording fails")
                continue
            self._judge("file", i, found[:count], self.expected[i][:count])

    def compiled_numpy(self) -> None:
        self._compiled("numpy")

    def compiled_opencl(self) -> None:
        self._compiled("opencl")

    def compiled_onnxruntime(self) -> None:
        self._compiled("onnxruntime")

    def _compiled(self, engine: str) -> None:
        """The program compiled for an engine, called at every size, twice at the first; then, where it gives views, which no
        engine makes, with copies of its results."""
        if self._compiled_as(engine, lambda results: results):
            self._compiled_as(engine, lambda results: tuple(t.clone() for t in results))

    def _compiled_as(self, engine: str, results_of: Callable[[Any], tuple[Any, ...]]) -> bool:
        """Whether the engine ran none of it."""
        way, model = f"compiled_{engine}", self.program.model(fz)
        function = function_of(self.program, model, fz)
        call = fz.compile(lambda *args: results_of(function(*args)), engine=engine)
        before = [buffer.detach().clone() for buffer in model.buffers()]
        for i in [*list(self.expected)[:1], *self.expected]:
            with fz.no_grad():  # where gradients go through the results, no engine runs
                for buffer, first in zip(model.buffers(), before, strict=True):
                    buffer.copy_(first)
                given = [fz.tensor(a) for a in arguments(SIZES[i], self.program.seed)]
                results = call(*given)
            self._compare(way, [t.detach().numpy() for t in (*results, *given[:2], *model.buffers())], i)
        told = fz.compile.explain(call)
        for reason in told.eager:
            self._say(way, "refused", reason)
        return any(recording.engine != engine for recording in told.recordings)

    def opencl(self) -> None:
        for i in self.expected:
            self._compare("opencl", eager(self.program, SIZES[i], device="opencl"), i)

    def threads(self) -> None:
        """Four threads at once: each runs the program at every size and records it, and finds what was found alone."""
        found: list[Any] = []

        def work(first: int) -> None:
            sizes = [*self.expected]
            try:
                results = {i: eager(self.program, SIZES[i]) for i in sizes[first:] + sizes[:first]}
                found.append((results, Recording(self.program).run(EXAMPLE)))
            except BaseException as error:
                found.append(error)

        workers = [threading.Thread(target=work, args=(k % len(self.expected),), daemon=True) for k in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(TIME_LIMIT)
        if len(found) < len(workers):
            raise Hang
        for result in found:
            if isinstance(result, BaseException):
                self._guarded("threads", lambda error=result: _raise(error))
                continue
            eagerly, recorded = result
            for i, arrays in eagerly.items():
                wrong = differs(arrays, self.expected[i], 0.0)
                self._say("threads", "disagree" if wrong else "agree", f"at {SIZES[i]}: {wrong}" if wrong else "")
            self._compare("threads", recorded, 0)


class Recording:
    """The recording of the example, with the buffers that it changes."""

    def __init__(self, program: Program) -> None:
        self.seed, self.model = program.seed, program.model(fz)
        self.strides: list[tuple[int, ...] | None] = []
        self._before = [buffer.detach().clone() for buffer in self.model.buffers()]
        function = function_of(program, self.model, fz)

        def noting(*args: Any) -> tuple[Any, ...]:
            results = function(*args)
            self.strides = [_believed(t) for t in results]
            return results

        example = tuple(fz.tensor(a) for a in arguments(EXAMPLE, self.seed))
        self.program = fz.jit.trace(noting if not program.gradient else function, example)

    def reset(self) -> None:
        """Let the buffers hold what they held before the first run."""
        with fz.no_grad():
            for buffer, first in zip(self.model.buffers(), self._before, strict=True):
                buffer.copy_(first)

    def refuses(self, sizes: dict[str, int]) -> bool:
        """Whether one of its guards fails at these sizes."""
        try:
            self.run(sizes)
        except fz.errors.RecordError:
            return True
        return False

    def run(self, sizes: dict[str, int]) -> Arrays:
        """As `eager`, by the recording."""
        self.reset()
        given = [fz.tensor(a) for a in arguments(sizes, self.seed)]
        results = self.program(*given)
        return [t.detach().numpy() for t in (*results, *given[:2], *self.model.buffers())]


def _believed(t: Any) -> tuple[int, ...] | None:
    """The strides of a tensor being recorded, for the sizes of the example; None where the recording does not claim to know."""
    known = layout.lying(t._a) if t._dev.recording else None
    return None if known is None else tuple(known[1])


def _raise(error: BaseException) -> None:
    raise error


def reduced(program: Program, ways: Sequence[str], fault: Outcome) -> Program:
    """The program without the statements that the fault does not need."""

    def fails(candidate: Program) -> bool:
        return any((found.way, found.kind) == (fault.way, fault.kind) for found in Check(candidate, ways).faults)

    ways = [way for way in ways if way == fault.way]
    again = True
    while again:
        again = False
        for smaller in _smaller(program):
            if fails(smaller):
                program, again = smaller, True
                break
    return program


def _smaller(program: Program) -> Iterator[Program]:
    """Programs with one statement, branch or result less."""
    for i in range(len(program.returned)):
        if len(program.returned) > 1:
            yield dataclasses.replace(program, returned=program.returned[:i] + program.returned[i + 1 :], _classes={})
    for statements in _shorter(program.statements):
        yield dataclasses.replace(program, statements=statements, _classes={})


def _shorter(statements: list[Any]) -> Iterator[list[Any]]:
    from .generator import Statement

    for i in reversed(range(len(statements))):
        yield statements[:i] + statements[i + 1 :]
        statement = statements[i]
        if statement.body:
            yield [*statements[:i], *statement.body, *statements[i + 1 :]]
            for body in _shorter(statement.body):
                if body:
                    yield [*statements[:i], Statement(statement.text, body, statement.other), *statements[i + 1 :]]
            for other in _shorter(statement.other):
                yield [*statements[:i], Statement(statement.text, statement.body, other), *statements[i + 1 :]]
