"""Views and in-place writes against a plain NumPy model, without PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import frazil as fz
from frazil.errors import ArgumentError, ShapeError

#: What makes a view (or, where memory does not allow it, a copy), of a matrix [4, 6]; the same for NumPy.
VIEWS = {
    "slice": (lambda x: x[1:3], lambda a: a[1:3]),
    "steps": (lambda x: x[::2, 1::2], lambda a: a[::2, 1::2]),
    "select": (lambda x: x[2], lambda a: a[2]),
    "column": (lambda x: x[:, 1], lambda a: a[:, 1]),
    "transpose": (lambda x: x.t(), lambda a: a.T),
    "reshape": (lambda x: x.reshape(3, 8), lambda a: a.reshape(3, 8)),
    "flatten": (lambda x: x.flatten(), lambda a: a.reshape(-1)),
    "view": (lambda x: x.view(2, 2, 6), lambda a: a.reshape(2, 2, 6)),
    "unsqueeze": (lambda x: x.unsqueeze(1), lambda a: a[:, None]),
    "diagonal": (lambda x: x.diagonal(), lambda a: np.lib.stride_tricks.as_strided(a, (4,), (a.strides[0] + a.strides[1],))),
    "transposed reshape": (lambda x: x.t().reshape(-1), lambda a: a.T.reshape(-1)),
    "chunk": (lambda x: x.chunk(2, 1)[1], lambda a: a[:, 3:]),
    "unfold": (lambda x: x.unfold(1, 2, 3), lambda a: a.reshape(4, 2, 3)[:, :, :2]),
    "narrow": (lambda x: x.narrow(0, 1, 2), lambda a: a[1:3]),
    "unflatten": (lambda x: x.unflatten(1, (2, 3)), lambda a: a.reshape(4, 2, 3)),
}

WRITES = {
    "fill": (lambda v: v.fill_(7.0), lambda a: a.fill(7.0)),
    "add": (lambda v: v.add_(2.0), lambda a: np.add(a, 2, out=a)),
    "mul": (lambda v: v.mul_(v.clone()), lambda a: np.multiply(a, a.copy(), out=a)),
    "copy": (lambda v: v.copy_(fz.arange(float(v.numel())).reshape(v.shape)), lambda a: np.copyto(a, _counted(a))),
    "clamp": (lambda v: v.clamp_(max=4.0), lambda a: np.minimum(a, 4, out=a)),
    "item": (lambda v: v.__setitem__(0, -1.0), lambda a: a.__setitem__(0, -1.0)),
    "masked": (lambda v: v.masked_fill_(v > 5, 0.0), lambda a: np.copyto(a, 0, where=a > 5)),
}


def _counted(a):
    return np.arange(float(a.size)).reshape(a.shape)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("view", VIEWS)
def test_a_write_through_a_view_is_seen_where_memory_is_shared(view, write):
    x, a = fz.arange(24.0).reshape(4, 6).clone(), np.arange(24.0).reshape(4, 6)
    v, b = VIEWS[view][0](x), VIEWS[view][1](a)
    WRITES[write][0](v)
    WRITES[write][1](b)
    assert x.tolist() == a.tolist() and v.tolist() == b.tolist()


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("view", VIEWS)
def test_gradients_through_a_written_view(view, write):
    def program(x):
        y = x * 1.5
        v = VIEWS[view][0](y)
        WRITES[write][0](v)
        return (y * y).sum() + v.sum() + x.sum()

    x = (fz.arange(24.0, dtype=fz.float64).reshape(4, 6) / 3 + 0.11).requires_grad_()
    if write != "copy":  # whole numbers of one dtype are copied in, whatever the input
        assert fz.autograd.gradcheck(program, (x,))
    (g,) = fz.autograd.grad(program(x), x)
    (recorded,) = fz.autograd.grad(fz.jit.trace(program, (x,))(x), x)
    assert fz.allclose(g, recorded)


def test_random_programs_of_views_and_writes():
    rng = np.random.default_rng(0)
    names, writes = list(VIEWS), list(WRITES)
    for _ in range(150):
        x, a = fz.arange(24.0).reshape(4, 6).clone(), np.arange(24.0).reshape(4, 6)
        views = [(VIEWS[n][0](x), VIEWS[n][1](a)) for n in rng.choice(names, 3)]
        steps = []
        for _ in range(5):
            k, name = int(rng.integers(len(views))), str(rng.choice(writes))
            steps.append((k, name))
            WRITES[name][0](views[k][0])
            WRITES[name][1](views[k][1])
            if rng.random() < 0.5:
                v, b = views[k]
                views.append((v[: v.shape[0] - 1], b[: b.shape[0] - 1]))
        for v, b in [(x, a), *views]:
            assert np.array_equal(np.array(v.tolist()).reshape(b.shape), b, equal_nan=True), steps


def test_results_lie_in_memory_as_in_pytorch():
    x = fz.rand(5, 4).t()
    for name, y in {
        "index": x[fz.tensor([0, 1])],
        "cat": fz.cat([x, x]),
        "softmax": x.softmax(1),
        "cumsum": x.cumsum(0),
        "sum": fz.rand(3, 4, 5).permute(2, 1, 0).sum(1),
        "gather": x.gather(1, fz.zeros(4, 2, dtype=fz.int64)),
    }.items():
        assert y.is_contiguous(), name
    assert not (x * 2).is_contiguous()


def test_what_only_moves_elements_gives_a_new_tensor_where_there_is_nothing_to_move():
    F = fz.nn.functional
    x = fz.zeros(1, 4, 1, 1)
    results = (
        F.pixel_shuffle(x, 2),
        F.pixel_shuffle(x, 1),
        F.pixel_unshuffle(x, 1),
        F.channel_shuffle(x, 4),
        F.channel_shuffle(x, 1),
    )
    for y in results:
        y.add_(1)
    m = fz.zeros(2, 2)
    fz.chain_matmul(m).add_(1)
    assert x.sum() == 0 and m.sum() == 0


def test_a_long_chain_of_views_costs_as_much_per_link_as_a_short_one():
    x = fz.zeros(3, requires_grad=True)
    y = x * 1
    for _ in range(20_000):
        y = y[:]
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]
    base = fz.zeros(3)
    v = base
    for _ in range(20_000):
        v = v[:]
    v[0] = 4.0
    assert base.tolist() == [4.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("key", "shape", "strides"),  # as PyTorch 2.13 lays them
    [
        (([0, -1],), (2, 5, 4), (20, 1, 5)),
        ((slice(None), [0, -1]), (3, 2, 4), (1, 3, 6)),
        ((..., [0, -1]), (3, 5, 2), (2, 6, 1)),
        ((slice(None), [[0, 1], [1, 2]]), (3, 2, 2, 4), (1, 6, 3, 12)),
        ((slice(0, 2), [0, 1]), (2, 2, 4), (1, 2, 4)),
        ((None, [0, 1]), (1, 2, 5, 4), (40, 20, 1, 5)),
        (([0, 1], [0, 1]), (2, 4), (4, 1)),
        (([0, 1], slice(None), [0, 1]), (2, 5), (5, 1)),
    ],
)
def test_an_advanced_index_keeps_the_order_in_memory_of_what_it_does_not_index(key, shape, strides):
    def program(x):
        y = x.permute(2, 1, 0)[key]
        flat = y.flatten()  # a copy unless y lies in order
        flat[0] = 7
        return y, y.sum() + flat.sum()

    x = fz.arange(60.0).reshape(4, 5, 3)
    y = x.permute(2, 1, 0)[key]
    assert y.tolist() == x.permute(2, 1, 0).contiguous()[key].tolist()
    assert y.shape == shape and [s for n, s in zip(shape, y.stride(), strict=True) if n > 1] == [
        s for n, s in zip(shape, strides, strict=True) if n > 1
    ]
    recorded = fz.jit.trace(program, (x,))
    for rows in (4, 2):
        x = fz.arange(rows * 15.0).reshape(rows, 5, 3)
        assert [t.tolist() for t in recorded(x)] == [t.tolist() for t in program(x)]
    x.requires_grad_()
    (x.permute(2, 1, 0)[key] * 2).sum().backward()
    assert x.grad.sum() == 2 * program(x.detach())[0].numel()


WINDOW_VIEWS = {
    "themselves": lambda u: u,
    "a row": lambda u: u[1],
    "rows": lambda u: u[1:],
    "turned": lambda u: u.t(),
    "longer": lambda u: u.unsqueeze(0),
    "detached": lambda u: u.detach(),
}
WINDOW_COPIES = {
    "a clone": lambda u: u.clone(),
    "a result": lambda u: u * 1,
    "flat": lambda u: u.flatten(),
    "in another shape": lambda u: u.reshape(-1, 1),
    "in order": lambda u: u.contiguous(),
    "turned, in order": lambda u: u.t().contiguous(),
}


@pytest.mark.parametrize("name", WINDOW_VIEWS)
def test_nothing_is_written_to_windows_that_overlap(name):
    """They are a copy, where PyTorch has a view: the write would be lost."""
    x = fz.arange(6.0)
    for write in (lambda v: v.add_(1), lambda v: v.zero_(), lambda v: v.__setitem__(0, 5.0), lambda v: fz.exp(v, out=v)):
        with pytest.raises(ShapeError, match="windows that overlap are a copy.*clone"):
            write(WINDOW_VIEWS[name](x.unfold(0, 3, 1)))
    assert x.tolist() == [0, 1, 2, 3, 4, 5]
    x.unfold(0, 2, 2).add_(1)  # these do not overlap
    assert x.tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("name", WINDOW_COPIES)
def test_what_pytorch_copies_of_windows_is_written_to(name):
    def program(x):
        windows = x.unfold(0, 3, 1)
        own = WINDOW_COPIES[name](windows)
        own.sub_(own.mean())
        return own, windows

    x = fz.arange(6.0)
    own, windows = program(x)
    assert abs(own.mean().item()) < 1e-6 and windows[0].tolist() == [0, 1, 2]
    for recorded, eager in zip(fz.jit.trace(program, fz.arange(8.0))(x), (own, windows), strict=True):
        assert recorded.tolist() == eager.tolist()


@pytest.mark.parametrize("value", [np.ones(3), [1.0, 2.0, 3.0], (1, 2, 3), None, "1"], ids=str)
@pytest.mark.parametrize("name", ["copy_", "fill_"])
def test_what_is_neither_tensor_nor_number_is_not_written(name, value):
    x = fz.zeros(3)
    with pytest.raises(ArgumentError, match=f"{name}: expected a tensor or a number, given .*; make a tensor with fz.tensor"):
        getattr(x, name)(value)
    assert x.tolist() == [0, 0, 0]
