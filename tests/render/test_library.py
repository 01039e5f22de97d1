"""The library of kernels: on every primitive, written once, and in plain C by the example plugin `frazil-c`."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frazil.backends.render.kernels import library
from frazil.plugins import MANAGER, BackendRecord, hookimpl
from frazil.table import OPS
from frazil.testing import conformance

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def frazil_c() -> Any:
    spec = importlib.util.spec_from_file_location("frazil_c", ROOT / "examples/plugins/frazil-c/frazil_c.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def with_compiler(frazil_c: Any) -> None:
    if frazil_c.COMPILER is None:
        pytest.skip("plain C is not compiled: no cc (Debian: apt-get install gcc)")


def test_every_primitive_has_a_kernel(frazil_c: Any) -> None:
    """A chip brings a dialect and a runtime; `shares_memory` is the one question that its memory answers itself."""
    made = library(frazil_c.Runtime())
    assert [name for name, op in OPS.items() if op.kind == "primitive" and name not in made] == []


def test_backends_bring_no_op_twice() -> None:
    """What is in the library is written in no backend, but for what its vendor's library does better."""
    cupy = """reshape permute slice select cat sequence size_to_tensor sort_values topk_values nonzero_positions argmax argmin
        cumsum cumprod"""
    better: dict[str, set[str]] = {"opencl": set(), "cupy": set(cupy.split())}
    products = {"matmul", "linear", "linear_weight_grad", "conv", "conv_input_grad", "conv_weight_grad"}
    for folder, own in better.items():
        texts = [p.read_text() for p in (ROOT / "backends" / folder).glob("*.py")]
        functions = {n.name.rstrip("_") for t in texts for n in ast.walk(ast.parse(t)) if isinstance(n, ast.FunctionDef)}
        twice = {name for name in functions & set(OPS) if OPS[name].kind == "primitive"} - own - products
        assert not twice, f"backends/{folder} has kernels of its own for {', '.join(sorted(twice))}"


def test_functions_are_short() -> None:
    """A kernel is found, read and tested by its name; closures of 300 lines are classes."""
    for folder in ("opencl", "cupy", "render"):
        for path in (ROOT / "backends" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                    assert node.end_lineno - node.lineno < 80, f"{path}:{node.lineno}: {node.name}"


@pytest.mark.usefixtures("with_compiler")
def test_plain_c_computes(frazil_c: Any) -> None:
    runtime = frazil_c.Runtime()
    kernels, rng = library(runtime), np.random.default_rng(0)
    x, w = rng.standard_normal((3, 4, 6)).astype(np.float32), rng.standard_normal((2, 4, 3)).astype(np.float32)
    e = np.exp(x - x.max(2, keepdims=True))
    columns = np.stack([x[:, :, i : i + 3] for i in range(4)])  # position, image, channel, tap
    expected = {
        "tanh": (np.tanh(x), (x,), {}),
        "add": (x + x[:1], (x, x[:1]), {}),
        "sum": (x.sum(1), (x,), {"dim": (1,)}),
        "softmax": (e / e.sum(2, keepdims=True), (x,), {"dim": 2}),
        "matmul": (x @ x[0].T, (x, x[0].T), {}),
        "conv": (
            np.einsum("pnct,fct->nfp", columns, w),
            (x, w),
            {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1},
        ),
        "gather_values": (x[:, 2:0:-1], (x, np.broadcast_to([[[2], [1]]], (3, 2, 6)).astype(np.int64)), {"dim": 1}),
        "sort_values": (np.sort(x, 1), (x,), {"dim": 1}),
        "flip": (x[:, ::-1], (x,), {"dims": (1,)}),
    }
    for name, (right, arrays, attributes) in expected.items():
        found = kernels[name](*arrays, **attributes)
        found = found[0] if isinstance(found, tuple) else found
        np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.usefixtures("with_compiler")
@pytest.mark.slow
def test_plain_c_passes_a_first_look_at_everything(frazil_c: Any) -> None:
    """`frazil conformance c` asks all of it; one check of every op here."""

    class Plugin:
        @hookimpl
        def frazil_backends(self) -> list[BackendRecord]:
            return [BackendRecord("c", lambda: frazil_c.CBackend, "c")]

    MANAGER._distributions["c"] = "tests"
    MANAGER._pluggy.register(Plugin(), name="c")
    try:
        report = conformance.run("c", only=["lifecycle/*", "primitives/*-0-float32", "training/*"], strict=True)
    finally:
        MANAGER._pluggy.unregister(name="c")
    assert report.coverage.via_cpu == ()
    assert report.ok, "\n\n".join(map(str, report.failures))
