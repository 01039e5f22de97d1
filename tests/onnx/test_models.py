"""The models of `models.py`, each exported once and run in onnxruntime at five other sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import ShapeError
from frazil.exporters.onnx.running import open_session, run_session
from frazil.pytree import flatten

from .models import Model, arrays_of, count_nodes, dynamic_axes, models

MODELS = models(fz)
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "onnx_export.json"


def exported(model: Model, **options: Any) -> tuple[Any, Any]:
    fz.manual_seed(0)
    module = model.make()
    example = tuple(map(fz.tensor, arrays_of(model, model.example, np.random.default_rng(0))))
    names = list(model.inputs)
    return module, fz.onnx.export(module, example, input_names=names, dynamic_shapes=dynamic_axes(model), **options)


def test_there_are_enough() -> None:
    assert len(MODELS) >= 25 and all(len(model.others) == 5 for model in MODELS.values())


@pytest.mark.parametrize("name", MODELS)
def test_one_file_for_all_sizes(name: str) -> None:
    model, rng = MODELS[name], np.random.default_rng(1)
    module, report = exported(model, verify=False)
    assert report.fixed == []
    for value, spec in zip(report.graph.inputs, model.inputs.values(), strict=True):
        dims = [dim for dim in spec.split() if dim != "bool" and ":" not in dim]
        assert [str(n) for n in value.spec.shape] == dims  # every letter is a size of the file's input
    session = open_session(report.model_bytes)
    for sizes in (model.example, *model.others):
        arrays = arrays_of(model, sizes, rng)
        with fz.no_grad():
            expected = [leaf.numpy() for leaf in flatten(module(*map(fz.tensor, arrays)))[0]]
        found = run_session(session, dict(zip(model.inputs, arrays, strict=True))).values()
        for a, b in zip(found, expected, strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["gpt", "unet", "lstm_language_model", "encoder_with_padding_mask", "feature_pyramid"])
def test_verification_says_the_same(name: str) -> None:
    _, report = exported(MODELS[name])
    assert report.checks is not None and len(report.checks.checks) > 3


def test_no_file_has_grown() -> None:
    """Nodes, next to those that `benchmarks/onnx_export.py` counted for PyTorch's files of the same models.

    Branches for NaN and for empty batches, and asserts that windows fit, which PyTorch's files lack, are a fifteenth.
    """
    recorded = {row["model"]: row for row in json.loads(RESULTS.read_text())["nodes"]}
    counts = {name: count_nodes(exported(model, verify=False)[1].model_bytes) for name, model in MODELS.items()}
    assert {name: n for name, n in counts.items() if n > recorded[name]["frazil"]} == {}
    assert sum(counts.values()) <= 0.9 * sum(row["torch"] for row in recorded.values())


def test_padding_and_then_a_pool_of_one_element() -> None:
    """The shortcut of shake-shake networks: onnxruntime would merge the two into a pool that it refuses to load."""

    class Shortcut(fz.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pad, self.pool = fz.nn.ZeroPad2d((1, 0, 1, 0)), fz.nn.AvgPool2d(1, stride=2, ceil_mode=True)

        def forward(self, x: Any) -> Any:
            return self.pool(self.pad(x))

    report = fz.onnx.export(Shortcut(), fz.randn(2, 3, 8, 7))
    assert "AveragePool" not in report.operators and report.checks is not None


@pytest.mark.parametrize(
    "pool", [fz.nn.MaxPool2d(2), fz.nn.AvgPool2d(2), fz.nn.MaxPool2d(3, 2), fz.nn.AvgPool2d(3, 3), fz.nn.Conv2d(3, 3, 2)], ids=str
)
def test_a_window_that_does_not_fit_is_refused_by_the_file_too(pool: fz.nn.Module) -> None:
    """onnxruntime 1.32 alone gives a window of one element more, where the program raises."""
    report = fz.onnx.export(pool, (fz.ones(1, 3, 8, 8),), dynamic_shapes={"input": {2: "h", 3: "w"}}, verify=False)
    session = open_session(report.model_bytes)
    for h, w in ((1, 8), (8, 1), (0, 8)):
        image = np.ones((1, 3, h, w), np.float32)
        with pytest.raises(ShapeError):
            pool(fz.tensor(image))
        with pytest.raises(Exception, match="onnxruntime|ONNXRuntimeError"):
            run_session(session, {"input": image})
