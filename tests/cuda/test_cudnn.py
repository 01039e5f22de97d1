"""Convolutions by cuDNN: when it is asked, what for, and what happens when it refuses or is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.backends.cupy import kernels_of
from frazil.backends.cupy.cudnn import How, described

from .emulator import Host

pytestmark = pytest.mark.usefixtures("with_compiler")
WINDOW = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2}


class Library:
    """Stands for cuDNN: it computes by the kernels, and notes what it was asked."""

    def __init__(self, error: float = 0.0) -> None:
        self.kernels, self.asked, self.error = kernels_of(Host()), list[How](), error

    def __call__(self, how: How, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.asked.append(how)
        window = {**WINDOW, "stride": how.stride, "padding": how.padding, "dilation": how.dilation}
        if how.what == "fprop":
            y = self.kernels["conv"](a, b, **window)
        elif how.what == "wgrad":
            y = self.kernels["conv_weight_grad"](a, b, kernel_size=how.shape[2:], **window)
        else:
            y = self.kernels["conv_input_grad"](a, b, size=how.shape[2:], **window)
        assert y.shape == how.shape
        return y + np.asarray(self.error, y.dtype)


def convolutions(kernels: dict[str, Any], dtype: str = "float32") -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    x, w, bias = (rng.standard_normal(shape).astype(dtype) for shape in ((3, 4, 9, 8), (6, 2, 3, 3), (6,)))
    y = kernels["conv"](x, w, bias, **WINDOW)
    g = np.ones_like(y)
    return [
        y,
        kernels["conv_weight_grad"](g, x, kernel_size=(3, 3), **WINDOW),
        kernels["conv_input_grad"](g, w, size=(9, 8), **WINDOW),
    ]


def with_library(library: Any) -> dict[str, Any]:
    host = Host()
    host.convolutions = library
    return kernels_of(host)


def test_all_three_are_asked_for_and_used():
    library = Library()
    kernels, expected = with_library(library), convolutions(kernels_of(Host()))
    for turn in range(3):
        for found, right in zip(convolutions(kernels), expected, strict=True):
            np.testing.assert_array_equal(found, right)
        assert [how.what for how in library.asked] == ["fprop", "wgrad", "dgrad"] * (turn + 1)
    library.error = 1.0  # what was right once is used
    assert not np.allclose(convolutions(kernels)[1], expected[1])


def test_what_is_wrong_the_first_time_is_not_used():
    library = Library(error=1.0)
    kernels, expected = with_library(library), convolutions(kernels_of(Host()))
    with pytest.warns(UserWarning, match="cuDNN gives other values than im2col for How.* and is not used for it") as said:
        convolutions(kernels)
    assert len(said) == 3
    for found, right in zip(convolutions(kernels), expected, strict=True):
        np.testing.assert_array_equal(found, right)
    assert len(library.asked) == 3


def test_what_it_refuses_is_asked_once():
    asked = []

    def refuse(how: How, a: Any, b: Any) -> Any:
        asked.append(how)
        raise RuntimeError("CUDNN_STATUS_NOT_SUPPORTED")

    kernels = with_library(refuse)
    for _ in range(2):
        for found, right in zip(convolutions(kernels), convolutions(kernels_of(Host())), strict=True):
            np.testing.assert_array_equal(found, right)
    assert len(asked) == 3


def test_float64_is_not_for_it():
    library = Library()
    convolutions(with_library(library), "float64")
    assert not library.asked


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("sizes", [(9,), (9, 8), (9, 8, 7)])
def test_its_graphs_are_valid(sizes, dtype):
    """Checked by cuDNN itself; plans are for a GPU."""
    cudnn = pytest.importorskip("cudnn", reason="pip install nvidia-cudnn-frontend nvidia-cudnn-cu13", exc_type=ImportError)
    n = len(sizes)
    window = {"stride": (2,) * n, "padding": (1,) * n, "dilation": (1,) * n}
    x, w = fz.ones(3, 4, *sizes), fz.ones(6, 4, *(3,) * n)
    y = (3, 6, *((s - 1) // 2 + 1 for s in sizes))
    try:
        cudnn.backend_version()
    except Exception as error:
        pytest.skip(f"the frontend is there, cuDNN is not: {error}")
    for how, a, b in (
        (How("fprop", y, **window), x, w),
        (How("wgrad", tuple(w.shape), **window), fz.ones(*y), x),
        (How("dgrad", tuple(x.shape), **window), fz.ones(*y), w),
    ):
        graph, _, result = described(cudnn, how, tuple(a.shape), tuple(b.shape), dtype)
        graph.validate()
        assert [d for d in result.get_dim() if d != 1] == [d for d in how.shape if d != 1]
