"""Names of PyTorch's inside that programs read or define anew in classes of their own."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

#: what makes a module; what is read of it
READ = {
    "weights of recurrent layers": (
        lambda xp: xp.nn.LSTM(2, 3, num_layers=2, bidirectional=True),
        lambda m: (m._all_weights, m._flat_weights_names, [w.shape for w in m._flat_weights], m.mode),
    ),
    "weights with projections": (
        lambda xp: xp.nn.LSTM(2, 4, proj_size=3, bias=False),
        lambda m: (m._all_weights, m._flat_weights_names, [len(ws) for ws in m.all_weights]),
    ),
    "padding of convolutions": (
        lambda xp: xp.nn.Conv2d(2, 2, (3, 5), padding=(1, 2), padding_mode="circular"),
        lambda m: (m._reversed_padding_repeated_twice, m.padding, m.transposed, m.output_padding),
    ),
    "padding of convolutions that keep the size": (
        lambda xp: xp.nn.Conv1d(2, 2, 4, padding="same", padding_mode="reflect"),
        lambda m: m._reversed_padding_repeated_twice,
    ),
    "parameters of a plain dict": (
        lambda xp: xp.nn.ParameterDict({"b": xp.zeros(2, 3), "a": xp.ones(1), "c": 3}),
        lambda m: (list(m), list(m.state_dict()), repr(m), [p.shape for p in m.parameters()]),
    ),
    "parameters of an ordered dict": (
        lambda xp: xp.nn.ParameterDict(OrderedDict([("b", xp.zeros(2)), ("a", xp.ones(1))])),
        lambda m: (list(m), list(reversed(m)), list(m.copy()), list(m.fromkeys(["y", "x"], 1.0).items())),
    ),
    "parameters of pairs": (
        lambda xp: xp.nn.ParameterDict([("b", xp.zeros(2)), ("a", xp.ones(1))]),
        lambda m: (m.popitem()[0], list(m), list(m | {"z": 1.0, "d": 2.0}), list({"z": 1.0} | m)),
    ),
    "lists of parameters": (lambda xp: xp.nn.ParameterList([xp.ones(2), xp.ones(1).double(), "x"]), repr),
}


def _described(value: Any) -> str:
    return str(value).replace("frazil", "torch")


@pytest.mark.parametrize("name", READ)
def test_what_programs_read(name: str) -> None:
    make, read = READ[name]
    assert _described(read(make(fz))) == _described(read(make(torch)))


def _kept_attention(xp: Any) -> Any:
    class Layer(xp.nn.TransformerEncoderLayer):
        def _sa_block(self, x, attn_mask, key_padding_mask, is_causal=False):
            x, self.attention = self.self_attn(
                x, x, x, attn_mask=attn_mask, key_padding_mask=key_padding_mask, is_causal=is_causal, need_weights=True
            )
            return self.dropout1(x)

        def _ff_block(self, x):
            return self.dropout2(self.linear2(xp.tanh(self.linear1(x))))

    return xp.nn.TransformerEncoder(Layer(8, 2, 16, dropout=0.0, batch_first=True), 2, enable_nested_tensor=False)


def _memory_first(xp: Any) -> Any:
    class Layer(xp.nn.TransformerDecoderLayer):
        def forward(self, tgt, memory, *args, **kwargs):
            x = tgt + self._mha_block(self.norm2(tgt), memory, None, None)
            x = x + self._sa_block(self.norm1(x), None, None)
            return x + self._ff_block(self.norm3(x))

    return Layer(8, 2, 16, dropout=0.0, batch_first=True)


def _standardised(xp: Any) -> Any:
    class Conv(xp.nn.Conv2d):
        def forward(self, x):
            weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
            x = xp.nn.functional.pad(x, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            return xp.nn.functional.conv2d(x, weight, self.bias, self.stride, 0, self.dilation, self.groups)

    return Conv(2, 3, 3, padding=1, padding_mode="reflect")


def _dropped_weights(xp: Any) -> Any:
    """Weights of an LSTM that are computed before every call, as in language models with DropConnect."""

    class WeightDrop(xp.nn.Module):
        def __init__(self, module, names):
            super().__init__()
            self.module, self.names = module, names
            self.module.flatten_parameters = lambda *args, **kwargs: None
            for name in names:
                weight = getattr(self.module, name)
                del self.module._parameters[name]
                self.module.register_parameter(name + "_raw", xp.nn.Parameter(weight.data))

        def forward(self, *args):
            for name in self.names:
                raw = getattr(self.module, name + "_raw")
                setattr(self.module, name, xp.nn.functional.dropout(raw, p=0.0, training=self.training) * 0.5)
            self.module._flat_weights = [getattr(self.module, name) for name in self.module._flat_weights_names]
            return self.module.forward(*args)[0]

    return WeightDrop(xp.nn.LSTM(8, 4, batch_first=True), ["weight_hh_l0"])


DEFINED = {
    "blocks of encoder layers": (_kept_attention, [(3, 5, 8)]),
    "blocks of decoder layers": (_memory_first, [(3, 5, 8), (3, 4, 8)]),
    "padding of convolutions": (_standardised, [(2, 2, 6, 5)]),
    "weights of recurrent layers": (_dropped_weights, [(2, 5, 8)]),
}


@pytest.mark.parametrize("name", DEFINED)
def test_what_programs_define_anew(parity: Any, name: str) -> None:
    make, shapes = DEFINED[name]
    ours, theirs = make(fz), make(torch)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    parity.copy_state(ours, theirs)
    pairs = [parity.pair(parity.floats(*shape)) for shape in shapes]
    mine, yours = ours(*(a for a, _ in pairs)), theirs(*(b for _, b in pairs))
    parity.same(mine, yours)
    parity.backward(mine, yours)
    for (key, p), (_, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        parity.same(p.grad, q.grad, rtol=1e-4, atol=1e-5, what=key)
    if name == "blocks of encoder layers":
        for a, b in zip(ours.layers, theirs.layers, strict=True):
            parity.same(a.attention, b.attention)


def test_variables_are_tensors() -> None:
    """The old name is a class, which programs ask `isinstance` with."""
    for xp in (fz, torch):
        x = xp.autograd.Variable(xp.ones(2), requires_grad=True)
        assert isinstance(x, xp.autograd.Variable) and isinstance(xp.nn.Parameter(xp.ones(1)), xp.autograd.Variable)
        assert type(x) is xp.Tensor and x.requires_grad and not isinstance(np.ones(2), xp.autograd.Variable)
        with pytest.warns(UserWarning, match="volatile was removed"):
            assert not xp.autograd.Variable(xp.ones(2), volatile=True).requires_grad


def test_reversed_tensors_are_tensors(parity: Any) -> None:
    for shape in ((), (3,), (2, 3)):
        ours, theirs = parity.pair(parity.floats(*shape))
        parity.same(reversed(ours), reversed(theirs))


def test_histogram_has_a_number_of_bins(parity: Any) -> None:
    ours, theirs = parity.pair(parity.floats(50))
    for a, b in zip(ours.histogram(), theirs.histogram(), strict=True):
        parity.same(a, b, atol=1e-5)
