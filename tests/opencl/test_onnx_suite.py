"""ONNX's own test suite of operators, through `fz.onnx.load`, on OpenCL: a sample, or with TEST_ONNX_SUITE=whole all of it."""

from __future__ import annotations

import os

import pytest

from ..onnx.test_backend_suite import EXPECTED, cases, fault

_ROUNDED = "rounded to float16 after every step of a softmax; ours is nearer"
#: What fails on OpenCL only.
EXPECTED_HERE = {**EXPECTED, "test_attention_4d_causal_fp16": _ROUNDED}
#: How many tests the sample takes one of.
STEP = 40


@pytest.mark.slow
def test_what_passes_on_numpy_passes() -> None:
    whole = os.environ.get("TEST_ONNX_SUITE") == "whole"
    kinds = ["node", "simple", "pytorch-converted", "pytorch-operator"]
    found = [case for kind in kinds for case in cases(kind)][:: 1 if whole else STEP]
    wrong = {name: why for name, *case in found if (why := fault(*case, "opencl")) is not None}
    assert not {name: why for name, why in wrong.items() if name not in EXPECTED_HERE}
    names = {name for name, *_ in found}
    assert not {name for name in EXPECTED_HERE if name in names and name not in wrong}, "these pass now"
