"""Memory seen as numbers of another dtype: `x.view(dtype)` is PyTorch's, in values, shapes, refusals, and what is shared."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

DTYPES = "uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 bool".split()
SHAPES = {"0-d": (), "empty": (0,), "odd": (3,), "even": (2, 4), "eight": (2, 8)}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("turned", [False, True])
def test_every_pair_of_dtypes(name: str, turned: bool) -> None:
    values = np.random.default_rng(0).integers(0, 2, SHAPES[name])
    for start, goal in itertools.product(DTYPES, DTYPES):
        if not values.size and getattr(fz, goal).itemsize != getattr(fz, start).itemsize:
            continue  # PyTorch refuses, for it takes the strides of nothing to have gaps
        seen = []
        for module in (fz, torch):
            x = module.tensor(values).to(getattr(module, start))
            x = x.t() if turned and x.ndim == 2 else x
            try:
                y = x.view(getattr(module, goal))
            except RuntimeError:
                seen.append("refused")
                continue
            seen.append(
                (
                    tuple(y.shape),
                    str(y.dtype).split(".")[1],
                    y.contiguous().view(module.uint8).tolist() if y.ndim and y.numel() else None,
                )
            )
        assert seen[0] == seen[1], f"{start} of {SHAPES[name]} as {goal}: {seen}"


def test_what_is_written_is_seen() -> None:
    for module in (fz, torch):
        x = module.ones(2)
        y = x.view(module.int32)
        y[0] = 0
        assert x.tolist() == [0.0, 1.0]
        assert not module.ones(2, requires_grad=True).view(module.int32).requires_grad
        assert not module.ones(2, requires_grad=True).view(module.float32).requires_grad


def test_a_gradient_that_needs_what_was_changed_so_is_refused() -> None:
    for module in (fz, torch):
        x = module.ones(2, requires_grad=True)
        y = x.exp()
        z = (y * y).sum()
        y.detach().view(module.int32)[0] = 0
        with pytest.raises(RuntimeError, match="modified (by an inplace|in place)"):
            z.backward()
