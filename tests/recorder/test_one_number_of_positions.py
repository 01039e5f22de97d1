"""What is found twice by equal questions is of one size: `x[mask] * y[mask]` needs no numbers to be recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import RecordError
from frazil.nn import functional as F


def _written_through_a_mask(x: Any, i: Any) -> Any:
    chosen, y = i >= 0, fz.zeros_like(x)
    y[chosen, i[chosen]] = 1.0
    return y


def _gradient(x: Any, i: Any) -> Any:
    leaf = x.detach().requires_grad_()
    return fz.autograd.grad((leaf[i > 0] * leaf.exp()[i > 0]).sum(), leaf)[0]


def _in_branches(x: Any, i: Any) -> Any:
    outside = x[i > 0]
    return fz.cond(x.sum() > 0, lambda: (outside + x[i > 0]).sum(), lambda: (x[i < 2] - outside.sum() * x[i < 2]).sum())


def _found_in_a_branch_first(x: Any, i: Any) -> Any:
    return fz.cond(x.sum() > 0, lambda: x[i > 0].sum(), lambda: x[i > 0].exp().sum()) + (x[i > 0] * x[i > 0]).sum()


def _in_rounds(x: Any, i: Any) -> Any:
    chosen = x[i > 0]

    def body(n: Any, y: Any) -> Any:
        return n + 1, y + chosen * (x * n)[i > 0] + (x[i > n] * x[i > n]).sum()

    return fz.while_loop(lambda n, y: n < 3, body, (fz.tensor(0), chosen))[1]


def _changed_afterwards(x: Any, i: Any) -> Any:
    first, second = (i > 0).nonzero(), (i > 0).nonzero()
    first += 1
    return first - second


def _rows(x: Any, i: Any) -> Any:
    (at,) = fz.where(i > 0)
    return x[at].sum(1) * i[i > 0]


def _in_another_shape(x: Any, i: Any) -> Any:
    big = x > 0
    return x[big] + x.flatten()[big.flatten()] + x.mT[big.mT].sum() * x.mT[big.mT].flip(0)


def _counts_as_sizes(x: Any, i: Any) -> Any:
    lengths = i.clamp(min=1)
    return fz.arange(lengths.max()) + fz.zeros(len(i), lengths.max()), fz.zeros(lengths.sum()) + fz.ones(lengths.sum())


PROGRAMS = {
    "a mask": lambda x, i: x[i > 0] * (x + 1)[i > 0],
    "a loss": lambda x, i: F.cross_entropy(x[i >= 0], i[i >= 0]),
    "a mask that is read out": lambda x, i: x.masked_select(x > 0) + x[x > 0],
    "a mask of another dtype": lambda x, i: x[(i > 0).to(fz.bool)] + x[(i > 0).long().nonzero()[:, 0]],
    "repeats": lambda x, i: x.repeat_interleave(i.abs(), 0) + x.exp().repeat_interleave(i.abs(), 0),
    "written through a mask": _written_through_a_mask,
    "a gradient": _gradient,
    "branches": _in_branches,
    "a branch first": _found_in_a_branch_first,
    "rounds": _in_rounds,
    "positions changed afterwards": _changed_afterwards,
    "rows": _rows,
    "another shape": _in_another_shape,
    "counts as sizes": _counts_as_sizes,
}


def _inputs(n: int) -> tuple[fz.Tensor, fz.Tensor]:
    generator = fz.Generator().manual_seed(n)
    return fz.randn(n, 4, generator=generator), fz.randint(-1, 4, (n,), generator=generator)


@pytest.mark.parametrize("name", PROGRAMS)
def test_equal_questions_have_one_size_in_compiled_programs_and_files(name: str) -> None:
    program = PROGRAMS[name]
    fast = fz.compile(program, engine="numpy", fullgraph=True)
    report = fz.onnx.export(program, _inputs(5), dynamic_shapes=({0: "n"}, {0: "n"}))
    for n in (5, 7, 12):
        expected = program(*_inputs(n))
        found = fast(*_inputs(n)), report.run(*_inputs(n))
        for results in found:
            pairs = zip(fz.utils._pytree.tree_leaves(results), fz.utils._pytree.tree_leaves(expected), strict=True)
            for ours, theirs in pairs:
                np.testing.assert_allclose(np.asarray(ours), theirs.numpy(), rtol=1e-5, atol=1e-6)


def test_positions_are_found_once() -> None:
    report = fz.onnx.export(lambda x, i: x[i > 0] * (x + 1)[i > 0] - x.exp()[i > 0], _inputs(5))
    assert report.operators["NonZero"] == 1


def _after_a_write(x: Any, i: Any) -> Any:
    i = i.clone()
    before = x[i > 0]
    i[0] = 0
    return fz.stack((before, x[i > 0]))


def _drawn_twice(x: Any, i: Any) -> Any:
    return fz.stack((x[fz.rand_like(x) > 0.5], x[fz.rand_like(x) > 0.5]))


@pytest.mark.parametrize("program", [lambda x, i: fz.stack((x[i > 0], x[i < 2])), _after_a_write, _drawn_twice])
def test_other_questions_have_sizes_of_their_own(program: Any) -> None:
    with pytest.raises(RecordError, match="decides on the size of nonzero != the size of nonzero"):
        fz.jit.trace(program, _inputs(5))
