"""What PyTorch refuses, by its own samples of wrong calls, is refused with an error that programs catch as PyTorch's."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytest.importorskip("expecttest", reason="PyTorch's samples need expecttest: pip install expecttest")

from .torch_samples import NotHere, find, op_db, to_frazil  # noqa: E402

pytestmark = pytest.mark.parity

KINDS = (RuntimeError, ValueError, IndexError, TypeError, AttributeError, AssertionError)
#: What PyTorch says where frazil takes more.
TAKEN = re.compile(
    "must be Tensor, not int|got \\(int, Tensor\\)|__r\\w+__.*'int' object|attribute 'reciprocal'"  # numbers beside tensors
    "|refers? to a single memory location|written-to tensor refer"  # results that lie over arguments are computed first
    "|expects float32 or float64 dtypes"  # windows of halves
    "|bias type .* should be the same|cannot be converted to type|Expected object of scalar type"  # dtypes that are promoted
    "|must be tuple of Tensors, not Tensor|start must be an 0-dim|negative dimension -1|expects std|expected std"
    "|Input type .* and bias type|requires batched input|normal expects"
    "|number of categories cannot exceed"  # 2**24, a limit of float32
)
#: Two mistakes at once, of which frazil tells the other.
OTHER = {"nn.functional.multi_margin_loss", "nn.functional.multilabel_margin_loss"}
#: Operators of PyTorch's inside, and of GPUs.
ABSENT = ("jiterator", "_chunk_cat")


def refusals(info: Any) -> Any:
    """Pairs of a wrong call and PyTorch's error for it."""
    for wrong in info.error_inputs("cpu"):
        sample = wrong.sample_input
        try:
            info.op(sample.input, *sample.args, **sample.kwargs)
        except Exception as error:
            if not TAKEN.search(str(error)):
                yield sample, error


NAMES = sorted({info.name for info in op_db if info.error_inputs_func is not None and not info.name.startswith(ABSENT)} - OTHER)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_calls_are_refused(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for info in (info for info in op_db if info.name == name and info.error_inputs_func is not None):
            for sample, theirs in refusals(info):
                held: list[Any] = []
                try:
                    args = [to_frazil(value, held) for value in (sample.input, *sample.args)]
                    options = to_frazil(sample.kwargs, held)
                except (TypeError, ValueError, NotHere):  # of 65 dimensions, without numbers, of a layout that is not there
                    continue
                said = f"{name}: {str(theirs)[:100]}"
                try:
                    find(name)(*args, **options)
                except Exception as ours:
                    wanted = tuple(kind for kind in KINDS if isinstance(theirs, kind))
                    assert isinstance(ours, wanted), f"{said} / {type(ours).__name__}: {ours}"
                else:
                    pytest.fail(f"taken, but refused by PyTorch: {said}")
