"""bfloat16 as a dtype: what it holds, where it goes, what it becomes beside others."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import frazil as fz


def test_a_program_without_it_does_not_import_ml_dtypes():
    program = (
        "import sys, frazil as fz\n"
        "x = fz.ones(2); y = (x * 2 + fz.rand(2)).sum().item(), fz.bfloat16 is x.dtype, {fz.bfloat16: 1}\n"
        "assert 'ml_dtypes' not in sys.modules; x.bfloat16(); assert 'ml_dtypes' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_it_holds_what_pytorch_says():
    x = fz.tensor([1.0, 1.00390625, 1.01171875, 3.4e38, 1e-40, float("nan")]).bfloat16()  # ties go to even
    assert x.tolist()[:4] == [1.0, 1.0, 1.015625, float("inf")] and x[5].isnan() and x.dtype is fz.bfloat16
    assert fz.tensor([16777217.0], dtype=fz.float64).to(fz.bfloat16).item() == 2.0**24
    assert x.element_size() == 2 and x.is_floating_point() and x.type() == "frazil.BFloat16Tensor"
    info = fz.finfo(fz.bfloat16)
    assert (info.bits, info.eps, info.dtype) == (16, 2.0**-7, "bfloat16") and info.max == float.fromhex("0x1.fep127")
    assert info.tiny == 2.0**-126 and info.resolution == 0.01
    assert fz.tensor([3.7, -1.5]).bfloat16().int().tolist() == [3, -1] and fz.tensor([300, -7]).bfloat16().tolist() == [300, -7]
    assert fz.tensor([x[0], x[1]]).dtype is fz.bfloat16 and fz.tensor([x[0], 0.5]).dtype is fz.float32
    assert repr(fz.tensor([0.1]).bfloat16()) == "tensor([0.1001], dtype=frazil.bfloat16)"
    assert isinstance(x[0].item(), float) and f"{x[0]:.1f}" == "1.0" and int(x[2]) == 1


def test_numpy_has_none_and_says_what_to_do():
    x = fz.ones(2).bfloat16()
    for ask in (x.numpy, lambda: np.asarray(x)):
        with pytest.raises(TypeError, match=r"NumPy has no bfloat16; use .float\(\).numpy\(\)"):
            ask()
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert fz.from_numpy(np.ones(2, ml_dtypes.bfloat16)).dtype is fz.bfloat16
    assert fz.tensor(np.ones(2, ml_dtypes.bfloat16)).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("other", "both"),
    [("bool", "bfloat16"), ("int64", "bfloat16"), ("uint8", "bfloat16"), ("float16", "float32"), ("float32", "float32")]
    + [("float64", "float64"), ("complex64", "complex64")],
)
def test_it_promotes_as_in_pytorch(other: str, both: str):
    a, b = fz.ones(2).bfloat16(), fz.ones(2).to(getattr(fz, other))
    assert (a + b).dtype is (b + a).dtype is fz.promote_types(fz.bfloat16, b.dtype) is getattr(fz, both)
    assert fz.where(fz.tensor([True, False]), a, b).dtype is getattr(fz, both)


def test_numbers_and_0d_tensors_leave_it():
    x = fz.ones(2).bfloat16()
    results = [x + 1, x * 0.5, 2**x, 1 / x, x + fz.tensor(1.0), x * fz.tensor(2.0, dtype=fz.float64), x // 2, -x, x.clamp(0, 1)]
    assert {y.dtype for y in results} == {fz.bfloat16}
    assert (x + 1j).dtype is fz.complex64 and (x > 0).dtype is fz.bool


def test_it_is_made_everywhere():
    b = fz.bfloat16
    x = fz.zeros(2, 3, dtype=b)
    made = [fz.arange(3, dtype=b), fz.linspace(0, 1, 3, dtype=b), fz.eye(2, dtype=b), fz.full((2,), 0.1, dtype=b), x.new_ones(1)]
    made += [
        fz.tensor([1, 2.5], dtype="bfloat16"),
        fz.randn_like(x),
        fz.rand(3, dtype=b),
        fz.randn(3, dtype=b),
        fz.empty(1, dtype=b),
    ]
    made += [
        fz.randint(0, 9, (3,), dtype=b),
        x.clone().uniform_(),
        x.clone().normal_(),
        x.clone().exponential_(),
        x.clone().random_(),
    ]
    made += [
        fz.stack([x, x]),
        fz.nn.Linear(2, 2, dtype=b).weight,
        fz.nn.functional.dropout(x),
        fz.bernoulli(x),
        fz.logspace(0, 1, 2, dtype=b),
    ]
    assert {t.dtype for t in made} == {b}
    fz.set_default_dtype(b)
    try:
        assert fz.ones(2).dtype is fz.tensor(1.5).dtype is b
    finally:
        fz.set_default_dtype(fz.float32)


def test_random_numbers_are_those_of_float16_in_fewer_bits():
    fz.manual_seed(0)
    wide = fz.rand(1000, dtype=fz.float16)
    fz.manual_seed(0)
    narrow = fz.rand(1000, dtype=fz.bfloat16)
    assert narrow.float().equal((wide.float() * 256).floor() / 256) and narrow.max() < 1


def test_sums_and_products_are_kept_in_float32():
    ones = fz.ones(70_000, dtype=fz.bfloat16)
    assert ones.sum().item() == 70144 and ones.mean().item() == 1 and ones.var().item() == 0  # 70000 rounds to it
    assert (ones @ ones).item() == 70144 and ones.cumsum(0)[-1].item() == 70144 and ones.norm().item() == 264
    assert fz.ones(8, dtype=fz.bfloat16).sum(dtype=fz.float32).dtype is fz.float32
    assert fz.tensor([1.001, 1.001]).sum(dtype=fz.bfloat16).item() == 2  # as PyTorch: the input is rounded first


def test_writes_views_and_out():
    x = fz.zeros(3, 4).bfloat16()
    x[1] = 2.5
    x[:, 1].add_(1).mul_(2)
    x.t()[3].fill_(7)
    x[x == 0] = -1
    assert x.tolist() == [[-1, 2, -1, 7], [2.5, 7, 2.5, 7], [-1, 2, -1, 7]]
    y = fz.empty(3, 4, dtype=fz.bfloat16)
    fz.exp(x, out=y)
    assert y.equal(x.exp()) and x.view(4, 3).stride() == (3, 1) and x.contiguous() is x
    x.zero_().copy_(fz.arange(12.0).reshape(3, 4))
    assert x.float().equal(fz.arange(12.0).reshape(3, 4))


def test_copies_and_files_keep_it(tmp_path: Path):
    x = fz.randn(2, 3).bfloat16()
    for again in (copy.deepcopy(x), pickle.loads(pickle.dumps(x)), copy.copy(x)):
        assert again.dtype is fz.bfloat16 and again.equal(x)
    model = fz.nn.Sequential(fz.nn.Linear(2, 3), fz.nn.BatchNorm1d(3)).bfloat16()
    assert model[1].running_mean.dtype is fz.bfloat16 and model[1].num_batches_tracked.dtype is fz.int64
    for name in ("m.pt", "m.safetensors"):
        fz.save(model.state_dict(), tmp_path / name)
        loaded = fz.load(tmp_path / name)
        assert all(loaded[k].dtype is v.dtype and loaded[k].equal(v) for k, v in model.state_dict().items())
    assert model.float()[0].weight.dtype is fz.float32 and model.to(dtype=fz.bfloat16)[0].bias.dtype is fz.bfloat16


def test_batches_of_it():
    data = fz.utils.data.TensorDataset(fz.randn(4, 2).bfloat16(), fz.arange(4))
    batch, labels = next(iter(fz.utils.data.DataLoader(data, batch_size=3)))
    assert batch.dtype is fz.bfloat16 and batch.shape == (3, 2) and labels.dtype is fz.int64


@pytest.mark.parametrize("make", [fz.optim.SGD, fz.optim.Adam, fz.optim.AdamW, fz.optim.RMSprop, fz.optim.Adagrad])
def test_optimisers_keep_it(make):
    w = fz.ones(5, dtype=fz.bfloat16, requires_grad=True)
    optimizer = make([w], lr=0.5)
    (w * 2).sum().backward()
    optimizer.step()
    assert w.dtype is w.grad.dtype is fz.bfloat16 and (w < 1).all()
    state = {k: v.dtype for k, v in optimizer.state[w].items() if isinstance(v, fz.Tensor) and v.ndim}
    assert set(state.values()) <= {fz.bfloat16}


def test_gradients_of_gradients():
    x = fz.tensor([0.5, 1.5]).bfloat16().requires_grad_()
    (g,) = fz.autograd.grad((x**3).sum(), x, create_graph=True)
    (h,) = fz.autograd.grad(g.sum(), x)
    assert g.dtype is h.dtype is fz.bfloat16 and h.tolist() == [3, 9]


def test_a_backend_without_it_says_so(monkeypatch: pytest.MonkeyPatch):
    error = fz.dtypes.not_there("bfloat16", "toy", ["float16", "float32", "float64"])
    assert "'toy' has no bfloat16" in str(error) and ".to(fz.float32)" in str(error)


@pytest.mark.parametrize(
    "made", ["fz.randn(2, dtype=fz.bfloat16)", "fz.randn_like(fz.ones(2), dtype=fz.bfloat16)", "fz.rand(2, dtype=fz.bfloat16)"]
)
def test_the_first_bfloat16_of_a_program_may_be_random(made):
    subprocess.run([sys.executable, "-c", f"import frazil as fz; assert {made}.dtype is fz.bfloat16"], check=True)


def test_complex_numbers_follow_the_default_dtype():
    before = fz.get_default_dtype()
    fz.set_default_dtype(fz.float64)
    try:
        assert fz.tensor(1j).dtype is fz.tensor([1j, 2]).dtype is fz.complex128
    finally:
        fz.set_default_dtype(before)
    assert fz.tensor([1j]).dtype is fz.complex64
