"""As long as a program has turned nothing, kernels are called as they are: their results lie as the layouts say all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.device import KernelTable
from frazil.errors import FrazilError
from frazil.order import OF_CHANNELS, first_tells, in_layout
from frazil.table import OPS, Op
from frazil.tensor import wrap

CPU = fz.device("cpu")
Calls = list[tuple[str, tuple[Any, ...], dict[str, Any]]]


def lying(a: np.ndarray) -> Iterator[np.ndarray]:
    """The array in the ways in which it may lie where nothing was turned: cut out of a larger one, an element repeated."""
    a = np.ascontiguousarray(a) if a.ndim else a
    yield a
    for d in range(a.ndim):
        before = (slice(None),) * d
        yield np.repeat(a, 2, axis=d)[(*before, slice(None, None, 2))]
        if a.shape[d]:
            yield np.broadcast_to(a[(*before, slice(0, 1))], a.shape)


def turned(a: Any) -> bool:
    """Whether a dimension is faster in memory than a later one."""
    strides = [s for s in getattr(a, "strides", ()) if s]
    return strides != sorted(strides, reverse=True)


class Watched(KernelTable):
    """The kernels as the backend wrote them; `calls` tells with what they were called."""

    def __init__(self, calls: Calls) -> None:
        super().__init__(CPU)
        self._calls, self._below = calls, CPU.kernels

    def __missing__(self, name: str) -> Any:
        kernel = self._below[name]
        if kernel is None or name not in OPS:
            return kernel

        def watched(*arrays: Any, **attrs: Any) -> Any:
            self._calls.append((name, arrays, attrs))
            return kernel(*arrays, **attrs)

        self[name] = watched
        return watched

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self._below and name in OPS else self._below.get(name, default)


def calls_of(op: Op, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The kernel calls that samples of the op lead to, each of their arrays lying in every way."""
    calls: Calls = []
    monkeypatch.setattr(CPU, "kernels", Watched(calls))
    for sample in op.samples[:6]:
        arrays = sample.arrays(0, float_dtype="float32")
        for i, varied in enumerate(arrays):
            for a in () if varied is None else lying(varied):
                tensors = [None if b is None else wrap(a if j == i else b, CPU) for j, b in enumerate(arrays)]
                head = len(op.tensors) - 1 if op.packed else len(tensors)
                try:
                    op.call(*tensors[:head], *([tensors[head:]] if op.packed else []), **sample.attrs)
                except FrazilError:  # a repeated element that the op refuses
                    continue
    return calls


#: From which result on they are for the gradient of the operation alone, which no program sees: they lie as that kernel wants.
FOR_THE_GRADIENT = {"lstm_train": 3, "gru_train": 2}


@pytest.mark.filterwarnings("ignore:.* encountered:RuntimeWarning")  # kernels are called without the frame that hides them
@pytest.mark.parametrize("name", OPS)
def test_kernels_lay_results_of_what_nobody_turned(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = CPU.backend
    kernels = backend.kernels(0)
    table = {"in_rows": kernels["copy"], **kernels}
    for called, arrays, attrs in calls_of(OPS[name], monkeypatch):
        op = OPS[called]
        if op.view or called in ("permute", "diagonal") or op.layout == "columns" or any(map(turned, arrays)):
            continue
        wrapper = first_tells if op.layout == "elementwise" else in_layout
        plain, laid = (kernel(*arrays, **attrs) for kernel in (kernels[called], wrapper(op, kernels[called], table)))
        pairs = zip(*(r if isinstance(r, tuple) else (r,) for r in (plain, laid)), strict=True)
        for y, expected in list(pairs)[: FOR_THE_GRADIENT.get(called)]:
            found, right = (
                [s for n, s in zip(np.shape(r), getattr(r, "strides", ()), strict=True) if n > 1 or op.layout in OF_CHANNELS]
                for r in (y, expected)
            )
            assert found == right, (called, [getattr(a, "strides", None) for a in arrays])
