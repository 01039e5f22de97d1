"""What the export tests share: programs of single ops, and comparison with onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.creation import _make
from frazil.table import OPS, Op, S
from frazil.tensor import Tensor

Program = Callable[..., Any]


def samples(*, gradient: bool = False, quick: int | None = None) -> list[Any]:
    """Every sample of every op, as parameters of a test; of each op but the first `quick` ones are slow tests."""
    return [
        pytest.param(name, sample, id=f"{name}-{position}", marks=[] if quick is None or position < quick else pytest.mark.slow)
        for name, op in OPS.items()
        for position, sample in enumerate(op.samples)
        if not gradient or (sample.grad and op.differentiable)
    ]


def op_program(op: Op, sample: S, dtype: str = "float32") -> tuple[Program, list[Tensor]]:
    """A function that calls the op as the sample says, and its tensors."""
    arrays = sample.arrays(0, dtype)

    def program(*tensors: Tensor) -> Any:
        rest = iter(tensors)
        args = [None if array is None else next(rest) for array in arrays]
        if not op.tensors:
            return _make(op.name, sample.attrs, None, False)
        if op.packed:
            head = len(op.tensors) - 1
            return op.call(*args[:head], args[head:], **sample.attrs)
        return op.call(*args, **sample.attrs)

    return program, [fz.tensor(array) for array in arrays if array is not None]


def gradient_program(op: Op, sample: S, dtype: str = "float32") -> tuple[Program, list[Tensor]]:
    """A function that gives the gradients of a weighted sum of the op's results with respect to its floating tensors."""
    program, given = op_program(op, sample, dtype)
    floating = [position for position, tensor in enumerate(given) if tensor.dtype.is_floating_point]

    def gradients(*tensors: Tensor) -> list[Tensor]:
        leaves = [t.detach().requires_grad_() if i in floating else t for i, t in enumerate(tensors)]
        results = program(*leaves)
        weighted = [
            (r * fz.cos(r.detach().tanh())).sum()  # a weight that rounding of large results does not change
            for r in (results if isinstance(results, tuple) else (results,))
            if r.dtype.is_floating_point
        ]
        found = fz.autograd.grad(sum(weighted[1:], weighted[0]), [leaves[i] for i in floating], allow_unused=True)
        return [g for g in found if g is not None]

    return gradients, given


def results_of(program: Program, tensors: Sequence[Tensor]) -> list[np.ndarray]:
    """What the program gives eagerly."""
    found = program(*tensors)
    return [t.detach().numpy() for t in (found if isinstance(found, (tuple, list)) else (found,))]


def in_onnxruntime(report: Any, tensors: Sequence[Tensor]) -> list[np.ndarray]:
    """What onnxruntime makes of an exported program."""
    found: list[np.ndarray] = report.run(*tensors)
    return found


def assert_same(found: Sequence[np.ndarray], expected: Sequence[np.ndarray], *, exact: bool = False) -> None:
    """Shapes, dtypes and values; floats within a few rounding errors of the largest number that takes part."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        if b.dtype.kind != "f" or exact:
            np.testing.assert_array_equal(a, b)
            continue
        eps = float(np.finfo(b.dtype).eps)
        largest = np.abs(b[np.isfinite(b)].astype(np.float64)).max(initial=1.0)
        np.testing.assert_allclose(
            a.astype(np.float64), b.astype(np.float64), rtol=64 * eps, atol=16 * eps * largest, equal_nan=True
        )
