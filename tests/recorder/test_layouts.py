"""Where a recording says how a tensor lies in memory, that is how the eager one lies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import FrazilError
from frazil.recorder import layout
from frazil.sizes import SymInt
from frazil.table import OPS

from ..ops.cases import Case


def turned(a: np.ndarray) -> np.ndarray:
    """The first two dimensions change places in memory."""
    return np.ascontiguousarray(a.swapaxes(0, 1)).swapaxes(0, 1) if a.ndim > 1 else a


ORDERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"reversed": np.asfortranarray, "turned": turned}


def believed(t: Any) -> tuple[int, ...] | None:
    """The strides of a tensor being recorded, for the sizes of the example; None where the recording does not claim to know."""
    if not t._dev.recording or t._a.strides is layout.UNKNOWN:
        return None
    hints = [s.hint if isinstance(s, SymInt) else s for s in layout.strides_of(t._a)]
    return None if None in hints else tuple(hints)


def differences(case: Case, order: Callable[[np.ndarray], np.ndarray]) -> tuple[int, list[str]]:
    """How many results were compared, and what differs."""
    tensors = case.tensors(layout=order)
    eager = case.call(*tensors)
    claims: list[Any] = []

    def program(*given: Any) -> Any:
        rest = iter(given)
        results = case.call(*(None if t is None else next(rest) for t in tensors))
        claims[:] = map(believed, results)
        return results

    try:
        fz.jit.trace(program, tuple(t for t in tensors if t is not None))
    except FrazilError:  # the samples tell elsewhere what cannot be recorded
        return 0, []
    known = [(t, strides) for t, strides in zip(eager, claims, strict=True) if strides is not None and 0 not in t.shape]
    return len(known), [
        f"{case.op.name} of {[t and tuple(t.shape) for t in tensors]} {case.sample.attrs}: {t.stride()}, recorded as {strides}"
        for t, strides in known
        if any(n > 1 and a != b for n, a, b in zip(t.shape, strides, t.stride(), strict=True))
    ]


@pytest.mark.parametrize("order", ORDERS)
def test_results_of_every_op_lie_as_the_recording_says(order: str) -> None:
    compared, wrong = 0, []
    for op in OPS.values():
        whole = [s for s in op.samples if any(a is not None and len(a.shape) > 1 for a in s.args)]
        for sample in whole[:2]:
            count, found = differences(Case(op, sample, "float32"), ORDERS[order])
            compared += count
            wrong += found
    assert compared > 300 and not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["silu", "gelu", "erf", "tanh", "softplus"])
def test_what_an_elementwise_op_makes_of_a_repeated_dimension_lies_as_the_recording_says(name: str) -> None:
    def program(x: Any) -> Any:
        y = OPS[name].call(x.permute(1, 0).expand(2, 4, 3))
        strides.append(believed(y) or y.stride())
        return y

    strides: list[Any] = []
    x = fz.ones(3, 4)
    program(x)
    fz.jit.trace(program, (x,))
    assert strides[0] == strides[1] == (12, 1, 4)
