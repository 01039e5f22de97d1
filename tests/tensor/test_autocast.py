"""`autocast`: what is computed in which dtype, where it holds, what gradients come of it. PyTorch's table is in tests/parity."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import frazil as fz
import frazil.nn.functional as F

BF16, F16, F32 = fz.bfloat16, fz.float16, fz.float32


def layer() -> fz.nn.Module:
    fz.manual_seed(0)
    return fz.nn.Sequential(fz.nn.Linear(3, 4), fz.nn.LayerNorm(4), fz.nn.ReLU(), fz.nn.Linear(4, 2))


@pytest.mark.parametrize("fast", [BF16, F16])
def test_products_are_fast_losses_exact_and_the_rest_as_given(fast: Any):
    x, w = fz.randn(2, 3), fz.randn(4, 3)
    with fz.autocast("cpu", dtype=fast):
        y = F.linear(x, w)
        assert y.dtype is (x @ w.t()).dtype is fz.mm(x, w.t()).dtype is F.conv1d(fz.ones(1, 2, 5), fz.ones(3, 2, 3)).dtype is fast
        assert y.exp().dtype is y.softmax(1).dtype is (y + y).dtype is fast and x.exp().dtype is F32
        assert F.mse_loss(y, y).dtype is F.cross_entropy(y, fz.tensor([0, 1])).dtype is y.prod().dtype is F32
        assert fz.cat([y, y]).dtype is fast and fz.cat([y, y.float()]).dtype is F32
        assert (x.double() @ w.double().t()).dtype is fz.float64
    assert (x @ w.t()).dtype is F32


def test_blocks_nest_and_can_be_turned_off():
    x = fz.ones(2, 2)
    with fz.autocast("cpu"):
        assert (x @ x).dtype is BF16 and fz.is_autocast_enabled("cpu") and fz.get_autocast_dtype("cpu") is BF16
        with fz.autocast("cpu", enabled=False):
            assert (x @ x).dtype is F32 and not fz.is_autocast_enabled("cpu")
            with fz.autocast("cpu", dtype=F16):
                assert (x @ x).dtype is F16
        with fz.autocast("opencl", enabled=False):
            assert (x @ x).dtype is F32
        assert (x @ x).dtype is BF16
    with pytest.raises(ZeroDivisionError), fz.autocast("cpu"):
        _ = 1 / 0
    assert (x @ x).dtype is F32 and not fz.is_autocast_enabled()


def test_as_a_decorator_also_of_methods_and_generators():
    class Net(fz.nn.Module):
        @fz.autocast("cpu", dtype=BF16)
        def forward(self, x: Any) -> Any:
            return x @ x

    @fz.autocast("cpu")
    def products(x: Any) -> Any:
        yield x @ x

    assert Net()(fz.ones(2, 2)).dtype is BF16
    for y in products(fz.ones(2, 2)):
        assert y.dtype is BF16 and (fz.ones(2, 2) @ fz.ones(2, 2)).dtype is F32


def test_gradients_have_the_dtypes_of_the_parameters():
    model = layer()
    with fz.autocast("cpu"):
        loss = F.mse_loss(model(fz.randn(5, 3)), fz.zeros(5, 2))
    loss.backward()
    assert {p.grad.dtype for p in model.parameters()} == {F32} and loss.dtype is F32
    with fz.autocast("cpu"):  # backward inside of the block as well
        model(fz.randn(5, 3)).sum().backward()
    assert {p.grad.dtype for p in model.parameters()} == {F32}


def test_a_parameter_is_cast_once_and_again_when_it_changed(monkeypatch: pytest.MonkeyPatch):
    casts = []
    plain = fz.device("cpu").kernels["cast"]
    monkeypatch.setitem(fz.device("cpu").kernels, "cast", lambda x, *, dtype: (casts.append(x.shape), plain(x, dtype=dtype))[1])
    w = fz.ones(3, 3, requires_grad=True)
    x = fz.ones(1, 3).bfloat16()
    with fz.autocast("cpu"):
        for _ in range(3):
            y = F.linear(x, w)
        assert casts.count((3, 3)) == 1
        with fz.no_grad():
            w.mul_(2)
        assert F.linear(x, w).tolist() == (2 * y).tolist() and casts.count((3, 3)) == 2
    casts.clear()
    with fz.autocast("cpu", cache_enabled=False):
        F.linear(x, w), F.linear(x, w)
    assert casts.count((3, 3)) == 2


def test_what_was_cast_without_gradients_has_them_later():
    w = fz.ones(2, 2, requires_grad=True)
    with fz.autocast("cpu"):
        with fz.no_grad():
            fz.ones(2, 2) @ w
        (fz.ones(2, 2) @ w).sum().backward()
    assert w.grad.tolist() == [[2, 2], [2, 2]]


def test_other_threads_and_other_devices_are_left_alone():
    found = []
    with fz.autocast("cpu"):
        thread = threading.Thread(target=lambda: found.append((fz.ones(2, 2) @ fz.ones(2, 2)).dtype))
        thread.start()
        thread.join()
    assert found == [F32]
    with pytest.warns(UserWarning, match="no device of type 'cuda'"), fz.autocast("cuda"):
        assert (fz.ones(2, 2) @ fz.ones(2, 2)).dtype is F32
    with pytest.warns(UserWarning, match="bfloat16 or float16, asked for float64"), fz.autocast("cpu", dtype=fz.float64):
        assert (fz.ones(2, 2) @ fz.ones(2, 2)).dtype is F32


def test_functions_of_ones_own_follow_custom_fwd():
    seen = []

    class Product(fz.autograd.Function):
        @staticmethod
        @fz.amp.custom_fwd(device_type="cpu")
        def forward(ctx: Any, a: Any, b: Any) -> Any:
            ctx.save_for_backward(a, b)
            return a @ b

        @staticmethod
        @fz.amp.custom_bwd(device_type="cpu")
        def backward(ctx: Any, g: Any) -> Any:
            a, b = ctx.saved_tensors
            seen.append((g @ b.t()).dtype)
            return g @ b.t(), a.t() @ g

    class Exact(fz.autograd.Function):
        @staticmethod
        @fz.amp.custom_fwd(device_type="cpu", cast_inputs=F32)
        def forward(ctx: Any, a: Any) -> Any:
            seen.append((a @ a).dtype)
            return a * 1

        @staticmethod
        @fz.amp.custom_bwd(device_type="cpu")
        def backward(ctx: Any, g: Any) -> Any:
            return g

    x = fz.ones(2, 2, requires_grad=True)
    with fz.autocast("cpu"):
        y = Product.apply(x, x)
        z = Exact.apply(x.bfloat16())
    assert y.dtype is BF16 and z.dtype is F32
    y.float().sum().backward()
    assert seen == [F32, BF16] and x.grad.dtype is F32 and x.grad.tolist() == [[4, 4], [4, 4]]


def test_a_recording_and_a_compiled_function_cast_as_the_block_around_them():
    model, x = layer(), fz.randn(5, 3)
    with fz.autocast("cpu"):
        expected = model(x)
        program = fz.jit.trace(model, (x,))
    assert program(x).equal(expected) and expected.dtype is BF16
    inner = fz.jit.trace(fz.autocast("cpu")(lambda x: model(x)), (x,))
    assert inner(x).equal(expected)
    compiled = fz.compile(model)
    plain = compiled(x)
    with fz.autocast("cpu"):
        cast = compiled(x)
    assert plain.dtype is F32 and cast.equal(expected) and compiled(x).equal(plain)


def test_training_with_a_scaler():
    model, x, goal = layer(), fz.randn(16, 3), fz.randn(16, 2)
    optimizer, scaler = fz.optim.Adam(model.parameters(), lr=0.05), fz.amp.GradScaler("cpu", init_scale=2.0**8)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        with fz.autocast("cpu", dtype=F16):
            loss = F.mse_loss(model(x), goal)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0] and model[0].weight.dtype is F32
