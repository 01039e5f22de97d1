"""Values and gradients at singular points, as PyTorch gives them: written down here, compared with PyTorch in the parity run."""

from __future__ import annotations

import importlib.util
from math import inf, log, nan
from typing import Any

import numpy as np
import pytest

import frazil as fz


def _f(m: Any) -> Any:
    return m.nn.functional


#: name -> (function of the library and x, x, values, gradients of their sum, or None)
TABLE: dict[str, tuple[Any, list[float], Any, list[float] | None]] = {
    "sqrt at 0": (lambda m, x: m.sqrt(x), [0.0, 4.0], [0, 2], [inf, 0.25]),
    "0 ** 0": (lambda m, x: x**0, [0.0, 2.0], [1, 1], [0, 0]),
    "0 ** y": (lambda m, x: m.zeros(2) ** x, [0.0, 2.0], [1, 0], [0, 0]),
    "x ** -0.5": (lambda m, x: x**-0.5, [0.0, 4.0], [inf, 0.5], [-inf, -0.0625]),
    "xlogy at 0": (lambda m, x: m.xlogy(x, m.zeros(3)), [0.0, 1.0, nan], [0, -inf, nan], [0, -inf, -inf]),
    "xlogy by its second": (lambda m, x: m.xlogy(m.zeros(2), x), [2.0, nan], [0, nan], [0, nan]),
    "atan2(0, 0)": (lambda m, x: m.atan2(x, m.zeros(2)), [0.0, 2.0], [0, np.pi / 2], [0, 0]),
    "atan2 by its second": (lambda m, x: m.atan2(m.zeros(2), x), [0.0, -2.0], [0, np.pi], [0, 0]),
    "hypot(0, 0)": (lambda m, x: m.hypot(x, m.zeros(2)), [0.0, -2.0], [0, 2], [nan, -1]),
    "hypot of huge": (lambda m, x: m.hypot(x, x), [3e30], [3e30 * 2**0.5], [2**0.5]),
    "asin and acos at 1": (lambda m, x: m.asin(x) - m.acos(x), [1.0, -1.0], [np.pi / 2, -1.5 * np.pi], [inf, inf]),
    "acosh at 1": (lambda m, x: m.acosh(x), [1.0], [0], [inf]),
    "sinc near 0": (lambda m, x: m.sinc(x), [0.0, 1e-30, -1e-42], [1, 1, 1], [0, 0, 0]),
    "abs at 0": (lambda m, x: m.abs(x), [0.0, -0.0, -2.0], [0, 0, 2], [0, 0, -1]),
    "copysign at 0": (lambda m, x: m.copysign(x, m.ones(2)), [0.0, -2.0], [0, 2], [0, -1]),
    "heaviside of NaN": (lambda m, x: m.heaviside(x, x).detach() + x * 0, [nan, 1.0], [nan, 1], [0, 0]),
    "clamp at its ends": (lambda m, x: m.clamp(x, -1, 1), [-1.0, 1.0, 2.0, nan], [-1, 1, 1, nan], [1, 1, 0, 0]),
    "clamp to NaN": (lambda m, x: m.clamp(x, m.tensor([nan, 0.0])), [1.0, 1.0], [nan, 1], [0, 1]),
    "maximum with NaN": (lambda m, x: m.maximum(x, m.tensor([nan, 1.0, 1.0])), [1.0, nan, 1.0], [nan, nan, 1], [1, 1, 0.5]),
    "fmax with NaN": (lambda m, x: m.fmax(x, m.tensor([nan, 1.0, 1.0])), [1.0, nan, 1.0], [1, 1, 1], [1, 0, 1]),
    "fmin with NaN": (lambda m, x: m.fmin(x, m.tensor([nan, 1.0, 1.0])), [1.0, nan, 1.0], [1, 1, 1], [1, 0, 1]),
    "relu of NaN": (lambda m, x: m.relu(x), [nan, -1.0, 0.0, 2.0], [nan, 0, 0, 2], [1, 0, 0, 1]),
    "hardtanh of NaN": (lambda m, x: _f(m).hardtanh(x), [nan, -1.0, 1.0, 0.5], [nan, -1, 1, 0.5], [1, 0, 0, 1]),
    "elu of NaN": (lambda m, x: _f(m).elu(x), [nan, 0.0, 2.0], [nan, 0, 2], [1, 1, 1]),
    "celu at 0": (lambda m, x: _f(m).celu(x), [nan, 0.0, 2.0], [nan, 0, 2], [1, 1, 1]),
    "gelu of -inf": (lambda m, x: _f(m).gelu(x) + _f(m).gelu(x, approximate="tanh"), [-inf, inf, -1e30], [nan, inf, 0], None),
    "gelu at 0": (lambda m, x: _f(m).gelu(x), [0.0, -0.0, nan], [0, 0, nan], [0.5, 0.5, nan]),
    "gelu (tanh) at 0": (lambda m, x: _f(m).gelu(x, approximate="tanh"), [0.0, -0.0, 5.0], [0, 0, 5], [0.5, 0.5, 1.00000143]),
    "silu and mish at 0": (lambda m, x: _f(m).silu(x) + _f(m).mish(x), [0.0, -0.0], [0, 0], [1.1, 1.1]),
    "silu of -inf": (lambda m, x: _f(m).silu(x), [-inf, inf], [nan, inf], [nan, nan]),
    "mish of inf": (lambda m, x: _f(m).mish(x), [-inf, inf, 1e30], [nan, inf, 1e30], [nan, nan, 1]),
    "tanhshrink at 0": (lambda m, x: _f(m).tanhshrink(x), [0.0, -inf, nan], [0, -inf, nan], [0, 1, nan]),
    "hardsigmoid at its kinks": (
        lambda m, x: _f(m).hardsigmoid(x), [-3.0, 3.0, 2.9999998, nan], [0, 1, 1, nan], [0, 0, 1 / 6, 0],
    ),
    "logit at its ends": (lambda m, x: m.logit(x), [0.0, 1.0, 0.5, 0.2], [-inf, inf, 0, log(0.25)], [inf, inf, 4, 6.25]),
    "logit beyond": (lambda m, x: m.logit(x), [-0.5, 1.5, nan], [nan, nan, nan], [nan, nan, nan]),
    "hardswish of huge": (lambda m, x: _f(m).hardswish(x) * 1e-37, [-4.0, 1e37], [0, 1], [0, 1e-37]),
    "logaddexp(-inf, -inf)": (lambda m, x: m.logaddexp(x, x), [-inf, inf, 0.0], [-inf, inf, log(2)], [nan, nan, 1]),
    "logaddexp2(inf, inf)": (lambda m, x: m.logaddexp2(x, x.detach()), [inf, -inf, 1.0], [inf, -inf, 2], None),
    "div, trunc": (
        lambda m, x: m.div(x, m.tensor([0.1, 0.0, 0.0]), rounding_mode="trunc"), [1.0, 1.0, 0.0], [10, inf, nan], [0, 0, 0],
    ),
    "div, floor": (
        lambda m, x: m.div(x, m.tensor([0.1, 0.0, 0.0]), rounding_mode="floor"), [1.0, 1.0, 0.0], [9, inf, nan], [0, 0, 0],
    ),
    "lerp from infinity": (lambda m, x: m.lerp(x, m.ones(1), m.tensor([0.9])), [-inf], [-inf], [0.1]),
    "std of equal numbers": (lambda m, x: m.std(x), [2.0, 2.0, 2.0], 0, [0, 0, 0]),
    "norm at 0": (lambda m, x: m.norm(x), [0.0, 0.0], 0, [0, 0]),
    "norm 1 at 0": (lambda m, x: m.norm(x, 1), [0.0, -2.0], 2, [0, -1]),
    "norm inf at 0": (lambda m, x: m.norm(x, inf), [0.0, 0.0], 0, [0, 0]),
    "norm 0.5 at 0": (lambda m, x: m.norm(x, 0.5), [0.0, 4.0], 4, [0, 1]),
    "prod of a zero": (lambda m, x: m.prod(x), [0.0, 3.0, 2.0], 0, [6, 0, 0]),
    "prod of two zeros": (lambda m, x: m.prod(x), [0.0, 0.0, 2.0], 0, [0, 0, 0]),
    "cumprod of zeros": (lambda m, x: m.cumprod(x, 0), [2.0, 0.0, 3.0, 0.0], [2, 0, 0, 0], [1, 8, 0, 0]),
    "amax of ties": (lambda m, x: m.amax(x), [3.0, 3.0, 1.0], 3, [0.5, 0.5, 0]),
    "median of NaN": (lambda m, x: m.median(x), [1.0, nan, 0.0], nan, [0, 1, 0]),
    "median of NaN, dim": (lambda m, x: m.median(x, 0)[0], [1.0, nan, 0.0, nan], nan, [0, 1, 0, 0]),
    "logsumexp of -inf": (lambda m, x: m.logsumexp(x, 0), [-inf, -inf], -inf, [nan, nan]),
    "softmax of -inf": (lambda m, x: m.softmax(x, 0), [-inf, -inf], [nan, nan], [nan, nan]),
    "cosine of zeros": (lambda m, x: _f(m).cosine_similarity(x, m.ones(2), dim=0), [0.0, 0.0], 0, [7.0710675e7, 7.0710675e7]),
    "normalize of zeros": (lambda m, x: _f(m).normalize(x, dim=0), [0.0, 0.0], [0, 0], [1e12, 1e12]),
    "smooth_l1 at its kinks": (
        lambda m, x: _f(m).smooth_l1_loss(x, m.zeros(3), reduction="none"), [0.0, 1.0, -1.0], [0, 0.5, 0.5], [0, 1, -1],
    ),
    "huber at its kinks": (
        lambda m, x: _f(m).huber_loss(x, m.zeros(3), reduction="none"), [0.0, 1.0, -1.0], [0, 0.5, 0.5], [0, 1, -1],
    ),
    "kl_div of targets 0": (lambda m, x: _f(m).kl_div(x, m.zeros(2), reduction="none"), [0.0, -3.0], [0, 0], [0, 0]),
    "where beside inf": (lambda m, x: m.where(x > 0, x, m.exp(x)), [2.0, -inf], [2, 0], [1, 0]),
    "bce where sigmoid is 0 or 1": (
        lambda m, x: _f(m).binary_cross_entropy(m.sigmoid(x), m.tensor([1.0, 0.0, 0.5]), reduction="none"),
        [200.0, -200.0, 200.0], [0, 0, 50], [0, 0, 0],
    ),
}  # fmt: skip


def _computed(library: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    function, x, _, _ = TABLE[name]
    x = library.tensor(np.array(x, np.float32), requires_grad=True)
    y = function(library, x)
    y.sum().backward()
    return y.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("name", TABLE)
def test_singular_points(name):
    _, _, values, slopes = TABLE[name]
    y, gradient = _computed(fz, name)
    np.testing.assert_allclose(y, np.array(values, np.float32), rtol=1e-5)
    if slopes is not None:
        np.testing.assert_allclose(gradient, np.array(slopes, np.float32), rtol=1e-5)


@pytest.mark.parity
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", TABLE)
def test_the_table_is_what_pytorch_gives(name):
    import torch

    _, _, values, slopes = TABLE[name]
    y, gradient = _computed(torch, name)
    if name == "gelu of -inf" and torch.backends.cpu.get_cpu_capability() == "AVX512":
        assert np.isnan(y[:2]).all() and y[2] == 0, "PyTorch's loops for AVX-512 give NaN for infinity, those for AVX2 do not"
        return
    np.testing.assert_allclose(y, np.array(values, np.float32), rtol=1e-5)
    if slopes is not None:
        np.testing.assert_allclose(gradient, np.array(slopes, np.float32), rtol=1e-5)


# ---------------------------------------------------------------------------------------------------------- addmm and its kin

KIN = {
    "addmm": ((2, 3), (2, 4), (4, 3)),
    "addmv": ((2,), (2, 4), (4,)),
    "addr": ((2, 3), (2,), (3,)),
    "baddbmm": ((2, 2, 3), (2, 2, 4), (2, 4, 3)),
    "addbmm": ((2, 3), (2, 2, 4), (2, 4, 3)),
}


@pytest.mark.parametrize("name", KIN)
def test_beta_0_does_not_read_the_input(name):
    shapes = KIN[name]
    x = fz.full(shapes[0], nan, requires_grad=True)
    y = getattr(fz, name)(x, fz.ones(shapes[1]), fz.ones(shapes[2]), beta=0)
    y.sum().backward()
    assert bool(fz.isfinite(y).all())
    assert fz.equal(x.grad, fz.zeros(shapes[0]))


@pytest.mark.parametrize("name", ["addmm", "addmv", "addbmm"])
def test_alpha_0_does_not_read_the_factors(name):
    shapes = KIN[name]
    factor = fz.full(shapes[1], nan, requires_grad=True)
    y = getattr(fz, name)(fz.ones(shapes[0]), factor, fz.ones(shapes[2]), alpha=0)
    y.sum().backward()
    assert fz.equal(y, fz.ones(shapes[0]))
    assert fz.equal(factor.grad, fz.zeros(shapes[1]))


# -------------------------------------------------------------------------------------------------------- indices, repetitions


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 3)])
def test_negative_and_repeated_indices_count_as_often_as_they_come(shape):
    places = [0, -5, 1, -1, 4, 0]
    x = fz.zeros(shape, requires_grad=True)
    taken = x[fz.tensor(places)]
    weights = np.arange(1.0, 1 + taken.numel(), dtype=np.float32).reshape(taken.shape)
    (taken * fz.tensor(weights)).sum().backward()
    expected = np.zeros(shape, np.float32)
    for place, weight in zip(places, weights, strict=True):
        expected[place] += weight
    np.testing.assert_array_equal(x.grad.numpy(), expected)
    put = fz.zeros(shape).index_put((fz.tensor(places),), fz.tensor(weights), accumulate=True)
    np.testing.assert_array_equal(put.numpy(), expected)
