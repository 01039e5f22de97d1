"""`cond`, `while_loop`, `scan`: eager, recorded, in onnxruntime; their gradients; what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.control import UNDEFINED, loop
from frazil.errors import ArgumentError, AutogradError, RecordError, ShapeError


def recorded(fn, *args):
    """The program as a recorded one; `export` compares it with the file at several sizes."""
    fz.onnx.export(fn, args, training=True)
    return fz.jit.trace(fn, args)


def same(a, b):
    a, b = (x if isinstance(x, tuple) else (x,) for x in (a, b))
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        assert fz.allclose(fz.as_tensor(x), fz.as_tensor(y), equal_nan=True)


def triangle(x):
    """A loop in a loop, with a number that grows."""

    def row(i, total):
        def element(j, t):
            return (t + x[i] * x[j],), ()

        return loop(None, element, (total,), limit=i + 1)[0], ()

    return loop(None, row, (fz.tensor(0.0),), limit=x.shape[0])[0][0]


def search(xs, v):
    def halve(low, high):
        middle = (low + high) // 2
        return fz.cond(xs[middle] < v, lambda: (middle + 1, high), lambda: (low, middle))

    return fz.while_loop(lambda low, high: low < high, halve, (0, xs.shape[0]))[0]


def growing(x):
    return loop(None, lambda i, rows: ((fz.cat([rows, x[None] * i]),), rows.sum()), (x[None],), limit=x.shape[0])


PROGRAMS = {
    "cond": (lambda x: fz.cond(x.sum() > 0, lambda: x * 2, lambda: x - 1), [(3, 4), (1, 2)]),
    "cond of a size": (lambda x: fz.cond(x.shape[0] > 3, lambda: x[3], lambda: x[0]), [(2, 3), (5, 3), (4, 2)]),
    "results of two sizes": (lambda x: fz.cond(x.sum() > 0, lambda: x[:1], lambda: x), [(3, 2), (4, 2), (2, 2)]),
    "numbers": (lambda x: x * fz.cond(x.sum() > 0, lambda: 2, lambda: 3), [(3,), (4,)]),
    "without a value": (lambda x: fz.cond(x.sum() > 0, lambda: (True, x), lambda: (True, x * 0))[1], [(3,), (2,)]),
    "scan": (lambda x: fz.scan(lambda c, v: (c + v, c * v), fz.zeros(x.shape[1]), x), [(3, 4), (5, 2), (1, 1)]),
    "scan backwards": (
        lambda x: fz.scan(lambda c, v: (c * 0.5 + v, (c, v.sum())), fz.zeros(x.shape[1]), x, reverse=True)[1],
        [(3, 4), (5, 2)],
    ),
    "scan along 1": (lambda x: fz.scan(lambda c, v: (c + v, c), fz.zeros(x.shape[0]), x, dim=1)[1], [(3, 4), (2, 5)]),
    "triangle": (triangle, [(4,), (1,), (6,)]),
    "growing": (lambda x: growing(x)[0][0], [(2,), (4,)]),
    "round numbers": (
        lambda x: loop(None, lambda i, s: ((s + x[i, : i + 1].sum(),), x[:, i]), (fz.tensor(0.0),), limit=x.shape[0])[1],
        [(3, 3), (5, 5)],
    ),
    "while on data": (lambda x: fz.while_loop(lambda v: v.abs().max() > 0.1, lambda v: (v / 2,), (x,))[0], [(3,), (2,)]),
    "a number becomes a tensor": (lambda x: fz.while_loop(lambda s: s < 10, lambda s: (s + x.abs().sum() + 1,), (0,))[0], [(2,)]),
    "first value from the body": (
        lambda x: loop(lambda y, n: n < 3, lambda i, y, n: ((x + n, n + 1), ()), (UNDEFINED, 0))[0],
        [(2,), (3,)],
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("sign", [1, -1])
def test_recorded_programs_do_what_eager_ones_do(name, sign):
    fn, shapes = PROGRAMS[name]
    fz.manual_seed(1)
    program = recorded(fn, fz.rand(*shapes[0]) * sign)
    for shape in shapes:
        for x in (fz.rand(*shape), -fz.rand(*shape), fz.randn(*shape)):
            same(program(x), fn(x))


def test_numbers_carried_by_a_loop():
    program = recorded(search, fz.arange(10.0), fz.tensor(3.5))
    for n in (1, 2, 7, 50):
        for v in (-1.0, 0.0, n / 2, float(n)):
            xs = fz.arange(float(n))
            assert int(program(xs, fz.tensor(v))) == int(search(xs, fz.tensor(v)))


# --- what is written to --------------------------------------------------------------------------------------------------------


def test_in_place_writes_to_tensors_from_outside():
    counter = fz.zeros(2)

    def step(x):
        def yes():
            counter.add_(1)
            return x

        return fz.cond(x.sum() > 0, yes, lambda: x * 2) + counter

    program = recorded(step, fz.ones(2))
    assert counter.tolist() == [0, 0]
    for x in (fz.ones(2), -fz.ones(2), fz.ones(2)):
        program(x)
    assert counter.tolist() == [2, 2]


def test_views_follow_writes_in_a_body():
    def step(x):
        y = x * 1
        row = y[0]
        loop(None, lambda i: (row.add_(y[1]), ((), ()))[1], (), limit=x.shape[1])
        return y

    same(recorded(step, fz.randn(2, 3))(fz.ones(2, 5)), step(fz.ones(2, 5)))


def test_random_numbers_in_a_body_are_those_of_eager_mode():
    def walk(x):
        return loop(None, lambda i, p: ((p + fz.randn(x.shape[0]),), p), (x,), limit=x.shape[0])[0][0]

    program = recorded(walk, fz.zeros(3))
    fz.manual_seed(5)
    expected = walk(fz.zeros(4))
    fz.manual_seed(5)
    assert program(fz.zeros(4)).tolist() == expected.tolist()


class Memory(fz.nn.Module):
    def __init__(self, size=3):
        super().__init__()
        self.h = fz.zeros(2, size)

    def forward(self, x):
        def body(i):
            self.h = fz.tanh(self.h + x)
            return (), ()

        loop(None, body, (), limit=3)
        return self.h


def test_attributes_bound_in_a_body_are_state():
    model, twin = Memory(), Memory()
    x = fz.randn(2, 3)
    program = recorded(model, x)
    assert model.h.tolist() == fz.zeros(2, 3).tolist()
    for _ in range(2):
        same(program(x), twin(x))
    same(model.h, twin.h)


class Cache(fz.nn.Module):
    def __init__(self, last=None):
        super().__init__()
        self.last = last

    def forward(self, x):
        if self.last is not None:
            x = x + self.last
        self.last = x * 2
        return x


def test_attributes_that_would_be_lost_are_refused():
    model = Cache()
    with pytest.raises(RecordError, match=r"sets Cache.last .* register_buffer(.|\n)*test_control.py:\d+ in forward: self.last"):
        fz.jit.trace(model, fz.ones(2))
    assert model.last is None


def test_attributes_that_are_read_before_they_are_set_are_state():
    model, twin = Cache(fz.ones(2)), Cache(fz.ones(2))
    program = recorded(model, fz.randn(2))
    for _ in range(2):
        same(program(fz.ones(2)), twin(fz.ones(2)))
    same(model.last, twin.last)


class Shown(fz.nn.Module):
    """Keeps what somebody may want to look at, as published attention layers do."""

    def __init__(self):
        super().__init__()
        self.weights = None

    def forward(self, x):
        self.weights = x.softmax(-1)
        self._missing_before = x
        return self.weights @ x.T, None


def test_attributes_that_nothing_reads_are_left_out():
    model = Shown()
    program = recorded(model, fz.randn(2, 3))
    assert model.weights is None and not program.graph.states
    model(fz.randn(2, 3))  # now it holds a tensor, of another size than that of the recording
    looked_at = model.weights
    product, nothing = recorded(model, fz.randn(4, 5))(fz.ones(3, 2))
    assert nothing is None and product.tolist() == [[1.0] * 3] * 3
    assert model.weights is looked_at


def test_attributes_that_nothing_reads_are_left_out_of_loops():
    shown = Shown()

    def steps(x):
        return loop(None, lambda i, y: ((y + shown(x)[0],), ()), (fz.zeros(x.shape[0], x.shape[0]),), limit=x.shape[1])[0][0]

    same(recorded(steps, fz.randn(2, 3))(fz.ones(2, 3)), [[3.0, 3.0], [3.0, 3.0]])
    with pytest.raises(RecordError, match=r"reads Shown.weights, which a branch or body of a loop has set(.|\n)*test_control.py"):
        fz.jit.trace(lambda x: steps(x) + shown.weights.sum(), fz.randn(2, 3))


# --- gradients -----------------------------------------------------------------------------------------------------------------


W = fz.randn(4, 4, generator=fz.Generator().manual_seed(3)) * 0.3
X = fz.randn(4, generator=fz.Generator().manual_seed(4))
XS = fz.randn(5, 3, 4, generator=fz.Generator().manual_seed(5))


def _rnn(xs, w, reverse=False):
    return fz.scan(
        lambda h, v: ((h @ w + v).tanh(), h.sum()), fz.zeros(xs.shape[1], xs.shape[2], dtype=w.dtype), xs, reverse=reverse
    )


def _in_place(x, w):
    h = x * 1
    loop(None, lambda i: (h.mul_(0.5).add_(w[i]), ((), ()))[1], (), limit=4)
    return h * h


GRADIENTS = {
    "cond, true": (lambda x, w: fz.cond(x.sum() > -9, lambda: (w @ x).tanh(), lambda: x * 2), (X, W)),
    "cond, false": (lambda x, w: fz.cond(x.sum() > 9, lambda: (w @ x).tanh(), lambda: x * 2), (X, W)),
    "scan, carry": (lambda xs, w: _rnn(xs, w)[0].pow(2), (XS, W)),
    "scan, results": (lambda xs, w: _rnn(xs, w)[1].pow(2), (XS, W)),
    "scan, backwards": (lambda xs, w: _rnn(xs, w, reverse=True)[1].pow(2), (XS, W)),
    "while": (lambda x, w: fz.while_loop(lambda h, n: n < 4, lambda h, n: ((w @ h + x).tanh(), n + 1), (x, 0))[0], (X, W)),
    "while on data": (lambda x, w: fz.while_loop(lambda h: h.abs().max() > 0.05, lambda h: ((w @ h).tanh(),), (x,))[0], (X, W)),
    "numbered rounds": (lambda x, w: loop(None, lambda i, h: (((w @ h + x * i).tanh(),), h * i), (x,), limit=4)[1], (X, W)),
    "cond in a loop": (
        lambda x, w: loop(None, lambda i, h: ((fz.cond(h.sum() > 0, lambda: (w @ h).tanh(), lambda: h + x),), ()), (x,), limit=4)[
            0
        ][0],
        (X, W),
    ),
    "loop in a loop": (
        lambda x, w: loop(
            None, lambda i, h: (loop(None, lambda j, k: (((w @ k).tanh(),), ()), (h,), limit=i + 1)[0], ()), (x,), limit=3
        )[0][0],
        (X, W),
    ),
    "in place": (_in_place, (X, W)),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name):
    fn, args = GRADIENTS[name]
    assert fz.autograd.gradcheck(fn, [a.double().requires_grad_() for a in args])

    def gradient(*args):
        args = [a.detach().requires_grad_() for a in args]
        return fz.autograd.grad(fn(*args).sum(), args, allow_unused=True, materialize_grads=True)

    program = recorded(gradient, *args)
    for found, expected in zip(program(*args), gradient(*args), strict=True):
        assert fz.allclose(found, expected, atol=1e-6)


def test_a_growing_carry_has_no_recorded_gradient():
    def gradient(x):
        x = x.detach().requires_grad_()
        return fz.autograd.grad(growing(x)[0][0].sum(), x)[0]

    assert gradient(fz.ones(3)).shape == (3,)
    with pytest.raises(AutogradError, match=r"backward of a recorded loop: carried 0 changes its size"):
        fz.jit.trace(gradient, fz.ones(3))


# --- what is refused -----------------------------------------------------------------------------------------------------------

REFUSED = {
    r"result has another dtype in the two branches.*\.to\(fz\.float32\)": lambda x: fz.cond(
        x.sum() > 0, lambda: x, lambda: x.long()
    ),
    r"result has another rank in the two branches": lambda x: fz.cond(x.sum() > 0, lambda: x, lambda: x.sum()),
    r"one branch gives \(\*, \*\) and the other \*": lambda x: fz.cond(x.sum() > 0, lambda: (x, x), lambda: x),
    r"result is 'a' in one branch and 'b' in the other": lambda x: fz.cond(x.sum() > 0, lambda: "a", lambda: "b"),
    r"carried 0 is a tensor int64\[\] before the loop and a tensor float32\[\] after a round.*fz.zeros": lambda x: fz.while_loop(
        lambda s: s.sum() < 10, lambda s: (s + x.sum(),), (fz.tensor(0),)
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_with_line_and_cure(message):
    with pytest.raises(RecordError, match=message) as caught:
        fz.jit.trace(REFUSED[message], fz.ones(3))
    assert "test_control.py:" in str(caught.value)


def test_a_tensor_that_leaves_a_branch_by_a_back_door():
    kept = []

    def program(x):
        fz.cond(x.sum() > 0, lambda: kept.append(x * 2), lambda: None)
        return kept[0] + 1

    with pytest.raises(RecordError, match=r"a tensor of a branch or loop body \(mul.*must return it"):
        fz.jit.trace(program, fz.ones(3))


def test_eager_mistakes():
    with pytest.raises(ShapeError, match="the condition must be one truth value, given"):
        fz.cond(fz.ones(3) > 0, lambda: 1, lambda: 2)
    with pytest.raises(ArgumentError, match="the body must return as many values as it takes: 2, given 1"):
        fz.while_loop(lambda a, b: a < 3, lambda a, b: (a,), (0, 0))
    with pytest.raises(ShapeError, match="xs is empty"):
        fz.scan(lambda c, x: (c, x), 0, fz.zeros(0, 3))
    with pytest.raises(ShapeError, match="differ in size along dim 0"):
        fz.scan(lambda c, x: (c, x[0]), 0, (fz.zeros(2), fz.zeros(3)))


@pytest.mark.parametrize("kind", ["cond", "loop", "scan"])
def test_a_weight_may_be_what_branches_give_and_loops_begin_with(kind: str) -> None:
    b, w = fz.nn.Parameter(fz.tensor([0.5, -0.25, 0.125])), fz.nn.Parameter(fz.eye(3) * 0.5)

    def gradients(x: fz.Tensor) -> Any:
        x = x.detach().requires_grad_()
        if kind == "cond":
            found = fz.cond(x.sum() > 0, lambda: b, lambda: (x @ w).sum(0))
        elif kind == "loop":
            found = fz.while_loop(lambda h: (h * h).sum() < 4, lambda h: ((x @ w).sum(0) + 2 * h + 1,), (b,))[0]
        else:
            found = fz.scan(lambda h, e: ((e @ w + h).tanh(), h), b, x)[0]
        return fz.autograd.grad((found * found).sum(), [x, b, w], allow_unused=True, materialize_grads=True)

    first, second = fz.ones(4, 3), -fz.ones(4, 3)
    program = fz.jit.trace(gradients, first)
    for x in (first, second):
        for ours, theirs in zip(program(x), gradients(x), strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)
