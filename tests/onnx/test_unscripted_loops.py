"""Programs as they are written for no recorder: loops over a size that is asked to be free, and numbers of tensors as sizes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn
from frazil.nn import functional as F
from frazil.pytree import flatten


class _Rounds(nn.Module):
    """Calls what it is given; a module, as most models are."""

    def __init__(self, call: Callable[..., Any]) -> None:
        super().__init__()
        self.call, self.cell = call, nn.GRUCell(3, 3)

    def forward(self, *args: Any) -> Any:
        return self.call(self.cell, *args)


def rows(cell: Any, x: Any) -> Any:
    out, h = [], fz.zeros(x.shape[1])
    for xi in x:
        h = h.tanh() + xi
        out.append(h)
    return fz.stack(out)


def written_to(cell: Any, x: Any) -> Any:
    y = fz.zeros_like(x)
    for b in range(x.size(0)):
        y[b] = x[b] * (b + 1)
    return y


def backwards(cell: Any, x: Any) -> Any:
    h, out = fz.zeros(2, 3), []
    for t in range(x.size(0) - 1, -1, -1):
        h = cell(x[t : t + 1].expand(2, 3), h)
        out.insert(0, h)
    return fz.stack(out, 1), h


def numbered(cell: Any, x: Any) -> Any:
    return fz.stack([xi * i for i, xi in enumerate(x)])


def unbound(cell: Any, x: Any) -> Any:
    pairs = fz.stack([a + b for a, b in zip(x.unbind(0), x.flip(0).unbind(0), strict=False)])
    return pairs, fz.cat([t.unsqueeze(1) for t in fz.unbind(x)], dim=1), fz.stack(x.unbind(), dim=1)


def lists_as_indices(cell: Any, x: Any) -> Any:
    n = x.size(0)
    y = x.clone()
    y[range(n), 0] += 1
    y[list(range(n)), 1] = 2.0
    return x[range(n), fz.arange(n) % 3], x[[i + 0 for i in range(n)], 0], y


def numpy_range(cell: Any, x: Any) -> Any:
    index = np.arange(x.shape[0])
    return x[index, index % 3]


def branches_of_rows(cell: Any, x: Any) -> Any:
    return fz.stack([row if row[0] > 0 else -row for row in x])


def added(cell: Any, x: Any) -> Any:
    return sum(xi * i for i, xi in enumerate(x))


def stacked_and_written_to(cell: Any, x: Any) -> Any:
    items = [row * 2 for row in x]
    first, second, third = fz.stack(items), fz.stack(items), fz.stack(x.unbind(), -1)
    first += 1
    third *= 3
    joined = fz.cat([row.unsqueeze(0) for row in x])
    joined -= 1
    return first, second, third, third.contiguous().view(-1), joined, x * 1


LOOPS = [
    added,
    stacked_and_written_to,
    rows,
    written_to,
    backwards,
    numbered,
    unbound,
    lists_as_indices,
    numpy_range,
    branches_of_rows,
]


def by_segment(x: Any, index: Any) -> Any:
    n = int(index.max()) + 1
    return fz.zeros(n, x.shape[1]).scatter_add(0, index[:, None].expand_as(x), x)


def cut(x: Any, index: Any) -> Any:
    k = index.max().item()
    return x[:k], F.pad(x, (0, 0, k, 1)), x.roll(k, 0) * k, fz.arange(k)


def one_hot(x: Any, index: Any) -> Any:
    return F.one_hot(index, int(index.max()) + 1)


def counted(x: Any, index: Any) -> Any:
    return x.sum() / int(index.sum()), fz.ones(index.sum().item(), 2)


NUMBERS = [by_segment, cut, one_hot, counted]


def assert_same(report: Any, program: Any, args: tuple[Any, ...]) -> None:
    expected = [t.detach().numpy() for t in flatten(program(*args))[0]]
    for found, wanted in zip(report.run(*args), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("program", LOOPS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("module", [False, True])
def test_loops_over_free_sizes_become_loops_of_the_file(program: Any, module: bool) -> None:
    """Without a warning; and the module is as before."""
    cell = nn.GRUCell(3, 3)
    model = _Rounds(program) if module else lambda x: program(cell, x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = fz.onnx.export(model, fz.randn(4, 3), input_names=["x"], dynamic_shapes={"x": {0: "n"}})
    assert not report.fixed
    for n in (4, 2, 7):
        assert_same(report, model, (fz.randn(n, 3),))
    if module:
        assert "forward" not in vars(model)


def decided(x: Any, index: Any) -> Any:
    if x.sum() > 0:
        return x * 2
    return x - index.sum()


def halved(x: Any, index: Any) -> Any:
    count = 0
    while x.abs().max() > 1:
        x, count = x / 2, count + 1
    return x * count


def checked(x: Any, index: Any) -> Any:
    if not bool((index == 0).all()) and float(x[0, 0]) > 0.0:
        x = x.index_fill(0, index[:1] * 0, 0.0)
    return x * int(x.max() * 10)


@pytest.mark.parametrize("program", [decided, halved, checked], ids=lambda f: f.__name__)
def test_decisions_on_numbers_become_branches_and_loops_of_the_file(program: Any) -> None:
    free = {"x": {0: "n"}, "index": {0: "n"}}
    args = (fz.randn(4, 3), fz.arange(4))
    report = fz.onnx.export(program, args, input_names=["x", "index"], dynamic_shapes=free, ranges={"x": (-50, 50)})
    for other in (fz.ones(2, 3) * 5, -fz.ones(3, 3) / 4):
        assert_same(report, program, (other, fz.arange(len(other))))


@pytest.mark.parametrize("program", NUMBERS, ids=lambda f: f.__name__)
def test_numbers_of_integer_tensors_are_sizes(program: Any) -> None:
    index = fz.tensor([0, 2, 1, 2])
    free = {"x": {0: "n"}, "index": {0: "n"}}
    report = fz.onnx.export(program, (fz.randn(4, 3), index), input_names=["x", "index"], dynamic_shapes=free)
    compiled = fz.compile(program)
    for other in (index, fz.tensor([3, 0, 1]), fz.tensor([1, 1])):
        args = (fz.randn(len(other), 3), other)
        assert_same(report, program, args)
        for found, wanted in zip(flatten(compiled(*args))[0], flatten(program(*args))[0], strict=True):
            fz.testing.assert_close(found, wanted)


def test_the_error_of_a_program_that_is_not_scripted_either_tells_of_both_forms() -> None:
    def largest_rows(x: Any) -> Any:
        kept = {}
        for row in x:
            if row.sum() > 0:
                kept[float(row.sum())] = row
        return x * len(kept)

    with pytest.raises(fz.errors.RecordError, match=r"bool\(\) needs the numbers of a tensor") as raised:
        fz.onnx.export(largest_rows, (fz.ones(3, 2),))
    (note,) = raised.value.__notes__
    assert note.startswith("Nor as fz.jit.script rewrites it: one branch gives") and "if row.sum() > 0:" in note
