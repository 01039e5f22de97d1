"""The samples of the op table as calls: what the tests of ops have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import frazil as fz
from frazil.dispatch import run
from frazil.table import OPS, Op, S


class Case(NamedTuple):
    """One sample of one op, with the dtype its floats take."""

    op: Op
    sample: S
    dtype: str

    def arrays(self, seed: int = 0) -> list[np.ndarray | None]:
        return self.sample.arrays(seed, float_dtype=self.dtype)

    def tensors(self, seed: int = 0, layout: Callable[[np.ndarray], np.ndarray] = np.array) -> list[Any]:
        return [None if a is None else fz.from_numpy(layout(a)) for a in self.arrays(seed)]

    def call(self, *tensors: Any) -> tuple[Any, ...]:
        """The results for these tensors, always as a tuple."""
        if not tensors:  # only creation functions call these, which know the device
            return (run(self.op, [], self.sample.attrs, fz.device("cpu")),)
        result = self.op.call(*packed(self.op, tensors), **self.sample.attrs)
        return result if self.op.outputs > 1 else (result,)

    @property
    def floats(self) -> bool:
        return any(a is not None and a.kind == "f" for a in self.sample.args)

    def differentiable(self, i: int) -> bool:
        """Whether a gradient with respect to tensor i is defined."""
        arg = self.sample.args[i]
        if arg is None or arg.kind != "f":
            return False
        plans = self.op.vjp_plans
        return self.op.joint or not plans or i >= len(plans) or plans[i] is not None


def packed(op: Op, tensors: Any) -> list[Any]:
    """Positional arguments for a call: an op that takes a sequence of tensors gets one."""
    if not op.packed:
        return list(tensors)
    head = len(op.tensors) - 1
    return [*tensors[:head], list(tensors[head:])]


def cases(*dtypes: str, keep: Callable[[Op, S], bool] = lambda op, sample: True) -> list[Any]:
    """All samples of all ops as pytest parameters. Samples without floats come once."""
    found = []
    for op in OPS.values():
        for i, sample in enumerate(op.samples):
            for dtype in dtypes:
                case = Case(op, sample, dtype)
                if keep(op, sample) and (case.floats or dtype == dtypes[0]):
                    found.append(pytest.param(case, id=f"{op.name}-{i}-{dtype if case.floats else 'int'}"))
    return found
