"""Every layer does what PyTorch's does: values, gradients, dtypes, state dicts, text."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

# name, arguments, keyword arguments, input shapes
LAYERS: list[tuple[str, tuple[Any, ...], dict[str, Any], list[tuple[int, ...]]]] = [
    ("Identity", (), {}, [(2, 3)]),
    ("Linear", (3, 4), {}, [(5, 3)]),
    ("Linear", (3, 4), {"bias": False}, [(2, 5, 3)]),
    ("Linear", (3, 4), {}, [(3,)]),
    ("Bilinear", (3, 4, 2), {}, [(5, 3), (5, 4)]),
    ("Conv1d", (2, 4, 3), {"stride": 2, "padding": 1}, [(2, 2, 9)]),
    ("Conv1d", (2, 4, 3), {"padding": "same", "dilation": 2}, [(2, 2, 9)]),
    ("Conv1d", (2, 4, 4), {"padding": "same"}, [(2, 2, 9)]),
    ("Conv1d", (2, 4, 3), {"padding": 2, "padding_mode": "circular"}, [(2, 2, 9)]),
    ("Conv2d", (2, 4, 3), {}, [(2, 2, 7, 6)]),
    ("Conv2d", (2, 4, 3), {}, [(2, 7, 6)]),
    ("Conv2d", (4, 6, (3, 2)), {"stride": (2, 1), "padding": (1, 0), "groups": 2, "bias": False}, [(2, 4, 7, 6)]),
    ("Conv2d", (3, 3, 3), {"groups": 3, "padding": 1, "dilation": (1, 2)}, [(2, 3, 7, 6)]),
    ("Conv2d", (2, 4, 3), {"padding": 2, "padding_mode": "reflect"}, [(2, 2, 7, 6)]),
    ("Conv2d", (2, 4, (3, 4)), {"padding": "same", "padding_mode": "replicate"}, [(2, 2, 7, 6)]),
    ("Conv2d", (2, 4, 3), {"padding": "valid", "padding_mode": "replicate"}, [(2, 2, 7, 6)]),
    ("Conv3d", (2, 3, 2), {"stride": (1, 2, 1), "padding": 1}, [(1, 2, 3, 4, 5)]),
    ("ConvTranspose1d", (2, 4, 3), {"stride": 2, "padding": 1, "output_padding": 1}, [(2, 2, 5)]),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2, "dilation": 2}, [(2, 4, 4, 5)]),
    ("ConvTranspose3d", (2, 3, 2), {"bias": False}, [(1, 2, 2, 3, 2)]),
    ("MaxPool1d", (2,), {}, [(2, 3, 7)]),
    ("MaxPool1d", (3,), {"stride": 2, "padding": 1, "return_indices": True}, [(2, 3, 7)]),
    ("MaxPool2d", (2,), {}, [(2, 3, 6, 6)]),
    ("MaxPool2d", ((3, 2),), {"stride": (2, 1), "padding": 1, "dilation": (1, 2), "ceil_mode": True}, [(2, 3, 6, 7)]),
    ("MaxPool3d", (2,), {}, [(1, 2, 4, 4, 4)]),
    ("AvgPool1d", (3,), {"stride": 2, "padding": 1, "count_include_pad": False}, [(2, 3, 7)]),
    ("AvgPool2d", (2,), {}, [(2, 3, 6, 6)]),
    ("AvgPool2d", ((3, 2),), {"stride": 2, "padding": 1, "ceil_mode": True}, [(2, 3, 6, 7)]),
    ("AvgPool2d", (2,), {"divisor_override": 3}, [(2, 3, 6, 7)]),
    ("AvgPool3d", (2,), {}, [(1, 2, 4, 4, 4)]),
    ("LPPool3d", (2, (2, 1, 2)), {"stride": 2, "ceil_mode": True}, [(1, 2, 4, 5, 3)]),
    ("LPPool1d", (3, 2), {}, [(2, 3, 6)]),
    ("LPPool2d", (2, (2, 3)), {"stride": 1}, [(2, 3, 6, 6)]),
    ("AdaptiveAvgPool1d", (3,), {}, [(2, 3, 7)]),
    ("AdaptiveAvgPool2d", (1,), {}, [(2, 3, 6, 7)]),
    ("AdaptiveAvgPool2d", ((4, None),), {}, [(2, 3, 6, 7)]),
    ("AdaptiveAvgPool3d", ((2, None, 3),), {}, [(1, 2, 3, 4, 5)]),
    ("AdaptiveMaxPool1d", (3,), {}, [(2, 3, 7)]),
    ("AdaptiveMaxPool2d", ((4, 3),), {}, [(2, 3, 6, 7)]),
    ("AdaptiveMaxPool2d", ((None, 3),), {"return_indices": True}, [(2, 3, 6, 7)]),
    ("AdaptiveMaxPool3d", (2,), {}, [(1, 2, 3, 4, 5)]),
    ("BatchNorm1d", (3,), {}, [(5, 3)]),
    ("BatchNorm1d", (3,), {"momentum": None}, [(5, 3, 4)]),
    ("BatchNorm2d", (3,), {}, [(2, 3, 4, 5)]),
    ("BatchNorm2d", (3,), {"affine": False}, [(2, 3, 4, 5)]),
    ("BatchNorm2d", (3,), {"track_running_stats": False, "eps": 0.1}, [(2, 3, 4, 5)]),
    ("BatchNorm2d", (3,), {"bias": False}, [(2, 3, 4, 5)]),
    ("BatchNorm3d", (3,), {"momentum": 0.5}, [(2, 3, 2, 3, 2)]),
    ("InstanceNorm1d", (3,), {"affine": True}, [(2, 3, 5)]),
    ("InstanceNorm1d", (3,), {}, [(3, 5)]),
    ("InstanceNorm2d", (3,), {"track_running_stats": True}, [(2, 3, 4, 5)]),
    ("InstanceNorm3d", (3,), {}, [(2, 3, 2, 3, 2)]),
    ("LayerNorm", (4,), {}, [(2, 3, 4)]),
    ("LayerNorm", ((3, 4),), {"bias": False, "eps": 0.1}, [(2, 3, 4)]),
    ("LayerNorm", (4,), {"elementwise_affine": False}, [(2, 4)]),
    ("RMSNorm", (4,), {}, [(2, 3, 4)]),
    ("RMSNorm", ((3, 4),), {"eps": 0.1, "elementwise_affine": False}, [(2, 3, 4)]),
    ("GroupNorm", (2, 4), {}, [(2, 4, 3, 3)]),
    ("GroupNorm", (4, 4), {"affine": False}, [(2, 4, 5)]),
    ("LocalResponseNorm", (3,), {"alpha": 0.5}, [(2, 5, 3)]),
    ("LocalResponseNorm", (2,), {"k": 2.0, "alpha": 0.5}, [(2, 5, 3, 4)]),
    ("Flatten", (), {}, [(2, 3, 4)]),
    ("Flatten", (0, 1), {}, [(2, 3, 4)]),
    ("Unflatten", (1, (2, 3)), {}, [(2, 6)]),
    ("ZeroPad1d", (1,), {}, [(2, 3, 4)]),
    ("ZeroPad2d", ((1, 2, 0, 1),), {}, [(2, 3, 4)]),
    ("ZeroPad3d", (1,), {}, [(2, 3, 4, 2)]),
    ("ConstantPad1d", ((2, -1), 3.5), {}, [(2, 3, 4)]),
    ("ConstantPad2d", (1, 0.5), {}, [(2, 3, 4)]),
    ("ConstantPad3d", (1, 0.5), {}, [(2, 3, 4, 3)]),
    ("ReflectionPad1d", ((2, 1),), {}, [(2, 3, 4)]),
    ("ReflectionPad2d", (1,), {}, [(1, 2, 3, 4)]),
    ("ReflectionPad3d", (1,), {}, [(1, 2, 3, 4, 2)]),
    ("ReplicationPad1d", ((2, 1),), {}, [(2, 3, 4)]),
    ("ReplicationPad2d", ((2, 1, 0, 3),), {}, [(1, 2, 3, 4)]),
    ("ReplicationPad3d", (1,), {}, [(1, 2, 3, 4, 2)]),
    ("CircularPad1d", (2,), {}, [(2, 3, 4)]),
    ("CircularPad2d", ((1, 2, 3, 0),), {}, [(1, 2, 3, 4)]),
    ("CircularPad3d", (1,), {}, [(1, 2, 3, 4, 2)]),
    ("Upsample", (), {"scale_factor": 2}, [(2, 3, 4)]),
    ("Upsample", (), {"size": 7}, [(2, 3, 4)]),
    ("Upsample", (), {"scale_factor": 2.5, "mode": "nearest"}, [(2, 3, 4, 5)]),
    ("Upsample", (), {"size": (3, 9), "mode": "nearest-exact"}, [(2, 3, 4, 5)]),
    ("Upsample", (), {"scale_factor": 2, "mode": "bilinear"}, [(2, 3, 4, 5)]),
    ("Upsample", (), {"scale_factor": (0.5, 1.7), "mode": "bilinear"}, [(2, 3, 4, 5)]),
    (
        "Upsample",
        (),
        {"scale_factor": (0.7, 1.7), "mode": "bilinear", "recompute_scale_factor": True},
        [(2, 3, 4, 5)],
    ),
    ("Upsample", (), {"size": (7, 3), "mode": "bilinear", "align_corners": True}, [(2, 3, 4, 5)]),
    ("Upsample", (), {"size": (7, 3), "mode": "bicubic"}, [(2, 3, 4, 5)]),
    ("Upsample", (), {"size": (7, 9), "mode": "bicubic", "align_corners": True}, [(2, 3, 4, 5)]),
    ("Upsample", (), {"size": 7, "mode": "linear"}, [(2, 3, 4)]),
    ("Upsample", (), {"scale_factor": 2, "mode": "trilinear"}, [(1, 2, 2, 3, 2)]),
    ("UpsamplingNearest2d", (), {"scale_factor": 2}, [(2, 3, 4, 5)]),
    ("UpsamplingBilinear2d", (), {"size": (3, 9)}, [(2, 3, 4, 5)]),
    ("PixelShuffle", (2,), {}, [(2, 8, 3, 2)]),
    ("PixelUnshuffle", (2,), {}, [(2, 2, 4, 6)]),
    ("ChannelShuffle", (2,), {}, [(2, 6, 3, 2)]),
    ("Unfold", ((2, 3),), {"stride": 2, "padding": 1, "dilation": (1, 2)}, [(2, 3, 5, 6)]),
    ("Fold", ((5, 6), (2, 3)), {"stride": (2, 1), "padding": (1, 0)}, [(2, 18, 12)]),
    ("CosineSimilarity", (), {}, [(4, 3), (4, 3)]),
    ("CosineSimilarity", (), {"dim": 0, "eps": 0.5}, [(4, 3), (4, 3)]),
    ("PairwiseDistance", (), {}, [(4, 3), (4, 3)]),
    ("PairwiseDistance", (1.0,), {"keepdim": True}, [(4, 3), (4, 3)]),
    ("Dropout", (0.0,), {}, [(2, 3)]),
]

ACTIVATIONS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("ReLU", (), {}),
    ("ReLU", (True,), {}),
    ("ReLU6", (), {}),
    ("ReLU6", (True,), {}),
    ("Sigmoid", (), {}),
    ("Tanh", (), {}),
    ("Hardsigmoid", (), {}),
    ("Hardsigmoid", (True,), {}),
    ("Hardswish", (), {}),
    ("Hardtanh", (), {}),
    ("Hardtanh", (-0.5, 0.7, True), {}),
    ("Threshold", (0.1, 20.0), {}),
    ("Threshold", (0.1, 20.0, True), {}),
    ("ELU", (), {}),
    ("ELU", (0.5, True), {}),
    ("CELU", (0.5,), {}),
    ("SELU", (), {}),
    ("SELU", (True,), {}),
    ("SiLU", (), {}),
    ("SiLU", (True,), {}),
    ("Mish", (), {}),
    ("Mish", (True,), {}),
    ("GELU", (), {}),
    ("GELU", ("tanh",), {}),
    ("LeakyReLU", (), {}),
    ("LeakyReLU", (0.3, True), {}),
    ("PReLU", (), {}),
    ("PReLU", (4, 0.1), {}),
    ("GLU", (), {}),
    ("GLU", (1,), {}),
    ("LogSigmoid", (), {}),
    ("Softplus", (), {}),
    ("Softplus", (3.0, 2.0), {}),
    ("Softsign", (), {}),
    ("Softshrink", (), {}),
    ("Hardshrink", (0.3,), {}),
    ("Tanhshrink", (), {}),
    ("Softmax", (1,), {}),
    ("Softmin", (-1,), {}),
    ("LogSoftmax", (0,), {}),
    ("Softmax2d", (), {}),
]


def _ids(cases: list[Any]) -> list[str]:
    return [f"{case[0]}-{case[1]}-{case[2]}".replace(" ", "") for case in cases]


def _check(parity: Any, ours: Any, theirs: Any, arrays: list[np.ndarray], *, training: bool) -> None:
    parity.copy_state(ours, theirs)
    ours.train(training)
    theirs.train(training)
    assert parity.text(ours) == parity.text(theirs)
    pairs = [parity.pair(array, requires_grad=True) for array in arrays]
    # a layer that works in place may not change a leaf
    y = ours(*(a * 1 for a, _ in pairs))
    z = theirs(*(b * 1 for _, b in pairs))
    parity.same(y, z, what="output")
    if isinstance(z, tuple):
        y, z = y[0], z[0]
    parity.backward(y, z)
    for i, (a, b) in enumerate(pairs):
        parity.same(a.grad, b.grad, rtol=1e-4, atol=1e-5, what=f"gradient of input {i}")
    for (name, p), (_, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        parity.same(p.grad, q.grad, rtol=1e-4, atol=1e-4, what=f"gradient of {name}")
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        parity.same(ours.state_dict()[name], value, what=f"state {name}")


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")  # PyTorch's own
@pytest.mark.parametrize(("name", "args", "kwargs", "shapes"), LAYERS, ids=_ids(LAYERS))
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_a_layer_does_what_torchs_does(
    parity: Any, name: str, args: Any, kwargs: Any, shapes: list[tuple[int, ...]], training: bool
) -> None:
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(*args, **kwargs)
    ours = getattr(fz.nn, name)(*args, **kwargs)
    for buffer in ("running_mean", "running_var"):  # statistics that are not where they started
        if getattr(theirs, buffer, None) is not None:
            getattr(theirs, buffer).uniform_(0.5, 1.5)
    low = 0.1 if name.startswith("LPPool") else -2.0
    _check(parity, ours, theirs, [parity.floats(*shape, low=low) for shape in shapes], training=training)


@pytest.mark.parametrize(("name", "args", "kwargs"), ACTIVATIONS, ids=_ids(ACTIVATIONS))
def test_an_activation_does_what_torchs_does(parity: Any, name: str, args: Any, kwargs: Any) -> None:
    theirs = getattr(torch.nn, name)(*args, **kwargs)
    ours = getattr(fz.nn, name)(*args, **kwargs)
    _check(parity, ours, theirs, [parity.floats(2, 4, 3, 2, low=-8, high=8)], training=True)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("name", ["Linear", "LayerNorm", "BatchNorm1d", "GELU", "Softmax"])
def test_a_layer_keeps_its_dtype(parity: Any, name: str, dtype: str) -> None:
    args: Any = {"Linear": (3, 3), "LayerNorm": (3,), "BatchNorm1d": (3,), "GELU": (), "Softmax": (1,)}[name]
    theirs = getattr(torch.nn, name)(*args).to(getattr(torch, dtype))
    ours = getattr(fz.nn, name)(*args).to(getattr(fz, dtype))
    parity.copy_state(ours, theirs)
    a, b = parity.pair(parity.floats(4, 3, dtype=dtype))
    tolerance = 5e-3 if dtype == "float16" else 1e-5
    parity.same(ours(a), theirs(b), rtol=tolerance, atol=tolerance)
    assert [str(p.dtype)[7:] for p in ours.state_dict().values()] == [str(p.dtype)[6:] for p in theirs.state_dict().values()]


EMBEDDINGS: list[tuple[str, dict[str, Any], Any]] = [
    ("Embedding", {}, [[1, 2, 1], [0, 4, 1]]),
    ("Embedding", {"padding_idx": 1}, [[1, 2, 1], [0, 4, 1]]),
    ("Embedding", {"padding_idx": -1, "scale_grad_by_freq": True}, [[1, 2, 1], [0, 4, 1]]),
    ("Embedding", {"max_norm": 0.5}, [[1, 2, 1], [0, 4, 1]]),
    ("EmbeddingBag", {}, [[1, 2, 1], [0, 4, 1]]),
    ("EmbeddingBag", {"mode": "sum", "padding_idx": 1}, [[1, 2, 1], [0, 4, 1]]),
    ("EmbeddingBag", {"mode": "max"}, [[1, 2, 3], [0, 4, 1]]),
    ("EmbeddingBag", {"mode": "mean", "padding_idx": 1}, [[1, 1, 1], [0, 4, 1]]),
]


@pytest.mark.parametrize(("name", "kwargs", "ids"), EMBEDDINGS, ids=[f"{n}-{k}" for n, k, _ in EMBEDDINGS])
def test_an_embedding_does_what_torchs_does(parity: Any, name: str, kwargs: Any, ids: Any) -> None:
    theirs = getattr(torch.nn, name)(5, 3, **kwargs)
    ours = getattr(fz.nn, name)(5, 3, **kwargs)
    parity.copy_state(ours, theirs)
    assert parity.text(ours) == parity.text(theirs)
    a, b = parity.pair(np.array(ids))
    y, z = ours(a), theirs(b)
    parity.same(y, z)
    parity.backward(y, z)
    parity.same(ours.weight.grad, theirs.weight.grad)
    parity.same(ours.weight, theirs.weight, what="weight, which max_norm changes")


@pytest.mark.parametrize("options", [{}, {"mode": "sum"}, {"mode": "max"}, {"include_last_offset": True}], ids=str)
def test_embedding_bags_of_different_sizes(parity: Any, options: dict[str, Any]) -> None:
    theirs = torch.nn.EmbeddingBag(5, 3, **options)
    ours = fz.nn.EmbeddingBag(5, 3, **options)
    parity.copy_state(ours, theirs)
    (ids, their_ids), (offsets, their_offsets) = parity.pair([1, 2, 4, 4, 0]), parity.pair([0, 2, 2, 5])
    y, z = ours(ids, offsets), theirs(their_ids, their_offsets)
    parity.same(y, z)
    parity.backward(y, z)
    parity.same(ours.weight.grad, theirs.weight.grad)


def test_per_sample_weights_of_bags(parity: Any) -> None:
    table, their_table = parity.pair(parity.floats(5, 3))
    ids, their_ids = parity.pair([[0, 1], [3, 3]])
    weights, their_weights = parity.pair(parity.floats(2, 2))
    ours = fz.nn.functional.embedding_bag(ids, table, mode="sum", per_sample_weights=weights)
    parity.same(ours, torch.nn.functional.embedding_bag(their_ids, their_table, mode="sum", per_sample_weights=their_weights))


def test_transposed_convolution_to_a_given_size(parity: Any) -> None:
    theirs, ours = torch.nn.ConvTranspose2d(2, 3, 3, stride=2), fz.nn.ConvTranspose2d(2, 3, 3, stride=2)
    parity.copy_state(ours, theirs)
    a, b = parity.pair(parity.floats(1, 2, 4, 5))
    parity.same(ours(a, output_size=(10, 11)), theirs(b, output_size=(10, 11)))
    with pytest.raises(ValueError, match="requested an output size of"):
        ours(a, output_size=(12, 11))


def test_running_statistics_follow_over_several_batches(parity: Any) -> None:
    for options in ({}, {"momentum": None}, {"momentum": 0.9}):
        theirs, ours = torch.nn.BatchNorm1d(3, **options), fz.nn.BatchNorm1d(3, **options)
        for _ in range(4):
            a, b = parity.pair(parity.floats(6, 3))
            ours(a)
            theirs(b)
        for name, value in theirs.state_dict().items():
            parity.same(ours.state_dict()[name], value, what=f"{options} {name}")


def _distribution(values: np.ndarray) -> tuple[float, float, float, float]:
    return float(values.mean()), float(values.std()), float(values.min()), float(values.max())


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("Linear", (300, 200)),
        ("Bilinear", (50, 40, 300)),
        ("Conv2d", (30, 400, 5)),
        ("ConvTranspose2d", (40, 300, 5)),
        ("Embedding", (300, 200)),
        ("PReLU", (50,)),
        ("LayerNorm", (50,)),
        ("BatchNorm2d", (50,)),
    ],
)
def test_parameters_start_from_the_same_distribution(name: str, args: tuple[int, ...]) -> None:
    theirs, ours = getattr(torch.nn, name)(*args), getattr(fz.nn, name)(*args)
    for key, value in theirs.named_parameters():
        a = _distribution(dict(ours.named_parameters())[key].detach().numpy())
        b = _distribution(value.detach().numpy())
        spread = b[1] or 1.0
        few = value.numel() < 1000
        assert a == pytest.approx(b, abs=spread * (1.0 if few or name == "Embedding" else 0.05)), key
        assert a[0] == pytest.approx(b[0], abs=spread * (0.5 if few else 0.05)), key


def test_every_layer_of_frazil_is_compared() -> None:
    """A new layer must come with a comparison, or be named here with the reason."""
    elsewhere = {
        "Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict",  # test_module.py
        "Embedding", "EmbeddingBag",  # above
        "RReLU", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout",  # random: tests/nn/test_dropout.py
        "RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell",  # test_recurrent.py
        "RNNBase", "RNNCellBase",  # what those share: no layers by themselves
        "MultiheadAttention", "Transformer",  # test_attention.py
        "TransformerEncoder", "TransformerEncoderLayer", "TransformerDecoder", "TransformerDecoderLayer",  # there too
        "DataParallel",  # its names and shapes: test_programs.py
        "SyncBatchNorm",  # BatchNorm in one process
        "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",  # test_op_db.py; tests/nn/test_more_losses.py
        *(f"Lazy{kind}{n}d" for kind in ("BatchNorm", "Conv", "ConvTranspose", "InstanceNorm") for n in (1, 2, 3)),
        "LazyLinear",  # become the others: tests/nn/test_lazy.py
        "FractionalMaxPool2d", "FractionalMaxPool3d", "LinearCrossEntropyLoss",  # test_module_db.py
        "AdaptiveLogSoftmaxWithLoss",  # below
        "NLLLoss2d",  # NLLLoss by its older name
        "SinusoidalPositions", "RotaryPositions",  # PyTorch has none: tests/nn/test_attention.py
    }  # fmt: skip
    layers = {
        name for name in dir(fz.nn) if isinstance(getattr(fz.nn, name), type) and issubclass(getattr(fz.nn, name), fz.nn.Module)
    }
    losses = {name for name in layers if name.endswith("Loss")}  # test_losses.py
    compared = {case[0] for case in LAYERS} | {case[0] for case in ACTIVATIONS}
    assert layers - losses - elsewhere == compared


@pytest.mark.parametrize("options", [{}, {"div_value": 2.0, "head_bias": True}])
def test_the_adaptive_softmax(parity, options):
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(32, 20, [5, 10], **options)
    ours = fz.nn.AdaptiveLogSoftmaxWithLoss(32, 20, [5, 10], **options)
    parity.copy_state(ours, theirs)
    assert parity.text(ours) == parity.text(theirs)
    for targets in ([1, 7, 19, 4, 10], [1, 2, 3, 0, 4], [6, 6, 6, 6, 6]):
        x, y = parity.pair(parity.floats(5, 32), requires_grad=True), parity.pair(np.array(targets))
        parity.same(ours(x[0], y[0]), tuple(theirs(x[1], y[1])))
        parity.backward(ours(x[0], y[0]).output, theirs(x[1], y[1]).output)
        parity.same(x[0].grad, x[1].grad)
        parity.same(ours.log_prob(x[0]), theirs.log_prob(x[1]))
        parity.same(ours.predict(x[0]), theirs.predict(x[1]))
        parity.same(ours(x[0][0], y[0][0]), tuple(theirs(x[1][0], y[1][0])))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        parity.same(a.grad, b.grad)


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 3, 4), (2, 3, 4, 5), (2, 3, 4, 5, 6), (2, 3, 2, 2, 2, 2)])
@pytest.mark.parametrize("name", ["dropout1d", "dropout2d", "dropout3d"])
def test_what_is_dropped_together(name: str, shape: tuple[int, ...]) -> None:
    """Which dimensions are taken for channels, and whether that warns or is refused.

    Some are inputs that PyTorch deprecates and programs still give (Dropout2d of the last output of an LSTM).
    """
    seen = []
    for xp in (fz, torch):
        xp.manual_seed(3)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                runs = [getattr(xp.nn.functional, name)(xp.ones(*shape), 0.5).numpy() for _ in range(40)]
            except RuntimeError:
                seen.append("refused")
                continue
        together = []
        for axis in range(len(shape)):
            together.append(all((run == run.take([0], axis)).all() for run in runs))
        assert {value for run in runs for value in run.ravel().tolist()} == {0.0, 2.0}
        seen.append((together, bool(said)))
    assert seen[0] == seen[1]
