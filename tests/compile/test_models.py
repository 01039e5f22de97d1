"""The models that the export is measured with, compiled: at three sizes they give what they give eagerly, from one recording."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import frazil as fz
from frazil.pytree import flatten

from ..onnx.models import arrays_of, models

MODELS = models(fz)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("name", MODELS)
def test_compiled_equals_eager_at_three_sizes(name: str, engine: str) -> None:
    check_model(name, engine)


def check_model(name: str, engine: str) -> None:
    model, rng = MODELS[name], np.random.default_rng(1)
    fz.manual_seed(0)
    module = model.make()
    compiled = fz.compile(module, engine=engine, fullgraph=True)
    with fz.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error")
        for sizes in (model.example, *model.others[:2]) * 2:
            args = list(map(fz.tensor, arrays_of(model, sizes, rng)))
            found, expected = flatten(compiled(*args))[0], flatten(module(*args))[0]
            assert len(found) == len(expected)
            for a, b in zip(found, expected, strict=True):
                assert (a.shape, a.dtype) == (b.shape, b.dtype)
                np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5)
    told = fz.compile.explain(compiled)
    assert [recording.engine for recording in told.recordings] == [engine] and told.eager_calls == 0, str(told)
