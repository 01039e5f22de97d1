"""Tensors look as PyTorch prints them."""

from __future__ import annotations

import numpy as np
import pytest

import frazil as fz

NAN, INF = float("nan"), float("inf")
SEEN = [
    (fz.arange(2000), "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"),
    (
        fz.arange(2000.0),
        "tensor([0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 1.9970e+03, 1.9980e+03,\n        1.9990e+03])",
    ),
    (fz.tensor([1.0, 1999.0]), "tensor([1.0000e+00, 1.9990e+03])"),
    (fz.tensor([1.0, 2.0]), "tensor([1., 2.])"),
    (fz.tensor([1.0, NAN, -INF]), "tensor([1., nan, -inf])"),
    (fz.tensor([0.5, -INF]), "tensor([0.5000,   -inf])"),
    (fz.tensor([1 + 2j, -1.5j]), "tensor([1.+2.0000j, -0.-1.5000j])"),
    (fz.zeros(2, 0, dtype=fz.int32), "tensor([], size=(2, 0), dtype=frazil.int32)"),
    (
        fz.arange(1.5, 11.5, requires_grad=True),
        "tensor([ 1.5000,  2.5000,  3.5000,  4.5000,  5.5000,  6.5000,  7.5000,  8.5000,\n"
        "         9.5000, 10.5000], requires_grad=True)",
    ),
    (
        fz.tensor([0.12345] * 7, dtype=fz.float64),
        "tensor([0.1235, 0.1235, 0.1235, 0.1235, 0.1235, 0.1235, 0.1235],\n       dtype=frazil.float64)",
    ),
    (
        fz.zeros(1001, 2),
        "tensor([[0., 0.],\n        [0., 0.],\n        [0., 0.],\n        ...,\n"
        "        [0., 0.],\n        [0., 0.],\n        [0., 0.]])",
    ),
]


@pytest.mark.parametrize(("t", "text"), SEEN)
def test_texts_are_those_of_pytorch(t: fz.Tensor, text: str) -> None:
    assert repr(t) == text


POOL = [0.0, -0.0, 1.0, -1.0, 1.5, 1999.0, 1e5, 3e9, 1e-5, -2.25e-8, NAN, INF, -INF, 7.0, 123456.0, 0.1, 100.25]


@pytest.mark.parity
def test_texts_of_many_tensors_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    r = np.random.default_rng(0)
    for i in range(400):
        sizes = r.choice([0, 1, 2, 3, 7, 9, 40], r.integers(0, 4)) if i % 3 else r.choice([1, 8, 60, 1200], r.integers(1, 3))
        shape = tuple(int(n) for n in sizes)
        some = r.choice(POOL, r.integers(1, 6))
        numbers = r.choice(some, shape) if i % 2 else r.standard_normal(shape) * 10.0 ** r.integers(-3, 4)
        kind = r.choice(["float32", "float64", "complex64", "float16", "int64", "uint8", "bool"])
        with np.errstate(all="ignore"):
            array = np.asarray(np.nan_to_num(numbers) if kind in ("int64", "uint8") else numbers).astype(kind)
        asks = bool(kind in ("float32", "complex64") and i % 4 == 0)
        theirs, ours = torch.tensor(array, requires_grad=asks), fz.tensor(array, requires_grad=asks)
        # the names of dtypes have other lengths, so that one fits on a line where the other does not
        shown = " ".join(repr(ours).replace("frazil", "torch").split())
        assert shown == " ".join(repr(theirs).split()), (shape, kind)
