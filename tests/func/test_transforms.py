"""Derivatives of functions: their values where a formula is known, and how levels nest."""

from __future__ import annotations

import pytest

import frazil as fz

A = fz.tensor([[1.0, 2.0, 0.5], [0.0, 1.0, -1.0]], dtype=fz.float64)
x = fz.tensor([0.3, -0.2, 0.7], dtype=fz.float64)


def cubes(x):
    return (x**3).sum()


def test_grad_of_arguments_by_position_nested_and_with_more():
    f = lambda p, s: ((p["w"] * s).sum(), {"w": p["w"]})
    grads, (value, more) = fz.func.grad_and_value(f, argnums=(0, 1), has_aux=True)({"w": x}, fz.ones(3, dtype=fz.float64))
    fz.testing.assert_close(grads[0]["w"], fz.ones(3, dtype=fz.float64))
    fz.testing.assert_close(grads[1], x)
    assert not value.requires_grad and not more["w"].requires_grad and not grads[1].requires_grad
    fz.testing.assert_close(fz.func.grad(lambda a, b: (a * b).sum(), argnums=-1)(x, x * 2), x)


def test_levels_do_not_take_one_anothers_variables():
    inner = lambda x: fz.func.grad(lambda y: x + y)(fz.tensor(1.0))
    assert fz.func.grad(lambda x: x * inner(x))(fz.tensor(5.0)).item() == 1
    third = fz.func.grad(fz.func.grad(fz.func.grad(fz.sin)))(fz.tensor(0.3))
    fz.testing.assert_close(third, -fz.cos(fz.tensor(0.3)))


def test_results_follow_the_tape_outside_and_only_then():
    leaf = x.clone().requires_grad_()
    slope = fz.func.grad(cubes)(leaf)
    slope.sum().backward()
    fz.testing.assert_close(leaf.grad, 6 * x)
    w = fz.tensor(2.0, dtype=fz.float64, requires_grad=True)
    fz.func.vmap(fz.func.grad(lambda y: w * y**3))(x).sum().backward()
    fz.testing.assert_close(w.grad, (3 * x**2).sum())
    with fz.no_grad():
        assert not fz.func.grad(cubes)(leaf).requires_grad
    assert not fz.func.grad(cubes)(x).requires_grad


def test_jacobians_both_ways():
    f = lambda x: fz.tanh(A @ x)
    right = (1 - f(x) ** 2)[:, None] * A
    for transform in (fz.func.jacrev, fz.func.jacfwd):
        fz.testing.assert_close(transform(f)(x), right)
        fz.testing.assert_close(transform(f, chunk_size=1)(x), right)
        several = transform(lambda x, y: {"a": A @ x, "b": x * y}, argnums=(0, 1))(x, x)
        fz.testing.assert_close(several["a"][0], A)
        fz.testing.assert_close(several["a"][1], fz.zeros_like(A))
        fz.testing.assert_close(several["b"][1], fz.diag(x))
        assert transform(f)(x).requires_grad is False
        assert transform(lambda x: x[:0])(x).shape == (0, 3)


def test_hessians_in_every_order_of_levels():
    right = fz.diag(6 * x)
    rev, fwd = fz.func.jacrev, fz.func.jacfwd
    for found in (fz.func.hessian(cubes), rev(rev(cubes)), rev(fwd(cubes)), fwd(fwd(cubes))):
        fz.testing.assert_close(found(x), right)
    fz.testing.assert_close(fz.func.vmap(fz.func.hessian(cubes))(fz.stack([x, x])), fz.stack([right, right]))


def test_jvp_vjp_linearize():
    f, t = lambda x: fz.sin(x) * x, x * 2
    slope = (fz.cos(x) * x + fz.sin(x)) * t
    y, pushed = fz.func.jvp(f, (x,), (t,))
    fz.testing.assert_close((y, pushed), (f(x), slope))
    fz.testing.assert_close(fz.func.linearize(f, x)[1](t), slope)
    y, pull = fz.func.vjp(f, x)
    fz.testing.assert_close(pull(t), (slope,))
    fz.testing.assert_close(pull(t), (slope,))  # may be called again
    assert fz.func.jvp(lambda x: fz.ones(2), (x,), (t,))[1].tolist() == [0, 0]
    batched = fz.func.vmap(lambda x, t: fz.func.jvp(f, (x,), (t,))[1])(x, t)
    fz.testing.assert_close(batched, slope)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: fz.func.grad(lambda x: x)(x), "without dimensions"),
        (lambda: fz.func.grad(lambda x: 3)(x), "must return tensors"),
        (lambda: fz.func.grad(lambda x: x.sum(), argnums=2)(x), "argnums=2"),
        (lambda: fz.func.grad(lambda x: x.sum())(3.0), "given a float"),
        (lambda: fz.func.jvp(lambda x: x, (x,), (x[:2],)), "shapes of the primals"),
        (lambda: fz.func.vjp(lambda x: (x, x), x)[1](x), "nested as the result"),
    ],
)
def test_wrong_use_is_explained(call, match):
    with pytest.raises(RuntimeError, match=match):
        call()


def test_functional_call_puts_tensors_in_the_place_of_members_for_a_while():
    layer = fz.nn.BatchNorm1d(2)
    buffers = {name: value.clone() for name, value in layer.named_buffers()}
    before = layer.weight
    out = fz.func.functional_call(layer, ({"weight": fz.zeros(2)}, buffers), (fz.ones(3, 2),))
    assert out.tolist() == [[0, 0]] * 3 and layer.weight is before
    assert buffers["num_batches_tracked"].item() == 1 and layer.num_batches_tracked.item() == 0
    with pytest.raises(RuntimeError, match="nonsense"):
        fz.func.functional_call(layer, {"nonsense": fz.ones(1)}, (fz.ones(3, 2),))
    with pytest.raises(RuntimeError, match="strict=True"):
        fz.func.functional_call(layer, {"weight": fz.ones(2)}, (fz.ones(3, 2),), strict=True)


def test_tied_weights_are_replaced_together():
    class Tied(fz.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = fz.nn.Linear(2, 2, bias=False)
            self.b = fz.nn.Linear(2, 2, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.a(x) + self.b(x)

    eye = {"a.weight": fz.eye(2)}
    assert fz.func.functional_call(Tied(), eye, fz.ones(2)).tolist() == [2, 2]


def test_an_ensemble_trains_at_once():
    models = [fz.nn.Sequential(fz.nn.Linear(3, 4), fz.nn.Tanh(), fz.nn.Linear(4, 1)) for _ in range(3)]
    params, buffers = fz.func.stack_module_state(models)
    call = lambda p, b, x: fz.func.functional_call(models[0], (p, b), (x,))
    data = fz.randn(5, 3)
    out = fz.func.vmap(call, in_dims=(0, 0, None))(params, buffers, data)
    fz.testing.assert_close(out, fz.stack([model(data) for model in models]))
    out.pow(2).sum().backward()
    for i, model in enumerate(models):
        model(data).pow(2).sum().backward()
        fz.testing.assert_close(params["0.weight"].grad[i], model[0].weight.grad)


def test_the_older_forms():
    old = fz.autograd.functional
    fz.testing.assert_close(old.jacobian(lambda x: A @ x, x), A)
    fz.testing.assert_close(old.jacobian(lambda x: A @ x, x, vectorize=True, strategy="forward-mode"), A)
    fz.testing.assert_close(old.hessian(cubes, x), fz.diag(6 * x))
    pair = old.hessian(lambda a, b: (a * b).sum(), (x, x))
    fz.testing.assert_close(pair[0][1], fz.eye(3, dtype=fz.float64))
    fz.testing.assert_close(old.hvp(cubes, x, x)[1], 6 * x * x)
    fz.testing.assert_close(old.vhp(cubes, x, x)[1], 6 * x * x)
    fz.testing.assert_close(old.jvp(lambda x: x**2, x, x)[1], 2 * x * x)
    fz.testing.assert_close(old.vjp(lambda x: x**2, x, x)[1], 2 * x * x)
    with pytest.raises(RuntimeError, match="strict=True"):
        old.vjp(lambda x: fz.ones(1), x, fz.ones(1), strict=True)
    leaf = x.clone().requires_grad_()
    old.hessian(cubes, leaf, create_graph=True).sum().backward()
    fz.testing.assert_close(leaf.grad, fz.full_like(x, 6))


#: Every way to a derivative of a sum of sines of three numbers.
WAYS = {
    "grad": lambda f, x: fz.func.grad(f)(x),
    "vjp": lambda f, x: fz.func.vjp(f, x)[1](fz.tensor(1.0))[0],
    "jvp": lambda f, x: fz.func.jvp(f, (x,), (fz.ones(3),))[1],
    "linearize": lambda f, x: fz.func.linearize(f, x)[1](fz.ones(3)),
    "jacrev": lambda f, x: fz.func.jacrev(f)(x),
    "jacfwd": lambda f, x: fz.func.jacfwd(f)(x),
    "hessian": lambda f, x: fz.func.hessian(f)(x),
    "vmap of grad": lambda f, x: fz.func.vmap(fz.func.grad(f))(x.reshape(3, 1)),
    "autograd.functional.jacobian": lambda f, x: fz.autograd.functional.jacobian(f, x),
    "autograd.functional.hessian": lambda f, x: fz.autograd.functional.hessian(f, x),
    "autograd.functional.vjp": lambda f, x: fz.autograd.functional.vjp(f, x)[1],
    "autograd.functional.jvp": lambda f, x: fz.autograd.functional.jvp(f, x, fz.ones(3))[1],
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_grad_around_a_transform_changes_no_number(way):
    """Of a tensor that asks for gradients they were zeros there."""
    x = fz.tensor([1.0, 2.0, 3.0], requires_grad=True)
    right = way(lambda x: x.sin().sum(), x.detach())
    with fz.no_grad():
        found = way(lambda x: x.sin().sum(), x)
    assert not found.requires_grad
    fz.testing.assert_close(found, right.detach())
    assert right.abs().sum() > 0.5
