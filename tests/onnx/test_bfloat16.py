"""Files with bfloat16: stored and rounded as such, computed in float32 between casts, so that they run in plain onnxruntime."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

import frazil as fz
import frazil.onnx
from frazil.exporters.onnx.lower import lower
from frazil.recorder.trace import trace
from frazil.state import STATE
from frazil.table import OPS
from frazil.testing.cases import Case, case


class Inside(fz.nn.Module):
    """A model of bfloat16 between float32."""

    def __init__(self, model: fz.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Any) -> Any:
        return self.model(x.bfloat16()).float()


class Mixed(Inside):
    """A model of float32 under `autocast`."""

    def forward(self, x: Any) -> Any:
        with fz.autocast("cpu"):
            y = self.model(x)
        return y.float().softmax(-1)


def mlp() -> fz.nn.Module:
    fz.manual_seed(0)
    return fz.nn.Sequential(fz.nn.Linear(4, 8), fz.nn.GELU(), fz.nn.LayerNorm(8), fz.nn.Linear(8, 3)).eval()


def types(path: Path) -> set[str]:
    return {onnx.TensorProto.DataType.Name(i.data_type) for i in onnx.load(path).graph.initializer}


def test_a_model_keeps_its_weights_in_16_bits_and_is_verified(tmp_path: Path):
    path, model = tmp_path / "m.onnx", Inside(mlp().bfloat16())
    report = fz.onnx.export(model, (fz.randn(2, 4),), path)
    assert "verified with onnxruntime" in str(report) and types(path) == {"BFLOAT16"}
    again = fz.onnx.load(path)
    x = fz.randn(5, 4)
    assert {p.dtype for p in again.parameters()} == {fz.bfloat16} and again(x).equal(model(x))
    fz.onnx.export(again, (x,), tmp_path / "again.onnx")
    assert types(tmp_path / "again.onnx") == {"BFLOAT16"}


@pytest.mark.parametrize("make", [mlp, lambda: fz.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).eval()])
def test_autocast_is_exported_as_casts(make: Any, tmp_path: Path):
    model = Mixed(make())
    report = fz.onnx.export(model, (fz.randn(2, 3, 4),), tmp_path / "m.onnx")
    assert "verified with onnxruntime" in str(report) and types(tmp_path / "m.onnx") <= {"FLOAT", "INT64"}
    assert "Cast" in {node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node}


def test_scripted_branches_and_loops_carry_it(tmp_path: Path):
    @fz.jit.script
    def f(x: Any) -> Any:
        y = x.bfloat16()
        for _ in range(x.shape[0]):
            y = y * 1.5 if y.sum() < 3 else y - 1
        return y.float()

    report = fz.onnx.export(f, (fz.ones(3),), tmp_path / "f.onnx")
    assert "verified with onnxruntime" in str(report)


def test_what_moves_only_is_not_cast_again(tmp_path: Path):
    fz.onnx.export(
        lambda x: x.bfloat16().reshape(-1).flip(0)[1:].float(), (fz.ones(2, 3),), tmp_path / "f.onnx", dynamic_shapes=None
    )
    assert sum(node.op_type == "Cast" for node in onnx.load(tmp_path / "f.onnx").graph.node) == 2


def test_where_onnxruntime_hands_none_over_the_error_says_what_to_write(tmp_path: Path):
    with pytest.raises(
        fz.errors.FrazilError, match=r"take float32 and call .bfloat16\(\) inside(.|\n)*return it with .float\(\)"
    ):
        fz.onnx.export(lambda x: x * 2, (fz.ones(2).bfloat16(),), tmp_path / "f.onnx")
    with pytest.raises(fz.errors.FrazilError, match=r"random_uniform: random numbers of bfloat16 are not drawn in a file"):
        draw = lambda x: x + fz.rand(2, dtype=fz.bfloat16).float()
        fz.onnx.export(draw, (fz.ones(2),), tmp_path / "f.onnx", training=True)


def run(c: Case) -> str | None:
    """What onnxruntime makes of an op of bfloat16, if it differs from the program."""
    given = [None if a is None else fz.tensor(a) for a in c.arrays]

    def program(*tensors: Any) -> Any:
        rest = iter(tensors)
        own = [None if t is None else next(rest) for t in given]
        narrow = [t if t is None or t.dtype is not fz.float32 else t.bfloat16() for t in own]
        device = fz.device("cpu") if STATE.recorder is None else STATE.recorder.device
        return tuple(y.float() if y.dtype is fz.bfloat16 else y for y in c.call(device, *narrow))

    feeds = tuple(t for t in given if t is not None)
    with fz.no_grad():
        expected, graph = program(*feeds), trace(program, feeds).graph
    content = ir.serde.serialize_model(lower(graph).model).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = {value.name for value in session.get_inputs()}
    found = session.run(None, {v.name: t.numpy() for v, t in zip(graph.inputs, feeds, strict=True) if v.name in names})
    for a, b in zip(found, (t.numpy() for t in expected), strict=True):
        if a.dtype != b.dtype or a.shape != b.shape:
            return f"{c}: {a.dtype}{list(a.shape)}, expected {b.dtype}{list(b.shape)}"
        if not np.allclose(a, b, rtol=2.0**-7 if a.dtype.kind == "f" else 0, atol=0, equal_nan=a.dtype.kind == "f"):
            return f"{c}: {a}, expected {b}"
    return None


def first_cases() -> Iterable[Case]:
    for name, op in OPS.items():
        samples = [case(name, i) for i in range(len(op.samples)) if "dtype" not in op.samples[i].attrs]
        yield from [c for c in samples if c.floats and all(a is None or a.size for a in c.arrays)][:1]


#: Ops beside the models above that are tried in every run of the tests.
FEW = ("sum", "where", "conv", "gather_values", "cumsum", "softmax", "max_pool", "eq", "lerp", "batch_norm", "index_put_values")


@pytest.mark.parametrize("names", [FEW, pytest.param(None, marks=pytest.mark.slow)], ids=["few", "all"])
def test_every_op_of_bfloat16_runs_in_onnxruntime(names: Any):
    wrong = [told for c in first_cases() if (names is None or c.name in names) and (told := run(c)) is not None]
    assert not wrong, "\n".join(wrong)
