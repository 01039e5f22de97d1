"""The NumPy backend, through the kit that others use."""

from __future__ import annotations

import pytest

from frazil.testing.conformance import FAILED, TIERS, run

#: Tiers that ask what tests/ops and tests/onnx ask of NumPy's kernels too, and take longer.
ASKED_ELSEWHERE = ("ops", "gradients", "recording")


@pytest.mark.parametrize("tier", [pytest.param(t, marks=pytest.mark.slow) if t in ASKED_ELSEWHERE else t for t in TIERS])
def test_the_kit_passes_strictly(tier):
    report = run("numpy", tiers=[tier], strict=True)
    assert report.results and report.ok, [str(result) for result in report.results if result.outcome == FAILED][:5]
