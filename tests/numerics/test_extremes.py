"""Fast kernels give what the body of their op gives, also of NaN, infinities, huge and tiny numbers, and ends of integers."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import product

import numpy as np
import pytest

import frazil as fz
from frazil.table import OPS
from frazil.testing.kernels import kernel_replaced

NUMBERS = {
    "float16": [6e-8, 1e-4, 0.3, 1, 3, 11.5, 300, 65504],
    "float32": [1e-45, 1e-38, 1e-20, 0.3, 1, 2.9999998, 9.5, 20.5, 88.5, 104, 1e10, 1e20, 3.4e38],
    "float64": [5e-324, 2e-308, 1e-100, 0.3, 1, 3, 9.5, 39, 709.5, 745, 1e100, 1.7e308],
}
SUBJECTS = ("elementwise", "activation")
#: Where they are not the same on the CPU: why.
APART = {
    ("erfc", "float32"): "1 - erf(x) cancels: a formula for the tail would be one of each dtype",
    ("erfc", "float64"): "1 - erf(x) cancels",
    ("gelu_grad", "float16"): "inf times a slope that is 0 in float16, and a small number in the float32 of the kernel",
}
COMPOSITES = [
    name
    for name, op in OPS.items()
    if op.body is not None and op.fn.__module__.rpartition(".")[2] in SUBJECTS and op.samples and name != "glu"
]


def _numbers(dtype: str) -> np.ndarray:
    if dtype.startswith("float"):
        sizes = np.array([0.0, *NUMBERS[dtype], np.inf], dtype)
        return np.concatenate([sizes, -sizes, [np.nan]]).astype(dtype)
    info = np.iinfo(dtype)
    return np.array([info.min, info.min + 1, -3, -1, 0, 1, 2, info.max - 1, info.max], dtype)


def arguments(name: str, dtype: str) -> list[np.ndarray]:
    """Every combination of the numbers of a dtype, for every tensor of an op."""
    sample = OPS[name].samples[0]
    count = len(sample.arrays(0))
    combined = np.array(list(product(_numbers(dtype), repeat=min(count, 2))), dtype).T
    return [*combined, *(np.resize(_numbers(dtype)[::-1], combined.shape[1]) for _ in range(count - 2))]


def compare(name: str, dtype: str, device: str) -> None:
    """The kernel of a device beside the body of the op."""
    op = OPS[name]
    attrs = op.samples[0].attrs
    tensors = [fz.tensor(a, device=device) for a in arguments(name, dtype)]
    with kernel_replaced(device, name, None):
        try:
            expected = op.call(*tensors, **attrs).cpu().numpy()
        except (fz.errors.FrazilError, TypeError):
            expected = None
    if expected is None:  # not an op of this dtype
        return
    found = op.call(*tensors, **attrs).cpu().numpy()
    assert found.dtype == expected.dtype
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected)
        return
    info = np.finfo(expected.dtype)
    np.testing.assert_allclose(
        found.astype(np.float64), expected.astype(np.float64), rtol=64 * float(info.eps), atol=float(info.smallest_normal)
    )


@pytest.mark.parametrize("dtype", [*NUMBERS, "int32", "int64"])
@pytest.mark.parametrize("name", [name for name in COMPOSITES if fz.device("cpu").kernels[name] is not None])
def test_kernels_are_their_bodies_at_extremes(name, dtype):
    with pytest.raises(AssertionError) if (name, dtype) in APART else nullcontext():
        compare(name, dtype, "cpu")
