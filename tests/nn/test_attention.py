"""Attention in ONNX: the same numbers at every size and opset, rows that see nothing included, in few operators; and misuse."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
import frazil.nn.functional as F
from frazil import nn
from frazil.exporters.onnx.running import run_file
from frazil.ops.attention import scaled_dot_product_attention

#: What the exporter writes by default, and, in the slow tests, the others that it can write.
OPSETS = (21, 23, 24)
EACH_OPSET = [pytest.param(opset, marks=[] if opset == 21 else pytest.mark.slow) for opset in OPSETS]
INF = float("inf")


def randn(*shape: int) -> fz.Tensor:
    return fz.tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def exported(program: Any, *args: fz.Tensor, opset: int = 21, **options: Any) -> Any:
    """The report; verified at several sizes, and equal wherever onnxruntime ran it."""
    if isinstance(program, nn.Module):
        program.eval()
    report = fz.onnx.export(program, args, opset_version=opset, **options)
    outcomes = [check.outcome for check in report.checks.checks]
    assert outcomes.count("equal") >= 3 and set(outcomes) <= {"equal", "refused", "the program refuses this size"}, report.checks
    return report


def in_file(report: Any, *args: fz.Tensor) -> list[np.ndarray]:
    feeds = {value.name: x.numpy() for value, x in zip(report.graph.inputs, args, strict=True)}
    return list(run_file(report.model_bytes, feeds).values())


# --- masks ----------------------------------------------------------------------------------------------------------------------

ROWS, KEYS = 3, 5
SEEN = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]], bool)
ADDED = np.where(SEEN, 0.5, -INF).astype(np.float32)

MASKS: dict[str, np.ndarray | None] = {
    "none": None,
    "bool": SEEN,
    "added": ADDED,
    "bool of a batch": np.stack([SEEN, ~SEEN])[:, None],
    "bool of heads": np.stack([SEEN, ~SEEN, SEEN])[None],
    "added of all": np.broadcast_to(ADDED, (2, 3, ROWS, KEYS)).copy(),
    "padding": np.array([[1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], bool)[:, None, None],
    "padding, added": np.where([[1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], 0.0, -INF).astype(np.float32)[:, None, None],
    "one key": SEEN[:, :1],
    "lowest numbers": np.where(SEEN, 0.0, np.finfo(np.float32).min).astype(np.float32),
}


@pytest.mark.parametrize("opset", EACH_OPSET)
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", MASKS)
def test_masks_in_onnx(name: str, is_causal: bool, opset: int) -> None:
    """A row that sees nothing is zero, in the file too. Batch, rows and keys are dynamic."""
    mask = MASKS[name]
    q, k, v = randn(2, 3, ROWS, 4), randn(2, 3, KEYS, 4), randn(2, 3, KEYS, 4)
    given = (q, k, v) if mask is None else (q, k, v, fz.tensor(mask))

    def program(q: Any, k: Any, v: Any, mask: Any = None) -> Any:
        return scaled_dot_product_attention(q, k, v, mask, is_causal=is_causal)  # the op takes both

    sizes = {"q": {0: "batch", 2: "rows"}, "k": {0: "batch", 2: "keys"}, "v": {0: "batch", 2: "keys"}}
    if mask is not None:
        axes = {-1: "keys", -2: "rows", -4: "batch"}
        sizes["mask"] = {mask.ndim + a: n for a, n in axes.items() if -a <= mask.ndim and mask.shape[a] > 1}
    report = exported(program, *given, opset=opset, dynamic_shapes=sizes)
    exact = mask is None or mask.dtype == bool  # what is added is known only when the program runs
    assert (report.operators.get("Attention", 0) == 1) == (opset >= 23 and name != "one key" and exact)
    expected = program(*given).numpy()
    (found,) = in_file(report, *given)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    if name in ("bool", "added"):
        assert (found[:, :, 1] == 0).all()


@pytest.mark.parametrize("name", ["added", "lowest numbers"])
def test_a_constant_mask_in_onnx(name: str) -> None:
    """Its numbers are known, so the one operator is used where it computes the same."""
    mask = fz.tensor(MASKS[name])
    q, k = randn(2, 3, ROWS, 4), randn(2, 3, KEYS, 4)
    sizes = {"q": {0: "batch"}, "k": {0: "batch"}}
    report = exported(lambda q, k: F.scaled_dot_product_attention(q, k, k, mask), q, k, opset=23, dynamic_shapes=sizes)
    assert report.operators.get("Attention", 0) == (name == "added")


def test_nan_stays_nan_in_onnx() -> None:
    """The zeros are for rows that see nothing, not for numbers that went wrong."""
    q, k = randn(1, 1, 2, 4), randn(1, 1, 3, 4)
    q[0, 0, 0, 0] = float("nan")
    mask = fz.tensor([[0.0, 0.0, -INF], [-INF, -INF, -INF]])
    for opset in OPSETS:
        report = fz.onnx.export(lambda q, k, m: F.scaled_dot_product_attention(q, k, k, m), (q, k, mask), opset_version=opset)
        (found,) = in_file(report, q, k, mask)
        assert np.isnan(found[0, 0, 0]).all() and (found[0, 0, 1] == 0).all()


@pytest.mark.parametrize("opset", EACH_OPSET)
def test_heads_that_share_keys_in_onnx(opset: int) -> None:
    given = randn(2, 6, ROWS, 4), randn(2, 2, KEYS, 4), randn(2, 2, KEYS, 4), fz.tensor(SEEN)
    shapes = {
        "q": {0: "batch", 2: "rows"},
        "k": {0: "batch", 2: "keys"},
        "v": {0: "batch", 2: "keys"},
        "m": {0: "rows", 1: "keys"},
    }

    def program(q: Any, k: Any, v: Any, m: Any) -> Any:
        return F.scaled_dot_product_attention(q, k, v, m, enable_gqa=True)

    report = fz.onnx.export(program, given, opset_version=opset, dynamic_shapes=shapes)
    np.testing.assert_allclose(in_file(report, *given)[0], program(*given).numpy(), rtol=1e-5, atol=1e-6)
    assert (report.operators.get("Attention", 0) == 1) == (opset >= 23)


# --- layers ---------------------------------------------------------------------------------------------------------------------


class SelfAttention(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(16, 4, **options)

    def forward(self, x: Any, hidden: Any = None) -> Any:
        return self.inner(x, x, x, key_padding_mask=hidden, need_weights=False)[0]


class Causal(nn.Module):
    """Three layers, causal by a mask that is computed from the size."""

    def __init__(self, hint: bool) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 3)
        self.hint = hint

    def forward(self, x: Any) -> Any:
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.encoder(x, mask=mask, is_causal=self.hint)


class Translate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Transformer(16, 4, 1, 1, 32, batch_first=True)

    def forward(self, source: Any, target: Any) -> Any:
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        return self.transformer(source, target, tgt_mask=mask, tgt_is_causal=True)


class Block(nn.Module):
    """A transformer block as people write it."""

    def __init__(self, rotary: bool = False) -> None:
        super().__init__()
        self.project = nn.Linear(16, 48)
        self.rotary = nn.RotaryPositions(4) if rotary else nn.Identity()

    def forward(self, x: Any) -> Any:
        b, t, c = x.shape
        q, k, v = (y.view(b, t, 4, c // 4).transpose(1, 2) for y in self.project(x).split(c, dim=2))
        y = F.scaled_dot_product_attention(self.rotary(q), self.rotary(k), v, is_causal=True)
        return x + y.transpose(1, 2).reshape(b, t, c)


HIDDEN = fz.tensor([[False] * 3 + [True] * 2, [True] * 5, [False] * 5])
X = randn(3, 5, 16)

#: What a layer is, its example, and the most operators at opsets 21 and 23. Of PyTorch 2.13's exporter, with the same sizes
#: dynamic: 56 for an encoder layer, 54 with the sequence first, 163 for three with padding, 174 and 157 for three causal ones,
#: 106 for a decoder layer.
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[fz.Tensor, ...], int, int]] = {
    "self-attention": (lambda: SelfAttention(batch_first=True), (X,), 18, 14),
    "self-attention, padding": (lambda: SelfAttention(batch_first=True), (X, HIDDEN), 29, 30),
    "extra keys": (lambda: SelfAttention(add_bias_kv=True, add_zero_attn=True), (X,), 60, 60),
    "encoder layer": (lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), (X,), 29, 25),
    "encoder layer, norm first": (lambda: nn.TransformerEncoderLayer(16, 4, 32, 0.1, "gelu", 1e-5, True, True), (X,), 29, 25),
    "encoder layer, sequence first": (lambda: nn.TransformerEncoderLayer(16, 4, 32), (X,), 31, 27),
    "causal, with a hint": (lambda: Causal(True), (X,), 94, 75),
    "causal, by its mask": (lambda: Causal(False), (X,), 100, 100),
    "decoder layer": (lambda: nn.TransformerDecoderLayer(16, 4, 32, batch_first=True), (X, randn(3, 7, 16)), 63, 55),
    "transformer": (Translate, (randn(3, 7, 16), X), 100, 90),
    "block": (Block, (X,), 25, 17),
    "block with rotary positions": (lambda: Block(rotary=True), (X,), 51, 43),
    "sinusoidal positions": (lambda: nn.SinusoidalPositions(16), (X,), 14, 14),
}


@pytest.mark.parametrize("opset", EACH_OPSET)
@pytest.mark.parametrize("name", MODELS)
def test_models_in_onnx(name: str, opset: int) -> None:
    """Batch and lengths are dynamic, and the operators are few."""
    build, args, most, most_from_23 = MODELS[name]
    fz.manual_seed(0)
    model = build().eval()
    report = exported(model, *args, opset=opset)
    assert sum(report.operators.values()) <= (most if opset == 21 else most_from_23), dict(report.operators)
    longer = [fz.tensor(np.concatenate([x.numpy(), x.numpy()[::-1]], 1)) for x in args]
    np.testing.assert_allclose(in_file(report, *longer)[0], model(*longer).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_a_training_step_with_attention_in_onnx() -> None:
    """Backward through attention, recorded and run by onnxruntime."""
    fz.manual_seed(0)
    model = Block()

    def gradients(x: fz.Tensor) -> list[Any]:
        return list(fz.autograd.grad((model(x) ** 2).sum(), list(model.parameters())))

    x = randn(3, 5, 16)
    report = fz.onnx.export(gradients, (x,), training=True)
    for a, b in zip(in_file(report, x), gradients(x), strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("opset", EACH_OPSET)
def test_a_float64_factor_of_a_product_stays_float64(opset: int) -> None:
    """onnxruntime would move it into the product as a float32."""
    a, b = (fz.tensor(np.random.default_rng(i).standard_normal((4, 4))) for i in range(2))
    for program in (
        lambda a, b: (a @ b) * 0.3,
        lambda a, b: (a * 0.3) @ b,
        lambda a, b: (a @ b) / 0.3,
        lambda a, b: (a * 0.3).T @ b,
    ):
        report = fz.onnx.export(program, (a, b), verify=False, opset_version=opset)
        np.testing.assert_allclose(in_file(report, a, b)[0], program(a, b).numpy(), rtol=1e-13, atol=1e-15)


def test_no_rows_with_the_sequence_first() -> None:
    """onnxruntime would end the process: it divides by zero in its product of transposed batches."""
    x = randn(5, 2, 3, 4)

    def program(x: Any) -> Any:
        return x.permute(1, 2, 0, 3) @ x.permute(1, 2, 3, 0)

    report = exported(program, x)
    assert in_file(report, x[:0])[0].shape == (2, 3, 0, 0)


# --- positions ------------------------------------------------------------------------------------------------------------------


def test_rotary_positions_depend_on_distances_only() -> None:
    x, y = randn(1, 8), randn(1, 8)
    for interleaved, offset in itertools.product((False, True), (0, 5)):
        rotary = nn.RotaryPositions(8, interleaved=interleaved)
        near = (rotary(x, offset=offset + 3) * rotary(y, offset=offset)).sum()
        np.testing.assert_allclose(near.item(), (rotary(x, offset=3) * y).sum().item(), rtol=1e-5)


def test_rotary_embedding_is_that_of_onnx() -> None:
    """As the operator of opset 23 computes it."""
    import onnx
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    x = randn(2, 3, 5, 8)
    cos, sin = F.rotary_positions(5, 8)
    for interleaved in (False, True):
        node = helper.make_node("RotaryEmbedding", ["x", "cos", "sin"], ["y"], interleaved=int(interleaved))
        values = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in ("x", "cos", "sin", "y")]
        graph = helper.make_graph([node], "g", values[:3], values[3:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11)
        caches = {n: np.broadcast_to(t.numpy(), (2, 5, 4)).copy() for n, t in (("cos", cos), ("sin", sin))}
        (expected,) = ReferenceEvaluator(model).run(None, {"x": x.numpy(), **caches})
        found = F.rotary_embedding(x, cos, sin, interleaved=interleaved)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_sinusoidal_positions_are_those_of_the_paper() -> None:
    table = F.sinusoidal_positions(7, 6, offset=2, dtype=fz.float64).numpy()
    for row, column in np.ndindex(7, 6):
        angle = (row + 2) / 10000 ** (2 * (column // 2) / 6)
        assert table[row, column] == pytest.approx(np.sin(angle) if column % 2 == 0 else np.cos(angle))


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(("base", "offset"), [(10000.0, 0), (100.0, 3)])
def test_rotary_positions_turn_pairs_as_complex_numbers(base: float, offset: int, interleaved: bool) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 8))
    turns = np.exp(1j * np.outer(np.arange(5) + offset, base ** -(np.arange(4) / 4)))

    def turned(x: np.ndarray, turns: np.ndarray) -> np.ndarray:
        y = np.empty_like(x)
        firsts, seconds = (np.s_[..., ::2], np.s_[..., 1::2]) if interleaved else (np.s_[..., :4], np.s_[..., 4:])
        pairs = (x[firsts] + 1j * x[seconds]) * turns
        y[firsts], y[seconds] = pairs.real, pairs.imag
        return y

    given = fz.tensor(x, requires_grad=True)
    found = nn.RotaryPositions(8, base, interleaved)(given, offset=offset)
    np.testing.assert_allclose(found.detach().numpy(), turned(x, turns), rtol=1e-12, atol=1e-12)
    direction = x[::-1].copy()
    found.backward(fz.tensor(direction))
    assert given.grad is not None
    np.testing.assert_allclose(given.grad.numpy(), turned(direction, turns.conj()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("base", "offset"), [(10000.0, 0), (100.0, 3)])
def test_sinusoidal_positions_are_added(base: float, offset: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, 7, 6))
    angles = np.outer(np.arange(7) + offset, base ** -(np.arange(3) / 3))
    given = fz.tensor(x, requires_grad=True)
    found = nn.SinusoidalPositions(6, base)(given, offset=offset)
    expected = x + np.stack([np.sin(angles), np.cos(angles)], 2).reshape(7, 6)
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12, atol=1e-12)
    found.backward(fz.tensor(x))
    assert given.grad is not None
    np.testing.assert_array_equal(given.grad.numpy(), x)


# --- misuse ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.MultiheadAttention(8, 3), AssertionError, "embed_dim must be divisible by num_heads: given 8 and 3"),
        (lambda: nn.MultiheadAttention(0, 1), ValueError, "embed_dim and num_heads must be greater than 0"),
        (lambda: _attend(randn(2, 3, 7)), RuntimeError, r"query must have embed_dim=8 features, given query \[2, 3, 7\]"),
        (lambda: _attend(randn(2, 3, 4, 8)), RuntimeError, "must all be 2-d"),
        (lambda: _attend(key_padding_mask=fz.zeros(3, dtype=fz.bool)), RuntimeError, r"key_padding_mask is \[N, S\]"),
        (lambda: _attend(key_padding_mask=fz.zeros(2, 4, dtype=fz.bool)), RuntimeError, r"must have the shape \[3, 2\]"),
        (lambda: _attend(attn_mask=fz.zeros(2, 3)), RuntimeError, r"attn_mask must have the shape \[2, 2\], given \[2, 3\]"),
        (lambda: _attend(attn_mask=fz.zeros(3, 2, 2)), RuntimeError, r"must have the shape \[6, 2, 2\]"),
        (lambda: _attend(attn_mask=fz.zeros(2, 2, dtype=fz.int64)), TypeError, "attn_mask must be bool or floating"),
        (lambda: _attend(is_causal=True), ValueError, "attn_mask is needed too"),
        (lambda: F.scaled_dot_product_attention(X, X, X, dropout_p=2), ValueError, "between 0 and 1, but got 2"),
        (lambda: F.scaled_dot_product_attention(X, X, X.double()), RuntimeError, "differ in dtype"),
        (lambda: nn.TransformerEncoderLayer(8, 2, activation="swish"), ValueError, "activation should be relu/gelu"),
        (lambda: nn.Transformer(8, 2, 1, 1, 8)(randn(2, 3, 7), randn(2, 3, 8)), RuntimeError, "equal to d_model=8"),
        (lambda: nn.Transformer(8, 2, 1, 1, 8)(randn(2, 3, 8), randn(2, 4, 8)), RuntimeError, "batch number of src and tgt"),
        (lambda: F.rotary_positions(3, 5), ValueError, "the width must be even, given 5"),
    ],
)  # fmt: skip
def test_misuse_is_explained(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def _attend(x: Any = None, **options: Any) -> Any:
    x = randn(2, 3, 8) if x is None else x
    return nn.MultiheadAttention(8, 2)(x, x, x, **options)


def test_layers_show_what_they_are() -> None:
    assert repr(nn.RotaryPositions(4)) == "RotaryPositions(4, base=10000.0, interleaved=False)"
    assert re.match(r"MultiheadAttention\(\s+\(out_proj\): NonDynamicallyQuantizableLinear", repr(nn.MultiheadAttention(4, 2)))
