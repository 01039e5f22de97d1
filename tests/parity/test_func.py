"""`fz.func` and `fz.autograd.functional` beside PyTorch's: values of transforms, alone and nested."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import frazil as fz
from frazil.pytree import flatten

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity


def arrays(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in shapes]


def compare(program, *data):
    """`program(library, its func, tensors)` gives the same in both libraries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        right = program(torch, torch.func, *map(torch.tensor, data))
        found = program(fz, fz.func, *map(fz.tensor, data))
    mine, theirs = flatten(found)[0], torch.utils._pytree.tree_flatten(right)[0]
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-10)


def maml(t, f, x, w):
    def inner(w, x):
        return w - 0.1 * f.grad(lambda w: ((x @ w) ** 2).mean())(w)

    return f.grad(lambda w: f.vmap(lambda x: (x @ inner(w, x)).sum())(x).mean())(w)


X, W, V = (4, 3), (3, 3), (3,)
PROGRAMS = {
    "gradients per sample": (lambda t, f, x, w: f.vmap(f.grad(lambda y, w: t.tanh(w @ y).sum()), in_dims=(0, None))(x, w), X, W),
    "gradient of vmap": (lambda t, f, x, w: f.grad(lambda w: f.vmap(lambda y: t.tanh(w @ y).sum())(x).sum())(w), X, W),
    "hessian": (lambda t, f, v, w: f.hessian(lambda y: t.tanh(w @ y).sum())(v), V, W),
    "hessians": (lambda t, f, x, w: f.vmap(f.hessian(lambda y: (t.sin(w @ y) ** 2).sum()))(x), X, W),
    "rows of rows": (lambda t, f, v, w: f.jacrev(f.jacrev(lambda y: t.tanh(w @ y).sum()))(v), V, W),
    "columns of columns": (lambda t, f, v, w: f.jacfwd(f.jacfwd(lambda y: t.tanh(w @ y)))(v), V, W),
    "blocks": (lambda t, f, v, w: f.jacrev(lambda y, w: (w @ y, (y * y).sum()), argnums=(0, 1))(v, w), V, W),
    "nested blocks": (lambda t, f, v, w: f.jacfwd(lambda y, w: {"a": w @ y, "b": y.sum()}, argnums=(0, 1))(v, w), V, W),
    "jvp": (lambda t, f, v, w: f.jvp(f.grad(lambda y: t.tanh(w @ y).sum()), (v,), (v * 2,)), V, W),
    "jvp of samples": (lambda t, f, x, y: f.vmap(lambda a, b: f.jvp(lambda z: t.sin(z) * z, (a,), (b,)))(x, y), X, X),
    "jvp of vmap": (lambda t, f, x, y: f.jvp(f.vmap(lambda z: t.sin(z) * z), (x,), (y,)), X, X),
    "third": (lambda t, f, x: f.grad(f.grad(f.grad(lambda y: t.sin(y))))(x), ()),
    "maml": (maml, (4, 5, 3), V),
    "vmap of vmap": (lambda t, f, x, y: f.vmap(f.vmap(lambda a, b: a * b, (0, None)), (None, 0))(x, y), V, (5,)),
    "dims": (lambda t, f, x, y: f.vmap(lambda a, b: a @ b, (1, -1), -1)(x, y), (3, 4, 2), (2, 5, 4)),
    "keywords": (lambda t, f, x, y: f.vmap(lambda a, *, b: a + b)(x, b=y), X, X),
    "chunks": (lambda t, f, x: f.vmap(lambda a: (a.sum(), a * 2), out_dims=(0, 1), chunk_size=3)(x), X),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_transforms_give_what_pytorchs_do(name):
    program, *shapes = PROGRAMS[name]
    compare(program, *arrays(*shapes))


def functional(t):
    return t.autograd.functional


@pytest.mark.parametrize("options", [{}, {"create_graph": True}, {"strict": True}])
def test_the_older_forms_give_what_pytorchs_do(options):
    one = lambda t: lambda x: (x**3).sin()
    two = lambda t: lambda x, y: (x @ y, (x * y[0].sum()).sum())
    number = lambda t: lambda x, y: (x @ y).tanh().sum()
    (v, m, w) = arrays(V, (2, 3), (3, 2))
    for name in ("vjp", "jvp"):
        compare(lambda t, f, x, n=name: getattr(functional(t), n)(one(t), x, x, **options), v)
    compare(lambda t, f, x, y: functional(t).vjp(two(t), (x, y), (x @ y, (x * x).sum()), **options), m, w)
    compare(lambda t, f, x, y: functional(t).jvp(two(t), (x, y), (x, y), **options), m, w)
    for name in ("vhp", "hvp"):
        compare(lambda t, f, x, y, n=name: getattr(functional(t), n)(number(t), (x, y), (x, y), **options), m, w)
    compare(lambda t, f, x, y: functional(t).hessian(number(t), (x, y), **options), m, w)
    for more in ({},) if options.get("strict") else ({}, {"vectorize": True}):
        compare(lambda t, f, x, y, o=more: functional(t).jacobian(two(t), (x, y), **options, **o), m, w)


def _linear(earlier, later):
    """Two steps of h = a h + x as one."""
    return earlier[0] * later[0], later[0] * earlier[1] + later[1]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("size", [2, 3, 7])
def test_an_associative_scan_is_pytorchs(size, reverse):
    from torch._higher_order_ops.associative_scan import associative_scan as theirs

    from frazil.func.scans import associative_scan as ours

    data = arrays((2, size, 3), (2, size, 3), (size, 3, 3))
    kept = []
    for library, scan in ((torch, theirs), (fz, ours)):
        a, x, m = map(library.tensor, data)
        a.requires_grad_()
        options = {"reverse": reverse, "combine_mode": "generic"}
        gates, states = scan(_linear, (a, x), 1, **options)
        states.sin().sum().backward()
        products = scan(lambda p, q: p @ q, m, 0, **options)
        kept.append([t.detach().numpy() for t in (gates, states, products, a.grad)])
    for right, found in zip(*kept, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-9)
    with pytest.raises(fz.errors.ArgumentError, match=r"tensors of one size in dimension 0 .* given sizes \[2, 3\]"):
        ours(_linear, (fz.ones(2), fz.ones(3)), 0)


def test_an_associative_scan_goes_into_a_file(tmp_path):
    from frazil.func.scans import associative_scan

    def states(a, x):
        return associative_scan(_linear, (a, x), 1)[1]

    report = fz.onnx.export(states, (fz.rand(2, 6), fz.rand(2, 6)), tmp_path / "states.onnx")
    assert "verified with onnxruntime" in str(report)
