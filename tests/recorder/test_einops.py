"""einops works on tensors of frazil, whichever is imported first, and its patterns keep all sizes free in a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.exporters.onnx.running import run_file

einops = pytest.importorskip("einops")

CALLS = {
    "rearrange": lambda e, x: e.rearrange(x, "b c (h p) (w q) -> b (h w) (c p q)", p=2, q=2),
    "a size as the length of an axis": lambda e, x: e.rearrange(x, "b c (h p) w -> b c h p w", p=x.shape[2] // 2),
    "a list": lambda e, x: e.rearrange([x, x], "n b c h w -> (n b) c h w"),
    "mean": lambda e, x: e.reduce(x, "b c (h p) w -> b c h w", "mean", p=2),
    "max": lambda e, x: e.reduce(x, "b c h w -> b c", "max"),
    "min": lambda e, x: e.reduce(x, "b c h w -> b c", "min"),
    "sum": lambda e, x: e.reduce(x, "b c h w -> c", "sum"),
    "prod": lambda e, x: e.reduce(x, "b c h w -> b h w", "prod"),
    "repeat": lambda e, x: e.repeat(x, "b c h w -> b c (h k) w", k=3),
    "einsum": lambda e, x: e.einsum(x, x, "b c h w, b d h w -> b c d"),
    "pack": lambda e, x: e.pack([x, x[:, :, 0]], "b c *")[0],
    "unpack": lambda e, x: e.unpack(*e.pack([x, x[:, :, 0]], "b c *"), "b c *")[0],
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_that_of_numpy_and_keeps_sizes_free(name: str) -> None:
    def program(x: fz.Tensor) -> Any:
        return CALLS[name](einops, x)

    rng = np.random.default_rng(0)
    report = fz.onnx.export(program, (fz.randn(2, 3, 4, 6),), verify=False)
    assert not any(
        guard.holds.op == "==" and isinstance(guard.holds.rhs, int) and guard.holds.rhs for guard in report.graph.guards
    )
    for shape in ((2, 3, 4, 6), (1, 2, 6, 8), (3, 5, 2, 2)):
        array = rng.standard_normal(shape).astype(np.float32)
        expected = CALLS[name](einops, array)
        np.testing.assert_allclose(program(fz.tensor(array)).numpy(), expected, rtol=1e-5, atol=1e-6)
        (found,) = run_file(report.model_bytes, {"x": array}).values()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_parameter_repeated_along_a_free_axis() -> None:
    """The class token of a vision transformer: the tensor is no tensor of the recording, the length of the axis is a size."""
    token = fz.nn.Parameter(fz.randn(1, 1, 4))
    report = fz.onnx.export(lambda x: einops.repeat(token, "1 1 d -> b 1 d", b=x.shape[0]), (fz.randn(2, 5),))
    assert not report.graph.guards
    assert einops.repeat(token, "1 1 d -> b 1 d", b=7).shape == (7, 1, 4)


def test_layers_are_modules() -> None:
    from einops.layers.frazil import EinMix, Rearrange, Reduce

    model = fz.nn.Sequential(
        Rearrange("b c (h p) (w q) -> b (h w) (c p q)", p=2, q=2),
        EinMix("b n c -> b n d", weight_shape="c d", bias_shape="d", c=12, d=5),
        Reduce("b n d -> b d", "mean"),
    )
    assert model(fz.randn(2, 3, 4, 4)).shape == (2, 5) and len(list(model.parameters())) == 2
    report = fz.onnx.export(model, (fz.randn(2, 3, 4, 4),))
    assert run_file(report.model_bytes, {"input": np.zeros((3, 3, 6, 8), np.float32)})["output"].shape == (3, 5)
