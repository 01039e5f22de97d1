"""Tensors move between devices, and their gradients move back."""

from __future__ import annotations

import numpy as np

import frazil as fz


def test_gradients_travel_back(mutant: str) -> None:
    here, there = fz.device("cpu"), fz.device(mutant)
    x = fz.tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = x.to(there)
    assert (y.device, x.device) == (there, here)
    np.testing.assert_array_equal(y.detach().cpu().numpy(), [1, -2, 3])
    (y**3).sum().backward()
    assert x.grad is not None and x.grad.device == here
    np.testing.assert_allclose(x.grad.numpy(), [3, 12, 27])


def test_second_gradients_travel_too(mutant: str) -> None:
    x = fz.tensor([1.0, -2.0, 3.0], dtype=fz.float64, requires_grad=True)
    (g,) = fz.autograd.grad((x.to(mutant) ** 3).cpu().sum(), x, create_graph=True)
    (second,) = fz.autograd.grad(g.sum(), x)
    np.testing.assert_allclose(second.numpy(), [6, -12, 18])


def test_a_leaf_on_another_device_gets_its_gradient_there(mutant: str) -> None:
    w = fz.tensor([2.0, 5.0], device=mutant, requires_grad=True)
    (w.cpu() * fz.tensor([3.0, 4.0])).sum().backward()
    assert w.grad is not None and w.grad.device == fz.device(mutant)
    np.testing.assert_array_equal(w.grad.cpu().numpy(), [3, 4])


def test_what_needs_no_gradient_leaves_no_trace(mutant: str) -> None:
    x = fz.ones(2, requires_grad=True)
    with fz.no_grad():
        assert not x.to(mutant).requires_grad
    assert not x.detach().to(mutant).requires_grad
