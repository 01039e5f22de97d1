"""Every loss is PyTorch's: values, gradients, reductions, text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

_rng = np.random.default_rng(1)


def floats(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return _rng.uniform(low, high, shape).astype("float32")


def signs(*shape: int) -> np.ndarray:
    return np.where(_rng.random(shape) < 0.5, 1.0, -1.0).astype("float32")


def probabilities(*shape: int) -> np.ndarray:
    values = _rng.random(shape)
    return (values / values.sum(axis=1, keepdims=True)).astype("float32")


CLASSES = np.array([2, 0, 1, 2])
SOME_IGNORED = np.array([2, -100, 1, 2])
PIXELS = np.array([[[0, 2], [1, 1]], [[2, 2], [-100, 0]]])
WEIGHT = np.array([0.5, 2.0, 1.0], dtype="float32")

# name, options, inputs (gradients are compared for the first `differentiable` ones)
CASES: list[tuple[str, dict[str, Any], list[np.ndarray], int]] = [
    ("CrossEntropyLoss", {}, [floats(4, 3), CLASSES], 1),
    ("CrossEntropyLoss", {"weight": WEIGHT}, [floats(4, 3), CLASSES], 1),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.1}, [floats(4, 3), SOME_IGNORED], 1),
    ("CrossEntropyLoss", {"label_smoothing": 0.3}, [floats(2, 3, 2, 2), PIXELS], 1),
    ("CrossEntropyLoss", {"ignore_index": 2}, [floats(4, 3), CLASSES], 1),
    ("CrossEntropyLoss", {}, [floats(4, 3), probabilities(4, 3)], 2),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.1}, [floats(4, 3), probabilities(4, 3)], 2),
    ("CrossEntropyLoss", {}, [floats(2, 3, 4), probabilities(2, 3, 4)], 2),
    ("CrossEntropyLoss", {}, [floats(3), np.array(1)], 1),
    ("NLLLoss", {}, [floats(4, 3), CLASSES], 1),
    ("NLLLoss", {"weight": WEIGHT}, [floats(4, 3), SOME_IGNORED], 1),
    ("NLLLoss", {}, [floats(2, 3, 2, 2), PIXELS], 1),
    ("MSELoss", {}, [floats(4, 3), floats(4, 3)], 2),
    ("L1Loss", {}, [floats(4, 3), floats(4, 3)], 2),
    ("SmoothL1Loss", {}, [floats(4, 3), floats(4, 3)], 2),
    ("SmoothL1Loss", {"beta": 0.5}, [floats(4, 3), floats(4, 3)], 2),
    ("SmoothL1Loss", {"beta": 0.0}, [floats(4, 3), floats(4, 3)], 2),
    ("HuberLoss", {"delta": 0.7}, [floats(4, 3), floats(4, 3)], 2),
    ("BCELoss", {}, [floats(4, 3, low=0.0, high=1.0), floats(4, 3, low=0.0, high=1.0)], 1),
    ("BCELoss", {"weight": WEIGHT}, [np.array([[0.0, 1.0, 0.5]], "float32"), np.array([[1.0, 1.0, 0.0]], "float32")], 0),
    ("BCEWithLogitsLoss", {}, [floats(4, 3, low=-50, high=50), floats(4, 3, low=0.0, high=1.0)], 2),
    ("BCEWithLogitsLoss", {"weight": WEIGHT, "pos_weight": WEIGHT}, [floats(4, 3), floats(4, 3, low=0.0, high=1.0)], 2),
    ("KLDivLoss", {"log_target": True}, [floats(4, 3), floats(4, 3)], 2),
    ("KLDivLoss", {}, [floats(4, 3), np.array([[0.0, 0.4, 0.6]] * 4, "float32")], 1),
    ("PoissonNLLLoss", {}, [floats(4, 3), floats(4, 3, low=0.0, high=3.0)], 1),
    ("PoissonNLLLoss", {"log_input": False, "full": True}, [floats(4, 3, low=0.1), floats(4, 3, low=0.0, high=3.0)], 1),
    ("GaussianNLLLoss", {}, [floats(4, 3), floats(4, 3), floats(4, 3, low=0.1)], 3),
    ("GaussianNLLLoss", {"full": True, "eps": 0.5}, [floats(4, 3), floats(4, 3), floats(4, 1, low=0.1)], 3),
    ("GaussianNLLLoss", {}, [floats(4, 3), floats(4, 3), floats(4, low=0.1)], 3),
    ("HingeEmbeddingLoss", {"margin": 0.5}, [floats(4, 3), signs(4, 3)], 1),
    ("MarginRankingLoss", {"margin": 0.3}, [floats(4), floats(4), signs(4)], 2),
    ("CosineEmbeddingLoss", {"margin": 0.1}, [floats(4, 3), floats(4, 3), signs(4)], 2),
    ("TripletMarginLoss", {}, [floats(4, 3), floats(4, 3), floats(4, 3)], 3),
    ("TripletMarginLoss", {"swap": True, "p": 1.0, "margin": 2.0}, [floats(4, 3), floats(4, 3), floats(4, 3)], 3),
    ("TripletMarginWithDistanceLoss", {"swap": True}, [floats(4, 3), floats(4, 3), floats(4, 3)], 3),
    ("SoftMarginLoss", {}, [floats(4, 3), signs(4, 3)], 1),
    ("MultiLabelSoftMarginLoss", {"weight": WEIGHT}, [floats(4, 3), floats(4, 3, low=0.0, high=1.0)], 1),
    ("MultiMarginLoss", {"margin": 0.6}, [floats(4, 3), CLASSES], 1),
    ("MultiMarginLoss", {"p": 2, "weight": WEIGHT}, [floats(4, 3), CLASSES], 1),
]


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options", "inputs", "differentiable"), CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_a_loss_is_torchs(
    parity: Any, name: str, options: dict[str, Any], inputs: list[np.ndarray], differentiable: int, reduction: str
) -> None:
    ours_options, theirs_options = {"reduction": reduction}, {"reduction": reduction}
    for key, value in options.items():
        is_array = isinstance(value, np.ndarray)
        ours_options[key], theirs_options[key] = parity.pair(value) if is_array else (value, value)
    ours, theirs = getattr(fz.nn, name)(**ours_options), getattr(torch.nn, name)(**theirs_options)
    assert parity.text(ours) == parity.text(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    pairs = [parity.pair(array, requires_grad=i < differentiable) for i, array in enumerate(inputs)]
    y, z = ours(*(a for a, _ in pairs)), theirs(*(b for _, b in pairs))
    parity.same(y, z)
    if differentiable:
        parity.backward(y, z)
    for i, (a, b) in enumerate(pairs[:differentiable]):
        parity.same(a.grad, b.grad, rtol=1e-4, what=f"gradient of input {i}")


def test_kl_div_batchmean(parity: Any) -> None:
    (x, their_x), (t, their_t) = parity.pair(floats(4, 3)), parity.pair(probabilities(4, 3))
    ours, theirs = fz.nn.KLDivLoss(reduction="batchmean"), torch.nn.KLDivLoss(reduction="batchmean")
    parity.same(ours(x, t), theirs(their_x, their_t))


@pytest.mark.filterwarnings("ignore:size_average and reduce args:UserWarning")
@pytest.mark.parametrize("legacy", [{"size_average": False}, {"reduce": False}, {"size_average": True, "reduce": True}], ids=str)
def test_the_old_arguments_mean_the_same(parity: Any, legacy: dict[str, bool]) -> None:
    (x, their_x), (t, their_t) = parity.pair(floats(4, 3)), parity.pair(floats(4, 3))
    parity.same(fz.nn.MSELoss(**legacy)(x, t), torch.nn.MSELoss(**legacy)(their_x, their_t))
    parity.same(fz.nn.functional.l1_loss(x, t, **legacy), torch.nn.functional.l1_loss(their_x, their_t, **legacy))


def test_weighted_errors(parity: Any) -> None:
    (x, their_x), (t, their_t), (w, their_w) = (parity.pair(floats(4, 3)) for _ in range(3))
    for name in ("mse_loss", "l1_loss", "huber_loss"):
        for reduction in ("mean", "sum", "none"):
            ours = getattr(fz.nn.functional, name)(x, t, reduction=reduction, weight=w)
            theirs = getattr(torch.nn.functional, name)(their_x, their_t, reduction=reduction, weight=their_w)
            parity.same(ours, theirs, what=f"{name} {reduction}")


def test_every_loss_is_compared() -> None:
    losses = {name for name in dir(fz.nn) if name.endswith("Loss")}
    elsewhere = {"CTCLoss", "MultiLabelMarginLoss"}  # test_more_names.py, test_op_db.py
    elsewhere |= {"AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss"}  # test_module_db.py
    assert losses - elsewhere == {case[0] for case in CASES}
