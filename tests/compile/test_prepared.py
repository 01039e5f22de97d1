"""Kernels for known shapes give what the usual kernels give, and optimiser steps at once what they give one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn
from frazil.backends.numpy.prepared import MAKERS, SMALL, Steps
from frazil.backends.numpy.threads import one_blas_thread
from frazil.nn import functional as F
from frazil.table import Spec

DEVICE = fz.device("cpu")
SHAPES = {
    "linear": [[(4, 3), (5, 3), (5,)], [(1, 1), (1, 1), (1,)], [(5, 260), (256, 260), (256,)]],
    "matmul": [[(4, 3), (3, 2)], [(0, 3), (3, 2)], [(2, 0), (0, 2)]],
    "linear_weight_grad": [[(4, 3), (4, 5)], [(0, 3), (0, 5)]],
    "relu": [[(4, 3)], [()], [(0,)]],
    "relu_grad": [[(4, 3), (4, 3)], [(0, 2), (0, 2)], [(40, 40), (40, 40)]],
    "sum_to_last": [[(4, 3)], [(0, 3)]],
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_prepared_kernel_gives_what_the_usual_one_gives(name: str) -> None:
    rng = np.random.default_rng(0)
    for shapes in SHAPES[name]:
        for dtype in ("float32", "float64"):
            arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
            for array in arrays[-1:]:
                array.reshape(-1)[::3] = np.nan
            if len(arrays[0].shape) == 2:
                arrays.append(arrays.pop().copy(order="F"))
            quick = MAKERS[name]([Spec(shape, fz.float32 if dtype == "float32" else fz.float64) for shape in shapes], {})
            assert quick is not None
            found, expected = quick(*arrays), DEVICE.kernels[name](*arrays)
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
            np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert MAKERS[name]([Spec((4,) * 3, fz.float16)] * 3, {}) is None


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("ignored", [False, True])
def test_a_loss_with_its_gradient_is_the_eager_one(reduction: str, ignored: bool) -> None:
    layer = nn.Linear(3, 4)

    def step(x: fz.Tensor, y: fz.Tensor) -> Any:
        loss = F.cross_entropy(layer(x), y, reduction=reduction)
        return loss, *fz.autograd.grad(loss, list(layer.parameters()))

    compiled = fz.compile(step, engine="numpy")
    for n in (5, 1, 7):
        x, y = fz.randn(n, 3) * 30, fz.randint(0, 4, (n,))
        if ignored and n > 1:
            y[1] = -100
        for a, b in zip(compiled(x, y), step(x, y), strict=True):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(IndexError, match="out of range"):
        compiled(x, fz.full((n,), 4))


OPTIMIZERS: dict[str, Any] = {
    "SGD": {},
    "momentum": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "Adam": {},
    "AdamW": {"amsgrad": True, "weight_decay": 0.1},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_at_once_are_steps_one_by_one_whatever_happens_to_parameters_between(name: str) -> None:
    def trained(compiled: bool) -> list[Any]:
        fz.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4), nn.Linear(4, SMALL // 2))
        options = OPTIMIZERS[name]
        opt = getattr(fz.optim, "SGD" if name == "momentum" else name)(model.parameters(), lr=0.1, **options)

        def step(x: fz.Tensor) -> fz.Tensor:
            opt.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            opt.step()
            return loss

        run, x = fz.compile(step, engine="numpy") if compiled else step, fz.randn(6, 3)
        held = []
        for i in range(12):
            run(x)
            if i == 3:  # new memory for one, the old of which somebody else holds
                held.append((model[0].weight.detach(), model[0].weight.tolist()))
                model[0].weight.data = model[0].weight.data * 2
            if i == 5:
                with fz.no_grad():
                    model[2].bias.mul_(0.5)
            if i == 7:
                state = {k: v.clone() for k, v in model.state_dict().items()}
            if i == 9:
                model.load_state_dict(state)
        assert all(tensor.tolist() == numbers for tensor, numbers in held)
        return [*model.parameters(), *(t for slots in opt.state.values() for t in slots.values())]

    found, expected = trained(True), trained(False)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_small_parameters_of_modules_are_stepped_at_once_for_good(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 4)), fz.randn(6, 3)
    opt = getattr(fz.optim, name)(model.parameters(), lr=0.1)

    @fz.compile(engine="numpy")
    def step() -> fz.Tensor:
        opt.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        opt.step()
        return loss

    for _ in range(4):
        step()
    places = [p.data_ptr() for p in model.parameters()]
    monkeypatch.delattr(Steps, "_moved")
    monkeypatch.delattr(Steps, "_one_by_one")
    losses = [step().item() for _ in range(20)]
    assert losses[-1] < losses[0]
    assert [p.data_ptr() for p in model.parameters()] == places


@pytest.mark.parametrize(("layer", "held"), [(nn.Conv2d(1, 2, 3), True), (nn.Linear(5, 2), False)])
def test_a_program_with_convolutions_holds_blas_to_one_thread_from_its_beginning_to_its_end(
    layer: nn.Module, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled, x = fz.compile(layer, engine="numpy"), fz.ones(1, 5, 5)
    with fz.no_grad():
        expected = layer(x).numpy()
        compiled(x), compiled(x)
        set_to: list[int] = []
        monkeypatch.setattr(one_blas_thread, "_get", lambda: 5)
        monkeypatch.setattr(one_blas_thread, "_set", set_to.append)
        np.testing.assert_allclose(compiled(x).numpy(), expected, rtol=1e-6)
    assert set_to == ([1, 5] if held else [])


_SPREAD = [*np.linspace(-60, 60, 1001), 1e30, -1e30]
FORTH_AND_BACK: dict[str, tuple[Any, list[Any]]] = {
    "gelu": (F.gelu, [fz.tensor(_SPREAD)]),
    "gelu, float64": (F.gelu, [fz.tensor(_SPREAD, dtype=fz.float64)]),
    "gelu, in another order": (lambda x: F.gelu(x.t()), [fz.arange(-6.0, 6.0, 0.01).reshape(30, 40)]),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (5,), w, b), [(7, 3, 5), (5,), (5,)]),
    "layer_norm, without a bias": (lambda x, w: F.layer_norm(x, (3, 5), w), [(7, 3, 5), (3, 5)]),
    "layer_norm, alone": (lambda x: F.layer_norm(x, (5,), eps=0.1), [(400, 5)]),
    "attention": (F.scaled_dot_product_attention, [(2, 3, 6, 8)] * 3),
    "causal attention": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        [(200, 150), (200, 150), (200, 7)],
    ),
    "causal attention to more": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=2.0),
        [(2, 3, 4, 8), (2, 3, 9, 8), (2, 3, 9, 8)],
    ),
    "attention of heads that share keys": (F.scaled_dot_product_attention, [(3, 6, 8), (6, 8), (6, 8)]),
    "attention to more than is read": (F.scaled_dot_product_attention, [(2, 50, 3), (2, 70, 3), (2, 70, 3)]),
    "attention under a mask": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, fz.eye(6).bool()),
        [(3, 6, 8), (3, 6, 8), (3, 6, 8)],
    ),
}


@pytest.mark.parametrize("name", FORTH_AND_BACK)
def test_what_is_kept_for_a_gradient_gives_that_of_eager_code(name: str) -> None:
    function, given = FORTH_AND_BACK[name]
    fz.manual_seed(0)
    tensors = [(fz.randn(t) if isinstance(t, tuple) else t).requires_grad_() for t in given]
    slope = fz.randn(function(*tensors).shape)

    @fz.compile(engine="numpy", fullgraph=True, dynamic=False)
    def compiled(*tensors: fz.Tensor) -> Any:
        y = function(*tensors)
        return y, *fz.autograd.grad(y, tensors, slope)

    y = function(*tensors)
    for _ in range(3):
        for a, b in zip(compiled(*tensors), (y, *fz.autograd.grad(y, tensors, slope, retain_graph=True)), strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-5, atol=1e-6)


def test_what_is_normalised_may_have_a_free_size_beside_a_known_one() -> None:
    @fz.compile(engine="numpy", fullgraph=True, dynamic=True)
    def compiled(x: fz.Tensor) -> Any:
        return both(x)

    def both(x: fz.Tensor) -> Any:
        x = x.detach().requires_grad_()
        y = F.layer_norm(F.group_norm(x, 2).mean(2), (8,))
        return y, *fz.autograd.grad(y.square().sum() + y.exp().sum(), x)

    for n in (3, 4, 1, 5):  # of 4 the groups are as long as what the other normalises
        x = fz.randn(2, 8, n)
        for a, b in zip(compiled(x), both(x), strict=True):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-4)


def test_the_slope_of_gelu_is_known_at_its_ends() -> None:
    @fz.compile(engine="numpy")
    def slope(x: fz.Tensor) -> fz.Tensor:
        return fz.autograd.grad(F.gelu(x).sum(), x)[0]

    x = fz.tensor([-np.inf, -200.0, 0.0, 200.0, np.inf, np.nan], requires_grad=True)
    for found in (slope(x), fz.autograd.grad(F.gelu(x).sum(), x)[0]):
        np.testing.assert_allclose(found.numpy(), [0, 0, 0.5, 1, 1, np.nan], rtol=1e-6)
