"""`vmap` is the function on one sample after another: for operations of every kind, and gradients through both."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import frazil as fz

F = fz.nn.functional


def tensor(*shape, seed=0):
    return fz.tensor(np.random.default_rng(seed).standard_normal(shape))


#: name -> (function of a float64[2, 3])
FUNCTIONS = {
    "reductions": lambda x: (
        x.sum(),
        x.sum(0),
        x.mean(-1, keepdim=True),
        x.var(),
        x.amax((0, 1)),
        x.argmax(1),
        x.prod(),
        (x > 0).any(0),
    ),
    "no dimensions": lambda x: (x.sum().sum(), fz.softmax(x.sum(), 0), x.sum().cumsum(0), x.sum().argmax(), x.sum().mean()),
    "along": lambda x: (fz.softmax(x, 0), x.cumsum(1), x.sort(0)[0], x.topk(2, 1)[0], x.flip(0), x.logsumexp(1)),
    "shapes": lambda x: (
        x.reshape(-1),
        x.T,
        x[:, None].expand(2, 4, 3),
        x[1:, ::2],
        x[-1],
        x.diagonal(),
        F.pad(x, (1, 2)),
        x.tril(),
    ),
    "joined": lambda x: (fz.cat([x, fz.ones(1, 3, dtype=fz.float64)]), fz.stack([x, x], -1), x.split(1)[1], x.repeat(2, 1)),
    "products": lambda x: (
        x @ x.T,
        x @ x[0],
        x[0] @ x.T,
        x[0] @ x[1],
        x @ fz.ones(4, 3, 5, dtype=fz.float64),
        fz.outer(x[0], x[1]),
    ),
    "index": lambda x: (x[fz.tensor([0, 1, 1])], x[:, fz.tensor([2, 0])], x[0][x[0].argsort()], x[:, x[0].argsort()]),
    "index apart": lambda x: (x[:, None][x[:, 0].argsort(), :, x[1, :2].argsort()], fz.arange(3.0)[x[0].argmax()]),
    "gather": lambda x: (
        x.gather(1, x.argsort(1)),
        fz.zeros_like(x).scatter(1, x.argsort(1), x),
        x.index_select(0, fz.tensor([1, 0])),
    ),
    "in place": lambda x: (
        fz.zeros_like(x).add_(x),
        _written(x, 0, x[1]),
        _written(x, (slice(None), fz.tensor([0, 2])), x[:, :2]),
    ),
    "elementwise": lambda x: (
        fz.where(x > 0, x, -x),
        x.clamp(-0.5, 0.5),
        F.gelu(x),
        1 - x,
        2.0**x,
        x.float().double(),
        F.softplus(x),
    ),
    "layers": lambda x: (
        F.layer_norm(x, (3,)),
        F.cross_entropy(x, fz.tensor([0, 2])),
        F.max_pool1d(x[None], 2),
        F.avg_pool1d(x[None], 2),
    ),
    "convolutions": lambda x: (
        F.conv1d(x[None], fz.ones(4, 2, 2, dtype=fz.float64)),
        F.conv1d(fz.ones(3, 2, 5, dtype=fz.float64), x[None]),
        F.conv1d(x[None], x[None, :, :2], bias=x[0, :1]),
        F.conv_transpose1d(x[None], x[:, None]),
    ),
    "attention": lambda x: F.scaled_dot_product_attention(x[None], x[None] * 2, x[None]),
    "matrices": lambda x: (fz.linalg.inv(x @ x.T + fz.eye(2)), fz.linalg.det(x @ x.T), fz.linalg.cholesky(x @ x.T + fz.eye(2))),
    "middle": lambda x: (x.median(), x.quantile(0.5), x.std(0)),
}


def _written(x, key, value):
    y = fz.zeros_like(x)
    y[key] = value
    return y


def flat(found):
    return [found] if isinstance(found, fz.Tensor) else list(found)


def weighted(found):
    """One number that every element of the results has a part in."""
    return sum((y.double() * y.double()).sum() for y in flat(found) if y.dtype.is_floating_point)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_vmap_is_the_function_on_every_sample(name):
    f, x = FUNCTIONS[name], tensor(4, 2, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none of these runs on one sample after another
        found = flat(fz.func.vmap(f)(x))
    expected = [fz.stack(list(parts)) for parts in zip(*(flat(f(row)) for row in x), strict=True)]
    for mine, right in zip(found, expected, strict=True):
        fz.testing.assert_close(mine, right)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_inside_and_outside_of_vmap(name):
    f, x = FUNCTIONS[name], tensor(4, 2, 3)
    leaf = x.clone().requires_grad_()
    sum(weighted(f(row)) for row in leaf).backward()
    loss = lambda row: weighted(f(row))
    fz.testing.assert_close(fz.func.vmap(fz.func.grad(loss))(x), leaf.grad)
    fz.testing.assert_close(fz.func.grad(lambda x: fz.func.vmap(loss)(x).sum())(x), leaf.grad)


def test_dimensions_of_arguments_and_results():
    a, b = tensor(3, 4, 2), tensor(2, 5, 4)
    found = fz.func.vmap(fz.matmul, in_dims=(1, -1), out_dims=-1)(a, b)
    assert found.shape == (3, 5, 4)
    fz.testing.assert_close(found[..., 1], a[:, 1] @ b[..., 1])
    nested = fz.func.vmap(lambda d: {"s": d["a"] + d["b"][0]}, ({"a": 0, "b": [None]},))({"a": a, "b": [a[0]]})
    fz.testing.assert_close(nested["s"], a + a[0])
    same = fz.func.vmap(lambda x: (x, b), out_dims=(1, None))(a)
    assert same[0].shape == (4, 3, 2) and same[1].shape == b.shape
    assert fz.func.vmap(lambda x: b)(a).shape == (3, *b.shape)


def test_vmaps_nest():
    a, b = tensor(3), tensor(5)
    fz.testing.assert_close(fz.vmap(lambda x: fz.vmap(lambda y: x * y)(b))(a), a[:, None] * b)


def test_chunks_give_the_same():
    x = tensor(7, 3)
    for size in (1, 3, 7, 100):
        found = fz.func.vmap(lambda x: (x.sum(), x * 2), out_dims=(0, 1), chunk_size=size)(x)
        fz.testing.assert_close(found[0], x.sum(1))
        fz.testing.assert_close(found[1], (x * 2).T)


def test_no_samples():
    assert fz.func.vmap(lambda x: x.sum() + x)(fz.ones(0, 3)).shape == (0, 3)


def test_random_numbers_are_the_same_or_different_as_asked():
    draw = lambda x: fz.rand(3) + 0 * x
    x = fz.ones(4)
    with pytest.raises(RuntimeError, match="randomness"):
        fz.func.vmap(draw)(x)
    same = fz.func.vmap(draw, randomness="same")(x)
    assert (same == same[0]).all()
    different = fz.func.vmap(lambda x: F.dropout(fz.ones(50)), randomness="different")(x)
    assert len({tuple(row) for row in different.tolist()}) == 4


@pytest.mark.parametrize(
    ("f", "match"),
    [
        (lambda x: x * x.sum().item(), "fz.where"),
        (lambda x: x if x.sum() > 0 else -x, "fz.where"),
        (lambda x: x[x > 0], "differs between the samples"),
        (lambda x: fz.zeros(3).add_(x), "zeros_like"),
        (lambda x: 3, "must return tensors"),
    ],
)
def test_what_cannot_run_on_all_samples_says_so(f, match):
    with pytest.raises(RuntimeError, match=match):
        fz.func.vmap(f)(fz.ones(2, 3))


@pytest.mark.parametrize(
    ("options", "args", "match"),
    [
        ({"in_dims": (0,)}, (fz.ones(2), fz.ones(2)), "one for each of the 2 arguments"),
        ({"in_dims": None}, (fz.ones(2),), "no argument is mapped"),
        ({"in_dims": 3}, (fz.ones(2),), "dimension 3"),
        ({}, (fz.ones(2), fz.ones(3)), "different numbers of samples"),
        ({}, (fz.ones(2), 5), "no tensor"),
        ({"randomness": "many"}, (fz.ones(2),), "randomness"),
        ({"chunk_size": 0}, (fz.ones(2),), "chunk_size"),
    ],
)
def test_wrong_arguments_are_explained(options, args, match):
    with pytest.raises((RuntimeError, ValueError), match=match):
        fz.func.vmap(lambda *x: x[0], **options)(*args)


def test_a_function_of_ones_own_keeps_its_gradient():
    class Odd(fz.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return g * 3 * ctx.saved_tensors[0]  # not the derivative, on purpose

    x = tensor(4, 3)
    f = lambda x: Odd.apply(x).sum()
    fz.testing.assert_close(fz.func.vmap(fz.func.grad(f))(x), 3 * x)
    fz.testing.assert_close(fz.func.grad(lambda x: fz.func.vmap(f)(x).sum())(x), 3 * x)
    fz.testing.assert_close(fz.func.vmap(fz.func.grad(lambda x: fz.func.grad(f)(x).sum()))(x), fz.full_like(x, 3))


def test_a_function_of_ones_own_brings_its_rule_for_vmap():
    """Its forward asks for numbers, which a mapped tensor does not have."""

    class Sine(fz.autograd.Function):
        @staticmethod
        def forward(x, k):
            return fz.tensor(np.sin(k * x.detach().numpy())), fz.tensor(np.cos(k * x.detach().numpy()))

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.k = inputs[1]
            ctx.mark_non_differentiable(output[1])
            ctx.save_for_backward(output[1])

        @staticmethod
        def backward(ctx, g, _):
            return g * ctx.k * ctx.saved_tensors[0], None

        @staticmethod
        def vmap(info, in_dims, x, k):
            assert info.batch_size == x.shape[in_dims[0]] and in_dims[1] is None
            return Sine.apply(x.movedim(in_dims[0], -1), k), (-1, -1)

    x = tensor(4, 3)
    f = lambda x: Sine.apply(x, 2.0)[0]
    fz.testing.assert_close(fz.func.vmap(f)(x), (2 * x).sin())
    fz.testing.assert_close(fz.func.vmap(fz.func.vmap(f))(x[None]), (2 * x).sin()[None])
    fz.testing.assert_close(fz.func.vmap(fz.func.grad(lambda x: f(x).sum()))(x), 2 * (2 * x).cos())
    fz.testing.assert_close(fz.func.grad(lambda x: fz.func.vmap(f)(x).sum())(x), 2 * (2 * x).cos())
    fz.testing.assert_close(fz.func.jacrev(f)(x[0]), (2 * (2 * x[0]).cos()).diag())


def test_composites_keep_their_gradient_at_points_where_that_of_the_body_is_nan():
    f = lambda x: F.cross_entropy(x, fz.tensor([0])) + fz.linalg.vector_norm(x * 0)
    x = fz.tensor([[[1e4, -1e4]]])
    fz.testing.assert_close(fz.func.grad(lambda x: fz.func.vmap(f)(x).sum())(x), fz.func.vmap(fz.func.grad(f))(x))


def test_complex_matrices_and_their_adjoints():
    x = fz.complex(tensor(4, 3, 3), tensor(4, 3, 3, seed=1))
    f = lambda m: fz.linalg.eigh(m @ m.mH).eigenvectors.abs().sum() + (fz.linalg.inv(m).mH @ m).abs().sum()
    fz.testing.assert_close(fz.func.vmap(f)(x), fz.stack([f(m) for m in x]))
    fz.testing.assert_close(fz.func.vmap(fz.func.grad(f))(x), fz.stack([fz.func.grad(f)(m) for m in x]))


def test_no_grad_inside_holds_for_gradients_outside():
    def f(x):
        with fz.no_grad():
            y = x * 2
        return (y * x).sum()

    x = tensor(4, 3)
    fz.testing.assert_close(fz.func.grad(lambda x: fz.func.vmap(f)(x).sum())(x), 2 * x)
    fz.testing.assert_close(fz.func.vmap(fz.func.grad(lambda x: (x.detach() * x).sum()))(x), x)


def test_batched_gradients_of_autograd():
    x = tensor(3).requires_grad_()
    y = fz.tanh(x * x.sum())
    rows = fz.autograd.grad(y, x, fz.eye(3, dtype=fz.float64), is_grads_batched=True, retain_graph=True)[0]
    for i in range(3):
        fz.testing.assert_close(rows[i], fz.autograd.grad(y[i], x, retain_graph=True)[0])
    assert not rows.requires_grad
    assert fz.autograd.grad(y, x, fz.eye(3, dtype=fz.float64), is_grads_batched=True, create_graph=True)[0].requires_grad


def test_it_is_recorded_and_runs_for_other_numbers_of_samples():
    w = tensor(3, 3)
    program = lambda x: fz.func.vmap(fz.func.grad(lambda y: fz.tanh(w @ y).sum()))(x)
    recorded = fz.jit.trace(program, (tensor(4, 3),))
    x = tensor(6, 3, seed=1)
    fz.testing.assert_close(recorded(x), program(x))
