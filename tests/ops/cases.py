"""The samples of the op table as calls: what the tests of ops have in common."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import frazil as fz
from frazil.dispatch import run
from frazil.table import OPS, Op, S

#: From this result on, what is kept for the gradient, which alone reads it: it lies as the kernel likes.
KEPT = {"lstm_train": 3, "gru_train": 2}


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


def traced(case: Case, tensors: list[Any], **options: Any) -> Any:
    """The call as a recorded program of the tensors that are given. (Here few globals are for a recording to see to.)"""
    given = [t for t in tensors if t is not None]

    def call(*stand_ins: Any) -> Any:
        left = iter(stand_ins)
        return case.call(*(None if t is None else next(left) for t in tensors))

    return fz.jit.trace(call, tuple(given), input_names=[f"x{i}_" for i in range(len(given))], **options)


def _named(op: Op, dtypes: tuple[str, ...]) -> Iterator[tuple[str, Case]]:
    """All samples of an op in these dtypes with a name each; samples without floats come once."""
    for i, sample in enumerate(op.samples):
        for dtype in dtypes:
            case = Case(op, sample, dtype)
            if case.floats or dtype == dtypes[0]:
                yield f"{op.name}-{i}-{dtype if case.floats else 'int'}", case


def cases(*dtypes: str, keep: Callable[[Op, S], bool] = lambda op, sample: True) -> list[Any]:
    """All samples of all ops as pytest parameters."""
    every = [found for op in OPS.values() for found in _named(op, dtypes)]
    return [pytest.param(case, id=name) for name, case in every if keep(case.op, case.sample)]


def each_case(*dtypes: str, keep: Callable[[Op, S], bool] = lambda op, sample: True) -> Callable[[Any], Any]:
    """Make a test of a `case` into one test per op, over its samples that are meant: what fails first is raised, and names all
    that fail.

    A test per sample would be 16 000, and pytest would take as long over them as the ops.
    """

    def meant_of(name: str) -> list[tuple[str, Case]]:
        return [(label, case) for label, case in _named(OPS[name], dtypes) if keep(case.op, case.sample)]

    def per_op(test: Callable[..., None]) -> Any:
        def every_sample(name: str, **others: Any) -> None:
            meant = meant_of(name)
            failed: dict[str, Exception] = {}
            for label, case in meant:
                try:
                    test(case=case, **others)
                except Exception as error:
                    failed[label] = error
            for error in failed.values():
                error.add_note(f"{len(failed)} of {len(meant)} samples fail: {', '.join(failed)}")
                raise error

        others = [p for p in inspect.signature(test).parameters.values() if p.name != "case"]
        name = inspect.Parameter("name", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        every_sample.__signature__ = inspect.Signature([name, *others])  # type: ignore[attr-defined]
        every_sample.__name__, every_sample.__doc__ = test.__name__, test.__doc__
        return pytest.mark.parametrize("name", [name for name in OPS if meant_of(name)])(every_sample)

    return per_op
