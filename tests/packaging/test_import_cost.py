"""`import frazil` is cheap: it loads numpy and pluggy, and nothing that only some programs need."""

from __future__ import annotations

import json

LAZY = {"ml_dtypes", "onnx", "onnx_ir", "onnxruntime", "cupy", "pyopencl", "rich", "matplotlib", "safetensors", "torch"}
LAZY |= {"tomllib", "mpmath", "tensorboardX"}


def test_importing_frazil_loads_no_optional_package(run_python):
    result = run_python("import frazil, sys, json; print(json.dumps(sorted(sys.modules)))")
    modules = set(json.loads(result.stdout))
    assert not {name.partition(".")[0] for name in modules} & LAZY
    assert "frazil.config_files" not in modules  # which loads pathlib


def test_computing_on_the_cpu_loads_no_optional_package(run_python):
    code = "import frazil as fz, sys, json; (fz.ones(2) + 1).sum().item(); print(json.dumps(sorted(sys.modules)))"
    loaded = {name.partition(".")[0] for name in json.loads(run_python(code).stdout)}
    assert not loaded & (LAZY - {"tomllib"})


def test_importing_frazil_makes_few_calls(run_python):
    """At most a quarter of those that importing NumPy makes; `python -m benchmarks.imports` shows the times."""
    code = """import sys
def calls(import_it):
    count = 0
    def counted(frame, event, arg):
        nonlocal count
        count += event in ("call", "c_call")
    sys.setprofile(counted)
    import_it()
    sys.setprofile(None)
    return count
numpy, before = calls(lambda: __import__("numpy")), len(sys.modules)
print(numpy, calls(lambda: __import__("frazil")), len(sys.modules) - before)"""
    numpy, frazil, modules = map(int, run_python(code).stdout.split())
    assert frazil <= 0.25 * numpy, (frazil, numpy)
    assert modules <= 85
