"""Writes to parts of expanded views: all repetitions are one memory, for the values, the gradient and the recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="compares with PyTorch")

pytestmark = pytest.mark.parity

#: Writes to `v`; `x` is a tensor that its values depend on.
WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "first repetition": lambda v, x: v[0].copy_(x.sum()),
    "last number": lambda v, x: v[..., 0].add_(1),
    "last repetition": lambda v, x: v[-1].mul_(2),
    "a part of a repetition": lambda v, x: v[0, :1].copy_(x.reshape(-1)[:1] * 3),
    "a column": lambda v, x: v.select(-1, 0).copy_(v.select(-1, 0).detach() * 0 + 2),
    "diagonal": lambda v, x: v.diagonal()[:1].zero_(),
    "deep": lambda v, x: v[0][0].add_(x.mean()),
    "narrow": lambda v, x: v.narrow(0, 1, 1).tanh_(),
    "turned": lambda v, x: v.transpose(0, 1)[:, 0].sigmoid_(),
}
SHAPES = [((1, 4), (3, 1, 4)), ((1, 4), (3, 4)), ((3, 4), (2, 3, 4)), ((2, 1), (2, 5)), ((1, 1), (2, 3, 1))]


def program(write: Callable[[Any, Any], Any], wide: tuple[int, ...], x: Any) -> tuple[Any, ...]:
    y = x * 2
    v = y.expand(*wide)
    row = y[0]
    write(v, x)
    return y * 1, v * 1, row * 1


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(("shape", "wide"), SHAPES)
def test_all_see_what_is_written_to_one_repetition(write, shape, wide):
    a = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)

    def gradient(xp: Any, x: Any) -> tuple[Any, ...]:
        with xp.enable_grad():
            x = x.detach().requires_grad_()
            results = program(WRITES[write], wide, x)
            (found,) = xp.autograd.grad(sum((r * r).sum() for r in results), [x])
        return (*(r.detach() for r in results), found)

    try:
        expected = [t.numpy() for t in gradient(torch, torch.tensor(a))]
    except RuntimeError as error:
        assert "single memory location" in str(error)
        with pytest.raises(fz.errors.ShapeError, match="one place in memory"):
            gradient(fz, fz.tensor(a))
        return
    x = fz.tensor(a)
    for found in (
        gradient(fz, x),
        fz.jit.trace(lambda x: gradient(fz, x), (x,))(x),
        (*fz.jit.trace(lambda x: program(WRITES[write], wide, x), (x,))(x), fz.tensor(expected[-1])),
    ):
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-6)
