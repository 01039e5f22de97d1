"""Nested tensors: parts of different sizes, through functions, layers and attention, with their gradients, as PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

RNG = np.random.default_rng(0)
PARTS = [RNG.standard_normal(shape).astype(np.float32) for shape in ((4, 6), (1, 6), (3, 6))]

LINES = """
n.to_padded_tensor(0.0); n.to_padded_tensor(-1.0, (3, 5, 7)); xp.nested.to_padded_tensor(n, 2.0); n * 2; n + n; n - 1; n / 2; -n
n * n; xp.relu(n); n.relu(); xp.nn.functional.gelu(n); n.softmax(-1); n.softmax(2); xp.nn.functional.softmax(n, -1); n.cos()
n.transpose(1, 2); xp.nn.functional.layer_norm(n, (6,), w6, b6); n.sum(-1, keepdim=True); n.sum(2, True)
n.unsqueeze(-1).squeeze(-1)
n.chunk(3, -1)[1]; n.view(3, -1, 2, 3); n.reshape(3, -1, 3, 2).transpose(1, 2); xp.bmm(n, n.transpose(1, 2)); n.clone()
xp.matmul(n, n.transpose(1, 2)); n.to(xp.float64); n.contiguous(); xp.nn.functional.dropout(n, 0.5, False); n.sub(n)
xp.nn.functional.linear(n, w, b); xp.nn.functional.linear(n, w); n.tanh(); n.sigmoid(); n.abs(); xp.isnan(n); n.detach()
xp.nn.functional.scaled_dot_product_attention(*[n.view(3, -1, 2, 3).transpose(1, 2)] * 3); n.masked_fill(n.abs() > 1, 0.0)
""".replace("\n", ";")
LINES = [line.strip() for line in LINES.split(";") if line.strip()]
#: What PyTorch refuses of nested tensors, and frazil computes.
BEYOND = {
    "n.sigmoid()",
    "xp.nn.functional.scaled_dot_product_attention(*[n.view(3, -1, 2, 3).transpose(1, 2)] * 3)",
}
#: Of which PyTorch has no gradient.
VALUES_ONLY = {"n.tanh()", "n.chunk(3, -1)[1]"}


def namespace(xp: Any, requires_grad: bool = False) -> dict[str, Any]:
    parts = [xp.tensor(p).requires_grad_(requires_grad) for p in PARTS]
    weight, bias = xp.tensor(PARTS[0][:2]), xp.tensor(PARTS[1][0, :2])
    more = {"w6": xp.tensor(PARTS[0][0]), "b6": xp.tensor(PARTS[0][1])}
    return more | {"xp": xp, "parts": parts, "n": xp.nested.as_nested_tensor(parts), "w": weight, "b": bias}


def numbers(result: Any) -> list[np.ndarray]:
    parts = result.unbind() if result.is_nested else [result]
    return [p.detach().numpy() for p in parts]


def backward(result: Any) -> None:
    sum(part.sin().sum() for part in (result.unbind() if result.is_nested else [result])).backward()


@pytest.mark.parametrize("line", LINES)
def test_values_and_gradients(line):
    ours, theirs = namespace(fz, True), namespace(torch, True)
    found = eval(line, ours)
    if line in BEYOND:
        with pytest.raises(RuntimeError):
            eval(line, theirs)
        return
    wanted = eval(line, theirs)
    assert found.is_nested == wanted.is_nested and found.dim() == wanted.dim()
    for a, b in zip(numbers(found), numbers(wanted), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert found.requires_grad == wanted.requires_grad
    if not wanted.requires_grad:
        return
    backward(found)
    if line in VALUES_ONLY:
        with pytest.raises(RuntimeError):
            backward(wanted)
        return
    backward(wanted)
    for a, b in zip(ours["parts"], theirs["parts"], strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-5)


def test_what_a_nested_tensor_is():
    for xp in (fz, torch):
        n = namespace(xp)["n"]
        assert n.is_nested and n.dim() == 3 and n.size(0) == 3 and n.size(2) == n.size(-1) == 6 and n.numel() == 48
        assert n[1].shape == (1, 6) and len(n.unbind()) == 3 and n.is_contiguous() and not xp.ones(1).is_nested
        y = xp.ones(3, 4, 6)
        for wrong in (lambda n=n: n.size(1), lambda n=n: n.softmax(0), lambda n=n, y=y: n * y, lambda n=n: n.flip(0)):
            with pytest.raises((RuntimeError, NotImplementedError)):
                wrong()
        with pytest.raises(RuntimeError):
            xp.nested.nested_tensor([xp.ones(2), xp.ones(2, 2)])
        made = xp.nested.nested_tensor([[1.0, 2.0], [3.0]])
        assert " ".join(repr(made).split()) == "nested_tensor([ tensor([1., 2.]), tensor([3.]) ])"


def test_pieces_by_offsets():
    for xp in (fz, torch):
        values = xp.arange(8.0).reshape(4, 2)
        j = xp.nested.nested_tensor_from_jagged(values, xp.tensor([0, 1, 4]))
        assert j.layout == xp.jagged and [p.shape[0] for p in j.unbind()] == [1, 3]
        assert (j * 2).values().tolist() == (values * 2).tolist() and j.offsets().tolist() == [0, 1, 4]
        assert j.sum().item() == 28.0 and j.sum(dim=1).tolist() == [[0.0, 1.0], [12.0, 15.0]]
        made = xp.nested.nested_tensor([values[:1], values[1:]], layout=xp.jagged)
        assert [p.tolist() for p in made.unbind()] == [p.tolist() for p in j.unbind()]
        assert made.to_padded_tensor(-1.0).tolist() == [[[0.0, 1.0], [-1.0, -1.0], [-1.0, -1.0]], values[1:].tolist()]


def test_attention_and_encoder_layers_take_nested_tensors():
    theirs = torch.nn.TransformerEncoderLayer(6, 2, 8, batch_first=True).eval()
    mine = fz.nn.TransformerEncoderLayer(6, 2, 8, batch_first=True).eval()
    mine.load_state_dict({k: fz.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    n, t = namespace(fz)["n"], namespace(torch)["n"]
    with torch.no_grad():
        wanted = [theirs(t), theirs.self_attn(t, t, t, need_weights=False)[0]]
    found = [mine(n), mine.self_attn(n, n, n, need_weights=False)[0]]
    for a, b in zip(found, wanted, strict=True):
        x, y = a.to_padded_tensor(0.0), b.to_padded_tensor(0.0)
        np.testing.assert_allclose(x.detach().numpy(), y.numpy(), rtol=1e-4, atol=1e-5)
    padded = n.to_padded_tensor(0.0)
    mask = fz.arange(4) >= fz.tensor([[4], [1], [3]])
    by_mask = mine(padded, src_key_padding_mask=mask)
    for i, part in enumerate(mine(n)):
        np.testing.assert_allclose(part.detach().numpy(), by_mask[i, : len(part)].detach().numpy(), rtol=1e-4, atol=1e-5)
