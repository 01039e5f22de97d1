"""bfloat16 against PyTorch's: values of a sample of operations, gradients, and losses of training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
import frazil.nn.functional

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

ELEMENTWISE = """abs acos asin asinh atan atanh ceil cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 floor frac i0
    lgamma log log10 log1p log2 logit neg reciprocal round rsqrt sigmoid sign sin sinc sinh sqrt square tan tanh trunc
    relu""".split()
ACTIVATIONS = """gelu silu softplus mish elu celu selu hardtanh hardswish hardsigmoid leaky_relu logsigmoid softsign tanhshrink
    softshrink hardshrink relu6""".split()
#: Lines of either library on matrices `a`, `b` [4, 6] and images `c` [2, 3, 8, 8], filters `w` [4, 3, 3, 3].
LINES = """
    a + b; a * b; a / b; a - 2 * b; a @ b.t(); a.sum(1); a.mean(0); a.var(1); a.std(); a.norm(); a.softmax(1); a.log_softmax(0)
    T.logsumexp(a, 1); a.cumsum(1); a.cumprod(1); a.prod(1); a.amax(0); a.sort(1)[0]; T.acosh(a.abs() + 1); T.atan2(a, b)
    T.hypot(a, b)
    T.maximum(a, b); T.where(a > b, a, b); T.cat([a, b], 1); a.pow(2); a.abs().pow(1.5); 2 ** a; T.lerp(a, b, 0.5)
    F.linear(a, b); T.addmm(a @ b.t(), a, b.t()); T.einsum("ij,kj->ik", a, b); F.layer_norm(a, (6,)); F.normalize(a)
    F.rms_norm(a, (6,)); F.group_norm(c, 3); F.conv2d(c, w); F.conv2d(c, w, stride=2, padding=1); F.conv_transpose2d(c, w[:3])
    F.max_pool2d(c, 2); F.avg_pool2d(c, 2); F.adaptive_avg_pool2d(c, 3); F.batch_norm(c, None, None, training=True)
    F.interpolate(c, scale_factor=2.0, mode="bilinear"); F.mse_loss(a, b)
    F.smooth_l1_loss(a, b)
    F.cross_entropy(a, b.softmax(1))
    F.cosine_similarity(a, b); F.scaled_dot_product_attention(c, c, c); F.pad(c, (1, 1, 1, 1), mode="circular")
    c.transpose(1, 2)[:, 1:]
    a.clamp(-1, 1); a.flip(0); a.roll(1, 0); T.tril(a); a.repeat(2, 1); a.gather(1, (a > 0).long()); a[a > 0]; a.unfold(1, 2, 2)
"""
LINES = [line.strip() for line in LINES.replace("\n", ";").split(";") if line.strip()]
LINES += [f"T.{name}(a)" for name in ELEMENTWISE] + [f"F.{name}(a)" for name in ACTIVATIONS]


def numbers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"a": (4, 6), "b": (4, 6), "c": (2, 3, 8, 8), "w": (4, 3, 3, 3)}
    return {name: rng.uniform(-2, 2, shape).astype(np.float32) for name, shape in shapes.items()}


def computed(library: Any, line: str, dtype: str, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, list[np.ndarray | None]]:
    """The result, and the gradients of it in the dtype, as float32."""
    tensors = {n: library.tensor(a).to(library.bfloat16).to(getattr(library, dtype)).requires_grad_() for n, a in arrays.items()}
    y = eval(line, {"T": library, "F": library.nn.functional, **tensors})
    assert str(y.dtype).rpartition(".")[2] == dtype
    weights = np.random.default_rng(1).uniform(0.5, 1.5, tuple(y.shape)).astype(np.float32)
    y.backward(library.tensor(weights).to(library.bfloat16).to(y.dtype))
    grads = [None if t.grad is None else t.grad.float().numpy() for t in tensors.values()]
    return y.detach().float().numpy(), grads


def close(ours: np.ndarray, theirs: np.ndarray, exact: np.ndarray, roundings: float, part: float) -> bool:
    """Within some roundings of what float32 gives, each of its own size or of a part of the largest; or as far as PyTorch is."""
    size = np.maximum(np.abs(exact), part * np.abs(exact).max(initial=0, where=np.isfinite(exact)))
    with np.errstate(invalid="ignore"):
        far = np.maximum(np.abs(theirs - exact), roundings * 2.0**-8 * size)
        return bool(((np.abs(ours - exact) <= far) | (ours == exact) | (np.isnan(ours) & np.isnan(exact))).all())


def test_values_and_gradients_are_as_near_as_pytorch_s() -> None:
    wrong, arrays = [], numbers()
    for line in LINES:
        ours, our_grads = computed(fz, line, "bfloat16", arrays)
        theirs, their_grads = computed(torch, line, "bfloat16", arrays)
        exact, exact_grads = computed(torch, line, "float32", arrays)
        if not close(ours, theirs, exact, 1.01, 2.0**-7):
            wrong.append(f"{line}: {ours}, PyTorch {theirs}")
        for g, h, e in zip(our_grads, their_grads, exact_grads, strict=True):
            if (g is None) != (h is None) or (g is not None and not close(g, h, e, 4, 0.5)):
                wrong.append(f"gradient of {line}: {g}, PyTorch {h}, float32 {e}")
    assert not wrong, "\n".join(wrong)


class Models:
    """The same models in either library."""

    @staticmethod
    def mlp(nn: Any) -> Any:
        return nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 3))

    @staticmethod
    def convnet(nn: Any) -> Any:
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), *head
        )

    @staticmethod
    def transformer(nn: Any) -> Any:
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        return nn.Sequential(layer, nn.Flatten(), nn.Linear(32, 3))


INPUTS = {"mlp": (16, 8), "convnet": (8, 1, 8, 8), "transformer": (8, 4, 8)}


def losses(library: Any, name: str, state: Any, how: str) -> list[float]:
    rng = np.random.default_rng(2)
    x = library.tensor(rng.standard_normal(INPUTS[name]).astype(np.float32))
    labels = library.tensor(rng.integers(0, 3, INPUTS[name][0]))
    model = getattr(Models, name)(library.nn)
    model.load_state_dict({k: library.tensor(v) for k, v in state.items()})
    if how == "bfloat16":
        model, x = model.bfloat16(), x.bfloat16()
    optimizer = library.optim.AdamW(model.parameters(), lr=0.01)
    found = []
    for _ in range(20):
        optimizer.zero_grad()
        with library.autocast("cpu", dtype=library.bfloat16, enabled=how == "autocast"):
            loss = library.nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("how", ["bfloat16", "autocast"])
@pytest.mark.parametrize("name", INPUTS)
def test_training_loses_what_pytorch_loses(name: str, how: str) -> None:
    torch.manual_seed(0)
    state = {k: v.numpy() for k, v in getattr(Models, name)(torch.nn).state_dict().items()}
    ours, theirs, exact = losses(fz, name, state, how), losses(torch, name, state, how), losses(torch, name, state, "float32")
    assert theirs[-1] < 0.8 * theirs[0]
    near = max(0.03, 2 * float(np.abs(np.subtract(theirs, exact)).max()))
    assert np.abs(np.subtract(ours, theirs)).max() <= near, (ours, theirs)
