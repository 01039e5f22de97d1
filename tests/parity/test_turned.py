"""Tensors that become views of themselves (`t_`, `transpose_`, `unsqueeze_`, `squeeze_`), and views of them from before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="compares with PyTorch")

pytestmark = pytest.mark.parity


def row_then_transposed(x: Any) -> tuple[Any, ...]:
    y = x * 1
    z = y[0]
    y.transpose_(0, 1)
    z.mul_(2)
    return y * x, z * 1


def row_then_more_dimensions(x: Any) -> tuple[Any, ...]:
    y = x * 1
    z = y[0]
    y.unsqueeze_(0)
    y.transpose_(1, 2)
    z.zero_()
    y[0, 1].add_(1)
    return y * 1, z * 1


def flat_then_transposed(x: Any) -> tuple[Any, ...]:
    y = x * 1
    v = y.view(-1)
    y.t_()
    v[1] = 5
    y[2].mul_(3)
    return y * x, v * 1


def part_transposed(x: Any) -> tuple[Any, ...]:
    y = (x * 1)[:, :3]
    z = y[0]
    y.t_()
    z.mul_(2)
    y[0] = 7
    return y * x, z * 1


def row_between(x: Any) -> tuple[Any, ...]:
    y = x * 1
    y.unsqueeze_(0)
    z = y[0]
    z.mul_(2)
    y.squeeze_()
    y[0] = 3
    return y * 1, z * 1


def detached_then_transposed(x: Any) -> tuple[Any, ...]:
    y = x * 1
    d = y.detach()
    y.t_()
    d[0].mul_(2)
    y[0].mul_(3)
    return y * x, d * 1


def may_be_a_view(x: Any) -> tuple[Any, ...]:
    y = x * 1
    c = y.t().contiguous()
    y.t_()
    y[0] = 4
    return y * x, c * 1


PROGRAMS = [
    row_then_transposed,
    row_then_more_dimensions,
    flat_then_transposed,
    part_transposed,
    row_between,
    detached_then_transposed,
    may_be_a_view,
]


def with_gradient(xp: Any, program: Any, x: Any) -> tuple[Any, ...]:
    with xp.enable_grad():
        x = x.detach().requires_grad_()
        results = program(x)
        (found,) = xp.autograd.grad(sum((r * r).sum() for r in results if r.requires_grad), [x])
    return (*(r.detach() for r in results), found)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("gradient", [False, True])
def test_views_from_before_go_on_looking_at_what_was(program, gradient):
    a = np.random.default_rng(0).uniform(-1, 1, (3, 3)).astype(np.float32)

    def run(xp: Any, x: Any) -> tuple[Any, ...]:
        return with_gradient(xp, program, x) if gradient else program(x)

    expected = [t.numpy() for t in run(torch, torch.tensor(a))]
    x = fz.tensor(a)
    for found in (run(fz, x), fz.jit.trace(lambda x: run(fz, x), (x,))(x)):
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-6)
