"""Layers and functions that PyTorch programs name, and what they mean in one process on one device."""

from __future__ import annotations

import pytest

import frazil as fz
from frazil.nn.attention import SDPBackend, sdpa_kernel
from frazil.nn.attention.flex_attention import and_masks, create_block_mask, flex_attention


def test_sync_batch_norm_is_batch_norm_and_takes_over_its_state():
    model = fz.nn.Sequential(fz.nn.Conv1d(2, 3, 1), fz.nn.Sequential(fz.nn.BatchNorm1d(3, momentum=0.3)))
    x = fz.randn(4, 2, 5)
    expected = model(x)
    model[1][0].reset_running_stats()
    weight = model[1][0].weight
    converted = fz.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert converted is model and type(model[1][0]) is fz.nn.SyncBatchNorm and model[1][0].weight is weight
    fz.testing.assert_close(model(x), expected)
    for shape in ((4, 3), (4, 3, 2), (4, 3, 2, 2), (4, 3, 2, 2, 2)):
        assert fz.nn.SyncBatchNorm(3)(fz.randn(*shape)).shape == shape


def test_flex_attention_is_attention_with_scores_of_ones_own():
    q, k, v = (fz.randn(2, 4, 5, 3) for _ in range(3))
    F = fz.nn.functional
    fz.testing.assert_close(flex_attention(q, k, v), F.scaled_dot_product_attention(q, k, v))
    causal = create_block_mask(lambda b, h, i, j: i >= j, None, None, 5, 5)
    fz.testing.assert_close(flex_attention(q, k, v, block_mask=causal), F.scaled_dot_product_attention(q, k, v, is_causal=True))
    slopes = fz.tensor([1.0, 0.5, 0.25, 0.125])
    biased = flex_attention(q, k, v, lambda s, b, h, i, j: s + slopes[h] * (j - i), scale=1.0)
    bias = slopes[:, None, None] * (fz.arange(5)[None, :] - fz.arange(5)[:, None])
    fz.testing.assert_close(biased, F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0))
    nothing = create_block_mask(and_masks(lambda b, h, i, j: i > j, lambda b, h, i, j: i < j), None, None, 5, 5)
    out, lse = flex_attention(q, k, v, block_mask=nothing, return_lse=True)
    assert (out == 0).all() and (lse == -fz.inf).all()
    grouped = flex_attention(q, k[:, :2], v[:, :2], enable_gqa=True)
    fz.testing.assert_close(grouped, F.scaled_dot_product_attention(q, k[:, :2], v[:, :2], enable_gqa=True))
    with pytest.raises(RuntimeError, match="enable_gqa"):
        flex_attention(q, k[:, :2], v[:, :2])


def test_backends_of_attention_are_names():
    with sdpa_kernel(SDPBackend.MATH):
        pass
    with pytest.raises(RuntimeError, match="SDPBackend"), sdpa_kernel([]):
        pass


def test_scatter_and_gather_are_inverse():
    data = {"x": fz.arange(6).reshape(3, 2), "more": (fz.ones(3), "text")}
    parts = fz.nn.parallel.scatter(data, [0, 1])
    assert [p["x"].shape[0] for p in parts] == [2, 1] and parts[1]["more"][1] == "text"
    joined = fz.nn.parallel.gather(parts)
    fz.testing.assert_close(joined["x"], data["x"])
    layers = [fz.nn.ReLU(), fz.nn.Identity()]
    found = fz.nn.parallel.parallel_apply(layers, [fz.tensor([-1.0]), (fz.tensor([-1.0]),)])
    assert [y.item() for y in found] == [0, -1]


def test_where_a_tensor_lies():
    x = fz.zeros(3, 4)
    assert x[1:, 2:].storage_offset() == 6 and x.storage_offset() == 0
    assert x[1].data_ptr() == x.data_ptr() + 16 and x.to_dense() is x


def test_the_accelerator_is_the_default_device_or_cuda():
    found = fz.accelerator.current_accelerator()
    assert (found is None) == (not fz.accelerator.is_available())
    assert fz.accelerator.device_count() == (0 if found is None else found.backend.device_count())
    assert fz.version.cuda is None and fz.version.__version__ == fz.__version__
    assert not isinstance(fz.ones(1), fz.cuda.FloatTensor)
