"""`import frazil` is cheap: it loads numpy and pluggy, and nothing that only some programs need."""

from __future__ import annotations

import json

LAZY = {"onnx", "onnx_ir", "onnxruntime", "cupy", "pyopencl", "rich", "matplotlib", "safetensors", "torch", "tomllib", "mpmath"}


def test_importing_frazil_loads_no_optional_package(run_python):
    result = run_python("import frazil, sys, json; print(json.dumps(sorted(sys.modules)))")
    loaded = {name.partition(".")[0] for name in json.loads(result.stdout)}
    assert not loaded & LAZY


def test_computing_on_the_cpu_loads_no_optional_package(run_python):
    code = "import frazil as fz, sys, json; (fz.ones(2) + 1).sum().item(); print(json.dumps(sorted(sys.modules)))"
    loaded = {name.partition(".")[0] for name in json.loads(run_python(code).stdout)}
    assert not loaded & (LAZY - {"tomllib"})


def test_importing_frazil_makes_few_calls(run_python):
    """They do not depend on the machine, as times do (`python -m benchmarks.imports`). NumPy alone makes 100,000."""
    code = """import numpy, sys
before, calls = len(sys.modules), 0
def counted(frame, event, arg):
    global calls
    calls += event in ("call", "c_call")
sys.setprofile(counted)
import frazil
sys.setprofile(None)
print(calls, len(sys.modules) - before)"""
    calls, modules = map(int, run_python(code).stdout.split())
    assert calls <= 33_000
    assert modules <= 85
