"""The conformance kit: a backend's proof that it computes what frazil means.

The whole test file of a backend is

    import frazil as fz

    class TestFoo(fz.testing.BackendConformance):
        backend = "foo"

and `frazil conformance foo` runs the same checks without pytest.
"""

from __future__ import annotations

import fnmatch
import importlib
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any, final

import numpy as np

from ..device import _plugins as plugin_manager
from ..device import device
from ..errors import ArgumentError, FrazilError
from ..table import OPS
from .cases import kernels_seen
from .tiers import TIERS, Check, checks, opens

#: Outcomes. "behind": it failed, but so did an op that it stands on, and that is the failure to look at.
PASSED, FAILED, EXPECTED, BEHIND = "passed", "failed", "expected", "behind"

#: This many ops fit into a line.
_FEW = 8


@final
@dataclass(frozen=True)
class Result:
    """The outcome of one check."""

    check: Check
    outcome: str
    message: str = ""
    script: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        if self.outcome != FAILED:
            return f"{self.check}: {self.outcome}{': ' * bool(self.message)}{self.message}"
        return f"{self.check}\n{_indented(self.message)}\n\nThis program shows it:\n\n{_indented(self.script)}"


@final
@dataclass(frozen=True)
class Coverage:
    """Numbers of ops by who runs them for a device."""

    primitives: int
    native: int
    fast: int
    via_cpu: tuple[str, ...]

    def __str__(self) -> str:
        return self.told()

    def told(self, everything: bool = False) -> str:
        """In one line; where much runs on the CPU, some of the names, or `everything`."""
        text = f"{self.native}/{self.primitives} primitives, {self.fast} fast kernels, {len(self.via_cpu)} via CPU"
        names = list(self.via_cpu if everything or len(self.via_cpu) <= _FEW else (*self.via_cpu[:3], "... --all names them"))
        return text + (f" ({', '.join(names)})" if names else "")


def coverage(d: device) -> Coverage:
    """Return which ops have a kernel of the device's own.

    >>> coverage(device("cpu")).via_cpu
    ()
    """
    has = d.backend.kernels(d.number)
    primitives = [name for name, op in OPS.items() if op.kind == "primitive"]
    without = tuple(name for name in primitives if name not in has)
    fast = sum(name in has for name, op in OPS.items() if op.kind == "composite")
    return Coverage(len(primitives), len(primitives) - len(without), fast, without)


@final
@dataclass
class Report:
    """The outcome of all checks of a run."""

    backend: str
    device: str
    what: str = ""
    coverage: Coverage | None = None
    results: list[Result] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether nothing failed, and something passed."""
        counts = self.counts()
        return not counts[FAILED] and not counts[BEHIND] and counts[PASSED] > 0

    def counts(self, tier: str | None = None) -> Counter[str]:
        """Outcome -> how often."""
        return Counter(r.outcome for r in self.results if tier in (None, r.check.tier))

    @property
    def failures(self) -> list[Result]:
        return [r for r in self.results if r.outcome == FAILED]

    def rows(self) -> list[dict[str, Any]]:
        """One row per tier."""
        rows = []
        for tier in dict.fromkeys(r.check.tier for r in self.results):
            counts = self.counts(tier)
            seconds = sum(r.seconds for r in self.results if r.check.tier == tier)
            rows.append(
                {"tier": tier, "checks": counts.total(), **{o: counts[o] for o in (PASSED, FAILED, EXPECTED, BEHIND)}}
                | {"seconds": round(seconds, 2)}
            )
        return rows


# ------------------------------------------------------------------------------------------------------------------- running


@final
class Session:
    """The checks of one device, and what those that ran have shown."""

    def __init__(self, d: device, backend: str, *, strict: bool = False) -> None:
        self.device = d
        self.backend = backend
        self.strict = strict
        self.broken: str | None = None  # the basic check that failed
        self.failed_primitives: set[str] = set()

    def checks(self, tiers: Sequence[str] = TIERS) -> list[Check]:
        """Yield what there is to ask; only whether it opens where it does not."""
        opening = Check("lifecycle", "opens", opens, basic=True)
        if self.run(opening).outcome == FAILED:
            return [opening]
        try:
            found = checks(self.device, tiers)
        except FrazilError:
            return [opening]
        if "lifecycle" in tiers and self.strict:
            found.append(Check("lifecycle", "every_primitive_has_a_kernel", every_primitive_has_a_kernel))
        if tuple(tiers) == TIERS:
            names = [str(check) for check in found]
            for pattern in self.device.backend.expected_failures:
                if not fnmatch.filter(names, pattern):
                    found.append(Check("lifecycle", f"expected_failures-{pattern}", no_such_check, (pattern,)))
        return found

    def run(self, check: Check) -> Result:
        """Ask one question."""
        if self.broken is not None and self.broken != f"{check} fails":
            return Result(check, BEHIND, self.broken)
        start = perf_counter()
        reason = None if check.basic else self._expected(check)
        with _quiet():
            try:
                check.run(self.device)
            except Exception as error:
                result = self._failed(check, error, reason)
            else:
                message = f"it passes, but the backend expects it to fail: {reason}" if reason else ""
                result = Result(check, FAILED if reason else PASSED, message, self._script(check) if reason else "")
        return Result(check, result.outcome, result.message, result.script, perf_counter() - start)

    def _expected(self, check: Check) -> str | None:
        patterns = self.device.backend.expected_failures.items()
        return next((reason for pattern, reason in patterns if fnmatch.fnmatchcase(str(check), pattern)), None)

    def _failed(self, check: Check, error: Exception, reason: str | None) -> Result:
        message = explanation(error) + self._kernel_line(check)
        if reason is not None:
            return Result(check, EXPECTED, reason)
        if check.basic:
            self.broken = f"{check} fails"
        elif self.failed_primitives:
            own = {check.op} if check.tier == "primitives" else set()
            below = (self.failed_primitives & self._touched(check)) - own
            if below:
                return Result(check, BEHIND, f"primitives/{min(below)} fails")
        if check.tier == "primitives" and check.op is not None:
            self.failed_primitives.add(check.op)
        return Result(check, FAILED, message, self._script(check))

    def _kernel_line(self, check: Check) -> str:
        """Where the kernel of the op that is asked about is written, if it is one of Python and the backend's own."""
        if check.op is None:
            return ""
        found: Any = self.device.backend.kernels(self.device.number).get(check.op)
        code = getattr(getattr(found, "__func__", found), "__code__", None)
        return f"\nits kernel: {code.co_filename}:{code.co_firstlineno} {code.co_name}" if code else ""

    def _touched(self, check: Check) -> set[str]:
        """Which ops of the device the check ran."""
        with kernels_seen(self.device) as seen:
            try:
                check.run(self.device)
            except Exception:  # it fails, as it did before: asked is what it ran
                pass
        return seen.ops

    def _script(self, check: Check) -> str:
        head = f"# frazil conformance {self.backend} --only {check}\n"
        return head + check.script(self.device)


def every_primitive_has_a_kernel(d: device) -> None:
    """Nothing takes a detour through the CPU."""
    missing = coverage(d).via_cpu
    assert not missing, f"these primitives have no kernel and run on the CPU, with copies both ways: {', '.join(missing)}"


def no_such_check(d: device, pattern: str) -> None:
    """A pattern among the expected failures that matches nothing is out of date."""
    raise AssertionError(f"expected_failures names {pattern!r}, and there is no such check on {d}: take it out")


def explanation(error: BaseException) -> str:
    """Return what an exception says, and where in the backend it was raised."""
    own = str(Path(__file__).parents[1])
    text = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
    for note in getattr(error, "__notes__", ()):
        text += f"\n{note}"
    cause: BaseException | None = error
    while cause is not None:
        foreign = [
            f for f in traceback.extract_tb(cause.__traceback__) if not f.filename.startswith(own) and "frozen" not in f.filename
        ]
        if foreign:
            last = foreign[-1]
            said = "" if cause is error else f"\n{type(cause).__name__}: {cause}"
            return f"{text}{said}\n  at {last.filename}:{last.lineno} in {last.name}: {last.line}"
        cause = cause.__cause__
    return text


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warning of every detour, which the table lists, and NumPy's words on infinities, which pytest would show."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".* has no kernel on .*: it runs on the CPU", UserWarning)
        warnings.filterwarnings("ignore", r".* encountered", RuntimeWarning)  # for other threads
        with np.errstate(all="ignore"):
            yield


@_quiet()
def run(
    backend: str,
    *,
    device_name: str | None = None,
    only: Sequence[str] = (),
    tiers: Sequence[str] = TIERS,
    strict: bool = False,
    progress: Callable[[Result, int, int], None] | None = None,
) -> Report:
    """Run the kit on a backend.

    Args:
        device_name: "opencl:1" and such, or its number; default: the first device of the backend.
        only: patterns such as "primitives/add*" of the checks to run; default: all.
        strict: a primitive without a kernel is a failure.
        progress: called with every result, its position, and how many there are.

    >>> run("numpy", only=["primitives/add-*"]).ok
    True
    """
    session = session_of(backend, device_name, strict)
    report = Report(session.backend, str(session.device))
    if only and all("/" in pattern for pattern in only):
        tiers = [tier for tier in tiers if any(fnmatch.fnmatchcase(tier, pattern.partition("/")[0]) for pattern in only)]
    found = session.checks(tiers)
    if only:
        found = [check for check in found if any(fnmatch.fnmatchcase(str(check), pattern) for pattern in only)]
        if not found and session.broken is None:
            raise ArgumentError(
                f"conformance: no check is called {' or '.join(only)}; names are such as 'primitives/add-0-float32'"
            )
    for i, check in enumerate(found):
        result = session.run(check)
        report.results.append(result)
        if progress is not None:
            progress(result, i, len(found))
    if session.broken is None:
        report.what = session.device.backend.describe(session.device.number)
        report.coverage = coverage(session.device)
    return report


def session_of(backend: str, device_name: str | None = None, strict: bool = False) -> Session:
    """A run on the device of a backend ("auto": the best one here). Raises what keeps the backend from being found."""
    plugins = plugin_manager()
    kind = plugins.device_type_of(backend)
    name = plugins.backend_for_device_type(kind) if backend == "auto" else backend
    plugins.open_backend(name)
    if device_name is not None and device_name.isdecimal():
        device_name = f"{kind}:{device_name}"
    if device_name is not None and device_name.partition(":")[0] != kind:
        raise ArgumentError(
            f"conformance: {device_name!r} is no device of backend {name!r}: they are called {kind!r}, '{kind}:1' and so on"
        )
    return Session(device(device_name or kind), name, strict=strict)


# -------------------------------------------------------------------------------------------------------------------- pytest


@cache
def _session(backend: str, device_name: str | None, strict: bool) -> Session:
    return session_of(backend, device_name, strict)


@cache
def _checks(backend: str, device_name: str | None, strict: bool) -> list[Check]:
    with _quiet():
        return _session(backend, device_name, strict).checks()


class BackendConformance:
    """Every check of the kit as a test: subclass it, name your backend, and run pytest.

    Attributes:
        backend: its name, as in the configuration.
        device: "foo:1" for another device than the first.
        strict: whether a primitive without a kernel is a failure.

    Checks that a backend is known to fail stand in its own `expected_failures`, with the reason.
    """

    backend: str
    device: str | None = None
    strict: bool = False

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """One test per check of the tier."""
        tier = metafunc.function.__name__.removeprefix("test_")
        if tier in TIERS:
            found: list[Any] = [None] if tier == "lifecycle" else []
            try:
                found = [check for check in _checks(self.backend, self.device, self.strict) if check.tier == tier]
            except FrazilError:  # raised again by the one test there is then
                pass
            metafunc.parametrize("check", found, ids=[check.name if check else "opens" for check in found])

    def _ask(self, check: Check | None) -> None:
        __tracebackhide__ = True
        pytest: Any = importlib.import_module("pytest")  # who runs this has it; frazil itself does without
        session = _session(self.backend, self.device, self.strict)
        assert check is not None
        result = session.run(check)
        if result.outcome == FAILED:
            pytest.fail(str(result), pytrace=False)
        if result.outcome == EXPECTED:
            pytest.xfail(result.message)
        if result.outcome == BEHIND:
            pytest.skip(result.message)

    def test_lifecycle(self, check: Check | None) -> None:
        """The backend opens, says what it can do, and arrays travel."""
        self._ask(check)

    def test_primitives(self, check: Check) -> None:
        """Each primitive against the float64 reference."""
        self._ask(check)

    def test_ops(self, check: Check) -> None:
        """Each composite, through its fast kernel and through its body."""
        self._ask(check)

    def test_gradients(self, check: Check) -> None:
        """First and second derivatives."""
        self._ask(check)

    def test_recording(self, check: Check) -> None:
        """Recorded ops and their exported files."""
        self._ask(check)

    def test_training(self, check: Check) -> None:
        """NumPy's losses and weights."""
        self._ask(check)


def _indented(text: str) -> str:
    return "\n".join("    " + line if line else line for line in text.splitlines())
