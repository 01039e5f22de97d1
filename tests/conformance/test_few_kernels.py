"""The kernels of the primitives are enough for a backend: all other ops are made of them."""

from __future__ import annotations

import pytest

import frazil as fz
from frazil.testing import conformance


def check(*only: str) -> None:
    report = conformance.run("few", only=only, strict=True)
    assert report.ok, [(str(r.check), r.message) for r in report.failures[:3]]
    assert report.coverage is not None
    assert (report.coverage.fast, report.coverage.via_cpu) == (0, ())
    assert not [place for place in fz.debug.fallbacks() if place[0] == "few"]


def test_a_backend_with_the_primitives_alone_passes_the_kit_strictly() -> None:
    check("lifecycle/opens", "lifecycle/every_primitive_has_a_kernel", "ops/*-0-float32-body")


@pytest.mark.slow
def test_a_backend_with_the_primitives_alone_trains_models() -> None:
    check("lifecycle/*", "training/*")


@pytest.mark.slow
@pytest.mark.parametrize("letters", ["[a-c]", "[d-l]", "[m-r]", "[s-z]"])
@pytest.mark.parametrize("tier", ["primitives", "ops", "gradients", "recording"])
def test_a_backend_with_the_primitives_alone_passes_the_whole_kit(tier: str, letters: str) -> None:
    check(f"{tier}/{letters}*")
