"""Every op of the table, alone, with every sample: exported with all sizes dynamic, it agrees with onnxruntime. So does
its gradient."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.exporters.onnx import UnsupportedOps, VerificationError
from frazil.exporters.onnx.reference import reference_outputs
from frazil.table import OPS, Op, S

from .harness import assert_same, gradient_program, in_onnxruntime, op_program, results_of, samples

#: Where ONNX's reference evaluator 1.23.2 is the one that differs (2026-11-21).
REFERENCE_DIFFERS = {
    ("nan_to_num", 1): "the largest float32 is a number in the file, and not the largest float64",
    ("random_normal", 2): "draws float16, which has no counterpart in float64",
    ("max_pool", 6): "what stands for an infinity of float32 is none in float64",
    ("log_softmax", 5): "its LogSoftmax is the logarithm of its Softmax, which underflows",
    ("cross_entropy", 8): "its LogSoftmax is the logarithm of its Softmax, which underflows",
    ("softsign", 1): "its Softsign fails on a 0-d tensor",
    ("conv_input_grad", 2): "its ConvTranspose fails with groups",
    ("biased_conv_input_grad", 1): "its ConvTranspose fails with groups",
    **{(name, i): "its operator ignores sequence_lens" for name in ("lstm", "gru", "rnn") for i in (1, 3)},
    ("rnn", 1): "its RNN knows no Relu",
    ("rnn", 2): "its RNN knows no Relu",
    **{(f"{kind}_train", i): "its Scan only goes forwards" for kind in ("lstm", "gru", "rnn") for i in (1, 3)},
    **{(f"{kind}_train_grad", i): "its Scan only goes forwards" for kind in ("lstm", "gru", "rnn") for i in (0, 2)},
}

#: Ops that the CPU kernels of onnxruntime 1.32.0 cannot run in float64 (2026-11-29), refused before a file is written: there is
#: no kernel of Asin, Acos and Atan. Tan, Sinh, Cosh, Asinh, Acosh, Atanh, Conv, ConvTranspose and AveragePool have none
#: either, but the bodies of those ops are written in their place.
NO_FLOAT64 = {"acos", "asin", "atan", "atan2"}


def _position(name: str, sample: S) -> int:
    return next(i for i, s in enumerate(OPS[name].samples) if s is sample)


def _expect(request: pytest.FixtureRequest, table: dict[Any, str], name: str, sample: S, error: type[Exception]) -> None:
    """A sample in the table must fail: if it passes, the entry is out of date."""
    reason = table.get((name, _position(name, sample)))
    if reason is not None:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True, raises=error))


@pytest.mark.parametrize(("name", "sample"), samples())
def test_forward(name: str, sample: S) -> None:
    program, tensors = op_program(OPS[name], sample)
    report = fz.onnx.export(program, tuple(tensors), verify=False)
    assert_same(in_onnxruntime(report, tensors), results_of(program, tensors))


@pytest.mark.parametrize(("name", "sample"), samples(gradient=True))
def test_gradient(name: str, sample: S) -> None:
    program, tensors = gradient_program(OPS[name], sample)
    report = fz.onnx.export(program, tuple(tensors), verify=False)
    assert_same(in_onnxruntime(report, tensors), results_of(program, tensors))


@pytest.mark.parametrize("opset", [23, 24])
@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.samples])
def test_other_opsets(name: str, opset: int) -> None:
    program, tensors = op_program(OPS[name], OPS[name].samples[0])
    report = fz.onnx.export(program, tuple(tensors), verify=False, opset_version=opset, dynamic_shapes=None)
    assert_same(in_onnxruntime(report, tensors), results_of(program, tensors))


def _floating(op: Op) -> list[S]:
    return [s for s in op.samples if any(a is not None and a.kind == "f" for a in s.args)]


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if _floating(op)])
def test_float64_is_exact_or_refused(name: str) -> None:
    """Never computed in less than float64: an op without such a kernel is refused."""
    op, refused = OPS[name], 0
    for sample in _floating(op):
        program, tensors = op_program(op, sample, "float64")
        try:
            report = fz.onnx.export(program, tuple(tensors), verify=False, dynamic_shapes=None)
        except UnsupportedOps as error:
            assert "has no CPU kernel" in str(error)
            refused += 1
            continue
        assert_same(in_onnxruntime(report, tensors), results_of(program, tensors))
    assert bool(refused) == (name in NO_FLOAT64)


@pytest.mark.parametrize(("name", "sample"), samples(quick=1))
def test_the_reference_evaluator_agrees_in_float64(name: str, sample: S, request: pytest.FixtureRequest) -> None:
    """The second oracle: what is written means what frazil computes, whatever onnxruntime makes of it."""
    _expect(request, REFERENCE_DIFFERS, name, sample, Exception)
    program, tensors = op_program(OPS[name], sample)
    report = fz.onnx.export(program, tuple(tensors), verify=False, dynamic_shapes=None)
    feeds = {value.name: t.numpy() for value, t in zip(report.graph.inputs, tensors, strict=True)}
    found = reference_outputs(report.model_bytes, feeds)
    wide, wide_tensors = op_program(OPS[name], sample, "float64")
    for a, b in zip(found.values(), results_of(wide, wide_tensors), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a.astype(np.float64), b.astype(np.float64), rtol=2e-6, atol=2e-6, equal_nan=True)


#: Ops that the functions of frazil call with sizes that belong together, or a state that no program makes up: which is why the
#: sizes and numbers that verification makes up mean nothing for them alone, and an export of them alone does not pass it.
INSIDE = {
    "conv_input_grad": "sizes of a result that a convolution gave",
    "biased_conv_input_grad": "sizes of a result that a convolution gave",
    "conv_weight_grad": "sizes of a result that a convolution gave",
    "max_pool_grad": "sizes of a result that a pool gave",
    "max_pool_indices": "windows that see nothing but padding, by a dilation as wide as the image",
    "max_pool_places": "windows that see nothing but padding, by a dilation as wide as the image",
    "max_pool": "windows that see nothing but padding, by a dilation as wide as the image",
    "class_cross_entropy_grad": "classes that the loss has looked at",
    "resize": "a size that interpolate computes from that of the image",
    "first_above": "edges in order",
    **dict.fromkeys(("fourier", "fourier_half", "fourier_from_half"), "NaN and infinities in one part of a complex number"),
    **dict.fromkeys((name for name in OPS if name.startswith("random_")), "the state of a generator"),
}

#: The same, but that onnxruntime's process ends.
ENDS = {"conv": "windows of nothing, which the functions refuse"}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(OPS))
def test_every_op_passes_the_verification_of_an_export(name: str) -> None:
    """With all sizes free, at size 0, at extremes: as a user exports it."""
    if name in ENDS:
        pytest.skip(ENDS[name])
    with pytest.raises(VerificationError) if name in INSIDE else nullcontext():
        for sample in OPS[name].samples:
            program, tensors = op_program(OPS[name], sample)
            fz.onnx.export(program, tuple(tensors))
