"""`nn.functional` and layers: what needs no other library to be judged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
import frazil.nn.functional as F
from frazil import nn


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 2, groups=2), ValueError, "in_channels must be divisible by groups"),
        (lambda: nn.Conv2d(4, 3, 2, groups=2), ValueError, "out_channels must be divisible by groups"),
        (lambda: nn.Conv2d(4, 3, 2, groups=0), ValueError, "groups must be a positive integer"),
        (lambda: nn.Conv2d(3, 4, 2, padding="some"), ValueError, "Invalid padding string 'some'"),
        (lambda: nn.Conv2d(3, 4, 2, padding="same", stride=2), ValueError, "not supported for strided convolutions"),
        (lambda: nn.Conv2d(3, 4, 2, padding_mode="mirror"), ValueError, "padding_mode must be one of"),
        (lambda: nn.ConvTranspose1d(3, 4, 2, padding_mode="reflect"), ValueError, 'Only "zeros" padding mode'),
        (lambda: nn.Dropout(1.5), ValueError, "probability has to be between 0 and 1, but got 1.5"),
        (lambda: F.dropout(fz.ones(1), p=-0.1), ValueError, "probability has to be between 0 and 1"),
        (lambda: F.dropout1d(fz.ones(2)), RuntimeError, "dropout1d: expected 2 or 3 dimensions"),
        (lambda: F.dropout2d(fz.ones(2)), RuntimeError, "dropout2d: channels are the second dimension"),
        (lambda: nn.GroupNorm(3, 4), ValueError, r"num_channels \(4\) must be divisible by num_groups \(3\)"),
        (lambda: nn.BatchNorm2d(3)(fz.ones(2, 3)), ValueError, r"expected 4D input \(got 2D input\)"),
        (lambda: nn.BatchNorm1d(3)(fz.ones(2, 3, 4, 5)), ValueError, r"expected 2D or 3D input \(got 4D input\)"),
        (lambda: nn.BatchNorm1d(3)(fz.ones(1, 3)), ValueError, "Expected more than 1 value per channel when training"),
        (lambda: F.batch_norm(fz.ones(2, 3), None, None), ValueError, "running_mean and running_var to be defined"),
        (lambda: nn.InstanceNorm1d(3, affine=True)(fz.ones(2, 4, 5)), ValueError, "expected 3 channels"),
        (lambda: nn.InstanceNorm1d(3)(fz.ones(2, 3, 1)), ValueError, "Expected more than 1 spatial element"),
        (lambda: F.local_response_norm(fz.ones(2, 3), 2), ValueError, "Expected 3D or higher"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), AssertionError, "Padding_idx must be within num_embeddings"),
        (lambda: nn.Embedding(3, 2, _weight=fz.ones(2, 2)), AssertionError, "Shape of weight does not match"),
        (lambda: nn.Embedding.from_pretrained(fz.ones(3)), AssertionError, "expected to be 2-dimensional"),
        (lambda: F.embedding(fz.tensor([0]), fz.ones(2, 2), padding_idx=5), ValueError, "given 5, there are 2 rows"),
        (lambda: F.embedding_bag(fz.tensor([0]), fz.ones(2, 2)), ValueError, "offsets has to be a 1D Tensor"),
        (lambda: F.embedding_bag(fz.tensor([[0]]), fz.ones(2, 2), fz.tensor([0])), ValueError, "offsets has to be None"),
        (lambda: F.embedding_bag(fz.tensor([[0]]), fz.ones(2, 2), mode="median"), ValueError, "one of sum, mean or max"),
        (lambda: F.embedding_bag(fz.tensor([0, 1, 0]), fz.ones(2, 2), fz.tensor([0, 2, 1])), ValueError, "so they ascend"),
        (lambda: nn.Hardtanh(1.0, -1.0), ValueError, "max_val must be larger than min_val"),
        (lambda: F.hardtanh(fz.ones(1), 1.0, -1.0), ValueError, "min_val 1.0 is above max_val -1.0"),
        (lambda: nn.Softmax2d()(fz.ones(2, 2)), ValueError, "expected input to be 3D or 4D, got 2D"),
        (lambda: nn.Unflatten(0, "ab"), TypeError, "must be a tuple of ints"),
        (lambda: F.pixel_shuffle(fz.ones(3, 2, 2), 2), ValueError, "3 channels are not divisible by the square"),
        (lambda: F.pixel_unshuffle(fz.ones(3, 3, 2), 2), ValueError, "not divisible by downscale_factor"),
        (lambda: F.channel_shuffle(fz.ones(1, 3, 2), 2), ValueError, "not divisible by groups 2"),
        (lambda: F.fold(fz.ones(1, 4, 5), (4, 4), 2), ValueError, "has 3 x 3 windows of size .*, but the input has 5"),
        (lambda: F.fold(fz.ones(1, 5, 9), (4, 4), 2), ValueError, "5 rows are not divisible by the 4 places"),
        (lambda: F.interpolate(fz.ones(2, 2)), ValueError, "expected 3 to 5 dimensions"),
        (lambda: F.interpolate(fz.ones(1, 1, 2), size=3, mode="bilinear"), ValueError, "for 2 spatial dimensions"),
        (lambda: F.interpolate(fz.ones(1, 1, 2), size=3, mode="cubic"), ValueError, "given 'cubic'"),
        (lambda: F.interpolate(fz.ones(1, 1, 2), size=3, scale_factor=2), ValueError, "only one of size or scale_factor"),
        (lambda: F.interpolate(fz.ones(1, 1, 2)), ValueError, "only one of size or scale_factor"),
        (lambda: F.interpolate(fz.ones(1, 1, 2), size=(3, 4)), ValueError, "same number of spatial dimensions"),
        (lambda: F.interpolate(fz.ones(1, 1, 2), size=3, align_corners=True), ValueError, "align_corners option can only"),
        (lambda: F.interpolate(fz.ones(1, 1, 2), size=3, mode="linear", antialias=True), ValueError, "Anti-alias"),
        (lambda: F.mse_loss(fz.ones(1), fz.ones(1), reduction="avg"), ValueError, "avg is not a valid value for reduction"),
        (lambda: F.smooth_l1_loss(fz.ones(1), fz.ones(1), beta=-1), ValueError, "beta must not be negative"),
        (lambda: F.huber_loss(fz.ones(1), fz.ones(1), delta=0), ValueError, "delta must be positive"),
        (lambda: F.binary_cross_entropy(fz.ones(2), fz.ones(3)), ValueError, "target size .* must be the same as input size"),
        (lambda: nn.GaussianNLLLoss()(fz.ones(2, 3), fz.ones(2, 3), fz.ones(2, 2)), ValueError, "var is of incorrect size"),
        (lambda: nn.GaussianNLLLoss()(fz.ones(2), fz.ones(2), -fz.ones(2)), ValueError, "var has negative entry"),
        (lambda: nn.TripletMarginLoss(margin=0), ValueError, "expected margin to be greater than 0"),
        (lambda: nn.MultiMarginLoss(p=3), ValueError, "only p == 1 and p == 2"),
        (lambda: F.adaptive_max_pool2d(fz.ones(2, 2), 1), ValueError, "expected 4 dimensions"),
        (lambda: F.adaptive_max_pool1d(fz.ones(2, 2), (1, 2)), ValueError, "output_size must be 1 numbers"),
    ],
)  # fmt: skip
def test_misuse_is_explained(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_sizes_that_differ_are_warned_about() -> None:
    with pytest.warns(UserWarning, match="Using a target size"):
        F.mse_loss(fz.ones(3, 1), fz.ones(3))


def test_a_softmax_without_dimension_is_warned_about() -> None:
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        assert F.softmax(fz.zeros(2, 4)).sum(dim=1).tolist() == [1, 1]


@pytest.mark.parametrize("function", [F.relu, F.silu, F.elu, F.selu, F.hardswish, F.leaky_relu, F.mish, F.relu6])
def test_an_activation_in_place_returns_its_input_with_the_right_gradient(function: Any) -> None:
    values = fz.linspace(-3, 3, 13)
    x = values.clone().requires_grad_()
    function(x).sum().backward()
    y = values.clone().requires_grad_()
    inner = y * 1
    result = function(inner, inplace=True)
    assert result is inner
    result.sum().backward()
    np.testing.assert_allclose(y.grad.numpy(), x.grad.numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("pad", [(0, 0), (-1, -1)])
def test_what_is_padded_with_nothing_is_a_copy(mode: str, pad: tuple[int, int]) -> None:
    x = fz.ones(1, 4)
    F.pad(x, pad, mode=mode).zero_()
    assert x.tolist() == [[1.0, 1.0, 1.0, 1.0]]


def test_a_padding_row_is_not_trained() -> None:
    layer = nn.Embedding(4, 2, padding_idx=2)
    assert layer.weight[2].tolist() == [0, 0]
    layer(fz.tensor([1, 2, 2])).sum().backward()
    assert layer.weight.grad.tolist() == [[0, 0], [1, 1], [0, 0], [0, 0]]


def test_pretrained_embeddings_are_frozen_unless_asked() -> None:
    rows = fz.arange(6.0).reshape(3, 2)
    assert not nn.Embedding.from_pretrained(rows).weight.requires_grad
    layer = nn.Embedding.from_pretrained(rows, freeze=False)
    assert layer.weight.requires_grad
    assert layer(fz.tensor(2)).tolist() == [4, 5]


def test_fold_is_the_transpose_of_unfold() -> None:
    x = fz.randn(2, 3, 6, 5)
    options = {"kernel_size": (3, 2), "stride": (2, 1), "padding": 1}
    columns = F.unfold(x, **options)
    y = fz.randn(*columns.shape)
    left = float((columns * y).sum())
    right = float((x * F.fold(y, (6, 5), **options)).sum())
    assert left == pytest.approx(right, rel=1e-4, abs=1e-3)


def test_normalize_and_one_hot() -> None:
    assert F.normalize(fz.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist() == [pytest.approx([0.6, 0.8]), [0, 0]]
    assert F.one_hot(fz.tensor([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]


def test_a_layer_takes_device_and_dtype() -> None:
    layer = nn.Conv1d(1, 1, 1, device="cpu", dtype=fz.float64)
    assert layer.weight.dtype is fz.float64
    assert layer(fz.ones(1, 1, 3, dtype=fz.float64)).dtype is fz.float64


def test_parameters_as_one_vector_and_back() -> None:
    layer = nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(layer.parameters())
    assert vector.shape == (9,) and vector.requires_grad
    nn.utils.vector_to_parameters(fz.arange(9.0), layer.parameters())
    assert layer.weight.tolist() == [[0, 1], [2, 3], [4, 5]] and layer.bias.tolist() == [6, 7, 8]
    assert isinstance(layer.weight, nn.Parameter) and layer.weight.requires_grad
    with pytest.raises(TypeError, match="expected a Tensor"):
        nn.utils.vector_to_parameters([1.0], layer.parameters())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has 3 elements, the parameters need 9"):
        nn.utils.vector_to_parameters(fz.ones(3), layer.parameters())


def test_a_gradient_that_is_not_finite_can_be_refused() -> None:
    w = fz.ones(2, requires_grad=True)
    assert float(nn.utils.clip_grad_norm_([w], 1.0)) == 0
    w.grad = fz.tensor([float("inf"), 1.0])
    with pytest.raises(RuntimeError, match="total norm of order 2.0 .* is non-finite"):
        nn.utils.clip_grad_norm_(w, 1.0, error_if_nonfinite=True)
    assert w.grad.tolist() == [float("inf"), 1.0]


def test_a_batch_norm_may_be_followed_by_an_operation_in_place():
    """Its gradient is made from its input, so what happens to its result does not matter."""
    gradients = []
    for inplace in (False, True):
        x = (fz.arange(24.0).reshape(4, 2, 3) ** 2).requires_grad_()
        (F.relu(F.batch_norm(x, None, None, training=True), inplace) ** 2).sum().backward()
        gradients.append(x.grad.tolist())
    assert gradients[0] == gradients[1]


def test_an_empty_batch_leaves_the_running_statistics_as_they_are():
    layer = fz.nn.BatchNorm1d(3)
    layer(fz.zeros(0, 3, 4))
    assert layer.running_mean.tolist() == [0.0] * 3 and layer.running_var.tolist() == [1.0] * 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fz.nn.BatchNorm2d(2, eps=0.0)(fz.ones(2, 2, 2, 2)), "eps must be positive"),
        (lambda: fz.nn.BatchNorm2d(2, eps=-1.0).eval()(fz.ones(2, 2, 2, 2)), "eps must be non-negative"),
        (lambda: F.cross_entropy(fz.zeros(2, 3), fz.tensor([0, 1]), fz.ones(2)), "one number for each of the 3 classes"),
        (lambda: F.nll_loss(fz.zeros(2, 3), fz.tensor([0, 1]), fz.ones(3, 1)), "one number for each of the 3 classes"),
        (lambda: fz.nn.CircularPad1d(1)(fz.ones(1, 2, 3, 4)), "expected 2D or 3D input"),
        (lambda: fz.nn.HuberLoss(delta=1j), "delta must be a float or int"),  # type: ignore[arg-type]
        (lambda: fz.nn.GRU(3, 4, bias=1), "bias should be of type bool"),  # type: ignore[arg-type]
        (lambda: fz.nn.LSTM(0, 4), "input_size must be greater than zero"),
        (lambda: F.gaussian_nll_loss(fz.ones(2, 3), fz.ones(2, 3), fz.ones(1, 1)), "var is of incorrect size"),
    ],
)
def test_what_pytorch_refuses_is_refused(make, message):
    with pytest.raises((ValueError, RuntimeError, TypeError), match=message):
        make()


def test_one_variance_may_be_that_of_a_whole_dimension():
    x, target = fz.tensor([[1.0, 2.0], [3.0, 5.0]]), fz.zeros(2, 2)
    for var in (fz.tensor([[1.0, 2.0]]), fz.tensor([[1.0], [2.0]])):
        assert F.gaussian_nll_loss(x, target, var).item() == pytest.approx(
            F.gaussian_nll_loss(x, target, var.expand(2, 2).clone()).item()
        )


def test_convolutions_of_complex_numbers_are_those_of_their_parts():
    x = fz.complex(fz.randn(2, 2, 5), fz.randn(2, 2, 5)).requires_grad_()
    w = fz.complex(fz.randn(2, 2, 3), fz.randn(2, 2, 3))
    for convolve in (F.conv1d, F.conv_transpose1d):
        y = convolve(x, w, fz.tensor([1.0 + 1.0j, 2.0j]))
        parts = convolve(x.real, w.real) - convolve(x.imag, w.imag), convolve(x.real, w.imag) + convolve(x.imag, w.real)
        fz.testing.assert_close(y, fz.complex(*parts) + fz.tensor([[1.0 + 1.0j], [2.0j]]))
        (g,) = fz.autograd.grad(y.abs().sum(), x)
        assert g.dtype is fz.complex64 and g.abs().min() > 0


def test_the_gradient_of_an_absolute_value_carries_nan():
    x = fz.tensor([float("nan"), 1.0], requires_grad=True)
    assert fz.autograd.grad(x.abs(), x, fz.full((2,), float("nan")))[0].isnan().all()
    assert fz.autograd.grad(x.abs().sum(), x)[0].tolist() == [0.0, 1.0]


def test_fractional_windows_begin_where_the_samples_say():
    x, samples = fz.randn(2, 3, 7, 6), fz.rand(2, 3, 2)
    y, places = F.fractional_max_pool2d(x, (2, 3), (4, 2), return_indices=True, _random_samples=samples)
    for n, c in np.ndindex(2, 3):
        starts = []
        for size, kernel, count, sample in ((7, 2, 4, samples[n, c, 1].item()), (6, 3, 2, samples[n, c, 0].item())):
            step = (size - kernel) / (count - 1)
            starts.append([int((i + sample) * step) - int(sample * step) for i in range(count - 1)] + [size - kernel])
        for i, j in np.ndindex(4, 2):
            window = x[n, c, starts[0][i] : starts[0][i] + 2, starts[1][j] : starts[1][j] + 3]
            assert y[n, c, i, j] == window.max() == x[n, c].flatten()[places[n, c, i, j]]
    assert F.fractional_max_pool3d(fz.ones(1, 2, 4, 5, 6), 2, output_ratio=0.5).shape == (1, 2, 2, 2, 3)
    for options in ({"output_ratio": 0.5, "output_size": 2}, {}, {"output_ratio": 1.5}):
        with pytest.raises(ValueError, match="output_"):
            nn.FractionalMaxPool2d(2, **options)
    with pytest.raises(ValueError, match="do not fit"):
        F.fractional_max_pool2d(x, 3, 6)


def test_the_gradient_of_a_sparse_embedding_is_sparse_and_the_same():
    weight = fz.randn(5, 2)
    grads = []
    for sparse in (True, False):
        layer = nn.Embedding.from_pretrained(weight.clone(), freeze=False, sparse=sparse, padding_idx=1)
        for ids in ([[0, 3], [3, 1]], [[4, 0]]):
            (layer(fz.tensor(ids)) ** 2).sum().backward()
        assert layer.weight.grad.is_sparse is sparse
        grads.append(layer.weight.grad.to_dense().clone())
        layer.weight.sum().backward()  # a dense one added to a sparse one
        fz.testing.assert_close(layer.weight.grad, grads[-1] + 1)
    fz.testing.assert_close(*grads)


def test_the_adaptive_softmax_is_a_distribution():
    layer = nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10], div_value=2.0)
    x, target = fz.randn(6, 8), fz.tensor([0, 4, 5, 9, 10, 19])
    every = layer.log_prob(x)
    fz.testing.assert_close(every.exp().sum(1), fz.ones(6))
    output, loss = layer(x, target)
    fz.testing.assert_close(output, every[fz.arange(6), target])
    assert loss.item() == pytest.approx(-output.mean().item()) and layer.predict(x).equal(every.argmax(1))
    for cutoffs in ([], [5, 5], [5, 20], [0, 5]):
        with pytest.raises(ValueError, match="cutoffs"):
            nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs)
    with pytest.raises(ValueError, match="Target values"):
        layer(x, target + 1)


def test_distances_of_pairs_are_the_triangle_of_all_distances():
    x = fz.randn(5, 3)
    for p in (0.0, 1.0, 2.0, float("inf")):
        fz.testing.assert_close(F.pdist(x, p), fz.cdist(x, x, p)[tuple(fz.triu_indices(5, 5, 1))])
    assert F.pdist(fz.zeros(1, 3)).shape == (0,)
    with pytest.raises(ValueError, match="pdist: expected rows"):
        F.pdist(fz.zeros(3))


def test_gradients_of_convolutions_are_there_as_functions():
    x, w = fz.randn(2, 4, 7, 6, requires_grad=True), fz.randn(6, 2, 3, 2, requires_grad=True)
    options = {"stride": (2, 1), "padding": 1, "groups": 2}
    y = F.conv2d(x, w, **options)
    g = fz.randn(*y.shape)
    dx, dw = fz.autograd.grad(y, (x, w), g)
    fz.testing.assert_close(nn.grad.conv2d_input(x.shape, w, g, **options), dx)
    fz.testing.assert_close(nn.grad.conv2d_weight(x, w.shape, g, **options), dw)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic", "nearest-exact"])
@pytest.mark.parametrize("asked", [{"size": (0, 2)}, {"size": (1, -1)}, {"scale_factor": 0.1}])
def test_images_are_not_resized_to_nothing(mode, asked):
    with pytest.raises(fz.errors.ShapeError, match="sizes should be greater than 0"):
        F.interpolate(fz.ones(1, 2, 4, 4), mode=mode, **asked)


def test_resized_images_of_bytes_are_bytes():
    x = fz.tensor([[[[0, 255], [10, 20]]]], dtype=fz.uint8)
    y = F.interpolate(x, (2, 3), mode="bilinear", align_corners=True)
    assert y.dtype is fz.uint8 and y.tolist() == [[[[0, 128, 255], [10, 15, 20]]]]
