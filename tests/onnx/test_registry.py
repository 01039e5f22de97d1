"""What the installed onnxruntime can run is asked of it, and the detours are those it needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

import frazil as fz
from frazil.exporters.onnx import VerificationError, registry
from frazil.exporters.onnx.lowerings import LOWERINGS
from frazil.exporters.onnx.ort_compat import DETOURS, EXPANDED, VALUE_GAPS
from frazil.exporters.onnx.running import run_file
from frazil.exporters.onnx.values import Values
from frazil.table import OPS

from .harness import in_onnxruntime, op_program

D = ir.DataType


def test_kernels_are_found_by_exact_version_and_type() -> None:
    assert registry.missing("Relu", 21, (D.FLOAT,), (D.FLOAT,)) is None
    assert "no CPU kernel of Conv for T = tensor(double)" in str(registry.missing("Conv", 21, (D.DOUBLE, D.DOUBLE), (D.DOUBLE,)))
    assert "does not define BitwiseAnd for tensor(float)" in str(
        registry.missing("BitwiseAnd", 21, (D.FLOAT, D.FLOAT), (D.FLOAT,))
    )


def test_a_kernel_that_a_newer_schema_lost_is_missed() -> None:
    assert registry.missing("RandomUniform", 21, (), (D.FLOAT,)) is None
    assert "no CPU kernel of RandomUniform at opset 22" in str(registry.missing("RandomUniform", 22, (), (D.FLOAT,)))


def _types(op_type: str, dtype: ir.DataType) -> tuple[Any, Any]:
    """Input and output types of an operator whose main type is `dtype`."""
    definition = registry.schema(op_type, 23 if op_type == "RMSNormalization" else 21)
    giver = definition.inputs[1 if op_type == "Where" else 0].type_str

    def of(formals: Any) -> tuple[Any, ...]:
        return tuple(dtype if formal.type_str == giver else None for formal in formals)

    outputs = tuple(t for t in of(definition.outputs) if t is not None)
    return of(definition.inputs), outputs


@pytest.mark.parametrize(("op_type", "narrow"), [(op, narrow) for op, detours in DETOURS.items() for narrow in detours])
def test_a_detour_is_needed_and_helps(op_type: str, narrow: ir.DataType) -> None:
    """Fails when the installed onnxruntime has learnt the type: then the entry can go."""
    opset = 23 if op_type == "RMSNormalization" else 21
    assert registry.missing(op_type, opset, *_types(op_type, narrow)) is not None
    assert registry.missing(op_type, opset, *_types(op_type, DETOURS[op_type][narrow])) is None


@pytest.mark.parametrize("op_type", list(EXPANDED))
def test_an_expanded_operator_still_has_no_kernel(op_type: str) -> None:
    assert not registry.kernels(op_type)


#: What stands among the numbers in a row of the gaps -> the class of numbers that verification tries.
CLASSES = {"infinity": "infinities"}

#: Op -> the first of its samples that shows it, where others are tried for long in vain.
FIRST = {
    "lstm": 1,
    "lstm_train": 2,
    "lstm_train_grad": 2,
    "scaled_dot_product_attention": 5,
    "scaled_dot_product_attention_grad": 1,
}


def _programs(name: str) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    if name in ("gru", "lstm", "rnn"):  # its kernels work on eight numbers at once: samples are too small for that
        layer = {"gru": fz.nn.GRU, "lstm": fz.nn.LSTM, "rnn": fz.nn.RNN}[name](
            4, 6, bias=name != "rnn", bidirectional=name == "rnn"
        )
        state = fz.randn(1 + (name == "rnn"), 3, 6)
        yield lambda x, h: layer(x, (h, h) if name == "lstm" else h), (fz.randn(5, 3, 4), state)
    for sample in OPS[name].samples[FIRST.get(name, 0) :]:
        program, tensors = op_program(OPS[name], sample)
        yield program, tuple(tensors)


@pytest.mark.parametrize(("name", "kind"), VALUE_GAPS, ids=[" ".join(row) for row in VALUE_GAPS])
def test_a_gap_is_still_there(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when file and program have become the same on such numbers: then the row can go."""
    verify, wanted = sys.modules["frazil.exporters.onnx.verify"], CLASSES.get(kind, kind)
    every_try = Values.tries
    monkeypatch.setattr(verify, "size_cases", lambda graph: [])
    monkeypatch.setattr(Values, "tries", lambda self: (t for _ in range(48) for t in every_try(self) if t.label == wanted))
    monkeypatch.setattr(verify, "_VALUE_SECONDS", 60)
    monkeypatch.delitem(VALUE_GAPS, (name, kind))
    fz.manual_seed(0)
    for program, tensors in _programs(name):
        try:
            fz.onnx.export(program, tensors)
        except VerificationError as error:
            assert error.divergence is not None and error.divergence.node.op_name == name
            return
    pytest.fail("no sample differs any more")


def test_a_gap_is_said_and_does_not_excuse_a_lowering_of_ones_own() -> None:
    def own(e: Any, call: Any, *given: Any) -> Any:
        return LOWERINGS["lstm"](e, call, *given)

    fz.manual_seed(0)
    model, x = fz.nn.LSTM(4, 6).eval(), fz.randn(5, 3, 4)
    report = str(fz.onnx.export(model, x))
    version = onnxruntime.__version__
    assert f"not compared at NaN: lstm (onnxruntime {version}: the gates of its kernels have bounds" in report
    with pytest.raises(VerificationError, match="NaN"):
        fz.onnx.export(model, x, lowerings={"lstm": own})


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float16", "bool"])
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(lambda x: fz.maximum(x, x.flip(0)), id="maximum"),
        pytest.param(lambda x: fz.amax(x, 0), id="amax"),
        pytest.param(lambda x: (x.int() if x.dtype is fz.bool else x).argmin(0), id="argmin"),  # not defined for bool
        pytest.param(lambda x: x.sum(0), id="sum"),
        pytest.param(lambda x: x.cumsum(0), id="cumsum"),
        pytest.param(lambda x: fz.where(x > 2, x, x.flip(0)), id="where"),
        pytest.param(lambda x: fz.nn.functional.pad(x, (1, 1)), id="pad"),
        pytest.param(lambda x: x.nonzero(), id="nonzero"),
        pytest.param(lambda x: x.sort(0), id="sort"),
        pytest.param(lambda x: x >= x.flip(0), id="ge"),
        pytest.param(lambda x: x[fz.tensor([1, 0])], id="index"),
    ],
)
def test_small_types_come_out_as_they_are_in_the_program(dtype: str, program: Any) -> None:
    x = fz.tensor(np.array([3, 0, 1, 7, 2]).astype(dtype))
    report = fz.onnx.export(program, x, verify=False)
    expected = program(x)
    for found, wanted in zip(in_onnxruntime(report, [x]), expected if isinstance(expected, tuple) else (expected,), strict=True):
        assert found.dtype == wanted.numpy().dtype
        np.testing.assert_array_equal(found, wanted.numpy())


def test_small_integers_wrap_around_in_the_file_as_in_the_program() -> None:
    x = fz.tensor(np.array([100, 27, -128], np.int8))
    report = fz.onnx.export(lambda x: x * x + x, x)
    assert run_file(report.model_bytes, {"x": x.numpy()})["output"].tolist() == (x * x + x).tolist()
