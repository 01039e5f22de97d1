"""Out and in again: what frazil writes, `fz.onnx.load` reads as the same; and files that were read are written again."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.table import OPS, S

from .harness import assert_same, op_program, results_of, samples
from .models import Model, arrays_of, count_nodes, dynamic_axes, models

#: Why a file of a model has more operators after a round trip.
_NAN = "MaxPool and ReduceMax stand in an If that asks for NaN, and each of them is written with that again"
_GATES = "weights of recurrent layers are stored in the operator's order of gates, and put into PyTorch's when they are read"
_SUMS = "sums of integers are added up in halves, and each half is written so again"
_SIZES = "conditions on sizes are written in another form"
GROWS = {
    **dict.fromkeys("siamese resnet18 unet text_convolutions pointnet deep_sets".split(), _NAN),
    **dict.fromkeys("lstm_language_model gru_classifier bidirectional_tagger streaming_lstm".split(), _GATES),
    **dict.fromkeys("feature_pyramid gpt style_transfer".split(), _SIZES),
    "encoder_with_padding_mask": _SUMS,
}


def _files(name: str, sample: S) -> tuple[Any, Any, Any]:
    """The program of an op, its tensors, and the file of it as a module."""
    program, given = op_program(OPS[name], sample)
    report = fz.onnx.export(program, tuple(given), verify=False, training=True)
    return program, given, fz.onnx.load(report.model_bytes)


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.samples])
def test_the_first_sample_of_every_op_is_read_as_the_same(name: str) -> None:
    _check(name, OPS[name].samples[0])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sample"), samples())
def test_every_sample_of_every_op_is_read_as_the_same(name: str, sample: S) -> None:
    _check(name, sample)


def _check(name: str, sample: S) -> None:
    try:
        program, given, loaded = _files(name, sample)
    except fz.onnx.UnsupportedOps as refused:
        pytest.skip(f"there is no file: {refused}")
    assert_same(results_of(loaded, given), results_of(program, given))


@functools.cache
def _models() -> dict[str, Model]:
    return models(fz)


def _tensors(results: Any) -> list[Any]:
    if isinstance(results, (tuple, list)):
        return [t for part in results for t in _tensors(part)]
    return [results]


def _round_trip(name: str) -> tuple[Any, Any, Any, list[Any]]:
    """The module, its file as a module, the report, and example inputs."""
    model = _models()[name]
    fz.manual_seed(0)
    module = model.make().eval()
    given = [fz.tensor(array) for array in arrays_of(model, model.example, np.random.default_rng(0))]
    axes = dynamic_axes(model)
    report = fz.onnx.export(module, tuple(given), verify=False, input_names=list(model.inputs), dynamic_shapes=axes)
    return module, fz.onnx.load(report.model_bytes), report, given


@pytest.mark.parametrize("name", models(fz))
def test_models_give_the_same_at_other_sizes_and_are_written_again(name: str) -> None:
    model = _models()[name]
    module, loaded, report, given = _round_trip(name)
    for sizes in (model.example, *model.others[:1]):
        inputs = [fz.tensor(array) for array in arrays_of(model, sizes, np.random.default_rng(1))]
        assert_same(*([t.detach().numpy() for t in _tensors(m(*inputs))] for m in (loaded, module)))
    axes = dynamic_axes(model)
    again = fz.onnx.export(loaded, tuple(given), verify=False, dynamic_shapes=axes)
    assert (again.inputs, [line.partition(":")[0] for line in again.outputs]) == (
        report.inputs,
        [line.partition(":")[0] for line in report.outputs],
    )
    grows = count_nodes(again.model_bytes) > count_nodes(report.model_bytes)
    assert grows == (name in GROWS), GROWS.get(name, "it has more operators than before")
    own = {value for value in report.model.graph.initializers if value in module.state_dict()}
    assert own <= set(again.model.graph.initializers)


@pytest.mark.parametrize("name", ["mlp", "mobilenet", "squeeze_and_excite", "vision_transformer"])
def test_models_train_as_the_original(name: str) -> None:
    module, loaded, _, given = _round_trip(name)
    losses: list[list[float]] = []
    for m in (module, loaded):
        optimizer = fz.optim.SGD(m.parameters(), lr=0.01)
        losses.append([])
        for _ in range(4):
            loss = sum((t * t).mean() for t in _tensors(m(*given)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    assert losses[0][-1] < losses[0][0]
