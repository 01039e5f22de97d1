"""The device "meta": shapes, dtypes and strides are those of the CPU, and numbers there are none."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn
from frazil.dispatch import run
from frazil.errors import NoDataError
from frazil.table import OPS, Op

from ..ops.cases import KEPT, packed

#: How large their results are depends on numbers.
REFUSED = {"nonzero_positions"}


def strides(t: Any) -> list[int]:
    """The strides that mean something: of dimensions of more than one element, where there are any."""
    return [s for s, n in zip(t.stride(), t.shape, strict=True) if n > 1] if t.numel() else []


def results(op: Op, attrs: dict[str, Any], tensors: list[Any], device: str) -> tuple[Any, ...]:
    found = op.call(*packed(op, tensors), **attrs) if tensors else run(op, [], attrs, fz.device(device))
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_op_gives_the_shapes_dtypes_and_strides_of_the_cpu(dtype):
    tried = 0
    for op in OPS.values():
        for sample in op.samples:
            arrays = sample.arrays(float_dtype="float32")
            here = [None if a is None else fz.tensor(a) for a in arrays]
            here = [t.to(getattr(fz, dtype)) if t is not None and t.dtype is fz.float32 else t for t in here]
            meta = [None if t is None else t.to("meta") for t in here]
            if op.name in REFUSED:
                with pytest.raises(NoDataError, match=f"{op.name}: the size of its result depends on numbers"):
                    results(op, sample.attrs, meta, "meta")
                continue
            try:
                expected = results(op, sample.attrs, here, "cpu")
            except RuntimeError as error:  # a dtype that the op does not take
                with pytest.raises(type(error)):
                    results(op, sample.attrs, meta, "meta")
                continue
            for i, (a, b) in enumerate(zip(expected, results(op, sample.attrs, meta, "meta"), strict=True)):
                assert (tuple(b.shape), b.dtype) == (tuple(a.shape), a.dtype) and b.is_meta, (op.name, sample)
                assert strides(b) == strides(a) or i >= KEPT.get(op.name, i + 1), (op.name, sample)
                tried += 1
    assert tried > 500


def test_gradients_of_every_op_have_the_shapes_of_the_tensors():
    for op in OPS.values():
        if not op.differentiable and not op.through_body:
            continue
        for sample in op.samples:
            if not sample.grad or op.name in REFUSED:
                continue
            meta = [None if a is None else fz.tensor(a, device="meta") for a in sample.arrays()]
            leaves = [t.requires_grad_() for t in meta if t is not None and t.dtype.is_floating_point]
            found = [y for y in results(op, sample.attrs, meta, "meta") if y.requires_grad] if leaves else []
            if found:
                sum(y.sum() for y in found).backward()
            for t in leaves:
                assert t.grad is None or (t.grad.shape == t.shape and t.grad.is_meta), (op.name, sample)


MAKERS = """
empty(2, 3)
zeros(2)
ones(2, dtype=fz.int32)
full((2,), 1.5)
arange(4)
linspace(0, 1, 3)
logspace(0, 1, 3)
logspace(fz.tensor(0), 1, 3, fz.tensor(2.0))
eye(2)
tensor([1, 2])
as_tensor([1.0])
tril_indices(3, 3)
rand(2, 3)
randn(2)
randint(0, 5, (2,))
randperm(4)
normal(0, 1, (2,))
bernoulli(fz.rand(3))
multinomial(fz.rand(3), 2)
poisson(fz.rand(3))
binomial(fz.full((3,), 4.0), fz.rand(3))
hann_window(4)
zeros_like(fz.rand(2))
gcd(fz.arange(3), fz.tensor(4))
linalg.svd(fz.rand(2, 3)).S
linalg.inv(fz.rand(2, 2))
linalg.det(fz.rand(4, 2, 2))
fft.rfft(fz.rand(8))
distributions.Normal(fz.zeros(2), fz.ones(2)).sample()
distributions.Gamma(fz.ones(2), fz.ones(2)).rsample()
nn.functional.one_hot(fz.arange(3), 4)
nn.init.orthogonal_(fz.rand(2, 3))
func.vmap(fz.sum)(fz.rand(3, 2))
func.jacrev(fz.sin)(fz.rand(3))
stft(fz.rand(100), 10, window=fz.hann_window(10), return_complex=True)
"""


@pytest.mark.parametrize("line", MAKERS.strip().splitlines())
def test_what_makes_tensors(line):
    def make() -> Any:
        return eval(f"fz.{line}", {"fz": fz})

    expected = make()
    with fz.device("meta"):
        made = make()
    assert (made.shape, made.dtype, made.device) == (expected.shape, expected.dtype, fz.device("meta"))


def test_views_and_writes():
    x = fz.rand(3, 4, device="meta")
    y = x.t()[1:]
    assert y.stride() == (1, 4) and y._base is x and not y.is_contiguous() and (y + 1).stride() == (1, 3)
    y.add_(1).normal_()
    x[x > 0] = 1.0
    x[0, 1:] = fz.ones(3, device="meta")
    assert x._version and x.view(-1).shape == (12,) and y.contiguous().stride() == (3, 1)
    assert x.view(fz.int16).shape == (3, 8) and x.data_ptr() == 0 and x.untyped_storage().nbytes() == 48
    with pytest.raises(RuntimeError, match="cannot be seen as"):
        y.view(-1)
    assert fz.zeros(3, device="meta").copy_(fz.ones(3)).is_meta


def test_a_model_is_made_trained_and_filled():
    with fz.device("meta"):
        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.LazyLinear(4))
        loss = nn.functional.cross_entropy(model(fz.rand(2, 3, 5, 5)), fz.zeros(2, dtype=fz.int64))
    loss.backward()
    optimizer = fz.optim.AdamW(model.parameters())
    optimizer.step()
    assert all(p.is_meta and p.grad is not None and p.grad.shape == p.shape for p in model.parameters())
    assert model.to_empty(device="cpu")(fz.rand(2, 3, 5, 5)).shape == (2, 4)


def test_weights_come_by_assignment():
    source, target = nn.Linear(2, 3), nn.Linear(2, 3, device="meta")
    with pytest.warns(UserWarning, match="on the device 'meta' stays without numbers: pass assign=True"):
        target.load_state_dict(source.state_dict())
    with pytest.raises(RuntimeError, match='\'?"weight": the one from checkpoint is on the device "meta"'):
        source.load_state_dict(target.state_dict())
    target.load_state_dict(source.state_dict(), assign=True)
    assert fz.equal(target(fz.ones(2)), source(fz.ones(2)))


@pytest.mark.parametrize(
    "ask", ["item()", "tolist()", "cpu()", "__bool__()", "nonzero()", "unique()", "__getitem__(x > 0)", "equal(x)"]
)
def test_numbers_are_refused(ask):
    with pytest.raises(NotImplementedError, match="meta"):
        eval(f"x.{ask}", {"x": fz.ones(1, device="meta")})


def test_copies_to_other_devices_and_mixtures_are_refused():
    meta = fz.ones(3, device="meta")
    with pytest.raises(NoDataError, match=r"float32\[3\]\) has no numbers .* module.to_empty\(device=...\)"):
        fz.zeros(3).copy_(meta)
    with pytest.raises(NoDataError, match="to_empty"):
        nn.Linear(2, 2, device="meta").to("cpu")
    with pytest.raises(RuntimeError, match="different devices"):
        meta + fz.ones(3)
    assert (meta + fz.ones(())).is_meta


def test_text_and_copies():
    x = fz.ones(3, 2, dtype=fz.int64, device="meta")
    assert repr(x) == "tensor(..., device='meta', size=(3, 2), dtype=frazil.int64)" and f"{x[0, 0]}".startswith("tensor(...")
    assert repr(fz.ones(3, device="meta", requires_grad=True)) == "tensor(..., device='meta', size=(3,), requires_grad=True)"
    again = pickle.loads(pickle.dumps(x.t()))
    assert again.is_meta and again.stride() == (1, 2) and again.dtype is fz.int64
    assert fz.from_numpy(np.ones((2, 3)).T).to("meta").stride() == (1, 3)


def test_the_cpu_draws_as_if_nothing_had_been():
    fz.manual_seed(0)
    with fz.random.fork_rng():
        fz.rand(5, device="meta")
    drawn = fz.rand(2)
    fz.manual_seed(0)
    assert fz.equal(drawn, fz.rand(2))


def test_attributes_of_a_tensor_are_those_that_it_was_given():
    p = nn.Parameter(fz.ones(2))
    p.tag = 1
    assert vars(p) == {"tag": 1} == p.__dict__ and vars(fz.ones(2) + p) == {}


def test_libraries_put_parameters_there_as_they_are_registered(monkeypatch):
    register = nn.Module.register_parameter

    def on_meta(module: Any, name: str, parameter: Any) -> None:
        register(module, name, parameter)
        if parameter is not None:
            kept = module._parameters[name]
            module._parameters[name] = type(kept)(kept.to("meta"), **kept.__dict__, requires_grad=kept.requires_grad)

    source = nn.Embedding(4, 3, padding_idx=0)
    monkeypatch.setattr(nn.Module, "register_parameter", on_meta)
    model = nn.Embedding(4, 3, padding_idx=0)
    monkeypatch.undo()
    assert model.weight.is_meta and isinstance(model.weight, nn.Parameter)
    model.load_state_dict(source.state_dict(), assign=True)
    assert fz.equal(model(fz.arange(4)), source(fz.arange(4)))
