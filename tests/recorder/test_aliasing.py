"""Recorded views and in-place writes mean what they mean eagerly: also in branches and loops, and for other sizes."""

from __future__ import annotations

import types

import numpy as np
import pytest

import frazil as fz
from frazil.control import loop
from frazil.errors import RecordError
from frazil.recorder import layout

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


def views_that_only_a_tensor_connects_which_is_gone(x):
    y = x * x
    v = y[:2]
    if x.sum() < 0.5:
        v, y = v * 2, y * 3
    v[0] += 1
    return y, v


@pytest.mark.parametrize(
    "program",
    [
        views_that_only_a_tensor_connects_which_is_gone,
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


def contiguous_written_in_a_loop(x):
    y = x[:, 0].contiguous()
    for _ in range(x.shape[0]):
        y[0] = 5
    return y, x


def source_written_in_a_loop(x):
    y = x[:, 0].contiguous()
    for i in range(x.shape[0]):
        x[0] = i
    return y, x


def reshape_written_in_a_loop(x):
    y, total = x[:, :1].t().reshape(-1), x.sum()
    while total < 50:
        y.flatten()[0] += 1
        total = total + 10
    return y, x


def viewed_in_a_loop(x):
    y = z = x[:, 0].contiguous()
    for _ in range(x.shape[0]):
        z = y.view(-1)
        x[0] = 9
    return z, x


def written_first_where_more_is_known(x):
    y = x[:, 0].contiguous()
    if x.shape[0] > 1:
        y[0] = 5
    y[0] += 7
    return y, x


def written_first_where_the_example_does_not_go(x):
    y = x[:, 0].contiguous()
    if x.shape[0] == 1:
        y[0] = 5
    y[0] += 7
    return y, x


def two_copies_of_what_is_gone(x):
    y = x * 2
    a, b = y[:, 0].contiguous(), y[:, 0].contiguous()
    y = None
    a[0] = 5
    return a, b


@pytest.mark.parametrize(
    "program",
    [
        two_copies_of_what_is_gone,
        contiguous_written_in_a_loop,
        source_written_in_a_loop,
        reshape_written_in_a_loop,
        viewed_in_a_loop,
        written_first_where_more_is_known,
        written_first_where_the_example_does_not_go,
    ],
)
def test_what_is_a_view_of_a_batch_of_one_only_is_guarded_wherever_it_is_written_to(program):
    """Bodies are recorded several times and branches know more than what follows: the decision outlives both."""
    recorded = fz.jit.trace(fz.jit.script(program), (fz.arange(8.0).reshape(2, 4),))
    for rows in (2, 3):
        x = fz.arange(rows * 4.0).reshape(rows, 4)
        assert _run(recorded, x) == _run(program, x)
    with pytest.raises(RecordError, match=r"x\.shape"):
        recorded(fz.arange(4.0).reshape(1, 4))


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


def test_a_loop_that_writes_to_a_view_from_before_and_binds_anew_says_so_when_its_base_is_used():
    def program(x):
        z = fz.stack([x, x])
        y = z[0]
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


#: What lies otherwise than it is written: one operand, two that agree or do not, repeated ones, other sizes of one.
LAYOUTS = {
    "transposed": lambda v, w: v.transpose(0, 2) * 2,
    "a part of it, expanded": lambda v, w: v.transpose(0, 2)[:1].expand(4, 3, 2) * 2,
    "all of it, expanded": lambda v, w: v.transpose(0, 2).expand(5, 4, 3, 2).tanh(),
    "expanded in the middle": lambda v, w: v.transpose(0, 2)[:, :1].expand(4, 7, 2) + 1,
    "with one in order": lambda v, w: v.transpose(0, 2) + w,
    "in order, with one that is not": lambda v, w: w + v.transpose(0, 2),
    "two alike": lambda v, w: v.transpose(0, 2) * v.transpose(0, 2),
    "with a row": lambda v, w: v.transpose(0, 2) + w[0, 0],
    "with a kept sum": lambda v, w: v.transpose(0, 2) / v.transpose(0, 2).norm(dim=0, keepdim=True),
    "with a kept sum of another": lambda v, w: v.transpose(0, 2) / w.sum(1, keepdim=True),
    "chosen": lambda v, w: fz.where(w > 0, v.permute(2, 1, 0), 0.5),
    "with itself moved": lambda v, w: v.transpose(0, 1)[:2, :2] + v[:2, :2],
    "reduced": lambda v, w: v.transpose(0, 2).sum(1),
    "copied": lambda v, w: v.transpose(0, 2).clone(),
    "joined": lambda v, w: fz.cat([v.transpose(0, 2), w]),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_recording_knows_how_results_lie_in_memory(name):
    given = [fz.tensor(np.arange(24.0).reshape(s)) for s in ((2, 3, 4), (4, 3, 2))]
    believed = []

    def noting(v, w):
        y = LAYOUTS[name](v, w)
        believed.append(None if y._a.strides is layout.UNKNOWN else [getattr(s, "hint", s) for s in layout.strides_of(y._a)])
        return y

    fz.jit.trace(noting, tuple(given))
    y = LAYOUTS[name](*given)
    assert believed[0] in (None, list(y.stride())), "UNKNOWN is no claim"


def _write_detached(x, w):
    d = x.detach()
    d += x
    return d, x


def _write_a_part_of_detached(x, w):
    d = x.detach()
    e = d[0]
    e += w[0]
    return d, e, x


def _write_a_part_whose_whole_is_gone(x, w):
    e = x.detach()[0]
    e += w[0]
    return e, x


def _detach_twice(x, w):
    d = x.detach()
    d *= w
    g = d.detach()
    g += w
    return d, g, x


def _write_both(x, w):
    d = x.detach()
    e = d[0]
    x += w
    e *= w[1]
    u = d[1]
    u *= 2
    return d, e, u, x


def _reshape_detached(x, w):
    d = x.detach()
    r = d.t().reshape(-1)
    r *= 2
    d *= w
    r += w.reshape(-1)
    d.unsqueeze_(0)
    e = d[0]
    e += w
    return d, e, r, x


def _overwrite_detached(x, w):
    d = x.detach()
    d.fill_(2.0)
    d *= w
    d.detach().zero_()
    return d, x


def _write_detached_in_a_branch(x, w):
    d = x.detach()
    fz.cond(w.sum() > -99, lambda: d.mul_(w), lambda: d.add_(1))
    return d, x


def _write_detached_in_the_other_branch(x, w):
    d = x.detach()
    fz.cond(w.sum() < -99, lambda: d.mul_(w), lambda: d.add_(1))
    return d, x


def _write_detached_in_a_loop(x, w):
    d = x.detach()
    e = d[0]
    loop(None, lambda i: (d.mul_(w).add_(w[i]), ((), ()))[1], (), limit=2)
    return d, e, x


def _write_in_one_branch_and_compute_in_the_other(x, w):
    return fz.cond(w.sum() > -99, lambda: x.sin(), lambda: x.mul_(2)), x


@pytest.mark.parametrize(
    "fn",
    [
        _write_detached,
        _write_a_part_of_detached,
        _write_a_part_whose_whole_is_gone,
        _detach_twice,
        _write_both,
        _reshape_detached,
        _overwrite_detached,
        _write_detached_in_a_branch,
        _write_detached_in_the_other_branch,
        _write_detached_in_a_loop,
        _write_in_one_branch_and_compute_in_the_other,
    ],
    ids=lambda fn: fn.__name__.strip("_"),
)
def test_gradients_through_what_was_detached_and_written_to(fn):
    def run(x, w):
        leaves = [x.detach().requires_grad_(), w.detach().requires_grad_()]
        results = fn(*(leaf * 1 for leaf in leaves))
        loss = sum((r * (r.detach() + 1) * (k + 1)).sum() for k, r in enumerate(results) if r.requires_grad)
        found = fz.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        return *found, *(r.detach() for r in results)  # results as they are after backward

    rng = np.random.default_rng(0)
    given = [fz.tensor(rng.uniform(0.5, 2, (2, 3))) for _ in range(2)]
    recorded = fz.jit.trace(run, tuple(given))
    for found, expected in zip(recorded(*given), run(*given), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12)


def test_what_is_copied_into_a_tensor_is_not_handed_out_itself():
    def a_copy(x):
        y = fz.empty_like(x)
        y.copy_(x)
        return y

    def a_view_of_a_copy(x):
        y = x * 2
        part = y[:, 1:]
        y.copy_(x)
        x *= 0.5
        return part

    def two_copies(x):
        y, z = x * 2, x * 1
        z.copy_(y)
        return y, z

    for fn in (a_copy, a_view_of_a_copy, two_copies):
        recorded = fz.jit.trace(fn, (fz.ones(2, 3),))
        given = fz.rand(2, 3)
        other = given.clone()
        found, expected = recorded(given), fn(other)
        for results in (found, expected):
            (results[0] if isinstance(results, tuple) else results).add_(1)  # what else was there does not see it
        pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
        assert all(a.tolist() == b.tolist() for a, b in pairs) and given.tolist() == other.tolist(), fn.__name__


def test_what_a_recording_got_from_outside_keeps_its_shape() -> None:
    """Whoever holds it would go on with the old one; an eager tensor is left as it was."""
    outside = fz.ones(3)

    def of_outside(x):
        outside.unsqueeze_(0)
        return x + outside

    def of_an_argument(x):
        x.t_()
        return x * 2

    def in_a_branch(x):
        y = x * 1
        if x.sum() > 0:
            y.transpose_(0, 1)
        return y

    def in_a_branch_that_writes_to_it(x):
        y = x * 1
        if x.sum() > 0:
            y[1:] += 1
            y.transpose_(0, 1)
        return y

    for program in (of_outside, of_an_argument, fz.jit.script(in_a_branch), fz.jit.script(in_a_branch_that_writes_to_it)):
        with pytest.raises(fz.errors.FrazilError, match="cannot change how a tensor from outside is seen"):
            fz.jit.trace(program, (fz.ones(3, 3),))
    assert (outside + 1).tolist() == [2, 2, 2]

    def made_in_a_branch(x):
        y = x * 1
        if x.sum() > 0:
            w = y * 2
            w.unsqueeze_(0)
            y = w[0]
        return y

    program = fz.jit.trace(fz.jit.script(made_in_a_branch), (fz.ones(3, 3),))
    assert (program(fz.ones(3, 3)) == 2).all()
    assert (program(-fz.ones(3, 3)) == -1).all()


def test_data_that_is_set_is_shared_and_views_from_before_keep_the_old() -> None:
    def shared(x):
        y, b = x * 1, x * 3
        y.data = b
        b.mul_(2)
        y[0] = 7
        return y * 1, b * 1

    def left(x):
        y = x * 1
        z = y[0]
        y.data = x * 3
        z.mul_(2)
        return y * 1, z * 1

    x = fz.ones(3, 3)
    for program in (shared, left):
        for found, expected in zip(fz.jit.trace(program, (x,))(x), program(x), strict=True):
            np.testing.assert_array_equal(found.numpy(), expected.numpy())


@pytest.mark.parametrize("view", [lambda p: p.data, lambda p: p.detach(), lambda p: p.data.detach(), lambda p: p.data[:]])
def test_what_nobody_computed_is_written_through_a_view(view):
    """`self.weight.data.copy_(self.other)`: the tensor and what it was given stay two."""
    given = fz.tensor([3.0, 4.0])

    def program(p, x):
        view(p).copy_(given)
        view(p).add_(1)
        return x * p + given

    found, parameter = [], fz.nn.Parameter(fz.ones(2))
    with fz.no_grad():  # with gradients, that of the parameter would be lost: it is refused
        traced = fz.jit.trace(lambda x: program(parameter, x), (fz.ones(2),))
    assert parameter.tolist() == [1.0, 1.0]
    for run in (traced, lambda x: program(parameter, x)):
        parameter.data.fill_(1)
        found.append((run(fz.ones(2)).tolist(), parameter.tolist(), given.tolist()))
    assert found == [([7.0, 9.0], [4.0, 5.0], [3.0, 4.0])] * 2
