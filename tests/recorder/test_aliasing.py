"""Recorded views and in-place writes mean what they mean eagerly: also in branches and loops, and for other sizes."""

from __future__ import annotations

import types

import numpy as np
import pytest

import frazil as fz
from frazil.errors import RecordError

VECTORS = ([1.0, 1.0, 1.0], [-1.0, -1.0, -1.0], [1.0, 2.0, -9.0, 4.0])
MATRICES = (np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4), np.arange(20.0).reshape(5, 4))


def write_to_what_a_branch_made(x):
    if x.sum() > 0:
        b = x * 2
        b[0] = 1.5
    else:
        b = x
    return b


def write_to_one_of_two(x):
    y = x
    if x.sum() > 0:
        y = x * 2
    y[0] = 1.5
    return y, x


def write_to_the_source_of_one_of_two(x):
    y = x * 1
    z = y
    if x.sum() > 0:
        z = x * 2
    y[0] = 1.5
    return y, z


def view_from_before_written_inside(x):
    v = x[1:]
    if x.sum() > 0:
        v[0] = 7.0
        w = v * 2
    else:
        w = v
    return w, v


def one_view_or_another(x):
    v = x[1:]
    if x.sum() > 0:
        w = x[0 : x.shape[0] - 1]
    else:
        w = v
    w += 1
    return w, v


def write_in_a_loop_and_bind_anew(x):
    y = x * 1
    i = fz.zeros((), dtype=fz.int64)
    while i < x.sum():
        y[0] += 1
        y = y * 2
        i = i + 1
    y[1] = 5
    return y


def write_to_what_no_round_may_have_changed(x):
    y = x
    i = fz.zeros((), dtype=fz.int64)
    while i < x.sum():
        y = y * 2
        i = i + 1
    y[1] = 5
    return y, x


def write_to_what_a_round_makes(x):
    y = x * 3
    i = fz.zeros((), dtype=fz.int64)
    while i < x.sum():
        b = y * 2
        b[0] = i
        v = b[1:]
        v *= 2
        y += b
        i = i + 1
    return y, x


def nested_with_views(x):
    total = fz.zeros_like(x)
    v = total[:2]
    for i in range(x.shape[0]):
        if x[i] > 0:
            total[i] = x[i] * 2
            if x[i] > 1:
                v += 1
        else:
            t = fz.tensor([1.0, 2.0])
            t[0] = x[i]
            v *= t
    return total, v


@pytest.mark.parametrize(
    "program",
    [
        write_to_what_a_branch_made,
        write_to_one_of_two,
        write_to_the_source_of_one_of_two,
        view_from_before_written_inside,
        one_view_or_another,
        write_in_a_loop_and_bind_anew,
        write_to_what_no_round_may_have_changed,
        write_to_what_a_round_makes,
        nested_with_views,
    ],
)
def test_writes_in_branches_and_loops_are_kept(program):
    _check(program, [fz.tensor(v) for v in VECTORS])


def transposed_reshape(x):
    y = x.t().reshape(-1)
    x[0] = 5
    return y


def reshape_of_what_is_in_order_again(x):
    y = x.t().t().reshape(-1)
    y[0] = 5
    return y, x


def contiguous(x):
    y = x.t().contiguous()
    x[0] = 5
    return y, x


def flatten_written(x):
    y = x.t().flatten()
    y[0] = 5
    return y, x


def pieces(x):
    y = x[:, :2].reshape(-1)
    z = x[1:].reshape(-1)
    z[0] = 5
    x[0] = 2
    return y, x, z


def elementwise_keeps_the_order(x):
    y = x.t() * 2
    z = y.reshape(-1)
    y[0] = 2
    return y, z


def expanded(x):
    y = x.expand(2, *x.shape).reshape(-1)
    x[0] = 2
    return y, x


def view_of_the_copy(x):
    y = x.t().reshape(-1)
    w = y[:2]
    x[0] = 5
    w += 1
    return y, x


def view_of_the_view(x):
    y = x.permute(1, 0).permute(1, 0).reshape(-1)
    w = y[:2].view(1, 2)
    x[0] = 5
    w += 1
    return y, x


def unfolded(x):
    y = x.flatten()[:4].reshape(2, 2).unflatten(0, (2, 1))
    y.zero_()
    return x


@pytest.mark.parametrize(
    "program",
    [
        transposed_reshape,
        reshape_of_what_is_in_order_again,
        contiguous,
        flatten_written,
        pieces,
        elementwise_keeps_the_order,
        expanded,
        view_of_the_copy,
        view_of_the_view,
        unfolded,
    ],
)
def test_a_reshape_is_a_view_where_it_is_one_eagerly(program):
    _check(program, [fz.tensor(v) for v in MATRICES])


def test_what_is_a_view_for_some_sizes_only_is_guarded_when_it_is_written_to():
    program = fz.jit.trace(transposed_reshape, (fz.ones(2, 3),))
    with pytest.raises(RecordError, match=r"x\.shape"):
        program(fz.ones(1, 4))  # a row: its transpose is in order, so the reshape is a view
    assert not fz.jit.trace(lambda x: x.t().reshape(-1) + 1, (fz.ones(2, 3),)).graph.guards


def _check(program, inputs):
    recorded = fz.jit.trace(fz.jit.script(program), (inputs[0].clone(),))
    for x in inputs:
        assert _run(recorded, x) == _run(program, x)


def _run(program, x):
    x = x.clone()
    results = program(x)
    return [t.tolist() for t in (results if isinstance(results, tuple) else (results,))] + [x.tolist()]


def test_an_argument_changed_in_place_changes_for_the_caller():
    def program(x, y):
        x += y
        x[0] = 7
        return x, x * 2

    recorded = fz.jit.trace(program, (fz.zeros(3), fz.ones(3)))
    x = fz.zeros(3)
    same, double = recorded(x, fz.ones(3))
    assert same is x and x.tolist() == [7.0, 1.0, 1.0] and double.tolist() == [14.0, 2.0, 2.0]


def test_a_changed_argument_is_a_further_output_of_the_file():
    report = fz.onnx.export(lambda x: x.add_(1) * 2, fz.ones(3))
    assert report.run(fz.zeros(3))[1].tolist() == [1.0, 1.0, 1.0]


def test_a_loop_that_writes_to_its_start_and_binds_anew_says_so_when_the_start_is_used():
    def program(x):
        y = x * 1
        z = y
        i = fz.zeros((), dtype=fz.int64)
        while i < x.sum():
            y[0] += 1
            y = y * 2
            i = i + 1
        return y, z

    with pytest.raises(RecordError, match=r"clone\(\)"):
        fz.jit.trace(fz.jit.script(program), (fz.ones(3),))


@pytest.mark.parametrize("view", [lambda y: y.flatten(), lambda y: y[0], lambda y: y.t(), lambda y: y.view(3, 2)[1:]])
@pytest.mark.parametrize("write", ["zero_", "exp_", "mul_"])
def test_gradients_through_written_views_are_those_of_the_eager_program(view, write):
    def program(x):
        y = x * 0.5
        v = view(y)
        v.mul_(3.0) if write == "mul_" else getattr(v, write)()
        return fz.autograd.grad((y * y).sum(), x)[0]

    x = fz.arange(6.0).reshape(2, 3).requires_grad_()
    assert fz.allclose(fz.jit.trace(program, (x,))(x), program(x))


def test_detach_and_no_grad_survive_a_replay():
    def program(x):
        with fz.no_grad():
            scale = x * 2
        return scale * x + x.detach() ** 2

    recorded = fz.jit.trace(program, (fz.ones(2),))
    found = []
    for f in (program, recorded):
        x = fz.tensor([1.0, 3.0], requires_grad=True)
        f(x).sum().backward()
        found.append(x.grad.tolist())
    assert found[0] == found[1] == [2.0, 6.0]


def test_two_buffers_that_change_places():
    class Swap(fz.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("a", fz.ones(2))
            self.register_buffer("b", fz.zeros(2))

        def forward(self, x):
            self.a, self.b = self.b, self.a
            return self.a + x

    module = Swap()
    recorded = fz.jit.trace(module, (fz.ones(2),))
    assert [recorded(fz.ones(2)).tolist() for _ in range(3)] == [[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]]


def test_what_a_branch_or_body_read_is_written_to_later():
    """Backward runs it again, with what it read then."""

    @fz.jit.script
    def looped(y):
        rows, total = y * 2, y.sum(1)
        for row in rows:
            total = total + (row * 3).sum()
        rows[..., 0] += 1
        return total

    @fz.jit.script
    def branched(y):
        z = y.triu(1)
        if y.sum() > 0:
            z = z * z - y.mean()
        z.detach().mul_(1)
        return z

    def gradient(body, y):
        with fz.enable_grad():
            y = y.detach().requires_grad_()
            return fz.autograd.grad((body(y * 1) ** 2).sum(), [y])[0]

    for body in (looped, branched):
        for sign in (1.0, -1.0):
            y = fz.arange(12.0).reshape(3, 4) * sign
            recorded = fz.jit.trace(lambda y, body=body: gradient(body, y), (y,))
            fz.testing.assert_close(recorded(y), gradient(body, y))
            fz.testing.assert_close(recorded(-y), gradient(body, -y))


def test_views_of_a_finished_recording_do_not_hinder_the_next():
    """Somebody may keep one, or the garbage collector."""
    kept = types.SimpleNamespace()
    w = fz.ones(2, 3)

    def program(x):
        kept.view = w.reshape(-1)
        w.add_(x)
        return w.sum()

    for _ in range(2):
        recorded = fz.jit.trace(program, fz.ones(()))
    assert recorded(fz.ones(())).item() == 12.0


def test_a_view_that_is_one_for_all_sizes_is_no_decision():
    def heads(x):
        b, t, c = x.shape
        return [part.view(b, t, 4, c // 4).transpose(1, 2) for part in fz.cat([x, x * 2, x * 3], 2).split(c, 2)]

    recorded = fz.jit.trace(heads, (fz.ones(2, 6, 16),))
    assert [str(guard).partition(" is ")[0] for guard in recorded.graph.guards] == ["x.shape[2] % 4 == 0"]
    for shape in ((1, 1, 8), (1, 5, 16), (3, 1, 4), (0, 2, 8)):
        fz.testing.assert_close(recorded(fz.ones(shape)), heads(fz.ones(shape)))


def test_repeated_tensors_have_memory_of_their_own():
    x = fz.zeros(4, 1)
    row = x.mT
    for repeated in (x.repeat(1, 2), x.repeat(1, 1), row.repeat(1, 1), fz.tile(x[:1], (1,)), row.repeat_interleave(2, 0)):
        repeated.add_(1)
    assert x.sum() == 0
