"""Kernels that are wrong in ways that authors get wrong: the kit catches each, in the tier that is there for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import frazil as fz
from frazil.backends.numpy import NumpyBackend
from frazil.testing import conformance, kernel_replaced

RIGHT: dict[str, Callable[..., Any]] = dict(NumpyBackend().kernels())


class Mutant(NamedTuple):
    """A wrong kernel: whose, which, and the tier, checks and words that tell of it."""

    op: str
    kernel: Callable[..., Any]
    tier: str
    caught: str
    says: str


def last_of_equals(x: Any, *, dim: Any, keepdim: bool) -> Any:
    flipped = np.flip(x, dim)
    found = np.argmax(flipped, axis=dim, keepdims=keepdim)
    return np.asarray((x.size if dim is None else x.shape[dim]) - 1 - found)


def without_the_last_of_an_odd_number(x: Any, *, dim: Any, keepdim: bool, dtype: Any) -> Any:
    if dim is None and x.ndim == 1 and x.size % 2:
        x = x[:-1]
    return RIGHT["sum"](x, dim=dim, keepdim=keepdim, dtype=dtype)


def softmax_of_pairs(x: Any, *, dim: int) -> Any:
    y = np.array(RIGHT["softmax"](x, dim=dim))
    if x.ndim == 2 and x.shape[1] % 2:
        y[:, -1] = 0
    return y


def in_steps_of_eight(x: Any) -> Any:
    y = np.zeros_like(x)
    whole = x.size // 8 * 8 if x.size > 8 else x.size
    np.exp(x.reshape(-1)[:whole], out=y.reshape(-1)[:whole])
    return y


def as_if_contiguous(a: Any, b: Any) -> Any:
    if type(a) is np.ndarray and 0 in a.strides and a.size > 1:
        a = np.resize(a.base if a.base is not None else a, a.shape) * 0
    return np.multiply(a, b)


def without_correction(p: Any, m: Any, v: Any, step: Any, grad: Any, lr: Any, **options: Any) -> Any:
    RIGHT["adam_step_"](p, m, v, step, grad, lr, **options)
    p -= np.float32(1e-3) * np.sign(grad)


MUTANTS = {
    "wrong tie": Mutant("argmax", last_of_equals, "primitives", "argmax-*", "elements differ"),
    "wrong dtype": Mutant(
        "argmin",
        lambda x, **attrs: RIGHT["argmin"](x, **attrs).astype(np.int32),
        "ops",
        "argmin-*",
        "the kernel gives int32, the rule says int64",
    ),
    "aliasing output": Mutant("flip", lambda x, *, dims: np.flip(x, dims), "ops", "flip-*-memory", "shares memory with input 0"),
    "forgotten broadcast": Mutant(
        "sub", lambda a, b: np.subtract(a, np.resize(b, np.shape(a))), "primitives", "sub-*", "has shape"
    ),
    "off by one on odd sizes": Mutant("sum", without_the_last_of_an_odd_number, "primitives", "sum-*", "elements differ"),
    "remainder of the vector forgotten": Mutant("exp", in_steps_of_eight, "primitives", "exp-*", "elements differ"),
    "written into the input": Mutant(
        "neg", lambda x: np.negative(x, out=x) if type(x) is np.ndarray else -x, "primitives", "neg-*", "input 0 after the call"
    ),
    "memory layout ignored": Mutant(
        "tanh",
        lambda x: np.tanh(np.ravel(x, order="K")).reshape(x.shape),
        "primitives",
        "tanh-*-transposed",
        "elements differ",
    ),
    "nonsense accepted": Mutant(
        "where", lambda c, a, b: np.where(c, a, b), "primitives", "where-refuses-*", "makes no sense and must be refused"
    ),
    "fast kernel with the wrong tie": Mutant("relu_grad", lambda g, y: g * (y >= 0), "ops", "relu_grad-*", "elements differ"),
    "fast kernel off by one on odd sizes": Mutant("softmax", softmax_of_pairs, "ops", "softmax-*", "elements differ"),
    "expanded views misread": Mutant("mul", as_if_contiguous, "gradients", "cos-*", "the first derivative by tensor 0"),
    "optimiser step without its correction": Mutant("adam_step_", without_correction, "training", "convnet", "the losses"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught_by_its_tier(name: str, mutant: str) -> None:
    op, kernel, tier, caught, says = MUTANTS[name]
    only = f"{tier}/{caught}"
    assert conformance.run(mutant, only=[only], tiers=[tier]).ok
    with kernel_replaced(fz.device(mutant), op, kernel):
        failures = conformance.run(mutant, only=[only], tiers=[tier]).failures
    fz.device(mutant)._scalars.clear()  # it may have written into the numbers that the device keeps
    assert failures
    assert any(says in result.message for result in failures), "\n".join(map(str, failures))


@pytest.mark.slow
def test_what_stands_on_a_failed_primitive_is_told_in_one_line(mutant: str) -> None:
    """Not a cascade: the primitive fails, the ops made of it are behind it."""
    with kernel_replaced(fz.device(mutant), "exp", in_steps_of_eight):
        report = conformance.run(mutant, tiers=["primitives", "ops"])
    assert {result.check.op for result in report.failures} == {"exp"}
    behind = {r.message for r in report.results if r.outcome == conformance.BEHIND}
    assert behind == {"primitives/exp fails"} and not report.ok


LOST = {
    "from_host": (lambda array, index=0: np.ravel(array, "K").reshape(array.shape), "arrays_travel-uint8", "transposed"),
    "to_host": (
        lambda array: np.asarray(array if array.dtype == bool else array + 0),
        "arrays_travel-float16",
        "a sign was lost",
    ),
    "device_count": (lambda: 0, "opens", "device_count() gives 0"),
    "native_dtypes": (lambda: {np.dtype("float32"): "float32"}, "capabilities", "native_dtypes() lacks"),
    "kernels": (lambda index=0: {**RIGHT, "matmull": len}, "kernels", "did you mean 'matmul'?"),
}


@pytest.mark.parametrize("method", LOST)
def test_when_basics_fail_the_rest_is_one_line(method: str, mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, check, says = LOST[method]
    monkeypatch.setattr(fz.device(mutant).backend, method, broken)
    report = conformance.run(mutant)
    (failure,) = report.failures
    assert str(failure.check) == f"lifecycle/{check}" and says in failure.message
    behind = {r.message for r in report.results if r.outcome == conformance.BEHIND}
    assert behind <= {f"lifecycle/{check} fails"} and not report.ok


def test_expected_failures_are_strict(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = fz.device(mutant).backend
    monkeypatch.setattr(type(backend), "expected_failures", {"primitives/argmax-*": "ties go to the last"})
    with kernel_replaced(fz.device(mutant), "argmax", last_of_equals):
        results = conformance.run(mutant, only=["primitives/argmax-*"]).results
    outcomes = {r.outcome: r.message for r in results}
    assert outcomes[conformance.EXPECTED] == "ties go to the last"
    # Those that pass are told, as the entry claims too much.
    assert outcomes[conformance.FAILED] == "it passes, but the backend expects it to fail: ties go to the last"


def test_an_expected_failure_of_no_check_is_told(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(fz.device(mutant).backend), "expected_failures", {"primitives/argmacs-*": "ties go to the last"})
    (failure,) = conformance.run(mutant, only=["lifecycle*"]).failures
    assert failure.message == (
        "expected_failures names 'primitives/argmacs-*', and there is no such check on mutant: take it out"
    )
