"""The eager tape: hooks, kept gradients, versions, freed graphs, deep graphs."""

from __future__ import annotations

import pytest

import frazil as fz
from frazil.errors import AutogradError, ShapeError


def test_hooks_see_and_replace_gradients_in_order():
    x = fz.ones(2, requires_grad=True)
    y = x * 3
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()) or g * 2)
    handle = y.register_hook(lambda g: g * 5)
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.sum().backward(retain_graph=True)
    assert seen == [[1.0, 1.0], [10.0, 10.0]] and x.grad.tolist() == [30.0, 30.0]
    handle.remove()
    x.grad = None
    y.sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]


def test_retain_grad_keeps_what_the_hooks_made():
    x = fz.ones(2, requires_grad=True)
    y = x * 3
    y.retain_grad()
    y.register_hook(lambda g: g + 1)
    y.sum().backward()
    assert y.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("write", [lambda y: y.mul_(3), lambda y: y[:1].mul_(3), lambda y: fz.relu_(y), lambda y: y.zero_()])
def test_retain_grad_follows_its_tensor_through_writes(write):
    """The gradient is that of the tensor as it is at the end."""
    y = fz.tensor([2.0, 5.0], requires_grad=True) * 2
    y.retain_grad()
    write(y)
    assert y.retains_grad
    (y * y).sum().backward()
    assert y.grad.tolist() == (2 * y).tolist()


@pytest.mark.parametrize(
    "product",
    [
        lambda h, w: fz.nn.functional.linear(h, w),
        lambda h, w: h @ w.T,
        lambda h, w: h @ w[0],
        lambda h, w: fz.bmm(h[None], w.T[None]),
        lambda h, w: fz.einsum("ij,kj->ik", h, w),
        lambda h, w: fz.addmm(fz.zeros(2), h, w.T),
        lambda h, w: w @ h.T,
    ],
)
def test_what_a_product_with_a_constant_is_given_may_be_written_to_later(product):
    """Its gradient needs the constant alone, as that of a layer whose weights are frozen."""
    x, w = fz.ones(4, 3).requires_grad_(), fz.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    h = x * 1
    y = product(h, w)
    h.add_(1)
    y.sum().backward()
    fz.testing.assert_close(x.grad, fz.autograd.grad(product(x, w).sum(), x)[0])


def test_a_function_does_not_write_to_leaves():
    class Rounded(fz.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.round_()

        @staticmethod
        def backward(ctx, g):
            return g

    x = fz.ones(2, requires_grad=True)
    with pytest.raises(fz.errors.AutogradError, match="Rounded: a leaf tensor that requires grad cannot be changed in place"):
        Rounded.apply(x)
    assert Rounded.apply(x * 0.4).tolist() == [0, 0]


def test_a_function_of_the_user():
    class Cube(fz.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x**2

    x = fz.tensor([2.0], requires_grad=True)
    Cube.apply(x).backward()
    assert x.grad.tolist() == [12.0]


def test_a_freed_graph_says_so():
    x = fz.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(AutogradError, match="retain_graph=True"):
        y.backward()


def test_gradients_through_what_was_freed_are_not_left_out():
    """`grad` found no way through used nodes, and gave what came by the others, or None where that is allowed."""
    x, other = fz.ones(2, requires_grad=True), fz.ones(2, requires_grad=True)
    y = x.exp()
    y.sum().backward()
    total = y.sum() + x.sum() + (other * other).sum()
    with pytest.raises(AutogradError, match="already used and freed \\(at exp\\)"):
        fz.autograd.grad(total, x, retain_graph=True)
    with pytest.raises(AutogradError, match="already used and freed"):
        fz.autograd.grad(y.sum(), x, allow_unused=True)
    assert fz.autograd.grad(total, other)[0].tolist() == [2.0, 2.0]  # what leads elsewhere does not matter


@pytest.mark.parametrize("through", [lambda y: y, lambda y: y[0], lambda y: y.view(-1), lambda y: y.detach()])
def test_what_backward_needs_must_not_have_been_written_to(through):
    x = fz.ones(2, 2, requires_grad=True)
    y = x * 2
    z = (y * y).sum()
    with fz.no_grad():
        through(y).add_(1)
    with pytest.raises(AutogradError, match="modified in place"):
        z.backward()


def test_expanded_views_refuse_writes():
    x = fz.zeros(3, 1)
    with pytest.raises(ShapeError, match="expanded view"):
        x.expand(3, 4).add_(1)
    x.expand(2, 3, 1)[0].add_(1)  # every element is a place of its own
    assert x.tolist() == [[1.0], [1.0], [1.0]]


def test_sorted_values_may_be_written_to():
    x = fz.tensor([3.0, 1.0, 2.0], requires_grad=True)
    for made in ((x * 1).sort()[0], (x * 1).topk(2)[0], (x * 1).max(0)[0]):
        x.grad = None
        made.mul_(2)
        made.sum().backward()
        assert set(x.grad.tolist()) <= {0.0, 2.0} and x.grad.sum().item() == 2 * made.numel()


@pytest.mark.parametrize("write", ["zero_", "fill_"])
def test_what_is_overwritten_has_a_gradient_of_zeros(write):
    x = fz.ones(3, requires_grad=True)
    y = x * 2
    y.zero_() if write == "zero_" else y.fill_(4.0)
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_deep_graphs_are_walked_and_freed_without_recursion():
    x = fz.ones(1, requires_grad=True)
    y = x
    for _ in range(50_000):
        y = y + 1
    y.backward()
    assert x.grad.tolist() == [1.0]
    z = x * 1
    for _ in range(20_000):
        z.add_(1)
    del y, z


def test_a_tensor_says_whether_it_retains_its_gradient():
    x = fz.ones(2, requires_grad=True)
    y = x * 2
    x.retain_grad()
    assert not x.retains_grad and not y.retains_grad
    y.retain_grad()
    assert y.retains_grad


def test_a_hook_of_a_leaf_runs_once_when_only_its_gradient_is_wanted():
    x = fz.ones(2, requires_grad=True)
    x.register_hook(lambda g: g * 2)
    (x * 3).sum().backward(inputs=[x])
    assert x.grad.tolist() == [6.0, 6.0]


def test_what_a_division_gives_may_be_written_to_before_backward():
    x = fz.tensor([3.0, 4.0], requires_grad=True)
    y = fz.nn.functional.normalize(x, dim=0)
    y.mul_(fz.tensor([1.0, 2.0]))
    z = 1 / (x + 1)
    z.add_(1)
    (y.sum() + z.sum()).backward()
    assert x.grad.tolist() == pytest.approx([16 / 125 - 24 / 125 - 1 / 16, 18 / 125 - 12 / 125 - 1 / 25], abs=1e-6)


@pytest.mark.parametrize("freeze", [lambda w: w.requires_grad_(False), lambda w: w.detach_()], ids=["requires_grad_", "detach_"])
def test_a_leaf_that_is_frozen_before_backward_keeps_no_gradient(freeze):
    """A discriminator that is frozen between its call and the generator's backward, say: its hooks run, nothing is added up."""
    w, x = fz.ones(2, requires_grad=True), fz.tensor([3.0, 4.0], requires_grad=True)
    seen = []
    w.register_hook(lambda g: seen.append(g.tolist()))
    w.register_post_accumulate_grad_hook(lambda leaf: seen.append(leaf.grad))
    loss = (w * x).sum()
    freeze(w)
    loss.backward(retain_graph=True)
    assert w.grad is None and x.grad.tolist() == [1.0, 1.0] and seen == [[3.0, 4.0], None]
    with pytest.raises(RuntimeError, match="backward: input 0 .* does not require grad"):
        loss.backward(inputs=[w], retain_graph=True)
    w.requires_grad_()
    loss.backward()
    assert w.grad.tolist() == [3.0, 4.0]
