"""`clamp` takes a number beside a 0-d tensor, as `torch.clamp(x, 0, capacity[0])`, and every other pair of limits."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

LOWER, UPPER = (None, 0, 0.5, math.nan), (None, 1, 2.5, math.nan)


@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "int32"])
@pytest.mark.parametrize("tensors", [(False, False), (True, False), (False, True), (True, True)], ids=str)
def test_limits_are_pytorchs(kind: str, tensors: tuple[bool, bool]) -> None:
    for limits in itertools.product(LOWER, UPPER):
        if limits == (None, None):
            continue
        found = []
        for t in (torch, fz):
            low, high = (
                limit if limit is None or not own else t.tensor(limit) for limit, own in zip(limits, tensors, strict=True)
            )
            x = t.tensor([-1.0, 0.75, 5.0] if "float" in kind else [-1, 2, 5], dtype=getattr(t, kind))
            results: list[Any] = [t.clamp(x, low, high), x.clamp(min=low, max=high), t.clip(x, low, high)]
            if kind.startswith("float"):
                w = x.clone().requires_grad_()
                w.clamp(low, high).sum().backward()
                results += [w.grad, x.clone().clamp_(low, high)]
            found.append([result.numpy() for result in results])
        for theirs, ours in zip(*found, strict=True):
            assert theirs.dtype == ours.dtype, limits
            np.testing.assert_array_equal(ours, theirs, err_msg=str(limits))
