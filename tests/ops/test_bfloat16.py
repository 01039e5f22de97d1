"""bfloat16: every op of the table computes in float32 and rounds once."""

from __future__ import annotations

from typing import Any

import numpy as np

import frazil as fz
from frazil.table import OPS
from frazil.testing.cases import Case, case
from frazil.testing.close import bfloat16_apart
from frazil.testing.tiers import in_bfloat16

CPU = fz.device("cpu")


def steps_apart(a: fz.Tensor, b: fz.Tensor) -> int:
    """How many numbers of bfloat16 lie between two tensors of it, at most."""
    return bfloat16_apart(*(np.asarray(t.detach().float().numpy()) for t in (a, b)))


def inputs(c: Case) -> tuple[list[Any], list[Any]]:
    """The tensors of a case in bfloat16, and the same values in float32."""
    given = [None if a is None else fz.tensor(a) for a in c.arrays]
    narrow = [t if t is None or t.dtype is not fz.float32 else t.bfloat16() for t in given]
    return narrow, [t if t is None or t.dtype is not fz.bfloat16 else t.float() for t in narrow]


def of_floats() -> list[Case]:
    found = []
    for name, op in OPS.items():
        found += [c for c in (case(name, i) for i in range(len(op.samples))) if c.floats and "dtype" not in c.sample.attrs]
    return found


def test_every_op_is_rounded_once():
    wrong = []
    for c in of_floats():
        try:
            in_bfloat16(CPU, c)
        except AssertionError as error:
            wrong.append(f"{c}: {error}")
    assert not wrong, "\n".join(wrong)


def gradients(c: Case, tensors: list[Any]) -> list[Any]:
    leaves = [i for i in range(len(tensors)) if c.differentiable(i)]
    given = [t.detach().clone().requires_grad_() if i in leaves else t for i, t in enumerate(tensors)]
    results = [y for y in c.call(CPU, *given) if y.requires_grad]
    if not results:
        return []
    rng = np.random.default_rng(0)
    weights = [fz.tensor(rng.uniform(0.5, 1.5, tuple(y.shape))).bfloat16().to(y.dtype) for y in results]
    return list(fz.autograd.grad(results, [given[i] for i in leaves], weights, allow_unused=True))


def test_every_gradient_is_rounded_once_where_only_inputs_were_kept():
    """What is computed from results is as exact as those, which are rounded: within a few roundings of the largest."""
    wrong = []
    for c in of_floats():
        if not (c.op.differentiable or c.op.through_body):
            continue
        narrow, wide = inputs(c)
        of_results = c.op.save_output or c.op.through_body or c.op.name in ("logsumexp", "erfinv", "i0e", "i1e")
        for g, expected in zip(gradients(c, narrow), gradients(c, wide), strict=True):
            if expected is None or g is None:
                assert g is expected
                continue
            if of_results:
                far = float((g.float() - expected).abs().nan_to_num().max()) if g.numel() else 0.0
                good = far <= 2**-4 * float(expected.abs().nan_to_num().max() if g.numel() else 0)
            else:
                good = steps_apart(g, expected.bfloat16()) <= 1
            if g.dtype is not fz.bfloat16 or not good:
                wrong.append(f"{c}: {g}, expected {expected}")
    assert not wrong, "\n".join(wrong)
